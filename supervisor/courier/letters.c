#include "letters.h"

#include "mail.h"

#include <stdlib.h>
#include <unistd.h>

struct job {
    struct courier *courier;
    struct message_letter letter;
    char text[NOTICE_BYTES + 1];
};

static void answer(struct courier *c, const struct message_letter *l, bool taken) {
    union message m = {
        .plain = {.head = {.type = MESSAGE_COURIER_LETTER_DONE, .tenant = l->head.tenant}, .value = (uint64_t)l->number << 1 | taken}};
    courier_say(c, &m, -1);
}

static void run(struct destination *none, void *context) {
    struct job *job = context;
    (void)none;
    answer(job->courier, &job->letter, mail_send(job->courier->mail, &job->letter, job->text));
    free(job);
}

void letters_take(struct courier *c, const union message *m, int *fd) {
    struct job *job = calloc(1, sizeof *job);
    bool fine = job && c->mail && pread(*fd, job->text, m->letter.bytes, 0) == (ssize_t)m->letter.bytes;
    if (fine) {
        job->courier = c;
        job->letter = m->letter;
        fine = lane_do(c->mail_lane, run, job);
    }
    if (fine) return;
    free(job);
    answer(c, &m->letter, false);
}

#include "undertakings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct undertakings {
    struct record *record;
    struct undertaking *row; /* one a uid, the last */
    size_t count;
};

static struct undertaking *find(const struct undertakings *u, uint32_t uid) {
    for (size_t i = 0; i < u->count; i++)
        if (u->row[i].uid == uid) return &u->row[i];
    return NULL;
}

static bool fold(void *context, const struct record_line *line, bool keep) {
    struct undertakings *u = context;
    struct undertaking said;
    if (!undertaking_read(line, &said, NULL)) return false;
    struct undertaking *row = find(u, said.uid);
    if (said.ended && !row) return false;
    if (!row) {
        struct undertaking *more = reallocarray(u->row, u->count + 1, sizeof *more);
        if (!more) return false;
        u->row = more;
        row = &more[u->count];
        u->count += keep;
    }
    if (keep && said.ended) row->ended = true;
    if (keep && !said.ended) *row = said;
    return true;
}

struct undertakings *undertakings_open(const char *state_dir, char error[RECORD_ERROR_MAX]) {
    struct undertakings *u = calloc(1, sizeof *u);
    if (u && (u->record = record_open(state_dir, "undertakings", fold, u, error))) return u;
    if (!u) snprintf(error, RECORD_ERROR_MAX, "no memory");
    undertakings_close(u);
    return NULL;
}

void undertakings_close(struct undertakings *u) {
    if (!u) return;
    record_close(u->record);
    free(u->row);
    free(u);
}

const struct undertaking *undertakings_of(const struct undertakings *u, uint32_t uid) { return find(u, uid); }

enum undertaking_state undertakings_judge(const struct undertakings *u, uint32_t uid, uint64_t now_ms) {
    return undertaking_judge(find(u, uid), UNDERTAKING_VERSION, now_ms);
}

/* S1: the person itself signs, in a chained record that is never cut */
bool undertakings_sign(struct undertakings *u, uint32_t uid, uint64_t now_ms, uint64_t until_ms, const char *name) {
    char fields[RECORD_LINE_MAX];
    const struct undertaking wanted = {.uid = uid, .version = UNDERTAKING_VERSION, .until_ms = until_ms};
    if (!undertaking_fields(&wanted, name, fields, sizeof fields)) return errno = EMSGSIZE, false;
    return record_may_begin(u->record, now_ms, uid) && record_append(u->record, now_ms, uid, "signed", fields);
}

bool undertakings_end(struct undertakings *u, uint32_t uid, uint64_t now_ms) { return record_append(u->record, now_ms, uid, "ended", ""); }

const struct heads *undertakings_heads(const struct undertakings *u) { return record_heads(u->record); }
int undertakings_reader(const struct undertakings *u) { return record_reader(u->record); }

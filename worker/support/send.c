#include "send.h"

#include "../../policy/hex.h"
#include "../journal/journal.h"
#include "../keys/support_seal.h"
#include "../pace.h"
#include "../tenant.h"
#include "../uplink.h"
#include "record.h"
#include "support.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAD = 1024, LOST_SECONDS = 30, AGAIN_SECONDS = 35 };

static struct support_key *key; /* NULL: there is no support */
static struct {
    uint64_t reference; /* 0 = none is on its way */
    time_t since;
} sending;
/* What has been told since the last question: whatever is not among them is gone. */
static uint64_t told[SUPPORT_PER_TENANT];
static size_t told_count;

static time_t seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

bool support_available(void) { return key && support_key_in_time(key); }

void support_key_take(int fd, uint64_t bytes) {
    support_key_free(key);
    key = NULL;
    if (fd < 0) return;
    char *pem = bytes > 0 && bytes <= SUPPORT_CERTIFICATE_MAX ? malloc(bytes) : NULL;
    if (pem && pread(fd, pem, bytes, 0) == (ssize_t)bytes) key = support_key_read(pem, bytes);
    free(pem);
    close(fd);
}

/* ---- up ---- */

static struct pace sent = {.most = SUPPORT_PER_MINUTE / 2};

/* What the support reads: the text and the key for the answer, in blanks up to a size that tells little. */
static char *message_of(const json_t *record, size_t *size) {
    json_t *o = json_pack("{s:O, s:O}", "text", json_object_get(record, "text"), "reply", json_object_get(record, "reply"));
    char *json = o ? json_dumps(o, JSON_COMPACT) : NULL;
    *size = json ? (strlen(json) + PAD - 1) / PAD * PAD : 0;
    char *padded = json ? malloc(*size + 1) : NULL;
    if (padded) snprintf(padded, *size + 1, "%-*s", (int)*size, json);
    free(json);
    json_decref(o);
    return padded;
}

static void send_one(const json_t *record) {
    size_t size;
    char *plain = message_of(record, &size);
    uint8_t *sealed = plain ? malloc(SUPPORT_SEALED_MAX) : NULL;
    size_t bytes = sealed ? support_seal(key, plain, size, sealed, SUPPORT_SEALED_MAX) : 0;
    if (bytes) {
        sending.reference = support_reference(record);
        sending.since = seconds();
        uplink_support(sending.reference, sealed, bytes);
    }
    free(plain);
    free(sealed);
}

static void on_again(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    if (self.keys) support_send_next();
}

static void again_later(void) {
    static struct event *timer;
    static const struct timeval wait = {.tv_sec = AGAIN_SECONDS};
    if (!timer) timer = evtimer_new(self.base, on_again, NULL);
    if (timer) event_add(timer, &wait);
}

void support_send_next(void) {
    enum store_result result;
    size_t i;
    json_t *record;
    bool wait = false;
    if (!support_available()) return;
    bool free_way = !sending.reference || seconds() - sending.since >= LOST_SECONDS;
    json_t *records = support_records(&result);
    if (free_way) sending.reference = 0;
    json_array_foreach(records, i, record) {
        if (support_state(record) != SUPPORT_SENDING) continue;
        wait = true;
        if (!sending.reference && pace_take(&sent)) send_one(record);
    }
    json_decref(records);
    if (wait) again_later();
}

void support_unsealed(void) {
    told_count = 0;
    uplink_support_ask();
    support_send_next();
}

/* ---- down ---- */

/* What has been removed elsewhere than here, e.g. before a backup of the file was put back, is shown, too. */
static json_t *stranger(const struct message_support *m) {
    uint8_t id[ID_BYTES] = {0};
    memcpy(id + ID_BYTES - sizeof m->reference, &m->reference, sizeof m->reference);
    return json_pack("{s:o, s:I, s:n}", "id", journal_id(id), "at", (json_int_t)(m->received_ms / 1000), "by");
}

static bool take_answer(json_t *record, int fd, uint32_t bytes) {
    uint8_t reply[KEY_BYTES];
    const char *hex = json_string_value(json_object_get(record, "reply"));
    if (!hex || strlen(hex) != 2 * KEY_BYTES || !hex_read(hex, KEY_BYTES, reply) || bytes > SUPPORT_SEALED_MAX) return false;
    uint8_t *sealed = malloc(bytes);
    char *text = malloc(SUPPORT_TEXT_MAX);
    long size = -1;
    if (sealed && text && pread(fd, sealed, bytes, 0) == (ssize_t)bytes) size = support_open(reply, sealed, bytes, text, SUPPORT_TEXT_MAX);
    json_t *answer = size > 0 ? json_stringn(text, (size_t)size) : NULL; /* NULL, too, when it is no UTF-8 */
    bool is_new = answer && !json_equal(answer, json_object_get(record, "answer"));
    if (is_new) {
        json_object_set(record, "answer", answer);
        json_object_set_new(record, "answered", json_integer((json_int_t)time(NULL)));
    }
    json_decref(answer);
    secret_wipe(reply, sizeof reply);
    free(sealed);
    free(text);
    return is_new;
}

static void set(json_t *record, const char *name, json_int_t value) { json_object_set_new(record, name, json_integer(value)); }

/* All have been told: of those that are kept as far as we know, the others are not. */
static void all_told(json_t *records) {
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record) {
        enum support_state state = support_state(record);
        bool there = state == SUPPORT_SENDING || state == SUPPORT_REMOVED || state == SUPPORT_REFUSED;
        for (size_t k = 0; k < told_count; k++)
            there |= told[k] == support_reference(record);
        if (there) continue;
        set(record, "state", SUPPORT_REMOVED);
        support_save(record);
    }
}

static void one_told(json_t *records, const struct message_support *m, int fd) {
    json_t *known = support_by_reference(records, m->reference);
    json_t *record = known ? json_incref(known) : m->state <= SUPPORT_CLOSED ? stranger(m) : NULL;
    if (told_count < SUPPORT_PER_TENANT && m->state <= SUPPORT_CLOSED) told[told_count++] = m->reference;
    if (!record) return;
    bool answered = fd >= 0 && take_answer(record, fd, m->bytes);
    bool changed = support_state(record) != (enum support_state)m->state || !known || answered;
    set(record, "state", m->state);
    if (m->until_ms) set(record, "until", (json_int_t)(m->until_ms / 1000));
    if (changed) support_save(record); /* where there is no room, it is told again at the next unsealing */
    if (answered) journal_add(JOURNAL_support_answered, NULL, json_pack("{s:O}", "message", json_object_get(record, "id")));
    json_decref(record);
}

void support_told(const struct message_support *m, int fd) {
    enum store_result result = STORE_SEALED;
    json_t *records = self.keys ? support_records(&result) : NULL;
    if (records && m->state == SUPPORT_ALL_TOLD)
        all_told(records);
    else if (records && m->state > SUPPORT_SENDING && m->state < SUPPORT_STATES)
        one_told(records, m, fd);
    json_decref(records);
    if (fd >= 0) close(fd);
    if (!self.keys || m->reference != sending.reference || !sending.reference) return;
    sending.reference = 0;
    support_send_next();
}

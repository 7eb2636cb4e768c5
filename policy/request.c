#include "request.h"

#include "names.h"
#include "references.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_MS ((uint64_t)3600000)
enum { ASKED_FIELDS = 11 };

const struct request_row request_table[REQUEST_KINDS] = {
#define REQUEST(KIND, VERB, ASKS, AGREES, HOURS, HELP)                                                                                     \
    [REQUEST_##KIND] = {#KIND, VERB_##VERB, 1U << DUTY_##ASKS, 1U << DUTY_##AGREES, (HOURS)*HOUR_MS, HELP},
#include "request.def"
#undef REQUEST
};

const struct ground_row ground_table[GROUNDS] = {
#define GROUND(NAME, MEANING) {#NAME, MEANING},
#define SCOPE(NAME, MEANING)
#include "ground.def"
#undef GROUND
#undef SCOPE
};
const struct ground_row scope_table[SCOPES] = {
#define GROUND(NAME, MEANING)
#define SCOPE(NAME, MEANING) {#NAME, MEANING},
#include "ground.def"
#undef GROUND
#undef SCOPE
};

const char *const request_words[REQUEST_STATES] = {"asked", "agreed", "done", "failed", "withdrawn", "expired"};

void request_book_free(struct request_book *book) {
    free(book->row);
    *book = (struct request_book){0};
}

struct request *request_find(const struct request_book *book, uint64_t id) {
    return id && id <= book->count ? &book->row[id - 1] : NULL;
}

struct request *request_about(const struct request_book *book, enum request_kind kind, uint32_t tenant, enum request_state state) {
    for (size_t i = book->count; i-- > 0;)
        if (book->row[i].kind == kind && book->row[i].tenant == tenant && book->row[i].state == state) return &book->row[i];
    return NULL;
}

/* ---- the record ---- */

bool request_fields(const struct request *r, char *out, size_t room) {
    int size =
        snprintf(out, room, "%" PRIu64 "\t%s\t%" PRIu32 "\t%s\t%" PRIu64 "\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu64 "\t%" PRIu64 "\t%s\t%s",
                 r->id, request_table[r->kind].name, r->tenant, r->name, r->until_ms, r->ground, r->scope, r->hold_ms, r->counted_ms,
                 r->recipient[0] ? r->recipient : "-", r->reason[0] ? r->reason : "-");
    return size > 0 && (size_t)size < room;
}

static bool kind_of(struct chain_field f, enum request_kind *kind) {
    for (int k = 0; k < REQUEST_KINDS; k++)
        if (chain_is(f, request_table[k].name)) {
            *kind = (enum request_kind)k;
            return true;
        }
    return false;
}

static bool read_asked(const struct record_line *line, struct request *r) {
    const struct chain_field *f = line->field;
    uint64_t tenant, ground, scope;
    if (line->fields != ASKED_FIELDS || !chain_number(f[0], UINT64_MAX, &r->id) || !kind_of(f[1], &r->kind)) return false;
    if (!chain_number(f[2], UINT32_MAX, &tenant) || !chain_text(f[3], r->name, TENANT_NAME_MAX) || !name_is_tenant(r->name)) return false;
    if (!chain_number(f[4], UINT64_MAX, &r->until_ms) || !chain_number(f[5], GROUNDS - 1, &ground)) return false;
    if (!chain_number(f[6], r->kind == REQUEST_citation ? REFERENCES_ALL : (1U << SCOPES) - 1, &scope) ||
        !chain_number(f[7], UINT64_MAX, &r->hold_ms))
        return false;
    if (!chain_number(f[8], UINT64_MAX, &r->counted_ms)) return false;
    if (!chain_text(f[9], r->recipient, RECIPIENT_MAX) || !chain_text(f[10], r->reason, REASON_MAX)) return false;
    r->tenant = (uint32_t)tenant;
    r->ground = (uint32_t)ground;
    r->scope = (uint32_t)scope;
    r->asked_by = line->uid;
    r->asked_ms = line->time_ms;
    return true;
}

static bool add(struct request_book *book, const struct record_line *line, bool keep) {
    struct request said = {.state = REQUEST_ASKED};
    if (!read_asked(line, &said) || said.id != book->count + 1) return false;
    struct request *more = reallocarray(book->row, book->count + 1, sizeof *more);
    if (!more) return false;
    book->row = more;
    if (keep) book->row[book->count++] = said;
    return true;
}

/* What may follow what. */
static bool moves(enum request_state from, enum request_state to) {
    if (from == REQUEST_ASKED) return to == REQUEST_AGREED || to == REQUEST_WITHDRAWN || to == REQUEST_EXPIRED;
    return from == REQUEST_AGREED && (to == REQUEST_DONE || to == REQUEST_FAILED || to == REQUEST_EXPIRED);
}

bool request_fold(void *context, const struct record_line *line, bool keep) {
    struct request_book *book = context;
    uint64_t id;
    if (strcmp(line->word, request_words[REQUEST_ASKED]) == 0) return add(book, line, keep);
    struct request *r = line->fields == 1 && chain_number(line->field[0], UINT64_MAX, &id) ? request_find(book, id) : NULL;
    if (!r) return false;
    if (strcmp(line->word, "released") == 0) return r->released |= keep, true;
    for (int s = REQUEST_AGREED; s < REQUEST_STATES; s++) {
        if (strcmp(line->word, request_words[s]) != 0) continue;
        if (!moves(r->state, (enum request_state)s)) return false;
        if (!keep) return true;
        r->state = (enum request_state)s;
        r->ended_ms = line->time_ms;
        if (s == REQUEST_AGREED || s == REQUEST_WITHDRAWN) r->ended_by = line->uid;
        return true;
    }
    return false;
}

/* ---- decisions ---- */

static bool is_open(const struct request *r, uint64_t now_ms) {
    return r->state == REQUEST_ASKED && r->asked_ms <= now_ms + LEDGER_CLOCK_MS && now_ms < r->until_ms;
}

/* C1: what takes two people is agreed to by another uid, under the duty of the table, within its term */
enum act_result request_may_agree(const struct request *r, uint32_t uid, uint32_t duties, uint64_t now_ms) {
    if (!(request_table[r->kind].agrees & duties)) return ACT_REFUSED;
    if (!is_open(r, now_ms)) return ACT_WRONG_STATE;
    return r->asked_by == uid ? ACT_ALONE : ACT_DONE;
}

enum act_result request_may_withdraw(const struct request *r, uint32_t uid, uint32_t duties, uint64_t now_ms) {
    bool own = r->asked_by == uid && request_table[r->kind].asks & duties;
    if (!own && !(request_table[r->kind].agrees & duties)) return ACT_REFUSED;
    return is_open(r, now_ms) ? ACT_DONE : ACT_WRONG_STATE;
}

/* S11: no clock that is set ends a hold */
bool request_is_held(const struct request *r, uint64_t now_ms, uint64_t counted_ms) {
    if (!r->hold_ms || r->released) return false;
    bool has_run = r->hold_ms <= r->asked_ms || (counted_ms >= r->counted_ms && counted_ms - r->counted_ms >= r->hold_ms - r->asked_ms);
    return now_ms < r->hold_ms || !has_run;
}

/* S11: sealed data is given as sealed data, and a hold has its day: the ledger says both */
static void disclosure_note(const struct request *r, char note[NOTE_MAX + 1]) {
    char day[16];
    time_t hold = (time_t)(r->hold_ms / 1000);
    struct tm tm;
    size_t used = (size_t)snprintf(note, NOTE_MAX + 1, "ground: %s; scope:", ground_table[r->ground].name);
    for (int s = 0; s < SCOPES; s++)
        if (r->scope >> s & 1)
            used +=
                (size_t)snprintf(note + used, NOTE_MAX + 1 - used, " %s%s", scope_table[s].name, s == SCOPE_sealed ? " (without key)" : "");
    if (r->hold_ms && gmtime_r(&hold, &tm) && strftime(day, sizeof day, "%Y-%m-%d", &tm))
        used += (size_t)snprintf(note + used, NOTE_MAX + 1 - used, "; held until: %s", day);
    snprintf(note + used, NOTE_MAX + 1 - used, "; recipient: %s; reason: %s", r->recipient, r->reason);
}

static void citation_note(const struct request *r, char note[NOTE_MAX + 1]) {
    size_t used = (size_t)snprintf(note, NOTE_MAX + 1, "use:");
    for (int i = 0; i < REFERENCE_COUNT; i++)
        if (r->scope >> i & 1) used += (size_t)snprintf(note + used, NOTE_MAX + 1 - used, " %s", reference_table[i].name);
    snprintf(note + used, NOTE_MAX + 1 - used, "; where: %s", r->recipient);
}

bool request_note(const struct request *r, char note[NOTE_MAX + 1]) {
    if (r->kind == REQUEST_disclosure)
        disclosure_note(r, note);
    else if (r->kind == REQUEST_citation)
        citation_note(r, note);
    else if (r->kind == REQUEST_transfer)
        snprintf(note, NOTE_MAX + 1, "to: %s", r->recipient);
    else
        return false;
    return true;
}

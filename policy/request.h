/*
 * Requests that take two people, and disclosures, which are one kind of them (C1, S9, S11). The record of them is a chained file
 * (record_line.h); what it says of each request is folded here, for the supervisor, which decides, and the steward, which shows. Pure.
 */
#pragma once

#include "duties.h"
#include "messages.h"
#include "record_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request_kind {
#define REQUEST(KIND, VERB, ASKS, AGREES, HOURS, HELP) REQUEST_##KIND,
#include "request.def"
#undef REQUEST
    REQUEST_KINDS
};

struct request_row {
    const char *name;
    enum verb verb;
    uint32_t asks, agrees; /* bit sets of one duty */
    uint64_t term_ms;
    const char *help;
};
extern const struct request_row request_table[REQUEST_KINDS];

enum ground {
#define GROUND(NAME, MEANING) GROUND_##NAME,
#define SCOPE(NAME, MEANING)
#include "ground.def"
#undef GROUND
#undef SCOPE
    GROUNDS
};
enum scope {
#define GROUND(NAME, MEANING)
#define SCOPE(NAME, MEANING) SCOPE_##NAME,
#include "ground.def"
#undef GROUND
#undef SCOPE
    SCOPES
};
struct ground_row {
    const char *name, *meaning;
};
extern const struct ground_row ground_table[GROUNDS], scope_table[SCOPES];

enum request_state { REQUEST_ASKED, REQUEST_AGREED, REQUEST_DONE, REQUEST_FAILED, REQUEST_WITHDRAWN, REQUEST_EXPIRED, REQUEST_STATES };
extern const char *const request_words[REQUEST_STATES]; /* as in the record */

struct request {
    uint64_t id; /* 1.. */
    enum request_kind kind;
    enum request_state state;
    uint32_t tenant; /* number */
    char name[TENANT_NAME_MAX + 1];
    uint32_t asked_by, ended_by; /* uids; ended_by: who agreed or withdrew */
    uint64_t asked_ms, until_ms, ended_ms;
    uint64_t counted_ms; /* how long the house had run when it was asked for (plans.h) */
    /* of a disclosure; a transfer has the entity as its recipient, a citation where it is published, and as its scope bits 1 << enum
     * reference */
    uint32_t ground, scope; /* enum ground; bits 1 << enum scope */
    uint64_t hold_ms;       /* the tenant is told only then; 0 = at once */
    bool released;          /* it was told after a hold */
    char recipient[RECIPIENT_MAX + 1], reason[REASON_MAX + 1];
};

struct request_book {
    struct request *row; /* row[id - 1] */
    size_t count;
};

/* One line of the record, for record_open() and for whoever reads it. keep false: nothing changes, but there is room for it then. false: it
 * does not fit what came before, or no memory. */
bool request_fold(void *book, const struct record_line *line, bool keep);
void request_book_free(struct request_book *book);
struct request *request_find(const struct request_book *book, uint64_t id); /* NULL = none */
/* The newest of that kind about that tenant that is in that state; NULL = none. */
struct request *request_about(const struct request_book *book, enum request_kind kind, uint32_t tenant, enum request_state state);

/* The fields of an `asked` line, its number filled in. false: too long. */
bool request_fields(const struct request *r, char *out, size_t room);

/* Whether that person may agree now: ACT_DONE, or ACT_REFUSED (the duty), ACT_WRONG_STATE (no longer open), ACT_ALONE (asked for it). */
enum act_result request_may_agree(const struct request *r, uint32_t uid, uint32_t duties, uint64_t now_ms);
/* Whether that person may withdraw it: who asked, and who could agree. */
enum act_result request_may_withdraw(const struct request *r, uint32_t uid, uint32_t duties, uint64_t now_ms);

/* How long a disclosure may be kept from its tenant, from now on. */
#define REQUEST_HOLD_MAX_MS ((uint64_t)731 * 24 * 3600000)

/* Whether it is kept from the tenant now: until it was released or the hold is over by the clock and by the time that the house has run. */
bool request_is_held(const struct request *r, uint64_t now_ms, uint64_t counted_ms);
/* What the ledger says of it. Of a disclosure: ground, scope, the day of a hold, recipient, reason. false: nothing beyond its kind. */
bool request_note(const struct request *r, char note[NOTE_MAX + 1]);

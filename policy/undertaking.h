/*
 * Undertakings: without one in force no duty works for a person (S1, C1). A person signs for itself, under its own uid, a version of the
 * text (undertaking.def) for a term. Pure, but for the texts, which root does not link (undertaking_text.c).
 */
#pragma once

#include "record_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UNDERTAKING_VERSION = 1,     /* of the text that must be signed now */
    UNDERTAKING_TERM_DAYS = 365, /* when the person does not say until when */
    UNDERTAKING_TERM_MAX_DAYS = 1096,
    UNDERTAKING_KEPT_YEARS = 50, /* after the end of the contract: no line of the record is ever removed by Cloison */
};
/* SHA-256 of both texts of that version, one behind the other as in undertaking.def; it stands in the record beside each signature. */
#define UNDERTAKING_HASH   "d6a9cb718b1d955c9bf459b27850bb736e393d8fb84e5d1e46c086b6d33d2565"
#define UNDERTAKING_DAY_MS ((uint64_t)86400000)

struct undertaking {
    uint32_t uid;
    uint32_t version;
    uint64_t signed_ms, until_ms; /* Unix time */
    bool ended;                   /* by the person itself */
};

enum undertaking_state {
    UNDERTAKING_IN_FORCE,
    UNDERTAKING_MISSING,
    UNDERTAKING_ENDED,
    UNDERTAKING_EXPIRED,
    UNDERTAKING_OTHER_TEXT, /* another version than the one to be signed now */
    UNDERTAKING_FUTURE,     /* signed after `now`: the clock was set back */
    UNDERTAKING_STATES
};
extern const char *const undertaking_words[UNDERTAKING_STATES]; /* "in-force", "missing", ... */

/* u: the last one of that person, NULL = none. current: the version that must be signed. */
enum undertaking_state undertaking_judge(const struct undertaking *u, uint32_t current, uint64_t now_ms);

/* The end of a term that begins now. wanted: what the person asked for, 0 = the default. 0: not within (now, now + the longest term]. */
uint64_t undertaking_until(uint64_t now_ms, uint64_t wanted_ms);

/* The fields of a signature's line in the record: VERSION UNTIL HASH NAME; that of `ended` has none. false: too long. */
bool undertaking_fields(const struct undertaking *u, const char *name, char *out, size_t room);
/* Reads a line of the record, `signed` or `ended`. name: of TENANT_TITLE_MAX + 1 bytes, or NULL. false: not such a line. For `ended` only
 * uid and ended are set. */
bool undertaking_read(const struct record_line *line, struct undertaking *u, char *name);

/* A text; NULL = there is none of that version and language. */
const char *undertaking_text(uint32_t version, const char *language);

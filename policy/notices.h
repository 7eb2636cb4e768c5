/* Notices of change (S7, S13, C11): the kinds, and when one is delivered and in force. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum notice_by { NOTICE_BY_DOCUMENT, NOTICE_BY_ACT };

enum notice_kind {
    NOTICE_NONE,
#define NOTICE(NAME, BY, FRENCH, ENGLISH) NOTICE_##NAME,
#include "notices.def"
#undef NOTICE
    NOTICE_KINDS
};

struct notice_row {
    const char *name;
    enum notice_by by;
    const char *fr, *en;
};
extern const struct notice_row notice_table[NOTICE_KINDS]; /* row 0 is NOTICE_NONE: name "" */

enum notice_kind notice_find(const char *name, size_t size); /* NOTICE_NONE: there is none of that name */

enum {
    NOTICES_MAX = 64,       /* kept at once; */
    NOTICES_KEPT_DAYS = 90, /* at least so long after it came into force for all */
    NOTICE_BYTES = 65536,   /* of one's text */
    NOTICE_MAIL_DAYS = 7,   /* after the relay took a letter, without an acknowledgement, it counts as delivered */
    NOTICE_DAYS_MAX = 366,  /* of a notice period */
};
#define NOTICE_DAY_MS ((uint64_t)86400000)

/* What is known about one tenant and one notice; Unix times in ms, 0 = it has not happened. */
struct notice_trace {
    uint64_t acknowledged_ms;                      /* somebody with the right to said so in the interface or the API */
    uint64_t mailed_ms;                            /* the relay took the letter to the tenant's contact */
    uint64_t acknowledged_counted, mailed_counted; /* how long the house had run then (plans.h) */
};

/* When it was delivered, as of now; 0 = not yet. Fetching the feed proves nothing and counts for nothing. */
uint64_t notice_delivered(const struct notice_trace *trace, uint64_t now_ms);

/* Whether the period has run since the delivery, by the time that the house has run: a clock that was set ends none. */
bool notice_has_run(const struct notice_trace *trace, uint32_t period_days, uint64_t counted_ms);

/* From when it is in force for a tenant; 0 = not known yet, since it has not been delivered. effective_ms: what the notice says. */
uint64_t notice_in_force(uint64_t effective_ms, uint64_t delivered_ms, uint32_t period_days);

/* A text that can be shown anywhere: UTF-8 without control characters but tab and line feed, nor what XML cannot hold; 1 to NOTICE_BYTES.
 */
bool notice_text_is_fine(const char *text, size_t size);

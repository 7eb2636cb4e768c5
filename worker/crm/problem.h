/* Why a request or one record of a file is refused: what was expected where, never the value that came (S2). */
#pragma once

#include <stdarg.h>
#include <stdio.h>

enum { PROBLEM_FIELD_MAX = 160, PROBLEM_DETAIL_MAX = 160 };

struct problem {
    int status;         /* HTTP status; 0 = no problem */
    const char *type;   /* a short word, static: "invalid-json", "invalid-field", "unknown-field", "too-large", "out-of-memory", … */
    unsigned long line; /* in the body or file, from 1; 0 = none */
    char field[PROBLEM_FIELD_MAX];   /* path such as emails[2] or address.city; "" = none */
    char detail[PROBLEM_DETAIL_MAX]; /* a sentence */
};

/* Fills in all but field and line, which a caller may have set before. Returns p->status. */
__attribute__((format(printf, 4, 5))) static inline int problem_set(struct problem *p, int status, const char *type, const char *format,
                                                                    ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->detail, sizeof p->detail, format, arguments);
    va_end(arguments);
    p->type = type;
    return p->status = status;
}
static inline int problem_memory(struct problem *p) {
    return problem_set(p, 503, "out-of-memory", "There is not enough memory now; try again.");
}

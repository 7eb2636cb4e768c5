/* Which route a request is for, of the tables in http.h. */
#pragma once

#include "http.h"

enum route_verdict {
    ROUTE_FOUND,
    ROUTE_BAD_PATH,  /* an escape of NUL, '/' or of what is not UTF-8: 400 */
    ROUTE_NO_PATH,   /* 404 */
    ROUTE_NO_METHOD, /* 405; *allow says which there are */
};

enum { ALLOW_MAX = 64 };

bool routes_start(void); /* reads the tables; false: out of memory, or a row that cannot work */

/* The n-th row of all tables; NULL: there are no more. After routes_start(). */
const struct route *route_at(size_t n);

/* Decodes r->path and fills r->segment. HEAD finds GET's row. */
enum route_verdict route_find(struct request *r, const struct route **route, char allow[ALLOW_MAX]);

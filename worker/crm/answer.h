/* What the routes of companies and contacts have in common: problems as answers, entity tags, query parameters. */
#pragma once

#include "../web/http.h"
#include "catalog.h"

void answer_problem(struct exchange *x, const struct problem *p);
/* A store_result but STORE_OK as an answer: 404, 412, 507, 503, 500. */
void answer_store(struct exchange *x, enum store_result result);
/* The same as a struct problem, of whom nobody has been told yet. */
void problem_store(struct problem *p, enum store_result result);

/* Whether the asker has the right to an act (enum right) on a kind; answers 403 otherwise. For routes whose parameter names the kind. */
bool may_act(struct exchange *x, const struct request *r, enum kind kind, enum right act);

/* Sets ETag: "version". */
void answer_etag(struct exchange *x, uint64_t version);

enum match { MATCH_NONE /* no such header */, MATCH_YES, MATCH_NO, MATCH_MALFORMED };
/* Holds an If-Match (strong) or If-None-Match (weak comparison, RFC 9110, section 13.1) header against the tag `own`; `*` matches
 * every tag but NULL, which means that there is nothing. */
enum match match_tag(const struct http_request_head *head, const char *name, bool weak, const char *own);
/* The same for the version of a record. */
enum match match_version(const struct http_request_head *head, const char *name, bool weak, uint64_t version);

/* Whether every parameter of the query is one of names (ended by NULL), given once; answers 400 naming it otherwise. */
bool query_known(struct exchange *x, const struct request *r, const char *const *names);
/* Reads one into out; absent: "" and true. Answers 400 and false when it is malformed or too long. */
bool query_text(struct exchange *x, const struct request *r, const char *name, char *out, size_t room);
/* 400 naming a parameter. */
void answer_parameter(struct exchange *x, const char *name, const char *expected);

/* One request to a socket of the steward, and its answer. */
#pragma once

#include "cli.h"

#include <stddef.h>

enum {
    CLIENT_ANSWER_MAX = 256 * 1024 * 1024, /* bytes of an answer */
    CLIENT_SECONDS = 660,                  /* without a byte; a long ledger takes a while to verify */
};

struct client_answer {
    int status; /* 200, 403, … */
    char *body; /* with a NUL behind it */
    size_t size;
    json_t *json;    /* the body, if it is JSON; else NULL */
    char error[256]; /* why there is no answer */
};

/* A call: socket "status" or "control"; path starts with '/'; type NULL = no body. */
struct client_call {
    const char *socket, *method, *path;
    const char *type;
    const char *body;
    size_t size;
};

/* false: no answer, out->error says why. Free with client_free() in either case. */
bool client_send(const struct cli *cli, const struct client_call *call, struct client_answer *out);
void client_free(struct client_answer *answer);

/* Reads head and body of a whole answer: bytes[0..size), NUL-terminated by the caller. false: it is none, or not complete. Pure. */
bool client_read(const char *bytes, size_t size, int *status, size_t *body);

/* Sends and judges: CLI_DONE with an answer of 2xx in *out; otherwise the reason is on stderr and *out is empty. */
int client_ask(const struct cli *cli, const struct client_call *call, struct client_answer *out);
/* The same for what is said to control.sock as JSON: body is the caller's, NULL = the arguments were not UTF-8. */
int client_say(const struct cli *cli, const char *method, const char *path, const json_t *body, struct client_answer *out);

/*
 * Who asks. A credential is 32 random bytes, shown once and kept by the client only: the cookie `__Host-cloison` of a log-in or an API
 * token (`Authorization: Bearer clt_…`). Each is a key slot of the capsule, so it also opens a tenant that is sealed after a stop, a crash
 * or an upgrade. A table in memory, keyed by SHA-256 of the credential, answers for those already seen: no slot is opened twice.
 *
 * A cookie works with an unsafe method (other than GET, HEAD, OPTIONS) only from the tenant's own pages: Sec-Fetch-Site, when sent, must be
 * `same-origin`, and Origin, when sent, must be one of the request's own host. The cookie is SameSite=Strict besides. Browsers send
 * both headers; a client that sends neither is not one. Tokens are no ambient authority and need no such check.
 */
#pragma once

#include "http.h"

enum {
    SESSION_SECONDS = 7 * 86400,      /* a log-in lives no longer, */
    SESSION_IDLE_SECONDS = 12 * 3600, /* nor longer than this unused (counted anew after a restart of the worker) */
    TOKEN_TEXT = 4 + 43,              /* clt_ and base64url of 32 bytes, without a NUL */
    USER_LOGIN_MAX = 128,             /* bytes of UTF-8, folded */
};

/* Why session_authenticate() gave NULL. self.keys tells besides whether the tenant is (still) sealed: then the answer to any route that is
 * not public is 503 `sealed`. */
enum session_refusal {
    SESSION_ABSENT = 1, /* no credential: 401 on a route that wants one */
    SESSION_REFUSED,    /* one that opens nothing, or is malformed: 401, also on a public route it is simply ignored */
    SESSION_FOREIGN,    /* a cookie from another site's page with an unsafe method: 403 */
    SESSION_OFF,        /* a token that is good, while the function `tokens` is off: 403, and it opens nothing (C4) */
    SESSION_BUSY,       /* out of memory or the store failed: 503 */
};

/* Whose the request is; unseals the tenant when a valid credential comes to a sealed worker. The result is valid until the next turn of the
 * loop or the next session_ call that ends one. NULL with *why otherwise. r->session is not read. */
const struct session *session_authenticate(const struct request *r, enum session_refusal *why);

/* May this unsafe request come from a page? The Origin and Sec-Fetch-Site check alone, for public routes that change state (enrol, log-in).
 */
bool session_same_origin(const struct request *r);

/* Makes a credential with its slot, durable: kind SLOT_SESSION or SLOT_TOKEN; expires in Unix seconds, 0 = never; origin: the slot under
 * which it is made (NULL = a log-in). 0 or an errno value; secret is what the client keeps. The tenant is unsealed. */
int session_create(enum slot_kind kind, const uint8_t user[ID_BYTES], uint32_t rights, uint64_t expires, const uint8_t origin[ID_BYTES],
                   uint8_t secret[KEY_BYTES], struct session *session);

/* Ends one session or token, durable: its slot is gone. 0, ENOENT or another errno value. */
int session_end(const uint8_t slot[ID_BYTES]);
/* The same for all sessions and tokens, of one user or (NULL) of all, but the one of the slot `keep` (may be NULL). */
int session_end_others(const uint8_t *user, const uint8_t *keep);
/* Whether a session that was valid when its request began still is, and of a token whether tokens are on: for requests that last. */
bool session_lives(const struct session *session);
/* When it was last used, Unix seconds; 0 = not since the worker's start. */
uint64_t session_used(const uint8_t slot[ID_BYTES]);
/* Forgets what the table knows of a user (all = NULL), so that rights are read anew. The slots stay. */
void session_forget(const uint8_t user[ID_BYTES]);

/* Sets the cookie of a log-in, or takes it away (secret NULL). Before respond_. */
void session_cookie(struct exchange *x, const uint8_t secret[KEY_BYTES]);
/* The answer to a log-in tells the store's mark, as every answer to a session does (rollback.h). */
void session_seen(struct exchange *x);

/* A token as it is shown: TOKEN_TEXT characters and a NUL. */
void session_token_text(const uint8_t secret[KEY_BYTES], char text[TOKEN_TEXT + 1]);

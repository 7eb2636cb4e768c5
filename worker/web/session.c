#include "session.h"

#include "../functions.h"
#include "../journal/journal.h"
#include "../keys/credential.h"
#include "../tenant.h"
#include "user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { BUCKETS = 64 };
static const char cookie_name[] = "__Host-cloison", token_prefix[] = "clt_";

/* A credential seen since the start, one a slot at most. The secret itself is not kept. */
struct entry {
    struct entry *next;
    uint8_t hash[32]; /* SHA-256 of the secret */
    uint64_t expires; /* Unix seconds, 0 = never */
    uint64_t used;    /* Unix seconds */
    struct session session;
};
static struct entry *bucket[BUCKETS];

static uint64_t now(void) { return (uint64_t)time(NULL); }

/* ---- the table ---- */

static struct entry **place(const uint8_t hash[32]) {
    struct entry **e = &bucket[hash[0] % BUCKETS];
    while (*e && !secret_equal((*e)->hash, hash, sizeof(*e)->hash))
        e = &(*e)->next;
    return e;
}

static void forget(struct entry **e) {
    struct entry *gone = *e;
    *e = gone->next;
    secret_wipe(gone, sizeof *gone);
    free(gone);
}

static void forget_matching(const uint8_t *user, const uint8_t *slot) {
    for (size_t i = 0; i < BUCKETS; i++) {
        struct entry **e = &bucket[i];
        while (*e) {
            bool matches =
                (!user || memcmp((*e)->session.user, user, ID_BYTES) == 0) && (!slot || memcmp((*e)->session.slot, slot, ID_BYTES) == 0);
            if (matches)
                forget(e);
            else
                e = &(*e)->next;
        }
    }
}

void session_forget(const uint8_t user[ID_BYTES]) { forget_matching(user, NULL); }

static bool kind_allowed(uint32_t kind) { return kind != SLOT_TOKEN || function_on(FUNCTION_tokens); }

bool session_lives(const struct session *session) { return capsule_has(self.capsule, session->slot) && kind_allowed(session->kind); }

uint64_t session_used(const uint8_t slot[ID_BYTES]) {
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct entry *e = bucket[i]; e; e = e->next)
            if (memcmp(e->session.slot, slot, ID_BYTES) == 0) return e->used;
    return 0;
}

/* A new slot may have pushed out others. */
static void forget_removed(void) {
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry **e = &bucket[i]; *e;) {
            if (!capsule_has(self.capsule, (*e)->session.slot))
                forget(e);
            else
                e = &(*e)->next;
        }
}

static const struct session *remember(const uint8_t hash[32], uint64_t expires, const struct session *session) {
    struct entry *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    memcpy(e->hash, hash, sizeof e->hash);
    e->expires = expires;
    e->used = now();
    e->session = *session;
    e->next = bucket[hash[0] % BUCKETS];
    bucket[hash[0] % BUCKETS] = e;
    return &e->session;
}

/* ---- a credential ---- */

struct presented {
    uint32_t kind; /* SLOT_SESSION or SLOT_TOKEN; 0 = none */
    bool malformed;
    uint8_t secret[KEY_BYTES];
};

static void read_bearer(struct slice value, struct presented *p) {
    static const char scheme[] = "Bearer ";
    enum { SCHEME = sizeof scheme - 1, PREFIX = sizeof token_prefix - 1 };
    p->kind = SLOT_TOKEN;
    p->malformed = value.size != SCHEME + PREFIX + SECRET_TEXT || strncasecmp(value.data, scheme, SCHEME) != 0 ||
                   memcmp(value.data + SCHEME, token_prefix, PREFIX) != 0 ||
                   !secret_parse(value.data + SCHEME + PREFIX, SECRET_TEXT, p->secret);
}

/* One Cookie field: pairs with "; " between them. A second cookie of our name is nobody's. */
static void read_cookies(struct slice value, struct presented *p) {
    enum { NAME = sizeof cookie_name - 1 };
    const char *at = value.data, *end = value.data + value.size;
    while (at < end) {
        while (at < end && (*at == ' ' || *at == ';'))
            at++;
        const char *stop = memchr(at, ';', (size_t)(end - at));
        if (!stop) stop = end;
        if (stop - at > NAME && memcmp(at, cookie_name, NAME) == 0 && at[NAME] == '=') {
            p->malformed |= p->kind == SLOT_SESSION || !secret_parse(at + NAME + 1, (size_t)(stop - at) - NAME - 1, p->secret);
            p->kind = SLOT_SESSION;
        }
        at = stop;
    }
}

/* A token goes before a cookie. Several fields of either name are as good as a wrong one. */
static void read_credential(const struct http_request_head *head, struct presented *p) {
    *p = (struct presented){0};
    const struct slice *authorization = http_header_find(head, "Authorization");
    if (authorization) {
        read_bearer(*authorization, p);
        return;
    }
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equals_nocase(head->header[i].name, "Cookie")) read_cookies(head->header[i].value, p);
}

/* ---- where a request comes from ---- */

static bool port_is(const struct request *r, const char *text, size_t size, uint32_t standard) {
    uint32_t port = 0;
    if (size > 6) return false;
    for (size_t i = 1; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (size == 0) port = standard;
    /* What the client took for the port: Host says it, unless a proxy in front left it out. */
    return port == (r->head->port ? r->head->port : standard) || port == self.profile.https_port;
}

static bool origin_is_ours(const struct request *r, struct slice origin) {
    static const char https[] = "https://", http[] = "http://";
    size_t scheme = 0;
    if (origin.size > sizeof https && memcmp(origin.data, https, sizeof https - 1) == 0)
        scheme = sizeof https - 1;
    else if (r->plain && origin.size > sizeof http && memcmp(origin.data, http, sizeof http - 1) == 0)
        scheme = sizeof http - 1;
    if (!scheme) return false;
    const char *host = origin.data + scheme;
    size_t rest = origin.size - scheme, size = r->head->host.size;
    if (rest < size || strncasecmp(host, r->head->host.data, size) != 0) return false;
    return (rest == size || host[size] == ':') && rest != size + 1 &&
           port_is(r, host + size, rest - size, scheme == sizeof https - 1 ? 443 : 80);
}

bool session_same_origin(const struct request *r) {
    const struct slice *site = http_header_find(r->head, "Sec-Fetch-Site"), *origin = http_header_find(r->head, "Origin");
    if (site && !slice_equals(*site, "same-origin")) return false;
    return !origin || origin_is_ours(r, *origin);
}

static bool is_unsafe(enum http_method method) { return method != HTTP_GET && method != HTTP_HEAD && method != HTTP_OPTIONS; }

/* ---- who asks ---- */

/* What the slot gives, and no more than its user may now. */
static enum session_refusal rights_of(const struct slot *slot, uint32_t *rights) {
    struct user user;
    enum store_result result = user_load(slot->owner, &user);
    *rights = rights_expand(slot->rights) & rights_expand(user.rights);
    if (result == STORE_MISSING || (result == STORE_OK && slot->rights_epoch != user.rights_epoch)) return SESSION_REFUSED;
    return result == STORE_OK ? 0 : SESSION_BUSY;
}

/* What the unsealing writes is no answer's condition: on a full disk reading goes on. */
static enum session_refusal unseal(const uint8_t tmk[KEY_BYTES], uint32_t by) {
    int error = tenant_unseal(tmk, by);
    if (!error) exchange_commit();
    return error == 0 ? 0 : error == EPERM ? SESSION_OFF : SESSION_BUSY;
}

static const struct session *open_slot(const struct presented *p, const uint8_t hash[32], enum session_refusal *why) {
    struct slot slot;
    uint8_t tmk[KEY_BYTES];
    *why = SESSION_REFUSED;
    if (!capsule_enrolled(self.capsule) || !capsule_open_secret(self.capsule, p->secret, &slot, tmk)) return NULL;
    struct session session = {.kind = slot.kind};
    memcpy(session.slot, slot.id, ID_BYTES);
    memcpy(session.user, slot.owner, ID_BYTES);
    if (slot.kind == p->kind) *why = self.keys ? 0 : unseal(tmk, slot.kind);
    secret_wipe(tmk, sizeof tmk);
    if (!*why) *why = rights_of(&slot, &session.rights);
    if (*why) return NULL;
    const struct session *remembered = remember(hash, slot.expires, &session);
    *why = remembered ? 0 : SESSION_BUSY;
    return remembered;
}

static const struct session *look_up(struct entry **e, enum session_refusal *why) {
    struct entry *found = *e;
    uint64_t t = now();
    bool expired = found->expires && found->expires <= t;
    bool idle = found->session.kind == SLOT_SESSION && found->used + SESSION_IDLE_SECONDS <= t;
    if (!expired && !idle) {
        found->used = t;
        return &found->session;
    }
    struct session gone = found->session;
    session_end(gone.slot);
    journal_tell(JOURNAL_session_expired, gone.user, json_pack("{s:o}", "slot", journal_id(gone.slot)));
    *why = SESSION_REFUSED;
    return NULL;
}

const struct session *session_authenticate(const struct request *r, enum session_refusal *why) {
    struct presented p;
    read_credential(r->head, &p);
    *why = p.kind == 0 ? SESSION_ABSENT : p.malformed ? SESSION_REFUSED : 0;
    if (!*why && p.kind == SLOT_SESSION && is_unsafe(r->head->method) && !session_same_origin(r)) *why = SESSION_FOREIGN;
    const struct session *session = NULL;
    if (!*why) {
        uint8_t hash[32];
        sha256(p.secret, sizeof p.secret, hash);
        struct entry **e = place(hash);
        if (!*e)
            session = open_slot(&p, hash, why);
        else if ((*e)->session.kind == p.kind)
            session = look_up(e, why);
        else
            *why = SESSION_REFUSED;
    }
    secret_wipe(p.secret, sizeof p.secret);
    if (!session || kind_allowed(session->kind)) return session;
    *why = SESSION_OFF;
    return NULL;
}

/* ---- making and ending ---- */

int session_create(enum slot_kind kind, const uint8_t user[ID_BYTES], uint32_t rights, uint64_t expires, const uint8_t origin[ID_BYTES],
                   uint8_t secret[KEY_BYTES], struct session *session) {
    struct user owner;
    if (user_load(user, &owner) != STORE_OK) return ENOENT;
    struct slot slot = {.kind = kind, .rights = rights, .rights_epoch = owner.rights_epoch, .expires = expires};
    memcpy(slot.owner, user, ID_BYTES);
    if (origin) memcpy(slot.origin, origin, ID_BYTES);
    random_bytes(secret, KEY_BYTES);
    int error = capsule_add_secret(self.capsule, self.tmk, &slot, secret);
    forget_removed();
    if (error) {
        secret_wipe(secret, KEY_BYTES);
        return error;
    }
    *session = (struct session){.kind = kind, .rights = rights_expand(rights) & rights_expand(owner.rights)};
    memcpy(session->slot, slot.id, ID_BYTES);
    memcpy(session->user, user, ID_BYTES);
    return 0;
}

int session_end(const uint8_t slot[ID_BYTES]) {
    forget_matching(NULL, slot);
    return capsule_remove(self.capsule, slot);
}

int session_end_others(const uint8_t *user, const uint8_t *keep) {
    int error = capsule_remove_logins(self.capsule, user, keep);
    forget_removed();
    return error;
}

/* ---- as text ---- */

void session_cookie(struct exchange *x, const uint8_t secret[KEY_BYTES]) {
    char text[SECRET_TEXT + 1] = "", value[160];
    if (secret) secret_format(secret, text);
    snprintf(value, sizeof value, "%s=%s; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=%d", cookie_name, text,
             secret ? (int)SESSION_SECONDS : 0);
    respond_header(x, "Set-Cookie", value);
    secret_wipe(text, sizeof text);
    secret_wipe(value, sizeof value);
}

void session_token_text(const uint8_t secret[KEY_BYTES], char text[TOKEN_TEXT + 1]) {
    memcpy(text, token_prefix, sizeof token_prefix - 1);
    secret_format(secret, text + sizeof token_prefix - 1);
}

#include "receive.h"

#include "../../policy/hex.h"
#include "../crm/answer.h"
#include "../memory/arena.h"
#include "../tenant.h"
#include "sweep.h"
#include "versions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

enum { COMMIT_CHUNKS = 32 /* 4 MiB: what a processor's cache still has when LMDB writes it */ };

struct receiver {
    TAILQ_ENTRY(receiver) live;
    struct upload u;
    struct delivery how;
    uint8_t *chunk; /* the one being filled */
    size_t held;    /* bytes in it */
    unsigned put;   /* chunks since the last commit */
    uint64_t drops; /* store_drops() when it last wrote after a commit */
    bool waits;     /* something of it waits for a commit */
    bool lost;      /* u tells more than the store has */
    bool over;      /* answered */
};
static TAILQ_HEAD(receivers, receiver) receivers = TAILQ_HEAD_INITIALIZER(receivers);

bool upload_is_live(const uint8_t id[CONTENT_ID]) {
    struct receiver *v;
    TAILQ_FOREACH(v, &receivers, live)
        if (memcmp(v->u.content.id, id, CONTENT_ID) == 0) return true;
    return false;
}

/* ---- chunks ---- */

static uint32_t position(const struct receiver *v) { return (uint32_t)((v->u.offset - v->held) / CONTENT_CHUNK); }

/* What waited for the commit is still there, or never waited. */
static bool is_whole(struct receiver *v) {
    if (v->waits && store_drops(self.store) != v->drops) return false;
    v->drops = store_drops(self.store);
    v->waits = true;
    return true;
}

static enum store_result save(struct receiver *v) {
    v->u.expires = (uint64_t)time(NULL) + UPLOAD_SECONDS;
    return is_whole(v) ? upload_save(&v->u) : STORE_IO;
}

/* With its entry, so that a kill loses no more than what came since. */
static enum store_result commit(struct receiver *v) {
    enum store_result result = save(v);
    if (result == STORE_OK) result = exchange_commit();
    v->waits = false;
    v->put = 0;
    return result;
}

static enum store_result put(struct receiver *v) {
    if (!is_whole(v)) return STORE_IO;
    return v->held ? content_put(&v->u.content, position(v), v->chunk, v->held) : STORE_OK;
}

static enum store_result put_full(struct receiver *v) {
    enum store_result result = put(v);
    if (result != STORE_OK) return result;
    v->held = 0;
    return ++v->put >= COMMIT_CHUNKS || store_pressed(self.store) ? commit(v) : STORE_OK;
}

/* ---- the end ---- */

/* S14: a document is seen whole or not at all */
/* The document's fields as they will be; *old is what it was (version 0: none). */
static enum store_result next_version(const struct receiver *v, struct record *old, json_t **fields) {
    uint8_t hash[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1] = "";
    enum store_result result = catalog_get(KIND_DOCUMENT, v->u.document, old);
    if (result == STORE_MISSING && !v->u.makes) return result;
    if (result == STORE_OK && v->how.match && old->version != v->how.match) return STORE_CONFLICT;
    if (result != STORE_OK && result != STORE_MISSING) return result;
    digest_end(&v->u.digest, hash);
    hex_write(hash, sizeof hash, hex);
    struct version version = {.content = v->u.content, .type = v->u.type, .sha256 = hex};
    *fields = old->fields ? json_deep_copy(old->fields) : json_pack("{s:s}", "name", v->u.name);
    return *fields && version_add(*fields, &version) ? STORE_OK : STORE_MEMORY;
}

/* The entry goes from the uploads to the kept; when only half of that could be done nothing of this commit is. */
static enum store_result keep(const struct receiver *v) {
    struct kept kept = {.content = v->u.content};
    memcpy(kept.document, v->u.document, ID_BYTES);
    enum store_result result = kept_save(&kept);
    if (result == STORE_OK) result = upload_forget(v->u.content.id);
    if (result == STORE_MISSING) result = STORE_OK; /* it came in one go */
    if (result != STORE_OK) store_lose(self.store, result);
    return result;
}

static void finish(struct exchange *x, struct receiver *v) {
    struct record old = {0}, new = {.kind = KIND_DOCUMENT};
    struct text stored = {0};
    enum store_result result = is_whole(v) ? next_version(v, &old, &new.fields) : STORE_IO;
    memcpy(new.id, v->u.document, ID_BYTES);
    if (result == STORE_OK) result = old.fields ? catalog_change(&old, &new, &stored) : catalog_add(&new, &stored);
    if (result == STORE_OK) result = keep(v);
    if (result == STORE_OK) {
        v->over = true;
        v->how.answer(x, &v->u, new.version, &stored);
    } else {
        answer_store(x, result);
    }
    text_free(&stored);
    record_free(&old);
    record_free(&new);
}

/* ---- the body ---- */

static bool piece(struct exchange *x, void *argument, const uint8_t *bytes, size_t size) {
    struct receiver *v = argument;
    enum store_result result = STORE_OK;
    if (size > v->u.content.size - v->u.offset) {
        respond_problem(x, 413, "too-large", "More bytes than the upload's length.", NULL, 0);
        return false;
    }
    digest_add(&v->u.digest, bytes, size);
    while (size > 0 && result == STORE_OK) {
        size_t whole = content_chunk_size(&v->u.content, position(v)), part = whole - v->held < size ? whole - v->held : size;
        memcpy(v->chunk + v->held, bytes, part);
        v->held += part;
        v->u.offset += part;
        bytes += part;
        size -= part;
        if (v->held == whole) result = put_full(v);
    }
    if (result == STORE_OK) return true;
    v->lost = true;
    answer_store(x, result);
    return false;
}

static void end(struct exchange *x, void *argument) {
    struct receiver *v = argument;
    if (v->u.offset == v->u.content.size) {
        finish(x, v);
        return;
    }
    enum store_result result = put(v);
    if (result == STORE_OK) result = commit(v);
    v->over = result == STORE_OK;
    v->lost = !v->over;
    if (v->over)
        v->how.answer(x, &v->u, 0, NULL);
    else
        answer_store(x, result);
}

/* The connection broke off, or the end was refused: what has come waits, or goes. What was `lost` is not told as taken. */
static void leave(struct receiver *v) {
    if (!v->how.resumable)
        sweep_content(&v->u.content);
    else if (!v->lost && put(v) == STORE_OK && save(v) == STORE_OK)
        sweep_commit();
    sweep_uploads(); /* its document may have gone meanwhile */
}

static void release(void *argument) {
    struct receiver *v = argument;
    TAILQ_REMOVE(&receivers, v, live);
    arena_outside_keep(false);
    if (!v->over && self.keys) leave(v);
    if (v->chunk) secret_wipe(v->chunk, CONTENT_CHUNK);
    free(v->chunk);
    secret_wipe(v, sizeof *v);
    free(v);
}

/* What has come of the chunk that is not full. */
static enum store_result take_up(struct receiver *v) {
    const uint8_t *bytes;
    v->held = (size_t)(v->u.offset % CONTENT_CHUNK);
    if (!v->held) return STORE_OK;
    enum store_result result = content_begun(&v->u.content, position(v), v->held, &bytes);
    if (result == STORE_OK) memcpy(v->chunk, bytes, v->held);
    return result;
}

void receive(struct exchange *x, const struct upload *u, const struct delivery *how) {
    struct receiver *v = calloc(1, sizeof *v);
    enum store_result result = STORE_MEMORY;
    if (v) {
        TAILQ_INSERT_TAIL(&receivers, v, live);
        arena_outside_keep(true); /* LMDB's copies of chunks until a commit */
        v->u = *u;
        v->how = *how;
        v->chunk = malloc(CONTENT_CHUNK);
        if (v->chunk) result = take_up(v);
    }
    if (result == STORE_OK) {
        exchange_body(x, piece, end, release, v);
        return;
    }
    if (v) {
        v->over = true;
        release(v);
    }
    answer_store(x, result);
}

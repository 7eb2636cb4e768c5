#include "entry.h"

#include "../tenant.h"

#include <assert.h>
#include <string.h>

enum { UPLOADS = 'U', KEPT = 'K' };
static_assert(sizeof(struct upload) <= INDEX_SUMMARY_MAX, "an upload is one summary");

static struct index_key key_of(char letter, const uint8_t id[CONTENT_ID]) {
    struct index_key key = {.letter = letter};
    memcpy(key.id, id, CONTENT_ID);
    return key;
}

static enum store_result load(char letter, const uint8_t id[CONTENT_ID], void *entry, size_t size) {
    struct index_key key = key_of(letter, id);
    const uint8_t *summary;
    size_t there;
    enum store_result result = index_get(self.store, STORE_CHUNKS, &key, &summary, &there);
    if (result != STORE_OK) return result;
    if (there != size) return STORE_BROKEN;
    memcpy(entry, summary, size);
    return STORE_OK;
}

enum store_result upload_load(const uint8_t id[CONTENT_ID], struct upload *u) { return load(UPLOADS, id, u, sizeof *u); }
enum store_result kept_load(const uint8_t id[CONTENT_ID], struct kept *k) { return load(KEPT, id, k, sizeof *k); }

enum store_result upload_save(const struct upload *u) {
    struct index_key key = key_of(UPLOADS, u->content.id);
    return index_put(self.store, STORE_CHUNKS, &key, u, sizeof *u);
}

enum store_result upload_forget(const uint8_t id[CONTENT_ID]) {
    struct index_key key = key_of(UPLOADS, id);
    return index_delete(self.store, STORE_CHUNKS, &key);
}

uint64_t upload_count(void) {
    uint64_t count[INDEX_LETTERS] = {0};
    return index_letters(self.store, STORE_CHUNKS, count) == STORE_OK ? count[UPLOADS - 'A' + 1] : 0;
}

enum store_result kept_save(const struct kept *k) {
    struct index_key key = key_of(KEPT, k->content.id);
    return index_put(self.store, STORE_CHUNKS, &key, k, sizeof *k);
}

enum store_result kept_forget(const uint8_t id[CONTENT_ID]) {
    struct index_key key = key_of(KEPT, id);
    return index_delete(self.store, STORE_CHUNKS, &key);
}

struct walk {
    bool (*upload)(void *, const struct upload *);
    bool (*kept)(void *, const struct kept *);
    void *argument;
};

static bool give(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    const struct walk *w = argument;
    union {
        struct upload upload;
        struct kept kept;
    } entry;
    (void)key;
    if (size != (w->upload ? sizeof entry.upload : sizeof entry.kept)) return true;
    memcpy(&entry, summary, size);
    return w->upload ? w->upload(w->argument, &entry.upload) : w->kept(w->argument, &entry.kept);
}

static enum store_result walk(char letter, const uint8_t *after, size_t limit, struct walk *w, bool *more) {
    struct index_key key = key_of(letter, after ? after : (const uint8_t[CONTENT_ID]){0});
    return index_list(self.store, STORE_CHUNKS, letter, after ? &key : NULL, false, limit, give, w, more);
}

enum store_result upload_walk(const uint8_t *after, size_t limit, bool (*each)(void *, const struct upload *), void *argument, bool *more) {
    return walk(UPLOADS, after, limit, &(struct walk){.upload = each, .argument = argument}, more);
}

enum store_result kept_walk(const uint8_t *after, size_t limit, bool (*each)(void *, const struct kept *), void *argument, bool *more) {
    return walk(KEPT, after, limit, &(struct walk){.kept = each, .argument = argument}, more);
}

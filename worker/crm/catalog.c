#include "catalog.h"

#include "../tenant.h"

#include <string.h>

enum store_result catalog_get(enum kind kind, const uint8_t id[ID_BYTES], struct record *r) {
    const uint8_t *value;
    size_t size;
    uint64_t version;
    *r = (struct record){.kind = kind};
    enum store_result result = store_get(self.store, kind_table[kind].table, id, &value, &size, &version);
    if (result != STORE_OK) return result;
    if (!record_load(kind, value, size, r)) return STORE_BROKEN;
    if (r->version == version && memcmp(r->id, id, ID_BYTES) == 0) return STORE_OK;
    record_free(r);
    return STORE_BROKEN;
}

/* All that a write needs, made before it. */
struct draft {
    struct text *out;
    size_t start; /* of the record's bytes in out */
    struct text summary;
    struct index_key key;
};

static bool draft_make(struct draft *d, const struct record *r) {
    d->out->size = d->start;
    text_clear(&d->summary);
    return record_render(r, d->out) && record_summary(r, &d->summary) && record_key(r, &d->key);
}

/* Asked before the first part of a change. */
static enum store_result fits(const struct record *r, const struct draft *d) {
    return store_fits(self.store, kind_table[r->kind].table, d->out->size - d->start, false);
}

static enum store_result put_record(const struct record *r, const struct draft *d, uint64_t expected, uint64_t *version) {
    return store_put(self.store, kind_table[r->kind].table, r->id, d->out->data + d->start, d->out->size - d->start, expected, version);
}

static enum store_result put_entry(const struct record *r, const struct draft *d) {
    if (r->archived[0]) return STORE_OK;
    return index_put(self.store, kind_table[r->kind].table, &d->key, d->summary.data, d->summary.size);
}

/* The first half of a change is taken back, or all that waits for this commit goes. */
static void undone(enum store_result result) {
    if (result != STORE_OK && result != STORE_MISSING) store_lose(self.store, result);
}

/* The store refuses a write alone when it is full, so the index entry, which can be taken out again on a full store, goes first. */
static enum store_result add(const struct record *r, const struct draft *d) {
    uint64_t version;
    enum store_result result = fits(r, d);
    if (result == STORE_OK) result = put_entry(r, d);
    if (result != STORE_OK) return result;
    result = put_record(r, d, 0, &version);
    if (result == STORE_OK && version != r->version) result = STORE_BROKEN; /* a store that does not count */
    if (result != STORE_OK) undone(index_delete(self.store, kind_table[r->kind].table, &d->key));
    return result;
}

enum store_result catalog_add(struct record *r, struct text *out) {
    struct draft draft = {.out = out, .start = out->size};
    record_time(r->created);
    memcpy(r->modified, r->created, sizeof r->modified);
    r->version = store_new_version(self.store, kind_table[r->kind].table);
    enum store_result result = draft_make(&draft, r) ? add(r, &draft) : STORE_MEMORY;
    text_free(&draft.summary);
    return result;
}

static bool same_place(const struct index_key *a, const struct index_key *b) {
    return a->letter == b->letter && a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static enum store_result swap(const struct record *old, const struct record *r, struct draft *before, struct draft *after) {
    enum store_table table = kind_table[r->kind].table;
    bool stays = same_place(&before->key, &after->key) && !r->archived[0];
    uint64_t version;
    enum store_result result = fits(r, after);
    if (result == STORE_OK) result = put_entry(r, after);
    if (result != STORE_OK) return result;
    result = put_record(r, after, old->version, &version);
    if (result == STORE_OK && version != r->version) result = STORE_BROKEN; /* a store that does not count */
    if (result != STORE_OK) {
        if (stays && !old->archived[0])
            undone(put_entry(old, before));
        else if (!r->archived[0])
            undone(index_delete(self.store, table, &after->key));
        return result;
    }
    if (stays || old->archived[0]) return STORE_OK;
    result = index_delete(self.store, table, &before->key);
    undone(result);
    return result == STORE_MISSING ? STORE_OK : result; /* an entry that was lost is not missed: the new one heals that */
}

static enum store_result replace(const struct record *old, struct record *r, struct text *out) {
    struct text unused = {0};
    struct draft before = {.out = &unused}, after = {.out = out, .start = out->size};
    memcpy(r->created, old->created, sizeof r->created);
    r->version = old->version + 1;
    enum store_result result = STORE_MEMORY;
    if (draft_make(&before, old) && draft_make(&after, r)) result = swap(old, r, &before, &after);
    text_free(&unused);
    text_free(&before.summary);
    text_free(&after.summary);
    return result;
}

enum store_result catalog_change(const struct record *old, struct record *r, struct text *out) {
    record_time(r->modified);
    r->archived[0] = '\0';
    return replace(old, r, out);
}

enum store_result catalog_archive(const struct record *old, struct record *r, struct text *out) {
    memcpy(r->modified, old->modified, sizeof r->modified);
    record_time(r->archived);
    return replace(old, r, out);
}

enum store_result catalog_remove(const struct record *old) {
    struct text unused = {0};
    struct draft draft = {.out = &unused};
    enum store_table table = kind_table[old->kind].table;
    enum store_result result = draft_make(&draft, old) ? store_fits(self.store, table, 0, true) : STORE_MEMORY;
    if (result == STORE_OK) {
        result = index_delete(self.store, table, &draft.key);
        bool listed = result == STORE_OK;
        if (listed || result == STORE_MISSING) result = store_delete(self.store, table, old->id, old->version);
        if (result != STORE_OK && listed) undone(put_entry(old, &draft));
    }
    text_free(&unused);
    text_free(&draft.summary);
    return result;
}

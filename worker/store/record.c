/* Records. Plaintext: id (16), size (4), value, zeros up to the Padmé size. */
#include "internal.h"

#include <errno.h>
#include <string.h>

enum { RECORD_HEAD = ID_BYTES + 4 };

static bool is_table(enum store_table table) { return table > 0 && table < STORE_TABLES_END; }

/* Opens what lies under `key` into s->value. */
static enum store_result open_record(struct store *s, const struct sealed_key *key, const MDB_val *stored, size_t *size) {
    if (stored->mv_size < SEALED_OVERHEAD + RECORD_HEAD || stored->mv_size > padme(STORE_VALUE_MAX + RECORD_HEAD) + SEALED_OVERHEAD)
        return STORE_BROKEN;
    size_t plain = stored->mv_size - SEALED_OVERHEAD;
    if (!buffer_reserve(&s->value, plain)) return STORE_MEMORY;
    if (!seal_open(s, key, stored->mv_data, stored->mv_size, s->value.bytes)) return STORE_BROKEN;
    *size = (size_t)get_le(s->value.bytes + ID_BYTES, 4);
    return *size <= plain - RECORD_HEAD ? STORE_OK : STORE_BROKEN;
}

enum store_result record_open(struct store *s, const struct sealed_key *key, const MDB_val *stored, struct record *record) {
    enum store_result result = open_record(s, key, stored, &record->size);
    record->id = s->value.bytes;
    record->value = s->value.bytes + RECORD_HEAD;
    return result;
}

static enum store_result find_record(struct store *s, enum store_table table, const uint8_t *id, MDB_txn *view, struct sealed_key *key,
                                     MDB_val *stored) {
    if (!seal_key(s, (uint8_t)(SPACE_RECORDS + table), id, ID_BYTES, key)) return STORE_MEMORY;
    MDB_val k = {SEALED_KEY, key->bytes};
    return store_result_of(mdb_get(view, s->dbi, &k, stored));
}

enum store_result store_get(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const uint8_t **value, size_t *size,
                            uint64_t *version) {
    struct sealed_key key;
    MDB_val stored;
    MDB_txn *view;

    if (!s->keys) return STORE_SEALED;
    if (!is_table(table)) return STORE_INVALID;
    enum store_result result = read_begin(s, &view);
    if (result != STORE_OK) return result;
    result = find_record(s, table, id, view, &key, &stored);
    if (result == STORE_OK) result = open_record(s, &key, &stored, size);
    if (result == STORE_OK) {
        *value = s->value.bytes + RECORD_HEAD;
        if (version) *version = seal_version(stored.mv_data);
    }
    read_end(s);
    return result;
}

enum store_result store_get_struct(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], void *out, size_t size) {
    const uint8_t *value;
    size_t found;
    enum store_result result = store_get(s, table, id, &value, &found, NULL);
    if (result == STORE_OK && found != size) result = STORE_BROKEN;
    if (result == STORE_OK)
        memcpy(out, value, size);
    else
        memset(out, 0, size);
    return result;
}

/* The record that a write is about to replace. */
struct old {
    struct sealed_key key;
    bool exists, broken;
    uint64_t version;
    uint8_t element[PRF_BYTES];
    uint64_t pages; /* beyond its leaf */
};

static enum store_result look(struct store *s, enum store_table table, const uint8_t *id, struct old *old) {
    MDB_val stored;
    MDB_txn *view;
    size_t size;

    *old = (struct old){0};
    enum store_result result = read_begin(s, &view);
    if (result != STORE_OK) return result;
    result = find_record(s, table, id, view, &old->key, &stored);
    if (result == STORE_OK) {
        old->exists = true;
        old->pages = room_overflow(s, stored.mv_size);
        result = open_record(s, &old->key, &stored, &size);
        old->broken = result == STORE_BROKEN;
        if (old->broken) result = STORE_OK;
        if (result == STORE_OK && stored.mv_size >= SEALED_OVERHEAD) {
            uint64_t claimed = seal_version(stored.mv_data);
            /* Of a broken one neither is sure; where the damage is elsewhere, both are right and the sums stay true. */
            old->version = old->broken && claimed > UINT32_MAX ? 0 : claimed;
            if (!multiset_element(s, &old->key, stored.mv_data, old->element)) result = STORE_MEMORY;
        }
    }
    read_end(s);
    return result == STORE_MISSING ? STORE_OK : result;
}

/* Whether a write may go on from what is there. */
static enum store_result expect(const struct old *old, uint64_t expected) {
    if (expected == STORE_ANY) return STORE_OK;
    if (old->broken) return STORE_BROKEN;
    if (!old->exists) return expected == 0 ? STORE_OK : STORE_MISSING;
    return old->version == expected ? STORE_OK : STORE_CONFLICT;
}

static bool covered(const struct store *s, const struct sealed_key *key) {
    return s->scan.pass != 0 && (s->scan.in_index || memcmp(key->bytes, s->scan.key, SEALED_KEY) <= 0);
}

/* Enters a change into the table's sums, and into those of a running check or move that has passed the place. */
static void account(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const struct old *old, const uint8_t *added) {
    struct table_state *t = &s->state.table[table];
    const uint8_t *gone = old->exists ? old->element : NULL;

    tally_change(&t->count, t->sum, gone, added);
    if (covered(s, &old->key)) tally_change(&s->scan.count[table], s->scan.sum[table], gone, added);
    move_record(s, &old->key, id, gone, added);
    changed(s, table);
}

/* Puts s->sealed; by a trial in a nested transaction when only that can tell whether there is a run of free pages. */
static enum store_result put_sealed(struct store *s, const struct sealed_key *key, size_t size, bool trial) {
    if (!trial) return write_value(s, key, s->sealed.bytes, size);
    MDB_val k = {SEALED_KEY, (void *)(uintptr_t)key->bytes}, v = {size, s->sealed.bytes};
    int rc = write_trial(s, &k, &v);
    if (rc == 0 || rc == MDB_MAP_FULL || rc == ENOMEM) return store_result_of(rc);
    return write_lost(s, store_result_of(rc));
}

static enum store_result seal_record(struct store *s, const struct old *old, const uint8_t *id, const void *value, size_t size,
                                     uint64_t version, size_t *sealed) {
    size_t plain = (size_t)padme(RECORD_HEAD + size);

    *sealed = plain + SEALED_OVERHEAD;
    if (!buffer_reserve(&s->value, plain) || !buffer_reserve(&s->sealed, *sealed)) return STORE_MEMORY;
    memcpy(s->value.bytes, id, ID_BYTES);
    put_le(s->value.bytes + ID_BYTES, size, 4);
    if (size > 0) memcpy(s->value.bytes + RECORD_HEAD, value, size);
    memset(s->value.bytes + RECORD_HEAD + size, 0, plain - RECORD_HEAD - size);
    return seal_value(s, &old->key, version, s->value.bytes, plain, s->sealed.bytes) ? STORE_OK : STORE_MEMORY;
}

/* as: the version to give; 0 = the next. */
static enum store_result put(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const void *value, size_t size,
                             uint64_t expected, uint64_t as, uint64_t *version) {
    uint8_t element[PRF_BYTES];
    struct old old;
    size_t sealed;

    if (!s->keys) return STORE_SEALED;
    if (!is_table(table) || size > STORE_VALUE_MAX) return STORE_INVALID;
    if (room_crushed(s)) return STORE_MEMORY;
    enum store_result result = look(s, table, id, &old);
    if (result == STORE_OK) result = expect(&old, expected);
    if (result == STORE_OK) result = write_begin(s);
    if (result != STORE_OK) return result;
    uint64_t next = as ? as : (old.exists && old.version > 0 ? old.version : s->state.table[table].floor) + 1;
    result = seal_record(s, &old, id, value, size, next, &sealed);
    if (result == STORE_OK && !multiset_element(s, &old.key, s->sealed.bytes, element)) result = STORE_MEMORY;
    if (result != STORE_OK) return result;

    uint64_t pages = room_overflow(s, sealed);
    struct need need = {.pages = pages + 1, .puts = 1, .freed = old.pages, .in_a_row = pages};
    enum room_answer answer = room_for(s, &need);
    if (answer == ROOM_NONE) return STORE_FULL;
    result = put_sealed(s, &old.key, sealed, answer == ROOM_TRY);
    if (result != STORE_OK) return result;
    room_take(s, &need);
    account(s, table, id, &old, element);
    if (version) *version = next;
    return STORE_OK;
}

enum store_result store_put(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const void *value, size_t size,
                            uint64_t expected, uint64_t *version) {
    return put(s, table, id, value, size, expected, 0, version);
}

enum store_result record_put(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const void *value, size_t size,
                             uint64_t version) {
    return put(s, table, id, value, size, STORE_ANY, version, NULL);
}

enum store_result store_delete(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], uint64_t expected) {
    struct need need = {.puts = 1, .deleting = true};
    struct old old;

    if (!s->keys) return STORE_SEALED;
    if (!is_table(table)) return STORE_INVALID;
    if (room_crushed(s)) return STORE_MEMORY;
    enum store_result result = look(s, table, id, &old);
    if (result == STORE_OK && !old.exists) result = STORE_MISSING;
    if (result == STORE_OK) result = expect(&old, expected);
    if (result == STORE_OK) result = write_begin(s);
    if (result != STORE_OK) return result;
    need.freed = old.pages;
    if (room_for(s, &need) == ROOM_NONE) return STORE_FULL;
    result = write_gone(s, &old.key);
    if (result != STORE_OK) return result;
    room_take(s, &need);
    struct table_state *t = &s->state.table[table];
    if (old.version > t->floor) t->floor = old.version;
    account(s, table, id, &old, NULL);
    return STORE_OK;
}

uint64_t store_new_version(const struct store *s, enum store_table table) {
    return s->keys && is_table(table) ? s->state.table[table].floor + 1 : 0;
}

enum store_result store_fits(struct store *s, enum store_table table, size_t size, bool deleting) {
    if (!s->keys) return STORE_SEALED;
    if (s->failed) return s->failed;
    if (!is_table(table) || size > STORE_VALUE_MAX) return STORE_INVALID;
    uint64_t pages = deleting ? 0 : room_overflow(s, (size_t)padme(RECORD_HEAD + size) + SEALED_OVERHEAD);
    struct need need = index_need(s, table, deleting);
    need.pages += need.pages + pages + 1;
    need.puts += need.puts + 1;
    need.in_a_row = pages;
    if (room_crushed_by(s, &need)) return STORE_MEMORY;
    return room_for(s, &need) == ROOM_NONE ? STORE_FULL : STORE_OK;
}

/* The first record of the table after the cursor. */
static enum store_result next_record(MDB_cursor *at, enum store_table table, const struct store_cursor *cursor, MDB_val *k, MDB_val *v) {
    uint8_t first = (uint8_t)(SPACE_RECORDS + table);
    int rc;

    *k = cursor->size > 0 ? (MDB_val){cursor->size, (void *)(uintptr_t)cursor->key} : (MDB_val){1, &first};
    rc = mdb_cursor_get(at, k, v, MDB_SET_RANGE);
    if (rc == 0 && k->mv_size == cursor->size && memcmp(k->mv_data, cursor->key, cursor->size) == 0)
        rc = mdb_cursor_get(at, k, v, MDB_NEXT);
    if (rc != 0) return store_result_of(rc);
    if (k->mv_size != SEALED_KEY) return STORE_BROKEN;
    return *(const uint8_t *)k->mv_data == first ? STORE_OK : STORE_MISSING;
}

static enum store_result walk(struct store *s, enum store_table table, struct store_cursor *cursor, size_t limit, store_each *each,
                              void *argument, MDB_cursor *at) {
    struct sealed_key key;
    MDB_val k, v;
    size_t size;

    for (size_t i = 0; i < limit; i++) {
        enum store_result result = next_record(at, table, cursor, &k, &v);
        /* Behind a broken page of LMDB's, or one out of order, nothing is found that was not given before: the walk ends there. */
        if (result == STORE_OK && cursor->size > 0 && memcmp(k.mv_data, cursor->key, SEALED_KEY) <= 0) result = STORE_BROKEN;
        if (result == STORE_MISSING || result == STORE_BROKEN) cursor->done = true;
        if (result != STORE_OK) return result == STORE_MISSING ? STORE_OK : result;
        memcpy(key.bytes, k.mv_data, SEALED_KEY);
        memcpy(cursor->key, key.bytes, SEALED_KEY);
        cursor->size = SEALED_KEY;
        result = open_record(s, &key, &v, &size);
        if (result != STORE_OK) return result;
        if (!each(argument, s->value.bytes, s->value.bytes + RECORD_HEAD, size, seal_version(v.mv_data))) return STORE_OK;
    }
    return STORE_OK;
}

enum store_result store_walk(struct store *s, enum store_table table, struct store_cursor *cursor, size_t limit, store_each *each,
                             void *argument) {
    MDB_cursor *at;
    MDB_txn *view;

    if (!s->keys) return STORE_SEALED;
    if (!is_table(table) || (cursor->size != 0 && cursor->size != SEALED_KEY)) return STORE_INVALID;
    if (cursor->done) return STORE_OK;
    /* The order of the records is that of these keys. */
    if (cursor->size == 0) memcpy(cursor->order, s->order, ID_BYTES);
    if (memcmp(cursor->order, s->order, ID_BYTES) != 0) return STORE_CONFLICT;
    enum store_result result = read_begin(s, &view);
    if (result != STORE_OK) return result;
    int rc = mdb_cursor_open(view, s->dbi, &at);
    if (rc == 0) {
        result = walk(s, table, cursor, limit, each, argument, at);
        mdb_cursor_close(at);
    } else {
        result = store_result_of(rc);
    }
    read_end(s);
    return result;
}

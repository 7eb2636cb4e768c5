/*
 * The background check. One pass: all records in the order of their keys, then all index nodes in the order of their entries, then the
 * sums of what was seen against the sealed ones. Between steps no transaction is held. A write whose place the pass has already seen
 * enters its change into the pass's sums as into the table's own (account() in record.c, scan_entry() here); a place not yet seen is seen
 * later as it is then. So at the end the sums must agree whatever was written meanwhile.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static bool entry_covered(const struct store *s, enum store_table table, const struct index_key *key) {
    const struct scan *scan = &s->scan;
    if (scan->pass == 0 || !scan->in_index || table > scan->table) return false;
    if (table < scan->table) return true;
    struct view here = view_of(key), from = view_of(&scan->from);
    return view_compare(&here, &from) < 0;
}

void scan_entry(struct store *s, enum store_table table, const struct index_key *key, int change) {
    if (entry_covered(s, table, key)) s->scan.letter[table][letter_index(key->letter)] += change > 0 ? 1 : UINT64_MAX;
}

/* A walk over the leaves passes by what a damaged branch page hides from a search. */
static bool can_be_found(struct store *s, MDB_cursor *at, const MDB_val *v) {
    MDB_val k = {SEALED_KEY, s->scan.key}, found;
    return mdb_get(mdb_cursor_txn(at), s->dbi, &k, &found) == 0 && found.mv_data == v->mv_data && found.mv_size == v->mv_size;
}

static enum store_result see_record(struct store *s, MDB_cursor *at, const MDB_val *k, const MDB_val *v) {
    struct scan *scan = &s->scan;
    uint8_t element[PRF_BYTES];
    struct sealed_key own;
    struct record record;

    memcpy(scan->key, k->mv_data, SEALED_KEY);
    enum store_table table = scan->key[0] - SPACE_RECORDS;
    scan->seen++;
    enum store_result result = v->mv_size < SEALED_OVERHEAD || !can_be_found(s, at, v) ? STORE_BROKEN : STORE_OK;
    if (result == STORE_OK) {
        memcpy(own.bytes, scan->key, SEALED_KEY);
        if (!multiset_element(s, &own, v->mv_data, element)) return STORE_MEMORY;
        scan->count[table]++;
        multiset_add(scan->sum[table], element);
        result = record_open(s, &own, v, &record);
    }
    if (result == STORE_OK) {
        if (!seal_key(s, scan->key[0], record.id, ID_BYTES, &own)) return STORE_MEMORY;
        if (memcmp(own.bytes, scan->key, SEALED_KEY) != 0) result = STORE_BROKEN;
    }
    if (result != STORE_BROKEN) return result;
    scan->found++;
    return STORE_OK;
}

static void begin_index(struct scan *scan) {
    scan->in_index = true;
    scan->table = 1;
    scan->from = (struct index_key){0};
}

static enum store_result see_records(struct store *s, MDB_cursor *at, size_t *budget) {
    struct scan *scan = &s->scan;
    MDB_val k = {SEALED_KEY, scan->key}, v;

    int rc = mdb_cursor_get(at, &k, &v, MDB_SET_RANGE);
    if (rc == 0 && k.mv_size == SEALED_KEY && memcmp(k.mv_data, scan->key, SEALED_KEY) == 0) rc = mdb_cursor_get(at, &k, &v, MDB_NEXT);
    for (; rc == 0 && *budget > 0; rc = mdb_cursor_get(at, &k, &v, MDB_NEXT)) {
        /* Out of order: a damaged branch page may lead round in a circle. */
        if (k.mv_size != SEALED_KEY || memcmp(k.mv_data, scan->key, SEALED_KEY) <= 0) {
            rc = MDB_CORRUPTED;
            break;
        }
        const uint8_t space = *(const uint8_t *)k.mv_data;
        if (space >= SPACE_RECORDS + STORE_TABLES_END) rc = MDB_NOTFOUND;
        if (rc != 0) break;
        if (space == SPACE_META) { /* the format, the state, the value in clear */
            memcpy(scan->key, k.mv_data, SEALED_KEY);
            continue;
        }
        enum store_result result = see_record(s, at, &k, &v);
        if (result != STORE_OK) return result;
        --*budget;
    }
    if (rc == 0) return STORE_OK;
    enum store_result result = store_result_of(rc);
    if (result != STORE_MISSING && result != STORE_BROKEN) return result;
    if (result == STORE_BROKEN) scan->found++; /* LMDB's own pages: what lies behind it is missing from the sums too */
    begin_index(scan);
    return STORE_OK;
}

static void copy_view(const struct view *v, struct index_key *key) {
    *key = (struct index_key){.letter = (char)v->letter, .size = v->size};
    if (v->size > 0) memcpy(key->bytes, v->bytes, v->size);
    if (v->id) memcpy(key->id, v->id, ID_BYTES);
}

/* Counts a leaf's entries; false: they are not in order or not within [from, upper). */
static bool see_leaf(struct scan *scan, const struct node *n, const struct index_key *upper, bool bounded) {
    struct view low = view_of(&scan->from), high = view_of(upper);
    bool fine = true;

    for (unsigned i = 0; i < n->count; i++) {
        struct view here = node_view(n, i);
        int letter = letter_index((char)here.letter), order = view_compare(&here, &low);
        fine = fine && letter >= 0 && (i > 0 ? order > 0 : order >= 0);
        if (letter >= 0) scan->letter[scan->table][letter]++;
        low = here;
    }
    return fine && (!bounded || n->count == 0 || view_compare(&low, &high) < 0);
}

/* Looks at the leaf in which scan->from lies, through all nodes above it, and moves on behind it. */
static enum store_result see_index(struct store *s, struct node *n) {
    struct scan *scan = &s->scan;
    const struct table_state *t = &s->state.table[scan->table];
    struct view from = view_of(&scan->from);
    struct node_ref ref = t->root;
    struct index_key upper = {0};
    bool bounded = false;
    enum store_result result = STORE_OK;

    for (uint32_t level = t->depth; level-- > 0 && result == STORE_OK;) {
        result = tree_load_stored(s, scan->table, ref, level, n);
        if (result == STORE_OK && level > 0 && n->count == 0) result = STORE_BROKEN;
        if (result != STORE_OK || level == 0) continue;
        unsigned child = node_child(n, &from);
        ref = node_ref(n, child);
        if (child + 1 < n->count) {
            struct view next = node_view(n, child + 1);
            copy_view(&next, &upper);
            bounded = true;
        }
    }
    if (result != STORE_OK && result != STORE_BROKEN) return result;
    if (t->depth > 0) scan->seen++;
    if (result == STORE_OK && t->depth > 0 && !see_leaf(scan, n, &upper, bounded)) result = STORE_BROKEN;
    if (result == STORE_BROKEN) scan->found++;
    scan->from = upper; /* zero when this was the last leaf */
    if (!bounded) scan->table++;
    return STORE_OK;
}

/* What the sums say once all is seen: each table that differs counts for at least one loss. */
static void conclude(struct store *s) {
    struct scan *scan = &s->scan;

    for (int i = 1; i < STORE_TABLES_END; i++) {
        const struct table_state *t = &s->state.table[i];
        uint64_t apart = t->count > scan->count[i] ? t->count - scan->count[i] : scan->count[i] - t->count;
        if (apart == 0 && !secret_equal(t->sum, scan->sum[i], PRF_BYTES)) apart = 1;
        scan->found += apart;
        if (memcmp(t->letter, scan->letter[i], sizeof t->letter) != 0) scan->found++;
    }
}

static enum store_result step(struct store *s, size_t *budget) {
    struct scan *scan = &s->scan;
    enum store_result result = STORE_OK;

    if (!scan->in_index) {
        MDB_cursor *at;
        MDB_txn *view;
        result = read_begin(s, &view);
        if (result != STORE_OK) return result;
        int rc = mdb_cursor_open(view, s->dbi, &at);
        result = rc == 0 ? see_records(s, at, budget) : store_result_of(rc);
        if (rc == 0) mdb_cursor_close(at);
        read_end(s);
    }
    if (result != STORE_OK || !scan->in_index || *budget == 0) return result;
    struct node *n = malloc(sizeof *n);
    if (!n) return STORE_MEMORY;
    while (result == STORE_OK && scan->table<STORE_TABLES_END && * budget> 0) {
        result = see_index(s, n);
        --*budget;
    }
    secret_wipe(n, sizeof *n);
    free(n);
    return result;
}

enum store_result store_check_step(struct store *s, struct store_check *check, size_t records) {
    struct scan *scan = &s->scan;

    if (!s->keys) return STORE_SEALED;
    if (check->done) return STORE_OK;
    if (check->pass == 0 || check->pass != scan->pass) { /* new, or dropped by a sealing */
        *scan = (struct scan){.pass = ++s->passes};
        s->scan_before = *scan;
        *check = (struct store_check){.pass = scan->pass};
    }
    enum store_result result = step(s, &records);
    if (result == STORE_OK && scan->in_index && scan->table >= STORE_TABLES_END) {
        conclude(s);
        check->done = true;
    }
    check->seen = scan->seen;
    check->found = scan->found;
    if (check->done) *scan = (struct scan){0};
    if (!s->writer) s->scan_before = *scan; /* no transaction is open that could take it back */
    return result;
}

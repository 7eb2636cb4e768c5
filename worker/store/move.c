/*
 * A move into another file: first all records in the order of their keys, then the entries of all indexes in theirs, each sealed anew. The
 * file moved from is in use meanwhile; what changes behind the walk is noted and, once committed, copied again as it is then, so that a
 * note that comes to nothing does no harm. What changes before the walk is found by it.
 *
 * Nothing is trusted: a record that was left out or put back would be sealed anew and be as good as any other afterwards. So the
 * records that the walk passes are summed up, as the check does it, and in the end held against the sealed sums; index nodes are named by
 * their parents, the root by the state.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 512 /* values a commit */, NOTES_MAX = 4096 };

struct note {
    bool entry;
    uint8_t table;
    struct index_key key; /* of a record its id alone */
};

struct store_move {
    struct store *from, *to;
    bool in_index;
    uint8_t last[SEALED_KEY]; /* records: the last one passed */
    uint8_t table;            /* index: the one being walked; STORE_TABLES_END = all are done */
    bool any;                 /* of its entries one was passed, */
    struct index_key after;   /* this one */
    uint64_t copied;
    size_t waiting;    /* in `to` for a commit */
    struct note *note; /* from `noted_first` on they wait */
    size_t noted_first, noted, room;
    bool lost;                /* a note found no room */
    enum store_result result; /* of a callback */
};

struct store_move *store_move_begin(struct store *from, struct store *to) {
    if (!from->keys || !to->keys || from->move) return NULL;
    struct store_move *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->from = from;
    m->to = to;
    from->move = m;
    from->moved = from->moved_before = (struct tally){0};
    return m;
}

void store_move_end(struct store_move *m) {
    if (!m) return;
    m->from->move = NULL;
    if (m->note) secret_wipe(m->note, m->room * sizeof *m->note);
    free(m->note);
    secret_wipe(m, sizeof *m);
    free(m);
}

/* ---- notes ---- */

static struct note *new_note(struct store_move *m) {
    if (m->noted == m->room && m->noted_first > 0) {
        m->noted -= m->noted_first;
        memmove(m->note, m->note + m->noted_first, m->noted * sizeof *m->note);
        m->noted_first = 0;
    }
    if (m->noted == m->room && m->room < NOTES_MAX) {
        size_t room = m->room ? 2 * m->room : 64;
        struct note *more = realloc(m->note, room * sizeof *more);
        if (more) {
            m->note = more;
            m->room = room;
        }
    }
    if (m->noted < m->room) return &m->note[m->noted++];
    m->lost = true;
    return NULL;
}

static bool passed_record(const struct store_move *m, const struct sealed_key *key) {
    return m->in_index || memcmp(key->bytes, m->last, SEALED_KEY) <= 0;
}

static bool passed_entry(const struct store_move *m, enum store_table table, const struct index_key *key) {
    if (!m->in_index || table > m->table || (table == m->table && !m->any)) return false;
    if (table < m->table) return true;
    struct view here = view_of(key), after = view_of(&m->after);
    return view_compare(&here, &after) <= 0;
}

void move_record(struct store *s, const struct sealed_key *key, const uint8_t id[ID_BYTES], const uint8_t *gone, const uint8_t *added) {
    enum store_table table = key->bytes[0] - SPACE_RECORDS;

    if (!s->move || !passed_record(s->move, key)) return;
    tally_change(&s->moved.count[table], s->moved.sum[table], gone, added);
    struct note *n = new_note(s->move);
    if (!n) return;
    *n = (struct note){.table = (uint8_t)table};
    memcpy(n->key.id, id, ID_BYTES);
}

void move_entry(struct store *s, enum store_table table, const struct index_key *key) {
    if (!s->move || !passed_entry(s->move, table, key)) return;
    struct note *n = new_note(s->move);
    if (n) *n = (struct note){.entry = true, .table = (uint8_t)table, .key = *key};
}

/* The record or the entry as it is now, or its absence. */
static enum store_result copy_again(struct store_move *m, const struct note *n) {
    const uint8_t *value;
    size_t size;
    uint64_t version;
    enum store_result result =
        n->entry ? index_get(m->from, n->table, &n->key, &value, &size) : store_get(m->from, n->table, n->key.id, &value, &size, &version);

    if (result == STORE_OK)
        return n->entry ? index_put(m->to, n->table, &n->key, value, size) : record_put(m->to, n->table, n->key.id, value, size, version);
    if (result != STORE_MISSING) return result;
    result = n->entry ? index_delete(m->to, n->table, &n->key) : store_delete(m->to, n->table, n->key.id, STORE_ANY);
    return result == STORE_MISSING ? STORE_OK : result;
}

static enum store_result work_off(struct store_move *m, size_t *budget) {
    while (m->noted_first<m->noted && * budget> 0) {
        enum store_result result = copy_again(m, &m->note[m->noted_first]);
        if (result != STORE_OK) return result;
        m->noted_first++;
        m->waiting++;
        --*budget;
    }
    if (m->noted_first == m->noted) m->noted_first = m->noted = 0;
    return STORE_OK;
}

/* ---- the walk ---- */

static enum store_result take_record(struct store_move *m, const MDB_val *k, const MDB_val *v) {
    struct store *s = m->from;
    uint8_t element[PRF_BYTES];
    struct sealed_key key, own;
    struct record record;

    memcpy(key.bytes, k->mv_data, SEALED_KEY);
    enum store_table table = key.bytes[0] - SPACE_RECORDS;
    enum store_result result = record_open(s, &key, v, &record);
    if (result != STORE_OK) return result;
    if (!multiset_element(s, &key, v->mv_data, element) || !seal_key(s, key.bytes[0], record.id, ID_BYTES, &own)) return STORE_MEMORY;
    if (memcmp(own.bytes, key.bytes, SEALED_KEY) != 0) return STORE_BROKEN;
    result = record_put(m->to, table, record.id, record.value, record.size, seal_version(v->mv_data));
    if (result != STORE_OK) return result;
    tally_change(&s->moved.count[table], s->moved.sum[table], NULL, element);
    memcpy(m->last, key.bytes, SEALED_KEY);
    m->copied++;
    m->waiting++;
    return STORE_OK;
}

static void begin_index(struct store_move *m) {
    m->in_index = true;
    m->table = 1;
}

static enum store_result walk_records(struct store_move *m, MDB_cursor *at, size_t *budget) {
    MDB_val k = {SEALED_KEY, m->last}, v;
    enum store_result result = STORE_OK;

    int rc = mdb_cursor_get(at, &k, &v, MDB_SET_RANGE);
    if (rc == 0 && k.mv_size == SEALED_KEY && memcmp(k.mv_data, m->last, SEALED_KEY) == 0) rc = mdb_cursor_get(at, &k, &v, MDB_NEXT);
    for (; rc == 0 && *budget > 0 && result == STORE_OK; rc = rc == 0 ? mdb_cursor_get(at, &k, &v, MDB_NEXT) : rc) {
        /* Out of order: a damaged branch page may lead round in a circle. */
        if (k.mv_size != SEALED_KEY || memcmp(k.mv_data, m->last, SEALED_KEY) <= 0) return STORE_BROKEN;
        const uint8_t space = *(const uint8_t *)k.mv_data;
        if (space >= SPACE_RECORDS + STORE_TABLES_END) {
            rc = MDB_NOTFOUND;
            continue;
        }
        if (space == SPACE_META) {
            memcpy(m->last, k.mv_data, SEALED_KEY);
            continue;
        }
        result = take_record(m, &k, &v);
        --*budget;
    }
    if (result == STORE_OK && rc == MDB_NOTFOUND) begin_index(m);
    return result != STORE_OK || rc == 0 || rc == MDB_NOTFOUND ? result : store_result_of(rc);
}

static enum store_result copy_records(struct store_move *m, size_t *budget) {
    MDB_cursor *at;
    MDB_txn *view;

    enum store_result result = read_begin(m->from, &view);
    if (result != STORE_OK) return result;
    int rc = mdb_cursor_open(view, m->from->dbi, &at);
    result = rc == 0 ? walk_records(m, at, budget) : store_result_of(rc);
    if (rc == 0) mdb_cursor_close(at);
    read_end(m->from);
    return result;
}

static bool take_entry(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    struct store_move *m = argument;

    m->result = index_put(m->to, m->table, key, summary, size);
    if (m->result != STORE_OK) return false;
    m->after = *key;
    m->any = true;
    m->copied++;
    m->waiting++;
    return true;
}

static enum store_result copy_entries(struct store_move *m, size_t *budget) {
    uint64_t before = m->copied;
    bool more;

    m->result = STORE_OK;
    enum store_result result = index_list(m->from, m->table, 0, m->any ? &m->after : NULL, false, *budget, take_entry, m, &more);
    if (result == STORE_OK) result = m->result;
    *budget -= (size_t)(m->copied - before);
    if (result != STORE_OK || more) return result;
    m->table++;
    m->any = false;
    return STORE_OK;
}

/* ---- a step, and the end ---- */

static bool all_done(const struct store_move *m) { return m->in_index && m->table == STORE_TABLES_END && m->noted == 0 && !m->lost; }

enum store_result store_move_step(struct store_move *m, size_t values, bool *done) {
    enum store_result result = STORE_OK;

    *done = false;
    if (m->lost) return STORE_MEMORY;
    if (store_pending(m->from)) return STORE_OK;
    store_abort(m->from); /* a transaction that a refused write began would take back what the walk sums up */
    result = work_off(m, &values);
    if (result == STORE_OK && values > 0 && !m->in_index) result = copy_records(m, &values);
    while (result == STORE_OK && values > 0 && m->in_index && m->table < STORE_TABLES_END)
        result = copy_entries(m, &values);
    if (result == STORE_OK && (m->waiting >= BATCH || store_pressed(m->to))) {
        result = store_commit(m->to);
        m->waiting = 0;
    }
    m->from->moved_before = m->from->moved; /* no transaction is open that could take it back */
    *done = result == STORE_OK && all_done(m);
    return result;
}

/* What was copied is what the state of `from` is about, and what is in `to`. */
static bool complete(const struct store_move *m) {
    for (int i = 1; i < STORE_TABLES_END; i++) {
        const struct table_state *from = &m->from->state.table[i], *to = &m->to->state.table[i];
        if (m->from->moved.count[i] != from->count || !secret_equal(m->from->moved.sum[i], from->sum, PRF_BYTES)) return false;
        if (to->count != from->count || memcmp(to->letter, from->letter, sizeof to->letter) != 0) return false;
    }
    return true;
}

enum store_result store_move_complete(struct store_move *m) {
    struct store *to = m->to;

    if (!all_done(m) || store_pending(m->from)) return STORE_INVALID;
    if (!complete(m)) return STORE_BROKEN;
    enum store_result result = write_begin(to);
    if (result != STORE_OK) return result;
    struct state carried = m->from->state;
    carried.next_node = to->state.next_node;
    for (int i = 1; i < STORE_TABLES_END; i++) {
        uint64_t floor = carried.table[i].floor;
        carried.table[i] = to->state.table[i];
        carried.table[i].floor = floor;
    }
    to->state = carried;
    to->changes++;
    return STORE_OK;
}

void store_move_progress(const struct store_move *m, uint64_t *copied, uint64_t *total) {
    *total = 0;
    for (int i = 1; i < STORE_TABLES_END; i++) {
        *total += m->from->state.table[i].count;
        for (int l = 0; l < INDEX_LETTERS; l++)
            *total += m->from->state.table[i].letter[l];
    }
    *copied = m->copied < *total ? m->copied : *total;
}

size_t store_move_behind(const struct store_move *m) { return m->noted - m->noted_first; }

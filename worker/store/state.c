#include "state.h"

#include "internal.h"

#include <assert.h>
#include <string.h>

enum {
    TABLE_BYTES = 8 + 8 + PRF_BYTES + 8 + 8 + 8 + 4 * INDEX_LETTERS, /* a file has no 2^32 entries */
    BRANCHES_BYTES = 8 + STORE_BRANCHES * (8 + 8),
    STATE_HEAD = 8 + 8 + 8 + KEY_BYTES + BRANCHES_BYTES + STORE_NOTE,
    STATE_BYTES = STATE_HEAD + (STORE_TABLES_END - 1) * TABLE_BYTES,
};
/* LMDB gives it one page of its own, whose head takes 16 bytes. */
static_assert(STATE_BYTES + SEALED_OVERHEAD + 16 <= 4096, "the state needs a second page");

static const struct sealed_key state_key = {{SPACE_META, 's'}};

static uint8_t *put(uint8_t *out, uint64_t v) {
    put_le(out, v, 8);
    return out + 8;
}
static const uint8_t *get(const uint8_t *in, uint64_t *v) {
    *v = get_le(in, 8);
    return in + 8;
}

static uint8_t *put_bytes(uint8_t *out, const uint8_t *bytes, size_t size) {
    memcpy(out, bytes, size);
    return out + size;
}
static const uint8_t *get_bytes(const uint8_t *in, uint8_t *bytes, size_t size) {
    memcpy(bytes, in, size);
    return in + size;
}

static void encode(const struct state *state, uint8_t out[STATE_BYTES]) {
    out = put(put(put(out, state->commits), state->next_node), state->committed);
    out = put(put_bytes(out, state->mark_key, KEY_BYTES), state->branches);
    for (int i = 0; i < STORE_BRANCHES; i++)
        out = put(put(out, state->branch[i].first), state->branch[i].tag);
    out = put_bytes(out, state->note, STORE_NOTE);
    for (int i = 1; i < STORE_TABLES_END; i++) {
        const struct table_state *t = &state->table[i];
        out = put(put(out, t->count), t->floor);
        out = put(put(put(put_bytes(out, t->sum, PRF_BYTES), t->root.id), t->root.version), t->depth);
        for (int l = 0; l < INDEX_LETTERS; l++, out += 4)
            put_le(out, t->letter[l], 4);
    }
}

/* How many tables a sealed state of this size tells of: an older version's fewer. 0: it is not of any. */
static int tables_of(size_t sealed) {
    size_t least = SEALED_OVERHEAD + STATE_HEAD, size = sealed > least ? sealed - least : 0;
    return size % TABLE_BYTES == 0 && size / TABLE_BYTES < STORE_TABLES_END ? (int)(size / TABLE_BYTES) : 0;
}

static void decode(const uint8_t in[STATE_BYTES], int tables, struct state *state) {
    uint64_t depth, branches;

    in = get(get(get(in, &state->commits), &state->next_node), &state->committed);
    in = get(get_bytes(in, state->mark_key, KEY_BYTES), &branches);
    state->branches = (uint32_t)branches;
    for (int i = 0; i < STORE_BRANCHES; i++)
        in = get(get(in, &state->branch[i].first), &state->branch[i].tag);
    in = get_bytes(in, state->note, STORE_NOTE);
    for (int i = 1; i <= tables; i++) {
        struct table_state *t = &state->table[i];
        in = get(get(in, &t->count), &t->floor);
        in = get(get(get(get_bytes(in, t->sum, PRF_BYTES), &t->root.id), &t->root.version), &depth);
        t->depth = (uint32_t)depth;
        for (int l = 0; l < INDEX_LETTERS; l++, in += 4)
            t->letter[l] = get_le(in, 4);
    }
}

enum store_result state_read(struct store *s) {
    MDB_val key = {SEALED_KEY, (void *)(uintptr_t)state_key.bytes}, value;
    uint8_t plain[STATE_BYTES];
    MDB_stat stat;
    MDB_txn *view;

    s->state = (struct state){.next_node = 1};
    enum store_result result = read_begin(s, &view);
    if (result != STORE_OK) return result;
    int rc = mdb_get(view, s->dbi, &key, &value);
    if (rc == MDB_NOTFOUND) { /* a new file holds nothing but its format */
        result = mdb_stat(view, s->dbi, &stat) == 0 && stat.ms_entries == 1 ? STORE_OK : STORE_BROKEN;
        mark_begin(&s->state);
    } else if (rc != 0) {
        result = store_result_of(rc);
    } else if (tables_of(value.mv_size) == 0 || !seal_open(s, &state_key, value.mv_data, value.mv_size, plain)) {
        result = STORE_BROKEN;
    } else {
        decode(plain, tables_of(value.mv_size), &s->state);
        if (s->state.commits != seal_version(value.mv_data) || s->state.branches > STORE_BRANCHES) result = STORE_BROKEN;
    }
    read_end(s);
    secret_wipe(plain, sizeof plain);
    if (result == STORE_OK) branch_begin(&s->state);
    s->before = s->state;
    return result;
}

enum store_result state_write(struct store *s) {
    uint8_t plain[STATE_BYTES], sealed[STATE_BYTES + SEALED_OVERHEAD];

    encode(&s->state, plain);
    bool fine = seal_value(s, &state_key, s->state.commits, plain, sizeof plain, sealed);
    secret_wipe(plain, sizeof plain);
    return fine ? write_value(s, &state_key, sealed, sizeof sealed) : STORE_MEMORY;
}

#include "state.h"

#include "internal.h"

#include <string.h>

enum { TABLE_BYTES = 8 + 8 + PRF_BYTES + 8 + 8 + 8 + 8 * INDEX_LETTERS, STATE_BYTES = 8 + 8 + (STORE_TABLES_END - 1) * TABLE_BYTES };

static const struct sealed_key state_key = {{SPACE_META, 's'}};

static uint8_t *put(uint8_t *out, uint64_t v) {
    put_le(out, v, 8);
    return out + 8;
}
static const uint8_t *get(const uint8_t *in, uint64_t *v) {
    *v = get_le(in, 8);
    return in + 8;
}

static void encode(const struct state *state, uint8_t out[STATE_BYTES]) {
    out = put(put(out, state->commits), state->next_node);
    for (int i = 1; i < STORE_TABLES_END; i++) {
        const struct table_state *t = &state->table[i];
        out = put(put(out, t->count), t->floor);
        memcpy(out, t->sum, PRF_BYTES);
        out = put(put(put(out + PRF_BYTES, t->root.id), t->root.version), t->depth);
        for (int l = 0; l < INDEX_LETTERS; l++)
            out = put(out, t->letter[l]);
    }
}

static void decode(const uint8_t in[STATE_BYTES], struct state *state) {
    uint64_t depth;

    in = get(get(in, &state->commits), &state->next_node);
    for (int i = 1; i < STORE_TABLES_END; i++) {
        struct table_state *t = &state->table[i];
        in = get(get(in, &t->count), &t->floor);
        memcpy(t->sum, in, PRF_BYTES);
        in = get(get(get(in + PRF_BYTES, &t->root.id), &t->root.version), &depth);
        t->depth = (uint32_t)depth;
        for (int l = 0; l < INDEX_LETTERS; l++)
            in = get(in, &t->letter[l]);
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
    } else if (rc != 0) {
        result = store_result_of(rc);
    } else if (value.mv_size != STATE_BYTES + SEALED_OVERHEAD || !seal_open(s, &state_key, value.mv_data, value.mv_size, plain)) {
        result = STORE_BROKEN;
    } else {
        decode(plain, &s->state);
        if (s->state.commits != seal_version(value.mv_data)) result = STORE_BROKEN;
    }
    read_end(s);
    secret_wipe(plain, sizeof plain);
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

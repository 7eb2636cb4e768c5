/* An attacker's hands on a store's file while nobody has it open: LMDB's own, since the keys and values it shows are all he sees. */
#pragma once

#include "store_fixture.h"

#include <lmdb.h>

struct pair {
    uint8_t key[17];
    uint8_t *value;
    size_t size;
};
struct dump {
    struct pair *pair;
    size_t count;
};

static inline MDB_env *tamper_open(const char *path) {
    MDB_env *env;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, 64 * MIB), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
    return env;
}

static inline struct dump tamper_dump(const char *path) {
    struct dump d = {0};
    MDB_env *env = tamper_open(path);
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_cursor *c;
    MDB_val k, v;
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_cursor_open(txn, dbi, &c), 0);
    while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
        d.pair = realloc(d.pair, (d.count + 1) * sizeof *d.pair);
        struct pair *p = &d.pair[d.count++];
        assert_int_equal(k.mv_size, sizeof p->key);
        memcpy(p->key, k.mv_data, sizeof p->key);
        p->size = v.mv_size;
        p->value = malloc(v.mv_size + 1);
        memcpy(p->value, v.mv_data, v.mv_size);
    }
    mdb_cursor_close(c);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return d;
}

static inline void dump_free(struct dump *d) {
    for (size_t i = 0; i < d->count; i++)
        free(d->pair[i].value);
    free(d->pair);
    *d = (struct dump){0};
}

/* value NULL: the key goes. */
static inline void tamper_set(const char *path, const uint8_t key[17], const void *value, size_t size) {
    MDB_env *env = tamper_open(path);
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {17, (void *)(uintptr_t)key}, v = {size, (void *)(uintptr_t)value};
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(value ? mdb_put(txn, dbi, &k, &v, 0) : mdb_del(txn, dbi, &k, NULL), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* The n-th pair whose key begins with `space`, counting round and round. */
static inline const struct pair *dump_nth(const struct dump *d, uint8_t space, size_t n) {
    size_t all = 0;
    for (size_t i = 0; i < d->count; i++)
        all += d->pair[i].key[0] == space;
    assert_true(all > 0);
    n %= all;
    for (size_t i = 0; i < d->count; i++)
        if (d->pair[i].key[0] == space && n-- == 0) return &d->pair[i];
    return NULL;
}

static inline const struct pair *dump_find(const struct dump *d, const uint8_t key[17]) {
    for (size_t i = 0; i < d->count; i++)
        if (memcmp(d->pair[i].key, key, 17) == 0) return &d->pair[i];
    return NULL;
}

/* What the store's tests share: a store in a fresh folder, keys from a number, records made from a number. */
#pragma once

#include "../../worker/store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1ULL << 20)

struct fixture {
    char folder[64], path[96];
    struct keyring *keys;
    uint8_t tenant[ID_BYTES];
    struct store *s;
};

static inline struct keyring *fixture_keys(uint8_t number) {
    uint8_t tmk[KEY_BYTES] = {number, 7};
    struct keyring *k = keyring_new(tmk);
    assert_non_null(k);
    return k;
}

static inline void fixture_open(struct fixture *f, uint64_t map) {
    f->s = store_open(f->path, map);
    assert_non_null(f->s);
    assert_int_equal(store_unseal(f->s, f->keys, f->tenant), STORE_OK);
}

static inline void fixture_new(struct fixture *f, uint64_t map) {
    strcpy(f->folder, "/tmp/store-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/data.mdb", f->folder);
    f->keys = fixture_keys(1);
    memset(f->tenant, 0x55, sizeof f->tenant);
    fixture_open(f, map);
}

static inline void fixture_end(struct fixture *f) {
    char lock[128];
    store_close(f->s);
    keyring_free(f->keys);
    unlink(f->path);
    snprintf(lock, sizeof lock, "%s-lock", f->path);
    unlink(lock);
    rmdir(f->folder);
}

static inline uint64_t mix(uint64_t x) { /* splitmix64 */
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static inline void id_of(uint64_t number, uint8_t id[ID_BYTES]) {
    uint64_t a = mix(number), b = mix(a);
    memcpy(id, &a, 8);
    memcpy(id + 8, &b, 8);
}

/* A value that says of which record and version it is. */
static inline size_t value_of(uint64_t number, uint64_t version, size_t size, uint8_t *out) {
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)mix(number * 1000003 + version * 8191 + i / 8);
    return size;
}

static inline enum store_result put_number(struct store *s, enum store_table t, uint64_t number, uint64_t expected, size_t size,
                                           uint64_t *version) {
    uint8_t id[ID_BYTES], *value = malloc(size + 1);
    id_of(number, id);
    value_of(number, expected == STORE_ANY ? 0 : expected + 1, size, value);
    enum store_result r = store_put(s, t, id, value, size, expected, version);
    free(value);
    return r;
}

static inline enum store_result get_number(struct store *s, enum store_table t, uint64_t number, const uint8_t **value, size_t *size,
                                           uint64_t *version) {
    uint8_t id[ID_BYTES];
    id_of(number, id);
    return store_get(s, t, id, value, size, version);
}

static inline void assert_number(struct store *s, enum store_table t, uint64_t number, uint64_t version, size_t size) {
    const uint8_t *value;
    size_t got;
    uint64_t v;
    uint8_t *expected = malloc(size + 1);
    value_of(number, version, size, expected);
    assert_int_equal(get_number(s, t, number, &value, &got, &v), STORE_OK);
    assert_int_equal(got, size);
    assert_int_equal(v, version);
    assert_memory_equal(value, expected, size);
    free(expected);
}

static inline uint64_t check_all(struct store *s, size_t step, uint64_t *seen) {
    struct store_check check = {0};
    while (!check.done)
        assert_int_equal(store_check_step(s, &check, step), STORE_OK);
    if (seen) *seen = check.seen;
    return check.found;
}

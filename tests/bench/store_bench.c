/* How fast the store is by itself, as one JSON object: store_bench [FOLDER [RECORDS]]. The figures of one run belong together: the disk's
 * own fdatasync is measured in the same folder beside them. */
#include "../../worker/memory/arena.h"
#include "../../worker/store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { VALUE = 470, SUMMARY = 120, PAGE = 50 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static void demand(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "store_bench: %s\n", what);
    exit(1);
}

static struct index_key key_of(uint64_t number) {
    struct index_key k = {.letter = (char)('A' + number % 26), .size = 16};
    for (int i = 0; i < 2; i++) {
        uint64_t r = mix(number * 2 + (uint64_t)i);
        memcpy(k.id + 8 * i, &r, 8);
        for (int j = 0; j < 8; j++)
            k.bytes[8 * i + j] = (uint8_t)('a' + (r >> (8 * j)) % 26);
    }
    return k;
}

static void write_one(struct store *s, uint64_t number) {
    struct index_key k = key_of(number);
    uint8_t value[VALUE];
    memset(value, (int)number, sizeof value);
    demand(store_put(s, STORE_CONTACTS, k.id, value, sizeof value, 0, NULL) == STORE_OK, "put");
    demand(index_put(s, STORE_CONTACTS, &k, value, SUMMARY) == STORE_OK, "index_put");
}

static void fill(struct store *s, uint64_t records) {
    for (uint64_t i = 0; i < records; i++) {
        write_one(s, i);
        if (store_pressed(s)) demand(store_commit(s) == STORE_OK, "commit");
    }
    demand(store_commit(s) == STORE_OK, "commit");
}

static double gets(struct store *s, uint64_t records) {
    const uint8_t *value;
    size_t size;
    uint64_t n = 500000, version;
    double from = now();
    for (uint64_t i = 0; i < n; i++) {
        struct index_key k = key_of(mix(i) % records);
        demand(store_get(s, STORE_CONTACTS, k.id, &value, &size, &version) == STORE_OK && size == VALUE, "get");
    }
    return (double)n / (now() - from);
}

static bool one(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    *(uint64_t *)argument += size + key->size + summary[0];
    return true;
}

static double lists(struct store *s, uint64_t records) {
    uint64_t sum = 0, n = 100000;
    double from = now();
    for (uint64_t i = 0; i < n; i++) {
        struct index_key after = key_of(mix(i) % records);
        bool more;
        demand(index_list(s, STORE_CONTACTS, after.letter, &after, false, PAGE, one, &sum, &more) == STORE_OK, "list");
    }
    demand(sum > 0, "list is empty");
    return (double)n / (now() - from);
}

static double writes(struct store *s, uint64_t *next, uint64_t count, uint64_t batch) {
    double from = now();
    for (uint64_t i = 0; i < count; i++) {
        write_one(s, (*next)++);
        if (i % batch == batch - 1) demand(store_commit(s) == STORE_OK, "commit");
    }
    demand(store_commit(s) == STORE_OK, "commit");
    return (double)count / (now() - from);
}

static double checks(struct store *s) {
    struct store_check check = {0};
    double from = now();
    while (!check.done)
        demand(store_check_step(s, &check, 64) == STORE_OK, "check");
    demand(check.found == 0, "the check found something");
    return (double)check.seen / (now() - from);
}

/* Seconds of one fdatasync after overwriting 16 KiB. */
static double fdatasync_time(const char *folder) {
    char path[4200];
    static const uint8_t block[16384];
    snprintf(path, sizeof path, "%s/sync", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    demand(fd >= 0 && write(fd, block, sizeof block) == sizeof block && fsync(fd) == 0, "sync file");
    double from = now();
    for (int i = 0; i < 200; i++)
        demand(pwrite(fd, block, sizeof block, 0) == sizeof block && fdatasync(fd) == 0, "fdatasync");
    double took = (now() - from) / 200;
    close(fd);
    unlink(path);
    return took;
}

int main(int argc, char **argv) {
    char folder[4096], path[4200], lock[4300];
    uint64_t records = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000, next = records;
    uint8_t tmk[KEY_BYTES] = {1}, tenant[ID_BYTES] = {2};

    enum arena_kind arena = arena_open(64 << 20, false); /* as a worker's heap is */
    demand(arena != ARENA_NONE, "arena");
    snprintf(folder, sizeof folder, "%s/store-bench-XXXXXX", argc > 1 ? argv[1] : "/var/tmp");
    demand(records > 0 && mkdtemp(folder) != NULL, "folder");
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    snprintf(lock, sizeof lock, "%s-lock", path);
    struct keyring *keys = keyring_new(tmk);
    struct store *s = store_open(path, 4ULL << 30);
    demand(keys && s && store_unseal(s, keys, tenant) == STORE_OK, "open");
    double sync = fdatasync_time(folder), from = now();
    fill(s, records);
    double filled = (double)records / (now() - from), get = gets(s, records), list = lists(s, records), check = checks(s);
    double single = writes(s, &next, 2000, 1), batched = writes(s, &next, 20000, 64);
    printf("{\"records\": %llu, \"get_per_s\": %.0f, \"list50_per_s\": %.0f, \"put_single_per_s\": %.0f, \"put_batch64_per_s\": %.0f,\n"
           " \"import_per_s\": %.0f, \"check_values_per_s\": %.0f, \"fdatasync_us\": %.0f, \"single_over_fdatasync\": %.2f, "
           "\"batch64_over_single\": %.2f, \"bytes_per_record\": %.0f, \"arena_bytes\": %zu, \"secret_memory\": %s}\n",
           (unsigned long long)records, get, list, single, batched, filled, check, sync * 1e6, single * sync, batched / single,
           (double)store_bytes(s) / (double)next, arena_used(), arena == ARENA_SECRET ? "true" : "false");
    store_close(s);
    keyring_free(keys);
    unlink(path);
    unlink(lock);
    rmdir(folder);
    return 0;
}

/* The backup's format: what is taken is given back, what is known is not written again, and whatever is altered is found without a key. */
#include "../../supervisor/backup/catalog.h"
#include "../../supervisor/backup/give.h"
#include "../../supervisor/backup/reader.h"
#include "../../supervisor/backup/take.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNKS = 3000, VALUE = 1100 };

/* A store as its stream shows it: keys rise, values are a version and noise. */
struct house {
    char path[64];
    int folder;
    uint32_t version[CHUNKS]; /* 0 = the chunk is not there */
    uint32_t value;           /* bytes */
    struct manifest newest;   /* number 0 = none */
    uint64_t fresh;
    uint64_t most_bytes, slack_ms, most_ms; /* of a stream */
};

static void key_of(uint32_t i, uint8_t key[CHUNK_KEY]) {
    memset(key, 0, CHUNK_KEY);
    key[0] = 1;
    backup_put(key + 9, (uint64_t)(i * 2654435761u) << 32 | i, 8);
    for (int j = 0; j < 4; j++)
        key[1 + j] = (uint8_t)(i >> (24 - 8 * j)); /* big endian first: they rise */
}

static uint32_t value_of(const struct house *h, uint32_t i, uint8_t *out) {
    uint32_t size = i % 97 ? h->value : 40 * h->value;
    backup_put(out, h->version[i], 8);
    for (uint32_t j = 8; j < size; j++)
        out[j] = (uint8_t)(i * 31 + j * h->version[i] + (j >> 8));
    return size;
}

/* false: nobody reads any more. */
static bool put(int fd, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)bytes + done, size - done);
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

struct source {
    const struct house *house;
    int fd;
    uint32_t cut; /* stop before this chunk and close; CHUNKS = never */
    bool lie;     /* about the count */
    bool drips;   /* 200 KB a second */
};

static void *pour(void *argument) {
    const struct source *s = argument;
    struct stream_head head = {.commit = 7, .key_created = 1700000000};
    uint8_t out[STREAM_END], *value = malloc(40 * s->house->value);
    uint64_t chunks = 0, bytes = 0;
    stream_head_write(&head, out);
    put(s->fd, out, STREAM_HEAD);
    for (uint32_t i = 0; i < s->cut; i++) {
        if (!s->house->version[i]) continue;
        uint8_t key[CHUNK_KEY];
        key_of(i, key);
        uint32_t size = value_of(s->house, i, value);
        chunk_head(key, size, out);
        put(s->fd, out, CHUNK_HEAD);
        if (!put(s->fd, value, size)) break;
        if (s->drips) usleep(5000);
        chunks++;
        bytes += size;
    }
    stream_end_write(chunks + s->lie, bytes, out);
    if (s->cut == CHUNKS) put(s->fd, out, STREAM_END);
    free(value);
    close(s->fd);
    return NULL;
}

static enum backup_result take_from(struct house *h, struct source *s) {
    int end[2];
    pthread_t thread;
    assert_int_equal(pipe(end), 0);
    s->house = h;
    s->fd = end[1];
    assert_int_equal(pthread_create(&thread, NULL, pour, s), 0);
    struct take t = {.stream = end[0], .folder = h->folder, .before = h->newest.number ? &h->newest : NULL, .tenant = 3, .taken_ms = 1000};
    t.number = h->newest.number + 1;
    t.most_bytes = h->most_bytes;
    t.slack_ms = h->slack_ms;
    t.most_ms = h->most_ms;
    struct manifest made;
    enum backup_result result = take_snapshot(&t, &made, &h->fresh);
    close(end[0]);
    pthread_join(thread, NULL);
    if (result != BACKUP_DONE) return result;
    manifest_free(&h->newest);
    h->newest = made;
    return result;
}

static enum backup_result take(struct house *h) { return take_from(h, &(struct source){.cut = CHUNKS}); }

static int sub(const struct house *h, const char *name) {
    int fd = openat(h->folder, name, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static enum backup_result look(void *packs, const struct pack *p) { return give_pack(*(int *)packs, p, -1, NULL, NULL); }

static enum backup_result check_against(const struct house *h, uint64_t number, const uint8_t *hash, struct catalog_verdict *v) {
    int manifests = sub(h, "manifests"), packs = sub(h, "packs");
    enum backup_result result = catalog_check(manifests, number, hash, look, &packs, v);
    close(manifests);
    close(packs);
    return result;
}

static enum backup_result check(const struct house *h) {
    struct catalog_verdict v;
    return check_against(h, h->newest.number, h->newest.hash, &v);
}

/* The given stream is exactly the house's content, in whatever order. */
static void gives_back(const struct house *h) {
    char path[] = "/tmp/cloison-give-XXXXXX";
    int packs = sub(h, "packs"), fd = mkstemp(path);
    struct chunk_reader r;
    const uint8_t *bytes;
    struct stream_head head;
    struct chunk c;
    uint8_t *value = malloc(40 * h->value), key[CHUNK_KEY];
    uint32_t found = 0, wanted = 0;
    unlink(path);
    assert_int_equal(give_snapshot(packs, &h->newest, fd, NULL), BACKUP_DONE);
    lseek(fd, 0, SEEK_SET);
    assert_true(chunk_reader_open(&r, fd, false));
    r.ordered = false;
    assert_int_equal(chunk_reader_bytes(&r, STREAM_HEAD, &bytes), CHUNK_NEXT);
    assert_true(stream_head_read(bytes, &head) && head.commit == 7 && head.key_created == 1700000000);
    while (chunk_reader_next(&r, &c) == CHUNK_NEXT && !stream_is_end(&c)) {
        uint32_t i = (uint32_t)c.key[1] << 24 | (uint32_t)c.key[2] << 16 | (uint32_t)c.key[3] << 8 | c.key[4];
        assert_true(i < CHUNKS && h->version[i]);
        key_of(i, key);
        assert_memory_equal(key, c.key, CHUNK_KEY);
        assert_int_equal(value_of(h, i, value), c.size);
        assert_memory_equal(value, c.value, c.size);
        found++;
    }
    assert_true(stream_end_fits(&c, h->newest.chunks, h->newest.bytes));
    for (uint32_t i = 0; i < CHUNKS; i++)
        wanted += h->version[i] != 0;
    assert_int_equal(found, wanted);
    chunk_reader_close(&r);
    free(value);
    close(fd);
    close(packs);
}

static int begin(void **state) {
    struct house *h = calloc(1, sizeof *h);
    strcpy(h->path, "/tmp/cloison-backup-XXXXXX");
    if (!mkdtemp(h->path)) return -1;
    h->folder = open(h->path, O_RDONLY | O_DIRECTORY);
    h->value = VALUE;
    h->most_bytes = UINT64_MAX;
    h->slack_ms = h->most_ms = TAKE_MOST_MS;
    for (uint32_t i = 0; i < CHUNKS; i++)
        h->version[i] = i % 50 == 49 ? 0 : 1;
    *state = h;
    return h->folder < 0;
}

static int end(void **state) {
    struct house *h = *state;
    char command[128];
    manifest_free(&h->newest);
    close(h->folder);
    snprintf(command, sizeof command, "rm -r %s", h->path);
    int result = system(command);
    free(h);
    return result;
}

static void is_given_back(void **state) {
    struct house *h = *state;
    assert_int_equal(take(h), BACKUP_DONE);
    assert_int_equal(h->newest.number, 1);
    gives_back(h);
    assert_int_equal(check(h), BACKUP_DONE);
}

static void one_percent(void **state) {
    struct house *h = *state;
    assert_int_equal(take(h), BACKUP_DONE);
    uint64_t all = h->fresh;
    for (uint32_t i = 0; i < CHUNKS; i += 100)
        h->version[i]++;
    assert_int_equal(take(h), BACKUP_DONE);
    assert_true(h->fresh * 50 < all); /* 1 % of the chunks, 2 % of the bytes at most */
    gives_back(h);
    assert_int_equal(take(h), BACKUP_DONE);
    assert_int_equal(h->fresh, 0);
    gives_back(h);
    assert_int_equal(check(h), BACKUP_DONE);
}

/* Snapshots without end: neither their packs nor the dead bytes in them grow without end. */
static void stays_bounded(void **state) {
    struct house *h = *state;
    h->value = 100;
    for (uint32_t round = 0; round < 90; round++) {
        for (uint32_t i = round % 10; i < CHUNKS; i += 10)
            h->version[i] = round % 7 == 3 && i % 3 == 0 ? 0 : round + 2;
        assert_int_equal(take(h), BACKUP_DONE);
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < h->newest.packs; i++)
            bytes += h->newest.pack[i].bytes;
        assert_true(h->newest.packs <= 66);
        assert_true(bytes < 6 * (h->newest.bytes + h->newest.chunks * CHUNK_HEAD) + (1 << 20));
    }
    gives_back(h);
}

static void without_the_table(void **state) {
    struct house *h = *state;
    assert_int_equal(take(h), BACKUP_DONE);
    uint64_t all = h->fresh;
    int table = openat(h->folder, "table", O_RDWR);
    uint8_t byte = 0;
    assert_int_equal(pread(table, &byte, 1, 5000), 1);
    byte ^= 1;
    assert_int_equal(pwrite(table, &byte, 1, 5000), 1);
    close(table);
    assert_int_equal(take(h), BACKUP_DONE);
    assert_int_equal(h->fresh, all); /* a table that is not sound is none */
    gives_back(h);
}

static void cut_short(void **state) {
    struct house *h = *state;
    assert_int_equal(take(h), BACKUP_DONE);
    assert_int_equal(take_from(h, &(struct source){.cut = CHUNKS / 2}), BACKUP_NO_STREAM);
    assert_int_equal(take_from(h, &(struct source){.cut = 0}), BACKUP_NO_STREAM);
    assert_int_equal(take_from(h, &(struct source){.cut = CHUNKS, .lie = true}), BACKUP_NO_STREAM);
    assert_int_equal(h->newest.number, 1);
    assert_int_equal(check(h), BACKUP_DONE);
    assert_int_equal(take(h), BACKUP_DONE);
    gives_back(h);
}

static int packs_there(const struct house *h) {
    int n = 0;
    DIR *all = fdopendir(sub(h, "packs"));
    for (struct dirent *e; (e = readdir(all));)
        n += e->d_name[0] != '.';
    closedir(all);
    return n;
}

/* A worker's stream that is longer than a store of its quota, or never done: no snapshot, and nothing of it stays in the spool. */
static void without_end(void **state) {
    struct house *h = *state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(take(h), BACKUP_DONE);
    int before = packs_there(h);
    uint64_t exact = h->newest.bytes + h->newest.chunks * CHUNK_HEAD;
    h->value = 9000; /* more than one pack */
    for (uint32_t i = 0; i < CHUNKS; i++)
        h->version[i] = 2;
    h->most_bytes = 30 << 20;
    assert_int_equal(take(h), BACKUP_NO_STREAM);
    assert_int_equal(packs_there(h), before);
    h->most_bytes = UINT64_MAX;
    assert_int_equal(take_from(h, &(struct source){.cut = CHUNKS, .lie = true}), BACKUP_NO_STREAM);
    assert_int_equal(packs_there(h), before);
    h->most_ms = 0;
    assert_int_equal(take(h), BACKUP_STALLED);
    assert_int_equal(packs_there(h), before);
    h->most_ms = TAKE_MOST_MS;
    h->value = VALUE;
    for (uint32_t i = 0; i < CHUNKS; i++)
        h->version[i] = i % 50 == 49 ? 0 : 3;
    h->most_bytes = exact - 1;
    assert_int_equal(take(h), BACKUP_NO_STREAM);
    h->most_bytes = exact;
    assert_int_equal(take(h), BACKUP_DONE);
    gives_back(h);
    assert_int_equal(check(h), BACKUP_DONE);
}

/* C7: a worker that gives its snapshot drop by drop is not waited for, however long it could go on */
static void drop_by_drop(void **state) {
    struct house *h = *state;
    signal(SIGPIPE, SIG_IGN);
    h->slack_ms = 50;
    assert_int_equal(take_from(h, &(struct source){.cut = CHUNKS, .drips = true}), BACKUP_STALLED);
    assert_int_equal(packs_there(h), 0);
    h->slack_ms = TAKE_SLACK_MS;
    assert_int_equal(take(h), BACKUP_DONE);
}

/* Every write of a snapshot fails once: nothing of it counts, and the next one is whole. */
static void full_disk(void **state) {
    struct house *h = *state;
    struct rlimit unlimited, small;
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    h->value = 200;
    assert_int_equal(take(h), BACKUP_DONE);
    for (uint32_t i = 0; i < CHUNKS; i += 2)
        h->version[i] = 2;
    getrlimit(RLIMIT_FSIZE, &unlimited);
    for (rlim_t most = 0; most < 400000; most = most ? most * 3 : 10) {
        small = (struct rlimit){.rlim_cur = most, .rlim_max = unlimited.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
        enum backup_result result = take(h);
        setrlimit(RLIMIT_FSIZE, &unlimited);
        assert_int_equal(result, BACKUP_SPOOL_FULL);
        assert_int_equal(check(h), BACKUP_DONE);
    }
    assert_int_equal(take(h), BACKUP_DONE);
    gives_back(h);
    assert_int_equal(check(h), BACKUP_DONE);
}

/* Killed at any moment: what is in the folder is the snapshot before, and the next one is whole. */
static void killed(void **state) {
    struct house *h = *state;
    assert_int_equal(take(h), BACKUP_DONE);
    for (int round = 0; round < 12; round++) {
        for (uint32_t i = (uint32_t)round; i < CHUNKS; i += 3)
            h->version[i] = (uint32_t)round + 2;
        pid_t child = fork();
        if (child == 0) {
            take(h);
            _exit(0);
        }
        usleep((useconds_t)(round * 1500));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        struct catalog_verdict v;
        assert_int_equal(check_against(h, 0, NULL, &v), BACKUP_DONE);
        if (v.newest > h->newest.number) { /* it was done just before */
            int manifests = sub(h, "manifests");
            manifest_free(&h->newest);
            assert_int_equal(catalog_load(manifests, v.newest, &h->newest), BACKUP_DONE);
            close(manifests);
        }
        assert_int_equal(take(h), BACKUP_DONE);
        gives_back(h);
    }
}

static void three(struct house *h) {
    for (uint32_t round = 1; round <= 3; round++) {
        for (uint32_t i = 0; i < CHUNKS; i += 5)
            h->version[i] = round;
        assert_int_equal(take(h), BACKUP_DONE);
    }
    assert_int_equal(check(h), BACKUP_DONE);
}

static void flip(int folder, const char *name, off_t at) {
    uint8_t byte;
    int fd = openat(folder, name, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* C7, C8: every flipped bit of a backup is found without the key */
/* One bit anywhere in any file, the first and the last byte among them. */
static void one_bit(void **state) {
    struct house *h = *state;
    h->value = 60;
    three(h);
    const char *const folders[] = {"packs", "manifests"};
    for (int f = 0; f < 2; f++) {
        int folder = sub(h, folders[f]);
        DIR *list = fdopendir(dup(folder));
        int files = 0;
        for (struct dirent *e; (e = readdir(list));) {
            struct stat st;
            if (e->d_name[0] == '.') continue;
            files++;
            fstatat(folder, e->d_name, &st, 0);
            for (int i = 0; i <= 40; i++) {
                off_t at = i < 40 ? st.st_size * i / 40 : st.st_size - 1;
                flip(folder, e->d_name, at);
                assert_int_equal(check(h), BACKUP_DAMAGED);
                flip(folder, e->d_name, at);
            }
        }
        assert_true(files >= 3);
        closedir(list);
        close(folder);
    }
    assert_int_equal(check(h), BACKUP_DONE);
}

static void missing(void **state) {
    struct house *h = *state;
    struct catalog_verdict v;
    char name[PACK_NAME + 1];
    three(h);
    int packs = sub(h, "packs"), manifests = sub(h, "manifests");
    pack_name(h->newest.pack[1].name, name);
    assert_int_equal(renameat(packs, name, h->folder, "away"), 0);
    assert_int_equal(check_against(h, 3, h->newest.hash, &v), BACKUP_MISSING);
    assert_true(v.wrong_is_pack);
    assert_memory_equal(v.wrong_pack, h->newest.pack[1].name, BACKUP_HASH);
    assert_int_equal(renameat(h->folder, "away", packs, name), 0);

    assert_int_equal(renameat(manifests, "0000000000000002", h->folder, "away"), 0);
    assert_int_equal(check_against(h, 3, h->newest.hash, &v), BACKUP_MISSING);
    assert_int_equal(v.wrong_number, 2);
    assert_int_equal(renameat(h->folder, "away", manifests, "0000000000000002"), 0);
    /* The oldest may go. */
    assert_int_equal(unlinkat(manifests, "0000000000000001", 0), 0);
    assert_int_equal(check(h), BACKUP_DONE);
    /* The newest is missing: only what is known elsewhere tells. */
    assert_int_equal(unlinkat(manifests, "0000000000000003", 0), 0);
    assert_int_equal(check(h), BACKUP_ROLLED_BACK);
    close(packs);
    close(manifests);
}

/* An older manifest in the newest one's place; also one that its number was written into, with a fitting hash. */
static void older_one(void **state) {
    struct house *h = *state;
    struct manifest old;
    size_t size;
    three(h);
    int manifests = sub(h, "manifests");
    assert_int_equal(linkat(manifests, "0000000000000003", manifests, "kept", 0), 0);
    assert_int_equal(linkat(manifests, "0000000000000002", manifests, "over", 0), 0);
    assert_int_equal(renameat(manifests, "over", manifests, "0000000000000003"), 0);
    assert_int_equal(check(h), BACKUP_DAMAGED);

    assert_int_equal(catalog_load(manifests, 2, &old), BACKUP_DONE);
    old.number = 3;
    uint8_t *bytes = manifest_format(&old, &size);
    int fd = openat(manifests, "over", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    put(fd, bytes, size);
    close(fd);
    free(bytes);
    manifest_free(&old);
    assert_int_equal(renameat(manifests, "over", manifests, "0000000000000003"), 0);
    struct catalog_verdict v;
    assert_int_equal(check_against(h, 0, NULL, &v), BACKUP_ROLLED_BACK); /* its previous is the first one's hash */
    assert_int_equal(v.wrong_number, 3);
    assert_int_equal(renameat(manifests, "kept", manifests, "0000000000000003"), 0);
    assert_int_equal(check(h), BACKUP_DONE);
    close(manifests);
}

static void plans_as_numbers(void **state) {
    (void)state;
    struct plan p = {.kind = BACKUP_ARCHIVE, .destination = 7, .period_minutes = 1440, .keep_hours = 24 * 3650, .paused = 1}, again;
    assert_true(plan_unpack(plan_pack(&p), &again));
    assert_memory_equal(&p, &again, sizeof p);
    assert_true(plan_unpack(0, &again) && again.period_minutes == 0);
    assert_false(plan_unpack(2, &again));          /* no such kind */
    assert_false(plan_unpack(1ULL << 16, &again)); /* kept for no time */
    assert_false(plan_unpack((PLAN_PERIOD_MAX + 1ULL) << 16 | 1ULL << 36, &again));
    assert_false(plan_unpack(1ULL << 16 | (PLAN_KEEP_MAX + 1ULL) << 36, &again));
    assert_false(plan_unpack(1ULL << 61 | 1ULL << 16 | 1ULL << 36, &again));
    assert_false(plan_unpack(1ULL << 8, &again)); /* no plan has no destination */
    for (enum backup_result r = 0; r < BACKUP_RESULTS; r++)
        assert_true(strlen(backup_result_word(r)) <= 31 && *backup_result_meaning(r));
}

int main(void) {
#define WITH(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        WITH(is_given_back),
        WITH(one_percent),
        WITH(stays_bounded),
        WITH(without_the_table),
        WITH(cut_short),
        WITH(without_end),
        WITH(drop_by_drop),
        WITH(full_disk),
        WITH(killed),
        WITH(one_bit),
        WITH(missing),
        WITH(older_one),
        cmocka_unit_test(plans_as_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

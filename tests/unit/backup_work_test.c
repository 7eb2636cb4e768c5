/* Between the spool and a destination: what is sent is whole, retention and locks hold, and what was lost, altered, put back or cut short
 * there is found without a key (C7, C8). */
#include "../../supervisor/backup/catalog.h"
#include "../../supervisor/backup/file.h"
#include "../../supervisor/backup/take.h"
#include "../../supervisor/courier/backup_work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNKS = 400, SIZE = 300 };
#define DAY 86400000ULL

struct place {
    char path[64], spool[96], medium[96];
    int spool_fd;
    struct destination *d;
    struct work w;
    uint32_t version;
    uint64_t now, counted;
};

static struct destination *open_destination(const char *medium, int spool) {
    struct message_destination is = {.kind = DESTINATION_DIRECTORY, .same_medium = 1, .name = "medium"};
    snprintf(is.path, sizeof is.path, "%s", medium);
    static struct destination *opened[64]; /* a destination lives as long as its process */
    static size_t count;
    assert_true(count < sizeof opened / sizeof *opened);
    return opened[count++] = destination_open(&is, -1, spool);
}

static void open_work(struct place *p) {
    p->w.folder = file_directory(p->spool_fd, "folder");
    p->w.manifests = file_directory(p->w.folder, "manifests");
    p->w.packs = file_directory(p->w.folder, "packs");
    p->w.fd = -1;
    assert_true(p->w.manifests >= 0 && p->w.packs >= 0);
    strcpy(p->w.prefix, "t/0000000000000001/backup/");
}

static int begin(void **state) {
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/cloison-work-XXXXXX");
    if (!mkdtemp(p->path)) return -1;
    snprintf(p->spool, sizeof p->spool, "%s/spool", p->path);
    snprintf(p->medium, sizeof p->medium, "%s/medium", p->path);
    mkdir(p->spool, 0700);
    mkdir(p->medium, 0700);
    p->spool_fd = open(p->spool, O_RDONLY | O_DIRECTORY);
    p->d = open_destination(p->medium, p->spool_fd);
    p->now = 1000 * DAY;
    p->version = 1;
    p->w.job = (struct message_job){.kind = BACKUP_COPY, .source = 1, .keep_ms = 10 * DAY, .now_ms = p->now};
    open_work(p);
    signal(SIGXFSZ, SIG_IGN);
    *state = p;
    return p->d ? 0 : -1;
}

static int end(void **state) {
    struct place *p = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", p->path);
    int result = system(command);
    free(p);
    return result;
}

static void *pour(void *argument) {
    const struct place *p = ((void **)argument)[0];
    int fd = *(int *)((void **)argument)[1];
    uint8_t out[STREAM_END], value[SIZE];
    FILE *to = fdopen(fd, "w");
    stream_head_write(&(struct stream_head){.commit = p->version}, out);
    fwrite(out, 1, STREAM_HEAD, to);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        uint8_t key[CHUNK_KEY] = {1, (uint8_t)(i >> 8), (uint8_t)i};
        backup_put(value, i % 7 ? 1 : p->version, 8);
        memset(value + 8, (int)i, sizeof value - 8);
        chunk_head(key, SIZE, out);
        fwrite(out, 1, CHUNK_HEAD, to);
        fwrite(value, 1, SIZE, to);
    }
    stream_end_write(CHUNKS, (uint64_t)CHUNKS * SIZE, out);
    fwrite(out, 1, STREAM_END, to);
    fclose(to);
    return NULL;
}

/* A snapshot into the spool. */
static enum backup_result take(struct place *p) {
    struct manifest before, made;
    uint64_t newest, fresh;
    int pipes[2];
    pthread_t thread;
    assert_int_equal(work_newest(&p->w, &before, &newest), BACKUP_DONE);
    assert_int_equal(pipe(pipes), 0);
    p->version++;
    void *argument[] = {p, &pipes[1]};
    pthread_create(&thread, NULL, pour, argument);
    struct take t = {.stream = pipes[0], .folder = p->w.folder, .before = newest ? &before : NULL, .tenant = 1, .number = newest + 1};
    t.taken_ms = p->now;
    t.counted_ms = p->counted;
    t.keep_ms = p->w.job.keep_ms;
    t.most_bytes = UINT64_MAX;
    t.slack_ms = t.most_ms = TAKE_MOST_MS;
    t.kind = (enum backup_kind)p->w.job.kind;
    enum backup_result result = take_snapshot(&t, &made, &fresh);
    pthread_join(thread, NULL);
    close(pipes[0]);
    if (newest) manifest_free(&before);
    if (result == BACKUP_DONE) {
        p->w.job.known = made.number;
        memcpy(p->w.job.hash, made.hash, sizeof made.hash);
        manifest_free(&made);
    }
    return result;
}

static void at(struct place *p, uint64_t days, uint64_t counted_days) {
    p->now = p->w.job.now_ms = (1000 + days) * DAY;
    p->counted = p->w.job.counted_ms = counted_days * DAY;
}

static void backed_up(struct place *p) {
    assert_int_equal(take(p), BACKUP_DONE);
    assert_int_equal(work_send(p->d, &p->w), BACKUP_DONE);
}

static enum backup_result check(struct place *p) {
    p->w.outcome = (struct message_outcome){0};
    return work_check(p->d, &p->w);
}

static void at_medium(const struct place *p, const char *folder, char path[256]) {
    snprintf(path, 256, "%s/t/0000000000000001/backup/%s", p->medium, folder);
}

static int count(const struct place *p, const char *folder) {
    char path[256];
    int n = 0;
    at_medium(p, folder, path);
    DIR *all = opendir(path);
    for (struct dirent *e; all && (e = readdir(all));)
        n += e->d_name[0] != '.';
    if (all) closedir(all);
    return n;
}

/* The first file of the folder there. */
static void first_of(const struct place *p, const char *folder, char path[512]) {
    char directory[256];
    at_medium(p, folder, directory);
    DIR *all = opendir(directory);
    for (struct dirent *e; (e = readdir(all));)
        if (e->d_name[0] != '.') snprintf(path, 512, "%s/%s", directory, e->d_name);
    closedir(all);
}

static void is_sent_and_sound(void **state) {
    struct place *p = *state;
    for (int i = 0; i < 3; i++)
        backed_up(p);
    assert_int_equal(count(p, "manifests"), 3);
    assert_int_equal(count(p, "packs"), 3);
    assert_int_equal(work_sent(&p->w), 3);
    assert_int_equal(check(p), BACKUP_DONE);
    assert_int_equal(p->w.outcome.packs, 3);
    DIR *spool = fdopendir(openat(p->w.packs, ".", O_RDONLY));
    for (struct dirent *e; (e = readdir(spool));)
        assert_int_equal(e->d_name[0], '.'); /* nothing is left in the spool */
    closedir(spool);
}

static void retention(void **state) {
    struct place *p = *state;
    for (uint64_t day = 0; day < 15; day += 5) {
        at(p, day, 0);
        backed_up(p);
    }
    assert_int_equal(work_prune(p->d, &p->w, false), BACKUP_DONE);
    assert_int_equal(count(p, "manifests"), 2); /* the one of day 0 is ten days old */
    assert_int_equal(check(p), BACKUP_DONE);
    at(p, 500, 0);
    assert_int_equal(work_prune(p->d, &p->w, false), BACKUP_DONE);
    assert_int_equal(count(p, "manifests"), 1); /* the newest stays, however old */
    assert_int_equal(check(p), BACKUP_DONE);
    assert_int_equal(work_prune(p->d, &p->w, true), BACKUP_DONE);
    assert_int_equal(count(p, "manifests") + count(p, "packs"), 0);
}

/* S14: what is erased at the destination is not left in the spool. */
static void nothing_is_left_in_the_spool(void **state) {
    struct place *p = *state;
    char command[300];
    backed_up(p);
    assert_int_equal(take(p), BACKUP_DONE); /* never sent */
    int half = openat(p->w.packs, "new", O_WRONLY | O_CREAT, 0600), fetched = openat(p->w.folder, "fetched", O_WRONLY | O_CREAT, 0600);
    assert_true(half >= 0 && fetched >= 0);
    close(half);
    close(fetched);
    assert_int_equal(work_prune(p->d, &p->w, true), BACKUP_DONE);
    assert_int_equal(count(p, "manifests") + count(p, "packs"), 0);
    snprintf(command, sizeof command, "test -z \"$(find %s -type f)\"", p->spool);
    assert_int_equal(system(command), 0);
}

/* C8: a lock outlives a clock that is set, a shorter plan and the plan's end */
/* Neither by the clock alone, nor by the house's own time alone, nor by a shorter plan. */
static void locks(void **state) {
    struct place *p = *state;
    p->w.job.kind = BACKUP_ARCHIVE;
    at(p, 0, 0);
    backed_up(p);
    at(p, 1, 1);
    backed_up(p);
    const uint64_t days[][2] = {{5, 5}, {5000, 5}, {5, 5000}, {9, 10}, {10, 9}, {0, 0}};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        at(p, days[i][0], days[i][1]);
        p->w.job.keep_ms = 1;
        assert_int_equal(work_prune(p->d, &p->w, false), BACKUP_DONE);
        assert_int_equal(work_prune(p->d, &p->w, true), BACKUP_LOCKED);
        assert_int_equal(count(p, "manifests"), 2);
        assert_int_equal(count(p, "packs"), 2);
    }
    at(p, 10, 10);
    assert_int_equal(work_prune(p->d, &p->w, true), BACKUP_LOCKED);
    assert_int_equal(count(p, "manifests"), 1);
    assert_int_equal(check(p), BACKUP_DONE);
    at(p, 11, 11);
    assert_int_equal(work_prune(p->d, &p->w, true), BACKUP_DONE);
    assert_int_equal(count(p, "manifests") + count(p, "packs"), 0);
}

static void flip(const char *path, off_t where) {
    uint8_t byte;
    chmod(path, 0600);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, where), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, where), 1);
    close(fd);
}

static void tampered(void **state) {
    struct place *p = *state;
    char file[512], away[600], older[512];
    for (int i = 0; i < 3; i++)
        backed_up(p);
    const char *const folders[] = {"packs", "manifests"};
    for (int f = 0; f < 2; f++) {
        first_of(p, folders[f], file);
        flip(file, 200);
        assert_int_equal(check(p), BACKUP_DAMAGED);
        flip(file, 200);
        snprintf(away, sizeof away, "%s/away", p->path);
        assert_int_equal(rename(file, away), 0);
        assert_int_equal(check(p), BACKUP_MISSING);
        assert_true(p->w.outcome.wrong_number > 0);
        assert_int_equal(rename(away, file), 0);
    }
    /* An older one in the newest one's place. */
    at_medium(p, "manifests/0000000000000003", file);
    at_medium(p, "manifests/0000000000000002", older);
    assert_int_equal(rename(file, away), 0);
    assert_int_equal(link(older, file), 0);
    assert_int_equal(check(p), BACKUP_DAMAGED);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rename(away, file), 0);
    assert_int_equal(check(p), BACKUP_DONE);
}

/* The spool is lost, and the newest snapshot at the destination with it: what the registry knows tells. */
static void rolled_back(void **state) {
    struct place *p = *state;
    char file[512], command[200];
    for (int i = 0; i < 3; i++)
        backed_up(p);
    snprintf(command, sizeof command, "rm -r %s/folder", p->spool);
    assert_int_equal(system(command), 0);
    open_work(p);
    assert_false(work_has_catalog(&p->w));
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
    assert_int_equal(check(p), BACKUP_DONE); /* all of it is at the destination */
    at_medium(p, "manifests/0000000000000003", file);
    unlink(file);
    assert_int_equal(system(command), 0);
    open_work(p);
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
    assert_int_equal(check(p), BACKUP_ROLLED_BACK);
    assert_int_equal(p->w.outcome.wrong_number, 3);
}

/* A file at the destination, which whoever holds it can make. */
static void plant(const struct place *p, const char *name, const void *bytes, size_t size, char path[512]) {
    char folder[256];
    at_medium(p, "manifests", folder);
    snprintf(path, 512, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void forge(const struct place *p, struct manifest m, const char *name, char path[512]) {
    size_t size;
    uint8_t *bytes = manifest_format(&m, &size);
    plant(p, name, bytes, size, path);
    free(bytes);
}

static void without_spool(struct place *p) {
    char command[200];
    snprintf(command, sizeof command, "rm -r %s/folder", p->spool);
    assert_int_equal(system(command), 0);
    open_work(p);
}

static size_t catalogued(const struct place *p) {
    uint64_t *number;
    size_t count;
    assert_true(catalog_list(p->w.manifests, &number, &count));
    free(number);
    return count;
}

/* C7, C8: who holds the store can make manifests, and none of them is taken that would make the next snapshot none, or another tenant's */
static void forged(void **state) {
    struct place *p = *state;
    const struct manifest right = {.tenant = 1, .number = 4, .taken_ms = p->now, .kind = BACKUP_COPY};
    struct manifest wrong[6];
    static const char *const name[6] = {"ffffffffffffffff", "8000000000000000", "0000000000000005",
                                        "0000000000000004", "0000000000000004", "0000000000000004"};
    char path[512];
    for (int i = 0; i < 6; i++)
        wrong[i] = right;
    wrong[0].number = UINT64_MAX;
    wrong[1].number = 1ULL << 63;
    wrong[3].tenant = 2;
    wrong[4].kind = BACKUP_ARCHIVE;
    wrong[5].taken_ms = p->now + 2 * DAY;
    for (int i = 0; i < 3; i++)
        backed_up(p);
    for (int i = 0; i < 8; i++) {
        without_spool(p);
        if (i < 6)
            forge(p, wrong[i], name[i], path);
        else
            plant(p, "0000000000000004", "another's bytes", i == 6 ? 15 : 0, path);
        p->w.job.task = TASK_TAKE;
        assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DAMAGED);
        assert_int_equal(catalogued(p), 0);
        p->w.job.task = TASK_GIVE; /* what is whole can be given all the same, */
        assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
        assert_int_equal(catalogued(p), 3);
        p->w.job.task = TASK_SEND; /* and nothing else be done */
        assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DAMAGED);
        unlink(path);
        assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
        assert_int_equal(catalogued(p), 3);
        assert_int_equal(check(p), BACKUP_DONE);
    }
}

/* Where nothing lies at the destination it is asked once. */
static void adopts_nothing(void **state) {
    struct place *p = *state;
    assert_false(work_has_catalog(&p->w));
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
    assert_true(work_has_catalog(&p->w));
    backed_up(p);
    assert_int_equal(check(p), BACKUP_DONE);
    assert_int_equal(work_empty(p->w.manifests), BACKUP_DONE); /* lost: what lies there is nobody's if it is not looked at */
    assert_false(work_has_catalog(&p->w));
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
    assert_int_equal(catalogued(p), 1);
    assert_int_equal(work_prune(p->d, &p->w, true), BACKUP_DONE);
    assert_false(work_has_catalog(&p->w)); /* the next plan looks again */
}

/* C7: what lies at a destination fills no disk of ours, and is not waited for without end */
static void too_much(void **state) {
    struct place *p = *state;
    char path[512], folder[256];
    backed_up(p);
    without_spool(p);
    work_leaves_share = 1; /* all of it */
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_SPOOL_FULL);
    work_leaves_share = 64;
    work_adopt_ms = 0;
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_STALLED);
    work_adopt_ms = 60000;
    for (int i = 0; i < 2; i++) { /* neither is too large by itself */
        plant(p, i ? "0000000000000002" : "0000000000000003", "", 0, path);
        assert_int_equal(truncate(path, 200 << 20), 0);
    }
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_LIED);
    assert_int_equal(catalogued(p), 0);
    plant(p, "0000000000000003", "", 0, path);
    unlink(path);
    at_medium(p, "manifests", folder);
    struct manifest m = {.tenant = 1, .number = 2, .kind = BACKUP_COPY};
    forge(p, m, "0000000000000002", path);
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
    assert_int_equal(catalogued(p), 2);
    unlink(path); /* another try, another set: nothing adds up */
    int mark = openat(p->w.folder, "adopting", O_WRONLY | O_CREAT, 0600);
    close(mark);
    assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
    assert_int_equal(catalogued(p), 1);
}

/* Another machine writes under the same number: nothing of it is replaced. */
static void never_replaced(void **state) {
    struct place *p = *state;
    char file[512];
    backed_up(p);
    at_medium(p, "manifests/0000000000000002", file);
    int fd = open(file, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "another's", 9), 9);
    close(fd);
    assert_int_equal(take(p), BACKUP_DONE);
    assert_int_equal(work_send(p->d, &p->w), BACKUP_LIED);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_size, 9);
}

/* Killed at any moment of sending, pruning and adopting: the next try ends well, and nothing that is named is missing. */
static void killed(void **state) {
    struct place *p = *state;
    char command[200];
    backed_up(p);
    for (int round = 0; round < 30; round++) {
        at(p, (uint64_t)round, 0);
        if (round % 3 == 2) {
            snprintf(command, sizeof command, "rm -r %s/folder", p->spool);
            assert_int_equal(system(command), 0);
            open_work(p);
        } else {
            assert_int_equal(take(p), BACKUP_DONE);
        }
        pid_t child = fork();
        if (child == 0) {
            if (work_adopt(p->d, &p->w) == BACKUP_DONE && work_send(p->d, &p->w) == BACKUP_DONE) work_prune(p->d, &p->w, false);
            _exit(0);
        }
        usleep((useconds_t)(round * 700));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
        assert_int_equal(work_send(p->d, &p->w), BACKUP_DONE);
        assert_int_equal(work_prune(p->d, &p->w, false), BACKUP_DONE);
        assert_int_equal(check(p), BACKUP_DONE);
    }
}

/* The spool's disk is full at any write: said so, and the next try ends well. */
static void full_disk(void **state) {
    struct place *p = *state;
    struct rlimit unlimited, small;
    char command[200];
    for (int i = 0; i < 3; i++)
        backed_up(p);
    getrlimit(RLIMIT_FSIZE, &unlimited);
    for (rlim_t most = 0; most < 300; most += 37) {
        snprintf(command, sizeof command, "rm -r %s/folder", p->spool);
        assert_int_equal(system(command), 0);
        open_work(p);
        small = (struct rlimit){most, unlimited.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
        enum backup_result result = work_adopt(p->d, &p->w);
        setrlimit(RLIMIT_FSIZE, &unlimited);
        if (most < 200) assert_true(result == BACKUP_SPOOL_FULL || result == BACKUP_SPOOL);
        assert_int_equal(work_adopt(p->d, &p->w), BACKUP_DONE);
        assert_int_equal(check(p), BACKUP_DONE);
    }
}

int main(void) {
#define WITH(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {WITH(is_sent_and_sound),
                                       WITH(retention),
                                       WITH(nothing_is_left_in_the_spool),
                                       WITH(locks),
                                       WITH(tampered),
                                       WITH(rolled_back),
                                       WITH(forged),
                                       WITH(too_much),
                                       WITH(adopts_nothing),
                                       WITH(never_replaced),
                                       WITH(killed),
                                       WITH(full_disk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

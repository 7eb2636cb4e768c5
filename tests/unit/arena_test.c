/*
 * The secret arena: what lies in it (OpenSSL's, libevent's and jansson's allocations, stacks, thread-locals), what must not be readable,
 * what happens when it is full, and that nothing of it falls back to ordinary memory.
 */
#include "../../worker/memory/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WANTED = 64 << 20 };
static enum arena_kind kind;

#ifdef CLOISON_SANITIZED

static void is_ordinary(void **state) {
    (void)state;
    errno = 0;
    assert_int_equal(arena_open(WANTED, true), ARENA_NONE);
    assert_int_equal(errno, ENOSYS);
    assert_int_equal(arena_open(WANTED, false), ARENA_PLAIN);
    assert_int_equal(arena_used(), 0);
    (void)kind;
}

static void *add_one(void *p) {
    ++*(int *)p;
    return NULL;
}
static void threads_run(void **state) {
    (void)state;
    pthread_t thread;
    int n = 1;
    assert_int_equal(arena_thread(&thread, 65536, add_one, &n), 0);
    arena_join(thread);
    assert_int_equal(n, 2);
    void *p = arena_scratch(100000);
    assert_non_null(p);
    arena_scratch_free(p, 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_ordinary), cmocka_unit_test(threads_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void is_within_the_limit(void **state) {
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    assert_true(limit.rlim_cur == limit.rlim_max);
    assert_true(arena_size() >= ARENA_MIN && arena_size() <= WANTED);
    if (kind == ARENA_SECRET && limit.rlim_max < WANTED) assert_true(arena_size() <= limit.rlim_max);
    assert_true(arena_used() > 0 && arena_used() < arena_size());
    assert_int_equal(arena_open(WANTED, true), ARENA_NONE); /* once */
    assert_int_equal(errno, EINVAL);
}

static _Thread_local int thread_local_value = 3;

/* Everything below runs on a thread of the arena. */
static void *on_the_thread(void *result) {
    int local = 0;
    bool *fine = result;
    *fine = arena_holds(&local) && arena_holds(&thread_local_value) && thread_local_value == 3;

    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *ssl = SSL_new(context);
    BIO *bio = BIO_new(BIO_s_mem());
    *fine &= context && ssl && bio && arena_holds(context) && arena_holds(ssl) && arena_holds(bio);
    SSL_free(ssl);
    SSL_CTX_free(context);
    BIO_free(bio);

    struct event_base *base = event_base_new();
    *fine &= base && arena_holds(base);
    event_base_free(base);

    json_t *json = json_loads("{\"name\":\"a secret\"}", 0, NULL);
    *fine &= json && arena_holds(json) && arena_holds(json_string_value(json_object_get(json, "name")));
    json_decref(json);

    char *line = NULL;
    *fine &= asprintf(&line, "%d", local) > 0 && arena_holds(line);
    free(line);
    return NULL;
}

static void libraries_allocate_in_it(void **state) {
    (void)state;
    pthread_t thread;
    bool fine = false;
    assert_int_equal(arena_thread(&thread, 128 * 1024, on_the_thread, &fine), 0);
    arena_join(thread);
    assert_true(fine);
    void *p = malloc(10);
    assert_true(arena_holds(p)); /* the first thread, too */
    free(p);
    for (size_t size = 1; size < 300000; size = size * 3 / 2 + 1) {
        p = calloc(1, size);
        assert_true(p && arena_holds(p) && arena_holds((char *)p + size - 1));
        p = realloc(p, size * 2);
        assert_true(p && arena_holds(p));
        free(p);
    }
    assert_int_equal(posix_memalign(&p, 65536, 100), 0);
    assert_true(arena_holds(p));
    free(p);
}

static void odd_stacks_are_refused(void **state) {
    (void)state;
    pthread_t thread;
    assert_int_equal(arena_thread(&thread, 65537, on_the_thread, NULL), EINVAL);
    assert_int_equal(arena_thread(&thread, 4096, on_the_thread, NULL), EINVAL);
    assert_int_equal(arena_thread(&thread, (size_t)1 << 40, on_the_thread, NULL), EINVAL);
    assert_int_equal(arena_thread(&thread, SIZE_MAX / 4096 * 4096, on_the_thread, NULL), EINVAL);
}

static void outside_is_outside(void **state) {
    (void)state;
    for (size_t size = 0; size < 300000; size = size * 3 / 2 + 1) {
        free(malloc(size)); /* the cache has one of ours to offer */
        uint8_t *p = arena_outside_malloc(size), *zero = arena_outside_calloc(3, size);
        assert_true(p && !arena_holds(p) && zero && !arena_holds(zero));
        for (size_t i = 0; i < 3 * size; i++)
            assert_int_equal(zero[i], 0);
        p = arena_outside_realloc(p, 2 * size);
        assert_true(p && !arena_holds(p));
        arena_outside_free(p);
        arena_outside_free(zero);
        p = malloc(size);
        assert_true(arena_holds(p)); /* and nothing of theirs came into it */
        free(p);
    }
    arena_outside_free(NULL);
    assert_null(arena_outside_calloc(SIZE_MAX / 2, 3));
}

static void leaving_nests(void **state) {
    (void)state;
    void *small[200];
    for (int i = 0; i < 200; i++)
        small[i] = malloc(40);
    for (int i = 0; i < 200; i++)
        free(small[i]); /* the thread's cache holds some of these now */
    arena_leave();
    arena_leave();
    for (int i = 0; i < 200; i++) {
        small[i] = malloc(40);
        assert_false(arena_holds(small[i]));
    }
    void *large = malloc(1 << 20);
    assert_true(large && !arena_holds(large));
    arena_return();
    void *p = malloc(40);
    assert_false(arena_holds(p));
    free(p);
    for (int i = 0; i < 200; i++)
        free(small[i]);
    arena_return();
    for (int i = 0; i < 200; i++) {
        small[i] = malloc(40);
        assert_true(arena_holds(small[i]));
    }
    for (int i = 0; i < 200; i++)
        free(small[i]);
    free(large);
}

/* Fills it twice: the second time it must hold as much, so nothing was lost to fragments. */
static void full_is_null(void **state) {
    (void)state;
    static void *block[1 << 20];
    size_t first = 0, second = 0;
    for (int round = 0; round < 2; round++) {
        size_t n = 0, total = 0;
        for (size_t size = 100000; size >= 16; size /= 4) {
            void *p;
            while (n < sizeof block / sizeof *block && (p = malloc(size))) {
                if (!arena_holds(p)) fail();
                memset(p, 1, 16);
                block[n++] = p;
                total += size;
            }
        }
        errno = 0;
        assert_null(malloc(100000));
        assert_int_equal(errno, ENOMEM);
        assert_null(malloc(SIZE_MAX / 2));
        *(round ? &second : &first) = total;
        for (size_t i = 0; i < n; i++)
            free(block[i]);
    }
    assert_true(first > (arena_size() - arena_size() / 4) - (512 << 10));
    assert_true(second + (256 << 10) > first);
    void *p = malloc(1 << 20); /* neighbours have merged again */
    assert_true(p && arena_holds(p));
    free(p);
}

static void is_unreadable(void **state) {
    (void)state;
    if (kind != ARENA_SECRET) skip();
    static char canary[] = "nobody may read this";
    char *secret = malloc(sizeof canary), path[64], out[sizeof canary];
    memcpy(secret, canary, sizeof canary);
    snprintf(path, sizeof path, "/proc/%d/mem", (int)getpid());
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, out, sizeof out, (off_t)(uintptr_t)canary), sizeof out); /* the means work */
    assert_true(pread(fd, out, sizeof out, (off_t)(uintptr_t)secret) < 0);
    close(fd);
    struct iovec to = {out, sizeof out}, from = {secret, sizeof canary};
    assert_true(process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 0);
    int p[2];
    assert_int_equal(pipe(p), 0);
    assert_true(vmsplice(p[1], &from, 1, 0) < 0);
    close(p[0]);
    close(p[1]);
    free(secret);
}

static void fd_is_closed(void **state) {
    (void)state;
    char path[64], target[256];
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n < 0) continue;
        target[n] = 0;
        assert_null(strstr(target, "secretmem"));
    }
}

static void scratch_is_outside(void **state) {
    (void)state;
    enum { BYTES = 20 << 20 };
    char *p = arena_scratch(BYTES);
    assert_non_null(p);
    assert_false(arena_holds(p));
    memset(p, 7, BYTES);
    arena_scratch_free(p, BYTES);
    assert_int_equal(msync(p, BYTES, MS_ASYNC), -1); /* unmapped */
    assert_int_equal(errno, ENOMEM);
    arena_scratch_free(NULL, BYTES);
    assert_null(arena_scratch(SIZE_MAX / 2));
}

static void *overflow(void *unused) {
    volatile char large[200 * 1024];
    (void)unused;
    for (size_t i = sizeof large; i > 0; i -= 512)
        large[i - 1] = 1;
    return NULL;
}

/* In a child with an arena of its own: forked before this one has any. */
static int overflow_status;
static void overflow_in_a_child(void) {
    pthread_t thread;
    pid_t pid = fork();
    if (pid == 0) {
        if (arena_open(WANTED, false) == ARENA_NONE || arena_thread(&thread, 65536, overflow, NULL) != 0) _exit(1);
        arena_join(thread);
        _exit(0);
    }
    if (waitpid(pid, &overflow_status, 0) != pid) overflow_status = 0;
}

static void stacks_have_a_guard(void **state) {
    (void)state;
    assert_true(WIFSIGNALED(overflow_status) && WTERMSIG(overflow_status) == SIGSEGV);
}

int main(void) {
    overflow_in_a_child();
    kind = arena_open(WANTED, false);
    if (kind == ARENA_NONE) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_within_the_limit),    cmocka_unit_test(libraries_allocate_in_it),
        cmocka_unit_test(odd_stacks_are_refused), cmocka_unit_test(leaving_nests),
        cmocka_unit_test(full_is_null),           cmocka_unit_test(is_unreadable),
        cmocka_unit_test(fd_is_closed),           cmocka_unit_test(scratch_is_outside),
        cmocka_unit_test(stacks_have_a_guard),    cmocka_unit_test(outside_is_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif

#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLOISON_SANITIZED
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#endif

enum { PAGE = 4096, HUGE_PAGE = 2 << 20, SHRINK = 64 * 1024 };

/* What has been handed out grows from both ends: extents from the bottom, stacks from the top. None of it comes back. */
static struct {
    uint8_t *base;
    size_t size;
    size_t low;  /* end of the extents */
    size_t high; /* start of the stacks */
} map;

/* Whole huge pages, where the kernel has them: a password KDF's 19 MiB come a third faster, and what is not on the boundary of one comes in
 * small pages after all. */
static size_t whole_pages(size_t bytes) { return bytes < HUGE_PAGE ? bytes : (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE; }

static void *map_whole(size_t bytes) {
    size_t more = bytes < HUGE_PAGE ? 0 : HUGE_PAGE;
    uint8_t *p = mmap(NULL, bytes + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t before = more ? (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE : 0;
    if (before) munmap(p, before);
    if (more > before) munmap(p + before + bytes, more - before);
    return p + before;
}

void *arena_scratch(size_t bytes) {
    if (bytes > SIZE_MAX / 4) return NULL;
    bytes = whole_pages(bytes);
    void *p = map_whole(bytes);
    if (!p) return NULL;
    madvise(p, bytes, MADV_HUGEPAGE);
    if (madvise(p, bytes, MADV_DONTDUMP) == 0) return p;
    munmap(p, bytes);
    return NULL;
}

void arena_scratch_free(void *p, size_t bytes) {
    if (p) munmap(p, whole_pages(bytes));
}

size_t arena_size(void) { return map.size; }
bool arena_holds(const void *p) { return (uintptr_t)p - (uintptr_t)map.base < map.size; }

/* The threads ever started. */
static struct started {
    pthread_t thread; /* written by the one that started it, and read by it */
    void *(*run)(void *);
    void *argument;
    bool running, ended;
} threads[ARENA_THREADS];
static size_t thread_count;
static pthread_mutex_t thread_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t thread_news = PTHREAD_COND_INITIALIZER;

static struct started *new_thread(void *(*run)(void *), void *argument) {
    struct started *started = NULL;
    pthread_mutex_lock(&thread_lock);
    if (thread_count < ARENA_THREADS) started = &threads[thread_count++];
    pthread_mutex_unlock(&thread_lock);
    if (started) *started = (struct started){.run = run, .argument = argument};
    return started;
}

static void thread_is(bool *what) {
    pthread_mutex_lock(&thread_lock);
    *what = true;
    pthread_cond_broadcast(&thread_news);
    pthread_mutex_unlock(&thread_lock);
}

/* The C library's part of a start makes calls that a worker's list does not have (rseq): a wall closed in between would kill. */
static void wait_until_running(const struct started *started) {
    pthread_mutex_lock(&thread_lock);
    while (!started->running)
        pthread_cond_wait(&thread_news, &thread_lock);
    pthread_mutex_unlock(&thread_lock);
}

void arena_join(pthread_t thread) {
    pthread_mutex_lock(&thread_lock);
    for (size_t i = 0; i < thread_count; i++)
        while (pthread_equal(threads[i].thread, thread) && !threads[i].ended)
            pthread_cond_wait(&thread_news, &thread_lock);
    pthread_mutex_unlock(&thread_lock);
}

#ifdef CLOISON_SANITIZED

static void *start_thread(void *p) {
    struct started *self = p;
    thread_is(&self->running);
    self->run(self->argument);
    thread_is(&self->ended);
    return NULL;
}

enum arena_kind arena_open(size_t bytes, bool secret_required) {
    errno = bytes < ARENA_MIN ? EINVAL : ENOSYS;
    return bytes < ARENA_MIN || secret_required ? ARENA_NONE : ARENA_PLAIN;
}

int arena_thread(pthread_t *thread, size_t stack_bytes, void *(*run)(void *), void *argument) {
    struct started *started = new_thread(run, argument);
    if (!started) return EAGAIN;
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error) return error;
    /* Instrumented frames are several times the size. */
    error = pthread_attr_setstacksize(&attributes, stack_bytes * 4);
    if (!error) error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (!error) error = pthread_create(thread, &attributes, start_thread, started);
    pthread_attr_destroy(&attributes);
    if (error) return error;
    started->thread = *thread;
    wait_until_running(started);
    return 0;
}

void arena_leave(void) {}
void arena_return(void) {}
void *arena_outside_malloc(size_t size) { return malloc(size); }
void *arena_outside_calloc(size_t count, size_t size) { return calloc(count, size); }
void *arena_outside_realloc(void *p, size_t size) { return realloc(p, size); }
void arena_outside_free(void *p) { free(p); }
void arena_outside_keep(bool keep) { (void)keep; }
size_t arena_used(void) { return 0; }

#else

/*
 * Read by jemalloc when it starts. One arena for what comes before ours. Free runs of pages go straight back among the retained ones, where
 * neighbours merge: nothing can be given back to the kernel, so what counts is that no run stays unusable. Thread caches are small: they
 * hide memory from the other threads. No huge pages: an idle worker counts in kilobytes.
 */
const char *malloc_conf = "narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0,retain:true,thp:never,metadata_thp:disabled,background_thread:false,"
                          "lg_tcache_max:15,tcache_nslots_small_min:4,tcache_nslots_small_max:16,tcache_nslots_large:2";

/* As the allocator's experimental.arenas_create_ext takes it: its own bookkeeping need not, and in 8 MiB could not, lie in the arena. */
struct arena_config {
    extent_hooks_t *hooks;
    bool metadata_use_hooks;
};

static pthread_mutex_t map_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned ours;                  /* the allocator's number of our arena */
static const size_t *active_pages;     /* its count of pages in use */
static _Thread_local unsigned outside; /* how deep in arena_leave() */

/* `alignment` is a power of two >= PAGE, `size` a multiple of PAGE: the allocator's contract. */
static void *extent_alloc(extent_hooks_t *hooks, void *wanted, size_t size, size_t alignment, bool *zero, bool *commit, unsigned arena) {
    (void)hooks, (void)arena;
    void *extent = NULL;
    pthread_mutex_lock(&map_lock);
    uintptr_t free_from = (uintptr_t)map.base + map.low, end = (uintptr_t)map.base + map.high;
    uintptr_t at = (free_from + alignment - 1) & ~(uintptr_t)(alignment - 1);
    if (at >= free_from && at <= end && end - at >= size && (!wanted || (uintptr_t)wanted == at)) {
        extent = (void *)at;
        map.low = at - (uintptr_t)map.base + size;
    }
    pthread_mutex_unlock(&map_lock);
    if (!extent) return NULL;
    *zero = true; /* each page is handed out once */
    *commit = true;
    return extent;
}

/* true = refused: the allocator keeps what it has, resident and usable. */
static bool extent_keep(extent_hooks_t *hooks, void *p, size_t size, bool committed, unsigned arena) {
    (void)hooks, (void)p, (void)size, (void)committed, (void)arena;
    return true;
}
static bool extent_no_change(extent_hooks_t *hooks, void *p, size_t size, size_t offset, size_t length, unsigned arena) {
    (void)hooks, (void)p, (void)size, (void)offset, (void)length, (void)arena;
    return true;
}
static bool extent_committed(extent_hooks_t *hooks, void *p, size_t size, size_t offset, size_t length, unsigned arena) {
    (void)hooks, (void)p, (void)size, (void)offset, (void)length, (void)arena;
    return false;
}
/* false = fine: any two neighbours are one mapping. */
static bool extent_split(extent_hooks_t *hooks, void *p, size_t size, size_t a, size_t b, bool committed, unsigned arena) {
    (void)hooks, (void)p, (void)size, (void)a, (void)b, (void)committed, (void)arena;
    return false;
}
static bool extent_merge(extent_hooks_t *hooks, void *a, size_t a_size, void *b, size_t b_size, bool committed, unsigned arena) {
    (void)hooks, (void)a, (void)a_size, (void)b, (void)b_size, (void)committed, (void)arena;
    return false;
}

static extent_hooks_t extent_hooks = {
    .alloc = extent_alloc,
    .dalloc = extent_keep,
    .commit = extent_committed,
    .decommit = extent_no_change,
    .purge_lazy = extent_no_change,
    .purge_forced = extent_no_change,
    .split = extent_split,
    .merge = extent_merge,
};

/* From now on the calling thread allocates there, its cache included. */
static int allocate_in(unsigned arena) {
    int error = mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    return error ? error : mallctl("thread.arena", NULL, NULL, &arena, sizeof arena);
}

static int make_arena(void) {
    struct arena_config config = {.hooks = &extent_hooks, .metadata_use_hooks = false};
    size_t size = sizeof ours;
    int error = mallctl("experimental.arenas_create_ext", &ours, &size, &config, sizeof config);
    uint64_t epoch = 1; /* a new arena has no name there before the statistics were taken once */
    if (!error) error = mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    if (error) return error;
    char name[64];
    snprintf(name, sizeof name, "experimental.arenas.%u.pactivep", ours);
    size = sizeof active_pages;
    error = mallctl(name, (void *)&active_pages, &size, NULL, 0);
    return error ? error : allocate_in(ours);
}

/* The hard limit of locked memory, with the soft one raised to it. 0 with errno. */
static size_t lockable(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0) return 0;
    return limit.rlim_max == RLIM_INFINITY || limit.rlim_max > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)limit.rlim_max;
}

/* S4: plaintext and keys lie in memory that no other process reaches, root's included */
/* The memfd is closed as soon as it is mapped: root could take an open one with pidfd_getfd. */
static bool map_secret(size_t bytes) {
    size_t limit = lockable();
    if (limit == 0) return false;
    if (bytes > limit) bytes = limit & ~(size_t)(PAGE - 1);
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd < 0) return false;
    void *p = MAP_FAILED;
    errno = EAGAIN;
    /* A file of secret memory takes its size once; a mapping may be smaller, where part of the limit is taken already. */
    bool sized = bytes >= ARENA_MIN && ftruncate(fd, (off_t)bytes) == 0;
    while (sized && bytes >= ARENA_MIN) {
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p != MAP_FAILED || errno != EAGAIN) break;
        bytes -= SHRINK;
    }
    int error = errno;
    close(fd);
    errno = error;
    if (p == MAP_FAILED) return false;
    map.base = p;
    map.size = map.high = bytes;
    return true;
}

static bool map_plain(size_t bytes) {
    void *p = arena_scratch(bytes);
    if (!p) return false;
    madvise(p, bytes, MADV_NOHUGEPAGE); /* it lives long and fills slowly */
    map.base = p;
    map.size = map.high = bytes;
    return true;
}

enum arena_kind arena_open(size_t bytes, bool secret_required) {
    if (bytes < ARENA_MIN || bytes > SIZE_MAX / 2 || map.base) {
        errno = EINVAL;
        return ARENA_NONE;
    }
    bytes &= ~(size_t)(PAGE - 1);
    enum arena_kind kind = map_secret(bytes) ? ARENA_SECRET : ARENA_NONE;
    if (kind == ARENA_NONE && !secret_required && map_plain(bytes)) kind = ARENA_PLAIN;
    if (kind == ARENA_NONE) return ARENA_NONE;
    int error = make_arena();
    if (!error) return kind;
    munmap(map.base, map.size);
    map.base = NULL;
    errno = error;
    return ARENA_NONE;
}

size_t arena_used(void) { return map.base ? *(const volatile size_t *)active_pages * PAGE + (map.size - map.high) : 0; }

static void *start_thread(void *p) {
    struct started *self = p;
    /* A thread that cannot be bound must not run: it would put secrets into ordinary memory. */
    if (allocate_in(ours) != 0) abort();
    thread_is(&self->running);
    self->run(self->argument);
    thread_is(&self->ended);
    return NULL;
}

static uint8_t *take_stack(size_t bytes) {
    uint8_t *stack = NULL;
    pthread_mutex_lock(&map_lock);
    if (map.high - map.low >= bytes) {
        map.high -= bytes;
        stack = map.base + map.high;
    }
    pthread_mutex_unlock(&map_lock);
    return stack;
}

static int create_detached(pthread_t *thread, uint8_t *stack, size_t bytes, struct started *started) {
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error) return error;
    error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (!error) error = pthread_attr_setstack(&attributes, stack, bytes);
    if (!error) error = pthread_create(thread, &attributes, start_thread, started);
    pthread_attr_destroy(&attributes);
    return error;
}

int arena_thread(pthread_t *thread, size_t stack_bytes, void *(*run)(void *), void *argument) {
    if (!map.base || stack_bytes % PAGE || stack_bytes < (size_t)PTHREAD_STACK_MIN || stack_bytes > map.size) return EINVAL;
    struct started *started = new_thread(run, argument);
    if (!started) return EAGAIN;
    uint8_t *stack = take_stack(stack_bytes + PAGE);
    if (!stack) return ENOMEM;
    if (mprotect(stack, PAGE, PROT_NONE) < 0) return errno;
    int error = create_detached(thread, stack + PAGE, stack_bytes, started);
    if (error) return error;
    started->thread = *thread;
    wait_until_running(started);
    return 0;
}

void arena_leave(void) {
    if (outside++ == 0 && map.base && allocate_in(0) != 0) abort();
}

void arena_return(void) {
    if (outside == 0) abort();
    if (--outside == 0 && map.base && allocate_in(ours) != 0) abort();
}

/* The allocator's first arena, past the thread's cache, which is full of ours. */
enum { OUTSIDE = MALLOCX_ARENA(0) | MALLOCX_TCACHE_NONE };

void *arena_outside_malloc(size_t size) { return mallocx(size ? size : 1, OUTSIDE); }

void *arena_outside_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    return mallocx(bytes ? bytes : 1, OUTSIDE | MALLOCX_ZERO);
}

void *arena_outside_realloc(void *p, size_t size) { return p ? rallocx(p, size ? size : 1, OUTSIDE) : arena_outside_malloc(size); }

void arena_outside_free(void *p) {
    if (p) dallocx(p, MALLOCX_TCACHE_NONE);
}

void arena_outside_keep(bool keep) {
    static unsigned keepers;
    ssize_t decay = keep ? -1 : 0; /* 0 gives back at once what was kept */
    if ((keep ? keepers++ : --keepers) == 0) mallctl("arena.0.dirty_decay_ms", NULL, NULL, &decay, sizeof decay);
}

#endif

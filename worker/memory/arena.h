/*
 * The secret arena: the worker's heap and thread stacks, mapped from memfd_secret so that not even root can read them through
 * /proc/PID/mem, ptrace, process_vm_readv or a core (S2, S4). The allocator is jemalloc (linked statically) with one
 * arena of its own whose extents come from the mapping only. A full arena makes malloc return NULL; it never falls back to other memory.
 *
 * Not in the arena, on purpose: what is allocated before arena_open() (nothing secret exists then), the allocator's own bookkeeping
 * (addresses and sizes), and the working memory of a password KDF (arena_scratch, never dumped, wiped at once). Nor are .data and .bss, and
 * the stack and thread-local variables of the first thread: secrets are kept on the heap and on the stacks that arena_thread() makes.
 *
 * The mapping is shared with a forked child. So a child may use neither a stack in the arena nor malloc: fork from the first thread, or
 * only to let the parent exit at once.
 *
 * A CLOISON_SANITIZED build has the sanitizer's malloc: the arena is then ordinary memory without bounds.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum arena_kind { ARENA_NONE, ARENA_PLAIN /* ordinary memory, MADV_DONTDUMP */, ARENA_SECRET };

/* Maps the arena: the smaller of `bytes` and RLIMIT_MEMLOCK's hard limit, less what this process has locked already. secret_required =
 * false lets ordinary memory stand in where the kernel lacks memfd_secret. Call once, before any thread or secret exists; afterwards the
 * calling thread allocates in it. Returns the kind, ARENA_NONE with errno when it cannot be had: EINVAL for bytes under ARENA_MIN, EAGAIN
 * for a lower limit, ENOSYS where the kernel has none. The memfd is closed before return. */
enum { ARENA_MIN = 2 << 20 };
enum arena_kind arena_open(size_t bytes, bool secret_required);

/* A thread whose stack lies in the arena and whose allocations do; under the stack is a guard page. The stack is never given back: for
 * threads that live as long as the process. stack_bytes is a multiple of 4096. Returns when the thread runs: a wall may be closed then.
 * 0 or an errno value (EAGAIN: more than ARENA_THREADS). */
enum { ARENA_THREADS = 8 };
int arena_thread(pthread_t *thread, size_t stack_bytes, void *(*run)(void *), void *argument);

/* Waits until that thread's `run` has returned. The threads are detached: the kernel cannot serve pthread_join's futex, which is a shared
 * one, in secret memory. Private ones (mutexes, conditions) work there. */
void arena_join(pthread_t thread);

/* Between these the calling thread allocates outside the arena: for large buffers that never hold a secret. They nest. What is freed goes
 * back to where it came from; realloc moves: never of a block with a secret here. A microsecond or two each. */
void arena_leave(void);
void arena_return(void);

/* malloc, calloc, realloc and free outside the arena: what LMDB, which sees no secret, calls in place of the C library's (Makefile). */
void *arena_outside_malloc(size_t size);
void *arena_outside_calloc(size_t count, size_t size);
void *arena_outside_realloc(void *p, size_t size);
void arena_outside_free(void *p);

/* Whether pages outside that were freed stay for the next allocation, rather than go back to the kernel at once and be cleared by it anew:
 * for as long as much is written. These calls nest. */
void arena_outside_keep(bool keep);

/* Pages outside the arena that are never dumped; arena_scratch_free unmaps: what must not be seen there, the caller has wiped. NULL when
 * there is no memory. */
void *arena_scratch(size_t bytes);
void arena_scratch_free(void *p, size_t bytes);

/* Size of the mapping, and how much of it is handed out: whole pages of allocations, and stacks. Not what is resident. */
size_t arena_size(void);
size_t arena_used(void);

/* Whether an address lies in the mapping: for tests. */
bool arena_holds(const void *p);

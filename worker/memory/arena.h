/*
 * The secret arena: the worker's heap and thread stacks, mapped from memfd_secret so that not even root can read them through
 * /proc/PID/mem, ptrace, process_vm_readv or a core (design "Memory", S2, S4). The allocator is jemalloc (linked statically) with one
 * arena of its own whose extents come from the mapping only.
 *
 * Not in the arena, on purpose: what is allocated before arena_open() (nothing secret exists then), LMDB's page-number lists and the
 * working memory of a password KDF (arena_scratch, never dumped, wiped at once).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum arena_kind { ARENA_NONE, ARENA_PLAIN /* ordinary memory, MADV_DONTDUMP */, ARENA_SECRET };

/* Maps the arena: the smaller of `bytes` and RLIMIT_MEMLOCK's hard limit. secret_required = false lets ordinary memory stand in where
 * the kernel lacks memfd_secret. Call once, before any thread or secret exists; afterwards the calling thread allocates in it.
 * Returns the kind, ARENA_NONE with errno when it cannot be had. The memfd is closed before return. */
enum arena_kind arena_open(size_t bytes, bool secret_required);

/* A thread whose stack lies in the arena and whose allocations do. 0 or an errno value. */
int arena_thread(pthread_t *thread, size_t stack_bytes, void *(*run)(void *), void *argument);

/* Between these the calling thread allocates outside the arena: for large buffers that never hold a secret. They nest. */
void arena_leave(void);
void arena_return(void);

/* Pages outside the arena that are never dumped; arena_scratch_free wipes and unmaps. NULL when there is no memory. */
void *arena_scratch(size_t bytes);
void arena_scratch_free(void *p, size_t bytes);

/* Size of the mapping, and how much of it the allocator has handed out (allocated, not resident). */
size_t arena_size(void);
size_t arena_used(void);

/* Whether an address lies in the mapping: for tests. */
bool arena_holds(const void *p);

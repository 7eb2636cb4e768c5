/* seccomp from syscalls.def: an allow-list per process; whatever is not on it ends the process (SECCOMP_RET_KILL_PROCESS). */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wall { WALL_SUPERVISOR, WALL_ROUTER, WALL_STEWARD, WALL_WORKER, WALL_COURIER, WALL_LOADER };

/* A compiled list. About 1 ms to make, microseconds to close. */
struct wall_program {
    struct sock_filter code[1024];
    uint16_t size;    /* instructions */
    uint32_t calls;   /* how many system calls it allows */
    uint8_t hash[32]; /* SHA-256 of the code */
};

/* Needs memfd_create and ordinary calls. 0, or -1 with errno. */
int wall_make(enum wall which, struct wall_program *program);

/* Closes it on every thread of the process (TSYNC); needs no_new_privs or CAP_SYS_ADMIN. 0, or -1 with errno. */
int wall_close(const struct wall_program *program);

/* The rows, for self-tests and for the documentation. number < 0: this architecture has no such call. */
struct wall_row {
    enum wall wall;
    const char *name;
    int number;
    bool masked;
    unsigned argument;
    uint64_t mask, value;
    const char *reason;
};
extern const size_t wall_row_count;
struct wall_row wall_row(size_t i);

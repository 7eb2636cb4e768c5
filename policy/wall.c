#include "wall.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sha256.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct row {
    enum wall wall;
    const char *name;
    bool masked;
    unsigned argument;
    uint64_t mask, value;
    const char *reason;
};

static const struct row table[] = {
#define SYSCALL(WALL, NAME, REASON)                       {WALL_##WALL, #NAME, false, 0, 0, 0, REASON},
#define MASKED(WALL, NAME, ARGUMENT, MASK, VALUE, REASON) {WALL_##WALL, #NAME, true, ARGUMENT, MASK, VALUE, REASON},
#include "syscalls.def"
#undef SYSCALL
#undef MASKED
};
const size_t wall_row_count = sizeof table / sizeof *table;

struct wall_row wall_row(size_t i) {
    const struct row *r = &table[i];
    return (struct wall_row){r->wall, r->name, seccomp_syscall_resolve_name(r->name), r->masked, r->argument, r->mask, r->value, r->reason};
}

/* Adds one row; the supervisor's filter takes its children's calls without their argument rules, which their own filters make. */
static int row_add(scmp_filter_ctx filter, enum wall which, const struct row *row) {
    int number = seccomp_syscall_resolve_name(row->name);
    if (number < 0) return 0; /* not on this architecture */
    int error = row->masked && row->wall == which ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
                                                                     SCMP_CMP(row->argument, SCMP_CMP_MASKED_EQ, row->mask, row->value))
                                                  : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    return error == -EEXIST ? 0 : error;
}

static int rows_add(scmp_filter_ctx filter, enum wall which, uint32_t *calls) {
    for (size_t i = 0; i < wall_row_count; i++) {
        const struct row *row = &table[i];
        if (row->wall != which && which != WALL_SUPERVISOR) continue;
        int error = row_add(filter, which, row);
        if (error < 0) return error;
        bool counted = false;
        for (size_t j = 0; j < i && !counted; j++)
            counted = (table[j].wall == which || which == WALL_SUPERVISOR) && strcmp(table[j].name, row->name) == 0;
        if (!counted && seccomp_syscall_resolve_name(row->name) >= 0) ++*calls;
    }
    return 0;
}

/* libseccomp 2.5 gives the program to an fd only. */
static int code_take(scmp_filter_ctx filter, struct wall_program *program) {
    int fd = memfd_create("wall", MFD_CLOEXEC);
    if (fd < 0) return -errno;
    int error = seccomp_export_bpf(filter, fd);
    ssize_t size = error < 0 ? error : pread(fd, program->code, sizeof program->code, 0);
    close(fd);
    if (size < 0) return error < 0 ? error : -EIO;
    if (size == 0 || size == (ssize_t)sizeof program->code || size % (ssize_t)sizeof *program->code) return -E2BIG;
    program->size = (uint16_t)((size_t)size / sizeof *program->code);
    SHA2_CTX hash;
    SHA256Init(&hash);
    SHA256Update(&hash, (const uint8_t *)program->code, (size_t)size);
    SHA256Final(program->hash, &hash);
    return 0;
}

int wall_make(enum wall which, struct wall_program *program) {
    memset(program, 0, sizeof *program);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter) {
        errno = ENOMEM;
        return -1;
    }
    int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!error) error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: fewer steps a call */
    if (!error) error = rows_add(filter, which, &program->calls);
    if (!error) error = code_take(filter, program);
    seccomp_release(filter);
    if (!error) return 0;
    errno = -error;
    return -1;
}

int wall_close(const struct wall_program *program) {
    struct sock_fprog filter = {.len = program->size, .filter = (struct sock_filter *)(uintptr_t)program->code};
    long thread = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
    if (thread == 0) return 0;
    if (thread > 0) errno = ESRCH; /* this thread has another filter */
    return -1;
}

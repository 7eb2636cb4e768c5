/*
 * The ledger's files, for ledger.c alone: STATE_DIR/ledger and, once it has grown, the ones before it under names of their own. A new file
 * begins with a `rotated` line, whose NUMBER says which file came before, and a `carried` line for each tenant, so that it holds the end of
 * every chain: neither the central chain nor a tenant's breaks. At every moment there is one whole file called `ledger`.
 */
#pragma once

#include "../policy/ledger_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEDGER_RESERVE = 131072, /* bytes kept allocated ahead of the end, so that lock, stop and suspend are recordable on a full disk */
    LEDGER_FILES_MAX = 256,  /* that readers are given; then the newest grows on */
};

struct ledger_tail {
    uint32_t tenant;
    char name[TENANT_NAME_MAX + 1];
    struct ledger_own now, synced;
};

struct ledger_file {
    int directory, file;
    int reader[LEDGER_FILES_MAX]; /* for reading only: this file's, then the older ones' */
    size_t readers;
    uint64_t first;     /* COUNT of its first line; 0 = it has none */
    uint64_t size;      /* bytes of whole lines */
    uint64_t began;     /* the same after the lines that a rotation wrote */
    uint64_t allocated; /* the file system keeps room up to here */
    bool no_reserve;    /* the file system cannot keep room */
    bool torn;          /* a failed write left bytes after `size` */
    bool broken;        /* a sync failed: what is on the disk is unknown, nothing more is recorded */
    uint64_t latest_ms; /* the latest time of a line */
    struct ledger_chain head, synced;
    struct ledger_tail *own; /* one for each tenant that has a line */
    size_t own_count;
};

/* Opens and locks them, verifies the newest from its first line and that it goes on from the one before. *cut: bytes of an unfinished line,
 * cut off. NULL = done; else why not, in words. */
const char *ledger_file_open(struct ledger_file *f, const char *state_dir, uint64_t *cut, char why[128]);
void ledger_file_close(struct ledger_file *f);

/* Keeps LEDGER_RESERVE bytes of room after the next line; -1 with errno. */
int ledger_file_reserve(struct ledger_file *f);
/* Writes one line after the last, filling in count and chains. On an error, -1 with errno, the file is as before. */
int ledger_file_put(struct ledger_file *f, struct ledger_line *line);
int ledger_file_sync(struct ledger_file *f);

/* The end of a tenant's chain as it is on the disk; zero when it has none. */
struct ledger_own ledger_file_own(const struct ledger_file *f, uint32_t tenant);

/* Begins a new file. -1 with errno: the old one goes on. */
int ledger_file_rotate(struct ledger_file *f, uint64_t now_ms);

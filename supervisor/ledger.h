/*
 * The provider's ledger: what was done, by whom, when; never what a tenant stores (S1, S11, H4). STATE_DIR/ledger is append-only text
 * whose lines (policy/ledger_line.h) are chained by hash. Three kinds of lines, three duties:
 *   acts of people     are on the disk before they are done, or are refused
 *   lifecycle events   never stop anything; those that could not be written become one counted `gap` line at the next success
 *   refusals           the first of a uid and verb at once, then one line a minute with their count
 * The time is the caller's: Unix time in ms.
 */
#pragma once

#include "../policy/duties.h"
#include "../policy/limits.h"
#include "ledger_file.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LEDGER_ERROR_MAX = 512,
    LEDGER_FILE_MAX = 16 << 20, /* bytes after which a new file is begun, unless ledger_rotate_at() says otherwise */
};

struct ledger;

/* What a line is about. number 0: a tenant that is not in the registry; name "" or NULL: none. request and note may be left out. */
struct ledger_tenant {
    uint32_t number;
    const char *name;
    uint64_t request;
    const char *note; /* name_is_note() */
};

/* Opens or makes STATE_DIR/ledger, mode 0600, locks it (one supervisor at a time), verifies it from the first line of its newest file, cuts
 * off what a crash left of an unfinished line (and records that). NULL with error: damaged, locked, unreadable. */
struct ledger *ledger_open(const char *state_dir, uint64_t now_ms, char error[LEDGER_ERROR_MAX]);
void ledger_close(struct ledger *ledger);

/* An act of a person. result: "begun" before an act that takes a while, "done" before one that cannot fail after, "failed" or another word
 * [a-z][a-z0-9_-]* of at most 31 bytes after. 0 once it is on the disk; -1 with errno (ENOSPC, EIO…): do not do it.
 * Only lock, stop and suspend may use the reserve. */
int ledger_act(struct ledger *ledger, uint64_t now_ms, uint32_t uid, enum verb verb, struct ledger_tenant tenant, const char *result);

/* A lifecycle event, e.g. "started", "crashed", "reloaded": a word as above. Written without waiting for the disk; ledger_tick() syncs. */
void ledger_event(struct ledger *ledger, uint64_t now_ms, const char *event, struct ledger_tenant tenant, const char *result);
/* The same, one line that stands for so many. */
void ledger_events(struct ledger *ledger, uint64_t now_ms, const char *event, struct ledger_tenant tenant, const char *result,
                   uint64_t times);

/* A verb that was refused to this uid: counted, see above. */
void ledger_refused(struct ledger *ledger, uint64_t now_ms, uint32_t uid, enum verb verb, struct ledger_tenant tenant);

/* Writes the counts of refusals whose minute is over, and a gap line that is due. Call every few seconds. */
void ledger_tick(struct ledger *ledger, uint64_t now_ms);
/* The same without waiting for the minute's end, then syncs: before leaving. */
void ledger_flush(struct ledger *ledger, uint64_t now_ms);

/* The number of lines and the hash of the last one (zero when there is none) that are surely on the disk, for the workers to seal: a head
 * that a power cut could take back would look like a rewritten chain. Syncs first if it must. */
void ledger_head(struct ledger *ledger, uint64_t *count, uint8_t hash[LEDGER_HASH]);

/* Whether every line since there were so many gaps is surely on the disk, before a mark after which nothing tells it again. Syncs first if
 * it must. false with errno: one may be missing. */
bool ledger_holds(struct ledger *ledger, uint64_t gaps);

/* The end of one tenant's own chain, on the disk as well: what its worker seals and checks its lines against. */
struct ledger_own ledger_own(struct ledger *ledger, uint32_t tenant);

/* When its newest file has grown over so many bytes, ledger_tick() begins a new one (ledger_file.h). */
void ledger_rotate_at(struct ledger *ledger, uint64_t bytes);

/* Events and refusals that found no place since the start, recorded as gaps or still to be. */
uint64_t ledger_gaps(const struct ledger *ledger);

/* Whether the clock is further behind what was written than that: then no act of a person can be dated. A start takes the clock as it is,
 * and a `clock_back` line says by how many seconds (its TIMES) it was behind: the way out when it had been ahead. */
bool ledger_clock_behind(const struct ledger *ledger, uint64_t now_ms);

/* Fds for reading only, owned by the ledger (pass them, do not close them): i = 0 the newest file, then the older ones; -1 behind the last.
 * Their offsets are shared: read with pread(). *files changes with every rotation. */
int ledger_reader(const struct ledger *ledger, size_t i);
uint64_t ledger_files(const struct ledger *ledger);

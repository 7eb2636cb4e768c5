#include "ledger.h"

#include "../policy/ledger_line.h"
#include "../policy/names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSALS_MAX = 256, MINUTE_MS = 60000 };

/* A uid and a verb that was refused within the last minute. */
struct refusal {
    uint64_t until_ms; /* end of its minute; 0 = the row is free */
    uint64_t pending;  /* refusals not yet in the ledger */
    uint32_t uid;
    enum verb verb;
    uint32_t tenant; /* 0 and "": none, or more than one */
    char name[TENANT_NAME_MAX + 1];
};

struct ledger {
    struct ledger_file file;
    uint64_t rotate_at, again_ms; /* bytes; a rotation that failed is not tried before */
    uint64_t files;               /* rotations since the start */
    uint64_t lost;                /* events and refusals since the last gap line */
    uint64_t gaps;                /* the same since the start */
    struct refusal refusal[REFUSALS_MAX];
};

static struct ledger_line line_of(uint64_t now_ms, const char *verb, struct ledger_tenant about, const char *result) {
    const char *name = about.name;
    bool named = name && name_is_tenant(name);
    struct ledger_line line = {.time_ms = now_ms, .tenant = named ? about.number : 0, .times = 1, .number = about.request};
    if (about.note && name_is_note(about.note)) snprintf(line.note, sizeof line.note, "%s", about.note);
    snprintf(line.verb, sizeof line.verb, "%s", verb);
    snprintf(line.name, sizeof line.name, "%s", named ? name : "");
    snprintf(line.result, sizeof line.result, "%s", result);
    return line;
}

/* Writes the gap line that is due. */
static int put_gap(struct ledger *l, uint64_t now_ms) {
    if (!l->lost) return 0;
    struct ledger_line gap = line_of(now_ms, "gap", (struct ledger_tenant){.name = ""}, "lost");
    gap.times = l->lost;
    if (ledger_file_reserve(&l->file) < 0 || ledger_file_put(&l->file, &gap) < 0) return -1;
    l->lost = 0;
    return 0;
}

/* Writes a line that may not touch the reserve. */
static int put_ordinary(struct ledger *l, struct ledger_line *line) {
    return put_gap(l, line->time_ms) < 0 || ledger_file_reserve(&l->file) < 0 ? -1 : ledger_file_put(&l->file, line);
}

static void lose(struct ledger *l, uint64_t times) {
    l->lost += times;
    l->gaps += times;
}

int ledger_act(struct ledger *l, uint64_t now_ms, uint32_t uid, enum verb verb, struct ledger_tenant tenant, const char *result) {
    struct ledger_line line = line_of(now_ms, verb_table[verb].name, tenant, result);
    line.has_uid = true;
    line.uid = uid;
    int put_it = put_ordinary(l, &line);
    if (put_it < 0 && (verb == VERB_lock || verb == VERB_stop || verb == VERB_suspend)) put_it = ledger_file_put(&l->file, &line);
    return put_it < 0 ? -1 : ledger_file_sync(&l->file);
}

void ledger_events(struct ledger *l, uint64_t now_ms, const char *event, struct ledger_tenant tenant, const char *result, uint64_t times) {
    struct ledger_line line = line_of(now_ms, event, tenant, result);
    line.times = times;
    if (put_ordinary(l, &line) < 0) lose(l, times);
}

void ledger_event(struct ledger *l, uint64_t now_ms, const char *event, struct ledger_tenant tenant, const char *result) {
    ledger_events(l, now_ms, event, tenant, result, 1);
}

static void put_refusal(struct ledger *l, uint64_t now_ms, struct refusal *r, uint64_t times) {
    struct ledger_line line =
        line_of(now_ms, verb_table[r->verb].name, (struct ledger_tenant){.number = r->tenant, .name = r->name}, "refused");
    line.has_uid = true;
    line.uid = r->uid;
    line.times = times;
    if (put_ordinary(l, &line) < 0) lose(l, times);
    r->until_ms = now_ms + MINUTE_MS;
    r->pending = 0;
}

/* Over too when the clock was set back. */
static bool is_over(const struct refusal *r, uint64_t now_ms) { return r->until_ms <= now_ms || r->until_ms > now_ms + MINUTE_MS; }

static void close_minutes(struct ledger *l, uint64_t now_ms, bool all) {
    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        struct refusal *r = &l->refusal[i];
        if (!r->until_ms || (!all && !is_over(r, now_ms))) continue;
        if (r->pending)
            put_refusal(l, now_ms, r, r->pending);
        else
            r->until_ms = 0;
    }
}

static void name_tenant(struct refusal *r, struct ledger_tenant tenant) {
    r->tenant = tenant.number;
    snprintf(r->name, sizeof r->name, "%s", tenant.name);
}

void ledger_refused(struct ledger *l, uint64_t now_ms, uint32_t uid, enum verb verb, struct ledger_tenant tenant) {
    struct refusal *row = NULL;
    if (!tenant.name) tenant.name = "";
    close_minutes(l, now_ms, false);
    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        struct refusal *r = &l->refusal[i];
        if (r->until_ms && r->uid == uid && r->verb == verb) {
            if (r->pending++ == 0) {
                name_tenant(r, tenant);
            } else if (r->tenant != tenant.number || strcmp(r->name, tenant.name) != 0) {
                name_tenant(r, (struct ledger_tenant){.name = ""});
            }
            return;
        }
        if (!r->until_ms && !row) row = r;
    }
    if (!row) {
        lose(l, 1);
        return;
    }
    *row = (struct refusal){.uid = uid, .verb = verb};
    name_tenant(row, tenant);
    put_refusal(l, now_ms, row, 1);
}

/* What readers are not given is as good as gone: the last file that they may have grows on. Where the carried lines alone fill a file, it
 * grows to four times them before the next. */
static void rotate(struct ledger *l, uint64_t now_ms) {
    if (l->file.readers == LEDGER_FILES_MAX || l->file.size < l->rotate_at || l->file.size < 4 * l->file.began || now_ms < l->again_ms)
        return;
    if (ledger_file_rotate(&l->file, now_ms) == 0)
        l->files++;
    else
        l->again_ms = now_ms + MINUTE_MS;
}

void ledger_tick(struct ledger *l, uint64_t now_ms) {
    close_minutes(l, now_ms, false);
    put_gap(l, now_ms);
    ledger_file_sync(&l->file);
    rotate(l, now_ms);
}

void ledger_flush(struct ledger *l, uint64_t now_ms) {
    close_minutes(l, now_ms, true);
    put_gap(l, now_ms);
    ledger_file_sync(&l->file);
}

void ledger_head(struct ledger *l, uint64_t *count, uint8_t hash[LEDGER_HASH]) {
    ledger_file_sync(&l->file);
    *count = l->file.synced.count;
    memcpy(hash, l->file.synced.hash, LEDGER_HASH);
}

bool ledger_holds(struct ledger *l, uint64_t gaps) {
    if (ledger_file_sync(&l->file) < 0) return false;
    if (l->gaps != gaps) errno = ENOSPC;
    return l->gaps == gaps;
}

struct ledger_own ledger_own(struct ledger *l, uint32_t tenant) {
    ledger_file_sync(&l->file);
    return ledger_file_own(&l->file, tenant);
}

void ledger_rotate_at(struct ledger *l, uint64_t bytes) { l->rotate_at = bytes; }

bool ledger_clock_behind(const struct ledger *l, uint64_t now_ms) { return now_ms + LEDGER_CLOCK_MS < l->file.latest_ms; }

uint64_t ledger_gaps(const struct ledger *l) { return l->gaps; }

int ledger_reader(const struct ledger *l, size_t i) { return i < l->file.readers ? l->file.reader[i] : -1; }

uint64_t ledger_files(const struct ledger *l) { return l->files; }

/* What was found at the start. */
static void note(struct ledger *l, uint64_t now_ms, const char *event, const char *result, uint64_t times) {
    struct ledger_line line = line_of(now_ms, event, (struct ledger_tenant){.name = ""}, result);
    line.times = times;
    if (put_ordinary(l, &line) < 0) lose(l, 1);
    ledger_file_sync(&l->file);
}

struct ledger *ledger_open(const char *state_dir, uint64_t now_ms, char error[LEDGER_ERROR_MAX]) {
    uint64_t cut = 0;
    char text[128];
    struct ledger *l = calloc(1, sizeof *l);
    if (!l) {
        snprintf(error, LEDGER_ERROR_MAX, "%s/ledger: %s", state_dir, strerror(ENOMEM));
        return NULL;
    }
    const char *why = ledger_file_open(&l->file, state_dir, &cut, text);
    if (why) {
        snprintf(error, LEDGER_ERROR_MAX, "%s/ledger: %s", state_dir, why);
        ledger_close(l);
        return NULL;
    }
    l->rotate_at = LEDGER_FILE_MAX;
    ledger_file_reserve(&l->file); /* on a full disk the supervisor starts all the same */
    if (cut) note(l, now_ms, "recovered", "cut", cut);
    if (ledger_clock_behind(l, now_ms)) {
        uint64_t seconds = (l->file.latest_ms - now_ms) / 1000;
        l->file.latest_ms = now_ms;
        note(l, now_ms, "clock_back", "taken", seconds);
    }
    return l;
}

void ledger_close(struct ledger *l) {
    if (!l) return;
    ledger_file_close(&l->file);
    free(l);
}

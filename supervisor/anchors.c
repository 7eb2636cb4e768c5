#include "anchors.h"

#include "../policy/chain.h"
#include "../policy/hex.h"
#include "heads.h"
#include "ledger.h"
#include "notices.h"
#include "requests.h"
#include "supervisor.h"
#include "undertakings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 2 /* a new one knows of them at once, but for a crash */, AGAIN_LATER_MS = 60000 };
static const char *const names[ANCHORS] = {"undertakings", "requests", "notices"};

struct anchor {
    uint64_t count; /* 0 = not found */
    uint8_t hash[LEDGER_HASH];
};

static const struct heads *heads_of(const struct supervisor *h, int i) {
    return i == 0 ? undertakings_heads(h->undertakings) : i == 1 ? requests_heads(h->requests) : notices_heads(h->notices);
}

/* ---- reading ---- */

static void take_line(const char *text, size_t size, struct anchor found[ANCHORS]) {
    static const char mark[] = "\trecord\t"; /* most lines are another's */
    struct ledger_line line;
    if (!memmem(text, size, mark, sizeof mark - 1) || !ledger_line_parse(text, size, &line) || strcmp(line.verb, "record") != 0) return;
    char *rest = line.note, *name = strsep(&rest, " "), *count = strsep(&rest, " ");
    struct anchor said;
    if (!rest || strlen(rest) != 2 * LEDGER_HASH || !hex_read(rest, LEDGER_HASH, said.hash)) return;
    if (!chain_number((struct chain_field){count, strlen(count)}, UINT64_MAX, &said.count)) return;
    for (int i = 0; i < ANCHORS; i++)
        if (strcmp(name, names[i]) == 0) found[i] = said;
}

/* The last of each in one file; what is already found stays. */
static void take_file(int fd, struct anchor found[ANCHORS]) {
    static char bytes[16 * LEDGER_LINE_MAX];
    struct anchor here[ANCHORS] = {0};
    size_t kept = 0;
    off_t at = 0;
    for (ssize_t got; (got = pread(fd, bytes + kept, sizeof bytes - kept, at)) > 0; at += got) {
        const char *line = bytes, *end = bytes + kept + got;
        for (const char *newline; (newline = memchr(line, '\n', (size_t)(end - line))); line = newline + 1)
            take_line(line, (size_t)(newline - line), here);
        kept = (size_t)(end - line);
        if (kept == sizeof bytes) return; /* no line of a ledger */
        memmove(bytes, line, kept);
    }
    for (int i = 0; i < ANCHORS; i++)
        if (!found[i].count) found[i] = here[i];
}

/* S1, S9: a record that was cut or exchanged while nobody ran is found at the start */
bool anchors_check(const struct supervisor *h, char why[ANCHORS_WHY_MAX]) {
    struct anchor found[ANCHORS] = {0};
    for (size_t i = 0; i < FILES; i++)
        if (ledger_reader(h->ledger, i) >= 0) take_file(ledger_reader(h->ledger, i), found);
    for (int i = 0; i < ANCHORS; i++) {
        if (heads_hold(heads_of(h, i), found[i].count, found[i].hash)) continue;
        snprintf(why, ANCHORS_WHY_MAX, "%s/%s: its first %" PRIu64 " lines are not those that the ledger knows: cut, or exchanged",
                 h->config.state_dir, names[i], found[i].count);
        return false;
    }
    return true;
}

/* ---- writing ---- */

static bool keep(struct supervisor *h, int i, const struct heads *heads, uint64_t now_ms) {
    char note[64 + 2 * LEDGER_HASH];
    uint64_t gaps = ledger_gaps(h->ledger);
    int size = snprintf(note, sizeof note, "%s %zu ", names[i], heads->count);
    hex_write(heads->hash[heads->count - 1], LEDGER_HASH, note + size);
    note[size + 2 * LEDGER_HASH] = '\0';
    ledger_event(h->ledger, now_ms, "record", (struct ledger_tenant){.name = "", .note = note}, "kept");
    return ledger_gaps(h->ledger) == gaps;
}

void anchors_keep(struct supervisor *h, uint64_t now_ms) {
    struct anchors *a = &h->anchors;
    if (a->again_ms && now_ms < a->again_ms && now_ms + AGAIN_LATER_MS >= a->again_ms) return; /* nor when the clock was set back */
    a->again_ms = 0;
    if (a->files != ledger_files(h->ledger)) *a = (struct anchors){.files = ledger_files(h->ledger)};
    for (int i = 0; i < ANCHORS && !a->again_ms; i++) {
        const struct heads *heads = heads_of(h, i);
        if (heads->count == a->count[i]) continue;
        if (keep(h, i, heads, now_ms))
            a->count[i] = heads->count;
        else
            a->again_ms = now_ms + AGAIN_LATER_MS;
    }
}

/*
 * A record that is kept whole and read whole at the start: STATE_DIR/NAME, lines chained by hash (policy/record_line.h), only ever appended
 * to. What it says is what the lines say together: its owner folds them one by one. No line is ever removed (S1: they outlive the
 * contracts); such a record grows by a line a signature or request, not by traffic.
 */
#pragma once

#include "../policy/record_line.h"
#include "heads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECORD_ERROR_MAX = 512,
    RECORD_BYTES_MAX = 32 << 20, /* what is larger is not read */
    RECORD_DAY_MAX = 64,         /* lines of one uid a day that begin something */
};

struct record;

/* One line. keep: it is on the disk, take it over. !keep: it would be written; make room for it, change nothing. false: it is not what its
 * owner writes, or does not follow, or there is no memory. */
typedef bool record_fold(void *context, const struct record_line *line, bool keep);

/* Opens or makes the file, mode 0600, verifies it from the first line, folds each, cuts off what a crash left of an unfinished one. NULL
 * with error: damaged (the line is named), unreadable. Later calls open nothing. */
struct record *record_open(const char *state_dir, const char *name, record_fold *fold, void *context, char error[RECORD_ERROR_MAX]);
void record_close(struct record *record);

/* Appends a line and folds it. fields: the word's own with tabs between, or "". false with errno: it is not on the disk, nothing has
 * changed. EINVAL: the next start would not read it. */
bool record_append(struct record *record, uint64_t now_ms, uint32_t uid, const char *word, const char *fields);

/* Before a line that begins something: false with errno when this person has written so many today (EDQUOT) that it may wait, or when half
 * of what is read at a start is taken (EFBIG). The other half is for what ends things; record_append() keeps below it. */
bool record_may_begin(const struct record *record, uint64_t now_ms, uint32_t uid);

/* The hash after each line. */
const struct heads *record_heads(const struct record *record);

/* An fd for reading only, owned by the record. Its offset is shared: read with pread(). */
int record_reader(const struct record *record);

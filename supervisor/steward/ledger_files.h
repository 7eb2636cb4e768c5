/* The files of the provider's ledger as the supervisor passed them, for reading by position: a line by its number, the lines of one tenant.
 */
#pragma once

#include "../../policy/ledger_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { LEDGER_FILES_KEPT = 256 };

struct ledger_files {
    int fd[LEDGER_FILES_KEPT];         /* the newest first; offsets are shared: pread() */
    uint64_t first[LEDGER_FILES_KEPT]; /* COUNT of the first line, 0 = it has none yet */
    size_t count;
};

/* The file of that place; 0 makes all others forgotten. false: not the next place. fd is taken over on true. */
bool ledger_files_take(struct ledger_files *files, uint64_t place, int fd);

/* Reads what there is of [at, at + size); -1 with errno. */
ssize_t ledger_files_read(int fd, void *bytes, size_t size, off_t at);

/* The first line that begins at or after `at` in one file: its place, size and content. 1 found, 0 none behind, -1 with errno. */
int ledger_files_after(int fd, off_t at, off_t *place, size_t *size, struct ledger_line *line);

/* Where line number `from` begins in one file, or the end of its whole lines. COUNT rises by one a line, so halving finds it. -1 with
 * errno. */
off_t ledger_files_find(int fd, uint64_t from, off_t low, off_t high);

/* Which of them has that line, if any has; the oldest when it is older than all. count > 0. */
size_t ledger_files_of(struct ledger_files *files, uint64_t line);

/* One line by its number, as text without its newline; its size. 0 with errno: EBADMSG: it is not there, or damaged; others: unreadable. */
size_t ledger_files_line(struct ledger_files *files, uint64_t number, char text[LEDGER_LINE_MAX], struct ledger_line *line);

/* The chain of one tenant backwards from its line number `last`, down to its own line `from` or so many lines: text with newlines, the
 * oldest first, for the caller to free. A line that is not where it must be ends it: there is none before it. NULL: no memory, or the files
 * cannot be read. */
char *ledger_files_own(struct ledger_files *files, uint32_t tenant, uint64_t last, uint64_t from, size_t most, size_t *size);

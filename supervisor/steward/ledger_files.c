#include "ledger_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool ledger_files_take(struct ledger_files *files, uint64_t place, int fd) {
    if (place != 0 && place != files->count) return false;
    if (place >= LEDGER_FILES_KEPT) return false;
    for (size_t i = 0; place == 0 && i < files->count; i++)
        close(files->fd[i]);
    files->fd[place] = fd;
    files->first[place] = 0;
    files->count = (size_t)place + 1;
    return true;
}

ssize_t ledger_files_read(int fd, void *bytes, size_t size, off_t at) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, (char *)bytes + done, size - done, at + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

int ledger_files_after(int fd, off_t at, off_t *place, size_t *size, struct ledger_line *line) {
    char bytes[2 * LEDGER_LINE_MAX];
    off_t from = at > 0 ? at - 1 : 0; /* a newline right before `at` makes it a beginning */
    ssize_t got = ledger_files_read(fd, bytes, sizeof bytes, from);
    if (got < 0) return -1;
    const char *p = bytes, *end = bytes + got;
    if (at > 0) {
        p = memchr(bytes, '\n', (size_t)got);
        if (!p) return 0;
        p++;
    }
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    if (!newline) return 0;
    if (!ledger_line_parse(p, (size_t)(newline - p), line)) {
        errno = EBADMSG;
        return -1;
    }
    *place = from + (p - bytes);
    *size = (size_t)(newline - p) + 1;
    return 1;
}

off_t ledger_files_find(int fd, uint64_t from, off_t low, off_t high) {
    struct ledger_line line;
    size_t size;
    off_t place;
    while (high - low > LEDGER_LINE_MAX) {
        off_t middle = low + (high - low) / 2;
        int found = ledger_files_after(fd, middle, &place, &size, &line);
        if (found < 0) return -1;
        if (found && line.count < from)
            low = place + (off_t)size;
        else
            high = middle;
    }
    for (;;) {
        int found = ledger_files_after(fd, low, &place, &size, &line);
        if (found < 0) return -1;
        if (!found || line.count >= from) return found ? place : low;
        low = place + (off_t)size;
    }
}

static uint64_t first_of(struct ledger_files *files, size_t i) {
    struct ledger_line line;
    off_t place;
    size_t size;
    if (!files->first[i] && ledger_files_after(files->fd[i], 0, &place, &size, &line) == 1) files->first[i] = line.count;
    return files->first[i];
}

size_t ledger_files_of(struct ledger_files *files, uint64_t line) {
    size_t i = 0;
    while (i + 1 < files->count && (first_of(files, i) == 0 || first_of(files, i) > line))
        i++;
    return i;
}

size_t ledger_files_line(struct ledger_files *files, uint64_t number, char text[LEDGER_LINE_MAX], struct ledger_line *line) {
    struct stat st;
    if (files->count == 0) return errno = ENOENT, 0;
    int fd = files->fd[ledger_files_of(files, number)];
    off_t at = fstat(fd, &st) < 0 ? -1 : ledger_files_find(fd, number, 0, st.st_size);
    ssize_t got = at < 0 ? -1 : ledger_files_read(fd, text, LEDGER_LINE_MAX, at);
    const char *end = got > 0 ? memchr(text, '\n', (size_t)got) : NULL;
    if (got >= 0) errno = EBADMSG;
    if (!end || !ledger_line_parse(text, (size_t)(end - text), line) || line->count != number) return 0;
    return (size_t)(end - text);
}

/* Lines are found from the newest to the oldest and so are written from the end of the room to its beginning. */
struct backwards {
    char *room;
    size_t size, used;
};

static bool prepend(struct backwards *b, const char *text, size_t size) {
    if (!b->room || b->used + size + 1 > b->size) {
        size_t more = b->size ? 2 * b->size : 65536;
        char *room = malloc(more);
        if (!room) return false;
        if (b->room) memcpy(room + more - b->used, b->room + b->size - b->used, b->used);
        free(b->room);
        b->room = room;
        b->size = more;
    }
    b->used += size + 1;
    memcpy(b->room + b->size - b->used, text, size);
    b->room[b->size - b->used + size] = '\n';
    return true;
}

char *ledger_files_own(struct ledger_files *files, uint32_t tenant, uint64_t last, uint64_t from, size_t most, size_t *size) {
    struct backwards b = {0};
    bool fine = true;
    for (size_t n = 0; fine && last && n < most; n++) {
        char text[LEDGER_LINE_MAX];
        struct ledger_line line;
        size_t found = ledger_files_line(files, last, text, &line);
        fine = found || errno == EBADMSG;
        if (!found || line.tenant != tenant || !line.own_count || line.own_count < from) break;
        fine = prepend(&b, text, found);
        last = line.own_last;
    }
    *size = b.used;
    char *out = fine ? malloc(b.used + 1) : NULL;
    if (out && b.room) memcpy(out, b.room + b.size - b.used, b.used);
    free(b.room);
    return out;
}

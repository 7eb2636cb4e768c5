/*
 * One small record in two copies in one open file, the older copy overwritten (pwrite, fdatasync): whatever moment the machine stops at,
 * the newer whole copy or the one before it is there. Each copy has a version that rises by one and a SHA-256, which finds damage, not
 * malice: what must withstand malice is sealed or MACed by the caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct twofile {
    int fd;           /* owned */
    size_t room;      /* largest record, bytes */
    char magic[8];    /* kind and format of the record */
    uint64_t version; /* of the record read or written last; 0 = there has never been one */
    unsigned copy;    /* 0 or 1: the one that holds it */
    bool damaged;     /* the other copy did not hold together when the file was opened */
};

/*
 * Takes over fd (read-write; closed on failure too), gives an empty file its full size on the disk and reads the newest whole copy into
 * record (room bytes). *size 0 = there has never been one. Before sealing: it may allocate space.
 * 0, or -1 with errno: EBADMSG = neither copy holds together or is of this kind, EPROTO = the file is too long, ENOMEM, or what
 * the file said.
 */
int twofile_open(struct twofile *f, int fd, const char magic[8], size_t room, void *record, size_t *size);

/* Makes this the record: durable when it returns 0. -1 with errno (EMSGSIZE: more than room): the record before it stands,
 * though after a restart it may be the new one. */
int twofile_write(struct twofile *f, const void *record, size_t size);

/* Both copies, as they lie in the file, into another open file. 0 or -1 with errno. */
int twofile_copy(const struct twofile *f, int to);

void twofile_close(struct twofile *f);

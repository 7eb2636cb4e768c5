#include "room.h"

#include "internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    META_PAGES = 2,
    RESERVE_LEAST = 64,
    RESERVE_MOST = 1024,
    GROW_LEAST = 64,
    GROW_MOST = 1024,
    RUN_PAGES = 16,          /* a value of as many is worth a call of its own */
    COMMIT_PAGES = 24,       /* the state, LMDB's root and the small lists of free pages */
    FREE_PAGES_A_PAGE = 200, /* numbers of free pages that one page of LMDB's list surely holds */
    PRESSED_PAGES = 4096,
    CRUSHED_PAGES = 16384,
};

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

uint64_t room_overflow(const struct store *s, size_t size) {
    /* LMDB keeps a value in the leaf when two of them with their keys fit a page. */
    if (size + SEALED_KEY + 16 < s->room.page / 2 - 16) return 0;
    return (size + 16 + s->room.page - 1) / s->room.page;
}

/* The free pages of the last two transactions, and of all since a snapshot that is under way, which this one may not use yet. */
static bool read_pinned(struct store *s, MDB_txn *txn, uint64_t last, uint64_t *pinned) {
    uint64_t from, oldest = snapshot_pins(s, &from) && from < last ? from : last;
    MDB_cursor *cursor;
    MDB_val key, value;
    bool fine = mdb_cursor_open(txn, 0, &cursor) == 0;
    int rc = MDB_NOTFOUND;

    *pinned = 0;
    if (!fine) return false;
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST); rc == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV)) {
        if (key.mv_size != sizeof(size_t) || value.mv_size < sizeof(size_t)) break;
        if (*(const size_t *)key.mv_data < oldest) break;
        *pinned += *(const size_t *)value.mv_data;
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND;
}

static uint64_t pages_of(const MDB_stat *stat) { return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages; }

bool room_read(struct store *s) {
    struct room *r = &s->room;
    MDB_stat tree, list;
    MDB_envinfo info;
    MDB_txn *view;

    if (read_begin(s, &view) != STORE_OK) return false;
    bool fine = mdb_stat(view, s->dbi, &tree) == 0 && mdb_stat(view, 0, &list) == 0 && mdb_env_info(s->env, &info) == 0 &&
                read_pinned(s, view, info.me_last_txnid, &r->pinned);
    read_end(s);
    if (!fine) return false;
    r->page = tree.ms_psize;
    r->branches = tree.ms_branch_pages;
    r->depth = tree.ms_depth;
    r->live = META_PAGES + pages_of(&tree) + pages_of(&list);
    r->tree = pages_of(&tree);
    r->end = info.me_last_pgno + 1;
    r->map = info.me_mapsize / r->page;
    r->file = most(r->file, r->end);
    r->taken = r->taken_branches = r->taken_puts = 0;
    return true;
}

/* A closer bound than the sum of what each write could have needed, in a large transaction: what the tree has grown by, what puts have
 * copied of it, and what the dirty index nodes will add. */
static uint64_t taken_at_most(const struct store *s) {
    const struct room *r = &s->room;
    MDB_stat now;

    if (!s->writer || mdb_stat(s->writer, s->dbi, &now) != 0) return r->taken;
    uint64_t pages = pages_of(&now), grown = pages > r->tree ? pages - r->tree : 0;
    return least(r->taken, grown + least(r->taken_puts, r->tree) + 3ULL * tree_dirty(s));
}

/* For a value of many pages, which will be written in one piece: the disk promises them, and that is all. */
static bool promise(struct store *s, uint64_t pages, uint64_t limit) {
    struct room *r = &s->room;
    uint64_t end = least(r->file + most(pages, GROW_MOST), limit);

    if (fallocate(s->fd, 0, (off_t)(r->file * r->page), (off_t)((end - r->file) * r->page)) != 0) return false;
    r->file = end;
    r->stuck = false;
    return true;
}

/* Writes zeros behind the file's end; as many as go is fine. Page by page, because a kernel that caches one large write in one large folio
 * makes each later write of a single page in it ten times slower (measured: ext4, Linux 6.18). */
static void grow(struct store *s, uint64_t pages, uint64_t limit) {
    static const uint8_t zeros[64 << 10];
    struct room *r = &s->room;
    uint64_t end = least(r->file + pages, limit);

    r->stuck = r->page > sizeof zeros;
    while (r->file < end && !r->stuck) {
        r->stuck = pwrite(s->fd, zeros, r->page, (off_t)(r->file * r->page)) != (ssize_t)r->page; /* a full disk, a limit */
        if (!r->stuck) r->file++;
    }
}

static uint64_t reserve(const struct room *r) { return least(most(RESERVE_LEAST, least(r->live / 8, RESERVE_MOST)), r->quota / 4); }

/* An upper bound of what the commit will have taken, with this write in it. */
static uint64_t bill(const struct room *r, const struct need *need, uint64_t taken) {
    uint64_t pages = taken + need->pages + need->puts;
    uint64_t branches = least(r->taken_branches + need->puts * r->depth, r->branches + r->depth + pages / 64);
    uint64_t free_pages = r->end > r->live ? r->end - r->live : 0;
    return pages + branches + COMMIT_PAGES + (free_pages + 2 * (pages + branches)) / FREE_PAGES_A_PAGE;
}

static uint64_t available(const struct room *r, uint64_t limit) {
    uint64_t used = r->live + r->pinned, have = least(r->file, limit);
    return have > used ? have - used : 0;
}

/* A write goes before a snapshot: true when there was one, which held pages. LMDB shows its list of free pages to readers only. */
static bool snapshot_gave_way(struct store *s) {
    MDB_envinfo info;
    if (!snapshot_give_way(s) || s->reading > 0 || mdb_txn_renew(s->reader) != 0) return false;
    bool fine = mdb_env_info(s->env, &info) == 0 && read_pinned(s, s->reader, info.me_last_txnid, &s->room.pinned);
    mdb_txn_reset(s->reader);
    return fine;
}

enum room_answer room_for(struct store *s, const struct need *need) {
    struct room *r = &s->room;
    uint64_t limit = need->deleting ? r->map : least(r->quota, r->map);
    uint64_t kept = need->deleting ? 0 : reserve(r);
    uint64_t taken = r->taken, wanted = bill(r, need, taken) + kept, have = available(r, limit);

    if (have < wanted) {
        taken = taken_at_most(s);
        wanted = bill(r, need, taken) + kept;
    }
    if (have < wanted && r->file < limit && need->in_a_row >= RUN_PAGES && promise(s, wanted - have, limit)) have = available(r, limit);
    if (have < wanted && r->file < limit) {
        grow(s, most(wanted - have, least(most(r->file / 8, GROW_LEAST), GROW_MOST)), limit);
        have = available(r, limit);
    }
    if (have < wanted) return snapshot_gave_way(s) ? room_for(s, need) : ROOM_NONE;
    if (need->in_a_row <= 1) return ROOM_FINE;
    uint64_t tail_used = r->end + bill(r, need, taken);
    if (tail_used > r->file && r->file < limit && (need->in_a_row < RUN_PAGES || !promise(s, tail_used - r->file, limit)))
        grow(s, tail_used - r->file, limit);
    return tail_used <= least(r->file, limit) ? ROOM_FINE : ROOM_TRY;
}

void room_take(struct store *s, const struct need *need) {
    s->room.taken += need->pages + need->puts;
    s->room.taken_puts += 2 * need->puts + need->freed;
    s->room.taken_branches += need->puts * s->room.depth;
}

bool room_pressed(const struct store *s) { return s->room.taken > PRESSED_PAGES; }
bool room_crushed(const struct store *s) { return s->room.taken > CRUSHED_PAGES; }
bool room_crushed_by(const struct store *s, const struct need *need) { return s->room.taken + need->pages + need->puts > CRUSHED_PAGES; }

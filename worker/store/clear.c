/* The one value that the caller keeps in clear. */
#include "internal.h"

#include <string.h>

static const struct sealed_key clear_key = {{SPACE_META, 'k'}}, state_key = {{SPACE_META, 's'}};

static enum store_result look(struct store *s, const struct sealed_key *key, void *out, size_t size, bool whole) {
    MDB_val k = {SEALED_KEY, (void *)(uintptr_t)key->bytes}, v;
    MDB_txn *view;

    if (!s->reader) return STORE_SEALED;
    enum store_result result = read_begin(s, &view);
    if (result != STORE_OK) return result;
    result = store_result_of(mdb_get(view, s->dbi, &k, &v));
    if (result == STORE_OK && (whole ? v.mv_size != size : v.mv_size < size)) result = STORE_BROKEN;
    if (result == STORE_OK) memcpy(out, v.mv_data, size);
    read_end(s);
    return result;
}

enum store_result store_clear_get(struct store *s, void *out, size_t size) { return look(s, &clear_key, out, size, true); }

uint64_t store_commits_shown(struct store *s) {
    uint8_t version[VERSION_BYTES];
    return look(s, &state_key, version, sizeof version, false) == STORE_OK ? seal_version(version) : 0;
}

static enum store_result change(struct store *s, const void *bytes, size_t size) {
    struct need need = {.pages = bytes ? 1 : 0, .puts = 1, .deleting = !bytes};

    if (!s->keys) return STORE_SEALED;
    enum store_result result = room_crushed(s) ? STORE_MEMORY : write_begin(s);
    if (result != STORE_OK) return result;
    if (room_for(s, &need) == ROOM_NONE) return STORE_FULL;
    result = bytes ? write_value(s, &clear_key, bytes, size) : write_gone(s, &clear_key);
    if (result != STORE_OK) return result;
    room_take(s, &need);
    s->changes++;
    return STORE_OK;
}

enum store_result store_clear_put(struct store *s, const void *bytes, size_t size) {
    return size <= STORE_CLEAR_MAX ? change(s, bytes, size) : STORE_INVALID;
}

enum store_result store_clear_remove(struct store *s) {
    uint8_t byte;
    enum store_result result = look(s, &clear_key, &byte, 1, false);
    return result == STORE_OK || result == STORE_BROKEN ? change(s, NULL, 0) : result;
}

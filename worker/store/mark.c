/* Marks: what shows a client that the file is an older one. */
#include "internal.h"

#include <string.h>

enum { MARK_MAC = 16, ACCEPT_MARGIN = 1 << 20 };

void mark_begin(struct state *state) { random_bytes(state->mark_key, KEY_BYTES); }

/* The last one again when nothing was committed in it. */
void branch_begin(struct state *state) {
    bool unused = state->branches > 0 && state->branch[state->branches - 1].first > state->commits;
    if (!unused && state->branches == STORE_BRANCHES) memmove(state->branch, state->branch + 1, --state->branches * sizeof *state->branch);
    struct branch *last = &state->branch[unused ? state->branches - 1 : state->branches++];
    last->first = state->commits + 1;
    random_bytes(&last->tag, sizeof last->tag);
}

/* The branch of a commit. NULL: it is older than what is kept. */
static const struct branch *branch_of(const struct state *state, uint64_t commit) {
    for (uint32_t i = state->branches; i-- > 0;)
        if (state->branch[i].first <= commit) return &state->branch[i];
    return NULL;
}

static void mac(const struct state *state, const uint8_t *named, uint8_t out[MARK_MAC]) {
    uint8_t whole[32];
    hmac_sha256(state->mark_key, KEY_BYTES, named, STORE_MARK - MARK_MAC, whole);
    memcpy(out, whole, MARK_MAC);
}

/* S4: whoever has seen more than an older file put back can tell */
void store_mark(const struct store *s, uint8_t mark[STORE_MARK]) {
    uint64_t commit = s->state.commits + store_dirty(s);
    const struct branch *branch = branch_of(&s->state, commit);
    put_le(mark, commit, 8);
    put_le(mark + 8, branch ? branch->tag : 0, 8);
    mac(&s->state, mark, mark + STORE_MARK - MARK_MAC);
}

enum store_mark store_mark_read(const struct store *s, const uint8_t mark[STORE_MARK], uint64_t *commit) {
    uint8_t right[MARK_MAC];
    mac(&s->state, mark, right);
    if (!secret_equal(right, mark + STORE_MARK - MARK_MAC, MARK_MAC)) return MARK_FOREIGN;
    *commit = get_le(mark, 8);
    const struct branch *branch = branch_of(&s->state, *commit);
    return *commit <= s->before.commits && (!branch || branch->tag == get_le(mark + 8, 8)) ? MARK_KNOWN : MARK_LOST;
}

enum store_result store_accept(struct store *s, uint64_t lost) {
    if (!s->keys) return STORE_SEALED;
    enum store_result result = write_begin(s);
    if (result != STORE_OK) return result;
    if (lost > s->state.commits) s->state.commits = lost;
    s->state.commits += ACCEPT_MARGIN;
    s->state.branches = 0;
    branch_begin(&s->state);
    s->changes++;
    return STORE_OK;
}

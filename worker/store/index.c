/* The ordered index: a B+tree of sealed nodes. Only the nodes on one path are touched by a change; lists keep the path to go on along it.
 */
#include "internal.h"

#include <string.h>

struct step {
    struct node *node; /* pinned */
    unsigned at;       /* inner: the child on the path; leaf: the entry */
};

struct path {
    enum store_table table;
    unsigned depth; /* steps, the root first */
    uint64_t drops; /* the tree's when the path was begun: after another one its nodes are no longer ours */
    struct step step[TREE_DEPTH];
};

int letter_index(char letter) { return letter == '#' ? 0 : letter >= 'A' && letter <= 'Z' ? letter - 'A' + 1 : -1; }

static enum store_result usable(const struct store *s, enum store_table table) {
    if (!s->keys) return STORE_SEALED;
    if (table < 1 || table >= STORE_TABLES_END) return STORE_INVALID;
    return s->state.table[table].depth <= TREE_DEPTH ? STORE_OK : STORE_BROKEN;
}

static void release(const struct store *s, struct path *p) {
    for (unsigned i = 0; i < p->depth && p->drops == s->tree.drops; i++)
        if (p->step[i].node) tree_unpin(p->step[i].node);
    p->depth = 0;
}

static struct step *leaf_of(struct path *p) { return &p->step[p->depth - 1]; }

/* Whether the leaf's entry there is v. */
static bool is_at(const struct step *leaf, const struct view *v) {
    if (leaf->at >= leaf->node->count) return false;
    struct view here = node_view(leaf->node, leaf->at);
    return view_compare(&here, v) == 0;
}

static enum store_result load_step(struct store *s, struct path *p, unsigned i) {
    const struct table_state *t = &s->state.table[p->table];
    struct node_ref ref = i == 0 ? t->root : node_ref(p->step[i - 1].node, p->step[i - 1].at);

    enum store_result result = tree_load(s, p->table, ref, t->depth - 1 - i, &p->step[i].node);
    if (result == STORE_OK && i + 1 < t->depth && p->step[i].node->count == 0) result = STORE_BROKEN;
    return result;
}

/* To the first entry at or above v; an empty path when there is no index. The caller releases it, whatever is returned. */
static enum store_result descend(struct store *s, enum store_table table, const struct view *v, struct path *p) {
    *p = (struct path){.table = table, .depth = s->state.table[table].depth, .drops = s->tree.drops};
    for (unsigned i = 0; i < p->depth; i++) {
        enum store_result result = load_step(s, p, i);
        if (result != STORE_OK) return result;
        p->step[i].at = p->step[i].node->level > 0 ? node_child(p->step[i].node, v) : node_lower(p->step[i].node, v);
    }
    return STORE_OK;
}

/* To the neighbouring leaf: its first entry, or (backwards) behind its last. STORE_MISSING: there is none, the path stays. */
static enum store_result next_leaf(struct store *s, struct path *p, bool backwards) {
    unsigned i = p->depth - 1;

    do {
        if (i == 0) return STORE_MISSING;
        i--;
    } while (backwards ? p->step[i].at == 0 : p->step[i].at + 1 >= p->step[i].node->count);
    p->step[i].at += backwards ? -1u : 1u;
    for (i++; i < p->depth; i++) {
        tree_unpin(p->step[i].node);
        p->step[i].node = NULL;
        enum store_result result = load_step(s, p, i);
        if (result != STORE_OK) return result;
        unsigned count = p->step[i].node->count;
        p->step[i].at = !backwards ? 0 : p->step[i].node->level > 0 ? count - 1 : count;
    }
    return STORE_OK;
}

/* All nodes on the path are about to change: new versions, each entered into its parent. */
static void touch_path(struct store *s, struct path *p) {
    for (unsigned i = 0; i < p->depth; i++) {
        struct node *n = p->step[i].node;
        tree_touch(s, n);
        if (i == 0)
            s->state.table[p->table].root = n->ref;
        else
            node_set_version(p->step[i - 1].node, p->step[i - 1].at, n->ref.version);
    }
}

static void new_root(struct store *s, enum store_table table, const uint8_t *entry, size_t size) {
    static const struct view lowest = {0};
    struct table_state *t = &s->state.table[table];
    struct node *root = tree_new(s, table, (uint8_t)t->depth);

    if (t->depth > 0) {
        uint8_t first[ENTRY_MAX];
        node_insert(root, 0, first, node_inner_entry(first, &lowest, t->root));
    }
    node_insert(root, root->count, entry, size);
    t->root = root->ref;
    t->depth++;
}

/* Puts an entry where the path points, splitting upwards. tree_reserve has made this unable to fail. */
static void insert_at(struct store *s, struct path *p, uint8_t entry[ENTRY_MAX], size_t size) {
    bool last = p->depth > 0 && leaf_of(p)->at == leaf_of(p)->node->count;
    for (unsigned i = 0; i + 1 < p->depth; i++)
        last = last && p->step[i].at + 1 == p->step[i].node->count;

    for (unsigned i = p->depth; i-- > 0;) {
        struct node *n = p->step[i].node;
        unsigned at = p->step[i].at + (n->level > 0);
        if (node_insert(n, at, entry, size)) return;
        struct node *right = tree_new(s, p->table, n->level);
        node_split(n, at, entry, size, right, last);
        struct view separator = node_separator(n, right);
        size = node_inner_entry(entry, &separator, right->ref);
    }
    new_root(s, p->table, entry, size);
}

struct need index_need(const struct store *s, enum store_table table, bool deleting) {
    uint64_t depth = s->state.table[table].depth;
    return (struct need){.pages = deleting ? 2 * depth : 3 * depth + 3, .puts = 3 * depth + 2, .deleting = deleting};
}

/* What a change of the index needs before its first byte moves. */
static enum store_result prepare(struct store *s, enum store_table table, bool deleting) {
    struct need need = index_need(s, table, deleting);

    if (room_crushed(s)) return STORE_MEMORY;
    enum store_result result = write_begin(s);
    if (result != STORE_OK) return result;
    if (room_for(s, &need) == ROOM_NONE) return STORE_FULL;
    return tree_reserve(s, TREE_DEPTH + 2);
}

enum store_result index_put(struct store *s, enum store_table table, const struct index_key *key, const void *summary, size_t size) {
    uint8_t entry[ENTRY_MAX];
    struct path path;

    enum store_result result = usable(s, table);
    if (result != STORE_OK) return result;
    if (letter_index(key->letter) < 0 || key->size > INDEX_KEY_MAX || size > INDEX_SUMMARY_MAX) return STORE_INVALID;
    result = write_begin(s);
    if (result != STORE_OK) return result;
    struct view v = view_of(key);
    result = descend(s, table, &v, &path);
    if (result == STORE_OK && path.depth >= TREE_DEPTH) result = STORE_FULL;
    if (result == STORE_OK) result = prepare(s, table, false);
    if (result == STORE_OK) {
        struct step *leaf = path.depth > 0 ? leaf_of(&path) : NULL;
        bool there = leaf && is_at(leaf, &v);
        touch_path(s, &path);
        if (there) {
            node_remove(leaf->node, leaf->at);
        } else {
            s->state.table[table].letter[letter_index(key->letter)]++;
            scan_entry(s, table, key, 1);
        }
        insert_at(s, &path, entry, node_leaf_entry(entry, key, summary, size));
        move_entry(s, table, key);
        changed(s, table);
    }
    release(s, &path);
    return result;
}

/* Takes the child at `at` of the step's node out of tree and file. */
static enum store_result cut_child(struct store *s, struct step *parent, unsigned at, struct node *child) {
    enum store_result result = tree_discard(s, child);
    if (result == STORE_OK) node_remove(parent->node, at);
    return result;
}

/* Joins the node of step i with a neighbour under the same parent when both are small. *cut: a node went. */
static enum store_result join(struct store *s, struct path *p, unsigned i, bool *cut) {
    struct step *parent = &p->step[i - 1];
    struct node *n = p->step[i].node, *other;
    bool rightwards = parent->at + 1 < parent->node->count;
    unsigned at = rightwards ? parent->at + 1 : parent->at - 1;

    *cut = false;
    if (parent->node->count < 2) return STORE_OK;
    /* A neighbour that does not open is no reason to refuse this change: what is wrong shows where it is read. */
    if (tree_load(s, p->table, node_ref(parent->node, at), n->level, &other) != STORE_OK) return s->failed;
    struct node *left = rightwards ? n : other, *right = rightwards ? other : n;
    unsigned right_at = rightwards ? at : parent->at;
    struct view separator = node_view(parent->node, right_at);
    *cut = node_merge(left, right, &separator, NODE_ROOM * 3 / 4);
    tree_unpin(other);
    if (!*cut) return STORE_OK;
    if (!rightwards) {
        tree_touch(s, left);
        node_set_version(parent->node, at, left->ref.version);
        tree_unpin(n);
        p->step[i].node = NULL;
    }
    return cut_child(s, parent, right_at, right);
}

/* After a removal: empty nodes go, small ones join. */
static enum store_result rebalance(struct store *s, struct path *p) {
    struct table_state *t = &s->state.table[p->table];
    enum store_result result = STORE_OK;
    bool cut = true;

    for (unsigned i = p->depth - 1; i > 0 && cut && result == STORE_OK; i--) {
        struct node *n = p->step[i].node;
        cut = n->count == 0;
        if (cut) {
            tree_unpin(n);
            p->step[i].node = NULL;
            result = cut_child(s, &p->step[i - 1], p->step[i - 1].at, n);
        } else if (node_used(n) < NODE_ROOM / 4) {
            result = join(s, p, i, &cut);
        }
    }
    if (result != STORE_OK) return result;
    struct node *root = p->step[0].node;
    if (root->count > (root->level > 0)) return STORE_OK;
    /* An inner root with one child gives way to it, an empty one to nothing. */
    t->root = root->count > 0 ? node_ref(root, 0) : (struct node_ref){0};
    t->depth = root->count > 0 ? t->depth - 1 : 0;
    tree_unpin(root);
    p->step[0].node = NULL;
    return tree_discard(s, root);
}

enum store_result index_delete(struct store *s, enum store_table table, const struct index_key *key) {
    struct path path;

    enum store_result result = usable(s, table);
    if (result != STORE_OK) return result;
    if (letter_index(key->letter) < 0 || key->size > INDEX_KEY_MAX) return STORE_INVALID;
    result = write_begin(s);
    if (result != STORE_OK) return result;
    struct view v = view_of(key);
    result = descend(s, table, &v, &path);
    struct step *leaf = result == STORE_OK && path.depth > 0 ? leaf_of(&path) : NULL;
    if (result == STORE_OK && (!leaf || !is_at(leaf, &v))) result = STORE_MISSING;
    if (result == STORE_OK) result = prepare(s, table, true);
    if (result == STORE_OK) {
        touch_path(s, &path);
        node_remove(leaf->node, leaf->at);
        s->state.table[table].letter[letter_index(key->letter)]--;
        scan_entry(s, table, key, -1);
        move_entry(s, table, key);
        changed(s, table);
        result = rebalance(s, &path);
    }
    release(s, &path);
    return result;
}

enum store_result index_get(struct store *s, enum store_table table, const struct index_key *key, const uint8_t **summary, size_t *size) {
    struct path path;
    struct view v = view_of(key);

    enum store_result result = usable(s, table);
    if (result != STORE_OK) return result;
    result = descend(s, table, &v, &path);
    struct step *leaf = result == STORE_OK && path.depth > 0 ? leaf_of(&path) : NULL;
    if (result == STORE_OK && (!leaf || !is_at(leaf, &v))) result = STORE_MISSING;
    if (result == STORE_OK) *summary = node_summary(leaf->node, leaf->at, size);
    release(s, &path);
    return result;
}

static void entry_key(const struct view *v, struct index_key *key) {
    key->letter = (char)v->letter;
    key->size = v->size;
    memcpy(key->bytes, v->bytes, v->size);
    memcpy(key->id, v->id, ID_BYTES);
}

/* The entry to give next: the path is moved onto it (forwards) or just behind it (backwards). STORE_MISSING: none in the letter. */
static enum store_result seek(struct store *s, struct path *p, char letter, bool backwards, struct view *v) {
    while (p->depth > 0 && leaf_of(p)->at == (backwards ? 0 : leaf_of(p)->node->count)) {
        enum store_result result = next_leaf(s, p, backwards);
        if (result != STORE_OK) return result;
    }
    if (p->depth == 0) return STORE_MISSING;
    *v = node_view(leaf_of(p)->node, leaf_of(p)->at - backwards);
    return letter && v->letter != (uint8_t)letter ? STORE_MISSING : STORE_OK;
}

/* Where a list starts. */
static enum store_result first_of(struct store *s, enum store_table table, char letter, const struct index_key *after, bool backwards,
                                  struct path *p) {
    struct view low = {.letter = (uint8_t)letter}, high = {.letter = letter ? (uint8_t)(letter + 1) : 0xff}, start = backwards ? high : low;

    if (after) {
        struct view here = view_of(after);
        int order = view_compare(&here, &start);
        if (backwards ? order < 0 : order > 0) start = here;
    }
    enum store_result result = descend(s, table, &start, p);
    if (result != STORE_OK || backwards || !after || p->depth == 0) return result;
    struct view given = view_of(after);
    leaf_of(p)->at += is_at(leaf_of(p), &given);
    return STORE_OK;
}

enum store_result index_list(struct store *s, enum store_table table, char letter, const struct index_key *after, bool backwards,
                             size_t limit, index_each *each, void *argument, bool *more) {
    struct index_key key;
    struct path path;
    struct view v;
    size_t size;

    enum store_result result = usable(s, table);
    if (result != STORE_OK) return result;
    if ((letter && letter_index(letter) < 0) || (after && after->size > INDEX_KEY_MAX)) return STORE_INVALID;
    result = first_of(s, table, letter, after, backwards, &path);
    for (size_t given = 0; result == STORE_OK; given++) {
        result = seek(s, &path, letter, backwards, &v);
        if (result != STORE_OK || given == limit) break;
        struct step *leaf = leaf_of(&path);
        const uint8_t *summary = node_summary(leaf->node, leaf->at - backwards, &size);
        entry_key(&v, &key);
        leaf->at += backwards ? -1u : 1u;
        if (!each(argument, &key, summary, size)) limit = given + 1;
    }
    if (more) *more = result == STORE_OK;
    release(s, &path);
    return result == STORE_MISSING ? STORE_OK : result;
}

enum store_result index_letters(struct store *s, enum store_table table, uint64_t count[INDEX_LETTERS]) {
    enum store_result result = usable(s, table);
    if (result == STORE_OK) memcpy(count, s->state.table[table].letter, sizeof s->state.table[table].letter);
    return result;
}

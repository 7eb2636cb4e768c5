#include "tree.h"

#include "internal.h"

#include <stdlib.h>
#include <string.h>

void tree_begin(struct store *s) { random_bytes(&s->tree.version, sizeof s->tree.version); }

static void node_free(struct node *n) {
    if (n) secret_wipe(n, sizeof *n);
    free(n);
}

/* Takes slot i out of the cache; the node is the caller's. */
static struct node *take_out(struct tree *t, unsigned i) {
    struct node *n = t->slot[i];

    t->count--;
    t->slot[i] = t->slot[t->count];
    t->id[i] = t->id[t->count];
    return n;
}

static void give_back(struct tree *t, struct node *n) {
    if (t->spares < TREE_SPARES)
        t->spare[t->spares++] = n;
    else
        node_free(n);
}

static void put_in(struct tree *t, struct node *n) {
    n->touched = ++t->clock;
    t->slot[t->count] = n;
    t->id[t->count++] = n->ref.id;
}

static int find(const struct tree *t, enum store_table table, uint64_t id) {
    for (unsigned i = 0; i < t->count; i++)
        if (t->id[i] == id && t->slot[i]->table == table) return (int)i;
    return -1;
}

static enum store_result node_key(struct store *s, enum store_table table, uint64_t id, struct sealed_key *key) {
    uint8_t name[8];

    put_le(name, id, sizeof name);
    return seal_key(s, (uint8_t)(SPACE_NODES + table), name, sizeof name, key) ? STORE_OK : STORE_MEMORY;
}

static enum store_result write_node(struct store *s, struct node *n) {
    uint8_t sealed[NODE_STORED];

    if (!n->stored && node_key(s, n->table, n->ref.id, &n->key) != STORE_OK) return write_lost(s, STORE_MEMORY);
    if (!seal_value(s, &n->key, n->ref.version, n->bytes, sizeof n->bytes, sealed)) return write_lost(s, STORE_MEMORY);
    enum store_result result = write_value(s, &n->key, sealed, sizeof sealed);
    if (result != STORE_OK) return result;
    n->dirty = false;
    n->stored = true;
    return STORE_OK;
}

/* The least useful node: a clean leaf, a clean inner node, then dirty ones; the longest unused first. -1 = all are pinned. */
static int victim(const struct tree *t) {
    uint64_t best = UINT64_MAX;
    int found = -1;

    for (unsigned i = 0; i < t->count; i++) {
        const struct node *n = t->slot[i];
        uint64_t rank = n->touched + ((uint64_t)(n->dirty ? 2 : 0) + (n->level > 0)) * (UINT64_MAX / 4);
        if (n->pins == 0 && rank < best) {
            best = rank;
            found = (int)i;
        }
    }
    return found;
}

static unsigned idle_leaves(const struct tree *t) {
    unsigned leaves = 0;
    for (unsigned i = 0; i < t->count; i++)
        leaves += t->slot[i]->level == 0 && !t->slot[i]->dirty;
    return leaves;
}

/* Puts the least useful node among the spares, writing it first when it is dirty. */
static enum store_result evict(struct store *s) {
    int i = victim(&s->tree);
    if (i < 0) return STORE_MEMORY;
    if (s->tree.slot[i]->dirty) {
        enum store_result result = write_node(s, s->tree.slot[i]);
        if (result != STORE_OK) return result;
    }
    give_back(&s->tree, take_out(&s->tree, (unsigned)i));
    return STORE_OK;
}

enum store_result tree_reserve(struct store *s, unsigned count) {
    struct tree *t = &s->tree;

    while (t->count + count > TREE_NODES) {
        enum store_result result = evict(s);
        if (result != STORE_OK) return result;
    }
    while (t->spares < count) {
        struct node *n = malloc(sizeof *n);
        enum store_result result = n ? STORE_OK : evict(s);
        if (n) give_back(t, n);
        if (result != STORE_OK) return result;
    }
    return STORE_OK;
}

static enum store_result read_node(struct store *s, enum store_table table, struct node_ref ref, unsigned level, struct node *n) {
    MDB_txn *view;
    MDB_val k, v;

    enum store_result result = node_key(s, table, ref.id, &n->key);
    if (result == STORE_OK) result = read_begin(s, &view);
    if (result != STORE_OK) return result;
    k = (MDB_val){SEALED_KEY, n->key.bytes};
    int rc = mdb_get(view, s->dbi, &k, &v);
    if (rc == 0 && (v.mv_size != NODE_STORED || seal_version(v.mv_data) != ref.version ||
                    !seal_open(s, &n->key, v.mv_data, v.mv_size, n->bytes) || !node_index(n) || n->level != level))
        result = STORE_BROKEN;
    else if (rc != 0)
        result = rc == MDB_NOTFOUND ? STORE_BROKEN : store_result_of(rc);
    read_end(s);
    n->ref = ref;
    n->table = (uint8_t)table;
    n->dirty = false;
    n->stored = true;
    n->pins = 0;
    return result;
}

enum store_result tree_load(struct store *s, enum store_table table, struct node_ref ref, unsigned level, struct node **node) {
    struct tree *t = &s->tree;
    int i = find(t, table, ref.id);

    if (i >= 0 && t->slot[i]->ref.version != ref.version) { /* left over from a transaction that failed */
        if (t->slot[i]->dirty || t->slot[i]->pins > 0) return STORE_BROKEN;
        give_back(t, take_out(t, (unsigned)i));
        i = -1;
    }
    if (i < 0) {
        enum store_result result = level == 0 && idle_leaves(t) >= TREE_IDLE_LEAVES ? evict(s) : STORE_OK;
        if (result == STORE_OK) result = tree_reserve(s, 1);
        if (result != STORE_OK) return result;
        struct node *n = t->spare[--t->spares];
        result = read_node(s, table, ref, level, n);
        if (result != STORE_OK) {
            give_back(t, n);
            return result;
        }
        put_in(t, n);
        i = (int)t->count - 1;
    }
    *node = t->slot[i];
    if ((*node)->level != level) return STORE_BROKEN;
    (*node)->pins++;
    (*node)->touched = ++t->clock;
    return STORE_OK;
}

enum store_result tree_load_stored(struct store *s, enum store_table table, struct node_ref ref, unsigned level, struct node *scratch) {
    int i = find(&s->tree, table, ref.id);

    if (i < 0 || !s->tree.slot[i]->dirty) return read_node(s, table, ref, level, scratch);
    if (s->tree.slot[i]->ref.version != ref.version || s->tree.slot[i]->level != level) return STORE_BROKEN;
    *scratch = *s->tree.slot[i];
    return STORE_OK;
}

struct node *tree_new(struct store *s, enum store_table table, uint8_t level) {
    struct tree *t = &s->tree;
    struct node *n = t->spare[--t->spares];

    n->ref = (struct node_ref){.id = s->state.next_node++, .version = t->version++};
    n->table = (uint8_t)table;
    n->stored = false;
    n->pins = 0;
    n->dirty = true;
    node_clear(n, level);
    put_in(t, n);
    room_take(s, &(struct need){.pages = 2, .puts = 1});
    return n;
}

void tree_touch(struct store *s, struct node *n) {
    if (n->dirty) return;
    n->dirty = true;
    n->ref.version = s->tree.version++;
    room_take(s, &(struct need){.pages = 1, .puts = 1, .freed = 1});
}

enum store_result tree_discard(struct store *s, struct node *n) {
    int i = find(&s->tree, n->table, n->ref.id);
    enum store_result result = n->stored ? write_gone(s, &n->key) : STORE_OK;

    if (result != STORE_OK) return result; /* the transaction and this node with it are gone */
    room_take(s, &(struct need){.puts = 1, .freed = 1});
    give_back(&s->tree, take_out(&s->tree, (unsigned)i));
    return STORE_OK;
}

unsigned tree_dirty(const struct store *s) {
    unsigned dirty = 0;
    for (unsigned i = 0; i < s->tree.count; i++)
        dirty += s->tree.slot[i]->dirty;
    return dirty;
}

enum store_result tree_flush(struct store *s) {
    for (unsigned i = 0; i < s->tree.count; i++) {
        if (!s->tree.slot[i]->dirty) continue;
        enum store_result result = write_node(s, s->tree.slot[i]);
        if (result != STORE_OK) return result;
    }
    return STORE_OK;
}

void tree_settle(struct store *s) {
    struct tree *t = &s->tree;

    /* Nothing is dirty now, so victims are clean leaves as long as there are any. */
    for (unsigned surplus = idle_leaves(t); surplus > TREE_IDLE_LEAVES; surplus--) {
        int i = victim(t);
        if (i < 0) return;
        give_back(t, take_out(t, (unsigned)i));
    }
}

void tree_drop(struct store *s) {
    struct tree *t = &s->tree;

    t->drops++;
    for (unsigned i = t->count; i-- > 0;) {
        t->slot[i]->pins = 0;
        if (t->slot[i]->dirty) give_back(t, take_out(t, i));
    }
}

void tree_free(struct store *s) {
    struct tree *t = &s->tree;

    while (t->count > 0)
        node_free(take_out(t, t->count - 1));
    while (t->spares > 0)
        node_free(t->spare[--t->spares]);
    *t = (struct tree){0};
}

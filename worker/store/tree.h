/*
 * The index nodes in memory: a bounded cache of decrypted nodes, and what becomes of them at commit and abort. A dirty node gets its new
 * version when it is first changed, at once entered into its parent; so nodes may be sealed in any order. Versions are a random number
 * of the transaction plus a serial: one that was drawn in a transaction that failed can never fit a node of a later one.
 */
#pragma once

#include "node.h"

enum { TREE_NODES = 128 /* about 600 KB of arena at most */, TREE_SPARES = 32, TREE_DEPTH = 12, TREE_IDLE_LEAVES = 8 };

struct tree {
    struct node *slot[TREE_NODES];
    uint64_t id[TREE_NODES]; /* of slot[i], for the search */
    unsigned count;
    struct node *spare[TREE_SPARES];
    unsigned spares;
    uint64_t clock;
    uint64_t version; /* the next to give */
    uint64_t drops;   /* how often tree_drop took all pins away */
};

void tree_begin(struct store *s); /* of a write transaction */

/* The node that a parent names. Pinned: pair with tree_unpin. STORE_BROKEN: missing, altered, or of another version. */
enum store_result tree_load(struct store *s, enum store_table table, struct node_ref ref, unsigned level, struct node **node);
static inline void tree_unpin(struct node *n) { n->pins--; }

/* The same into `scratch` past the cache, so that the file itself is looked at; only what is not yet written comes out of the cache. */
enum store_result tree_load_stored(struct store *s, enum store_table table, struct node_ref ref, unsigned level, struct node *scratch);

/* Makes sure that the next `count` tree_new calls succeed. Only unpinned nodes move. */
enum store_result tree_reserve(struct store *s, unsigned count);
struct node *tree_new(struct store *s, enum store_table table, uint8_t level); /* dirty, empty, not pinned */
void tree_touch(struct store *s, struct node *n);                              /* dirty from now on, with a new version if it was clean */
enum store_result tree_discard(struct store *s, struct node *n);               /* out of cache and file */

unsigned tree_dirty(const struct store *s);    /* how many nodes are */
enum store_result tree_flush(struct store *s); /* seals what is dirty into the write transaction */
void tree_settle(struct store *s);             /* after a commit: keeps inner nodes and a few leaves */
void tree_drop(struct store *s);               /* after an abort: forgets what is dirty; nothing is pinned any more */
void tree_free(struct store *s);

/*
 * One node of an index, decrypted: a sorted run of entries in one page of the file.
 *
 * Plaintext: level (1 byte, 0 = leaf), 0, count (2), used bytes (4), then the entries, little endian.
 *   leaf entry:  letter, key size, summary size (2), id (16), key, summary
 *   inner entry: letter, key size, has an id (2), child id (8), child version (8), [id (16)], key
 * An inner entry's key separates: everything under the child is at or above it; the first entry of a node stands for minus infinity.
 */
#pragma once

#include "seal.h"
#include "store.h"

enum {
    NODE_STORED = 4080, /* with LMDB's 16 bytes exactly one page of 4096 */
    NODE_PLAIN = NODE_STORED - SEALED_OVERHEAD,
    NODE_HEAD = 8,
    NODE_ROOM = NODE_PLAIN - NODE_HEAD,
    ENTRY_FIXED = 20,
    ENTRY_MAX = ENTRY_FIXED + INDEX_KEY_MAX + INDEX_SUMMARY_MAX,
    NODE_ENTRIES = NODE_ROOM / ENTRY_FIXED,
};

struct node_ref {
    uint64_t id;      /* 0 = none */
    uint64_t version; /* drawn anew each time the node is written */
};

struct node {
    struct node_ref ref;
    struct sealed_key key; /* in LMDB */
    uint8_t table, level;
    bool dirty;       /* newer than what LMDB has */
    bool stored;      /* LMDB has some version of it */
    unsigned pins;    /* > 0: stays in the cache */
    uint64_t touched; /* the cache's clock */
    unsigned count;
    uint16_t at[NODE_ENTRIES + 1]; /* where each entry starts; at[count] is the end */
    uint8_t bytes[NODE_PLAIN];
};

/* A position in the order: letter, then key, then id. */
struct view {
    uint8_t letter; /* 0 = before, 0xff = after every letter */
    uint8_t size;
    const uint8_t *bytes;
    const uint8_t *id; /* NULL = before every id */
};

struct view view_of(const struct index_key *key);
int view_compare(const struct view *a, const struct view *b);

void node_clear(struct node *n, uint8_t level);
bool node_index(struct node *n); /* reads bytes into level, count, at; false: not a node */
static inline size_t node_used(const struct node *n) { return (size_t)n->at[n->count] - NODE_HEAD; }

struct view node_view(const struct node *n, unsigned i);
unsigned node_lower(const struct node *n, const struct view *v); /* the first entry at or above v; count = none */
unsigned node_child(const struct node *n, const struct view *v); /* inner: where v belongs */

struct node_ref node_ref(const struct node *n, unsigned i); /* inner */
void node_set_version(struct node *n, unsigned i, uint64_t version);
const uint8_t *node_summary(const struct node *n, unsigned i, size_t *size); /* leaf */

/* An entry's bytes; out has ENTRY_MAX. Gives the length. */
size_t node_leaf_entry(uint8_t *out, const struct index_key *key, const void *summary, size_t size);
size_t node_inner_entry(uint8_t *out, const struct view *separator, struct node_ref child);

bool node_insert(struct node *n, unsigned i, const uint8_t *entry, size_t size); /* false: no room, nothing done */
void node_remove(struct node *n, unsigned i);
/* Inserts the entry by moving the upper part to the empty node `right`. append: only the new entry goes there (sorted input fills pages).
 */
void node_split(struct node *n, unsigned i, const uint8_t *entry, size_t size, struct node *right, bool append);
/* The shortest position above all of left and not above right's first; it points into right. */
struct view node_separator(const struct node *left, const struct node *right);
/* Appends right's entries to left; for inner nodes `separator` replaces right's first. false: more than `limit` bytes would be used,
 * nothing done. */
bool node_merge(struct node *left, const struct node *right, const struct view *separator, size_t limit);

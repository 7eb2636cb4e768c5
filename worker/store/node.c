#include "node.h"

#include <string.h>

struct view view_of(const struct index_key *key) {
    return (struct view){.letter = (uint8_t)key->letter, .size = key->size, .bytes = key->bytes, .id = key->id};
}

int view_compare(const struct view *a, const struct view *b) {
    if (a->letter != b->letter) return a->letter < b->letter ? -1 : 1;
    size_t common = a->size < b->size ? a->size : b->size;
    int order = common > 0 ? memcmp(a->bytes, b->bytes, common) : 0;
    if (order != 0) return order;
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    if (a->id && b->id) return memcmp(a->id, b->id, ID_BYTES);
    return (a->id != NULL) - (b->id != NULL);
}

/* The length of the entry at `e`, of which `left` bytes are there; 0 = not an entry. */
static size_t entry_length(uint8_t level, const uint8_t *e, size_t left) {
    if (left < ENTRY_FIXED || e[1] > INDEX_KEY_MAX) return 0;
    size_t tail = (size_t)get_le(e + 2, 2);
    if (level > 0 && tail > 1) return 0;
    size_t length = ENTRY_FIXED + (size_t)e[1] + (level > 0 ? tail * ID_BYTES : tail);
    return length <= left && length <= ENTRY_MAX ? length : 0;
}

static void write_head(struct node *n) {
    n->bytes[0] = n->level;
    n->bytes[1] = 0;
    put_le(n->bytes + 2, n->count, 2);
    put_le(n->bytes + 4, n->at[n->count], 4);
}

void node_clear(struct node *n, uint8_t level) {
    n->level = level;
    n->count = 0;
    n->at[0] = NODE_HEAD;
    memset(n->bytes, 0, sizeof n->bytes);
    write_head(n);
}

bool node_index(struct node *n) {
    size_t at = NODE_HEAD, end = (size_t)get_le(n->bytes + 4, 4);
    unsigned count = (unsigned)get_le(n->bytes + 2, 2);

    n->level = n->bytes[0];
    n->count = 0;
    n->at[0] = NODE_HEAD;
    if (end < NODE_HEAD || end > NODE_PLAIN || count > NODE_ENTRIES) return false;
    for (unsigned i = 0; i < count; i++) {
        size_t length = entry_length(n->level, n->bytes + at, end - at);
        if (length == 0) return false;
        at += length;
        n->at[i + 1] = (uint16_t)at;
    }
    n->count = count;
    return at == end;
}

struct view node_view(const struct node *n, unsigned i) {
    const uint8_t *e = n->bytes + n->at[i];
    struct view v = {.letter = e[0], .size = e[1]};

    if (n->level == 0) {
        v.id = e + 4;
        v.bytes = e + ENTRY_FIXED;
    } else {
        v.id = e[2] ? e + ENTRY_FIXED : NULL;
        v.bytes = e + ENTRY_FIXED + (e[2] ? ID_BYTES : 0);
    }
    return v;
}

unsigned node_lower(const struct node *n, const struct view *v) {
    unsigned low = 0, high = n->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        struct view here = node_view(n, middle);
        if (view_compare(&here, v) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

unsigned node_child(const struct node *n, const struct view *v) {
    unsigned low = 1, high = n->count; /* the first entry above v, the first of all never being it */

    while (low < high) {
        unsigned middle = (low + high) / 2;
        struct view here = node_view(n, middle);
        if (view_compare(&here, v) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

struct node_ref node_ref(const struct node *n, unsigned i) {
    const uint8_t *e = n->bytes + n->at[i];
    return (struct node_ref){.id = get_le(e + 4, 8), .version = get_le(e + 12, 8)};
}

void node_set_version(struct node *n, unsigned i, uint64_t version) { put_le(n->bytes + n->at[i] + 12, version, 8); }

const uint8_t *node_summary(const struct node *n, unsigned i, size_t *size) {
    const uint8_t *e = n->bytes + n->at[i];
    *size = (size_t)get_le(e + 2, 2);
    return e + ENTRY_FIXED + e[1];
}

size_t node_leaf_entry(uint8_t *out, const struct index_key *key, const void *summary, size_t size) {
    out[0] = (uint8_t)key->letter;
    out[1] = key->size;
    put_le(out + 2, size, 2);
    memcpy(out + 4, key->id, ID_BYTES);
    memcpy(out + ENTRY_FIXED, key->bytes, key->size);
    if (size > 0) memcpy(out + ENTRY_FIXED + key->size, summary, size);
    return ENTRY_FIXED + key->size + size;
}

size_t node_inner_entry(uint8_t *out, const struct view *separator, struct node_ref child) {
    size_t length = ENTRY_FIXED;

    out[0] = separator->letter;
    out[1] = separator->size;
    put_le(out + 2, separator->id != NULL, 2);
    put_le(out + 4, child.id, 8);
    put_le(out + 12, child.version, 8);
    if (separator->id) {
        memcpy(out + length, separator->id, ID_BYTES);
        length += ID_BYTES;
    }
    if (separator->size > 0) memcpy(out + length, separator->bytes, separator->size);
    return length + separator->size;
}

bool node_insert(struct node *n, unsigned i, const uint8_t *entry, size_t size) {
    size_t at = n->at[i], end = n->at[n->count];

    if (end + size > NODE_PLAIN || n->count >= NODE_ENTRIES) return false;
    memmove(n->bytes + at + size, n->bytes + at, end - at);
    memcpy(n->bytes + at, entry, size);
    for (unsigned j = n->count + 1; j > i; j--)
        n->at[j] = (uint16_t)(n->at[j - 1] + size);
    n->count++;
    write_head(n);
    return true;
}

void node_remove(struct node *n, unsigned i) {
    size_t at = n->at[i], size = n->at[i + 1] - at, end = n->at[n->count];

    memmove(n->bytes + at, n->bytes + at + size, end - at - size);
    memset(n->bytes + end - size, 0, size);
    for (unsigned j = i + 1; j < n->count; j++)
        n->at[j] = (uint16_t)(n->at[j + 1] - size);
    n->count--;
    write_head(n);
}

/* Fills a node with `count` entries that lie one after the other. */
static void fill(struct node *n, const uint8_t *entries, size_t size, unsigned count) {
    uint8_t level = n->level;

    memcpy(n->bytes + NODE_HEAD, entries, size);
    memset(n->bytes + NODE_HEAD + size, 0, NODE_ROOM - size);
    n->bytes[0] = level;
    put_le(n->bytes + 2, count, 2);
    put_le(n->bytes + 4, NODE_HEAD + size, 4);
    node_index(n);
}

void node_split(struct node *n, unsigned i, const uint8_t *entry, size_t size, struct node *right, bool append) {
    uint8_t all[NODE_ROOM + ENTRY_MAX];
    size_t used = node_used(n), before = (size_t)n->at[i] - NODE_HEAD, total = used + size, cut = 0;
    unsigned count = n->count + 1, left = 0;

    memcpy(all, n->bytes + NODE_HEAD, before);
    memcpy(all + before, entry, size);
    memcpy(all + before + size, n->bytes + NODE_HEAD + before, used - before);
    while (left + 1 < count && (append || cut < total / 2)) {
        size_t length = entry_length(n->level, all + cut, total - cut);
        if (cut + length > NODE_ROOM) break;
        cut += length;
        left++;
    }
    fill(n, all, cut, left);
    node_clear(right, n->level);
    fill(right, all + cut, total - cut, count - left);
    secret_wipe(all, sizeof all);
}

struct view node_separator(const struct node *left, const struct node *right) {
    struct view high = node_view(right, 0);
    if (right->level > 0) return high;
    struct view low = node_view(left, left->count - 1);

    if (low.letter != high.letter) {
        high.size = 0;
        high.id = NULL;
    } else if (low.size != high.size || memcmp(low.bytes, high.bytes, low.size) != 0) {
        uint8_t common = 0;
        while (common < low.size && low.bytes[common] == high.bytes[common])
            common++;
        high.size = (uint8_t)(common + 1);
        high.id = NULL;
    }
    return high;
}

bool node_merge(struct node *left, const struct node *right, const struct view *separator, size_t limit) {
    uint8_t first[ENTRY_MAX];
    size_t used = node_used(left), tail = node_used(right), size = 0;

    if (right->level > 0) {
        size_t old = right->at[1] - right->at[0];
        size = node_inner_entry(first, separator, node_ref(right, 0));
        tail -= old;
    }
    if (used + size + tail > limit || left->count + right->count > NODE_ENTRIES) return false;
    memcpy(left->bytes + NODE_HEAD + used, first, size);
    memcpy(left->bytes + NODE_HEAD + used + size, right->bytes + (right->level > 0 ? right->at[1] : NODE_HEAD), tail);
    put_le(left->bytes + 2, left->count + right->count, 2);
    put_le(left->bytes + 4, NODE_HEAD + used + size + tail, 4);
    return node_index(left);
}

/* What the tests of worker/crm/ stand on: the store in plain memory, by the contract of store.h, and exchanges that keep their answer.
 * Included by one test program at a time. */
#pragma once

#include "../../worker/documents/documents.h"
#include "../../worker/functions.h"
#include "../../worker/journal/journal.h"
#include "../../worker/tenant.h"
#include "../../worker/web/http.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct tenant self;
static struct counter_page fake_counters;

/* What documents/ would do with a document's contents. */
static unsigned documents_removed;
void document_removed(const struct record *r) { documents_removed += r->kind == KIND_DOCUMENT; }

bool function_on(enum function f) { return f == FUNCTION_counters; }

/* --- the store, unless the real one stands in --- */
#ifndef CRM_REAL_STORE
struct fake_record {
    uint8_t id[ID_BYTES];
    uint8_t *value;
    size_t size;
    uint64_t version;
};
struct fake_entry {
    struct index_key key;
    uint8_t summary[INDEX_SUMMARY_MAX];
    size_t size;
};
struct fake_table {
    struct fake_record *record;
    struct fake_entry *entry;
    size_t records, entries;
    uint64_t floor;
};
static struct {
    struct fake_table table[STORE_TABLES_END];
    size_t changes, commits;
    int refuse_put, refuse_index;         /* after that many more writes, STORE_FULL; -1 = never */
    enum store_result commit_fails, lost; /* lost: what store_lose() was told */
} fake = {.refuse_put = -1, .refuse_index = -1};

static size_t fake_find(struct fake_table *t, const uint8_t *id) {
    size_t i = 0;
    while (i < t->records && memcmp(t->record[i].id, id, ID_BYTES) != 0)
        i++;
    return i;
}

static bool fake_refuses(int *left) {
    if (*left < 0) return false;
    if (*left == 0) return true;
    --*left;
    return false;
}

enum store_result store_get(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const uint8_t **value, size_t *size,
                            uint64_t *version) {
    struct fake_table *t = &fake.table[table];
    size_t i = fake_find(t, id);
    (void)s;
    if (i == t->records) return STORE_MISSING;
    *value = t->record[i].value;
    *size = t->record[i].size;
    *version = t->record[i].version;
    return STORE_OK;
}

enum store_result store_put(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const void *value, size_t size,
                            uint64_t expected, uint64_t *version) {
    struct fake_table *t = &fake.table[table];
    size_t i = fake_find(t, id);
    (void)s;
    if (expected != STORE_ANY && expected != (i < t->records ? t->record[i].version : 0))
        return i < t->records ? STORE_CONFLICT : STORE_MISSING;
    if (fake_refuses(&fake.refuse_put)) return STORE_FULL;
    if (i == t->records) {
        t->record = realloc(t->record, ++t->records * sizeof *t->record);
        t->record[i] = (struct fake_record){.version = t->floor};
        memcpy(t->record[i].id, id, ID_BYTES);
    }
    free(t->record[i].value);
    t->record[i].value = malloc(size);
    memcpy(t->record[i].value, value, size);
    t->record[i].size = size;
    *version = ++t->record[i].version;
    fake.changes++;
    return STORE_OK;
}

enum store_result store_fits(struct store *s, enum store_table table, size_t size, bool deleting) {
    return (void)s, (void)table, (void)size, (void)deleting, STORE_OK;
}

uint64_t store_new_version(const struct store *s, enum store_table table) { return (void)s, fake.table[table].floor + 1; }

enum store_result store_delete(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], uint64_t expected) {
    struct fake_table *t = &fake.table[table];
    size_t i = fake_find(t, id);
    (void)s;
    if (i == t->records) return STORE_MISSING;
    if (expected != STORE_ANY && expected != t->record[i].version) return STORE_CONFLICT;
    if (t->record[i].version > t->floor) t->floor = t->record[i].version;
    free(t->record[i].value);
    t->record[i] = t->record[--t->records];
    fake.changes++;
    return STORE_OK;
}

static int fake_order(const struct index_key *a, const struct index_key *b) {
    size_t n = a->size < b->size ? a->size : b->size;
    int d = a->letter - b->letter;
    if (!d) d = memcmp(a->bytes, b->bytes, n);
    if (!d) d = a->size - b->size;
    return d ? d : memcmp(a->id, b->id, ID_BYTES);
}

/* The first entry that is not before key. */
static size_t fake_place(struct fake_table *t, const struct index_key *key) {
    size_t low = 0, high = t->entries;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (fake_order(&t->entry[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum store_result index_put(struct store *s, enum store_table table, const struct index_key *key, const void *summary, size_t size) {
    struct fake_table *t = &fake.table[table];
    size_t i = fake_place(t, key);
    (void)s;
    assert_in_range(size, 1, INDEX_SUMMARY_MAX);
    if (fake_refuses(&fake.refuse_index)) return STORE_FULL;
    if (i == t->entries || fake_order(&t->entry[i].key, key) != 0) {
        t->entry = realloc(t->entry, ++t->entries * sizeof *t->entry);
        memmove(t->entry + i + 1, t->entry + i, (t->entries - i - 1) * sizeof *t->entry);
    }
    t->entry[i].key = *key;
    t->entry[i].size = size;
    memcpy(t->entry[i].summary, summary, size);
    fake.changes++;
    return STORE_OK;
}

enum store_result index_delete(struct store *s, enum store_table table, const struct index_key *key) {
    struct fake_table *t = &fake.table[table];
    size_t i = fake_place(t, key);
    (void)s;
    if (i == t->entries || fake_order(&t->entry[i].key, key) != 0) return STORE_MISSING;
    memmove(t->entry + i, t->entry + i + 1, (--t->entries - i) * sizeof *t->entry);
    fake.changes++;
    return STORE_OK;
}

enum store_result index_list(struct store *s, enum store_table table, char letter, const struct index_key *after, bool backwards,
                             size_t limit, index_each *each, void *argument, bool *more) {
    struct fake_table *t = &fake.table[table];
    size_t given = 0;
    (void)s;
    *more = false;
    for (size_t n = 0; n < t->entries; n++) {
        struct fake_entry *e = &t->entry[backwards ? t->entries - 1 - n : n];
        int order = after ? fake_order(&e->key, after) : backwards ? -1 : 1;
        if ((letter && e->key.letter != letter) || (backwards ? order >= 0 : order <= 0)) continue;
        *more = given == limit;
        if (*more || (given++, !each(argument, &e->key, e->summary, e->size))) break;
    }
    return STORE_OK;
}

enum store_result index_letters(struct store *s, enum store_table table, uint64_t counts[INDEX_LETTERS]) {
    (void)s;
    memset(counts, 0, INDEX_LETTERS * sizeof *counts);
    for (size_t i = 0; i < fake.table[table].entries; i++) {
        char c = fake.table[table].entry[i].key.letter;
        counts[c == '#' ? 0 : c - 'A' + 1]++;
    }
    return STORE_OK;
}

enum store_result store_walk(struct store *s, enum store_table table, struct store_cursor *cursor, size_t limit, store_each *each,
                             void *argument) {
    struct fake_table *t = &fake.table[table];
    (void)s;
    for (; limit && cursor->size < t->records; limit--) {
        struct fake_record *r = &t->record[cursor->size++];
        if (!each(argument, r->id, r->value, r->size, r->version)) break;
    }
    cursor->done = cursor->size >= t->records;
    return STORE_OK;
}

static size_t fake_lines[JOURNAL_ACTS]; /* of the journal */
enum store_result journal_add(enum journal_act act, const uint8_t user[ID_BYTES], json_t *about) {
    assert_non_null(user);
    json_decref(about);
    fake_lines[act]++;
    return STORE_OK;
}
void journal_tell(enum journal_act act, const uint8_t user[ID_BYTES], json_t *about) { journal_add(act, user, about); }
json_t *journal_id(const uint8_t id[ID_BYTES]) { return (void)id, json_string("id"); }

void store_lose(struct store *s, enum store_result why) { (void)s, fake.lost = why; }
bool store_dirty(const struct store *s) { return (void)s, fake.changes > 0; }
bool store_pressed(const struct store *s) { return (void)s, false; }
#endif

/* --- exchanges --- */
struct exchange {
    struct request request;
    struct http_request_head head;
    struct session session;
    int status; /* 0 = not answered yet */
    char type[64];
    char *body; /* NUL-terminated */
    size_t size;
    char headers[512]; /* "Name: value\n"… */
    bool (*piece)(struct exchange *, void *, const uint8_t *, size_t);
    void (*end)(struct exchange *, void *);
    void (*release)(void *);
    void *argument;
    bool broken_off;
};

static void fake_answer(struct exchange *x, int status, const char *type, const void *bytes, size_t size) {
    assert_int_equal(x->status, 0);
    x->status = status;
    snprintf(x->type, sizeof x->type, "%s", type);
    x->body = realloc(x->body, size + 1);
    memcpy(x->body, bytes, size);
    x->body[x->size = size] = 0;
}

void respond_bytes(struct exchange *x, int status, const char *type, const void *bytes, size_t size) {
    fake_answer(x, status, type, bytes, size);
}
void respond_empty(struct exchange *x, int status) { fake_answer(x, status, "", "", 0); }
void respond_buffer(struct exchange *x, int status, const char *type, struct evbuffer *body) {
    size_t size = evbuffer_get_length(body);
    fake_answer(x, status, type, evbuffer_pullup(body, -1), size);
    evbuffer_drain(body, size);
}
void respond_json(struct exchange *x, int status, json_t *body) {
    char *text = json_dumps(body, JSON_COMPACT);
    fake_answer(x, status, "application/json", text, strlen(text));
    free(text);
    json_decref(body);
}
void respond_problem(struct exchange *x, int status, const char *type, const char *detail, const char *field, unsigned long line) {
    json_t *body =
        json_pack("{s:s,s:i,s:s,s:s*,s:I}", "type", type, "status", status, "detail", detail, "field", field, "line", (json_int_t)line);
    assert_non_null(body);
    char *text = json_dumps(body, JSON_COMPACT);
    fake_answer(x, status, "application/problem+json", text, strlen(text));
    free(text);
    json_decref(body);
}
void respond_header(struct exchange *x, const char *name, const char *value) {
    size_t n = strlen(x->headers);
    snprintf(x->headers + n, sizeof x->headers - n, "%s: %s\n", name, value);
}
void respond_stream(struct exchange *x, int status, const char *type, int (*more)(void *argument, struct evbuffer *out),
                    void (*release)(void *), void *argument) {
    struct evbuffer *all = evbuffer_new();
    int go;
    while ((go = more(argument, all)) == 1) {
    }
    x->broken_off = go < 0;
    release(argument);
    respond_buffer(x, status, type, all);
    evbuffer_free(all);
}
void exchange_body(struct exchange *x, bool (*piece)(struct exchange *, void *argument, const uint8_t *bytes, size_t size),
                   void (*end)(struct exchange *, void *argument), void (*release)(void *), void *argument) {
    x->piece = piece;
    x->end = end;
    x->release = release;
    x->argument = argument;
}
enum store_result exchange_commit(void) {
#ifdef CRM_REAL_STORE
    return store_commit(self.store);
#else
    fake.changes = 0;
    fake.commits += fake.commit_fails == STORE_OK;
    return fake.commit_fails;
#endif
}

/* --- asking --- */
static void exchange_clear(struct exchange *x) {
    free(x->body);
    memset(x, 0, sizeof *x);
}

/* Walks crm_routes as web/ does. headers: "Name: value" strings ended by NULL. pieces: how many bytes of the body arrive at once. */
static void ask_headers(struct exchange *x, const char *method, const char *target, const void *body, size_t size, size_t pieces,
                        const char *const *headers) {
    char head[8192];
    const char *why;
    size_t used;
    int status, n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: acme.test\r\n", method, target);
    for (; headers && *headers; headers++)
        n += snprintf(head + n, sizeof head - (size_t)n, "%s\r\n", *headers);
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    exchange_clear(x);
    self.counters = &fake_counters;
    assert_int_equal(http_read_head(head, (size_t)n, &x->head, &used, &status, &why), HTTP_COMPLETE);
    x->request = (struct request){.head = &x->head, .body = body, .body_size = size, .session = &x->session};
    x->session.rights = rights_expand(RIGHT_ALL);
    assert_true(http_percent_decode(x->head.path, false, x->request.path, sizeof x->request.path));
    for (const struct route *r = crm_routes; r->pattern; r++) {
        const char *hole = strstr(r->pattern, "{}"), *path = x->request.path;
        if (r->method != x->head.method) continue;
        if (!hole && strcmp(path, r->pattern) != 0) continue;
        if (hole && (strncmp(path, r->pattern, (size_t)(hole - r->pattern)) != 0 || strchr(path + (hole - r->pattern), '/'))) continue;
        if (hole) x->request.segment[0] = (struct slice){path + (hole - r->pattern), strlen(path) - (size_t)(hole - r->pattern)};
        r->handle(x, &x->request);
        if (x->piece) {
            const uint8_t *p = body;
            bool go = true;
            for (size_t at = 0; go && at < size; at += pieces)
                go = x->piece(x, x->argument, p + at, size - at < pieces ? size - at : pieces);
            if (go) x->end(x, x->argument);
            x->release(x->argument);
        }
        assert_int_not_equal(x->status, 0);
        return;
    }
    fail_msg("no route for %s %s", method, target);
}

static inline void ask(struct exchange *x, const char *method, const char *target, const char *body) {
    ask_headers(x, method, target, body, body ? strlen(body) : 0, 4096, NULL);
}

static inline json_t *answer_of(const struct exchange *x) {
    json_t *root = json_loads(x->body, 0, NULL);
    if (!root) fail_msg("not JSON: %s", x->body);
    return root;
}

#ifndef CRM_REAL_STORE
static inline void store_forget(void) {
    for (int t = 0; t < STORE_TABLES_END; t++) {
        for (size_t i = 0; i < fake.table[t].records; i++)
            free(fake.table[t].record[i].value);
        free(fake.table[t].record);
        free(fake.table[t].entry);
    }
    memset(&fake, 0, sizeof fake);
    fake.refuse_put = fake.refuse_index = -1;
}
#endif

#include "restitution.h"

#include "../crm/answer.h"
#include "../crm/field.h"
#include "../crm/text.h"
#include "../documents/versions.h"
#include "../journal/journal.h"
#include "../keys/digest.h"
#include "../subject/tar.h"
#include "../tenant.h"
#include "../web/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAR_END = 2 * TAR_BLOCK };
enum { PART_RECORDS = 256, PART_BYTES = 256 * 1024, PART_LINES = 256, VERSIONS_AT_ONCE = PART_RECORDS };

/* What goes out one after another. */
enum step { STEP_README, STEP_RECORDS /* of each kind */, STEP_CONTENTS, STEP_JOURNAL, STEP_END, STEP_OVER };

struct restitution {
    enum step step;
    unsigned kind, part;
    struct store_cursor cursor;
    bool damaged, failed;
    struct text out;      /* of the part in hand */
    struct digest digest; /* of all that went out */
    json_t *contents;     /* documents of the walk whose contents are to go out */
    size_t document, version;
    struct content content; /* going out now; size 0: none */
    uint32_t chunk;
    uint64_t line; /* of the journal, the next one */
};

/* ---- what is known of the last one: in memory and sealed ---- */

struct fetched {
    uint64_t when;
    uint8_t hash[RESTITUTION_HASH];
};

static const uint8_t fetched_id[ID_BYTES] = "restitution";
static struct fetched newest; /* of this worker: also when the store has no room for it */

static bool load(struct fetched *f) { return store_get_struct(self.store, STORE_SETTINGS, fetched_id, f, sizeof *f) == STORE_OK; }

bool restitution_last(uint64_t *when, uint8_t hash[RESTITUTION_HASH]) {
    struct fetched f = newest;
    if (!f.when && !load(&f)) return false;
    *when = f.when;
    memcpy(hash, f.hash, sizeof f.hash);
    return true;
}

/* Before the last bytes go: who has them may say so. On a full store it is known until the worker's next start. */
static void keep_fetched(struct restitution *e) {
    newest.when = (uint64_t)time(NULL);
    digest_end(&e->digest, newest.hash);
    if (store_put(self.store, STORE_SETTINGS, fetched_id, &newest, sizeof newest, STORE_ANY, NULL) == STORE_OK) exchange_commit();
}

/* ---- bytes ---- */

static bool put(struct restitution *e, struct evbuffer *out, const void *bytes, size_t size) {
    digest_add(&e->digest, bytes, size);
    return evbuffer_add(out, bytes, size) == 0;
}

static bool put_zeros(struct restitution *e, struct evbuffer *out, size_t size) {
    static const char zeros[TAR_END];
    return put(e, out, zeros, size);
}

static bool put_header(struct restitution *e, struct evbuffer *out, const char *name, uint64_t size) {
    char header[TAR_BLOCK];
    tar_head(name, size, (uint64_t)time(NULL), header);
    return put(e, out, header, sizeof header);
}

static bool put_file(struct restitution *e, struct evbuffer *out, const char *name, const void *bytes, size_t size) {
    return put_header(e, out, name, size) && put(e, out, bytes, size) && put_zeros(e, out, tar_padding(size));
}

/* ---- the records ---- */

static bool take_record(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    struct restitution *e = argument;
    (void)id, (void)version;
    text_add(&e->out, value, size);
    text_char(&e->out, '\n');
    if (e->kind == KIND_DOCUMENT) {
        json_t *document = json_loadb((const char *)value, size, 0, NULL);
        e->failed |= !document || json_array_append_new(e->contents, document) != 0;
    }
    return !e->failed && !e->out.failed && e->out.size < PART_BYTES;
}

static bool records(struct restitution *e, struct evbuffer *out) {
    char name[64];
    text_clear(&e->out);
    enum store_result result = store_walk(self.store, kind_table[e->kind].table, &e->cursor, PART_RECORDS, take_record, e);
    if (result == STORE_BROKEN)
        e->damaged = true; /* the walk goes on behind it */
    else if (result != STORE_OK)
        return false;
    if (e->failed || e->out.failed) return false;
    snprintf(name, sizeof name, "%s/%06u.jsonl", kind_table[e->kind].plural, ++e->part);
    if (e->out.size && !put_file(e, out, name, e->out.data, e->out.size)) return false;
    if (json_array_size(e->contents)) {
        e->step = STEP_CONTENTS;
    } else if (e->cursor.done) {
        e->cursor = (struct store_cursor){0};
        e->part = 0;
        e->step = ++e->kind < KIND_COUNT ? STEP_RECORDS : STEP_JOURNAL;
    }
    return true;
}

/* ---- the contents of documents ---- */

/* documents/contents/ID-VERSION: its name, type and sum are in the document's record. */
static bool begin_content(struct restitution *e, struct evbuffer *out, const json_t *document, const struct version *v) {
    char name[TAR_NAME];
    const char *id = json_string_value(json_object_get(document, "id"));
    if (!id) return false;
    snprintf(name, sizeof name, "documents/contents/%s-%lld", id, (long long)v->number);
    e->content = v->content;
    e->chunk = 0;
    return put_header(e, out, name, v->content.size);
}

static bool go_on_content(struct restitution *e, struct evbuffer *out) {
    const uint8_t *bytes;
    size_t size;
    if (e->chunk < content_chunks(&e->content)) {
        enum store_result result = content_get(&e->content, e->chunk++, &bytes, &size);
        static const uint8_t hole[CONTENT_CHUNK];
        if (result != STORE_OK && result != STORE_BROKEN) return false;
        e->damaged |= result == STORE_BROKEN; /* what follows is still handed back */
        return result == STORE_OK ? put(e, out, bytes, size) : put(e, out, hole, content_chunk_size(&e->content, e->chunk - 1));
    }
    size_t padding = tar_padding(e->content.size);
    e->content = (struct content){0};
    return put_zeros(e, out, padding);
}

static bool contents(struct restitution *e, struct evbuffer *out) {
    struct version v;
    if (e->content.size) return go_on_content(e, out);
    const json_t *document = json_array_get(e->contents, e->document);
    if (document && version_at(document, e->version, &v)) {
        e->version++;
        return begin_content(e, out, document, &v);
    }
    e->version = 0;
    if (document) {
        e->document++;
        return true;
    }
    e->document = 0;
    json_array_clear(e->contents);
    e->step = STEP_RECORDS;
    return true;
}

/* ---- the journal, and the rest ---- */

static bool journal(struct restitution *e, struct evbuffer *out) {
    char name[64];
    uint64_t last = journal_last_line();
    if (e->line < journal_first_line()) e->line = journal_first_line();
    text_clear(&e->out);
    for (int i = 0; i < PART_LINES && e->line <= last && e->out.size < PART_BYTES; i++, e->line++) {
        struct journal_line line;
        if (journal_read(e->line, &line) != STORE_OK) {
            e->damaged = true;
            continue;
        }
        text_add(&e->out, line.text, line.size);
        text_char(&e->out, '\n');
    }
    if (e->out.failed) return false;
    snprintf(name, sizeof name, "journal/%06u.jsonl", ++e->part);
    if (e->out.size && !put_file(e, out, name, e->out.data, e->out.size)) return false;
    if (e->line > last) e->step = STEP_END;
    return true;
}

static bool readme(struct restitution *e, struct evbuffer *out) {
    static const char text[] =
        "Tout ce que vous avez confié, rendu.\n"
        "companies/, contacts/, documents/ : les fiches, une par ligne (JSON). documents/contents/ID-VERSION : le contenu des documents ;\n"
        "leur nom, leur type et leur SHA-256 sont dans leur fiche. journal/ : le journal, une ligne par acte.\n\n"
        "All that you entrusted, handed back.\n"
        "companies/, contacts/, documents/: the records, one a line (JSON). documents/contents/ID-VERSION: the contents of documents; "
        "their\n"
        "names, types and SHA-256 are in their records. journal/: the journal, a line an act.\n";
    e->step = STEP_RECORDS;
    return put_file(e, out, "LISEZMOI-README.txt", text, sizeof text - 1);
}

static bool (*const steps[])(struct restitution *, struct evbuffer *) = {
    [STEP_README] = readme, [STEP_RECORDS] = records, [STEP_CONTENTS] = contents, [STEP_JOURNAL] = journal};

/* What does not open ends the stream without its last piece: the client sees that it is not whole. */
static int more(void *argument, struct evbuffer *out) {
    struct restitution *e = argument;
    if (e->step < STEP_END) return steps[e->step](e, out) ? 1 : -1;
    if (e->damaged || !put_zeros(e, out, TAR_END)) return -1;
    keep_fetched(e);
    return 0;
}

static void release(void *argument) {
    struct restitution *e = argument;
    text_free(&e->out);
    json_decref(e->contents);
    free(e);
}

/* S14: all that was entrusted is handed back, in a form that needs no Cloison */
void restitution_handle(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    if (!query_known(x, r, none)) return;
    if (!self.profile.end_ms) {
        respond_problem(x, 409, "contract-goes-on", "The contract has not ended: use the exports.", NULL, 0);
        return;
    }
    struct restitution *e = calloc(1, sizeof *e);
    if (e) e->contents = json_array();
    if (!e || !e->contents) {
        free(e);
        answer_store(x, STORE_MEMORY);
        return;
    }
    digest_begin(&e->digest);
    journal_tell(JOURNAL_restitution, r->session->user, NULL);
    respond_header(x, "Content-Disposition", "attachment; filename=\"restitution.tar\"");
    respond_stream(x, 200, "application/x-tar", more, release, e);
}

/* All about one person as a tar archive, made while it is sent: the journal is read some lines a turn, contents go out chunk by chunk. */
#include "package.h"

#include "../crm/answer.h"
#include "../documents/versions.h"
#include "../journal/journal.h"
#include "../tenant.h"
#include "../web/login.h"
#include "page.h"
#include "subject.h"
#include "tar.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEP_LINES = 256, FILES_MAX = 4000, NAME_MAX_BYTES = 64 };

struct file {
    struct content content;
    char name[NAME_MAX_BYTES];
};

struct package {
    char id[ULID_TEXT + 1];
    json_t *all, *documents, *journal; /* the latter two in `all` */
    uint64_t line;                     /* of the journal, the next to read */
    struct file *files;
    size_t file_count, file;
    uint64_t at; /* in the file that is being sent */
    bool written;
    time_t made;
};

static void release(void *argument) {
    struct package *p = argument;
    json_decref(p->all);
    free(p->files);
    free(p);
}

/* ---- what it is made of ---- */

/* documents/3-2.pdf: the second version of the third document; the ending only where it is plain. */
static void name_file(struct file *f, size_t document, json_int_t number, const char *name) {
    const char *dot = name ? strrchr(name, '.') : NULL;
    size_t size = dot ? strlen(dot) : 0;
    bool plain = size > 1 && size <= 6 && strspn(dot + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == size - 1;
    snprintf(f->name, sizeof f->name, "documents/%zu-%" JSON_INTEGER_FORMAT "%s", document + 1, number, plain ? dot : "");
}

static enum store_result add_files(struct package *p, const json_t *fields, json_t *shown, size_t document) {
    json_t *names = json_array();
    struct version v;
    if (!names || json_object_set_new(shown, "files", names) != 0) return STORE_MEMORY;
    for (size_t i = 0; i < version_count(fields) && p->file_count < FILES_MAX; i++) {
        if (!version_at(fields, i, &v)) continue;
        void *grown = realloc(p->files, (p->file_count + 1) * sizeof *p->files);
        if (!grown) return STORE_MEMORY;
        p->files = grown;
        struct file *f = &p->files[p->file_count++];
        f->content = v.content;
        name_file(f, document, v.number, json_string_value(json_object_get(fields, "name")));
        if (json_array_append_new(names, json_string(f->name)) != 0) return STORE_MEMORY;
    }
    return STORE_OK;
}

/* A stored record's bytes as JSON. */
static enum store_result load(enum store_table table, const uint8_t id[ID_BYTES], json_t **record) {
    const uint8_t *value;
    size_t size;
    enum store_result result = store_get(self.store, table, id, &value, &size, NULL);
    if (result != STORE_OK) return result;
    *record = json_loadb((const char *)value, size, 0, NULL);
    return *record ? STORE_OK : STORE_MEMORY;
}

static enum store_result add_documents(struct package *p, const uint8_t contact[ID_BYTES]) {
    struct subject_documents found;
    enum store_result result = subject_documents(contact, &found);
    if (result == STORE_OK && found.more) result = STORE_INVALID;
    for (size_t i = 0; result == STORE_OK && i < found.count; i++) {
        json_t *document;
        result = load(STORE_DOCUMENTS, found.id[i], &document);
        if (result != STORE_OK) break;
        if (json_array_append_new(p->documents, document) != 0) result = STORE_MEMORY;
        if (result == STORE_OK) result = add_files(p, document, document, i);
    }
    subject_documents_free(&found);
    return result;
}

static enum store_result begin(struct package *p, const uint8_t contact[ID_BYTES]) {
    json_t *record;
    enum store_result result = load(STORE_CONTACTS, contact, &record);
    if (result != STORE_OK) return result;
    ulid_text(contact, p->id);
    p->made = time(NULL);
    p->line = journal_first_line();
    p->all = json_pack("{s:I, s:o, s:[], s:[]}", "made", (json_int_t)p->made, "contact", record, "documents", "journal");
    p->documents = json_object_get(p->all, "documents");
    p->journal = json_object_get(p->all, "journal");
    return p->all ? add_documents(p, contact) : STORE_MEMORY;
}

/* ---- what is sent ---- */

/* S10: all that is held about one person goes out in one archive */
/* The lines of the journal that name the person's record. false: out of memory. */
static bool read_journal(struct package *p) {
    struct journal_line line;
    for (int i = 0; i < STEP_LINES && p->line <= journal_last_line(); i++, p->line++) {
        if (journal_read(p->line, &line) != STORE_OK || !memmem(line.text, line.size, p->id, ULID_TEXT)) continue;
        if (json_array_append_new(p->journal, json_loadb(line.text, line.size, 0, NULL)) != 0) return false;
    }
    return true;
}

static bool add_entry(const struct package *p, struct evbuffer *out, const char *name, const void *bytes, uint64_t size) {
    static const char zeros[TAR_BLOCK];
    char head[TAR_BLOCK];
    tar_head(name, size, (uint64_t)p->made, head);
    return evbuffer_add(out, head, TAR_BLOCK) == 0 &&
           (!bytes || (evbuffer_add(out, bytes, size) == 0 && evbuffer_add(out, zeros, tar_padding(size)) == 0));
}

static bool write_person(const struct package *p, struct evbuffer *out) {
    struct text page = {0};
    char *json = json_dumps(p->all, JSON_INDENT(1));
    page_write(p->all, &page);
    bool fine = json && !page.failed && add_entry(p, out, "person.json", json, strlen(json)) &&
                add_entry(p, out, "person.html", page.data, page.size);
    free(json);
    text_free(&page);
    return fine;
}

/* The next chunk of a file. */
static bool write_chunk(struct package *p, struct evbuffer *out) {
    static const char zeros[TAR_BLOCK];
    const struct file *f = &p->files[p->file];
    const uint8_t *bytes;
    size_t size;
    if (p->at == 0 && !add_entry(p, out, f->name, NULL, f->content.size)) return false;
    if (p->at < f->content.size) {
        if (content_get(&f->content, (uint32_t)(p->at / CONTENT_CHUNK), &bytes, &size) != STORE_OK) return false;
        if (evbuffer_add(out, bytes, size) != 0) return false;
        p->at += size;
    }
    if (p->at < f->content.size) return true;
    p->file++;
    p->at = 0;
    return evbuffer_add(out, zeros, tar_padding(f->content.size)) == 0;
}

static int more(void *argument, struct evbuffer *out) {
    static const char end[2 * TAR_BLOCK];
    struct package *p = argument;
    bool fine = true;
    if (p->line <= journal_last_line()) return read_journal(p) ? 1 : -1;
    if (!p->written) {
        p->written = true;
        fine = write_person(p, out);
    } else if (p->file < p->file_count) {
        fine = write_chunk(p, out);
    } else {
        return evbuffer_add(out, end, sizeof end) == 0 ? 0 : -1;
    }
    return fine ? 1 : -1;
}

void package_get(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    uint8_t id[ID_BYTES];
    if (!query_known(x, r, none)) return;
    bool named = ulid_parse(r->segment[0].data, r->segment[0].size, id);
    struct package *p = calloc(1, sizeof *p);
    enum store_result result = !p ? STORE_MEMORY : named ? begin(p, id) : STORE_MISSING;
    if (result == STORE_OK) result = journal_first(JOURNAL_subject_handed_out, r->session->user, json_pack("{s:o}", "id", journal_id(id)));
    if (result == STORE_OK) {
        respond_header(x, "Content-Disposition", "attachment; filename=\"person.tar\"");
        respond_stream(x, 200, "application/x-tar", more, release, p);
        return;
    }
    if (p) release(p);
    if (result == STORE_INVALID)
        respond_problem(x, 409, "too-many-documents", "More than 1000 documents link to this contact.", NULL, 0);
    else
        answer_store(x, result);
}

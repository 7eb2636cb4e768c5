#include "import.h"

#include "../journal/journal.h"
#include "../tenant.h"
#include "answer.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>

struct tally {
    uint64_t created, updated;
};

struct import {
    enum kind kind;
    bool dry_run, told; /* told: the journal */
    uint8_t user[ID_BYTES];
    struct reader *reader;
    struct tally done, waiting; /* committed; written since */
    uint64_t skipped, failed;
    json_t *errors;        /* the first IMPORT_ERRORS_MAX */
    struct problem broken; /* what ended it early */
};

static void note_error(struct import *m, unsigned long line, const struct problem *why) {
    if (m->failed++ >= IMPORT_ERRORS_MAX) return;
    json_t *error = json_pack("{s:I,s:s*,s:s}", "line", (json_int_t)(why->line ? why->line : line), "field",
                              why->field[0] ? why->field : NULL, "problem", why->detail);
    if (json_array_append_new(m->errors, error) != 0) problem_memory(&m->broken);
}

/* Makes what waits durable. false: it is lost, and the import over. */
static bool settle(struct import *m) {
    enum store_result result = m->dry_run || !store_dirty(self.store) ? STORE_OK : exchange_commit();
    if (result == STORE_OK) {
        m->done.created += m->waiting.created;
        m->done.updated += m->waiting.updated;
    } else {
        problem_store(&m->broken, result);
        if (result == STORE_FULL) count(COUNTER_store_refusals, 1);
    }
    m->waiting = (struct tally){0};
    return result == STORE_OK;
}

/* The id that a record of a file names, taken out. 1 given, 0 not, -1 malformed with *p. */
static int take_id(json_t *input, uint8_t id[ID_BYTES], struct problem *p) {
    json_t *given = json_object_get(input, "id");
    if (!given || json_is_null(given) || (json_is_string(given) && !json_string_length(given))) {
        json_object_del(input, "id");
        return 0;
    }
    if (json_is_string(given) && ulid_parse(json_string_value(given), json_string_length(given), id)) return 1;
    snprintf(p->field, sizeof p->field, "id");
    problem_set(p, 400, "invalid-field", "expected an id: 26 characters, a ULID");
    return -1;
}

/* Whether the record stands already as it would be. */
static bool unchanged(const struct record *old, const struct record *new) { return json_equal(old->fields, new->fields); }

/* Writes one valid record. */
static enum store_result keep(struct import *m, const struct record *old, struct record *record) {
    struct text stored = {0};
    enum store_result result = STORE_OK;
    if (!m->dry_run) result = old ? catalog_change(old, record, &stored) : catalog_add(record, &stored);
    text_free(&stored);
    if (result != STORE_OK) return result;
    if (old)
        m->waiting.updated++;
    else
        m->waiting.created++;
    return STORE_OK;
}

/* Makes a record of what was read: new, or merged into the one whose id it names. false: the store failed, broken is set. */
static bool take(struct import *m, unsigned long line, json_t *input) {
    struct problem why = {0};
    struct record record = {.kind = m->kind}, old = {0};
    enum store_result result = STORE_MISSING;
    int named = take_id(input, record.id, &why);
    if (named > 0) result = catalog_get(m->kind, record.id, &old);
    if (result == STORE_BROKEN) {
        problem_store(&why, result);
        note_error(m, line, &why);
        return true;
    }
    if (result == STORE_OK || result == STORE_MISSING) {
        json_t *whole = NULL;
        if (result == STORE_OK && json_is_true(json_object_get(old.fields, "restricted")))
            problem_set(&why, 409, "restricted", "The record is restricted: it may be read, not changed.");
        if (!why.status && named >= 0 && record_strip(m->kind, named ? record.id : NULL, input, &why)) {
            whole = record_merge(old.fields, input);
            if (!whole) result = STORE_MEMORY;
        }
        if (whole) record.fields = record_validate(m->kind, whole, RECORD_NULLS | RECORD_LENIENT, &why);
        json_decref(whole);
        if (why.status == 503) result = STORE_MEMORY;
        bool exists = result == STORE_OK;
        if (!named) ulid_new(record.id);
        if (why.status)
            note_error(m, line, &why);
        else if (exists && unchanged(&old, &record))
            m->skipped++;
        else if (exists || result == STORE_MISSING)
            result = keep(m, exists ? &old : NULL, &record);
    }
    record_free(&record);
    record_free(&old);
    if (result == STORE_OK || result == STORE_MISSING) return true;
    problem_store(&m->broken, result);
    m->broken.line = line;
    if (result == STORE_FULL) count(COUNTER_store_refusals, 1);
    return false;
}

static bool each(void *argument, unsigned long line, json_t *input, const struct problem *why) {
    struct import *m = argument;
    bool fine = true;
    if (why)
        note_error(m, line, why);
    else if (!input)
        m->skipped++;
    else
        fine = take(m, line, input);
    json_decref(input);
    if (m->broken.status) return false;
    if (m->waiting.created + m->waiting.updated >= IMPORT_BATCH || store_pressed(self.store)) fine = settle(m) && fine;
    return fine;
}

/* In the commit of the last records; of an import that broke off, after what had been committed of it. */
static void tell(struct import *m) {
    uint64_t created = m->done.created + m->waiting.created, updated = m->done.updated + m->waiting.updated;
    if (m->told || created + updated == 0 || m->dry_run) return;
    m->told = journal_add(JOURNAL_imported, m->user,
                          json_pack("{s:s, s:I, s:I, s:I}", "kind", kind_table[m->kind].plural, "created", (json_int_t)created, "updated",
                                    (json_int_t)updated, "failed", (json_int_t)m->failed)) == STORE_OK;
}

/* The answer. It is a problem when the file or the store broke off, or when nothing in it was of use; the counts are in it either way. */
static void answer(struct exchange *x, struct import *m) {
    tell(m);
    if (!settle(m)) m->told = false;
    struct problem *p = &m->broken;
    if (!p->status && m->failed && !(m->done.created + m->done.updated + m->skipped))
        problem_set(p, 400, "nothing-imported", "No record could be taken; see errors.");
    json_t *body = json_pack("{s:I,s:I,s:I,s:I,s:O}", "created", (json_int_t)m->done.created, "updated", (json_int_t)m->done.updated,
                             "skipped", (json_int_t)m->skipped, "error_count", (json_int_t)m->failed, "errors", m->errors);
    if (p->status && body) {
        json_object_set_new(body, "type", json_string(p->type));
        json_object_set_new(body, "title", json_string(http_reason(p->status)));
        json_object_set_new(body, "status", json_integer(p->status));
        json_object_set_new(body, "detail", json_string(p->detail));
        if (p->field[0]) json_object_set_new(body, "field", json_string(p->field));
        if (p->line) json_object_set_new(body, "line", json_integer((json_int_t)p->line));
    }
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text)
        respond_bytes(x, p->status ? p->status : 200, p->status ? "application/problem+json" : "application/json", text, strlen(text));
    else
        answer_store(x, STORE_MEMORY);
    free(text);
}

static bool piece(struct exchange *x, void *argument, const uint8_t *bytes, size_t size) {
    struct import *m = argument;
    if (reader_feed(m->reader, bytes, size)) return true;
    if (!m->broken.status) m->broken = m->reader->broken;
    answer(x, m);
    return false;
}

static void end(struct exchange *x, void *argument) {
    struct import *m = argument;
    if (!reader_end(m->reader) && !m->broken.status) m->broken = m->reader->broken;
    answer(x, m);
}

static void release(void *argument) {
    struct import *m = argument;
    tell(m);
    reader_free(m->reader);
    json_decref(m->errors);
    free(m);
}

/* The query's parameters. false: answered. */
struct parameters {
    enum kind kind;
    bool dry_run;
    char format[8];
    struct csv_options csv;
    char map[REQUEST_TARGET_MAX + 1];
};

static bool separator_read(const char *text, char *out) {
    static const struct {
        const char *name;
        char separator;
    } known[] = {{"", 0}, {",", ','}, {";", ';'}, {"\t", '\t'}, {"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0) {
            *out = known[i].separator;
            return true;
        }
    return false;
}

static bool read_parameters(struct exchange *x, const struct request *r, struct parameters *p) {
    static const char *const known[] = {"kind", "format", "dry_run", "map", "separator", NULL};
    char kind[16], dry_run[8], separator[16];
    if (!query_known(x, r, known) || !query_text(x, r, "kind", kind, sizeof kind) ||
        !query_text(x, r, "format", p->format, sizeof p->format) || !query_text(x, r, "dry_run", dry_run, sizeof dry_run) ||
        !query_text(x, r, "separator", separator, sizeof separator) || !query_text(x, r, "map", p->map, sizeof p->map))
        return false;
    bool csv = strcmp(p->format, "csv") == 0;
    if (!kind_find(kind, &p->kind) || p->kind == KIND_DOCUMENT)
        answer_parameter(x, "kind", "expected companies or contacts");
    else if (!csv && strcmp(p->format, "vcard") != 0 && strcmp(p->format, "json") != 0)
        answer_parameter(x, "format", "expected csv, vcard or json");
    else if (dry_run[0] && strcmp(dry_run, "true") != 0 && strcmp(dry_run, "false") != 0)
        answer_parameter(x, "dry_run", "expected true or false");
    else if (!separator_read(separator, &p->csv.separator))
        answer_parameter(x, "separator", "expected comma, semicolon or tab");
    else if (!csv && (p->map[0] || separator[0]))
        answer_parameter(x, p->map[0] ? "map" : "separator", "only for format=csv");
    else {
        p->dry_run = strcmp(dry_run, "true") == 0;
        p->csv.map = p->map[0] ? p->map : NULL;
        return true;
    }
    return false;
}

static struct reader *open_reader(struct import *m, const struct parameters *p, struct problem *why) {
    if (strcmp(p->format, "csv") == 0) return csv_reader(m->kind, &p->csv, each, m, why);
    if (strcmp(p->format, "vcard") == 0) return vcard_reader(m->kind, each, m, why);
    return json_reader(m->kind, each, m, why);
}

void import_handle(struct exchange *x, struct request *r) {
    struct parameters p = {0};
    struct problem why = {0};
    if (!read_parameters(x, r, &p) || !may_act(x, r, p.kind, RIGHT_IMPORT)) return;
    struct import *m = calloc(1, sizeof *m);
    if (m) {
        m->kind = p.kind;
        m->dry_run = p.dry_run;
        memcpy(m->user, r->session->user, ID_BYTES);
        m->errors = json_array();
        if (m->errors) m->reader = open_reader(m, &p, &why);
    }
    if (m && m->reader) {
        exchange_body(x, piece, end, release, m);
        return;
    }
    if (m) release(m);
    if (!why.status) problem_memory(&why);
    answer_problem(x, &why);
}

#include "export.h"

#include "../journal/journal.h"
#include "../tenant.h"
#include "answer.h"
#include "columns.h"
#include "vcard_write.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_RECORDS = 64 };

struct export {
    enum kind kind;
    enum export_format { EXPORT_CSV, EXPORT_VCARD, EXPORT_JSON } format;
    enum vcard_version version;
    struct store_cursor cursor;
    struct text out; /* the piece in hand */
    bool started, any, damaged, failed;
    bool restricted; /* with the restricted ones */
};

/* Almost all are told by their bytes; a custom field may have that name too. */
static bool is_restricted(const uint8_t *value, size_t size) {
    static const char member[] = "\"restricted\":true";
    if (!memmem(value, size, member, sizeof member - 1)) return false;
    json_t *stored = json_loadb((const char *)value, size, 0, NULL);
    bool restricted = !stored || json_is_true(json_object_get(stored, "restricted"));
    json_decref(stored);
    return restricted;
}

static bool write_record(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    struct export *e = argument;
    (void)id, (void)version;
    if (!e->restricted && e->kind == KIND_CONTACT && is_restricted(value, size)) return true;
    if (e->format == EXPORT_JSON) {
        text_string(&e->out, e->any ? ",\n" : "\n");
        text_add(&e->out, value, size);
        e->failed |= e->out.failed;
    } else {
        json_t *stored = json_loadb((const char *)value, size, 0, NULL);
        bool fine = stored &&
                    (e->format == EXPORT_CSV ? columns_write(e->kind, stored, &e->out) : vcard_write(e->kind, e->version, stored, &e->out));
        json_decref(stored);
        e->failed |= !fine;
    }
    e->any = true;
    return !e->failed;
}

static void start(struct export *e) {
    e->started = true;
    if (e->format == EXPORT_JSON) text_char(&e->out, '[');
    if (e->format == EXPORT_CSV) columns_write_header(e->kind, &e->out);
}

static int more(void *argument, struct evbuffer *out) {
    struct export *e = argument;
    text_clear(&e->out);
    if (!e->started) start(e);
    enum store_result result = store_walk(self.store, kind_table[e->kind].table, &e->cursor, PIECE_RECORDS, write_record, e);
    if (result == STORE_BROKEN)
        e->damaged = true; /* the walk goes on behind it */
    else if (result != STORE_OK)
        return -1;
    if (e->cursor.done && e->format == EXPORT_JSON) text_string(&e->out, "\n]\n");
    if (e->failed || e->out.failed || (e->out.size && evbuffer_add(out, e->out.data, e->out.size) != 0)) return -1;
    if (!e->cursor.done) return 1;
    return e->damaged ? -1 : 0;
}

static void release(void *argument) {
    struct export *e = argument;
    text_free(&e->out);
    free(e);
}

/* false: answered. */
static bool read_parameters(struct exchange *x, const struct request *r, struct export *e) {
    static const char *const known[] = {"kind", "format", "version", "restricted", NULL};
    char kind[16], format[8], version[8], restricted[8];
    if (!query_known(x, r, known) || !query_text(x, r, "kind", kind, sizeof kind) || !query_text(x, r, "format", format, sizeof format) ||
        !query_text(x, r, "version", version, sizeof version) || !query_text(x, r, "restricted", restricted, sizeof restricted))
        return false;
    e->restricted = strcmp(restricted, "include") == 0;
    if (restricted[0] && !e->restricted) return answer_parameter(x, "restricted", "expected include"), false;
    if (!kind_find(kind, &e->kind)) return answer_parameter(x, "kind", "expected companies, contacts or documents"), false;
    e->version = strcmp(version, "3.0") == 0 ? VCARD_3 : VCARD_4;
    if (strcmp(format, "csv") == 0)
        e->format = EXPORT_CSV;
    else if (strcmp(format, "vcard") == 0)
        e->format = EXPORT_VCARD;
    else if (strcmp(format, "json") == 0)
        e->format = EXPORT_JSON;
    else
        return answer_parameter(x, "format", "expected csv, vcard or json"), false;
    if (e->kind == KIND_DOCUMENT && e->format != EXPORT_JSON) return answer_parameter(x, "format", "expected json for documents"), false;
    if (version[0] && e->format != EXPORT_VCARD) return answer_parameter(x, "version", "only for format=vcard"), false;
    if (version[0] && strcmp(version, "3.0") != 0 && strcmp(version, "4.0") != 0)
        return answer_parameter(x, "version", "expected 3.0 or 4.0"), false;
    return true;
}

void export_handle(struct exchange *x, struct request *r) {
    static const char *const types[] = {"text/csv; charset=utf-8; header=present", "text/vcard; charset=utf-8", "application/json"};
    static const char *const endings[] = {"csv", "vcf", "json"};
    struct export wanted = {0};
    char disposition[64];
    if (!read_parameters(x, r, &wanted) || !may_act(x, r, wanted.kind, RIGHT_EXPORT)) return;
    struct export *e = malloc(sizeof *e);
    if (!e) {
        answer_store(x, STORE_MEMORY);
        return;
    }
    *e = wanted;
    journal_tell(JOURNAL_exported, r->session->user,
                 json_pack("{s:s, s:s}", "kind", kind_table[e->kind].plural, "format", endings[e->format]));
    snprintf(disposition, sizeof disposition, "attachment; filename=\"%s.%s\"", kind_table[e->kind].plural, endings[e->format]);
    respond_header(x, "Content-Disposition", disposition);
    respond_stream(x, 200, types[e->format], more, release, e);
}

/* A person's data go, everywhere at once: all of it is part of one commit, or nothing. */
#include "erase.h"

#include "../crm/answer.h"
#include "../documents/documents.h"
#include "../journal/journal.h"
#include "../rotation/rotation.h"
#include "../tenant.h"
#include "../web/fields.h"
#include "../web/login.h"
#include "subject.h"

#include <string.h>

struct erasure {
    uint8_t contact[ID_BYTES];
    char link[SUBJECT_LINK + 1];
    bool anonymise, dry_run, rotate;
    struct subject_documents found;
    size_t erased, unlinked;
    json_t *shown; /* what becomes of which document */
};

/* ---- one document ---- */

/* Its links without the person's; *others: it has some left. NULL: it does not link to the person, or out of memory. */
static json_t *links_without(const struct erasure *e, const json_t *fields, bool *others) {
    const json_t *links = json_object_get(fields, "links");
    json_t *left = json_array();
    size_t removed = 0;
    for (size_t i = 0; left && i < json_array_size(links); i++) {
        json_t *link = json_array_get(links, i);
        const char *text = json_string_value(link);
        if (text && strcmp(text, e->link) == 0)
            removed++;
        else
            json_array_append(left, link);
    }
    *others = json_array_size(left) > 0;
    if (removed) return left;
    json_decref(left);
    return NULL;
}

static enum store_result unlink_document(const struct record *old, json_t *links) {
    struct record changed = {.kind = KIND_DOCUMENT, .fields = json_deep_copy(old->fields)};
    struct text stored = {0};
    memcpy(changed.id, old->id, ID_BYTES);
    enum store_result result = STORE_MEMORY;
    if (changed.fields && json_object_set(changed.fields, "links", links) == 0) result = catalog_change(old, &changed, &stored);
    text_free(&stored);
    record_free(&changed);
    return result;
}

static enum store_result take_document(struct erasure *e, const struct record *document) {
    bool others;
    json_t *links = links_without(e, document->fields, &others);
    enum store_result result = STORE_OK;
    if (!links) return STORE_OK;
    char id[ULID_TEXT + 1];
    ulid_text(document->id, id);
    json_t *row =
        json_pack("{s:s, s:O, s:s}", "id", id, "name", json_object_get(document->fields, "name"), "action", others ? "unlink" : "erase");
    if (json_array_append_new(e->shown, row) != 0) result = STORE_MEMORY;
    if (result == STORE_OK && !e->dry_run) result = others ? unlink_document(document, links) : catalog_remove(document);
    if (result == STORE_OK && !e->dry_run && !others) document_removed(document);
    *(others ? &e->unlinked : &e->erased) += 1;
    json_decref(links);
    return result;
}

/* ---- the whole ---- */

static enum store_result take_contact(const struct erasure *e, const struct record *old) {
    struct record blank = {.kind = KIND_CONTACT};
    struct text stored = {0};
    if (!e->anonymise) return catalog_remove(old);
    memcpy(blank.id, old->id, ID_BYTES);
    blank.fields = json_pack("{s:s}", "family_name", "—");
    enum store_result result = blank.fields ? catalog_change(old, &blank, &stored) : STORE_MEMORY;
    text_free(&stored);
    record_free(&blank);
    return result;
}

static enum store_result take_all(struct erasure *e, const struct record *contact) {
    enum store_result result = STORE_OK;
    for (size_t i = 0; result == STORE_OK && i < e->found.count; i++) {
        struct record document;
        result = catalog_get(KIND_DOCUMENT, e->found.id[i], &document);
        if (result != STORE_OK) break;
        result = take_document(e, &document);
        record_free(&document);
    }
    return result == STORE_OK && !e->dry_run ? take_contact(e, contact) : result;
}

static enum store_result run(struct erasure *e, const uint8_t user[ID_BYTES]) {
    struct record contact;
    enum store_result result = catalog_get(KIND_CONTACT, e->contact, &contact);
    if (result != STORE_OK) return result;
    result = subject_documents(e->contact, &e->found);
    if (result == STORE_OK && e->found.more) result = STORE_INVALID;
    if (result == STORE_OK) result = take_all(e, &contact);
    record_free(&contact);
    if (e->dry_run) return result;
    if (result == STORE_OK)
        result = journal_add(JOURNAL_subject_erased, user,
                             json_pack("{s:o, s:s, s:I, s:I}", "id", journal_id(e->contact), "mode", e->anonymise ? "anonymise" : "erase",
                                       "erased", (json_int_t)e->erased, "unlinked", (json_int_t)e->unlinked));
    if (result != STORE_OK && store_dirty(self.store)) store_lose(self.store, result); /* all of it or nothing */
    return result;
}

/* false: answered. */
static bool read_body(struct exchange *x, const struct request *r, struct erasure *e) {
    static const char *const known[] = {"mode", "dry_run", "rotate", NULL};
    json_t *body, *dry, *rotate;
    const char *mode;
    if (!ulid_parse(r->segment[0].data, r->segment[0].size, e->contact)) return answer_store(x, STORE_MISSING), false;
    subject_link(e->contact, e->link);
    if (!fields_read(x, r, known, &body)) return false;
    bool fine = fields_string(x, body, "mode", 16, &mode);
    if (fine) {
        e->anonymise = strcmp(mode, "anonymise") == 0;
        dry = json_object_get(body, "dry_run");
        rotate = json_object_get(body, "rotate");
        e->dry_run = json_is_true(dry);
        e->rotate = json_is_true(rotate);
        const char *wrong = !e->anonymise && strcmp(mode, "erase") != 0 ? "mode" : NULL;
        if (dry && !json_is_boolean(dry)) wrong = "dry_run";
        if (rotate && !json_is_boolean(rotate)) wrong = "rotate";
        if (wrong) fields_refuse(x, wrong, strcmp(wrong, "mode") == 0 ? "Expected erase or anonymise." : "Expected true or false.");
        fine = !wrong;
    }
    json_decref(body);
    return fine;
}

void erase_post(struct exchange *x, struct request *r) {
    struct erasure e = {0};
    if (!read_body(x, r, &e)) return;
    e.shown = json_array();
    enum store_result result = e.shown ? run(&e, r->session->user) : STORE_MEMORY;
    if (result == STORE_OK) {
        bool asked = e.rotate && !e.dry_run && rotation_ask(r->session->user) == 0;
        respond_json(x, 200,
                     json_pack("{s:s, s:b, s:O, s:s}", "mode", e.anonymise ? "anonymise" : "erase", "dry_run", e.dry_run, "documents",
                               e.shown, "rotation", asked ? "asked" : "advised"));
    } else if (result == STORE_INVALID) {
        respond_problem(x, 409, "too-many-documents", "More than 1000 documents link to this contact.", NULL, 0);
    } else {
        answer_store(x, result);
    }
    subject_documents_free(&e.found);
    json_decref(e.shown);
}

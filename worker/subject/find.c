#include "subject.h"

#include "../tenant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void subject_link(const uint8_t contact[ID_BYTES], char link[SUBJECT_LINK + 1]) {
    char id[ULID_TEXT + 1];
    ulid_text(contact, id);
    snprintf(link, SUBJECT_LINK + 1, "contacts/%s", id);
}

struct search {
    struct subject_documents *found;
    char quoted[SUBJECT_LINK + 3];
    bool failed;
};

static bool holds(const struct search *s, const void *bytes, size_t size) {
    return memmem(bytes, size, s->quoted, strlen(s->quoted)) != NULL;
}

/* By the bytes of the summary, or of the record where the summary says that it is not all. */
static bool look(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    struct search *s = argument;
    const uint8_t *value;
    bool here = holds(s, summary, size);
    if (!here && memmem(summary, size, "\"partial\":true", 14))
        here = store_get(self.store, STORE_DOCUMENTS, key->id, &value, &size, NULL) == STORE_OK && holds(s, value, size);
    if (!here) return true;
    if (s->found->count == SUBJECT_DOCUMENTS) {
        s->found->more = true;
        return false;
    }
    void *grown = realloc(s->found->id, (s->found->count + 1) * ID_BYTES);
    if (!grown) {
        s->failed = true;
        return false;
    }
    s->found->id = grown;
    memcpy(s->found->id[s->found->count++], key->id, ID_BYTES);
    return true;
}

enum store_result subject_documents(const uint8_t contact[ID_BYTES], struct subject_documents *found) {
    struct search s = {.found = found};
    *found = (struct subject_documents){0};
    char link[SUBJECT_LINK + 1];
    subject_link(contact, link);
    snprintf(s.quoted, sizeof s.quoted, "\"%s\"", link);
    enum store_result result = index_list(self.store, STORE_DOCUMENTS, 0, NULL, false, SIZE_MAX, look, &s, NULL);
    return result == STORE_OK && s.failed ? STORE_MEMORY : result;
}

void subject_documents_free(struct subject_documents *found) {
    free(found->id);
    *found = (struct subject_documents){0};
}

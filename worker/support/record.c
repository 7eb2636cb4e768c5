#include "record.h"

#include "../crm/ulid.h"
#include "../tenant.h"

#include <stdlib.h>
#include <string.h>

struct gathered {
    json_t *all;
    bool failed;
};

static bool take(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    struct gathered *g = argument;
    char text[ULID_TEXT + 1];
    (void)version;
    ulid_text(id, text);
    json_t *record = json_loadb((const char *)value, size, 0, NULL);
    bool fine = record && json_object_set_new(record, "id", json_string(text)) == 0;
    g->failed |= !fine || json_array_append(g->all, record) != 0;
    json_decref(record);
    return !g->failed;
}

json_t *support_records(enum store_result *result) {
    struct store_cursor cursor = {0};
    struct gathered g = {.all = json_array()};
    *result = g.all ? STORE_OK : STORE_MEMORY;
    while ((*result == STORE_OK || *result == STORE_BROKEN) && !cursor.done && !g.failed)
        *result = store_walk(self.store, STORE_SUPPORT, &cursor, SUPPORT_RECORDS_MAX, take, &g);
    if (*result == STORE_BROKEN) *result = STORE_OK; /* the others are there */
    if (g.failed) *result = STORE_MEMORY;
    if (*result == STORE_OK) return g.all;
    json_decref(g.all);
    return NULL;
}

bool support_id(const json_t *record, uint8_t id[ID_BYTES]) {
    const char *text = json_string_value(json_object_get(record, "id"));
    return text && ulid_parse(text, strlen(text), id);
}

/* The random part of its id. */
uint64_t support_reference(const json_t *record) {
    uint8_t id[ID_BYTES];
    uint64_t reference = 0;
    if (support_id(record, id)) memcpy(&reference, id + ID_BYTES - sizeof reference, sizeof reference);
    return reference;
}

json_t *support_by_reference(json_t *records, uint64_t reference) {
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record) if (support_reference(record) == reference) return record;
    return NULL;
}

enum support_state support_state(const json_t *record) {
    json_int_t state = json_integer_value(json_object_get(record, "state"));
    return state >= 0 && state < SUPPORT_STATES ? (enum support_state)state : SUPPORT_REMOVED;
}

enum store_result support_save(const json_t *record) {
    uint8_t id[ID_BYTES];
    char *text = support_id(record, id) ? json_dumps(record, JSON_COMPACT) : NULL;
    enum store_result result = text ? store_put(self.store, STORE_SUPPORT, id, text, strlen(text), STORE_ANY, NULL) : STORE_MEMORY;
    free(text);
    return result;
}

enum store_result support_delete(const json_t *record) {
    uint8_t id[ID_BYTES];
    return support_id(record, id) ? store_delete(self.store, STORE_SUPPORT, id, STORE_ANY) : STORE_MISSING;
}

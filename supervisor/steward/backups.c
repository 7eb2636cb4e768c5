#include "backups.h"

#include "../../policy/hex.h"
#include "../../policy/names.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MS = 1000 };

bool backups_is(enum verb verb) {
    return verb == VERB_backup_now || verb == VERB_backup_list || verb == VERB_backup_verify || verb == VERB_backup_drill ||
           verb == VERB_backup_restore;
}

static bool take_number(json_t *value, uint64_t *out) {
    json_int_t n = json_integer_value(value);
    *out = (uint64_t)n;
    return json_is_integer(value) && n > 0;
}

static bool take(const char *key, json_t *value, int verb, struct message_act *act, struct act_problem *problem) {
    bool given = verb == VERB_backup_drill || verb == VERB_backup_restore;
    if (strcmp(key, "archive") == 0) {
        act->set |= json_is_true(value) ? ACT_ARCHIVE : 0;
        return json_is_boolean(value) || act_wrong(problem, key, "true or false");
    }
    if (given && strcmp(key, "snapshot") == 0) {
        act->set |= ACT_SNAPSHOT;
        return take_number(value, &act->snapshot) || act_wrong(problem, key, "the number of a snapshot");
    }
    if (verb != VERB_backup_restore) return act_wrong(problem, key, "only archive, and of a drill snapshot, may be given");
    if (strcmp(key, "source") == 0) {
        act->set |= ACT_SOURCE;
        return take_number(value, &act->source) ||
               act_wrong(problem, key, "the number that the tenant had on the machine that took the snapshot");
    }
    if (strcmp(key, "destination") != 0) return act_wrong(problem, key, "none of archive, snapshot, source, destination");
    const char *name = json_string_value(value);
    act->set |= ACT_PLACE;
    snprintf(act->place, sizeof act->place, "%.*s", PLACE_NAME_MAX, name ? name : "");
    return (name && strlen(name) <= PLACE_NAME_MAX && name_is_tenant(name)) ||
           act_wrong(problem, key, "the name of a destination of the configuration");
}

bool backups_read(const char *body, size_t size, enum verb verb, struct message_act *act, struct act_problem *problem) {
    if (!act_members_if_any(body, size, take, (int)verb, act, problem)) return false;
    return verb != VERB_backup_restore || act->set & ACT_PLACE || act_wrong(problem, "destination", "required");
}

static json_t *row_json(const struct snapshot_row *row) {
    char hash[2 * BACKUP_HASH + 1] = "";
    hex_write(row->hash, BACKUP_HASH, hash);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "number", (json_int_t)row->number, "taken",
                     (json_int_t)(row->taken_ms / MS), "keep_until", (json_int_t)((row->taken_ms + row->keep_ms) / MS), "chunks",
                     (json_int_t)row->chunks, "bytes", (json_int_t)row->bytes, "commit", (json_int_t)row->commit, "key_created",
                     (json_int_t)row->key_created, "hash", hash, "sent", row->sent == 1);
}

void backups_answer_list(struct staff_request *r, int fd, uint64_t bytes) {
    size_t count = (size_t)(bytes / sizeof(struct snapshot_row));
    json_t *items = json_array();
    struct snapshot_row row;
    for (size_t i = count > SNAPSHOT_ROWS_MAX ? SNAPSHOT_ROWS_MAX : count; fd >= 0 && i-- > 0;) /* the newest first */
        if (pread(fd, &row, sizeof row, (off_t)(i * sizeof row)) == (ssize_t)sizeof row) json_array_append_new(items, row_json(&row));
    staff_json(r, 200, json_pack("{s:s, s:o}", "name", r->tenant, "items", items));
}

void backups_answer_failed(struct staff_request *r, uint32_t detail) {
    enum backup_result result = detail < BACKUP_RESULTS ? (enum backup_result)detail : BACKUP_NO_COURIER;
    char type[48];
    snprintf(type, sizeof type, "backup-%s", backup_result_word(result));
    staff_problem(r, 502, type, NULL, backup_result_meaning(result));
}

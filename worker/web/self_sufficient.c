#include "self_sufficient.h"

#include "../journal/journal.h"
#include "../keys/kit_record.h"
#include "../kit_keeper.h"
#include "../rotation/rotation.h"
#include "../tenant.h"
#include "fields.h"
#include "login.h"
#include "user.h"

#include <errno.h>
#include <string.h>

static bool find(struct slot *kit) {
    for (size_t i = 0; capsule_slot(self.capsule, i, kit); i++)
        if (kit->kind == SLOT_SELF_SUFFICIENT) return true;
    return false;
}

void get_self_sufficient(struct exchange *x, struct request *r) {
    (void)r;
    struct slot slot;
    json_t *kit = json_null();
    if (find(&slot))
        kit = json_pack("{s:o, s:o, s:o}", "id", journal_id(slot.id), "user", journal_id(slot.owner), "created", json_time(slot.created));
    json_t *body = json_pack("{s:o, s:o}", "kit", kit, "first_made", json_time(capsule_kit_first(self.capsule)));
    if (body)
        respond_json(x, 200, body);
    else
        answer_errno(x, ENOMEM);
}

/* Into the data file, durable. While that is an older one, sealed under a retired key, the record comes with the rotation. */
static enum store_result keep(void) {
    static const uint8_t today[ID_BYTES];
    if (memcmp(self.older, today, ID_BYTES) != 0) return STORE_OK;
    enum store_result result = kit_keep(self.store, self.tmk);
    return result == STORE_OK ? exchange_commit() : result;
}

/* Nobody has the kit that was just made; without it in the file it is none. */
static void give_up(struct exchange *x, const struct request *r, const struct slot *slot, enum store_result why) {
    capsule_remove(self.capsule, slot->id);
    journal_tell(JOURNAL_undone, r->session->user, NULL);
    answer_failure(x, why);
}

/* Recorded before; in the file before anybody sees it. */
static void make(struct exchange *x, const struct request *r, struct slot *slot, bool replaces) {
    uint8_t kit[KEY_BYTES];
    random_bytes(kit, sizeof kit);
    int error = capsule_add_secret(self.capsule, self.tmk, slot, kit);
    enum store_result result = error ? STORE_OK : keep();
    if (error) {
        journal_tell(JOURNAL_undone, r->session->user, NULL);
        answer_errno(x, error);
    } else if (result != STORE_OK) {
        give_up(x, r, slot, result);
    } else {
        if (replaces) rotation_ask(r->session->user);
        answer_kit(x, kit);
    }
    secret_wipe(kit, sizeof kit);
}

void make_self_sufficient(struct exchange *x, struct request *r) {
    struct slot slot = {.kind = SLOT_SELF_SUFFICIENT, .rights = RIGHT_ALL}, old;
    struct user user;
    bool replaces = find(&old);
    enum store_result result = user_load(r->session->user, &user);
    if (result == STORE_OK)
        result = journal_first(JOURNAL_self_sufficient_made, user.id, json_pack("{s:o}", "origin", journal_id(r->session->slot)));
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    slot.rights_epoch = user.rights_epoch;
    memcpy(slot.owner, user.id, ID_BYTES);
    memcpy(slot.origin, r->session->slot, ID_BYTES);
    make(x, r, &slot, replaces);
}

void self_sufficient_follow(const uint8_t user[ID_BYTES]) {
    struct kit_record record;
    struct slot slot;
    if (find(&slot) || store_clear_get(self.store, &record, sizeof record) == STORE_MISSING) return;
    journal_tell(JOURNAL_self_sufficient_removed, user, json_pack("{s:o}", "slot", journal_id(record.slot.id)));
    if (keep() != STORE_OK) count(COUNTER_store_refusals, 1); /* the next unsealing tries again, and so does the rotation */
    rotation_ask(user);
}

void remove_self_sufficient(struct exchange *x, struct request *r) {
    struct slot slot;
    int error = find(&slot) ? capsule_remove(self.capsule, slot.id) : ENOENT;
    if (error == ENOENT) {
        respond_problem(x, 404, "not-found", "There is no self-sufficient kit.", NULL, 0);
    } else if (error) {
        answer_errno(x, error);
    } else {
        self_sufficient_follow(r->session->user);
        respond_empty(x, 204);
    }
}

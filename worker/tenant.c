#include "tenant.h"

#include "documents/sweep.h"
#include "functions.h"
#include "journal/journal.h"
#include "kit_keeper.h"
#include "provider/lines.h"
#include "provider/witness.h"
#include "rotation/rotation.h"
#include "rules/rules.h"
#include "support/support.h"
#include "uplink.h"
#include "web/account.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_RECORDS = 64, CHECK_FIRST_MS = 1000, CHECK_STEP_MS = 20, CHECK_AGAIN_MS = 6 * 3600 * 1000, CHECK_RETRY_MS = 5000 };

/* The background check of the store: some records a step, a pass after each unsealing and every six hours. */
static struct store_check *check;
static struct event *check_event;

static void check_after(unsigned ms) {
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    event_add(check_event, &wait);
}

static void check_step(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    if (!self.keys) return;
    enum store_result result = store_check_step(self.store, check, CHECK_RECORDS);
    if (result == STORE_OK && !check->done) {
        check_after(CHECK_STEP_MS);
        return;
    }
    /* What cannot be read at all is not sound either; want of memory says nothing. */
    if (result != STORE_MEMORY) gauge(COUNTER_check_state, result == STORE_OK && check->found == 0 ? 1 : 2);
    memset(check, 0, sizeof *check);
    check_after(result == STORE_MEMORY ? CHECK_RETRY_MS : CHECK_AGAIN_MS);
}

static void check_begin(void) {
    if (!check) check = calloc(1, sizeof *check);
    if (!check_event) check_event = evtimer_new(self.base, check_step, NULL);
    if (check && check_event) check_after(CHECK_FIRST_MS);
}

/* ---- which file, which key ---- */

static void change_files(void) {
    struct store *was = self.store;
    self.store = self.second;
    self.second = was;
}

/* May a file that is not in use hold data? */
static bool holds_data(struct store *s) { return s && !store_is_spare(s) && (store_begun(s) || store_begin(s) == 0); }

unsigned tenant_newest_file(void) {
    unsigned file = capsule_data_file(self.capsule);
    bool other =
        holds_data(self.second) && (store_is_spare(self.store) || store_commits_shown(self.second) > store_commits_shown(self.store));
    if (!other) return file;
    change_files();
    return !file;
}

/* Without a commit a file is nobody's yet: it has its administrator at least, once somebody has enrolled. */
static enum store_result open_file(struct store *s, const uint8_t tmk[KEY_BYTES]) {
    self.keys = keyring_new(tmk);
    if (!self.keys) return STORE_MEMORY;
    enum store_result result = store_unseal(s, self.keys, capsule_tenant_id(self.capsule));
    if (result == STORE_OK && store_commits(s) == 0 && (self.profile.enrolled || tenant_restoring())) {
        store_seal(s);
        result = STORE_BROKEN;
    }
    if (result == STORE_OK) return result;
    keyring_free(self.keys);
    self.keys = NULL;
    return result;
}

static enum store_result open_either(const uint8_t tmk[KEY_BYTES]) {
    enum store_result result = store_is_spare(self.store) ? STORE_BROKEN : open_file(self.store, tmk);
    if (result != STORE_BROKEN || !holds_data(self.second)) return result;
    result = open_file(self.second, tmk);
    if (result != STORE_OK) return result;
    change_files();
    /* Before anything is written into it: the next start must find it. */
    if (!capsule_use_file(self.capsule, !capsule_data_file(self.capsule))) return STORE_OK;
    change_files();
    store_seal(self.second);
    keyring_free(self.keys);
    self.keys = NULL;
    return STORE_IO;
}

static enum store_result open_older(void) {
    struct retired_key key;
    size_t kept = 0;
    enum store_result result = STORE_BROKEN;
    while (capsule_retired(self.capsule, kept, &key))
        kept++;
    while (result == STORE_BROKEN && kept > 0 && capsule_retired(self.capsule, --kept, &key))
        result = open_either(key.tmk);
    if (result == STORE_OK) memcpy(self.older, key.id, ID_BYTES);
    secret_wipe(&key, sizeof key);
    return result;
}

/* Sealed again, as if it had not been tried. */
static int refuse(int error) {
    functions_forget();
    store_seal(self.store);
    keyring_free(self.keys);
    self.keys = NULL;
    memset(self.older, 0, sizeof self.older);
    return error;
}

int tenant_unseal(const uint8_t tmk[KEY_BYTES], uint32_t by) {
    if (self.keys) return secret_equal(tmk, self.tmk, KEY_BYTES) ? 0 : EIO; /* a kit's key is proved by opening, also when all is open */
    enum store_result result = open_either(tmk);
    bool older = result == STORE_BROKEN;
    if (older) result = open_older();
    if (result == STORE_BROKEN) gauge(COUNTER_check_state, 2);
    if (result != STORE_OK) return EIO;
    functions_load();
    if (by == SLOT_TOKEN && !function_on(FUNCTION_tokens)) return refuse(EPERM);
    memcpy(self.tmk, tmk, KEY_BYTES);
    /* A full store cannot keep the head; that does not close the tenant. */
    if (!witness_keep()) count(COUNTER_store_refusals, 1);
    lines_unsealed();
    journal_unsealed();
    if (older)
        journal_tell(JOURNAL_older_file, NULL, json_pack("{s:o}", "key", journal_id(self.older)));
    else if (capsule_enrolled(self.capsule))
        kit_keep(self.store, self.tmk); /* what an older file has is of its day */
    check_begin();
    rotation_unsealed();
    sweep_unsealed();
    rules_unsealed();
    if (older) rotation_ask(NULL);
    uplink_state();
    account_unsealed();
    support_unsealed();
    return 0;
}

#include "tenant.h"

#include "functions.h"
#include "journal.h"
#include "rotation.h"
#include "uplink.h"
#include "web/account.h"
#include "witness.h"

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

/* 0, or why the tenant stays sealed. */
static int open_store(struct keyring *keys, uint32_t by) {
    enum store_result result = store_unseal(self.store, keys, capsule_tenant_id(self.capsule));
    /* An enrolled tenant has written at least its administrator: a file that knows no commit is not the tenant's. */
    if (result == STORE_OK && self.profile.enrolled && store_commits(self.store) == 0) result = STORE_BROKEN;
    if (result == STORE_BROKEN) gauge(COUNTER_check_state, 2);
    if (result != STORE_OK) return EIO;
    functions_load();
    return by == SLOT_TOKEN && !function_on(FUNCTION_tokens) ? EPERM : 0;
}

int tenant_unseal(const uint8_t tmk[KEY_BYTES], uint32_t by) {
    if (self.keys) return 0;
    struct keyring *keys = keyring_new(tmk);
    int error = keys ? open_store(keys, by) : EIO;
    if (error) {
        functions_forget();
        store_seal(self.store);
        keyring_free(keys);
        return error;
    }
    self.keys = keys;
    memcpy(self.tmk, tmk, KEY_BYTES);
    /* A full store cannot keep the head; that does not close the tenant. */
    if (!witness_keep()) count(COUNTER_store_refusals, 1);
    journal_unsealed();
    check_begin();
    rotation_unsealed();
    uplink_state();
    account_unsealed();
    return 0;
}

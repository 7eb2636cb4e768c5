#include "leaving.h"

#include "backups.h"
#include "clock.h"
#include "ledger.h"
#include "log.h"
#include "plans.h"
#include "reset.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"

#include <errno.h>

enum { LEAVING_AGAIN_MS = 10000 };

enum contract leaving_state(const struct tenant *t) {
    bool enrolled = t->entry->enrolled || t->save_enrolled;
    return contract_state(&t->entry->contract, enrolled, clock_unix_ms(), plans_counted(t->house->plans));
}

static void event(const struct tenant *t, const char *word, const char *note) {
    struct ledger_tenant about = supervisor_about(t->entry);
    about.note = note;
    ledger_event(t->house->ledger, clock_unix_ms(), word, about, "done");
}

bool leaving_record(const struct tenant *t, const char *verb, const char *what) {
    uint64_t gaps = ledger_gaps(t->house->ledger);
    event(t, verb, what);
    return ledger_holds(t->house->ledger, gaps);
}

/* S14: at the end everything is destroyed, keys first, on the tenant's word or two people's */
bool leaving_destroy(struct tenant *t) {
    return leaving_record(t, "destruction", NULL) && reset_begin(t, true); /* what is decided is on the disk before anything goes */
}

static void keep_returned(struct tenant *t) {
    struct registry_tenant wanted = *t->entry;
    if (wanted.contract.returned_ms) return;
    wanted.contract.returned_ms = clock_unix_ms();
    if (wanted.contract.returned_ms < wanted.contract.end_ms) wanted.contract.returned_ms = wanted.contract.end_ms;
    if (!leaving_record(t, "handed_back", NULL) || registry_update(t->house->registry, &wanted) != REGISTRY_DONE) {
        log_errno("tenant %s: that it has its data is not kept", t->entry->name);
        return;
    }
    tenant_profile_changed(t);
    tell_tenant(t);
}

void leaving_heard(struct tenant *t, uint64_t word) {
    enum contract state = leaving_state(t);
    t->leaving_at = 0; /* also where it is of no effect: a later end takes a word of its own */
    if ((state != CONTRACT_ENDING && state != CONTRACT_OVERDUE) || t->entry->resetting) return;
    keep_returned(t);
    bool kept = t->entry->contract.returned_ms, done = kept && (word != LEAVING_DESTROY || leaving_destroy(t));
    if (kept && !done) log_errno("tenant %s: its destruction is not recorded", t->entry->name);
    if (done) return;
    t->leaving_word = word;
    t->leaving_at = clock_ms() + LEAVING_AGAIN_MS;
}

void leaving_tick(struct tenant *t, uint64_t now) {
    if (t->told_contract != leaving_state(t)) tell_tenant(t); /* the term is over */
    if (t->leaving_at && now >= t->leaving_at) leaving_heard(t, t->leaving_word);
}

/* S14: what a certificate needs is on the disk before the mark, after which nothing tells it again */
/* Told twice after a crash the lines say the same. */
static bool tell_end(struct tenant *t) {
    if (!t->told_end) t->told_end = backups_leave(t) && leaving_record(t, "gone", NULL);
    return t->told_end;
}

bool leaving_finish(struct tenant *t) {
    struct registry_tenant wanted = *t->entry;
    wanted.contract.gone_ms = clock_unix_ms();
    if (wanted.contract.gone_ms < wanted.contract.end_ms) wanted.contract.gone_ms = wanted.contract.end_ms;
    wanted.resetting = wanted.destroying = wanted.plain = false;
    wanted.suspended = true;
    wanted.chain_ms = 0;
    if (!tell_end(t) || registry_update(t->house->registry, &wanted) != REGISTRY_DONE) return false;
    tell_hosts(t->house, t->entry, NULL);
    tell_event(t, EVENT_GONE);
    tell_tenant(t);
    return true;
}

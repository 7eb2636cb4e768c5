#include "reset.h"

#include "clock.h"
#include "copies.h"
#include "leaving.h"
#include "loading.h"
#include "log.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"

#include <stdio.h>
#include <string.h>

enum { AGAIN_MS = 5000 };

bool reset_begin(struct tenant *t, bool destroying) {
    struct registry_tenant wanted = *t->entry;
    wanted.resetting = true;
    wanted.destroying = destroying;
    if (registry_update(t->house->registry, &wanted) != REGISTRY_DONE) return false;
    log_say("tenant %s: %s", t->entry->name, destroying ? "everything of it is to be destroyed" : "reset: two people want it empty");
    tell_tenant(t);
    tenant_event(t, LIFE_SUSPEND); /* nothing starts it meanwhile */
    return true;
}

static void again_later(struct tenant *t, uint64_t now, const char *what) {
    log_say("tenant %s: reset: %s, again in %d s", t->entry->name, what, AGAIN_MS / 1000);
    t->reset_again = now + AGAIN_MS;
}

static void begin_emptying(struct tenant *t, uint64_t now) {
    while (t->entry->place_count) {
        char what[NOTE_MAX + 1];
        snprintf(what, sizeof what, "copy of the key capsule at %s: overwritten and removed", t->entry->place[0]);
        /* Destroyed, told, and only then off the list: a crash in between tells it again. */
        bool gone = copies_destroy(t, 0) == COPY_DONE, told = gone && (!t->entry->destroying || leaving_record(t, "destroyed", what));
        if (!told || copies_forget(t, 0) != COPY_DONE) {
            again_later(t, now, "a copy of its capsule is not destroyed");
            return;
        }
    }
    if (!loading_clear(t))
        again_later(t, now, "a restore or drill is not over");
    else if (!tenant_empty_directory(t, &t->emptier))
        again_later(t, now, "its directory is not emptied");
}

/* The row as before enrolment. The code is for the person who waits for it; after a restart there is none and `enrol-code` makes one. */
static void finish(struct tenant *t, uint64_t now) {
    if (t->entry->destroying) {
        static const char emptied[] = "key capsule and TLS key in its directory: overwritten and removed; data files: removed";
        if (!t->told_emptied) t->told_emptied = leaving_record(t, "destroyed", emptied);
        if (!t->told_emptied || !leaving_finish(t)) again_later(t, now, "that it is gone is not written");
        return;
    }
    struct registry_tenant wanted = *t->entry;
    char code[ENROL_CODE_TEXT] = "";
    bool awaited = errand_asked(t, VERB_reset);
    wanted.resetting = wanted.enrolled = wanted.plain = false;
    wanted.chain_ms = 0;
    wanted.bound = (struct region_bound){0};
    wanted.references = 0; /* consents of whoever was there before */
    wanted.has_code = awaited && registry_new_code(code, wanted.code_hash);
    if (registry_update(t->house->registry, &wanted) != REGISTRY_DONE) {
        again_later(t, now, "the registry is not written");
        return;
    }
    t->emptied = t->save_enrolled = false;
    t->save_plain = -1;
    t->save_references = -1;
    t->save_bound = false;
    t->save_chain_ms = 0;
    tenant_open_plain(t);
    ledger_event(t->house->ledger, clock_unix_ms(), "emptied", supervisor_about(t->entry), "done");
    tell_event(t, EVENT_RESET);
    errand_answered(t, VERB_reset, &(struct answer){.result = ACT_DONE, .code = code, .fd = -1});
    explicit_bzero(code, sizeof code);
    if (!t->entry->suspended) tenant_event(t, LIFE_RESUME);
    tell_tenant(t);
}

void reset_step(struct tenant *t, uint64_t now) {
    if (!t->entry->resetting || life_alive(&t->life) || t->emptier || now < t->reset_again) return;
    if (t->emptied)
        finish(t, now);
    else
        begin_emptying(t, now);
}

bool reset_child(struct tenant *t, pid_t pid, int status) {
    if (!t->emptier || pid != t->emptier) return false;
    uint64_t now = clock_ms();
    t->emptier = 0;
    t->emptied = status == 0;
    if (t->emptied)
        reset_step(t, now);
    else
        again_later(t, now, "its directory is not emptied");
    return true;
}

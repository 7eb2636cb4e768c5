#include "acts.h"

#include "../policy/decide.h"
#include "../policy/names.h"
#include "act.h"
#include "anchors.h"
#include "announce.h"
#include "backups.h"
#include "clock.h"
#include "copies.h"
#include "leaving.h"
#include "log.h"
#include "plans.h"
#include "requests.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"
#include "text.h"
#include "undertakings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- checks ---- */

static bool hosts_fit(const struct message_act *a) {
    if (a->host_count < 1 || a->host_count > TENANT_HOSTS_MAX) return false;
    for (uint32_t i = 0; i < a->host_count; i++) {
        if (!name_is_host(a->host[i])) return false;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(a->host[i], a->host[j]) == 0) return false;
    }
    return true;
}

static bool quota_fits(uint64_t bytes) { return bytes >= TENANT_QUOTA_MIN && bytes % 4096 == 0 && bytes <= REGISTRY_QUOTA_MAX; }

/* Of the fields that are given: 0 = fine, else the enum act_field that is not. */
static uint32_t bad_field(const struct message_act *a) {
    if (a->set & ACT_TITLE && !name_is_title(a->title)) return ACT_TITLE;
    if (a->set & ACT_MODULES && !name_is_modules(a->modules)) return ACT_MODULES;
    if (a->set & ACT_REGION && !name_is_region(a->region)) return ACT_REGION;
    if (a->set & ACT_HOSTS && !hosts_fit(a)) return ACT_HOSTS;
    if (a->set & ACT_QUOTA && !quota_fits(a->quota_bytes)) return ACT_QUOTA;
    if (a->set & ACT_CONTACT && a->contact[0] && !name_is_mail_address(a->contact)) return ACT_CONTACT;
    if (a->set & ACT_ENTITY && (!a->entity[0] || !name_is_title(a->entity))) return ACT_ENTITY;
    if (a->set & ACT_KIND && (!a->notice_kind || notice_table[a->notice_kind].by != NOTICE_BY_DOCUMENT)) return ACT_KIND;
    if (a->set & ACT_PLACE && !name_is_tenant(a->place)) return ACT_PLACE;
    return 0;
}

void act_answer(const struct act *a, enum act_result result, uint32_t detail) {
    tell_answer(a->house, &(struct answer){.request = a->said->request, .result = result, .detail = detail, .fd = -1});
}

/* The tenant, or for a new one the name alone; of a request what it says itself. note: of NOTE_MAX + 1 bytes. */
static struct ledger_tenant about(const struct act *a, char *note) {
    if (a->request) return requests_about(a->request, clock_unix_ms(), plans_counted(a->house->plans), note);
    if (a->verb == VERB_disclosure && a->tenant && act_bad_disclosure(a) == 0) {
        struct request wanted = act_disclosure_of(a);
        return requests_about(&wanted, clock_unix_ms(), plans_counted(a->house->plans), note);
    }
    if (a->tenant) return supervisor_about(a->tenant->entry);
    if (a->notice) {
        notices_note(a->notice, note);
        return (struct ledger_tenant){.name = "", .note = note};
    }
    return (struct ledger_tenant){.name = a->verb == VERB_create && name_is_tenant(a->said->name) ? a->said->name : ""};
}

bool act_record(const struct act *a, const char *result) {
    char note[NOTE_MAX + 1];
    return ledger_act(a->house->ledger, clock_unix_ms(), a->who.uid, a->verb, about(a, note), result) == 0;
}

/* After an act that is done or failed: never stops anything. */
void act_record_outcome(const struct act *a, const char *result) {
    char note[NOTE_MAX + 1];
    if (!act_record(a, result)) ledger_event(a->house->ledger, clock_unix_ms(), verb_table[a->verb].name, about(a, note), result);
}

static enum act_result result_of(enum registry_result r) {
    switch (r) {
    case REGISTRY_DONE:
        return ACT_DONE;
    case REGISTRY_NAME_TAKEN:
    case REGISTRY_HOST_TAKEN:
        return ACT_EXISTS;
    case REGISTRY_BAD_FIELD:
        return ACT_BAD_FIELD;
    case REGISTRY_FULL:
        return ACT_FULL;
    case REGISTRY_NO_TENANT:
        return ACT_NO_TENANT;
    case REGISTRY_NOT_WRITTEN:
        break;
    }
    log_errno("registry: not written");
    return ACT_FAILED;
}

static bool host_is_taken(const struct act *a) {
    for (uint32_t i = 0; a->said->set & ACT_HOSTS && i < a->said->host_count; i++) {
        const struct registry_tenant *owner = registry_by_host(a->house->registry, a->said->host[i]);
        if (owner && (!a->tenant || owner->number != a->tenant->entry->number)) return true;
    }
    return false;
}

/* ---- the acts on the registry ---- */

static void fields_take(const struct message_act *said, struct registry_tenant *e) {
    if (said->set & ACT_TITLE) TEXT_COPY(e->title, said->title);
    if (said->set & ACT_MODULES) TEXT_COPY(e->modules, said->modules);
    if (said->set & ACT_REGION) TEXT_COPY(e->region, said->region);
    if (said->set & ACT_CONTACT) TEXT_COPY(e->contact, said->contact);
    if (said->set & ACT_QUOTA) e->quota_bytes = said->quota_bytes;
    if (!(said->set & ACT_HOSTS)) return;
    memset(e->host, 0, sizeof e->host);
    e->host_count = said->host_count;
    for (uint32_t i = 0; i < said->host_count; i++)
        TEXT_COPY(e->host[i], said->host[i]);
}

static void answer_code(const struct act *a, const char *code) {
    act_record_outcome(a, "done");
    tell_answer(a->house, &(struct answer){.request = a->said->request, .result = ACT_DONE, .code = code, .fd = -1});
}

void act_fail(const struct act *a, enum act_result result) {
    act_record_outcome(a, "failed");
    act_answer(a, result, 0);
}

static enum act_result create_entry(const struct act *a, const struct registry_tenant *wanted, struct tenant **made) {
    const struct registry_tenant *entry;
    enum registry_result r = registry_create(a->house->registry, wanted, &entry);
    if (r != REGISTRY_DONE) return result_of(r);
    *made = supervisor_take(a->house, entry);
    if (*made && tenant_make_directory(*made)) return ACT_DONE;
    log_errno("tenant %s: its directory", entry->name);
    supervisor_drop(a->house, entry->number);
    registry_remove(a->house->registry, entry->number);
    return ACT_FAILED;
}

static void do_create(struct act *a) {
    struct registry_tenant wanted = {.quota_bytes = a->house->config.default_quota, .created_ms = clock_unix_ms(), .has_code = true};
    char code[ENROL_CODE_TEXT];
    TEXT_COPY(wanted.name, a->said->name);
    TEXT_COPY(wanted.region, a->house->config.region);
    fields_take(a->said, &wanted);
    /* Its files come from elsewhere: until they are there nothing starts it, and no code makes it somebody else's. */
    bool restore = a->said->set & ACT_RESTORE;
    wanted.suspended = restore;
    wanted.has_code = !restore;
    enum act_result result = registry_new_code(code, wanted.code_hash) ? create_entry(a, &wanted, &a->tenant) : ACT_FAILED;
    if (result != ACT_DONE) {
        a->tenant = NULL;
        act_fail(a, result);
        return;
    }
    tell_hosts(a->house, NULL, a->tenant->entry);
    tell_no_worker(a->tenant);
    tell_tenant(a->tenant);
    tell_event(a->tenant, EVENT_CREATED);
    answer_code(a, restore ? "" : code);
    explicit_bzero(code, sizeof code);
}

static void do_set(struct act *a) {
    struct registry_tenant was = *a->tenant->entry, wanted = was;
    fields_take(a->said, &wanted);
    enum act_result result = result_of(registry_update(a->house->registry, &wanted));
    if (result != ACT_DONE) {
        act_fail(a, result);
        return;
    }
    tell_hosts(a->house, &was, a->tenant->entry);
    tenant_profile_changed(a->tenant);
    tell_tenant(a->tenant);
    tell_event(a->tenant, EVENT_CHANGED);
    act_record_outcome(a, "done");
    act_answer(a, ACT_DONE, 0);
}

static void do_enrol_code(struct act *a) {
    struct registry_tenant wanted = *a->tenant->entry;
    char code[ENROL_CODE_TEXT];
    wanted.has_code = true;
    enum act_result result =
        registry_new_code(code, wanted.code_hash) ? result_of(registry_update(a->house->registry, &wanted)) : ACT_FAILED;
    if (result != ACT_DONE) {
        act_fail(a, result);
        return;
    }
    tenant_profile_changed(a->tenant);
    answer_code(a, code);
    explicit_bzero(code, sizeof code);
}

/* ---- the acts on a worker ---- */

/* The wish is kept first: a suspended tenant stays so over a restart. */
static bool keep_suspended(struct act *a, bool suspended) {
    struct registry_tenant wanted = *a->tenant->entry;
    wanted.suspended = suspended;
    enum act_result result = result_of(registry_update(a->house->registry, &wanted));
    if (result == ACT_DONE) return true;
    act_fail(a, result);
    return false;
}

/* Takes it on, with what was said. false: too many wait. */
bool act_take_errand(struct act *a) {
    struct errand errand = {.verb = a->request ? request_table[a->request->kind].verb : a->verb,
                            .request = a->said->request,
                            .steward = a->house->steward.starts,
                            .uid = a->who.uid,
                            .kind = backups_kind(a->said),
                            .fd = a->fd};
    errand.tokens = a->said->set & ACT_TOKENS;
    TEXT_COPY(errand.place, a->said->place);
    struct stat st;
    if (a->fd >= 0 && fstat(a->fd, &st) == 0) errand.bytes = (uint64_t)st.st_size;
    bool taken = errand_take(a->tenant, &errand);
    if (taken)
        a->fd = -1;
    else
        act_fail(a, ACT_WRONG_STATE);
    return taken;
}

static void do_errand(struct act *a, enum life_event event) {
    bool taken = act_take_errand(a);
    if (taken || event == LIFE_SUSPEND) tenant_event(a->tenant, event); /* the registry says suspended already */
}

static void do_start(struct act *a) { do_errand(a, LIFE_ORDER); }
static void do_stop(struct act *a) { do_errand(a, LIFE_STOP); }

static void do_suspend(struct act *a) {
    if (keep_suspended(a, true)) do_errand(a, LIFE_SUSPEND);
}

static void do_resume(struct act *a) {
    if (!keep_suspended(a, false)) return;
    tenant_event(a->tenant, LIFE_RESUME);
    act_record_outcome(a, "done");
    act_answer(a, ACT_DONE, 0);
}

/* ---- the key capsule's copies, and emptying a tenant ---- */

/* The place first: a copy lies nowhere that the registry does not know. */
static void do_capsule_copy(struct act *a) {
    /* S8: no copy of the capsule is ordered to where the tenant excludes the region */
    if (copies_excluded(a->tenant, a->said->place)) {
        act_record_outcome(a, "failed");
        act_answer(a, ACT_FAILED, COPY_EXCLUDED);
        return;
    }
    if (copies_list(a->tenant, a->said->place)) {
        do_errand(a, LIFE_ORDER);
        return;
    }
    if (errno != ENOSPC) log_errno("registry: not written");
    act_fail(a, errno == ENOSPC ? ACT_FULL : ACT_FAILED);
}

static void do_capsule_forget(struct act *a) {
    enum copy_result result = copies_forget(a->tenant, copies_find(a->tenant, a->said->place));
    act_record_outcome(a, result == COPY_DONE ? "done" : "failed");
    act_answer(a, result == COPY_DONE ? ACT_DONE : ACT_FAILED, result);
}

/* ---- notices of change, and what may follow only after one ---- */

static void do_terms_publish(struct act *a) {
    struct notice wanted = {.kind = (enum notice_kind)a->said->notice_kind,
                            .published_ms = clock_unix_ms(),
                            .effective_ms = a->said->effective_ms,
                            .uid = a->who.uid};
    const struct notice *made = announce_publish(a->house, &wanted, a->fd);
    if (!made) {
        if (errno != ENOSPC && errno != EINVAL) log_errno("notices: not written");
        act_fail(a, errno == ENOSPC ? ACT_FULL : errno == EINVAL ? ACT_BAD_FIELD : ACT_FAILED);
        return;
    }
    a->notice = made;
    act_record_outcome(a, "done");
    tell_answer(a->house, &(struct answer){.request = a->said->request, .result = ACT_DONE, .detail = made->number, .fd = -1});
}

static void do_backup(struct act *a) {
    if (!backups_may(a->tenant, a->said))
        act_fail(a, ACT_WRONG_STATE);
    else if (act_take_errand(a))
        backups_act(a->tenant, a->verb, a->said);
}

/* ---- a person about itself (S1, C1) ---- */

/* The steward asks whether the person may, and answers by itself. */
static void do_allow(struct act *a) { act_answer(a, ACT_DONE, 0); }

static void do_undertaking_show(struct act *a) {
    const struct undertaking *u = undertakings_of(a->house->undertakings, a->who.uid);
    struct answer told = {.request = a->said->request, .result = ACT_DONE, .fd = -1};
    told.detail = undertakings_judge(a->house->undertakings, a->who.uid, clock_unix_ms());
    if (u) told.number = u->version, told.since_ms = u->signed_ms, told.until_ms = u->until_ms;
    tell_answer(a->house, &told);
}

static void do_undertaking_sign(struct act *a) {
    uint64_t now = clock_unix_ms(), until = undertaking_until(now, a->said->set & ACT_UNTIL ? a->said->until_ms : 0);
    uint32_t bad = a->said->number != UNDERTAKING_VERSION ? ACT_NUMBER : until == 0 ? ACT_UNTIL : 0;
    if (bad) {
        act_record_outcome(a, "failed");
        act_answer(a, ACT_BAD_FIELD, bad);
    } else if (undertakings_sign(a->house->undertakings, a->who.uid, now, until, a->said->set & ACT_TITLE ? a->said->title : "")) {
        act_record_outcome(a, "done");
        tell_answer(a->house, &(struct answer){.request = a->said->request, .result = ACT_DONE, .until_ms = until, .fd = -1});
    } else {
        bool full = errno == EDQUOT || errno == EFBIG;
        log_errno("undertakings: not written");
        act_fail(a, full ? ACT_FULL : ACT_NOT_RECORDED);
    }
}

static void do_undertaking_end(struct act *a) {
    const struct undertaking *u = undertakings_of(a->house->undertakings, a->who.uid);
    bool there = u && !u->ended;
    if (there && undertakings_end(a->house->undertakings, a->who.uid, clock_unix_ms())) {
        act_record_outcome(a, "done");
        act_answer(a, ACT_DONE, 0);
    } else {
        act_fail(a, there ? ACT_NOT_RECORDED : ACT_WRONG_STATE);
    }
}

/* ---- what may be given ---- */

enum {
    NEEDS_FD = 1,
    HOSTS = 4, /* must be given, as the others */
    PLACE = 8,
    NOTICE = 16, /* kind and date */
    ENTITY = 32,
    DISCLOSURE = 64,
    REQUEST = 128,
    CITATION = 256
};

static const struct {
    void (*run)(struct act *);
    uint32_t fields; /* enum act_field that may be given */
    uint32_t needs;
} rules[VERB_COUNT] = {
    [VERB_create] = {do_create, ACT_TITLE | ACT_MODULES | ACT_REGION | ACT_HOSTS | ACT_QUOTA | ACT_CONTACT | ACT_RESTORE, HOSTS},
    [VERB_set] = {do_set, ACT_TITLE | ACT_MODULES | ACT_REGION | ACT_HOSTS | ACT_QUOTA | ACT_CONTACT, 0},
    [VERB_enrol_code] = {do_enrol_code, 0, 0},
    [VERB_start] = {do_start, 0, 0},
    [VERB_stop] = {do_stop, 0, 0},
    [VERB_suspend] = {do_suspend, 0, 0},
    [VERB_resume] = {do_resume, 0, 0},
    [VERB_lock] = {do_start, ACT_TOKENS, 0}, /* its sessions are in its store: the worker must run to end them */
    [VERB_csr] = {do_start, 0, 0},
    [VERB_cert] = {do_start, 0, NEEDS_FD},
    [VERB_capsule_copy] = {do_capsule_copy, ACT_PLACE, PLACE},
    [VERB_capsule_forget] = {do_capsule_forget, ACT_PLACE, PLACE},
    [VERB_backup_now] = {do_backup, ACT_ARCHIVE, 0},
    [VERB_backup_list] = {do_backup, ACT_ARCHIVE, 0},
    [VERB_backup_verify] = {do_backup, ACT_ARCHIVE, 0},
    [VERB_backup_drill] = {do_backup, ACT_ARCHIVE | ACT_SNAPSHOT, 0},
    [VERB_backup_restore] = {do_backup, ACT_ARCHIVE | ACT_SNAPSHOT | ACT_SOURCE | ACT_PLACE, 0},
    [VERB_reset] = {act_reset, 0, 0},
    [VERB_contract_end] = {act_contract_end, ACT_UNTIL, 0},
    [VERB_contract_resume] = {act_contract_resume, 0, 0},
    [VERB_destroy] = {act_destroy, 0, 0},
    [VERB_certificate] = {act_certificate, 0, 0},
    [VERB_disclosure] = {act_disclosure, ACT_GROUND | ACT_SCOPE | ACT_RECIPIENT | ACT_REASON | ACT_UNTIL, DISCLOSURE},
    [VERB_request_list] = {do_allow, 0, 0},
    [VERB_request_approve] = {act_request_approve, ACT_NUMBER, REQUEST},
    [VERB_request_withdraw] = {act_request_withdraw, ACT_NUMBER, REQUEST},
    [VERB_ledger] = {do_allow, 0, 0},
    [VERB_publish] = {do_allow, 0, 0},
    [VERB_support_list] = {do_allow, 0, 0},
    [VERB_support_show] = {do_allow, 0, 0},
    [VERB_support_answer] = {do_allow, 0, 0},
    [VERB_support_close] = {do_allow, 0, 0},
    [VERB_undertaking_list] = {do_allow, 0, 0},
    [VERB_undertaking_show] = {do_undertaking_show, 0, 0},
    [VERB_undertaking_sign] = {do_undertaking_sign, ACT_NUMBER | ACT_UNTIL | ACT_TITLE, 0},
    [VERB_undertaking_end] = {do_undertaking_end, 0, 0},
    [VERB_terms_publish] = {do_terms_publish, ACT_KIND | ACT_EFFECTIVE, NEEDS_FD | NOTICE},
    [VERB_terms_list] = {do_allow, 0, 0},
    [VERB_transfer] = {act_transfer, ACT_ENTITY, ENTITY},
    [VERB_cite] = {act_cite, ACT_SCOPE | ACT_RECIPIENT, CITATION},
};

#define LAST_DAY_MS ((uint64_t)253402300799999) /* 9999-12-31: all that dates are written by knows four digits */

static bool fd_fits(const struct act *a) {
    struct stat st;
    if (!(rules[a->verb].needs & NEEDS_FD)) return a->fd < 0;
    return a->fd >= 0 && fstat(a->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= CHAIN_MAX;
}

/* What must be given and is not, or is not what it may be: enum act_field; 0 = fine. */
static uint32_t lacking(const struct act *a) {
    uint32_t needs = rules[a->verb].needs;
    if (needs & HOSTS && !(a->said->set & ACT_HOSTS)) return ACT_HOSTS;
    if (needs & PLACE && !(a->said->set & ACT_PLACE && copies_place(&a->house->config, a->said->place))) return ACT_PLACE;
    if (needs & ENTITY && !(a->said->set & ACT_ENTITY)) return ACT_ENTITY;
    if (needs & NOTICE && !(a->said->set & ACT_KIND)) return ACT_KIND;
    /* No date that leaves less than the notice period (S13). */
    uint64_t earliest = clock_unix_ms() + a->house->config.notice_days * NOTICE_DAY_MS;
    if (needs & NOTICE && (!(a->said->set & ACT_EFFECTIVE) || a->said->effective_ms < earliest || a->said->effective_ms > LAST_DAY_MS))
        return ACT_EFFECTIVE;
    if (needs & DISCLOSURE && act_bad_disclosure(a)) return act_bad_disclosure(a);
    if (needs & CITATION && act_bad_citation(a)) return act_bad_citation(a);
    return bad_field(a->said);
}

static struct decide_tenant tenant_facts(const struct act *a) {
    const struct tenant *t = a->tenant;
    if (!t) return (struct decide_tenant){.leaving = a->house->leave_at};
    return (struct decide_tenant){.exists = true,
                                  .suspended = t->life.suspended,
                                  .enrolled = t->entry->enrolled || t->save_enrolled,
                                  .listed = copies_find(a->tenant, a->said->place) >= 0,
                                  .emptying = t->entry->resetting,
                                  .contract = leaving_state(t),
                                  .leaving = a->house->leave_at};
}

/* ACT_DONE = go on. */
static enum act_result check(const struct act *a, uint32_t *detail) {
    const struct message_act *s = a->said;
    bool named = needs_table[a->verb].tenant;
    *detail = s->set & ~rules[a->verb].fields;
    if (*detail) return ACT_BAD_FIELD;
    *detail = lacking(a);
    if (*detail || (named && !name_is_tenant(s->name)) || !fd_fits(a)) return ACT_BAD_FIELD;
    struct decide_tenant facts = tenant_facts(a);
    enum act_result result = decide_tenant(a->verb, &facts);
    if ((result == ACT_DONE || result == ACT_WRONG_STATE) && host_is_taken(a)) {
        *detail = ACT_HOSTS;
        return ACT_EXISTS;
    }
    return result;
}

/* The same of the person who asks. */
static enum act_result check_person(const struct act *a, uint32_t *detail) {
    uint64_t now = clock_unix_ms();
    struct decide_person facts = {.duties = a->who.duties,
                                  .mode = a->house->config.mode,
                                  .clock_behind = ledger_clock_behind(a->house->ledger, now),
                                  .undertaking = undertakings_judge(a->house->undertakings, a->who.uid, now)};
    enum act_result result = decide_person(a->verb, &facts);
    *detail = result == ACT_UNDERTAKING ? facts.undertaking : 0;
    return result;
}

/* C6: whoever asks for what no duty gives is refused, and the ledger says so */
static void refused(const struct act *a) {
    char note[NOTE_MAX + 1];
    if (a->verb != VERB_NONE) ledger_refused(a->house->ledger, clock_unix_ms(), a->who.uid, a->verb, about(a, note));
}

static void act_do(struct act *a) {
    uint32_t detail = 0;
    enum act_result result = check_person(a, &detail);
    if (result == ACT_DONE && rules[a->verb].needs & REQUEST) result = act_find_request(a, &detail);
    if (result == ACT_REFUSED || result == ACT_UNDERTAKING || result == ACT_CLOCK || result == ACT_MODE) refused(a);
    if (result == ACT_DONE && !rules[a->verb].run) result = ACT_REFUSED; /* the steward's own to answer: nothing is done here */
    if (result == ACT_DONE) result = check(a, &detail);
    if (result != ACT_DONE)
        act_answer(a, result, detail);
    else if (verb_table[a->verb].recorded && !act_record(a, "begun"))
        act_answer(a, ACT_NOT_RECORDED, 0);
    else
        rules[a->verb].run(a);
}

/* C1: the steward cannot say who asks: it shows the connection, and the kernel says whose */
bool acts_person(const struct supervisor *house, int socket, struct person *who) {
    struct duty_map map = {0};
    for (uint64_t d = 0; d < DUTY_COUNT; d++)
        duty_map_set(&map, d << 32 | house->config.duty[d].id);
    return person_connected(socket) && duty_person(&map, socket, who);
}

void acts_do(struct supervisor *house, struct person who, const struct message_act *said, int fd) {
    struct act a = {.house = house, .who = who, .said = said, .fd = fd};
    a.verb = said->verb < VERB_COUNT ? (enum verb)said->verb : VERB_NONE;
    const struct registry_tenant *entry = registry_by_name(house->registry, said->name);
    if (entry) a.tenant = supervisor_tenant(house, entry->number);
    act_do(&a);
    anchors_keep(house, clock_unix_ms());
    if (a.fd >= 0) close(a.fd);
}

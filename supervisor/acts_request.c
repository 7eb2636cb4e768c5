/* The verbs that take two people (C1): the first one's asks, another's agrees, and then it is done. */
#include "../policy/decide.h"
#include "../policy/names.h"
#include "../policy/references.h"
#include "act.h"
#include "clock.h"
#include "leaving.h"
#include "ledger.h"
#include "log.h"
#include "plans.h"
#include "requests.h"
#include "reset.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"
#include "text.h"
#include "transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void answer_request(const struct act *a, enum act_result result, const struct request *r) {
    tell_answer(a->house,
                &(struct answer){.request = a->said->request, .result = result, .number = r->id, .until_ms = r->until_ms, .fd = -1});
}

/* S11: under a hold nothing at all reaches the tenant's worker: what comes without a reason is a word, too */
static bool is_held(const struct act *a) { return request_is_held(a->request, clock_unix_ms(), plans_counted(a->house->plans)); }

/* Records the wish. false: the person was told. */
static bool enter(struct act *a, const struct request *wanted) {
    a->request = requests_ask(a->house->requests, wanted, clock_unix_ms(), plans_counted(a->house->plans));
    if (a->request) return true;
    bool full = errno == EDQUOT || errno == EFBIG;
    log_errno("requests: not written");
    act_fail(a, full ? ACT_FULL : ACT_NOT_RECORDED);
    return false;
}

/* A second person's is awaited from here on. */
static void await(struct act *a) {
    act_record_outcome(a, "pending");
    if (!is_held(a)) tell_tenant(a->tenant);
    answer_request(a, ACT_PENDING, a->request);
}

static void ask(struct act *a, const struct request *wanted) {
    if (enter(a, wanted)) await(a);
}

static bool end(struct act *a, enum request_state state) {
    if (requests_end(a->house->requests, a->request, a->who.uid, state, clock_unix_ms())) return true;
    log_errno("requests: not written");
    act_fail(a, ACT_NOT_RECORDED);
    return false;
}

/* ---- what is done once two agree ---- */

/* The request ends with the mark in the registry: from then on the reset goes on by itself. */
static void perform_reset(struct act *a) {
    if (!act_take_errand(a)) {
        end(a, REQUEST_FAILED);
        return;
    }
    bool begun = reset_begin(a->tenant, false);
    requests_end(a->house->requests, a->request, a->who.uid, begun ? REQUEST_DONE : REQUEST_FAILED, clock_unix_ms());
    if (begun) return;
    log_errno("registry: not written");
    errand_answered(a->tenant, VERB_reset, &(struct answer){.result = ACT_FAILED, .fd = -1});
}

/* From the mark in the registry on it goes on by itself. */
static void perform_destruction(struct act *a) {
    bool begun = leaving_destroy(a->tenant);
    if (!begun) log_errno("registry: not written");
    requests_end(a->house->requests, a->request, a->who.uid, begun ? REQUEST_DONE : REQUEST_FAILED, clock_unix_ms());
    if (!begun) {
        act_fail(a, ACT_FAILED);
        return;
    }
    act_record_outcome(a, "done");
    answer_request(a, ACT_DONE, a->request);
}

/* The line that the tenant reads is on the disk before the steward gives anything away; it makes the package. */
/* S11: a disclosure is a line of the ledger, by two people, before anything is given */
static void tell_and_give(struct act *a, const char *word) {
    char note[NOTE_MAX + 1];
    uint64_t now = clock_unix_ms();
    struct ledger_tenant about = requests_about(a->request, now, plans_counted(a->house->plans), note);
    if (ledger_act(a->house->ledger, now, a->who.uid, request_table[a->request->kind].verb, about, word) < 0) {
        act_answer(a, ACT_NOT_RECORDED, 0);
        return;
    }
    if (!end(a, REQUEST_DONE)) return;
    act_record_outcome(a, "done");
    if (!is_held(a)) tenant_ledger_changed(a->tenant);
    struct ledger_own own = ledger_own(a->house->ledger, a->request->tenant);
    tell_answer(a->house,
                &(struct answer){.request = a->said->request, .result = ACT_DONE, .number = a->request->id, .since_ms = own.at, .fd = -1});
}

static void perform_disclosure(struct act *a) { tell_and_give(a, "disclosed"); }
static void perform_citation(struct act *a) { tell_and_give(a, "cited"); }

static void perform_transfer(struct act *a) {
    bool moved = transfer_do(a->tenant, a->request->recipient);
    requests_end(a->house->requests, a->request, a->who.uid, moved ? REQUEST_DONE : REQUEST_FAILED, clock_unix_ms());
    if (!moved) {
        log_errno("registry: not written");
        act_fail(a, ACT_FAILED);
        return;
    }
    act_record_outcome(a, "done");
    answer_request(a, ACT_DONE, a->request);
}

static void (*const perform[REQUEST_KINDS])(struct act *) = {
    [REQUEST_reset] = perform_reset,       [REQUEST_destruction] = perform_destruction, [REQUEST_transfer] = perform_transfer,
    [REQUEST_citation] = perform_citation, [REQUEST_disclosure] = perform_disclosure,
}; /* NULL: a verb of its own does it, once it is agreed */

static void agree(struct act *a) {
    if (!end(a, REQUEST_AGREED)) return;
    if (perform[a->request->kind]) {
        perform[a->request->kind](a);
    } else {
        act_record_outcome(a, "agreed");
        answer_request(a, ACT_DONE, a->request);
    }
}

/* ---- the verbs ---- */

/* The same command from another registrar agrees. */
void act_reset(struct act *a) {
    uint64_t now = clock_unix_ms();
    const struct request *open = requests_open_about(a->house->requests, REQUEST_reset, a->tenant->entry->number, now);
    if (!open) {
        struct request wanted = {.kind = REQUEST_reset, .tenant = a->tenant->entry->number, .asked_by = a->who.uid};
        TEXT_COPY(wanted.name, a->tenant->entry->name);
        ask(a, &wanted);
        return;
    }
    a->request = request_find(requests_book(a->house->requests), open->id);
    if (request_may_agree(open, a->who.uid, a->who.duties, now) == ACT_DONE)
        agree(a);
    else
        act_fail(a, ACT_WRONG_STATE);
}

static void ask_transfer(struct act *a, uint64_t now) {
    struct request wanted = {.kind = REQUEST_transfer, .tenant = a->tenant->entry->number, .asked_by = a->who.uid};
    wanted.until_ms = transfer_day(a->tenant, now) + request_table[REQUEST_transfer].term_ms;
    TEXT_COPY(wanted.name, a->tenant->entry->name);
    TEXT_COPY(wanted.recipient, a->said->entity);
    if (!enter(a, &wanted)) return;
    if (transfer_announce(a->tenant, a->request)) {
        await(a);
        return;
    }
    bool full = errno == ENOSPC;
    log_errno("notices: not written");
    requests_end(a->house->requests, a->request, a->who.uid, REQUEST_WITHDRAWN, now);
    act_fail(a, full ? ACT_FULL : ACT_FAILED);
}

/* The same command from another registrar agrees, once the tenant was told in time. */
void act_transfer(struct act *a) {
    uint64_t now = clock_unix_ms();
    const struct request *open = requests_open_about(a->house->requests, REQUEST_transfer, a->tenant->entry->number, now);
    if (!open) {
        ask_transfer(a, now);
        return;
    }
    a->request = request_find(requests_book(a->house->requests), open->id);
    enum wait_reason why = transfer_waits(a->tenant, open, now);
    if (request_may_agree(open, a->who.uid, a->who.duties, now) != ACT_DONE) why = WAIT_ALONE;
    if (strcmp(open->recipient, a->said->entity) != 0) why = WAIT_ANOTHER;
    if (!why) {
        agree(a);
        return;
    }
    act_record_outcome(a, "failed");
    act_answer(a, ACT_WRONG_STATE, why);
}

/* C10: nothing beyond name and modules is published without the tenant's consent to that very use, and by one person alone */
static bool consents(const struct tenant *t, uint32_t uses) {
    uint32_t given = t->save_references >= 0 ? (uint32_t)t->save_references : t->entry->references;
    return (given & uses) == uses;
}

uint32_t act_bad_citation(const struct act *a) {
    const struct message_act *s = a->said;
    if (!(s->set & ACT_SCOPE) || s->scope == 0 || s->scope > REFERENCES_ALL) return ACT_SCOPE;
    return !(s->set & ACT_RECIPIENT) || !s->recipient[0] || !name_is_note(s->recipient) ? ACT_RECIPIENT : 0;
}

void act_cite(struct act *a) {
    struct request wanted = {.kind = REQUEST_citation, .tenant = a->tenant->entry->number, .asked_by = a->who.uid};
    wanted.scope = a->said->scope;
    TEXT_COPY(wanted.name, a->tenant->entry->name);
    TEXT_COPY(wanted.recipient, a->said->recipient);
    if (consents(a->tenant, wanted.scope)) {
        ask(a, &wanted);
        return;
    }
    act_record_outcome(a, "failed");
    act_answer(a, ACT_WRONG_STATE, WAIT_CONSENT);
}

/* ---- the end of a contract (S14) ---- */

static bool keep_contract(struct act *a, struct contract_dates dates) {
    struct registry_tenant wanted = *a->tenant->entry;
    wanted.contract = dates;
    if (registry_update(a->house->registry, &wanted) != REGISTRY_DONE) {
        log_errno("registry: not written");
        act_fail(a, ACT_FAILED);
        return false;
    }
    a->tenant->leaving_at = 0; /* what was said at another end and could not be kept */
    tenant_profile_changed(a->tenant);
    tell_tenant(a->tenant);
    act_record_outcome(a, "done");
    return true;
}

void act_contract_end(struct act *a) {
    uint64_t now = clock_unix_ms(), term = contract_term(now, a->said->set & ACT_UNTIL ? a->said->until_ms : 0);
    if (!term) {
        act_record_outcome(a, "failed");
        act_answer(a, ACT_BAD_FIELD, ACT_UNTIL);
    } else if (keep_contract(a, (struct contract_dates){.end_ms = now, .term_ms = term, .counted_ms = plans_counted(a->house->plans)})) {
        tell_answer(a->house, &(struct answer){.request = a->said->request, .result = ACT_DONE, .until_ms = term, .fd = -1});
    }
}

void act_contract_resume(struct act *a) {
    if (keep_contract(a, (struct contract_dates){0})) act_answer(a, ACT_DONE, 0);
}

void act_destroy(struct act *a) {
    struct request wanted = {.kind = REQUEST_destruction, .tenant = a->tenant->entry->number, .asked_by = a->who.uid};
    TEXT_COPY(wanted.name, a->tenant->entry->name);
    if (requests_open_about(a->house->requests, REQUEST_destruction, wanted.tenant, clock_unix_ms()))
        act_fail(a, ACT_WRONG_STATE);
    else
        ask(a, &wanted);
}

/* The steward reads the tenant's lines: it must know which is the last. */
void act_certificate(struct act *a) {
    struct ledger_own own = ledger_own(a->house->ledger, a->tenant->entry->number);
    act_record_outcome(a, "done");
    tell_answer(a->house, &(struct answer){.request = a->said->request, .result = ACT_DONE, .since_ms = own.at, .fd = -1});
}

uint32_t act_bad_disclosure(const struct act *a) {
    const struct message_act *s = a->said;
    if (!(s->set & ACT_GROUND) || s->ground >= GROUNDS) return ACT_GROUND;
    if (!(s->set & ACT_SCOPE) || s->scope == 0 || s->scope >> SCOPES) return ACT_SCOPE;
    if (!(s->set & ACT_RECIPIENT) || !s->recipient[0] || strlen(s->recipient) > RECIPIENT_MAX || !name_is_note(s->recipient))
        return ACT_RECIPIENT;
    if (!(s->set & ACT_REASON) || !s->reason[0] || strlen(s->reason) > REASON_MAX || !name_is_note(s->reason)) return ACT_REASON;
    /* S11: a hold has a day, and ends within two years */
    uint64_t now = clock_unix_ms();
    return s->set & ACT_UNTIL && (s->until_ms <= now || s->until_ms > now + REQUEST_HOLD_MAX_MS) ? ACT_UNTIL : 0;
}

struct request act_disclosure_of(const struct act *a) {
    const struct message_act *s = a->said;
    struct request wanted = {.kind = REQUEST_disclosure, .tenant = a->tenant->entry->number, .asked_by = a->who.uid};
    wanted.ground = s->ground;
    wanted.scope = s->scope;
    wanted.hold_ms = s->set & ACT_UNTIL ? s->until_ms : 0;
    TEXT_COPY(wanted.name, a->tenant->entry->name);
    TEXT_COPY(wanted.recipient, s->recipient);
    TEXT_COPY(wanted.reason, s->reason);
    return wanted;
}

void act_disclosure(struct act *a) {
    struct request wanted = act_disclosure_of(a);
    ask(a, &wanted);
}

/* What the tenant's state must be for the verb that asked must still hold, and what the verb itself waits for. */
static enum act_result still_fits(const struct act *a, uint32_t *detail) {
    const struct tenant *t = a->tenant;
    enum verb verb = request_table[a->request->kind].verb;
    if (!(needs_table[verb].modes & a->house->config.mode)) return ACT_MODE;
    if (!t) return ACT_NO_TENANT;
    const struct decide_tenant facts = {.exists = true,
                                        .suspended = t->life.suspended,
                                        .enrolled = t->entry->enrolled,
                                        .emptying = t->entry->resetting,
                                        .contract = leaving_state(t),
                                        .leaving = a->house->leave_at};
    enum act_result result = decide_tenant(verb, &facts);
    if (result == ACT_DONE && a->request->kind == REQUEST_transfer) *detail = transfer_waits(t, a->request, clock_unix_ms());
    if (result == ACT_DONE && a->request->kind == REQUEST_citation && !consents(t, a->request->scope)) *detail = WAIT_CONSENT;
    return *detail ? ACT_WRONG_STATE : result;
}

enum act_result act_find_request(struct act *a, uint32_t *detail) {
    uint64_t now = clock_unix_ms();
    struct request *r = a->said->set & ACT_NUMBER ? request_find(requests_book(a->house->requests), a->said->number) : NULL;
    *detail = 0;
    if (!r) return ACT_NO_REQUEST;
    enum act_result result = a->verb == VERB_request_approve ? request_may_agree(r, a->who.uid, a->who.duties, now)
                                                             : request_may_withdraw(r, a->who.uid, a->who.duties, now);
    a->request = r;
    a->tenant = supervisor_tenant(a->house, r->tenant);
    *detail = result == ACT_REFUSED ? request_table[r->kind].agrees : 0;
    return result == ACT_DONE && a->verb == VERB_request_approve ? still_fits(a, detail) : result;
}

void act_request_approve(struct act *a) { agree(a); }

void act_request_withdraw(struct act *a) {
    if (!end(a, REQUEST_WITHDRAWN)) return;
    act_record_outcome(a, "done");
    if (a->tenant && !is_held(a)) tell_tenant(a->tenant);
    answer_request(a, ACT_DONE, a->request);
}

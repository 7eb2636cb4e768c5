#include "control.h"

#include "../../policy/channel.h"
#include "../../policy/csr.h"
#include "act.h"
#include "backups.h"
#include "certificate_view.h"
#include "ledger_view.h"
#include "memfd.h"
#include "notices_view.h"
#include "publication.h"
#include "request_view.h"
#include "route.h"
#include "support.h"
#include "undertaking.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct {
    enum http_method method;
    const char *pattern;
    enum verb verb;
} routes[] = {
    {HTTP_POST, "/v1/tenants", VERB_create},
    {HTTP_PATCH, "/v1/tenants/{}", VERB_set},
    {HTTP_DELETE, "/v1/tenants/{}", VERB_delete},
    {HTTP_POST, "/v1/tenants/{}/start", VERB_start},
    {HTTP_POST, "/v1/tenants/{}/stop", VERB_stop},
    {HTTP_POST, "/v1/tenants/{}/suspend", VERB_suspend},
    {HTTP_POST, "/v1/tenants/{}/resume", VERB_resume},
    {HTTP_POST, "/v1/tenants/{}/lock", VERB_lock},
    {HTTP_POST, "/v1/tenants/{}/enrol-code", VERB_enrol_code},
    {HTTP_POST, "/v1/tenants/{}/capsule-copy", VERB_capsule_copy},
    {HTTP_POST, "/v1/tenants/{}/capsule-forget", VERB_capsule_forget},
    {HTTP_POST, "/v1/tenants/{}/reset", VERB_reset},
    {HTTP_POST, "/v1/tenants/{}/backup-now", VERB_backup_now},
    {HTTP_POST, "/v1/tenants/{}/backup-list", VERB_backup_list},
    {HTTP_POST, "/v1/tenants/{}/backup-verify", VERB_backup_verify},
    {HTTP_POST, "/v1/tenants/{}/backup-drill", VERB_backup_drill},
    {HTTP_POST, "/v1/tenants/{}/backup-restore", VERB_backup_restore},
    {HTTP_GET, "/v1/tenants/{}/csr", VERB_csr},
    {HTTP_PUT, "/v1/tenants/{}/certificate", VERB_cert},
    {HTTP_POST, "/v1/tenants/{}/read", VERB_read},
    {HTTP_POST, "/v1/tenants/{}/export", VERB_export},
    {HTTP_POST, "/v1/tenants/{}/copy", VERB_copy},
    {HTTP_POST, "/v1/tenants/{}/connect", VERB_connect},
    {HTTP_POST, "/v1/tenants/{}/delete", VERB_delete},
    {HTTP_POST, "/v1/tenants/{}/contract-end", VERB_contract_end},
    {HTTP_POST, "/v1/tenants/{}/contract-resume", VERB_contract_resume},
    {HTTP_POST, "/v1/tenants/{}/destroy", VERB_destroy},
    {HTTP_GET, "/v1/tenants/{}/destruction-certificate", VERB_certificate},
    {HTTP_POST, "/v1/tenants/{}/disclosure", VERB_disclosure},
    {HTTP_GET, "/v1/requests", VERB_request_list},
    {HTTP_POST, "/v1/requests/{}/approve", VERB_request_approve},
    {HTTP_POST, "/v1/requests/{}/withdraw", VERB_request_withdraw},
    {HTTP_GET, "/v1/undertaking", VERB_undertaking_show},
    {HTTP_POST, "/v1/undertaking", VERB_undertaking_sign},
    {HTTP_DELETE, "/v1/undertaking", VERB_undertaking_end},
    {HTTP_GET, "/v1/undertakings", VERB_undertaking_list},
    {HTTP_POST, "/v1/publication", VERB_publish},
    {HTTP_POST, "/v1/tenants/{}/transfer", VERB_transfer},
    {HTTP_POST, "/v1/tenants/{}/cite", VERB_cite},
    {HTTP_POST, "/v1/notices", VERB_terms_publish},
    {HTTP_GET, "/v1/notices", VERB_terms_list},
    {HTTP_GET, "/v1/support", VERB_support_list},
    {HTTP_GET, "/v1/support/{}", VERB_support_show},
    {HTTP_PUT, "/v1/support/{}/answer", VERB_support_answer},
    {HTTP_POST, "/v1/support/{}/close", VERB_support_close},
    {HTTP_GET, "/v1/ledger", VERB_ledger},
    {HTTP_GET, "/v1/ledger/verify", VERB_ledger},
};
enum { ROUTES = sizeof routes / sizeof *routes };

/* ---- up ---- */

/* Sends an act and holds the request until the answer. act: its body; the verb is the request's. Who asks the supervisor sees for itself,
 * by the person's own connection. */
static void send_up(struct steward *steward, struct staff_request *r, struct message_act *act, int fd) {
    union message m = {.act = *act};
    m.act.head = (struct message_head){.type = MESSAGE_STEWARD_ACT};
    m.act.verb = r->verb;
    m.act.request = staff_hold(r, backups_is((enum verb)r->verb) ? BACKUP_MS : CONTROL_MS);
    if (!act->name[0])
        memcpy(m.act.name, r->tenant, sizeof m.act.name);
    else
        memcpy(r->tenant, act->name, sizeof r->tenant);
    const union message person = {.plain = {.head = {.type = MESSAGE_STEWARD_PERSON}}};
    if (channel_send(steward->channel, CHANNEL_STEWARD, &person, staff_socket(r)) == CHANNEL_OK &&
        channel_send(steward->channel, CHANNEL_STEWARD, &m, fd) == CHANNEL_OK)
        return;
    staff_header(r, "Retry-After", "5");
    staff_problem(r, 503, "busy", NULL, "the supervisor takes no request now; nothing was done");
}

void control_refuse(struct steward *steward, struct staff_request *r, enum verb verb, const char *tenant) {
    r->verb = verb;
    snprintf(r->tenant, sizeof r->tenant, "%s", tenant);
    struct message_act act = {0};
    send_up(steward, r, &act, -1);
}

static void act_chain(struct steward *steward, struct staff_request *r) {
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    if (r->body_size > CHAIN_MAX || !memmem(r->body, r->body_size, begin, sizeof begin - 1)) {
        staff_problem(r, 422, "invalid-chain", "certificate", "PEM certificates, the tenant's own first, 65536 bytes at most");
        return;
    }
    int fd = memfd_of("chain", r->body, r->body_size); /* sealed: what the worker checks is what was sent */
    if (fd < 0) {
        staff_problem(r, 503, "no-memory", NULL, "no memory for the chain");
        return;
    }
    struct message_act act = {0};
    send_up(steward, r, &act, fd);
    close(fd);
}

static void act_notice(struct steward *steward, struct staff_request *r) {
    struct message_act act = {0};
    struct act_problem problem = {0};
    if (!notices_view_read(r, &act, &problem)) {
        staff_problem(r, 422, "invalid-field", *problem.field ? problem.field : NULL, problem.detail);
        return;
    }
    int fd = memfd_of("text", r->body, r->body_size);
    if (fd < 0) {
        staff_problem(r, 503, "no-memory", NULL, "no memory for the text");
        return;
    }
    send_up(steward, r, &act, fd);
    close(fd);
}

static void act_body(struct steward *steward, struct staff_request *r) {
    struct message_act act = {0};
    struct act_problem problem = {0};
    bool fine;
    if (r->verb == VERB_create || r->verb == VERB_set)
        fine = act_read(r->body, r->body_size, r->verb == VERB_create, &act, &problem);
    else if (r->verb == VERB_disclosure)
        fine = request_view_read(r->body, r->body_size, &act, &problem);
    else if (r->verb == VERB_cite)
        fine = request_view_read_citation(r->body, r->body_size, &act, &problem);
    else if (r->verb == VERB_contract_end)
        fine = certificate_view_read_end(r->body, r->body_size, &act, &problem);
    else if (r->verb == VERB_undertaking_sign)
        fine = undertaking_read_body(r->body, r->body_size, &act, &problem);
    else if (backups_is(r->verb))
        fine = backups_read(r->body, r->body_size, r->verb, &act, &problem);
    else
        fine = act_read_option(r->body, r->body_size, r->verb, &act, &problem);
    if (fine)
        send_up(steward, r, &act, -1);
    else
        staff_problem(r, 422, *problem.field ? "invalid-field" : "invalid-body", *problem.field ? problem.field : NULL, problem.detail);
}

static void act(struct steward *steward, struct staff_request *r) {
    switch (r->verb) {
    case VERB_create:
    case VERB_set:
    case VERB_lock:
    case VERB_capsule_copy:
    case VERB_capsule_forget:
    case VERB_contract_end:
    case VERB_undertaking_sign:
    case VERB_transfer:
    case VERB_backup_now:
    case VERB_backup_list:
    case VERB_backup_verify:
    case VERB_backup_drill:
    case VERB_backup_restore:
    case VERB_disclosure:
    case VERB_cite:
        act_body(steward, r);
        return;
    case VERB_terms_publish:
        act_notice(steward, r);
        return;
    case VERB_cert:
        act_chain(steward, r);
        return;
    default:
        if (r->body_size)
            staff_problem(r, 400, "invalid-body", NULL, "this verb takes no body");
        else
            send_up(steward, r, &(struct message_act){.set = r->number ? ACT_NUMBER : 0, .number = r->number}, -1);
    }
}

static void send_plain(struct steward *steward, struct staff_request *r) { send_up(steward, r, &(struct message_act){0}, -1); }

static bool is_support(enum verb verb) { return verb >= VERB_support_list && verb <= VERB_support_close; }

static void not_found(struct staff_request *r) {
    struct slice variable;
    for (size_t i = 0; i < ROUTES; i++)
        if (route_fits(r->head.path, routes[i].pattern, &variable)) {
            staff_problem(r, 405, "method", NULL, "another method is wanted here; see cloison-steward(8)");
            return;
        }
    staff_problem(r, 404, "not-found", NULL, "there is no such verb; see cloison-steward(8)");
}

void control_handle(struct staff_request *r) {
    struct steward *steward = r->context;
    struct slice variable = {0};
    size_t route = 0;
    while (route < ROUTES && (routes[route].method != r->head.method || !route_fits(r->head.path, routes[route].pattern, &variable)))
        route++;
    if (route == ROUTES) {
        not_found(r);
        return;
    }
    char name[TENANT_NAME_MAX + 8] = "";
    enum verb verb = routes[route].verb;
    bool numbered = verb == VERB_request_approve || verb == VERB_request_withdraw;
    bool named = variable.size > 0 && !numbered, fits = named && route_tenant(variable, name);
    if (!duty_may(r->person.duties, verb)) {
        control_refuse(steward, r, verb, name);
        return;
    }
    if (is_support(verb)) { /* its variable is a number */
        r->verb = verb;
        support_act(steward, r, variable, send_plain);
        return;
    }
    if (named && !fits) {
        staff_problem(r, 404, "no-tenant", NULL, "there is no tenant of that name");
        return;
    }
    if (numbered && !route_number(variable, &r->number)) {
        staff_problem(r, 404, "no-request", NULL, "there is no request of that number");
        return;
    }
    r->verb = verb;
    memcpy(r->tenant, name, sizeof r->tenant);
    act(steward, r);
}

/* ---- down ---- */

/* agrees: of a request, the duty that agreeing to it takes; 0 = the verb's own. */
static void answer_refused(struct staff_request *r, uint32_t agrees) {
    char detail[160], verb[32];
    const struct verb_row *row = &verb_table[r->verb];
    snprintf(verb, sizeof verb, "%s", row->name);
    for (char *p = verb; *p; p++)
        if (*p == '_') *p = '-';
    if (!row->duties) {
        snprintf(detail, sizeof detail, "%s: nobody at the provider may do this, at any duty (C6); the request is recorded", verb);
        staff_problem(r, 403, "verb-refused", NULL, detail);
        return;
    }
    if (agrees) {
        snprintf(detail, sizeof detail, "%s: takes the %s duty, which you do not hold; the request is recorded", verb,
                 request_view_duty(agrees));
        staff_problem(r, 403, "duty-missing", NULL, detail);
        return;
    }
    const char *duty = row->duties == DUTY_ALL ? "a" : duty_table[__builtin_ctz(row->duties)].name;
    const char *the = row->duties == DUTY_ALL ? "" : "the ";
    snprintf(detail, sizeof detail, "%s: takes %s%s duty, which you do not hold; the request is recorded", verb, the, duty);
    staff_problem(r, 403, "duty-missing", NULL, detail);
}

/* The worker's bytes are looked at once, here, and thrown away: what leaves is the steward's own encoding. 0 = refused. */
static size_t csr_take(const struct tenants_row *row, int fd, uint64_t size, uint8_t out[CSR_MAX]) {
    uint8_t in[CSR_MAX];
    const char *host[TENANT_HOSTS_MAX];
    if (fd < 0 || size < 1 || size > CSR_MAX || fcntl(fd, F_GET_SEALS) < 0) return 0; /* a memfd and nothing else */
    if (pread(fd, in, size, 0) != (ssize_t)size) return 0;
    for (uint32_t i = 0; i < row->is.host_count; i++)
        host[i] = row->is.host[i];
    return csr_check(host, row->is.host_count, in, size, out);
}

static void answer_csr(struct steward *steward, struct staff_request *r, const struct message_answer *answer, int fd) {
    static char pem[CSR_PEM_MAX];
    uint8_t der[CSR_MAX];
    const struct tenants_row *row = tenants_by_name(steward->tenants, r->tenant);
    size_t size = row ? csr_take(row, fd, answer->value, der) : 0;
    if (size) {
        staff_bytes(r, 200, "application/pkcs10", pem, csr_pem(der, size, pem));
        return;
    }
    steward_log("a worker's certification request is not what the registry asks for: refused");
    staff_problem(r, 502, "csr-refused", NULL, "the worker's request is not byte for byte what the registry asks for");
}

static json_t *with_code(const struct staff_request *r, const struct message_answer *answer) {
    json_t *object = json_pack("{s:s}", "name", r->tenant);
    if (answer->code[0]) json_object_set_new(object, "enrolment_code", json_string(answer->code));
    return object;
}

static void answer_ledger(struct steward *steward, struct staff_request *r) {
    static const char verify[] = "/v1/ledger/verify";
    if (r->head.path.size == sizeof verify - 1)
        ledger_view_verify(steward, r);
    else
        ledger_view_list(steward, r);
}

static void answer_done(struct steward *steward, struct staff_request *r, const struct message_answer *answer, int fd) {
    const struct tenants_row *row = tenants_by_name(steward->tenants, r->tenant);
    char place[64];
    switch (r->verb) {
    case VERB_create:
        snprintf(place, sizeof place, "/v1/tenants/%s", r->tenant);
        staff_header(r, "Location", place);
        staff_json(r, 201, with_code(r, answer));
        return;
    case VERB_enrol_code:
    case VERB_reset:
        staff_json(r, 200, with_code(r, answer));
        return;
    case VERB_csr:
        answer_csr(steward, r, answer, fd);
        return;
    case VERB_support_list:
    case VERB_support_show:
    case VERB_support_answer:
    case VERB_support_close:
        support_done(steward, r);
        return;
    case VERB_publish:
        if (publication_ready(steward->publication))
            staff_json(r, 200, publication_json(steward->publication));
        else
            staff_problem(r, 409, "nothing-yet", NULL, "no whole period has been watched yet; see cloison(1)");
        return;
    case VERB_ledger:
        answer_ledger(steward, r);
        return;
    case VERB_contract_end:
        staff_json(r, 200,
                   json_pack("{s:s, s:s, s:o}", "name", r->tenant, "done", verb_table[r->verb].name, "term",
                             certificate_view_date(answer->until_ms)));
        return;
    case VERB_certificate:
        certificate_view_answer(steward, r, answer->since_ms);
        return;
    case VERB_request_list:
        request_view_list(steward, r);
        return;
    case VERB_request_approve:
        request_view_approved(steward, r, answer);
        return;
    case VERB_request_withdraw:
        staff_json(r, 200, json_pack("{s:s}", "done", verb_table[r->verb].name));
        return;
    case VERB_undertaking_show:
    case VERB_undertaking_sign:
    case VERB_undertaking_end:
    case VERB_undertaking_list:
        undertaking_answer(steward, r, answer);
        return;
    case VERB_terms_list:
        notices_view_list(steward, r);
        return;
    case VERB_terms_publish:
        staff_json(r, 201, json_pack("{s:i}", "number", (int)answer->detail));
        return;
    case VERB_backup_list:
        backups_answer_list(r, fd, answer->value);
        return;
    case VERB_cert:
        if (row) tenants_chain_installed(steward->tenants, row->is.head.tenant);
        break;
    default:
        break;
    }
    staff_json(r, 200, json_pack("{s:s, s:s}", "name", r->tenant, "done", verb_table[r->verb].name));
}

/* NULL: another reason. */
static const char *copy_problem(const struct staff_request *r, uint32_t detail) {
    static const char *const words[] = {
        [COPY_NO_PLACE] = "the configuration has no such place any more; name it again, an empty directory will do",
        [COPY_PLACE_OPEN] = "the directory must be root's and closed to everybody else (mode 0700)",
        [COPY_NOT_WRITTEN] = "the place cannot be written; the supervisor's log says why",
        [COPY_EXCLUDED] = "the tenant excludes the region of this place (S8)",
    };
    bool about_copies = r->verb == VERB_capsule_copy || r->verb == VERB_capsule_forget;
    return about_copies && detail < sizeof words / sizeof *words ? words[detail] : NULL;
}

static void answer_failed(struct staff_request *r, uint32_t detail) {
    static const char *const chain[] = {
        [CHAIN_UNREADABLE] = "not a chain of PEM certificates",
        [CHAIN_WRONG_KEY] = "the first certificate is not for this tenant's key",
        [CHAIN_WRONG_HOSTS] = "the first certificate is not for all of this tenant's hosts",
        [CHAIN_NOT_VALID_NOW] = "a certificate is not valid now",
        [CHAIN_NOT_STORED] = "the worker could not store the chain",
    };
    const char *why = r->verb == VERB_cert && detail < sizeof chain / sizeof *chain ? chain[detail] : NULL;
    if (backups_is((enum verb)r->verb))
        backups_answer_failed(r, detail);
    else if (copy_problem(r, detail))
        staff_problem(r, detail == COPY_EXCLUDED ? 409 : 507, detail == COPY_EXCLUDED ? "region-excluded" : "copy-failed", "place",
                      copy_problem(r, detail));
    else if (why)
        staff_problem(r, detail == CHAIN_NOT_STORED ? 507 : 422, "invalid-chain", "certificate", why);
    else
        staff_problem(r, 503, "worker-failed", NULL, "the worker did not start or did not answer; the log of cloisond says why");
}

/* What stands in the way, as far as the last word about the tenant goes. */
static const char *wrong_state(const struct steward *steward, const struct staff_request *r) {
    const struct tenants_row *row = tenants_by_name(steward->tenants, r->tenant);
    bool suspended = row && row->is.state == TENANT_SUSPENDED;
    if (row && row->is.contract_gone_ms) return "the tenant is gone: everything of it was destroyed";
    if (row && row->is.resetting) return "the tenant is being emptied";
    if (r->verb == VERB_contract_end) return "the contract has ended already";
    if (r->verb == VERB_contract_resume) return "the contract has not ended";
    if (r->verb == VERB_destroy)
        return "only after a notice and its term, and only once: see `cloison contract end` and `cloison request list`";
    if (r->verb == VERB_certificate) return "nothing is certified before everything is destroyed";
    if (r->verb == VERB_request_approve || r->verb == VERB_request_withdraw)
        return "it is not open any more, or the tenant is not in a state for it; see `cloison request list`";
    if (r->verb == VERB_undertaking_end) return "you have no undertaking in force";
    if (r->verb == VERB_reset) return "you have asked for this yourself; another registrar must confirm it";
    if (r->verb == VERB_backup_restore) return "the tenant must be one that was entered with restore, with nothing but its key capsule";
    if (backups_is((enum verb)r->verb)) return "the tenant has no such plan that is at work, or something is being done for it";
    if (r->verb == VERB_capsule_forget) return "no copy is listed at that place";
    if (r->verb == VERB_capsule_copy && row && !row->is.enrolled) return "the customer has not enrolled: there is no key yet";
    if (r->verb == VERB_enrol_code) return "the customer has enrolled already";
    if (r->verb == VERB_resume && row && !suspended) return "the tenant is not suspended";
    if (r->verb == VERB_suspend && suspended) return "the tenant is suspended already";
    if (suspended) return "the tenant is suspended; resume it first";
    return "the tenant is not in a state for that";
}

static const char *wait_problem(uint32_t detail) {
    static const char *const words[] = {
        [WAIT_ALONE] = "you had the notice of this transfer published; another registrar must carry it out",
        [WAIT_ANOTHER] = "a transfer to another provider is asked for; it must be withdrawn first, see `cloison request list`",
        [WAIT_DELIVERY] = "the tenant has not got the notice of this transfer yet (S13)",
        [WAIT_CONSENT] = "the tenant does not consent to that use, see `cloison reference list` (C10)",
        [WAIT_PERIOD] = "the notice period of this transfer still runs (S13)",
    };
    return detail < sizeof words / sizeof *words && words[detail] ? words[detail] : "the tenant is not in a state for that";
}

static const char *day_wanted(enum verb verb) {
    if (verb == VERB_contract_end) return "a day 30 to 400 days ahead";
    if (verb == VERB_disclosure) return "a day to come, at most two years ahead";
    return "a day from today on, at most three years ahead";
}

static const char *full(enum verb verb) {
    switch (verb) {
    case VERB_terms_publish:
    case VERB_transfer:
        return "no more notices can be kept";
    case VERB_capsule_copy:
        return "no more places for this tenant: forget one first";
    case VERB_reset:
    case VERB_destroy:
    case VERB_disclosure:
    case VERB_undertaking_sign:
        return "no more of yours is recorded today, or the record is full";
    default:
        return "no more tenants: the registry or the range of uids is full";
    }
}

static void answer_other(const struct steward *steward, struct staff_request *r, const struct message_answer *answer) {
    switch (answer->result) {
    case ACT_NO_TENANT:
        staff_problem(r, 404, "no-tenant", NULL, "there is no tenant of that name");
        return;
    case ACT_EXISTS:
        staff_problem(r, 409, "exists",
                      answer->detail == ACT_HOSTS ? "hosts"
                      : answer->detail            ? act_field_name(answer->detail)
                                                  : NULL,
                      answer->detail == ACT_HOSTS ? "one of them belongs to another tenant already"
                                                  : "there is a tenant of that name already");
        return;
    case ACT_BAD_FIELD:
        staff_problem(r, 422, "invalid-field", act_field_name(answer->detail),
                      answer->detail == ACT_PLACE       ? "the configuration has no capsule_place of that name"
                      : answer->detail == ACT_NUMBER    ? "not the version that must be signed now: read `cloison undertaking show`"
                      : answer->detail == ACT_UNTIL     ? day_wanted((enum verb)r->verb)
                      : answer->detail == ACT_EFFECTIVE ? "the date leaves less than the notice period (S13)"
                                                        : "the supervisor does not take this value");
        return;
    case ACT_WRONG_STATE:
        staff_problem(r, 409, "wrong-state", NULL, answer->detail ? wait_problem(answer->detail) : wrong_state(steward, r));
        return;
    case ACT_NOT_RECORDED:
        staff_problem(r, 503, "not-recorded", NULL, "the ledger cannot take the line, so nothing was done");
        return;
    case ACT_FULL:
        staff_problem(r, 507, "full", NULL, full(r->verb));
        return;
    case ACT_UNDERTAKING:
        staff_problem(r, 403, "undertaking-missing", NULL, undertaking_advice((enum undertaking_state)answer->detail));
        return;
    case ACT_CLOCK:
        staff_problem(r, 503, "clock-behind", NULL,
                      "the clock is behind what the ledger has recorded: set it; if it had been ahead, restart cloisond (cloisond(8))");
        return;
    case ACT_NO_REQUEST:
        staff_problem(r, 404, "no-request", NULL, "there is no request of that number");
        return;
    case ACT_ALONE:
        staff_problem(r, 409, "alone", NULL, "you have asked for this yourself; another person must agree");
        return;
    case ACT_MODE:
        staff_problem(r, 403, "mode", NULL, "not in this mode of the machine (cloison.conf(5)); the request is recorded");
        return;
    case ACT_PENDING:
        staff_json(r, 202,
                   json_pack("{s:s, s:s, s:I}", "name", r->tenant, "pending",
                             r->verb == VERB_transfer ? "its notice, the notice period and a second person" : "a second person", "number",
                             (json_int_t)answer->number));
        return;
    default:
        answer_failed(r, answer->detail);
    }
}

void control_answer(struct steward *steward, const struct message_answer *answer, int fd) {
    struct staff_request *r = steward->control ? staff_held(steward->control, answer->request) : NULL;
    if (!r && steward->status) r = staff_held(steward->status, answer->request);
    if (r) {
        /* Whatever was said above, a verb without its duty is refused. */
        if (answer->result == ACT_REFUSED || !duty_may(r->person.duties, r->verb))
            answer_refused(r, answer->result == ACT_REFUSED ? answer->detail : 0);
        else if (answer->result == ACT_DONE)
            answer_done(steward, r, answer, fd);
        else
            answer_other(steward, r, answer);
    }
    if (fd >= 0) close(fd);
}

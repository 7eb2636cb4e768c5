#include "support.h"

#include "../../policy/channel.h"
#include "traces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct support {
    struct traces *traces; /* NULL until the file came */
    uint64_t keep_ms;
    uint8_t bytes[SUPPORT_SEALED_MAX]; /* on their way */
};

static const char *const states[SUPPORT_STATES] = {[SUPPORT_KEPT] = "kept", [SUPPORT_ANSWERED] = "answered", [SUPPORT_CLOSED] = "closed"};

bool support_start(struct steward *steward, int fd, uint32_t days) {
    struct support *s = steward->support;
    traces_close(s->traces);
    s->traces = traces_open(fd);
    s->keep_ms = (uint64_t)days * 86400 * 1000;
    return s->traces != NULL;
}

struct support *support_new(void) {
    return calloc(1, sizeof(struct support));
}

void support_free(struct support *s) {
    if (s) traces_close(s->traces);
    free(s);
}

/* ---- to and from workers ---- */

static void tell(struct steward *steward, const struct message_support *message, int fd) {
    union message m = {.support = *message};
    m.head.type = MESSAGE_STEWARD_SUPPORT_TRACE;
    if (channel_send(steward->channel, CHANNEL_STEWARD, &m, fd) != CHANNEL_OK)
        steward_log("a trace of the support is not told to its tenant now"); /* its worker asks again */
}

/* The answer travels as a sealed memfd, as everything that a worker reads. -1: no memory. */
static int memfd_of(const uint8_t *bytes, size_t size) {
    int fd = memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    if (write(fd, bytes, size) == (ssize_t)size && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

static void tell_trace(struct steward *steward, const struct trace *t) {
    struct support *s = steward->support;
    size_t size = traces_read(s->traces, t, TRACE_ANSWER, s->bytes);
    int fd = size ? memfd_of(s->bytes, size) : -1;
    tell(steward,
         &(struct message_support){.head = {.tenant = t->tenant},
                                   .reference = t->reference,
                                   .trace = t->number,
                                   .received_ms = t->received_ms,
                                   .until_ms = t->until_ms,
                                   .state = t->state,
                                   .bytes = fd < 0 ? 0 : (uint32_t)size},
         fd);
    if (fd >= 0) close(fd);
}

static void tell_state(struct steward *steward, uint32_t tenant, uint64_t reference, enum support_state state) {
    tell(steward, &(struct message_support){.head = {.tenant = tenant}, .reference = reference, .state = state}, -1);
}

void support_take(struct steward *steward, const struct message_support *m, int fd) {
    struct support *s = steward->support;
    uint64_t now = steward_now_ms();
    /* A memfd and nothing else: reading it cannot hang. */
    bool fits = s->traces && m->bytes > 0 && m->bytes <= SUPPORT_SEALED_MAX && fcntl(fd, F_GET_SEALS) >= 0 &&
                pread(fd, s->bytes, m->bytes, 0) == (ssize_t)m->bytes;
    close(fd);
    const struct trace *t = fits ? traces_add(s->traces, m->head.tenant, m->reference, s->bytes, m->bytes, now, now + s->keep_ms) : NULL;
    if (t) {
        tell_trace(steward, t);
        return;
    }
    if (fits) steward_log("a message to the support is not kept: %s", strerror(errno));
    tell_state(steward, m->head.tenant, m->reference, SUPPORT_REFUSED);
}

bool support_kept(const struct steward *steward, uint32_t tenant, size_t *i, struct trace *out) {
    const struct support *s = steward->support;
    while (s && s->traces && *i < SUPPORT_TRACES_MAX) {
        const struct trace *t = traces_at(s->traces, (*i)++);
        if (!t || t->tenant != tenant) continue;
        *out = *t;
        return true;
    }
    return false;
}

void support_ask(struct steward *steward, uint32_t tenant) {
    struct support *s = steward->support;
    if (!s->traces) return; /* it asks again at its next unsealing */
    for (size_t i = 0; i < SUPPORT_TRACES_MAX; i++) {
        const struct trace *t = traces_at(s->traces, i);
        if (t && t->tenant == tenant) tell_trace(steward, t);
    }
    tell_state(steward, tenant, 0, SUPPORT_ALL_TOLD);
}

void support_tick(struct steward *steward, uint64_t now_ms) {
    struct support *s = steward->support;
    struct trace removed;
    while (s->traces && traces_expire(s->traces, now_ms, &removed))
        tell_state(steward, removed.tenant, removed.reference, SUPPORT_REMOVED);
}

/* ---- the support duty ---- */

/* The tenant's name; a tenant that has gone has none. */
static const char *name_of(const struct steward *steward, const struct trace *t) {
    const struct tenants_row *row = tenants_by_number(steward->tenants, t->tenant);
    return row ? row->is.name : "";
}

static json_t *trace_json(const struct steward *steward, const struct trace *t) {
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:o, s:I}", "id", (json_int_t)t->number, "tenant", name_of(steward, t), "state",
                     states[t->state], "received", (json_int_t)(t->received_ms / 1000), "until", (json_int_t)(t->until_ms / 1000),
                     "answered", t->answered_ms ? json_integer((json_int_t)(t->answered_ms / 1000)) : json_null(), "bytes",
                     (json_int_t)t->message_bytes);
}

static void list(struct steward *steward, struct staff_request *r) {
    const struct traces *traces = steward->support->traces;
    json_t *items = json_array();
    for (size_t i = 0; traces && i < SUPPORT_TRACES_MAX; i++) {
        const struct trace *t = traces_at(traces, i);
        if (t) json_array_append_new(items, trace_json(steward, t));
    }
    staff_json(r, 200, json_pack("{s:o}", "traces", items));
}

static const struct trace *trace_of(const struct steward *steward, struct slice variable) {
    uint64_t number = 0;
    if (variable.size == 0 || variable.size > 18 || !steward->support->traces) return NULL;
    for (size_t i = 0; i < variable.size; i++) {
        if (variable.data[i] < '0' || variable.data[i] > '9') return NULL;
        number = number * 10 + (uint64_t)(variable.data[i] - '0');
    }
    return traces_find(steward->support->traces, number);
}

void support_act(struct steward *steward, struct staff_request *r, struct slice variable,
                 void (*up)(struct steward *, struct staff_request *)) {
    if (r->verb == VERB_support_list) {
        up(steward, r);
        return;
    }
    const struct trace *t = trace_of(steward, variable);
    const char *name = t ? name_of(steward, t) : "";
    bool answer = r->verb == VERB_support_answer;
    if (!*name) {
        staff_problem(r, 404, "no-message", NULL, "there is no message of that number; see cloison support list");
    } else if (answer ? r->body_size == 0 || r->body_size > SUPPORT_SEALED_MAX : r->body_size > 0) {
        staff_problem(r, 400, "invalid-body", NULL, answer ? "an answer of 1 to 28672 bytes, sealed" : "this verb takes no body");
    } else {
        r->number = t->number;
        snprintf(r->tenant, sizeof r->tenant, "%s", name);
        up(steward, r);
    }
}

static void answer_message(struct steward *steward, struct staff_request *r, const struct trace *t) {
    struct support *s = steward->support;
    size_t size = traces_read(s->traces, t, TRACE_MESSAGE, s->bytes);
    if (size)
        staff_bytes(r, 200, "application/pkcs7-mime", s->bytes, size);
    else
        staff_problem(r, 503, "not-read", NULL, "the message cannot be read now; the log of cloisond says why");
}

void support_done(struct steward *steward, struct staff_request *r) {
    struct support *s = steward->support;
    const struct trace *t = s->traces ? traces_find(s->traces, r->number) : NULL;
    if (r->verb == VERB_support_list) {
        list(steward, r);
        return;
    }
    if (!t) {
        staff_problem(r, 404, "no-message", NULL, "it has been removed meanwhile");
        return;
    }
    if (r->verb == VERB_support_show) {
        answer_message(steward, r, t);
        return;
    }
    bool kept = r->verb == VERB_support_close
                    ? traces_close_one(s->traces, r->number)
                    : traces_answer(s->traces, r->number, (const uint8_t *)r->body, r->body_size, steward_now_ms());
    if (!kept) {
        steward_log("the traces of the support cannot be written: %s", strerror(errno));
        staff_problem(r, 507, "not-kept", NULL, "the change cannot be written, so nothing was done");
        return;
    }
    tell_trace(steward, t);
    staff_json(r, 200, trace_json(steward, t));
}

#include "uplink.h"

#include "../../policy/channel.h"
#include "control.h"
#include "memfd.h"
#include "notices_view.h"
#include "publication.h"
#include "status.h"
#include "support.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AGAIN_MS = 20 /* a full socket may be writable and yet take nothing: too many fds in flight */ };

static bool on_socket(struct steward *steward, const union message *m, int fd) {
    bool status = m->plain.value == STEWARD_STATUS;
    struct staff_server **server = status ? &steward->status : &steward->control;
    staff_free(*server);
    *server = staff_listen(steward->base, fd, &steward->duties, status ? status_handle : control_handle, steward);
    if (*server) return true;
    steward_log("cannot serve %s.sock: %s", status ? "status" : "control", strerror(errno));
    close(fd);
    return false;
}

static bool on_groups(struct steward *steward, const union message *m, int fd) {
    uint32_t threshold = (uint32_t)(m->plain.value >> 32), seconds = (uint32_t)m->plain.value;
    if (publication_start(steward->publication, fd, threshold, seconds, steward_now_ms())) return true;
    steward_log("nothing can be published: %s", strerror(errno));
    return false;
}

static bool on_page(struct steward *steward, const union message *m, int fd) {
    if (!tenants_page(steward->tenants, m->head.tenant, fd)) steward_log("a page of counters is refused: %s", strerror(errno));
    return true;
}

static void owed_send(struct steward *steward) {
    const struct timeval wait = {.tv_usec = AGAIN_MS * 1000};
    enum channel_result result = channel_send(steward->channel, CHANNEL_STEWARD, &steward->owed.message, steward->owed.fd);
    if (result == CHANNEL_AGAIN && event_add(steward->owed.again, &wait) == 0) return;
    if (result != CHANNEL_OK) steward_log("the lines of a ledger are not taken"); /* nobody is there: the channel says so, too */
    if (steward->owed.fd >= 0) close(steward->owed.fd);
    steward->owed.message.head.type = 0;
}

void uplink_owed(int none, short what, void *steward) {
    (void)none, (void)what;
    owed_send(steward);
}

/* A worker wants its tenant's lines: they go down through the supervisor as they are; the worker checks them. One that is not answered
 * would be in everybody's way: the supervisor asks for no other before. */
static bool on_own(struct steward *steward, const struct message_own *wanted) {
    union message *m = &steward->owed.message;
    if (m->head.type) return false;
    size_t size = 0;
    char *text = ledger_files_own(&steward->ledger, wanted->head.tenant, wanted->last, wanted->from, OWN_LINES_MAX, &size);
    int fd = text ? memfd_of("ledger", text, size) : -1;
    free(text);
    *m = (union message){.plain = {.head = wanted->head, .value = fd >= 0 ? size : 0}};
    m->head.type = MESSAGE_STEWARD_OWN_LINES;
    steward->owed.fd = fd;
    owed_send(steward);
    return true;
}

static bool on_record(struct steward *steward, uint64_t which, int fd) {
    if (which >= STEWARD_RECORDS) return false;
    if (steward->record[which] >= 0) close(steward->record[which]);
    steward->record[which] = fd;
    return true;
}

static void on_event(struct steward *steward, const union message *m) {
    const struct tenants_row *row = tenants_by_number(steward->tenants, m->head.tenant);
    if (!row || !events_word(m->plain.value)) return;
    if (m->plain.value == EVENT_CHAIN_INSTALLED) tenants_chain_installed(steward->tenants, m->head.tenant);
    events_happened(steward->events, steward->status, steward_now_ms(), row->is.name, (enum tenant_event)m->plain.value);
}

static bool on_host(struct steward *steward, const union message *m) {
    bool other = m->posture.sample_ms != steward->host.sample_ms;
    steward->host = m->posture;
    steward->has_host = true;
    return !other || steward_sample_every(steward, m->posture.sample_ms);
}

/* The permitted conversation. fd is the handler's. */
static bool take(struct steward *steward, const union message *m, int fd) {
    switch (m->head.type) {
    case MESSAGE_STEWARD_SOCKET:
        return on_socket(steward, m, fd);
    case MESSAGE_STEWARD_TENANT:
        return tenants_put(steward->tenants, &m->tenant);
    case MESSAGE_STEWARD_NO_TENANT:
        tenants_remove(steward->tenants, m->head.tenant);
        return true;
    case MESSAGE_STEWARD_COUNTERS:
        return on_page(steward, m, fd);
    case MESSAGE_STEWARD_ANSWER:
        control_answer(steward, &m->answer, fd);
        return true;
    case MESSAGE_STEWARD_HOST:
        return on_host(steward, m);
    case MESSAGE_STEWARD_LEDGER:
        return ledger_files_take(&steward->ledger, m->plain.value, fd);
    case MESSAGE_STEWARD_OWN:
        return on_own(steward, &m->own);
    case MESSAGE_STEWARD_RECORD:
        return on_record(steward, m->plain.value, fd);
    case MESSAGE_STEWARD_GROUPS:
        return on_groups(steward, m, fd);
    case MESSAGE_STEWARD_NOTICE:
        return notices_view_put(steward, &m->notice);
    case MESSAGE_STEWARD_NO_NOTICE:
        notices_view_forget(steward, m->plain.value);
        return true;
    case MESSAGE_STEWARD_TRACES:
        return support_start(steward, fd, (uint32_t)m->plain.value);
    case MESSAGE_STEWARD_SUPPORT:
        support_take(steward, &m->support, fd);
        return true;
    case MESSAGE_STEWARD_SUPPORT_ASK:
        support_ask(steward, m->head.tenant);
        return true;
    case MESSAGE_STEWARD_DUTY:
        return duty_map_set(&steward->duties, m->plain.value);
    case MESSAGE_STEWARD_EVENT:
        on_event(steward, m);
        return true;
    default:
        return false;
    }
}

bool uplink_receive(struct steward *steward) {
    for (;;) {
        union message m;
        int fd;
        enum channel_result result = channel_receive(steward->channel, CHANNEL_SUPERVISOR, CHANNEL_STEWARD, &m, &fd, NULL);
        if (result == CHANNEL_AGAIN) return true;
        if (result != CHANNEL_OK) {
            if (result != CHANNEL_GONE) steward_log("the channel to the supervisor failed");
            return false;
        }
        if (take(steward, &m, fd)) continue;
        steward_log("%s of the supervisor cannot be taken", message_name(m.head.type));
        return false;
    }
}

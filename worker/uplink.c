#include "uplink.h"

#include "../policy/channel.h"
#include "../policy/jail.h"
#include "backup/backup.h"
#include "journal/journal.h"
#include "pace.h"
#include "provider/lines.h"
#include "provider/notices.h"
#include "provider/regions.h"
#include "support/support.h"
#include "tenant.h"
#include "usage/zones.h"
#include "web/identity.h"
#include "web/session.h"
#include "web/web.h"

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int handover = -1; /* our end of the hand-over socket */
static struct event *handover_event;
static int csr_fd = -1; /* made before the wall: memfd_create is not on the list */
static struct {
    int fd;         /* the memfd in which it goes up, made before the wall */
    bool wanted;    /* there are places for copies */
    bool due;       /* the supervisor has not got this one yet */
    bool lent;      /* the memfd is the supervisor's until it has copied it */
    uint64_t seen;  /* version */
    uint64_t dated; /* version that copies must follow */
} capsule = {.fd = -1};
static int support_fd = -1; /* in which a message to the support goes up, made before the wall */
static bool leaving;
static void (*permit_granted)(void *);
static void *permit_argument;

static void say(uint32_t type, uint64_t value, int fd) {
    union message m = {
        .plain = {.head = {.type = type, .tenant = self.profile.head.tenant, .generation = self.profile.head.generation}, .value = value}};
    /* The channel holds many of these small messages; a supervisor that takes none for so long is gone. */
    if (channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, fd) != CHANNEL_OK) _exit(1);
}

void uplink_wait_start(void) {
    union message m;
    int fd;
    struct pollfd waiting = {.fd = JAIL_CHANNEL, .events = POLLIN};
    if (poll(&waiting, 1, START_MS) != 1) _exit(1);
    if (channel_receive(JAIL_CHANNEL, CHANNEL_SUPERVISOR, CHANNEL_WORKER, &m, &fd, NULL) != CHANNEL_OK) _exit(1);
    if (m.head.type != MESSAGE_WORKER_START) _exit(1);
    self.profile = m.start;
    zones_take(fd);
    csr_fd = memfd_create("csr", MFD_CLOEXEC);
    if (csr_fd < 0 || ftruncate(csr_fd, CSR_MAX) < 0) _exit(1);
    capsule.fd = memfd_create("capsule", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (capsule.fd < 0 || ftruncate(capsule.fd, CAPSULE_BYTES) < 0) _exit(1);
    if (fcntl(capsule.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) _exit(1);
    support_fd = memfd_create("support", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (support_fd < 0 || ftruncate(support_fd, SUPPORT_SEALED_MAX) < 0) _exit(1);
    if (fcntl(support_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) _exit(1);
}

void uplink_support(uint64_t reference, const void *sealed, size_t size) {
    union message m = {
        .support = {
            .head = {.type = MESSAGE_WORKER_SUPPORT, .tenant = self.profile.head.tenant, .generation = self.profile.head.generation},
            .reference = reference,
            .bytes = (uint32_t)size}};
    if (pwrite(support_fd, sealed, size, 0) != (ssize_t)size) _exit(1);
    if (channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, support_fd) != CHANNEL_OK) _exit(1);
}

void uplink_support_ask(void) { say(MESSAGE_WORKER_SUPPORT_ASK, 0, -1); }

void uplink_ready(const uint8_t layer[64], uint32_t landlock_abi, uint32_t syscalls, const uint8_t filter_hash[32], uint64_t arena_bytes) {
    union message m = {
        .ready = {.head = {.type = MESSAGE_WORKER_READY, .tenant = self.profile.head.tenant, .generation = self.profile.head.generation},
                  .landlock_abi = landlock_abi,
                  .syscalls = syscalls,
                  .arena_bytes = arena_bytes}};
    memcpy(m.ready.layer, layer, sizeof m.ready.layer);
    memcpy(m.ready.filter_hash, filter_hash, sizeof m.ready.filter_hash);
    if (channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1) != CHANNEL_OK) _exit(1);
}

void uplink_state(void) { say(MESSAGE_WORKER_STATE, self.keys ? WORKER_SERVING : WORKER_SEALED, -1); }
void uplink_enrolled(void) { say(MESSAGE_WORKER_ENROLLED, 0, -1); }
void uplink_notice_read(uint32_t number) { say(MESSAGE_WORKER_NOTICE_READ, number, -1); }
void uplink_plan(uint64_t packed) { say(MESSAGE_WORKER_PLAN, packed, -1); }
void uplink_backup(enum backup_kind kind) { say(MESSAGE_WORKER_BACKUP, kind, -1); }
void uplink_leaving(uint64_t word) { say(MESSAGE_WORKER_LEAVING, word, -1); }

/* What the supervisor must know as it is now. Of what changes more often than it may be told, it hears the last. */
enum { SAY_PLAIN, SAY_REFERENCES, SAY_REGIONS, SAYINGS };
static struct saying {
    uint32_t type;
    uint64_t value;
    bool due;
    struct pace pace;
} saying[SAYINGS] = {
    [SAY_PLAIN] = {.type = MESSAGE_WORKER_PLAIN, .pace = {.most = WORDS_PER_MINUTE / 2}},
    [SAY_REFERENCES] = {.type = MESSAGE_WORKER_REFERENCES, .pace = {.most = WORDS_PER_MINUTE / 2}},
    [SAY_REGIONS] = {.type = MESSAGE_WORKER_REGIONS, .pace = {.most = WORDS_PER_MINUTE / 2}},
};

static void say_due(struct saying *s) {
    if (!s->due || !pace_take(&s->pace)) return;
    s->due = false;
    say(s->type, s->value, -1);
}

static void say_now(int which, uint64_t value) {
    saying[which].value = value;
    saying[which].due = true;
    say_due(&saying[which]);
}

void uplink_plain(bool wanted) { say_now(SAY_PLAIN, wanted); }
void uplink_references(uint64_t bits) { say_now(SAY_REFERENCES, bits); }
void uplink_regions(uint64_t bits) { say_now(SAY_REGIONS, bits); }

void uplink_want_permit(void (*granted)(void *), void *argument) {
    permit_granted = granted;
    permit_argument = argument;
    say(MESSAGE_WORKER_WANT_PERMIT, 0, -1);
}

void uplink_want_ledger(uint64_t from, uint64_t last) {
    union message m = {
        .own = {
            .head = {.type = MESSAGE_WORKER_WANT_LEDGER, .tenant = self.profile.head.tenant, .generation = self.profile.head.generation},
            .from = from,
            .last = last}};
    if (channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1) != CHANNEL_OK) _exit(1);
}

void uplink_permit_done(void) { say(MESSAGE_WORKER_PERMIT_DONE, 0, -1); }

static void handover_end(void) {
    if (handover_event) event_free(handover_event);
    if (handover >= 0) close(handover);
    handover_event = NULL;
    handover = -1;
}

/* Takes at most a credit's worth of connections a turn, then acknowledges them together. */
static void handover_ready(evutil_socket_t socket, short what, void *unused) {
    (void)what, (void)unused;
    uint64_t taken = 0;
    enum channel_result result = CHANNEL_OK;
    while (taken < HANDOVER_CREDITS / 2) {
        union message m;
        int fd;
        result = channel_receive(socket, CHANNEL_ROUTER, CHANNEL_WORKER, &m, &fd, NULL);
        if (result != CHANNEL_OK) break;
        taken++;
        if (m.head.generation == self.profile.head.generation)
            web_accept(fd, &m.handover);
        else
            close(fd);
    }
    if (taken) {
        union message m = {
            .plain = {.head = {.type = MESSAGE_CREDIT, .tenant = self.profile.head.tenant, .generation = self.profile.head.generation},
                      .value = taken}};
        if (channel_send(socket, CHANNEL_WORKER, &m, -1) != CHANNEL_OK) result = CHANNEL_GONE;
    }
    /* A router that is gone or lies loses its socket; a new one gets another from the supervisor. */
    if (result != CHANNEL_OK && result != CHANNEL_AGAIN) handover_end();
}

static void handover_begin(int fd) {
    handover_end();
    handover = fd;
    handover_event = event_new(self.base, fd, EV_READ | EV_PERSIST, handover_ready, NULL);
    if (!handover_event || event_add(handover_event, NULL) < 0) _exit(1);
}

static void csr_make(void) {
    uint8_t der[CSR_MAX];
    size_t size = identity_csr(der, sizeof der);
    if (size == 0 || pwrite(csr_fd, der, size, 0) != (ssize_t)size) _exit(1);
    say(MESSAGE_WORKER_CSR_MADE, size, csr_fd);
}

static void chain_take(int fd, uint64_t size) {
    char *pem = malloc(size);
    enum chain_result result = CHAIN_NOT_STORED;
    if (pem) result = pread(fd, pem, size, 0) == (ssize_t)size ? identity_install(pem, size) : CHAIN_UNREADABLE;
    free(pem);
    close(fd);
    say(MESSAGE_WORKER_CHAIN_DONE, result, -1);
}

static struct pace capsules = {.most = CAPSULES_PER_MINUTE / 2};

/* S14: the capsule goes up for its copies after each slot that is made or removed */
void uplink_capsule(void) {
    if (capsule.seen != capsule_version(self.capsule)) {
        capsule.seen = capsule_version(self.capsule);
        gauge(COUNTER_ways_in, capsule_ways_in(self.capsule));
        gauge(COUNTER_self_sufficient_kits, capsule_slots(self.capsule, SLOT_SELF_SUFFICIENT));
        gauge(COUNTER_self_sufficient_since, capsule_kit_first(self.capsule));
    }
    if (capsule.dated != capsule_dated(self.capsule)) {
        capsule.dated = capsule_dated(self.capsule);
        capsule.due = true;
    }
    if (!capsule.wanted || !capsule.due || capsule.lent || !(leaving || pace_take(&capsules))) return;
    if (capsule_copy(self.capsule, capsule.fd) != 0) _exit(1);
    capsule.due = false;
    capsule.lent = true;
    say(MESSAGE_WORKER_CAPSULE_MADE, 0, capsule.fd);
}

void uplink_turn(void) {
    for (int i = 0; i < SAYINGS; i++)
        say_due(&saying[i]);
    uplink_capsule();
}

void uplink_leave(void) {
    leaving = true;
    uplink_capsule();
    if (!capsule.wanted || !capsule.due) _exit(0);
}

static void gone(void *unused) {
    (void)unused;
    journal_end(JOURNAL_stopped);
    uplink_leave();
}

static void lock(enum lock what) {
    journal_end(JOURNAL_locked);
    /* Every session slot goes before the process does: no cookie opens this tenant again (S4). */
    if (capsule_remove_kind(self.capsule, SLOT_SESSION) != 0) _exit(1);
    if (what == LOCK_TOKENS && capsule_remove_kind(self.capsule, SLOT_TOKEN) != 0) _exit(1);
    uplink_leave();
}

static void capsule_want(bool wanted) { capsule.wanted = capsule.due = wanted; }

static void capsule_taken(void) {
    capsule.lent = false;
    if (leaving) uplink_leave();
}

static void profile_take(const struct message_start *profile) {
    struct message_start before = self.profile;
    self.profile = *profile;
    self.profile.enrolled |= before.enrolled; /* the supervisor may have said this before it heard of it */
    self.profile.ledger_count = before.ledger_count;
    memcpy(self.profile.ledger_head, before.ledger_head, sizeof before.ledger_head);
    store_resize(self.store, profile->quota_bytes); /* not under what is used: then the old ceiling stays until there is room */
    web_profile_changed();
}

static void obey(const union message *m, int fd) {
    switch (m->head.type) {
    case MESSAGE_WORKER_PROFILE:
        profile_take(&m->start);
        break;
    case MESSAGE_WORKER_HANDOVER:
        handover_begin(fd);
        break;
    case MESSAGE_WORKER_NOTICE:
        notices_take(&m->notice, fd);
        break;
    case MESSAGE_WORKER_NO_NOTICE:
        notices_forget(m->plain.value);
        break;
    case MESSAGE_WORKER_DRAIN:
        web_drain(gone, NULL);
        break;
    case MESSAGE_WORKER_CSR:
        csr_make();
        break;
    case MESSAGE_WORKER_CHAIN:
        chain_take(fd, m->plain.value);
        break;
    case MESSAGE_WORKER_LOCK:
        lock((enum lock)m->plain.value);
        break;
    case MESSAGE_WORKER_CAPSULE:
        capsule_want(m->plain.value == 1);
        break;
    case MESSAGE_WORKER_CAPSULE_TAKEN:
        capsule_taken();
        break;
    case MESSAGE_WORKER_SNAPSHOT:
        backup_snapshot(fd);
        break;
    case MESSAGE_WORKER_OFFER:
        backup_offer(&m->offer);
        if (m->offer.index + 1 >= m->offer.count) regions_tell();
        break;
    case MESSAGE_WORKER_COPIES:
        places_copies(&m->copies);
        break;
    case MESSAGE_WORKER_PLANS:
        backup_plans(&m->plans);
        break;
    case MESSAGE_WORKER_SNAPSHOTS:
        backup_rows((enum backup_kind)m->plain.value, fd);
        break;
    case MESSAGE_WORKER_SUPPORT_KEY:
        support_key_take(fd, m->plain.value);
        break;
    case MESSAGE_WORKER_SUPPORT_TRACE:
        support_told(&m->support, fd);
        break;
    case MESSAGE_WORKER_LEDGER:
        lines_came(fd, m->plain.value);
        break;
    case MESSAGE_WORKER_PERMIT:
        if (permit_granted) permit_granted(permit_argument);
        break;
    default:
        _exit(1); /* a second START */
    }
}

static void channel_ready(evutil_socket_t socket, short what, void *unused) {
    (void)what, (void)unused;
    for (;;) {
        union message m;
        int fd;
        enum channel_result result = channel_receive(socket, CHANNEL_SUPERVISOR, CHANNEL_WORKER, &m, &fd, NULL);
        if (result == CHANNEL_AGAIN) return;
        if (result != CHANNEL_OK) _exit(0);
        obey(&m, fd);
    }
}

void uplink_start(void) {
    struct event *e = event_new(self.base, JAIL_CHANNEL, EV_READ | EV_PERSIST, channel_ready, NULL);
    if (!e || event_add(e, NULL) < 0) _exit(1);
}

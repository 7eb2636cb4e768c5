/* Misdeeds on the channel to the supervisor: what is not in the table, not now, not about itself, or too often. */
#include "hostile.h"

#include "../../../policy/backup.h"
#include "../../../policy/jail.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void send_size(uint32_t type, size_t size) {
    static char bytes[65536];
    union message m = plain_message(type, WORKER_SEALED);
    memcpy(bytes, &m, sizeof m.plain);
    send_raw(JAIL_CHANNEL, bytes, size, NULL, 0);
}
static void size_0(void) { send_size(MESSAGE_WORKER_STATE, 0); }
static void size_1(void) { send_size(MESSAGE_WORKER_STATE, 1); }
static void size_head(void) { send_size(MESSAGE_WORKER_STATE, sizeof(struct message_head)); }
static void size_less(void) { send_size(MESSAGE_WORKER_STATE, sizeof(struct message_plain) - 1); }
static void size_more(void) { send_size(MESSAGE_WORKER_STATE, sizeof(struct message_plain) + 1); }
static void size_huge(void) { send_size(MESSAGE_WORKER_STATE, 65536); }

static void send_fds(uint32_t type, size_t count) {
    int fds[253];
    union message m = plain_message(type, 1);
    for (size_t i = 0; i < count; i++)
        fds[i] = spare_memfd;
    send_raw(JAIL_CHANNEL, &m, sizeof m.plain, fds, count);
}
static void fd_unwanted(void) { send_fds(MESSAGE_WORKER_STATE, 1); }
static void fd_missing(void) { send_fds(MESSAGE_WORKER_CSR_MADE, 0); }
static void fds_two(void) { send_fds(MESSAGE_WORKER_CSR_MADE, 2); }
static void fds_three(void) { send_fds(MESSAGE_WORKER_CSR_MADE, 3); }
static void fds_253(void) { send_fds(MESSAGE_WORKER_CSR_MADE, 253); }

/* Any type with a plain number, however wrong. */
static void send_type(uint32_t type) {
    union message m = plain_message(type, 1);
    size_t size = message_size(type);
    send_raw(JAIL_CHANNEL, &m, size ? size : sizeof m.plain, NULL, 0);
}
static void type_0(void) { send_type(0); }
static void type_unknown(void) { send_type(0x311); }
static void type_wild(void) { send_type(0xffffffff); }
static void type_router_ready(void) { send_type(MESSAGE_ROUTER_READY); }
static void type_router_want(void) { send_type(MESSAGE_ROUTER_WANT); }
static void type_steward_ready(void) { send_type(MESSAGE_STEWARD_READY); }
static void type_credit(void) { send_type(MESSAGE_CREDIT); }
static void type_downward(void) { send_type(MESSAGE_WORKER_DRAIN); }
static void type_start(void) { send_type(MESSAGE_WORKER_START); }
static void type_answer(void) { send_type(MESSAGE_STEWARD_ANSWER); }

/* As if it were the steward with a member of staff who may do everything. */
static void type_act(void) {
    union message m = {.act = {.head = {.type = MESSAGE_STEWARD_ACT}, .request = 1, .verb = 2}};
    memcpy(m.act.name, "acme", 5);
    send_raw(JAIL_CHANNEL, &m, sizeof m.act, NULL, 0);
}

static void ready_twice(void) {
    union message m = ready_message();
    channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1);
}

static void enrolled(void) { say(MESSAGE_WORKER_ENROLLED, 0, -1); }
static void enrolled_twice(void) {
    enrolled();
    enrolled();
}
static void state(void) { say(MESSAGE_WORKER_STATE, WORKER_SERVING, -1); }
static void state_wild(void) {
    union message m = plain_message(MESSAGE_WORKER_STATE, 3);
    send_raw(JAIL_CHANNEL, &m, sizeof m.plain, NULL, 0);
}
static void permit_done(void) { say(MESSAGE_WORKER_PERMIT_DONE, 0, -1); }
static void chain_done(void) { say(MESSAGE_WORKER_CHAIN_DONE, CHAIN_INSTALLED, -1); }
static void csr_made(void) { say(MESSAGE_WORKER_CSR_MADE, 100, spare_memfd); }
static void plain_on(void) { say(MESSAGE_WORKER_PLAIN, 1, -1); }

static void support_of(uint64_t reference, uint32_t bytes, int fd) {
    union message m = {.support = {.head = plain_message(MESSAGE_WORKER_SUPPORT_ASK, 0).head, .reference = reference, .bytes = bytes}};
    m.head.type = MESSAGE_WORKER_SUPPORT;
    channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, fd);
}
static void support_garbage(void) { support_of(1, 300, spare_memfd); }
static void support_huge(void) { support_of(1, SUPPORT_SEALED_MAX + 1, spare_memfd); }
static void support_pipe(void) { support_of(1, 300, spare_pipe); }
static void support_device(void) { support_of(1, 300, spare_device); }
static void support_flood(void) {
    for (uint64_t i = 0; i < 1000; i++)
        support_of(i, 300, spare_memfd);
}
static void support_ask_flood(void) {
    for (int i = 0; i < 1000; i++)
        say(MESSAGE_WORKER_SUPPORT_ASK, 0, -1);
}

static void permit_flood(void) {
    for (int i = 0; i < 1000; i++)
        say(MESSAGE_WORKER_WANT_PERMIT, 0, -1);
}

/* Its lines: again before they have come; and each time that they have come. */
static void want_lines(void) {
    union message m = {.own = {.head = profile.head, .from = 1}};
    m.head.type = MESSAGE_WORKER_WANT_LEDGER;
    channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1);
}
static void lines_twice(void) {
    want_lines();
    want_lines();
}

/* Takes as many as it gets and gives none back. */
static void permit_hoard(void) {
    for (int i = 0; i < 200; i++)
        say(MESSAGE_WORKER_WANT_PERMIT, 0, -1);
}
static void permit_keep(void) {}

static void talk(void) {
    for (int i = 0; i < 100000; i++)
        say(MESSAGE_WORKER_STATE, i % 2 ? WORKER_SEALED : WORKER_SERVING, -1);
    wait_ms(60000);
}

static void say_as(uint32_t tenant, uint64_t generation) {
    union message m = plain_message(MESSAGE_WORKER_STATE, WORKER_SERVING);
    m.head.tenant = tenant;
    m.head.generation = generation;
    channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1);
}
static void generation_late(void) { say_as(profile.head.tenant, profile.head.generation - 1); }
static void generation_next(void) { say_as(profile.head.tenant, profile.head.generation + 1); }
static void tenant_other(void) { say_as(1, profile.head.generation); }
static void tenant_none(void) { say_as(0, profile.head.generation); }

/* Its snapshot never comes; once it is told that it failed it asks for the next one. */
static unsigned stalls;
static void snapshot_plan(void) {
    struct plan plan = {.kind = BACKUP_COPY, .destination = 0, .period_minutes = 1440, .keep_hours = 720};
    say(MESSAGE_WORKER_ENROLLED, 0, -1);
    say(MESSAGE_WORKER_PLAN, plan_pack(&plan), -1);
}
static void snapshot_held(void) { stalls = 1; }
static void snapshot_wanted(void) {
    if (stalls && ++stalls == 3) say(MESSAGE_WORKER_BACKUP, BACKUP_COPY, -1); /* the first word is of the try itself */
}

const struct misdeed channel_misdeeds[] = {
    {.name = "snapshot-held", .after_ready = snapshot_plan, .on_snapshot = snapshot_held, .on_plans = snapshot_wanted},
    {.name = "size-0", .after_ready = size_0},
    {.name = "size-1", .after_ready = size_1},
    {.name = "size-head", .after_ready = size_head},
    {.name = "size-less", .after_ready = size_less},
    {.name = "size-more", .after_ready = size_more},
    {.name = "size-huge", .after_ready = size_huge},
    {.name = "fd-unwanted", .after_ready = fd_unwanted},
    {.name = "fd-missing", .after_ready = fd_missing},
    {.name = "fds-two", .after_ready = fds_two},
    {.name = "fds-three", .after_ready = fds_three},
    {.name = "fds-253", .after_ready = fds_253},
    {.name = "type-0", .after_ready = type_0},
    {.name = "type-unknown", .after_ready = type_unknown},
    {.name = "type-wild", .after_ready = type_wild},
    {.name = "type-router-ready", .after_ready = type_router_ready},
    {.name = "type-router-want", .after_ready = type_router_want},
    {.name = "type-steward-ready", .after_ready = type_steward_ready},
    {.name = "type-credit", .after_ready = type_credit},
    {.name = "type-downward", .after_ready = type_downward},
    {.name = "type-start", .after_ready = type_start},
    {.name = "type-answer", .after_ready = type_answer},
    {.name = "type-act", .after_ready = type_act},
    {.name = "ready-twice", .after_ready = ready_twice},
    {.name = "enrolled-early", .before_ready = enrolled},
    {.name = "enrolled-twice", .after_ready = enrolled_twice},
    {.name = "state-early", .before_ready = state},
    {.name = "state-wild", .after_ready = state_wild},
    {.name = "permit-done", .after_ready = permit_done},
    {.name = "permit-flood", .after_ready = permit_flood},
    {.name = "support-garbage", .after_ready = support_garbage},
    {.name = "support-huge", .after_ready = support_huge},
    {.name = "support-pipe", .after_ready = support_pipe},
    {.name = "support-device", .after_ready = support_device},
    {.name = "support-flood", .after_ready = support_flood},
    {.name = "support-ask-flood", .after_ready = support_ask_flood},
    {.name = "lines-twice", .after_ready = lines_twice},
    {.name = "lines-again", .after_ready = want_lines, .on_lines = want_lines},
    {.name = "permit-hoard", .after_ready = permit_hoard, .on_permit = permit_keep},
    {.name = "chain-done", .after_ready = chain_done},
    {.name = "csr-unasked", .after_ready = csr_made},
    {.name = "plain-on", .after_ready = plain_on},
    {.name = "talk", .after_ready = talk},
    {.name = "generation-late", .after_ready = generation_late},
    {.name = "generation-next", .after_ready = generation_next},
    {.name = "tenant-other", .after_ready = tenant_other},
    {.name = "tenant-none", .after_ready = tenant_none},
    {0},
};

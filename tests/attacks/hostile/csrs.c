/* Misdeeds with the one thing that leaves a worker as bytes: the certification request; and with the answer to a chain. */
#include "hostile.h"

#include "../../../policy/csr.h"
#include "../../../policy/jail.h"

#include <string.h>
#include <unistd.h>

static uint8_t der[CSR_MAX];

/* What the registry asks for, with a made-up key and signature: the steward verifies neither, a CA does. */
static size_t honest(void) {
    static const uint8_t signature[] = {0x30, 6, 2, 1, 1, 2, 1, 1};
    uint8_t point[CSR_POINT];
    const char *host[TENANT_HOSTS_MAX];
    memset(point, 0x42, sizeof point);
    point[0] = 4;
    for (uint32_t i = 0; i < profile.host_count; i++)
        host[i] = profile.host[i];
    return csr_encode(host, profile.host_count, point, signature, sizeof signature, der);
}

static void give(size_t size) {
    if (pwrite(spare_memfd, der, sizeof der, 0) != (ssize_t)sizeof der) _exit(BROKEN);
    say(MESSAGE_WORKER_CSR_MADE, size, spare_memfd);
}

static void csr_none(void) { give(honest()); } /* nothing wrong: what the others are compared with */

/* The first place of a host's name holds other text of the same length. */
static void csr_host(void) {
    size_t size = honest();
    uint8_t *name = memmem(der, size, profile.host[0], strlen(profile.host[0]));
    if (name) memcpy(name, "canary", 6);
    give(size);
}

/* The same, in the last place: the alternative name. */
static void csr_other_host(void) {
    size_t size = honest();
    uint8_t *name = memmem(der, size, profile.host[0], strlen(profile.host[0])), *last = name;
    for (; name; name = memmem(name + 1, size - (size_t)(name + 1 - der), profile.host[0], strlen(profile.host[0])))
        last = name;
    if (last) memcpy(last, "canary", 6);
    give(size);
}

static void csr_one_more(void) {
    size_t size = honest();
    der[size] = 'x';
    give(size + 1);
}

static void csr_one_less(void) { give(honest() - 1); }

static void csr_extra(void) {
    size_t size = honest();
    memset(der + size, 'x', 512);
    give(size + 512);
}

/* A length of another form says the same and could say something by it. */
static void csr_long_form(void) {
    size_t size = honest();
    memmove(der + 5, der + 4, size - 4);
    der[4] = der[3];
    der[3] = der[2];
    der[1] = 0x83;
    der[2] = 0;
    give(size + 1);
}

static void csr_text(void) {
    static const char words[] = "what a customer stored ";
    for (size_t i = 0; i < sizeof der; i++)
        der[i] = (uint8_t)words[i % (sizeof words - 1)];
    give(sizeof der);
}

static void csr_zero(void) {
    memset(der, 0, sizeof der);
    give(1);
}

static void give_other(int fd) { say(MESSAGE_WORKER_CSR_MADE, 300, fd); }
static void csr_pipe(void) { give_other(spare_pipe); }
static void csr_directory(void) { give_other(spare_directory); }
static void csr_device(void) { give_other(spare_device); }
static void csr_channel(void) { give_other(JAIL_CHANNEL); }
static void csr_short_file(void) { give_other(own_file); } /* empty: fewer bytes than it says */

/* A plain file of the tenant's directory, not a memfd, with the honest bytes. */
static void csr_plain_file(void) {
    size_t size = honest();
    if (pwrite(own_file, der, size, 0) != (ssize_t)size) _exit(BROKEN);
    say(MESSAGE_WORKER_CSR_MADE, size, own_file);
}

static void csr_claim(void) {
    union message m = plain_message(MESSAGE_WORKER_CSR_MADE, CSR_MAX + 1);
    send_raw(JAIL_CHANNEL, &m, sizeof m.plain, &spare_memfd, 1);
}

static void csr_twice(void) {
    csr_none();
    csr_none();
}

static void csr_never(void) {}

static void chain_wild(void) {
    union message m = plain_message(MESSAGE_WORKER_CHAIN_DONE, 7);
    send_raw(JAIL_CHANNEL, &m, sizeof m.plain, NULL, 0);
}

static void chain_as_csr(void) { csr_none(); }

const struct misdeed csr_misdeeds[] = {
    {.name = "csr-none", .on_csr = csr_none},
    {.name = "csr-host", .on_csr = csr_host},
    {.name = "csr-other-host", .on_csr = csr_other_host},
    {.name = "csr-one-more", .on_csr = csr_one_more},
    {.name = "csr-one-less", .on_csr = csr_one_less},
    {.name = "csr-extra", .on_csr = csr_extra},
    {.name = "csr-long-form", .on_csr = csr_long_form},
    {.name = "csr-text", .on_csr = csr_text},
    {.name = "csr-zero", .on_csr = csr_zero},
    {.name = "csr-pipe", .on_csr = csr_pipe},
    {.name = "csr-directory", .on_csr = csr_directory},
    {.name = "csr-device", .on_csr = csr_device},
    {.name = "csr-channel", .on_csr = csr_channel},
    {.name = "csr-short-file", .on_csr = csr_short_file},
    {.name = "csr-plain-file", .on_csr = csr_plain_file},
    {.name = "csr-claim", .on_csr = csr_claim},
    {.name = "csr-twice", .on_csr = csr_twice},
    {.name = "csr-never", .on_csr = csr_never},
    {.name = "chain-wild", .on_chain = chain_wild},
    {.name = "chain-as-csr", .on_chain = chain_as_csr},
    {0},
};

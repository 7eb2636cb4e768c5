/*
 * The tenants: what the provider itself entered (C10), kept in STATE_DIR/registry. Every change writes a whole new file, syncs it and
 * renames it over the old one, so that a crash at any moment leaves the registry before or after the change. Numbers and uids are
 * never given twice, not even after a removal.
 */
#pragma once

#include "../policy/contract.h"
#include "../policy/enrol_code.h"
#include "../policy/limits.h"
#include "../policy/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REGISTRY_ERROR_MAX = 512 };
#define REGISTRY_QUOTA_MAX ((uint64_t)1 << 44)

struct registry_tenant {
    uint32_t number; /* 1.., never reused */
    uint32_t uid;    /* uid_base + number */
    char name[TENANT_NAME_MAX + 1];
    /* C10: what the provider says of a customer is its name and its modules */
    char title[TENANT_TITLE_MAX + 1];
    char modules[TENANT_MODULES_MAX + 1];
    char region[TENANT_REGION_MAX + 1];
    char host[TENANT_HOSTS_MAX][HOST_MAX + 1];
    uint32_t host_count;  /* 1.. */
    uint64_t quota_bytes; /* a multiple of 4096, up to REGISTRY_QUOTA_MAX */
    uint64_t created_ms;  /* Unix time */
    uint64_t chain_ms;    /* Unix time at which a certificate chain was last installed; 0 = never */
    bool suspended;
    bool enrolled;
    bool plain;                                 /* the tenant switched web/NAME.sock on (C4) */
    bool resetting;                             /* it is to be emptied: nothing else happens to it until that is done */
    bool destroying;                            /* and then it is gone, not new; only while resetting */
    struct contract_dates contract;             /* the end of its contract (S14) */
    uint32_t place_count;                       /* 0..COPIES_MAX */
    char place[COPIES_MAX][PLACE_NAME_MAX + 1]; /* where copies of its key capsule lie, and nowhere else (S14) */
    char contact[MAIL_ADDRESS_MAX + 1];         /* where notices go; "" = none */
    char entity[TENANT_TITLE_MAX + 1];          /* to whom the contract was transferred; "" = it never was */
    uint32_t references;                        /* bit set of enum reference: uses the tenant consents to (C10) */
    struct region_bound bound;                  /* where its copies may be (S8) */
    bool has_code;                              /* an enrolment code may be used; false once enrolled */
    uint8_t code_hash[ENROL_CODE_HASH];         /* SHA-256 of the normalised code; zero without one */
};

struct registry;

enum registry_result {
    REGISTRY_DONE,
    REGISTRY_NAME_TAKEN,
    REGISTRY_HOST_TAKEN,
    REGISTRY_BAD_FIELD, /* see registry_bad_field() */
    REGISTRY_FULL,      /* TENANTS_MAX, or uid_count numbers were given */
    REGISTRY_NO_TENANT,
    REGISTRY_NOT_WRITTEN, /* errno; nothing has changed */
};

/* Opens STATE_DIR/registry, or makes an empty one when there is none: but not where the ledger has lines, since then numbers and uids would
 * be given twice; so open the registry before the first line is written. NULL with error: unreadable, of another format version, made with
 * another uid_base, or damaged (the line is named). Holds the directory open: later writes need no path. */
struct registry *registry_open(const char *state_dir, uint32_t uid_base, uint32_t uid_count, char error[REGISTRY_ERROR_MAX]);
void registry_close(struct registry *registry);

/* The pointers stay valid until that tenant is removed; what they point to changes only in the calls below. */
const struct registry_tenant *registry_by_number(const struct registry *registry, uint32_t number);
const struct registry_tenant *registry_by_name(const struct registry *registry, const char *name);
/* Not of one that is gone. */
const struct registry_tenant *registry_by_host(const struct registry *registry, const char *host);
size_t registry_count(const struct registry *registry);
/* i < registry_count(): in the order of their numbers. */
const struct registry_tenant *registry_at(const struct registry *registry, size_t i);

/* Which field is not what it may be: an enum act_field, UINT32_MAX for the name, 0 = all are fine. Looks at no other tenant. */
uint32_t registry_bad_field(const struct registry_tenant *tenant);

/* Enters a tenant; number and uid of `wanted` are ignored and given. On REGISTRY_DONE it is on the disk and *made is it. */
enum registry_result registry_create(struct registry *registry, const struct registry_tenant *wanted, const struct registry_tenant **made);

/* Replaces the tenant of that number by a changed copy; name, uid and created_ms stay as they were. */
enum registry_result registry_update(struct registry *registry, const struct registry_tenant *changed);
enum registry_result registry_remove(struct registry *registry, uint32_t number);

/* A new enrolment code (100 random bits) as a person types it, and the hash to keep. false: the kernel gave no random bytes. */
bool registry_new_code(char code[ENROL_CODE_TEXT], uint8_t hash[ENROL_CODE_HASH]);

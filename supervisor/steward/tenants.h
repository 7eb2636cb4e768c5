/*
 * The steward's replica of the registry: what the supervisor pushed of each tenant, and the numbers of its workers. A worker's own
 * numbers are sampled, never followed, and shown with two significant digits: what a hostile worker could say with them stays small.
 */
#pragma once

#include "../../policy/counters.h"
#include "../../policy/messages.h"

#include <stdbool.h>
#include <stddef.h>

enum { TENANTS_SAMPLE_MS = 10000 }; /* between two looks at the pages, until the supervisor says otherwise */

struct tenants;

struct tenants_row {
    struct message_tenant is;       /* as pushed last */
    struct counter_page *page;      /* of the running worker; NULL = none runs */
    uint64_t before[COUNTER_COUNT]; /* TOTALs of the workers before this one */
    uint64_t last[COUNTER_COUNT];   /* the sample of this one; a TOTAL never falls */
    bool sampled;                   /* a page was read since the steward's start: store_bytes and cert_expires are known */
    /* Times are shown to the second, so a worker may say each once a start, the end of the certificate once an installation, too. */
    bool cert_said, kit_said;
    /* Of the USAGE numbers: whether the tenant had them on when it last said so, off since the period began, and where they stood then. */
    bool usage_on, usage_left;
    uint64_t usage_begun[COUNTER_COUNT];
};

struct tenants *tenants_new(void); /* NULL: no memory */
void tenants_free(struct tenants *tenants);

/* A tenant is new or has changed. false: no memory, or TENANTS_MAX are there. */
bool tenants_put(struct tenants *tenants, const struct message_tenant *message);
void tenants_remove(struct tenants *tenants, uint32_t number);

/* The page of a new worker; the sums of the one before are kept. Closes fd. false with errno: fd is no such page. A page for a tenant
 * nobody has told of is dropped. */
bool tenants_page(struct tenants *tenants, uint32_t number, int fd);

/* A chain was installed: the end of the certificate may change once. */
void tenants_chain_installed(struct tenants *tenants, uint32_t number);

/* Reads every page. */
void tenants_sample(struct tenants *tenants);

size_t tenants_count(const struct tenants *tenants);
/* i < tenants_count(): in the order of their numbers. Valid until the next put or remove. */
const struct tenants_row *tenants_at(const struct tenants *tenants, size_t i);
const struct tenants_row *tenants_by_number(const struct tenants *tenants, uint32_t number);
const struct tenants_row *tenants_by_name(const struct tenants *tenants, const char *name);
/* How many have a worker, from when it said ready to its end. */
size_t tenants_running(const struct tenants *tenants);

/* What may be shown of a number: rounded; a TOTAL over all workers since the steward's start. */
uint64_t tenants_value(const struct tenants_row *row, enum counter counter);

/* Recovery kits that open copies of the data file without the key capsule, and since when there may be such copies in Unix seconds, 0 =
 * there never was one. false: not told, or it has not enrolled. */
bool tenants_self_sufficient(const struct tenants_row *row, uint64_t *kits, uint64_t *since);
/* A USAGE number as it is, over all workers since the steward's start: for publication.h alone, which shows it of no single tenant. */
uint64_t tenants_usage(const struct tenants_row *row, enum counter counter);

/* A period begins: what has been counted until now is not of it. */
void tenants_usage_begin(struct tenants *tenants);

/* Passwords and recovery kits that open it; 0 = not told, or it has not enrolled. 1: when that one is lost, so is all. */
uint64_t tenants_ways_in(const struct tenants_row *row);

/*
 * What a tenant's administrator decided, on its way into the registry: again and again until it is kept, and no more lines of the ledger
 * than a worker may cause (changes.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tenant;

void wishes_enrolled(struct tenant *tenant);
void wishes_chain(struct tenant *tenant);                           /* a certificate chain was installed */
void wishes_plain(struct tenant *tenant, bool wanted);              /* web/NAME.sock, on or off */
void wishes_references(struct tenant *tenant, uint32_t references); /* what it may be cited with: a bit set of enum reference */
void wishes_regions(struct tenant *tenant, uint64_t bits); /* where its copies may be: REGIONS_ bits of the destinations there are */
void wishes_tick(struct tenant *tenant, uint64_t now);

/* Whether a copy may be in that region; what was said last counts at once. */
bool wishes_allow(const struct tenant *tenant, const char *region);

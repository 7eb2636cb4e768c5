/*
 * The record of a self-sufficient recovery kit, which lies in the data file in clear: whoever has the kit opens the tenant from that file
 * alone, without the capsule (S14: destroying the capsule does not end such copies, and the certificate has to say so).
 *
 * The kit is a slot of the capsule like any other (SLOT_SELF_SUFFICIENT, one a tenant). The record is that slot with the tenant's id and
 * without the outer layer: what comes from the capsule's secrets is replaced by what comes from nothing. All else is slot.h's: bound to the
 * tenant and its whole header, key-committing, given each new TMK by its public key, and no TMK of anybody else's, since the record is made
 * from the capsule's slot, which the MAC covers, and never from a record that lay in the file.
 */
#pragma once

#include "slot.h"

enum { KIT_FORMAT = 1 };

/* On the disk: little-endian, no holes. */
struct kit_record {
    uint32_t format, reserved;
    uint8_t tenant[ID_BYTES];
    struct slot_record slot;
};

/* Makes the record of the kit for a data file that is sealed under `tmk`. 0, ENOENT = there is no kit, EPERM = sealed, ENOMEM. */
int kit_record_make(const struct capsule *c, const uint8_t tmk[KEY_BYTES], struct kit_record *record);

/* Opens it with a kit. false: one uniform failure (not a record, another's, wrong, altered). tmk is then zero. */
bool kit_record_open(const struct kit_record *record, const uint8_t kit[KEY_BYTES], struct slot *slot, uint8_t tmk[KEY_BYTES]);

#include "kit_record.h"

#include "capsule_state.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct kit_record) == 480, "the format on the disk");

static const uint8_t nothing[KEY_BYTES];
static struct slot_outer no_outer(const uint8_t *tenant) {
    return (struct slot_outer){.tenant = tenant, .shred = nothing, .epoch = nothing};
}

int kit_record_make(const struct capsule *c, const uint8_t tmk[KEY_BYTES], struct kit_record *record) {
    const struct slot_record *kit = NULL;
    if (!c->unsealed) return EPERM;
    for (uint32_t i = 0; i < c->image->count; i++)
        if (c->image->slot[i].kind == SLOT_SELF_SUFFICIENT) kit = &c->image->slot[i];
    if (!kit) return ENOENT;
    *record = (struct kit_record){.format = KIT_FORMAT, .slot = *kit};
    memcpy(record->tenant, c->image->tenant, ID_BYTES);
    struct slot_outer from = image_outer(c->image, SLOT_SELF_SUFFICIENT), to = no_outer(record->tenant);
    bool fine = slot_rewrap(&record->slot, &from, &to) && slot_give(&record->slot, record->tenant, c->authority, tmk);
    return fine ? 0 : ENOMEM;
}

/* S14, C7: a kit that opens a data file without the capsule is the tenant's own act, and opens nothing once it is removed */
bool kit_record_open(const struct kit_record *record, const uint8_t kit[KEY_BYTES], struct slot *slot, uint8_t tmk[KEY_BYTES]) {
    struct slot_outer outer = no_outer(record->tenant);
    bool fine = slot_unwrap(&record->slot, &outer, kit, tmk) && record->format == KIT_FORMAT && record->reserved == 0 &&
                record->slot.kdf == 0 && record->slot.kind == SLOT_SELF_SUFFICIENT;
    if (fine)
        slot_describe(&record->slot, slot);
    else
        secret_wipe(tmk, KEY_BYTES);
    return fine;
}

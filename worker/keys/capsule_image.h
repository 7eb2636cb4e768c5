/* What the capsule's file holds, and what binds it together: a digest a class of slots, one MAC over all of them. Internal to keys/. */
#pragma once

#include "slot.h"

enum {
    CAPSULE_FORMAT = 3,
    CLASSES = 8, /* a class is a kind of slot; 0 and those above SLOT_SELF_SUFFICIENT are free */
};

/* The TMKs of before, the oldest first: data files of their day need them. */
struct retired_keys {
    uint32_t count, reserved;
    struct retired_key key[RETIRED_MAX];
};

/* On the disk: little-endian, no holes. The shred and epoch secrets protect against older copies of other files, not against a reader of
 * this one: they are no secrets of the worker's memory. */
struct capsule_image {
    uint32_t format;
    uint32_t minimum;     /* no reader may take a format under this one any more */
    uint64_t version;     /* rises by one a change */
    uint64_t mac_version; /* what it was when the MAC was made */
    uint32_t enrolled;    /* 1: there has been a slot */
    uint32_t emptied;     /* bit set of classes that were emptied since, without the key that makes the MAC */
    uint32_t count, room; /* slots in use; slots that follow, the unused ones zero. room never falls, so that a write covers the old */
    uint32_t data_file;   /* 0 or 1: which of the two holds the tenant's data */
    uint32_t reserved;
    uint64_t key_created; /* Unix seconds: of the TMK */
    uint64_t wanted;      /* when a rotation was asked for that is not done; 0 = none */
    uint64_t kit_first;   /* when the first self-sufficient kit was made, Unix seconds; 0 = there has never been one */
    uint8_t tenant[ID_BYTES];
    uint8_t authority[KEY_BYTES + XAES_OVERHEAD];                 /* the secret that TMKs are given to slots with, sealed under the TMK */
    uint8_t retired[sizeof(struct retired_keys) + XAES_OVERHEAD]; /* sealed under the TMK */
    uint8_t shred[KEY_BYTES];
    uint8_t locator_key[KEY_BYTES]; /* of locators and of the salts of unknown logins */
    uint8_t epoch[CLASSES][KEY_BYTES];
    uint8_t digest[CLASSES][32]; /* of each class, as of the MAC */
    uint8_t mac[32];
    struct slot_record slot[];
};

static inline size_t image_bytes(uint32_t room) { return sizeof(struct capsule_image) + room * sizeof(struct slot_record); }

/* A capsule's first content: random secrets, no slots. */
void image_begin(struct capsule_image *image);

/* Is a record of `size` bytes an image of this format within all bounds? */
bool image_valid(const struct capsule_image *image, size_t size);

/* Makes digests and MAC anew: nothing counts as emptied any more. */
void image_mac(struct capsule_image *image, const uint8_t mac_key[KEY_BYTES]);

/* Holds slots and header against the MAC. Of the classes emptied since, it must find none. */
bool image_verify(const struct capsule_image *image, const uint8_t mac_key[KEY_BYTES]);

/* Seal and open the authority and the retired keys. false: out of memory; opening, also: it is not this TMK's. */
bool image_seal_authority(struct capsule_image *image, const uint8_t tmk[KEY_BYTES], const uint8_t authority[KEY_BYTES]);
bool image_open_authority(const struct capsule_image *image, const uint8_t tmk[KEY_BYTES], uint8_t authority[KEY_BYTES]);
bool image_seal_retired(struct capsule_image *image, const uint8_t tmk[KEY_BYTES], const struct retired_keys *retired);
bool image_open_retired(const struct capsule_image *image, const uint8_t tmk[KEY_BYTES], struct retired_keys *retired);

/* Gives another TMK to every slot of an image that was found to agree with its MAC, and to what is sealed in it. false: as image_redraw. */
bool image_give(struct capsule_image *image, const uint8_t authority[KEY_BYTES], const struct retired_keys *retired,
                const uint8_t tmk[KEY_BYTES]);

struct slot_outer image_outer(const struct capsule_image *image, uint32_t kind);

/* Takes out slot i: the last one takes its place. Its class's epoch must be redrawn then. */
void image_drop(struct capsule_image *image, uint32_t i);

/* Draws a new epoch secret for a class and re-wraps what is in it. false: out of memory, the image is of no use any more. */
bool image_redraw(struct capsule_image *image, uint32_t kind);

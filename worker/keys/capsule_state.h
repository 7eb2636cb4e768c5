/* The open capsule: shared by capsule.c, which reads and opens, and capsule_change.c, which adds and removes. Internal to keys/. */
#pragma once

#include "../rotation/twofile.h"
#include "capsule_image.h"

struct capsule {
    struct twofile file;
    struct capsule_image *image; /* what the newest copy holds, or is about to */
    bool unsealed;               /* mac_key is there, and the image was found to agree with it */
    uint64_t dated;              /* the version whose change older copies elsewhere must not outlive */
    bool stale;                  /* an older copy may still hold what was removed: the next write goes to both */
    uint8_t mac_key[KEY_BYTES];
    uint8_t authority[KEY_BYTES]; /* while unsealed, */
    struct retired_keys retired;  /* as is this */
    struct slot_record dummy;     /* what an unknown credential is tried on */
    uint8_t dummy_epoch[KEY_BYTES];
};

/* Checks the image against the MAC's key that belongs to the TMK, once; keeps the key, the authority and the retired keys. */
bool capsule_trust(struct capsule *c, const uint8_t tmk[KEY_BYTES]);
/* The MAC's key of a TMK. */
void capsule_mac_key(const uint8_t tmk[KEY_BYTES], uint8_t key[KEY_BYTES]);

bool slot_expired(const struct slot_record *r, uint64_t now);
uint64_t capsule_now(void); /* Unix seconds */
void capsule_secret_locator(const struct capsule *c, const uint8_t secret[KEY_BYTES], uint8_t locator[ID_BYTES]);

/* The image and its copies are allocated between arena_leave and arena_return: they hold what the file holds. NULL: out of memory. */
struct capsule_image *image_copy(const struct capsule_image *image, uint32_t room);
/* Writes the image as it is now, MACed when unsealed, under the next version; `both`: over both copies. 0 or an errno value. */
int capsule_write(struct capsule *c, bool both);

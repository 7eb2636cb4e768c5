#include "capsule_image.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct capsule_image) == 1840, "the format on the disk");

void image_begin(struct capsule_image *image) {
    memset(image, 0, sizeof *image);
    image->format = image->minimum = CAPSULE_FORMAT;
    random_bytes(image->tenant, sizeof image->tenant);
    random_bytes(image->shred, sizeof image->shred);
    random_bytes(image->locator_key, sizeof image->locator_key);
    random_bytes(image->epoch, sizeof image->epoch);
}

bool image_valid(const struct capsule_image *image, size_t size) {
    if (size < sizeof *image || image->format != CAPSULE_FORMAT || image->minimum > CAPSULE_FORMAT || image->data_file > 1) return false;
    if (image->room > SLOTS_MAX || image->count > image->room || size != image_bytes(image->room)) return false;
    if (image->reserved != 0) return false; /* no MAC covers it */
    for (uint32_t i = 0; i < image->count; i++)
        if (image->slot[i].kind < SLOT_PASSWORD || image->slot[i].kind > SLOT_SELF_SUFFICIENT) return false;
    return true;
}

/* SHA-256 over the hashes of the class's slots, so that one buffer is enough. */
static uint32_t class_digest(const struct capsule_image *image, uint32_t kind, uint8_t digest[32]) {
    struct {
        uint8_t before[32], slot[32];
    } chain = {0};
    uint32_t found = 0;
    chain.before[0] = (uint8_t)kind;
    for (uint32_t i = 0; i < image->count; i++) {
        if (image->slot[i].kind != kind) continue;
        sha256(&image->slot[i], sizeof image->slot[i], chain.slot);
        sha256(&chain, sizeof chain, chain.before);
        found++;
    }
    memcpy(digest, chain.before, 32);
    return found;
}

static void compute_mac(const struct capsule_image *image, const uint8_t *digests, const uint8_t mac_key[KEY_BYTES], uint8_t mac[32]) {
    struct {
        char label[16];
        uint32_t format, minimum, enrolled, data_file;
        uint64_t version, key_created, wanted, kit_first;
        uint8_t tenant[ID_BYTES], locator_key[KEY_BYTES], authority[KEY_BYTES + XAES_OVERHEAD];
        uint8_t retired[sizeof image->retired], digest[CLASSES][32];
    } set = {.label = "cloison slots 3",
             .format = image->format,
             .minimum = image->minimum,
             .enrolled = image->enrolled,
             .data_file = image->data_file,
             .version = image->mac_version,
             .key_created = image->key_created,
             .wanted = image->wanted,
             .kit_first = image->kit_first};
    memcpy(set.tenant, image->tenant, ID_BYTES);
    memcpy(set.locator_key, image->locator_key, KEY_BYTES);
    memcpy(set.authority, image->authority, sizeof set.authority);
    memcpy(set.retired, image->retired, sizeof set.retired);
    memcpy(set.digest, digests, sizeof set.digest);
    hmac_sha256(mac_key, KEY_BYTES, &set, sizeof set, mac);
}

void image_mac(struct capsule_image *image, const uint8_t mac_key[KEY_BYTES]) {
    for (uint32_t kind = 0; kind < CLASSES; kind++)
        class_digest(image, kind, image->digest[kind]);
    image->emptied = 0;
    image->mac_version = image->version;
    compute_mac(image, image->digest[0], mac_key, image->mac);
}

bool image_verify(const struct capsule_image *image, const uint8_t mac_key[KEY_BYTES]) {
    uint8_t digest[CLASSES][32], mac[32];
    /* Only emptying raises the version without a MAC. */
    bool fine = image->emptied ? image->version > image->mac_version : image->version == image->mac_version;
    for (uint32_t kind = 0; kind < CLASSES; kind++) {
        uint32_t found = class_digest(image, kind, digest[kind]);
        if (!(image->emptied & 1U << kind)) continue;
        if (found) fine = false;
        memcpy(digest[kind], image->digest[kind], 32);
    }
    compute_mac(image, digest[0], mac_key, mac);
    return secret_equal(mac, image->mac, sizeof mac) && fine;
}

/* What is sealed beside the slots: the tenant's id is the associated data, the label of its key tells one from the other. */
static struct xaes *beside_key(const uint8_t tmk[KEY_BYTES], const char *label) {
    uint8_t key[KEY_BYTES];
    hkdf(tmk, KEY_BYTES, NULL, 0, label, key, sizeof key);
    struct xaes *x = xaes_new(key);
    secret_wipe(key, sizeof key);
    return x;
}

static bool seal_beside(const struct capsule_image *image, struct xaes *x, const void *plain, size_t size, uint8_t *out) {
    bool fine = x && xaes_seal(x, image->tenant, ID_BYTES, plain, size, out);
    xaes_free(x);
    return fine;
}

static bool open_beside(const struct capsule_image *image, struct xaes *x, const uint8_t *sealed, size_t size, void *out) {
    bool fine = x && xaes_open(x, image->tenant, ID_BYTES, sealed, size, out);
    xaes_free(x);
    return fine;
}

static const char authority_label[] = "cloison slot authority v1", retired_label[] = "cloison retired keys v1";

bool image_seal_authority(struct capsule_image *image, const uint8_t tmk[KEY_BYTES], const uint8_t authority[KEY_BYTES]) {
    return seal_beside(image, beside_key(tmk, authority_label), authority, KEY_BYTES, image->authority);
}
bool image_open_authority(const struct capsule_image *image, const uint8_t tmk[KEY_BYTES], uint8_t authority[KEY_BYTES]) {
    return open_beside(image, beside_key(tmk, authority_label), image->authority, sizeof image->authority, authority);
}

bool image_seal_retired(struct capsule_image *image, const uint8_t tmk[KEY_BYTES], const struct retired_keys *retired) {
    return seal_beside(image, beside_key(tmk, retired_label), retired, sizeof *retired, image->retired);
}
bool image_open_retired(const struct capsule_image *image, const uint8_t tmk[KEY_BYTES], struct retired_keys *retired) {
    return open_beside(image, beside_key(tmk, retired_label), image->retired, sizeof image->retired, retired) &&
           retired->count <= RETIRED_MAX;
}

bool image_give(struct capsule_image *image, const uint8_t authority[KEY_BYTES], const struct retired_keys *retired,
                const uint8_t tmk[KEY_BYTES]) {
    for (uint32_t i = 0; i < image->count; i++)
        if (!slot_give(&image->slot[i], image->tenant, authority, tmk)) return false;
    return image_seal_authority(image, tmk, authority) && image_seal_retired(image, tmk, retired);
}

struct slot_outer image_outer(const struct capsule_image *image, uint32_t kind) {
    return (struct slot_outer){.tenant = image->tenant, .shred = image->shred, .epoch = image->epoch[kind]};
}

void image_drop(struct capsule_image *image, uint32_t i) {
    struct slot_record *last = &image->slot[--image->count];
    image->slot[i] = *last;
    memset(last, 0, sizeof *last);
}

bool image_redraw(struct capsule_image *image, uint32_t kind) {
    uint8_t epoch[KEY_BYTES];
    random_bytes(epoch, sizeof epoch);
    struct slot_outer from = image_outer(image, kind), to = from;
    to.epoch = epoch;
    for (uint32_t i = 0; i < image->count; i++)
        if (image->slot[i].kind == kind && !slot_rewrap(&image->slot[i], &from, &to)) return false;
    memcpy(image->epoch[kind], epoch, sizeof epoch);
    return true;
}

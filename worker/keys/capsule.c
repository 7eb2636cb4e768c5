#include "capsule_state.h"

#include "../../policy/limits.h"
#include "../memory/arena.h"
#include "password.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Static_assert((sizeof(struct capsule_image) + SLOTS_MAX * sizeof(struct slot_record) + 56 + 4095) / 4096 * 8192 == CAPSULE_BYTES,
               "policy/limits.h");
enum { ROOM_MIN = 16 /* slots of a new capsule */ };
static const char magic[8] = "CLKEYS3";

uint64_t capsule_now(void) { return (uint64_t)time(NULL); }
bool slot_expired(const struct slot_record *r, uint64_t now) { return r->expires != 0 && r->expires <= now; }

struct capsule_image *image_copy(const struct capsule_image *image, uint32_t room) {
    if (room < image->room) room = image->room;
    arena_leave();
    struct capsule_image *copy = calloc(1, image_bytes(room));
    arena_return();
    if (!copy) return NULL;
    memcpy(copy, image, image_bytes(image->room));
    copy->room = room;
    return copy;
}

int capsule_write(struct capsule *c, bool both) {
    c->image->version++;
    if (c->unsealed) image_mac(c->image, c->mac_key);
    both |= c->stale;
    c->stale = both; /* until it is done */
    if (both) c->dated = c->image->version;
    int result = 0, copies = both ? 2 : 1;
    arena_leave(); /* a lock must not fail because the arena is full */
    for (int i = 0; i < copies && result == 0; i++)
        if (twofile_write(&c->file, c->image, image_bytes(c->image->room)) < 0) result = errno;
    arena_return();
    if (result == 0) c->stale = false;
    return result;
}

/* The newest copy, or the first content of a new capsule. */
static bool load(struct capsule *c, int fd, bool may_be_new) {
    size_t size = 0;
    struct capsule_image *read = malloc(image_bytes(SLOTS_MAX));
    if (!read || twofile_open(&c->file, fd, magic, image_bytes(SLOTS_MAX), read, &size) < 0) goto out;
    if (size) {
        errno = EBADMSG;
        if (image_valid(read, size)) c->image = image_copy(read, read->room);
    } else if (!may_be_new) {
        errno = EBADMSG;
    } else {
        image_begin(read);
        c->image = image_copy(read, ROOM_MIN);
        if (c->image && (errno = capsule_write(c, true)) != 0) {
            free(c->image);
            c->image = NULL;
        }
    }
out:
    free(read);
    return c->image;
}

/* A slot that any password fails to open, but only where a wrong one does: at the commitment. */
static bool make_dummy(struct capsule *c) {
    uint8_t credential[KEY_BYTES], authority[KEY_BYTES], tmk[KEY_BYTES];
    random_bytes(&c->dummy, sizeof c->dummy);
    random_bytes(c->dummy_epoch, sizeof c->dummy_epoch);
    random_bytes(credential, sizeof credential);
    random_bytes(authority, sizeof authority);
    random_bytes(tmk, sizeof tmk);
    c->dummy.expires = 0;
    struct slot_outer outer = image_outer(c->image, SLOT_PASSWORD);
    outer.epoch = c->dummy_epoch;
    return slot_wrap(&c->dummy, &outer, credential, authority, tmk);
}

static struct capsule *open_it(int fd, bool may_be_new) {
    struct capsule *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return NULL;
    }
    c->file.fd = fd;
    bool fine = keys_prepare();
    arena_leave();
    fine = fine && load(c, fd, may_be_new);
    arena_return();
    if (fine && make_dummy(c)) return c;
    int error = fine ? ENOMEM : errno;
    capsule_close(c);
    errno = error;
    return NULL;
}

struct capsule *capsule_open(int fd) {
    return open_it(fd, true);
}

struct capsule *capsule_open_enrolled(int fd) {
    struct capsule *c = open_it(fd, false);
    if (!c || capsule_enrolled(c)) return c;
    capsule_close(c);
    errno = EBADMSG;
    return NULL;
}

void capsule_close(struct capsule *c) {
    if (!c) return;
    twofile_close(&c->file);
    free(c->image);
    secret_wipe(c, sizeof *c);
    free(c);
}

/* The dummy's layers have the tenant's id in them, as those of every slot. */
int capsule_become(struct capsule *c, const uint8_t tenant[ID_BYTES], unsigned data_file) {
    if (c->image->enrolled) return EEXIST;
    memcpy(c->image->tenant, tenant, ID_BYTES);
    c->image->data_file = data_file;
    return make_dummy(c) ? 0 : ENOMEM;
}

uint64_t capsule_version(const struct capsule *c) { return c->image->version; }
uint64_t capsule_dated(const struct capsule *c) { return c->dated; }
int capsule_copy(const struct capsule *c, int to) { return twofile_copy(&c->file, to) < 0 ? errno : 0; }

bool capsule_enrolled(const struct capsule *c) { return c->image->enrolled; }
const uint8_t *capsule_tenant_id(const struct capsule *c) { return c->image->tenant; }
unsigned capsule_data_file(const struct capsule *c) { return c->image->data_file; }
uint64_t capsule_key_created(const struct capsule *c) { return c->image->key_created; }
uint64_t capsule_rotation_wanted(const struct capsule *c) { return c->image->wanted; }
uint64_t capsule_kit_first(const struct capsule *c) { return c->image->kit_first; }

bool capsule_retired(const struct capsule *c, size_t i, struct retired_key *key) {
    if (!c->unsealed || i >= c->retired.count) return false;
    *key = c->retired.key[i];
    return true;
}

size_t capsule_ways_in(const struct capsule *c) {
    return capsule_slots(c, SLOT_PASSWORD) + capsule_slots(c, SLOT_RECOVERY) + capsule_slots(c, SLOT_SELF_SUFFICIENT);
}

static size_t count_slots(const struct capsule *c, const uint8_t *owner, uint32_t kind) {
    size_t n = 0;
    for (uint32_t i = 0; i < c->image->count; i++) {
        const struct slot_record *r = &c->image->slot[i];
        n += (kind == 0 || r->kind == kind) && (!owner || memcmp(r->owner, owner, ID_BYTES) == 0) && !slot_expired(r, capsule_now());
    }
    return n;
}

size_t capsule_slots(const struct capsule *c, uint32_t kind) { return count_slots(c, NULL, kind); }
size_t capsule_slots_of(const struct capsule *c, const uint8_t owner[ID_BYTES], uint32_t kind) { return count_slots(c, owner, kind); }

bool capsule_slot(const struct capsule *c, size_t i, struct slot *slot) {
    if (i >= c->image->count) return false;
    slot_describe(&c->image->slot[i], slot);
    return true;
}

bool capsule_has(const struct capsule *c, const uint8_t id[ID_BYTES]) {
    uint32_t i = 0;
    while (i < c->image->count && memcmp(c->image->slot[i].id, id, ID_BYTES) != 0)
        i++;
    return i < c->image->count;
}

/* HMAC of a domain's name and the credential, cut. */
static void locate(const struct capsule *c, const char *domain, const void *what, size_t size, uint8_t out[32]) {
    uint8_t key[KEY_BYTES];
    hkdf(c->image->locator_key, KEY_BYTES, NULL, 0, domain, key, sizeof key);
    hmac_sha256(key, sizeof key, what, size, out);
}

void capsule_login_locator(const struct capsule *c, const char *login, uint8_t locator[ID_BYTES]) {
    uint8_t hash[32];
    locate(c, "login", login, strlen(login), hash);
    memcpy(locator, hash, ID_BYTES);
}

void capsule_secret_locator(const struct capsule *c, const uint8_t secret[KEY_BYTES], uint8_t locator[ID_BYTES]) {
    uint8_t hash[32];
    locate(c, "secret", secret, KEY_BYTES, hash);
    memcpy(locator, hash, ID_BYTES);
}

/* Looks at every slot, whichever it is. NULL: none. */
static const struct slot_record *find(const struct capsule *c, bool password, const uint8_t locator[ID_BYTES]) {
    const struct slot_record *found = NULL;
    for (uint32_t i = 0; i < c->image->count; i++) {
        const struct slot_record *r = &c->image->slot[i];
        if (secret_equal(r->locator, locator, ID_BYTES) && (r->kind == SLOT_PASSWORD) == password) found = r;
    }
    return found;
}

void capsule_login_salt(const struct capsule *c, const uint8_t locator[ID_BYTES], uint8_t salt[32]) {
    const struct slot_record *r = find(c, true, locator);
    locate(c, "salt", locator, ID_BYTES, salt);
    if (r) memcpy(salt, r->salt, sizeof r->salt);
}

void capsule_mac_key(const uint8_t tmk[KEY_BYTES], uint8_t key[KEY_BYTES]) {
    hkdf(tmk, KEY_BYTES, NULL, 0, "cloison slot mac v1", key, KEY_BYTES);
}

bool capsule_trust(struct capsule *c, const uint8_t tmk[KEY_BYTES]) {
    uint8_t key[KEY_BYTES];
    capsule_mac_key(tmk, key);
    bool fine = c->unsealed ? secret_equal(key, c->mac_key, sizeof key)
                            : image_verify(c->image, key) && image_open_authority(c->image, tmk, c->authority) &&
                                  image_open_retired(c->image, tmk, &c->retired);
    if (fine) memcpy(c->mac_key, key, sizeof key);
    c->unsealed |= fine;
    secret_wipe(key, sizeof key);
    return fine;
}

void capsule_seal(struct capsule *c) {
    c->unsealed = false;
    secret_wipe(c->mac_key, sizeof c->mac_key);
    secret_wipe(c->authority, sizeof c->authority);
    secret_wipe(&c->retired, sizeof c->retired);
}

/* The parameters this program stretches with, and none others. */
static bool kdf_accepted(const struct slot_record *r) {
    if (r->kind != SLOT_PASSWORD) return r->kdf == 0;
    return r->kdf == PASSWORD_ARGON2ID && r->kdf_memory_kib == PASSWORD_MEMORY_KIB && r->kdf_passes == PASSWORD_PASSES &&
           r->kdf_lanes == PASSWORD_LANES;
}

static bool open_slot(struct capsule *c, const struct slot_record *r, const uint8_t credential[KEY_BYTES], struct slot *slot,
                      uint8_t tmk[KEY_BYTES]) {
    const struct slot_record *tried = r ? r : &c->dummy;
    struct slot_outer outer = image_outer(c->image, r ? r->kind : SLOT_PASSWORD);
    if (!r) outer.epoch = c->dummy_epoch;
    bool fine =
        slot_unwrap(tried, &outer, credential, tmk) && r && kdf_accepted(r) && !slot_expired(r, capsule_now()) && capsule_trust(c, tmk);
    if (fine)
        slot_describe(r, slot);
    else
        secret_wipe(tmk, KEY_BYTES);
    return fine;
}

bool capsule_open_password(struct capsule *c, const uint8_t locator[ID_BYTES], const uint8_t stretched[KEY_BYTES], struct slot *slot,
                           uint8_t tmk[KEY_BYTES]) {
    return open_slot(c, find(c, true, locator), stretched, slot, tmk);
}

/* S4: the tenant's key opens by a credential of a user's and by nothing that the provider has */
bool capsule_open_secret(struct capsule *c, const uint8_t secret[KEY_BYTES], struct slot *slot, uint8_t tmk[KEY_BYTES]) {
    uint8_t locator[ID_BYTES];
    capsule_secret_locator(c, secret, locator);
    return open_slot(c, find(c, false, locator), secret, slot, tmk);
}

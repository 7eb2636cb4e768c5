/* Adding and removing slots. Every change is made on a copy of the image, which takes its place when it is complete. */
#include "capsule_state.h"

#include "password.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_STEP = 16 };

typedef bool slot_test(const struct slot_record *r, const void *argument);

/* Takes out all that match; *kinds gets a bit for each class concerned. */
static uint32_t drop_matching(struct capsule_image *image, slot_test *matches, const void *argument, uint32_t *kinds) {
    uint32_t dropped = 0;
    for (uint32_t i = image->count; i-- > 0;) {
        if (!matches(&image->slot[i], argument)) continue;
        *kinds |= 1U << image->slot[i].kind;
        image_drop(image, i);
        dropped++;
    }
    return dropped;
}

static bool redraw_all(struct capsule_image *image, uint32_t kinds) {
    for (uint32_t kind = 0; kind < CLASSES; kind++)
        if (kinds & 1U << kind && !image_redraw(image, kind)) return false;
    return true;
}

/* The other's place is next's now. */
static void adopt(struct capsule *c, struct capsule_image *next) {
    free(c->image);
    c->image = next;
}

static bool is_expired(const struct slot_record *r, const void *now) {
    return (r->kind == SLOT_SESSION || r->kind == SLOT_TOKEN || r->kind == SLOT_INVITATION) && slot_expired(r, *(const uint64_t *)now);
}

/* Is it what the new slot replaces? A kit older kits; a self-sufficient one that of anybody; a password that of the same login; a password
 * and an invitation each other. */
static bool is_replaced(const struct slot_record *r, const void *argument) {
    const struct slot_record *new = argument;
    if (new->kind == SLOT_SELF_SUFFICIENT) return r->kind == new->kind;
    if (memcmp(r->owner, new->owner, ID_BYTES) != 0) return false;
    if (new->kind == SLOT_INVITATION) return r->kind == SLOT_INVITATION || r->kind == SLOT_PASSWORD;
    if (new->kind == SLOT_PASSWORD && r->kind == SLOT_INVITATION) return true;
    return r->kind == new->kind &&
           (r->kind == SLOT_RECOVERY || (r->kind == SLOT_PASSWORD && memcmp(r->locator, new->locator, ID_BYTES) == 0));
}

static uint32_t count_kind(const struct capsule_image *image, uint32_t kind, const uint8_t *owner) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < image->count; i++)
        n += image->slot[i].kind == kind && (!owner || memcmp(image->slot[i].owner, owner, ID_BYTES) == 0);
    return n;
}

/* owner NULL = anybody's. */
static bool drop_oldest_session(struct capsule_image *image, const uint8_t *owner, uint32_t *kinds) {
    uint32_t oldest = image->count;
    for (uint32_t i = 0; i < image->count; i++) {
        if (image->slot[i].kind != SLOT_SESSION || (owner && memcmp(image->slot[i].owner, owner, ID_BYTES) != 0)) continue;
        if (oldest == image->count || image->slot[i].created < image->slot[oldest].created) oldest = i;
    }
    if (oldest == image->count) return false;
    image_drop(image, oldest);
    *kinds |= 1U << SLOT_SESSION;
    return true;
}

static int make_room(struct capsule_image *image, const struct slot_record *new, uint32_t *kinds) {
    uint64_t now = capsule_now();
    drop_matching(image, is_expired, &now, kinds);
    drop_matching(image, is_replaced, new, kinds);
    if (new->kind == SLOT_TOKEN && count_kind(image, SLOT_TOKEN, NULL) >= SLOTS_OF_TOKENS) return ENOSPC;
    if (new->kind == SLOT_TOKEN && count_kind(image, SLOT_TOKEN, new->owner) >= TOKENS_OF_ONE) return ENOSPC;
    if (new->kind == SLOT_RECOVERY && count_kind(image, SLOT_RECOVERY, NULL) >= SLOTS_OF_RECOVERY) return ENOSPC;
    if (new->kind == SLOT_SESSION && count_kind(image, SLOT_SESSION, new->owner) >= SLOTS_OF_SESSIONS)
        drop_oldest_session(image, new->owner, kinds);
    if (image->count < SLOTS_MAX || drop_oldest_session(image, new->owner, kinds) || drop_oldest_session(image, NULL, kinds)) return 0;
    return ENOSPC;
}

static int append(struct capsule_image *image, const struct slot_record *header, const uint8_t credential[KEY_BYTES],
                  const uint8_t authority[KEY_BYTES], const uint8_t tmk[KEY_BYTES]) {
    struct slot_record *r = &image->slot[image->count];
    struct slot_outer outer = image_outer(image, header->kind);
    *r = *header;
    if (!slot_wrap(r, &outer, credential, authority, tmk)) return ENOMEM;
    image->count++;
    return 0;
}

static struct capsule_image *copy_with_room(const struct capsule_image *image, uint32_t more) {
    uint32_t room = image->count + more <= image->room ? image->room : image->room + ROOM_STEP;
    return image_copy(image, room > SLOTS_MAX ? SLOTS_MAX : room);
}

/* Makes next the image and writes it; when that fails, what was before stands again. Takes over next. */
static int write_or_undo(struct capsule *c, struct capsule_image *next, bool both) {
    struct capsule_image *before = c->image;
    c->image = next;
    int error = capsule_write(c, both);
    if (!error) {
        free(before);
        return 0;
    }
    /* The disk may hold a slot now whose credential nobody was given; the next write covers it. */
    before->version = next->version;
    c->image = before;
    free(next);
    if (c->unsealed) image_mac(c->image, c->mac_key);
    return error;
}

static int add(struct capsule *c, const uint8_t tmk[KEY_BYTES], const struct slot_record *header, const uint8_t credential[KEY_BYTES]) {
    if (!capsule_trust(c, tmk)) return EBADMSG;
    struct capsule_image *next = copy_with_room(c->image, 1);
    uint32_t removed = 0;
    if (!next) return ENOMEM;
    int error = make_room(next, header, &removed);
    if (!error && !redraw_all(next, removed)) error = ENOMEM;
    if (!error) error = append(next, header, credential, c->authority, tmk);
    if (header->kind == SLOT_SELF_SUFFICIENT && !next->kit_first) next->kit_first = header->created;
    if (!error) {
        error = write_or_undo(c, next, removed != 0);
        if (!error && header->kind != SLOT_SESSION) c->dated = c->image->version;
        return error;
    }
    free(next);
    return error;
}

static void fill(struct slot *slot, struct slot_record *r, const uint8_t salt[32]) {
    if (slot->created == 0) slot->created = capsule_now();
    random_bytes(slot->id, ID_BYTES);
    *r = (struct slot_record){
        .kind = slot->kind, .rights = slot->rights, .rights_epoch = slot->rights_epoch, .created = slot->created, .expires = slot->expires};
    memcpy(r->id, slot->id, ID_BYTES);
    memcpy(r->owner, slot->owner, ID_BYTES);
    memcpy(r->locator, slot->locator, ID_BYTES);
    memcpy(r->origin, slot->origin, ID_BYTES);
    memcpy(r->salt, salt, sizeof r->salt);
    if (slot->kind != SLOT_PASSWORD) return;
    r->kdf = PASSWORD_ARGON2ID;
    r->kdf_memory_kib = PASSWORD_MEMORY_KIB;
    r->kdf_passes = PASSWORD_PASSES;
    r->kdf_lanes = PASSWORD_LANES;
}

static void fill_secret(const struct capsule *c, struct slot *slot, const uint8_t secret[KEY_BYTES], struct slot_record *r) {
    uint8_t salt[32];
    random_bytes(salt, sizeof salt);
    capsule_secret_locator(c, secret, slot->locator);
    fill(slot, r, salt);
}

int capsule_add_password(struct capsule *c, const uint8_t tmk[KEY_BYTES], struct slot *slot, const uint8_t salt[32],
                         const uint8_t stretched[KEY_BYTES]) {
    for (uint32_t i = 0; i < c->image->count; i++) {
        const struct slot_record *r = &c->image->slot[i];
        if (r->kind == SLOT_PASSWORD && memcmp(r->locator, slot->locator, ID_BYTES) == 0 && memcmp(r->owner, slot->owner, ID_BYTES) != 0)
            return EEXIST;
    }
    struct slot_record r;
    slot->kind = SLOT_PASSWORD;
    fill(slot, &r, salt);
    return add(c, tmk, &r, stretched);
}

int capsule_add_secret(struct capsule *c, const uint8_t tmk[KEY_BYTES], struct slot *slot, const uint8_t secret[KEY_BYTES]) {
    if (slot->kind < SLOT_SESSION || slot->kind > SLOT_SELF_SUFFICIENT) return EINVAL;
    struct slot_record r;
    fill_secret(c, slot, secret, &r);
    return add(c, tmk, &r, secret);
}

struct beginning {
    struct slot_record password, second;
    const uint8_t *stretched, *secret;
};

/* The first slots, in one durable step. */
static int begin_slots(struct capsule *c, const struct beginning *b, const uint8_t tmk[KEY_BYTES], bool recovered) {
    struct capsule_image *next = copy_with_room(c->image, 2);
    if (!next) return ENOMEM;
    random_bytes(c->authority, sizeof c->authority);
    c->retired = (struct retired_keys){0};
    next->enrolled = 1;
    next->key_created = capsule_now();
    if (recovered) next->kit_first = next->wanted = next->key_created;
    bool fine = image_seal_authority(next, tmk, c->authority) && image_seal_retired(next, tmk, &c->retired);
    int error = fine ? append(next, &b->password, b->stretched, c->authority, tmk) : ENOMEM;
    if (!error) error = append(next, &b->second, b->secret, c->authority, tmk);
    if (error) {
        free(next);
    } else {
        capsule_mac_key(tmk, c->mac_key);
        c->unsealed = true;
        error = write_or_undo(c, next, true); /* both: a damaged newest copy must not make the tenant look new */
    }
    if (error) capsule_seal(c);
    return error;
}

int capsule_enrol(struct capsule *c, struct slot *password, const uint8_t salt[32], const uint8_t stretched[KEY_BYTES],
                  struct slot *recovery, const uint8_t kit[KEY_BYTES], uint8_t tmk[KEY_BYTES]) {
    struct beginning b = {.stretched = stretched, .secret = kit};
    if (c->image->enrolled) return EEXIST;
    password->kind = SLOT_PASSWORD;
    recovery->kind = SLOT_RECOVERY;
    fill(password, &b.password, salt);
    fill_secret(c, recovery, kit, &b.second);
    random_bytes(tmk, KEY_BYTES);
    int error = begin_slots(c, &b, tmk, false);
    if (error) secret_wipe(tmk, KEY_BYTES);
    return error;
}

int capsule_recover(struct capsule *c, struct slot *password, const uint8_t salt[32], const uint8_t stretched[KEY_BYTES],
                    const struct slot *kit, const uint8_t secret[KEY_BYTES], const uint8_t tmk[KEY_BYTES]) {
    struct beginning b = {.stretched = stretched, .secret = secret};
    struct slot again = {
        .kind = SLOT_SELF_SUFFICIENT, .rights = kit->rights, .rights_epoch = password->rights_epoch, .created = kit->created};
    if (c->image->enrolled) return EEXIST;
    password->kind = SLOT_PASSWORD;
    memcpy(again.owner, kit->owner, ID_BYTES);
    fill(password, &b.password, salt);
    fill_secret(c, &again, secret, &b.second);
    return begin_slots(c, &b, tmk, true);
}

int capsule_want_rotation(struct capsule *c, bool wanted) {
    if (!c->unsealed) return EPERM;
    struct capsule_image *next = image_copy(c->image, 0);
    if (!next) return ENOMEM;
    next->wanted = wanted ? capsule_now() : 0;
    return write_or_undo(c, next, false);
}

/* The image with the new TMK in every slot. NULL: out of memory. */
static struct capsule_image *rotated(const struct capsule *c, const struct retired_keys *retired, const uint8_t tmk[KEY_BYTES]) {
    struct capsule_image *next = image_copy(c->image, 0);
    if (!next) return NULL;
    next->data_file = !next->data_file;
    next->key_created = capsule_now();
    next->wanted = 0;
    if (image_give(next, c->authority, retired, tmk)) return next;
    free(next);
    return NULL;
}

/* What was before stands until one copy is written, and no longer. */
static int write_rotated(struct capsule *c, struct capsule_image *next, const uint8_t tmk[KEY_BYTES], bool *known) {
    uint8_t before[KEY_BYTES];
    memcpy(before, c->mac_key, sizeof before);
    capsule_mac_key(tmk, c->mac_key);
    int error = write_or_undo(c, next, false);
    if (error) {
        /* The same copy again, so that it does not hold what was not to be. */
        memcpy(c->mac_key, before, sizeof before);
        *known = capsule_write(c, false) == 0;
    } else {
        c->dated = c->image->version;
        c->stale = true; /* the other copy still gives out the old TMK */
        capsule_write(c, true);
    }
    secret_wipe(before, sizeof before);
    return error;
}

int capsule_rotate(struct capsule *c, const uint8_t old[KEY_BYTES], const uint8_t tmk[KEY_BYTES], bool *known) {
    *known = true;
    if (!c->unsealed) return EPERM;
    if (c->retired.count == RETIRED_MAX) return ENOSPC;
    struct retired_keys retired = c->retired;
    struct retired_key *k = &retired.key[retired.count++];
    *k = (struct retired_key){.created = c->image->key_created, .retired = capsule_now()};
    random_bytes(k->id, sizeof k->id);
    memcpy(k->tmk, old, KEY_BYTES);
    struct capsule_image *next = rotated(c, &retired, tmk);
    int error = next ? write_rotated(c, next, tmk, known) : ENOMEM;
    if (!error) c->retired = retired;
    secret_wipe(&retired, sizeof retired);
    return error;
}

int capsule_drop_retired(struct capsule *c, const uint8_t tmk[KEY_BYTES], const uint8_t id[ID_BYTES]) {
    struct retired_keys *r = &c->retired;
    uint32_t i = 0;
    if (!c->unsealed) return EPERM;
    while (i < r->count && memcmp(r->key[i].id, id, ID_BYTES) != 0)
        i++;
    if (i == r->count) return ENOENT;
    struct retired_keys without = *r;
    memmove(&without.key[i], &without.key[i + 1], (without.count - i - 1) * sizeof *without.key);
    secret_wipe(&without.key[--without.count], sizeof *without.key);
    struct capsule_image *next = image_copy(c->image, 0);
    bool fine = next && image_seal_retired(next, tmk, &without);
    if (fine) *r = without;
    secret_wipe(&without, sizeof without);
    if (!fine) {
        free(next);
        return ENOMEM;
    }
    adopt(c, next);
    return capsule_write(c, true);
}

int capsule_use_file(struct capsule *c, unsigned data_file) {
    if (!c->unsealed) return EPERM;
    struct capsule_image *next = image_copy(c->image, 0);
    if (!next) return ENOMEM;
    next->data_file = data_file;
    return write_or_undo(c, next, false);
}

static int remove_matching(struct capsule *c, slot_test *matches, const void *argument) {
    if (!c->unsealed) return EPERM;
    struct capsule_image *next = image_copy(c->image, 0);
    uint32_t removed = 0;
    if (!next) return ENOMEM;
    if (drop_matching(next, matches, argument, &removed) == 0) {
        free(next);
        return ENOENT;
    }
    if (!redraw_all(next, removed)) {
        free(next);
        return ENOMEM;
    }
    adopt(c, next);
    return capsule_write(c, true);
}

static bool has_id(const struct slot_record *r, const void *id) { return memcmp(r->id, id, ID_BYTES) == 0; }
int capsule_remove(struct capsule *c, const uint8_t id[ID_BYTES]) { return remove_matching(c, has_id, id); }

struct owned {
    const uint8_t *owner;
    uint32_t kind;
};
static bool is_owned(const struct slot_record *r, const void *argument) {
    const struct owned *o = argument;
    return memcmp(r->owner, o->owner, ID_BYTES) == 0 && (o->kind == 0 || r->kind == o->kind);
}
int capsule_remove_owner(struct capsule *c, const uint8_t owner[ID_BYTES], uint32_t kind) {
    return remove_matching(c, is_owned, &(struct owned){owner, kind});
}

struct logins {
    const uint8_t *owner, *keep;
};
static bool is_login(const struct slot_record *r, const void *argument) {
    const struct logins *l = argument;
    return (r->kind == SLOT_SESSION || r->kind == SLOT_TOKEN) && (!l->owner || memcmp(r->owner, l->owner, ID_BYTES) == 0) &&
           (!l->keep || memcmp(r->id, l->keep, ID_BYTES) != 0);
}
int capsule_remove_logins(struct capsule *c, const uint8_t *owner, const uint8_t *keep) {
    return remove_matching(c, is_login, &(struct logins){owner, keep});
}

static bool has_kind(const struct slot_record *r, const void *kind) { return r->kind == *(const uint32_t *)kind; }

/* In place: nothing has to be re-wrapped, and a lock must not depend on memory. */
int capsule_remove_kind(struct capsule *c, enum slot_kind kind) {
    uint32_t wanted = kind, removed = 0;
    drop_matching(c->image, has_kind, &wanted, &removed);
    if (!removed && !c->stale) return 0;
    random_bytes(c->image->epoch[kind], KEY_BYTES);
    if (!c->unsealed) c->image->emptied |= 1U << kind;
    return capsule_write(c, true);
}

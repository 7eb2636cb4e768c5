/*
 * The published attacks on systems that say they cannot read their customers' data, done to the key capsule by somebody who has its file,
 * all its secrets that are no credential, and another tenant of his own. Two more stand beside what they need: the partitioning oracle
 * (capsule_test.c, commits_to_one_credential) and a weaker KDF under a good MAC (weak_parameters). Records: store_attack_test.c.
 */
#include "../../worker/keys/password.h"
#include "capsule_fixture.h"

#include <stddef.h>
#include <stdio.h>
#include <time.h>

enum { WRAP = offsetof(struct slot_record, sealed), WRAP_BYTES = sizeof(struct slot_record) - WRAP, SLOTS = 5, ROOM = 16 };
static const uint8_t bens[KEY_BYTES] = "ben's stretched password";

/* A tenant of two users with a password each, a kit and a session each. */
struct tenant {
    struct capsule *c;
    uint8_t tmk[KEY_BYTES], session[2][KEY_BYTES];
};

int fdatasync(int fd) { return fd < 0; } /* no power is cut here */

static void begin(struct tenant *t) {
    unlink(path);
    t->c = enrolled(t->tmk);
    struct slot ben = login_slot(t->c, "ben", other_user);
    assert_int_equal(capsule_add_password(t->c, t->tmk, &ben, salt, bens), 0);
    assert_int_equal(add_secret(t->c, t->tmk, SLOT_SESSION, user, 0, t->session[0]), 0);
    assert_int_equal(add_secret(t->c, t->tmk, SLOT_SESSION, other_user, 0, t->session[1]), 0);
    assert_int_equal(t->c->image->count, SLOTS);
    assert_int_equal(t->c->image->room, ROOM);
}

static struct slot_record *find(const struct capsule *c, uint32_t kind, const uint8_t *owner) {
    for (uint32_t i = 0; i < c->image->count; i++)
        if (c->image->slot[i].kind == kind && memcmp(c->image->slot[i].owner, owner, ID_BYTES) == 0) return &c->image->slot[i];
    fail_msg("no such slot");
    return NULL;
}

/* How many of the five credentials open; any of them that opens gives the TMK that was made at enrolment and no other. */
static unsigned opening(struct tenant *t) {
    uint8_t got[KEY_BYTES], locator[ID_BYTES];
    struct slot slot;
    unsigned n = 0;
    const uint8_t *secrets[] = {kit, t->session[0], t->session[1]}, *passwords[] = {stretched, bens};
    for (size_t i = 0; i < 3; i++) {
        if (!capsule_open_secret(t->c, secrets[i], &slot, got)) continue;
        assert_memory_equal(got, t->tmk, KEY_BYTES);
        n++;
    }
    for (size_t i = 0; i < 2; i++) {
        capsule_login_locator(t->c, i ? "ben" : "anna", locator);
        if (!capsule_open_password(t->c, locator, passwords[i], &slot, got)) continue;
        assert_memory_equal(got, t->tmk, KEY_BYTES);
        n++;
    }
    return n;
}

/* Bytes without which others' slots open: a class's epoch secret ends its slots alone, and digests are made anew where none was emptied. */
static bool is_free(size_t at) {
    size_t epoch = offsetof(struct capsule_image, epoch), digest = offsetof(struct capsule_image, digest);
    return (at >= epoch && at < epoch + sizeof((struct capsule_image *)0)->epoch) ||
           (at >= digest && at < digest + sizeof((struct capsule_image *)0)->digest);
}

/* Key overwriting (Backendal, Haller, Paterson: "MEGA: Malleable Encryption Goes Awry", 2022; Hofmann, Truong: "End-to-End Encrypted Cloud
 * Storage in the Wild", eprint 2024/1616): wraps without authentication gave chosen keys, and each wrong one another answer. Here each
 * byte of the directory is changed in turn: no credential ever opens another key, and a changed slot opens for nobody. */
static void key_overwriting(void **state) {
    (void)state;
    struct tenant t;
    begin(&t);
    assert_int_equal(opening(&t), SLOTS);
    size_t size = image_bytes(SLOTS), refused = 0;
    struct capsule_image *whole = malloc(image_bytes(ROOM));
    memcpy(whole, t.c->image, image_bytes(ROOM));
    for (size_t at = 0; at < size; at++) {
        memcpy(t.c->image, whole, image_bytes(ROOM));
        ((uint8_t *)t.c->image)[at] ^= 0x10;
        assert_int_equal(twofile_write(&t.c->file, t.c->image, image_bytes(ROOM)), 0);
        struct capsule *again = reopen(t.c);
        if (!again) { /* not taken for a capsule at all; the next write needs one */
            refused++;
            begin(&t);
            memcpy(whole, t.c->image, image_bytes(ROOM));
            continue;
        }
        t.c = again;
        unsigned n = opening(&t);
        assert_true(n == 0 || is_free(at));
        refused += n == 0;
    }
    assert_true(refused >= size - (sizeof whole->epoch + sizeof whole->digest));
    free(whole);
    capsule_close(t.c);
}

/* A key that the attacker knows, in the victim's place: a slot of his own tenant under the victim's header. */
static void another_tenants_slots(void **state) {
    (void)state;
    struct tenant mine, victim;
    for (int whole = 0; whole < 3; whole++) {
        begin(&mine);
        struct slot_record planted = *find(mine.c, SLOT_PASSWORD, user);
        uint8_t epoch[KEY_BYTES], shred[KEY_BYTES], tenant[ID_BYTES];
        memcpy(epoch, mine.c->image->epoch[SLOT_PASSWORD], sizeof epoch);
        memcpy(shred, mine.c->image->shred, sizeof shred);
        memcpy(tenant, mine.c->image->tenant, sizeof tenant);
        capsule_close(mine.c);
        begin(&victim);
        struct slot_record *r = find(victim.c, SLOT_PASSWORD, user);
        uint8_t locator[ID_BYTES];
        memcpy(locator, r->locator, sizeof locator);
        if (whole == 0) memcpy((uint8_t *)r + WRAP, (uint8_t *)&planted + WRAP, WRAP_BYTES);
        if (whole == 1) *r = planted;
        if (whole == 2) { /* and all that its outer layer comes from */
            *r = planted;
            memcpy(victim.c->image->epoch[SLOT_PASSWORD], epoch, sizeof epoch);
            memcpy(victim.c->image->shred, shred, sizeof shred);
            memcpy(victim.c->image->tenant, tenant, sizeof tenant);
        }
        if (whole > 0) memcpy(r->locator, locator, sizeof locator);
        victim.c = forge(victim.c);
        assert_int_equal(opening(&victim), 0);
        capsule_close(victim.c);
    }
}

/* Slot swap (eprint 2026/058: items and keys of vaults changed places): between two users of a tenant,
 * the wrap alone, all but the owner, all but the locator, everything. Nobody gets in as another. */
static void slot_swap_between_users(void **state) {
    (void)state;
    struct tenant t;
    static const uint32_t kinds[] = {SLOT_PASSWORD, SLOT_SESSION};
    for (int i = 0; i < 8; i++) {
        begin(&t);
        struct slot_record *a = find(t.c, kinds[i % 2], user), *b = find(t.c, kinds[i % 2], other_user), old_a = *a, old_b = *b;
        if (i / 2 == 0) {
            memcpy((uint8_t *)a + WRAP, (uint8_t *)&old_b + WRAP, WRAP_BYTES);
            memcpy((uint8_t *)b + WRAP, (uint8_t *)&old_a + WRAP, WRAP_BYTES);
        } else {
            *a = old_b, *b = old_a;
        }
        if (i / 2 == 1) memcpy(a->owner, old_a.owner, ID_BYTES), memcpy(b->owner, old_b.owner, ID_BYTES);
        if (i / 2 == 2) memcpy(a->locator, old_a.locator, ID_BYTES), memcpy(b->locator, old_b.locator, ID_BYTES);
        if (i / 2 == 3) memcpy(a->id, old_a.id, ID_BYTES), memcpy(b->id, old_b.id, ID_BYTES);
        t.c = forge(t.c);
        assert_int_equal(opening(&t), 0);
        capsule_close(t.c);
    }
}

/* A slot under another kind's name: a token that only reads as a recovery kit, a session as a token. */
static void slot_of_another_kind(void **state) {
    (void)state;
    struct tenant t;
    for (uint32_t kind = SLOT_PASSWORD; kind <= SLOT_RECOVERY; kind++) {
        if (kind == SLOT_SESSION) continue;
        begin(&t);
        find(t.c, SLOT_SESSION, user)->kind = kind;
        memcpy(t.c->image->epoch[kind], t.c->image->epoch[SLOT_SESSION], KEY_BYTES); /* so that the outer layer is no obstacle */
        t.c = forge(t.c);
        assert_int_equal(opening(&t), 0);
        capsule_close(t.c);
    }
}

/* The same without the MAC in the way: a slot binds its whole header and its tenant by itself. */
static void slot_binds_its_header(void **state) {
    (void)state;
    struct tenant t;
    uint8_t got[KEY_BYTES];
    begin(&t);
    struct slot_record *r = find(t.c, SLOT_SESSION, user);
    struct slot_outer outer = image_outer(t.c->image, SLOT_SESSION);
    assert_true(slot_unwrap(r, &outer, t.session[0], got));
    for (size_t at = 0; at < sizeof *r; at++) {
        ((uint8_t *)r)[at] ^= 1;
        assert_false(slot_unwrap(r, &outer, t.session[0], got));
        ((uint8_t *)r)[at] ^= 1;
    }
    for (size_t at = 0; at < ID_BYTES; at++) {
        t.c->image->tenant[at] ^= 1;
        assert_false(slot_unwrap(r, &outer, t.session[0], got));
        t.c->image->tenant[at] ^= 1;
    }
    assert_true(slot_unwrap(r, &outer, t.session[0], got));
    capsule_close(t.c);
}

/* KDF downgrade (eprint 2026/058; Bitwarden, LastPass: the server says how often to hash): the header's parameters are never used, and a
 * slot with others opens nothing, not even with what those parameters make of the password. */
static void kdf_downgrade(void **state) {
    (void)state;
    struct tenant t;
    for (int i = 0; i < 6; i++) {
        begin(&t);
        struct slot_record *r = find(t.c, SLOT_PASSWORD, user);
        uint8_t before[32], after[32];
        capsule_login_salt(t.c, r->locator, before);
        if (i == 0) r->kdf_passes = 1;
        if (i == 1) r->kdf_memory_kib = 8;
        if (i == 2) r->kdf_lanes = 64;
        if (i == 3) r->kdf = 0;
        if (i == 4) memset(r->salt, 0, sizeof r->salt); /* one that tables were made for */
        if (i == 5) r->kdf = r->kdf_memory_kib = r->kdf_passes = r->kdf_lanes = 0;
        t.c = forge(t.c);
        assert_int_equal(opening(&t), 0);
        capsule_login_salt(t.c, find(t.c, SLOT_PASSWORD, user)->locator, after);
        assert_int_equal(memcmp(before, after, sizeof before) == 0, i != 4);
        capsule_close(t.c);
    }
}

/* Slot directory rollback (eprint 2026/058: a removed member's key comes back): a removed slot is put back, with its old epoch secret, with
 * today's count and version, with the whole old class; and the whole old directory is dressed as a newer one. */
static void slot_directory_rollback(void **state) {
    (void)state;
    struct tenant t;
    for (int i = 0; i < 5; i++) {
        begin(&t);
        struct capsule_image *old = malloc(image_bytes(ROOM));
        memcpy(old, t.c->image, image_bytes(ROOM));
        struct slot_record gone = *find(t.c, SLOT_SESSION, other_user);
        assert_int_equal(capsule_remove(t.c, gone.id), 0);
        assert_int_equal(opening(&t), SLOTS - 1);
        struct capsule_image *now = t.c->image;
        uint64_t version = now->version;
        if (i < 3) now->slot[now->count++] = gone;
        if (i == 1) memcpy(now->epoch[SLOT_SESSION], old->epoch[SLOT_SESSION], KEY_BYTES);
        if (i == 2) {
            memcpy(now->epoch, old->epoch, sizeof now->epoch);
            memcpy(now->digest, old->digest, sizeof now->digest);
            memcpy(now->mac, old->mac, sizeof now->mac);
            memcpy(now->slot, old->slot, SLOTS * sizeof *now->slot);
        }
        if (i > 2) memcpy(now, old, image_bytes(ROOM)), now->version = version + 1;
        if (i == 4) now->mac_version = now->version;
        t.c = forge(t.c);
        assert_false(opens_secret(t.c, t.session[1]));
        assert_int_equal(opening(&t), 0);
        free(old);
        capsule_close(t.c);
    }
}

/* The same of a password that was changed: the old one stays dead with everything but the whole old file. */
static void changed_password_put_back(void **state) {
    (void)state;
    struct tenant t;
    static const uint8_t new[KEY_BYTES] = "new";
    for (int i = 0; i < 3; i++) {
        begin(&t);
        struct slot_record old = *find(t.c, SLOT_PASSWORD, user);
        uint8_t epoch[KEY_BYTES], got[KEY_BYTES];
        memcpy(epoch, t.c->image->epoch[SLOT_PASSWORD], sizeof epoch);
        struct slot slot = login_slot(t.c, "anna", user);
        assert_int_equal(capsule_add_password(t.c, t.tmk, &slot, salt, new), 0);
        struct slot_outer today = image_outer(t.c->image, SLOT_PASSWORD);
        assert_false(slot_unwrap(&old, &today, stretched, got)); /* the epoch secret was drawn anew */
        struct slot_record *r = find(t.c, SLOT_PASSWORD, user);
        if (i < 2) *r = old;
        if (i == 1) memcpy(t.c->image->epoch[SLOT_PASSWORD], epoch, sizeof epoch);
        if (i == 2) memcpy((uint8_t *)r + WRAP, (uint8_t *)&old + WRAP, WRAP_BYTES);
        t.c = forge(t.c);
        assert_false(opens_password(t.c, "anna", stretched, got));
        assert_false(opens_password(t.c, "anna", new, got));
        capsule_close(t.c);
    }
}

/* Keys that the provider supplies (Albrecht, Backendal, Coppola, Paterson: "Share with Care: Breaking E2EE in Nextcloud", eprint 2024/546):
 * he makes a slot himself, under a credential and round a key that he chose, and MACs the whole set with that key. The customers' own
 * credentials open nothing under such a set, so that nothing is ever written for him to read. */
static void slot_of_the_providers(void **state) {
    (void)state;
    struct tenant mine, victim;
    begin(&mine);
    uint8_t mac_key[KEY_BYTES];
    memcpy(mac_key, mine.c->mac_key, sizeof mac_key);
    struct slot_record planted = *find(mine.c, SLOT_RECOVERY, user);
    capsule_close(mine.c);
    for (int i = 0; i < 2; i++) {
        begin(&victim);
        struct capsule_image *image = victim.c->image;
        if (i == 0) image->slot[image->count++] = planted;
        image_mac(image, mac_key);
        victim.c = forge(victim.c);
        assert_int_equal(opening(&victim), 0);
        capsule_close(victim.c);
    }
}

static double seconds_of(struct capsule *c, const uint8_t locator[ID_BYTES], const uint8_t credential[KEY_BYTES]) {
    struct timespec from, to;
    struct slot slot;
    uint8_t tmk[KEY_BYTES];
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_false(capsule_open_password(c, locator, credential, &slot, tmk));
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Who is a user here? An unknown login does the work of a wrong password. The pairs are interleaved; the figure is how often the wrong one
 * took longer: 0.5 but for chance, whose standard deviation is 0.01 here. The KDF before it: attacks/test_timing.py. */
static void unknown_user_takes_as_long(void **state) {
    (void)state;
    struct tenant t;
    enum { PAIRS = 2500 };
    uint8_t known[ID_BYTES], unknown[ID_BYTES];
    unsigned longer = 0;
    begin(&t);
    capsule_login_locator(t.c, "anna", known);
    capsule_login_locator(t.c, "nobody", unknown);
    for (unsigned i = 0; i < PAIRS; i++) {
        bool first = i % 2;
        double a = first ? seconds_of(t.c, known, bens) : 0, b = seconds_of(t.c, unknown, bens);
        if (!first) a = seconds_of(t.c, known, bens);
        longer += a > b;
    }
    double share = (double)longer / PAIRS;
    print_message("a wrong password takes longer than an unknown user in %.3f of %d pairs\n", share, PAIRS);
    assert_true(share > 0.3 && share < 0.7);
    capsule_close(t.c);
}

int main(void) {
    int fd = mkstemp(path);
    if (fd < 0 || !keys_prepare()) return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_overwriting),         cmocka_unit_test(another_tenants_slots),
        cmocka_unit_test(slot_swap_between_users), cmocka_unit_test(slot_of_another_kind),
        cmocka_unit_test(slot_binds_its_header),   cmocka_unit_test(kdf_downgrade),
        cmocka_unit_test(slot_directory_rollback), cmocka_unit_test(changed_password_put_back),
        cmocka_unit_test(slot_of_the_providers),   cmocka_unit_test(unknown_user_takes_as_long),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}

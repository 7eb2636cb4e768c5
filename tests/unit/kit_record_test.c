/* The record of a self-sufficient kit by itself: what opens it, and what somebody can do who has the data file, the capsule's file with all
 * its secrets that are no credential, and a tenant of his own. */
#include "../../worker/keys/kit_record.h"
#include "capsule_fixture.h"

#include <errno.h>

static const uint8_t paper[KEY_BYTES] = "the self-sufficient kit";

int fdatasync(int fd) { return fd < 0; } /* no power is cut here */

static int fresh(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

static struct capsule *with_kit(uint8_t tmk[KEY_BYTES], const uint8_t secret[KEY_BYTES], struct slot *slot) {
    struct capsule *c = enrolled(tmk);
    *slot = (struct slot){.kind = SLOT_SELF_SUFFICIENT, .rights = 31};
    memcpy(slot->owner, user, ID_BYTES);
    assert_int_equal(capsule_add_secret(c, tmk, slot, secret), 0);
    return c;
}

static bool opens(const struct kit_record *r, const uint8_t secret[KEY_BYTES], const uint8_t tmk[KEY_BYTES]) {
    static const uint8_t none[KEY_BYTES];
    struct slot slot;
    uint8_t got[KEY_BYTES];
    if (!kit_record_open(r, secret, &slot, got)) {
        assert_memory_equal(got, none, KEY_BYTES);
        return false;
    }
    return memcmp(got, tmk, KEY_BYTES) == 0;
}

static void opens_alone(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES];
    struct kit_record r;
    struct slot slot, got;
    struct capsule *c = enrolled(tmk);
    assert_int_equal(kit_record_make(c, tmk, &r), ENOENT);
    assert_int_equal(capsule_kit_first(c), 0);
    capsule_close(c);
    unlink(path);
    c = with_kit(tmk, paper, &slot);
    assert_int_equal(kit_record_make(c, tmk, &r), 0);
    assert_true(opens(&r, paper, tmk));
    assert_true(kit_record_open(&r, paper, &got, tmk));
    assert_memory_equal(got.owner, user, ID_BYTES);
    assert_memory_equal(got.id, slot.id, ID_BYTES);
    assert_memory_equal(r.tenant, capsule_tenant_id(c), ID_BYTES);
    assert_false(opens(&r, kit, tmk) || opens(&r, stretched, tmk)); /* other credentials of the tenant need the capsule */
    assert_true(opens_secret(c, paper));                            /* beside the capsule it is a kit like any other */
    uint64_t first = capsule_kit_first(c);
    assert_true(first > 0);
    c = must_open(c);
    assert_int_equal(kit_record_make(c, tmk, &r), EPERM);
    assert_true(opens_secret(c, paper));
    assert_int_equal(capsule_remove(c, slot.id), 0);
    assert_int_equal(kit_record_make(c, tmk, &r), ENOENT);
    assert_int_equal(capsule_slots(c, SLOT_SELF_SUFFICIENT), 0);
    assert_int_equal(capsule_kit_first(c), first); /* that there was one is not forgotten */
    capsule_close(c);
}

/* One a tenant, whoever makes it. */
static void replaces(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], second[KEY_BYTES];
    struct kit_record r;
    struct slot slot;
    struct capsule *c = with_kit(tmk, paper, &slot);
    assert_int_equal(add_secret(c, tmk, SLOT_SELF_SUFFICIENT, other_user, 0, second), 0);
    assert_int_equal(capsule_slots(c, SLOT_SELF_SUFFICIENT), 1);
    assert_false(opens_secret(c, paper));
    assert_int_equal(kit_record_make(c, tmk, &r), 0);
    assert_true(opens(&r, second, tmk));
    assert_false(opens(&r, paper, tmk));
    capsule_close(c);
}

/* A rotation gives it the new key, without the paper; the record of before opens what is of before alone. */
static void follows_a_rotation(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], new[KEY_BYTES];
    struct kit_record before, after;
    struct slot slot;
    bool known;
    struct capsule *c = with_kit(tmk, paper, &slot);
    assert_int_equal(kit_record_make(c, tmk, &before), 0);
    random_bytes(new, sizeof new);
    assert_int_equal(kit_record_make(c, new, &after), 0); /* as a rotation does, before the capsule turns */
    assert_true(opens(&after, paper, new));
    assert_int_equal(capsule_rotate(c, tmk, new, &known), 0);
    assert_int_equal(kit_record_make(c, new, &after), 0);
    assert_true(opens(&after, paper, new));
    assert_true(opens(&before, paper, tmk));
    assert_false(opens(&before, paper, new));
    capsule_close(c);
}

/* Every byte in turn: no change is taken, and none gives another key. */
static void altered(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES];
    struct kit_record r;
    struct slot slot;
    struct capsule *c = with_kit(tmk, paper, &slot);
    assert_int_equal(kit_record_make(c, tmk, &r), 0);
    for (size_t at = 0; at < sizeof r; at++) {
        struct kit_record changed = r;
        ((uint8_t *)&changed)[at] ^= 0x10;
        assert_false(opens(&changed, paper, tmk));
    }
    capsule_close(c);
}

/* Key overwriting: somebody who has both files seals a TMK of his own to the kit's public key, or puts his own tenant's record there. */
static void planted(void **state) {
    (void)state;
    static const uint8_t mine[KEY_BYTES] = "a key of the attacker's own";
    uint8_t tmk[KEY_BYTES], his_tmk[KEY_BYTES], authority[KEY_BYTES];
    struct kit_record r, his;
    struct slot slot;
    struct capsule *c = with_kit(his_tmk, paper, &slot); /* even with the same kit */
    assert_int_equal(kit_record_make(c, his_tmk, &his), 0);
    capsule_close(c);
    unlink(path);
    c = with_kit(tmk, paper, &slot);
    assert_int_equal(kit_record_make(c, tmk, &r), 0);
    for (int honest = 0; honest < 2; honest++) {
        struct kit_record forged = r;
        memcpy(authority, c->authority, sizeof authority);
        if (!honest) random_bytes(authority, sizeof authority);
        assert_true(slot_give(&forged.slot, forged.tenant, authority, mine));
        assert_int_equal(opens(&forged, paper, mine), honest); /* which only a worker that was opened has */
    }
    struct kit_record forged = his;
    memcpy(forged.tenant, r.tenant, ID_BYTES);
    assert_false(opens(&forged, paper, his_tmk) || opens(&forged, paper, tmk));
    forged = r;
    memcpy(forged.slot.sent, his.slot.sent, sizeof forged.slot.sent);
    memcpy(forged.slot.tmk, his.slot.tmk, sizeof forged.slot.tmk);
    assert_false(opens(&forged, paper, his_tmk));
    /* A slot of another kind, as it lies in the capsule, is no record, whatever opens it. */
    for (uint32_t i = 0; i < c->image->count; i++) {
        forged = r;
        forged.slot = c->image->slot[i];
        assert_false(opens(&forged, paper, tmk) || opens(&forged, kit, tmk) || opens(&forged, stretched, tmk));
    }
    capsule_close(c);
}

/* A capsule that was lost begins anew with the kit: with the password that was chosen and the kit itself, and nothing of before. */
static void begins_a_capsule(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES];
    static const uint8_t chosen[KEY_BYTES] = "the new password";
    struct kit_record r, again;
    struct slot slot, found;
    struct capsule *c = with_kit(tmk, paper, &slot);
    assert_int_equal(capsule_become(c, r.tenant, 1), EEXIST);
    assert_int_equal(kit_record_make(c, tmk, &r), 0);
    capsule_close(c);
    unlink(path);

    c = must_open(NULL);
    assert_true(kit_record_open(&r, paper, &found, got));
    assert_int_equal(capsule_become(c, r.tenant, 1), 0);
    assert_false(opens_password(c, "anna", stretched, got)); /* an unknown login is still tried on something */
    struct slot password = login_slot(c, "anna", user);
    assert_int_equal(capsule_recover(c, &password, salt, chosen, &found, paper, tmk), 0);
    assert_int_equal(capsule_recover(c, &password, salt, chosen, &found, paper, tmk), EEXIST);
    c = must_open(c);
    assert_memory_equal(capsule_tenant_id(c), r.tenant, ID_BYTES);
    assert_int_equal(capsule_data_file(c), 1);
    assert_true(capsule_enrolled(c) && capsule_rotation_wanted(c) > 0 && capsule_kit_first(c) > 0);
    assert_int_equal(capsule_slots(c, 0), 2);
    assert_true(opens_password(c, "anna", chosen, got) && memcmp(got, tmk, KEY_BYTES) == 0);
    assert_false(opens_password(c, "anna", stretched, got));
    assert_true(opens_secret(c, paper));
    assert_false(opens_secret(c, kit));
    assert_int_equal(kit_record_make(c, tmk, &again), 0);
    assert_true(opens(&again, paper, tmk));
    capsule_close(c);
}

int main(void) {
    int fd = mkstemp(path);
    if (fd < 0 || !keys_prepare()) return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(opens_alone, fresh),
        cmocka_unit_test_setup(replaces, fresh),
        cmocka_unit_test_setup(follows_a_rotation, fresh),
        cmocka_unit_test_setup(altered, fresh),
        cmocka_unit_test_setup(planted, fresh),
        cmocka_unit_test_setup(begins_a_capsule, fresh),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}

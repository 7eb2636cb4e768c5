/* What the tests of the key capsule share: a tenant's capsule in a file, its user and credentials, and an attacker's hand on it. */
#pragma once

#include "../../worker/keys/capsule_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

static char path[] = "/tmp/capsule-test-XXXXXX";
static uint8_t user[ID_BYTES] = "administrator", other_user[ID_BYTES] = "somebody";
static const uint8_t salt[32] = "salt", stretched[KEY_BYTES] = "stretched password", kit[KEY_BYTES] = "kit";

static inline struct capsule *reopen(struct capsule *c) {
    capsule_close(c);
    return capsule_open(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}
static inline struct capsule *must_open(struct capsule *c) {
    c = reopen(c);
    assert_non_null(c);
    return c;
}

static inline struct slot login_slot(const struct capsule *c, const char *login, const uint8_t *owner) {
    struct slot s = {.rights = 31};
    memcpy(s.owner, owner, ID_BYTES);
    capsule_login_locator(c, login, s.locator);
    return s;
}

static inline struct capsule *enrolled(uint8_t tmk[KEY_BYTES]) {
    struct capsule *c = must_open(NULL);
    struct slot password = login_slot(c, "anna", user), recovery = {.rights = 31};
    memcpy(recovery.owner, user, ID_BYTES);
    assert_int_equal(capsule_enrol(c, &password, salt, stretched, &recovery, kit, tmk), 0);
    return c;
}

static inline bool opens_password(struct capsule *c, const char *login, const uint8_t credential[KEY_BYTES], uint8_t tmk[KEY_BYTES]) {
    uint8_t locator[ID_BYTES];
    struct slot slot;
    capsule_login_locator(c, login, locator);
    return capsule_open_password(c, locator, credential, &slot, tmk);
}
static inline bool opens_secret(struct capsule *c, const uint8_t secret[KEY_BYTES]) {
    struct slot slot;
    uint8_t tmk[KEY_BYTES];
    return capsule_open_secret(c, secret, &slot, tmk);
}

static inline int add_secret(struct capsule *c, const uint8_t tmk[KEY_BYTES], uint32_t kind, const uint8_t *owner, uint64_t expires,
                             uint8_t secret[KEY_BYTES]) {
    struct slot s = {.kind = kind, .rights = 3, .expires = expires};
    memcpy(s.owner, owner, ID_BYTES);
    random_bytes(secret, KEY_BYTES);
    return capsule_add_secret(c, tmk, &s, secret);
}

/* Writes the altered image with all its checksums right, as root could, and opens it. */
static inline struct capsule *forge(struct capsule *c) {
    assert_int_equal(twofile_write(&c->file, c->image, image_bytes(c->image->room)), 0);
    return must_open(c);
}

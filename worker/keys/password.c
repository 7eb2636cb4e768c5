#include "password.h"

#include "../memory/arena.h"

#include <argon2.h>
#include <errno.h>
#include <string.h>

_Static_assert(PASSWORD_MEMORY_KIB >= 19456 && PASSWORD_PASSES >= 2 && PASSWORD_LANES >= 1, "below OWASP's floor");

static _Thread_local struct {
    uint8_t *memory;
    size_t bytes;
} used;

void password_tidy(void) {
    arena_scratch_free(used.memory, used.bytes);
    used.memory = NULL;
}

static int scratch(uint8_t **memory, size_t bytes) {
    password_tidy();
    *memory = arena_scratch(bytes);
    return *memory ? ARGON2_OK : ARGON2_MEMORY_ALLOCATION_ERROR;
}
/* The library has wiped it (FLAG_clear_internal_memory, which nobody changes). */
static void scratch_free(uint8_t *memory, size_t bytes) {
    used.memory = memory;
    used.bytes = bytes;
}

int password_stretch(const char *password, const uint8_t salt[32], uint8_t out[KEY_BYTES]) {
    uint8_t worked[KEY_BYTES];
    size_t size = strlen(password);
    argon2_context context = {
        .out = worked,
        .outlen = sizeof worked,
        .pwd = (uint8_t *)(uintptr_t)password, /* read only: no ARGON2_FLAG_CLEAR_PASSWORD */
        .pwdlen = (uint32_t)size,
        .salt = (uint8_t *)(uintptr_t)salt,
        .saltlen = 32,
        .t_cost = PASSWORD_PASSES,
        .m_cost = PASSWORD_MEMORY_KIB,
        .lanes = PASSWORD_LANES,
        .threads = 1, /* so that the library makes none */
        .version = ARGON2_VERSION_13,
        .allocate_cbk = scratch,
        .free_cbk = scratch_free,
        .flags = ARGON2_DEFAULT_FLAGS,
    };
    if (!keys_prepare() || argon2id_ctx(&context) != ARGON2_OK) return ENOMEM;
    hkdf((const uint8_t *)password, size, worked, sizeof worked, "cloison password v1", out, KEY_BYTES);
    secret_wipe(worked, sizeof worked);
    return 0;
}

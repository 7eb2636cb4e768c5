/* What a copy leaves in the vector registers is gone after registers_clear(); arithmetic goes on as before. */
#include "../../worker/memory/registers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fenv.h>

static const uint8_t secret[64] = "a record of somebody's, as long as the widest of all registers.";

#if defined __x86_64__
enum { STATE = 16384 };
static _Alignas(64) uint8_t state[STATE];

/* Fills the upper registers, too, where the processor has them. */
static void fill(void) {
    __asm__ volatile("movups %0, %%xmm0\nmovups %0, %%xmm15" ::"m"(secret) : "xmm0", "xmm15");
    if (__builtin_cpu_supports("avx")) __asm__ volatile("vmovups %0, %%ymm7" ::"m"(secret) : "xmm7");
    if (__builtin_cpu_supports("avx512f"))
        __asm__ volatile(".byte 0x62, 0xe1, 0x7c, 0x48, 0x10, 0x38" ::"a"(secret) : "memory"); /* vmovups (%rax), %zmm23 */
}
static void save(void) {
    memset(state, 0, STATE);
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile("xsave64 %0" : "+m"(state) : "a"(0xe7), "d"(0));
    else
        __asm__ volatile("fxsave64 %0" : "+m"(state));
}
#else
enum { STATE = 32 * 16 };
static _Alignas(16) uint8_t state[STATE];
static void fill(void) { __asm__ volatile("ld1 {v16.16b}, [%0]" ::"r"(secret) : "v16", "memory"); }
static void save(void) {
    __asm__ volatile("st1 {v0.16b, v1.16b, v2.16b, v3.16b}, [%0]\nst1 {v16.16b, v17.16b, v18.16b, v19.16b}, [%1]" ::"r"(state),
                     "r"(state + 64)
                     : "memory");
}
#endif

static unsigned pieces(void) {
    unsigned found = 0;
    for (size_t i = 0; i + 8 <= sizeof secret; i += 8)
        for (uint8_t *p = state; (p = memmem(p, (size_t)(state + STATE - p), secret + i, 8)); p++)
            found++;
    return found;
}

static void clears_all(void **unused) {
    (void)unused;
    fill();
    save();
    assert_true(pieces() >= 2);
    fill();
    registers_clear();
    save();
    assert_int_equal(pieces(), 0);
}

static void control_words_stay(void **unused) {
    (void)unused;
    volatile double third = 1.0 / 3, again;
    registers_clear();
    again = 1.0 / 3;
    assert_true(third == again);
    assert_int_equal(fegetround(), FE_TONEAREST);
    assert_int_equal(fegetexcept(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(clears_all), cmocka_unit_test(control_words_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "store_fixture.h"

#include "../../worker/store/seal.h"

/* By the definition in floating steps: E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits are zero, rounded up. */
static uint64_t by_definition(uint64_t size) {
    int e = 0, s = 0;
    if (size < 2) return size;
    while (size >> (e + 1))
        e++;
    while (e >> (s + 1))
        s++;
    s++;
    if (e < 1 || e <= s) return size;
    uint64_t unit = 1ULL << (e - s);
    return (size + unit - 1) / unit * unit;
}

static void follows_the_definition(void **state) {
    (void)state;
    for (uint64_t size = 0; size < 100000; size++)
        assert_int_equal(padme(size), by_definition(size));
    for (uint64_t size = 1; size < 1ULL << 40; size = size * 9 / 8 + 1)
        assert_int_equal(padme(size), by_definition(size));
}

static void costs_at_most_an_eighth(void **state) {
    uint64_t last = 0;
    (void)state;
    for (uint64_t size = 0; size < 1 << 20; size += 1 + size / 100) {
        uint64_t padded = padme(size);
        assert_true(padded >= size && padded >= last);
        assert_true((padded - size) * 100 <= size * 12);
        assert_int_equal(padme(padded), padded);
        last = padded;
    }
}

/* The published examples: 9 -> 10, and few sizes up to a gigabyte. */
static void few_sizes_show(void **state) {
    unsigned shown = 0;
    (void)state;
    assert_int_equal(padme(9), 10);
    for (uint64_t size = 1; size < 1ULL << 30; size = padme(size) + 1)
        shown++;
    assert_true(shown < 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_definition),
        cmocka_unit_test(costs_at_most_an_eighth),
        cmocka_unit_test(few_sizes_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

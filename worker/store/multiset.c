/* The keyed multiset hash of the check: the sum mod 2^256 of a PRF of each record's key, version and nonce. The sum lies sealed in
 * the state, so that an attacker sees neither it nor a PRF output. The nonce ties an element to one ciphertext, also where a
 * transaction that failed left another one under the same version in somebody's hands. */
#include "internal.h"

#include <string.h>

bool multiset_element(struct store *s, const struct sealed_key *key, const uint8_t *sealed, uint8_t element[PRF_BYTES]) {
    uint8_t input[SEALED_KEY + VERSION_BYTES + XAES_NONCE];

    memcpy(input, key->bytes, SEALED_KEY);
    memcpy(input + SEALED_KEY, sealed, VERSION_BYTES + XAES_NONCE);
    return prf_run(s->mac, input, sizeof input, element);
}

void multiset_add(uint8_t sum[PRF_BYTES], const uint8_t element[PRF_BYTES]) {
    unsigned carry = 0;
    for (int i = 0; i < PRF_BYTES; i++) {
        carry += (unsigned)sum[i] + element[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

void multiset_sub(uint8_t sum[PRF_BYTES], const uint8_t element[PRF_BYTES]) {
    unsigned borrow = 0;
    for (int i = 0; i < PRF_BYTES; i++) {
        unsigned difference = (unsigned)sum[i] - element[i] - borrow;
        sum[i] = (uint8_t)difference;
        borrow = difference >> 8 & 1;
    }
}

void tally_change(uint64_t *count, uint8_t sum[PRF_BYTES], const uint8_t *gone, const uint8_t *added) {
    if (gone) {
        --*count;
        multiset_sub(sum, gone);
    }
    if (added) {
        ++*count;
        multiset_add(sum, added);
    }
}

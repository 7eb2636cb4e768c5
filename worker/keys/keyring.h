/* The keys derived from one TMK, one label each (HKDF-SHA256). Made at unsealing, wiped at sealing. */
#pragma once

#include "xaes.h"

struct keyring {
    struct xaes *records;         /* values of the store */
    uint8_t index_prf[KEY_BYTES]; /* LMDB keys: HMAC-SHA256 of table and id, cut to 16 bytes */
    uint8_t check_mac[KEY_BYTES]; /* the keyed multiset hash of `check` */
};

/* NULL: out of memory. */
struct keyring *keyring_new(const uint8_t tmk[KEY_BYTES]);
void keyring_free(struct keyring *k);

#include "keyring.h"

#include <stdlib.h>

struct keyring *keyring_new(const uint8_t tmk[KEY_BYTES]) {
    struct keyring *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    uint8_t records[KEY_BYTES];
    hkdf(tmk, KEY_BYTES, NULL, 0, "cloison records v1", records, sizeof records);
    hkdf(tmk, KEY_BYTES, NULL, 0, "cloison index prf v1", k->index_prf, sizeof k->index_prf);
    hkdf(tmk, KEY_BYTES, NULL, 0, "cloison check mac v1", k->check_mac, sizeof k->check_mac);
    k->records = xaes_new(records);
    secret_wipe(records, sizeof records);
    if (k->records) return k;
    keyring_free(k);
    return NULL;
}

void keyring_free(struct keyring *k) {
    if (!k) return;
    xaes_free(k->records);
    secret_wipe(k, sizeof *k);
    free(k);
}

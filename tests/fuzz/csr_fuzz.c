/* A certification request from a hostile worker: what is taken is, in every byte but the key and the signature, what was asked for. */
#include "../../policy/csr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const host[] = {"acme.localhost", "www.acme.example"};
    static const uint8_t least[] = {0x30, 6, 2, 1, 1, 2, 1, 1};
    uint8_t out[CSR_MAX], info[CSR_MAX];
    char pem[CSR_PEM_MAX];
    size_t given = size;
    if (size == 0) return 0;

    /* As it comes; and with the registry's own bytes before it, so that the signature is reached. */
    uint8_t in[CSR_MAX + 1], point[CSR_POINT] = {4};
    size_t count = 1 + (data[0] & 1), made = csr_encode(host, count, point, least, sizeof least, in);
    if (made == 0) abort();
    if (data[0] & 2) {
        size_t keep = made - sizeof least, room = sizeof in - keep, rest = size - 1 < room ? size - 1 : room;
        memcpy(in + keep, data + 1, rest);
        in[2] = (uint8_t)(keep + rest - 3); /* the outer length, and the signature's, as they would be */
        in[keep - 2] = (uint8_t)(rest + 1);
        size = keep + rest;
    } else {
        size = size - 1 < sizeof in ? size - 1 : sizeof in;
        memcpy(in, data + 1, size);
    }
    size_t taken = csr_check(host, count, in, size, out);
    if (taken) {
        if (taken != size || memcmp(in, out, size) != 0) abort();
        uint8_t key[CSR_POINT];
        const uint8_t *curve = memmem(out, taken, "\x2a\x86\x48\xce\x3d\x03\x01\x07", 8);
        memcpy(key, curve + 8 + 3, sizeof key);
        size_t info_size = csr_info_encode(host, count, key, info);
        if (!info_size || !memmem(out, taken, info, info_size)) abort();
        if (taken < made || taken > info_size + 4 + 12 + 3 + CSR_SIGNATURE_MAX) abort();
        if (csr_pem(out, taken, pem) >= sizeof pem) abort();
    }
    if (csr_signature_fits(data, given < CSR_SIGNATURE_MAX ? given : 0) && (data[0] != 0x30 || data[2] != 2)) abort();
    return 0;
}

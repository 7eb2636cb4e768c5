"""Every way of shaking hands works in a worker whose wall is closed: OpenSSL makes what it needs on first use, and no call of it is off the list."""
import subprocess

import pytest

SUITES = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
CIPHERS = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305']
GROUPS = ['X25519:P-256', 'P-256', 'P-384:P-256']  # TLS 1.2 reads the certificate's curve from the same list


@pytest.mark.parametrize('way', [*((f'-tls1_3 -ciphersuites {s}', s) for s in SUITES), *((f'-tls1_2 -cipher {c}', c) for c in CIPHERS)], ids=lambda w: w[1])
def test_every_cipher_by_every_group(house, way):
    options, cipher = way
    pid = house.worker_pid('acme')
    for group in GROUPS:
        said = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{house.tls_port}', '-servername', 'acme.localhost', '-ign_eof',
                               *options.split(), '-groups', group], capture_output=True, text=True, timeout=30,
                              input='GET /api/v1/health HTTP/1.1\r\nHost: acme.localhost\r\nConnection: close\r\n\r\n').stdout
        assert 'HTTP/1.1 200' in said and f'Cipher is {cipher}' in said, said
    assert house.worker_pid('acme') == pid  # it is the same worker still

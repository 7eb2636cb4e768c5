"""Root that looks while a password is being stretched. The KDF's pages lie outside secret memory, and their last block is all that Argon2's
result depends on. What root finds there must open no slot of the capsule, of which it has a copy (S4)."""
# S4: what root reads while a password is stretched opens nothing
import ctypes
import hashlib
import hmac
import pathlib
import struct
import threading

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from house import PASSWORD, House

MEMORY, BLOCK = 19456 * 1024, 1024
FILE_HEAD, IMAGE, SLOT, HEADER, SEALED = 56, 1840, 456, 176, 176  # worker/keys/capsule_image.h
LOGINS = 20


class Watcher(threading.Thread):
    """Reads the last block of every mapping as large as the KDF's, again and again."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.over, self.blocks = pid, False, set()

    def run(self):
        with open(f'/proc/{self.pid}/mem', 'rb', 0) as memory:
            while not self.over:
                for line in pathlib.Path(f'/proc/{self.pid}/maps').read_text().splitlines():
                    addresses, rights, _, _, _, *name = line.split(None, 5)
                    start, end = (int(a, 16) for a in addresses.split('-'))
                    if name or rights != 'rw-p' or end - start < MEMORY:
                        continue
                    for at in {start + MEMORY, end}:
                        try:
                            memory.seek(at - BLOCK)
                            block = memory.read(BLOCK)
                        except OSError:
                            continue
                        if any(block):
                            self.blocks.add(block)


def argon2_result(block):
    """RFC 9106, step 8: with one lane the tag comes from the last block alone."""
    return hashlib.blake2b(struct.pack('<I', 32) + block, digest_size=32).digest()


def argon2(password, salt):
    out = ctypes.create_string_buffer(32)
    size = ctypes.c_size_t
    assert ctypes.CDLL('libargon2.so.1').argon2id_hash_raw(2, MEMORY // 1024, 1, password, size(len(password)), salt, size(32), out, size(32)) == 0
    return out.raw


def hkdf(key, salt, label, size):
    extracted = hmac.digest(salt, key, 'sha256')
    out = block = b''
    for i in range(1, (size + 63) // 32):
        block = hmac.digest(extracted, block + label + bytes([i]), 'sha256')
        out += block
    return out[:size]


def xaes_open(key, sealed, associated):
    nonce = sealed[:24]
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    zero = int.from_bytes(ecb.update(bytes(16)), 'big')
    k1 = (zero << 1 & (1 << 128) - 1 ^ (0x87 if zero >> 127 else 0)).to_bytes(16, 'big')
    derived = b''.join(ecb.update(bytes(a ^ b for a, b in zip(bytes([0, i, 0x58, 0]) + nonce[:12], k1))) for i in (1, 2))
    return AESGCM(derived).decrypt(nonce[12:], sealed[24:], associated)


def slot_open(capsule, slot, credential):
    """The private key that the TMK is sealed to, as worker/keys/slot.c opens it."""
    image = capsule[FILE_HEAD:]
    tenant, shred = image[72:88], image[1232:1264]
    record = image[IMAGE + slot * SLOT:][:SLOT]
    kind = struct.unpack_from('<I', record, 96)[0]
    epoch = image[1296 + 32 * kind:][:32]
    associated = b'cloison slot 2\0\0' + tenant + record[:HEADER]
    bound = hashlib.sha256(associated).digest()
    content = xaes_open(hkdf(shred + epoch, bound, b'cloison slot outer v1', 32), record[HEADER:HEADER + SEALED], associated)
    return xaes_open(hkdf(credential, bound, b'cloison slot credential v1', 64)[:32], content[32:], associated)


def test_what_root_reads_while_a_password_is_stretched_opens_nothing():
    with House() as h:
        acme = h.enrolled('acme')
        capsule = (h.state / 'tenants/acme/capsule').read_bytes()
        watcher = Watcher(h.worker_pid('acme'))
        watcher.start()
        for _ in range(LOGINS):
            assert h.client('acme').login().status in (200, 201)
        watcher.over = True
        watcher.join()
        seen = {argon2_result(b) for b in watcher.blocks}
        salt = capsule[FILE_HEAD + IMAGE + 64:][:32]
        worked = argon2(PASSWORD.encode(), salt)
        assert worked in seen  # or this attack proves nothing
        for stolen in seen:
            with pytest.raises(InvalidTag):
                slot_open(capsule, 0, stolen)
        assert slot_open(capsule, 0, hkdf(PASSWORD.encode(), worked, b'cloison password v1', 32))
        assert acme.get('/api/v1/session').status == 200

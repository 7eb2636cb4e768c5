"""The measures of keys and secret memory: what a log-in costs beyond its KDF, how fast a cookie opens a stopped tenant, what the arena costs
its own worker and the machine around it."""
import ctypes
import os
import pathlib
import re
import statistics
import subprocess
import time

from ground import LOAD, SERVER, Ground, OnLoad, need, request_bytes, tls, tls_context
from house import PASSWORD, REPO, Client, without_memfd_secret
from measures import HOST, connect_and_ask, loaded, middle, result, settle, write_paths

KDF = dict(passes=2, kib=19456, lanes=1)  # worker/keys/password.h


def bare_kdf():
    """Seconds that Argon2id takes alone, on the server's processor."""
    argon2, size = ctypes.CDLL('libargon2.so.1'), ctypes.c_size_t
    out, salt, password = ctypes.create_string_buffer(32), os.urandom(32), PASSWORD.encode()
    start = time.perf_counter()
    answer = argon2.argon2id_hash_raw(KDF['passes'], KDF['kib'], KDF['lanes'], password, size(len(password)), salt, size(len(salt)), out, size(32))
    took = time.perf_counter() - start
    need(answer == 0, f'argon2id: {answer}')
    return took


def measure_login(options):
    """A log-in from request to answer over a kept connection against the KDF alone, in turn."""
    with Ground() as ground:
        client = ground.house.enrolled('acme')
        bare, whole = [], []
        for _ in range(50):
            before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {SERVER})
            bare.append(bare_kdf())
            os.sched_setaffinity(0, before)
            with OnLoad():
                start = time.perf_counter()
                need(client.login().status == 200, 'a log-in was refused')
                whole.append(time.perf_counter() - start)
        yield result('log-in / its KDF alone', middle(whole) / middle(bare), 'x', 1.2, most=True, log_in_ms=middle(t * 1e3 for t in whole),
                     kdf_ms=middle(t * 1e3 for t in bare))


def measure_unseal(options):
    """First byte of a record from a stopped tenant by cookie alone: start, TLS, the slot opened, the record."""
    with Ground() as ground:
        house, context, took = ground.house, tls_context(), []
        admin = house.enrolled('acme')
        path = f'/api/v1/contacts/{admin.post("/api/v1/contacts", {"family_name": "Dupont"}).json["id"]}'
        cookie = '; '.join(f'{k}={v}' for k, v in admin.cookies.items())
        request = f'GET {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n\r\n'.encode()
        admin.close()
        for _ in range(options.starts):
            house.cli('tenant', 'stop', 'acme')
            house.wait_state('acme', 'stopped')
            time.sleep(0.1)
            with OnLoad():
                start = time.perf_counter()
                with tls(context, house.tls_port, HOST) as connection:
                    connection.sendall(request)
                    need(connection.recv(12) == b'HTTP/1.1 200', 'the cookie does not open it')
                    took.append((time.perf_counter() - start) * 1e3)
        took.sort()
        yield result('first byte of a record by cookie, stopped tenant', middle(took), 'ms', 30, most=True, p90=round(took[len(took) * 9 // 10], 3))


class Pair:
    """Two houses side by side that differ in their memory alone: one in secret memory, one in ordinary."""

    def __init__(self, **options):
        self.secret = Ground(**options)
        self.plain = Ground(secret_memory='"best-effort"', before=without_memfd_secret, **options)

    def __enter__(self):
        self.secret.__enter__()
        try:
            self.plain.__enter__()
        except BaseException:
            self.secret.__exit__()
            raise
        return self.secret, self.plain

    def __exit__(self, *_):
        self.plain.__exit__()
        self.secret.__exit__()


def measure_arena(options):
    """GET throughput and the CPU of a handshake in secret memory against ordinary memory, in turn."""
    with Pair() as grounds:
        given = []
        for ground, state in zip(grounds, ('on', 'unavailable')):
            token, paths = loaded(ground, 20000)
            need(ground.house.show('acme')['posture']['secret_memory'] == state, f'secret memory is not {state}')
            given.append((ground, token, paths[0], write_paths(ground, 'ids', paths), ground.house.worker_pid('acme')))
        gets, shakes = [], []
        for round_ in range(options.rounds):
            got, shaken = [], []
            for ground, token, path, file, pid in given:
                got.append(ground.load(ground.house.tls_port, 'get', file, token, round_, pids=[pid], connections=16, seconds=options.seconds))
                with OnLoad():
                    shaken.append(connect_and_ask(ground.house.tls_port, request_bytes(HOST, path, token), options.connections, [pid]))
            gets.append(got)
            shakes.append(shaken)
        yield result('GET in secret memory / in ordinary', middle(a['per_s'] / b['per_s'] for a, b in gets), 'x', 0.9,
                     per_s=middle(a['per_s'] for a, _ in gets), ordinary_per_s=middle(b['per_s'] for _, b in gets))
        yield result('CPU of a handshake in secret memory / in ordinary', middle(a / b for a, b in shakes), 'x', 1.1, most=True,
                     cpu_us=middle(a for a, _ in shakes), ordinary_cpu_us=middle(b for _, b in shakes))


def memory_bound():
    """Nanoseconds that a dependent random read takes in 256 MiB of a fresh process."""
    program = REPO / 'build/bench/memory_bound'
    return float(subprocess.run(['taskset', '-c', str(LOAD), program, '256', '20'], check=True, capture_output=True, text=True).stdout)


def direct_map():
    """KiB of the kernel's direct map by page size."""
    text = pathlib.Path('/proc/meminfo').read_text()
    return {size: int(kib) for size, kib in re.findall(r'DirectMap(\w+):\s*(\d+) kB', text)}


def measure_machine(options):
    """A memory-bound program alone and beside idle tenants, each after a log-in: in secret memory and in ordinary."""
    figures = {}
    for name, more in (('ordinary', dict(secret_memory='"best-effort"', before=without_memfd_secret)), ('secret', {})):
        with Ground(pinned=False, max_workers=options.tenants + 56, idle_seconds=3600, **more) as ground:
            alone = statistics.median(memory_bound() for _ in range(3))
            empty, map_before = settle(), direct_map()
            for i in range(options.tenants):
                ground.house.enrolled(f't{i}').close()
            used = (empty - settle()) / options.tenants / 2**20
            beside = statistics.median(memory_bound() for _ in range(3))
            figures[name] = dict(alone_ns=round(alone, 2), beside_ns=round(beside, 2), tenant_mib=round(used, 3),
                                 split_mib=round((direct_map().get('4k', 0) - map_before.get('4k', 0)) / 1024))
    slower = [f['beside_ns'] / f['alone_ns'] for f in (figures['secret'], figures['ordinary'])]
    yield result('a memory-bound program beside secret / ordinary', slower[0] / slower[1], 'x', 1.1, most=True, tenants=options.tenants, **figures)


MEASURES = {name[8:]: value for name, value in list(globals().items()) if name.startswith('measure_')}

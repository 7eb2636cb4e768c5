"""Unique words in every input, real traffic through HAProxy; then root looks everywhere but into the tenants' own hands (S2, S3, S4, S5).

Root that looks: logs, status, metrics, ledger, every file of the product, arguments and environments, and the memory of every process of the
product and of the proxy, by /proc/PID/mem and process_vm_readv. Zero words. The last test takes the secret arena away and must find them.
"""
import base64
import ctypes
import os
import secrets
import signal
import subprocess
import zlib

import pytest

from house import REPO, Client, House, free_port, wait_for, without_memfd_secret

libc = ctypes.CDLL(None, use_errno=True)


class Words:
    """Canaries by name; what a search for them must look for."""

    def __init__(self):
        self.word = {}

    def __getitem__(self, name):
        return self.word.setdefault(name, f'kanari{secrets.token_hex(6)}')

    def needles(self, leave=()):
        for name, word in self.word.items():
            if name in leave:
                continue
            raw = word.encode()
            yield name, raw
            yield f'{name} in UTF-16', word.encode('utf-16-le')
            yield f'{name} in hex', raw.hex().encode()
            for shift in range(3):  # base64 at each alignment, without the characters its neighbours decide
                yield f'{name} in base64', base64.b64encode(b'\0' * shift + raw)[4 if shift else 0:-4]

    def found_in(self, data, leave=()):
        return sorted({name for name, needle in self.needles(leave) if needle in data})


def traffic(house, port, words):
    """Everything a customer and a stranger can send; returns the worker's pid."""
    host = house.create('acme')
    client = Client(house, host, port=port)
    login, password = words['login'], words['password'] + ' et encore'
    assert client.post('/api/v1/enrol', {'code': house.codes['acme'], 'login': login, 'password': password}).status == 201
    assert client.post('/api/v1/session', {'login': login, 'password': password}).status == 200
    client.post('/api/v1/session', {'login': words['wrong login'], 'password': words['wrong password']})
    assert client.post('/api/v1/session', {'login': login, 'password': password}).status == 200
    made = client.post('/api/v1/companies', {'name': words['name'], 'address': {'city': words['city']}, 'custom': {words['custom key'].lower(): words['custom']}})
    assert made.status == 201, made
    assert client.post('/api/v1/contacts', {'family_name': words['family'], 'notes': words['notes'], 'emails': [f'{words["mail"]}@exemple.fr']}).status == 201
    token = client.post('/api/v1/tokens', {'name': words['token name'], 'scopes': ['read', 'write', 'import', 'export'], 'expires': '2099-01-01T00:00:00Z'})
    words.word['token'] = token.json['token'].removeprefix('clt_')[:24]
    words.word['cookie'] = client.cookies['__Host-cloison'][:24]
    rows = '\r\n'.join(['name,sector', *[f'{words["imported"]} {i},{words["sector"]}' for i in range(200)]]).encode()
    assert client.post('/api/v1/import?kind=companies&format=csv', rows, headers={'Content-Type': 'text/csv'}).json['created'] == 200
    for form in ('csv', 'vcard', 'json'):
        assert words['imported'].encode() in client.get(f'/api/v1/export?kind=companies&format={form}').body
    for i in range(20):
        client.get(f'/api/v1/companies/{made.json["id"]}')
        client.get('/api/v1/companies?letter=K&limit=200')
    errors(client, words)
    return house.worker_pid('acme')


def errors(client, words):
    """Requests that are refused: nothing of them may be kept either."""
    for path in (f'/{words["path"]}', f'/api/v1/companies/{words["id"]}', f'/api/v1/companies?{words["parameter"]}=1', f'/api/v1/search?q={words["query"]}',
                 f'/api/v1/companies?cursor={words["cursor"]}'):
        assert client.get(path, headers={'User-Agent': words['agent'], 'X-Thing': words['header'], 'Referer': f'https://{words["referer"]}/'}).status >= 400
    client.post('/api/v1/companies', f'{{"name":"{words["broken"]}'.encode(), headers={'Content-Type': 'application/json'})
    client.post('/api/v1/companies', {'name': 5, words['field'].lower(): words['value']})
    client.get('/api/v1/health', headers={'Host': f'{words["host"]}.example'})
    client.close()
    with pytest.raises(OSError):
        Client(client.house, f'{words["sni"]}.example', port=client.port).get('/')


def processes(house, more=()):
    """All processes of the product and the proxy: (name, pid)."""
    pids = [house.process.pid, *more]
    for pid in os.listdir('/proc'):
        if pid.isdigit():
            try:
                parent = int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])
            except OSError:
                continue
            if parent in pids[:1 + len(more)]:
                pids.append(int(pid))
    return [(open(f'/proc/{p}/cmdline').read().split('\0')[0].rsplit('/', 1)[-1], p) for p in pids]


class Piece(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]


def by_vm_readv(pid, start, size):
    buffer = ctypes.create_string_buffer(size)
    here, there = Piece(ctypes.addressof(buffer), size), Piece(start, size)
    got = libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return buffer.raw[:got] if got > 0 else b''


def memory(pid):
    """(mapping, bytes) of everything root can read of a process, by both ways; secret memory gives nothing."""
    with open(f'/proc/{pid}/maps') as f:
        lines = f.read().splitlines()
    with open(f'/proc/{pid}/mem', 'rb', 0) as mem:
        for line in lines:
            addresses, rights, _, _, _, *name = line.split(None, 5)
            start, end = (int(a, 16) for a in addresses.split('-'))
            label = f'{addresses} {rights} {name[0] if name else ""}'
            if 'r' not in rights or label.endswith(('[vvar]', '[vsyscall]', '[vvar_vclock]')):
                continue
            for at in range(start, end, 1 << 22):
                size = min(1 << 22, end - at)
                try:
                    mem.seek(at)
                    data = mem.read(size)
                except OSError:
                    data = b''
                if data:
                    yield label, data
                if 'secretmem' in label:
                    assert not data and not by_vm_readv(pid, at, min(size, 4096)), f'{label} is readable'
                elif at == start:
                    yield label, by_vm_readv(pid, at, min(size, 1 << 20))


def unpacked(data):
    """What gzip streams in the data hold."""
    at = data.find(b'\x1f\x8b\x08')
    while at >= 0:
        try:
            yield zlib.decompressobj(31).decompress(data[at:])
        except zlib.error:
            pass
        at = data.find(b'\x1f\x8b\x08', at + 1)


def look_at_files(folder, words):
    hits = []
    for directory, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.isfile(path) or directory.endswith('/bin'):
                continue
            with open(path, 'rb') as f:
                data = f.read()
            for content in (data, *unpacked(data)):
                hits += [(path, w) for w in words.found_in(content)]
    return hits


def look_at_memory(who, words, leave=()):
    hits, read = [], 0
    for name, pid in who:
        for label, data in memory(pid):
            read += len(data)
            hits += [(name, label, w) for w in words.found_in(data, leave)]
    assert read > 1 << 20
    return hits


@pytest.fixture(scope='module')
def scene():
    """A house behind HAProxy, after all the traffic."""
    port, back = free_port(), free_port()
    words = Words()
    listeners = f'listener "127.0.0.1:{back}" {{ kind = tls proxy = true from = {{"127.0.0.0/8"}} }}\n'
    with House(listeners=listeners, sample_seconds=1) as house:
        log = open(house.root / 'haproxy.log', 'wb')
        haproxy = subprocess.Popen(['haproxy', '-f', REPO / 'deploy/haproxy/haproxy.cfg'], stdout=log, stderr=log,
                                   env=os.environ | {'CLOISON_FRONT': f'127.0.0.1:{port}', 'CLOISON_BACK': f'127.0.0.1:{back}'})
        try:
            wait_for(lambda: _listens(port), why='HAProxy')
            house.pid = traffic(house, port, words)
            house.proxy = haproxy.pid
            yield house, words
        finally:
            haproxy.send_signal(signal.SIGTERM)
            haproxy.wait(30)
            log.close()


def _listens(port):
    import socket
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def test_no_log_status_metric_or_ledger_has_a_word(scene):
    house, words = scene
    seen = [house.logged().encode(), (house.root / 'haproxy.log').read_bytes()]
    for target in ('/v1/status', '/v1/tenants', '/v1/tenants/acme', '/v1/posture', '/metrics'):
        seen.append(house.status_get(target).body)
    seen.append(house.cli('ledger', 'list').stdout.encode())
    assert all(seen[:1] + seen[2:])  # HAProxy may have had nothing to say
    for text in seen:
        assert words.found_in(text) == []


def test_no_file_has_a_word(scene):
    house, words = scene
    assert (house.state / 'tenants/acme/data.mdb').stat().st_size > 65536
    assert look_at_files(house.root, words) == []


def test_no_argument_or_environment_has_a_word(scene):
    house, words = scene
    for name, pid in processes(house, [house.proxy]):
        for what in ('cmdline', 'environ', 'comm', 'status'):
            with open(f'/proc/{pid}/{what}', 'rb') as f:
                assert words.found_in(f.read()) == [], (name, what)


def test_root_reads_no_word_in_any_memory(scene):
    house, words = scene
    who = processes(house, [house.proxy])
    assert {'cloisond', 'cloison-router', 'cloison-steward', 'cloison-worker: acme', 'haproxy'} <= {name for name, _ in who}
    # The server name travels in clear in every TLS handshake: the router and the proxy see it by their trade.
    assert look_at_memory(who, words, leave=('sni',)) == []


def test_root_takes_no_fd_to_secret_memory(scene):
    house, _ = scene
    pidfd = os.pidfd_open(house.pid)
    for fd in os.listdir(f'/proc/{house.pid}/fd'):
        assert 'secretmem' not in os.readlink(f'/proc/{house.pid}/fd/{fd}')
        assert libc.syscall(438, pidfd, int(fd), 0) >= 0 or ctypes.get_errno() > 0
    os.close(pidfd)


def test_the_search_finds_them_without_secret_memory():
    words = Words()
    house = House(secret_memory='"best-effort"')
    try:
        house.start(before=without_memfd_secret)
        pid = traffic(house, house.tls_port, words)
        assert house.show('acme')['posture']['secret_memory'] == 'unavailable'
        found = {w for _, _, w in look_at_memory([('worker', pid)], words)}
        assert {'name', 'notes', 'imported'} & {w.split(' in ')[0] for w in found}, found
    finally:
        house.__exit__()


def test_without_secret_memory_no_worker_starts_when_it_is_demanded():
    house = House()
    try:
        house.start(before=without_memfd_secret)
        house.create('acme')
        with pytest.raises(OSError):
            house.client('acme', timeout=40).get('/api/v1/health')
        assert 'secret memory' in house.logged()
        assert house.show('acme')['state'] in ('throttled', 'stopped')
    finally:
        house.__exit__()

"""Unique words in every input, real traffic through HAProxy; then root looks everywhere but into the tenants' own hands (S2, S3, S4, S5).

Root that looks: logs, status, metrics, ledger, every file of the product, the raw blocks of the disk below its state, swap, arguments and
environments, every fd, and the memory of every process of the product and of the proxy: by /proc/PID/mem, process_vm_readv and gdb's cores
with their registers. Zero words. The last tests take the secret arena away and must find them.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from canaries import STEM, Words, traffic, unpacked
from house import REPO, Client, House, destinations, free_port, wait_for, without_memfd_secret
from root_looks import (NT_PRSTATUS, VECTORS, Disk, by_mem, by_vm_readv, core, everything_in, files_below, locked_kib, mapped_files, notes, processes,
                        ranges, registers, swap_areas, taken_fds)

# The server name travels in clear in every TLS handshake: the router and the proxy see it by their trade.
BY_TRADE = ('sni',)
WAYS = {'/proc/PID/mem': by_mem, 'process_vm_readv': by_vm_readv}


def hits(words, looked, leave=()):
    """Where which word was; each gzip stream is looked into."""
    return [(where, word) for where, data in looked for content in (data, *unpacked(data)) for word in words.found_in(content, leave)]


@pytest.fixture(scope='module')
def scene():
    """A house behind HAProxy, its state on a disk of its own, after all the traffic."""
    port, back = free_port(), free_port()
    words = Words()
    root = pathlib.Path(tempfile.mkdtemp(prefix='cloison-test-', dir='/tmp'))
    os.chmod(root, 0o711)
    disk = Disk(root / 'disk.img', root / 'state', 256 << 20)
    listeners = f'listener "127.0.0.1:{back}" {{ kind = tls proxy = true from = {{"127.0.0.0/8"}} }}\n'
    try:
        with House(root=root, listeners=listeners, sample_seconds=1, config=destinations(root)) as house:
            log = open(house.root / 'haproxy.log', 'wb')
            haproxy = subprocess.Popen(['haproxy', '-f', REPO / 'deploy/haproxy/haproxy.cfg'], stdout=log, stderr=log,
                                       env=os.environ | {'CLOISON_FRONT': f'127.0.0.1:{port}', 'CLOISON_BACK': f'127.0.0.1:{back}'})
            try:
                wait_for(lambda: _listens(port), why='HAProxy')
                house.customer, house.disk = traffic(house, port, words), disk
                backed_up(house, words)
                house.pid = house.worker_pid('acme')
                house.who = processes([house.process.pid, haproxy.pid])
                yield house, words
            finally:
                haproxy.send_signal(signal.SIGTERM)
                haproxy.wait(30)
                log.close()
    finally:
        disk.end()
        shutil.rmtree(root)


def backed_up(house, words):
    """Two backups and an archive, through the spool to their destinations, and a drill."""
    client, plans = house.customer, {'backup': ('medium', 'after-duration'), 'archive': ('vault', 'after-lock')}
    wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
    for kind, (where, erasure) in plans.items():
        plan = {'where': where, 'protection': 'sealed', 'purpose': words['purpose'], 'duration_hours': 24, 'mechanism': 'incremental-snapshot',
                'frequency_minutes': 1440, 'erasure': erasure}
        assert client.put(f'/api/v1/plans/{kind}', plan).status == 200
    wait_for(lambda: len([i for i in client.get('/api/v1/backups').json['items'] if i['sent']]) == 2, why='a backup and an archive')
    client.post('/api/v1/companies', {'name': words['after the backup']})
    house.cli('backup', 'now', 'acme')
    house.cli('backup', 'drill', 'acme')
    house.cli('backup', 'verify', 'acme')


def _listens(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def test_the_search_knows_every_spelling():
    words = Words()
    word = words['one']
    words.learn('cookie', 'AbCdEfGhIjKlMnOpQrStUvWx')
    import base64
    import gzip
    import json
    for data in (word.encode(), word.encode('utf-16-le'), word.encode('utf-16-be'), word.encode().hex().encode(), word.encode().hex().upper().encode(),
                 *(base64.b64encode(b'?' * n + word.encode() + b'?') for n in range(3)), ''.join(f'\\u{ord(c):04x}' for c in word).encode(),
                 b'AbCdEfGhIjKlMnOpQrStUvWx', base64.urlsafe_b64decode('AbCdEfGhIjKlMnOpQrStUvWx'), json.dumps([word]).encode()):
        assert hits(words, [('here', b'before ' + data + b' after')]), data
        assert hits(words, [('here', b'before ' + gzip.compress(data) + b' after')]), data
    assert hits(words, [('here', word[:-1].encode() + STEM.encode())]) == []
    assert hits(words, [('here', word.encode())], leave=('one',)) == []
    assert words.pieces_in(b'..' + word[5:13].encode()) == ['one'] and words.pieces_in(word[5:12].encode()) == []


def test_all_processes_are_looked_at(scene):
    house, _ = scene
    assert {'cloisond', 'cloison-router', 'cloison-steward', 'cloison-worker: acme', 'haproxy'} <= {name for name, _ in house.who}
    assert house.pid in [pid for _, pid in house.who]


# S2, S3: unique words in every input; no log, status, metric or ledger has one
def test_no_log_status_metric_or_ledger_has_a_word(scene):
    house, words = scene
    seen = [('haproxy.log', (house.root / 'haproxy.log').read_bytes()), ('log', house.logged().encode())]
    for target in ('/v1/status', '/v1/tenants', '/v1/tenants/acme', '/v1/posture', '/metrics'):
        seen.append((target, house.status_get(target).body))
    seen.append(('ledger', house.cli('ledger', 'list').stdout.encode()))
    assert all(text for _, text in seen[1:])  # HAProxy may have had nothing to say
    assert hits(words, seen) == []


# S5: no file has a word that was searched for
def test_no_file_has_a_word(scene):
    house, words = scene
    assert (house.state / 'tenants/acme/data.mdb').stat().st_size > 65536
    packs = [p.stat().st_size for place in ('medium', 'vault') for p in (house.root / place).rglob('packs/*')]
    assert len(packs) >= 3 and sum(packs) > 65536  # what was looked through
    capsule = (house.state / 'tenants/acme/capsule').read_bytes()
    slot = next(capsule[i:i + 64] for i in range(4096, len(capsule), 64) if len(set(capsule[i:i + 64])) > 32)
    for place in ('medium', 'vault', 'state/spool'):
        for path, data in files_below(house.root / place):
            assert slot not in data, f'{path}: the key capsule is in no backup'
    assert hits(words, files_below(house.root, leave_out=[str(house.bin), str(house.root)])) == []
    for name, pid in house.who:
        assert hits(words, mapped_files(pid)) == [], name


# S4: unique words in every input; no block of the disk has one, freed ones included
def test_no_block_of_the_disk_has_a_word(scene):
    """The image as it lies on the disk: files, freed blocks, journal. A file that was removed is still found in it: so the search sees them."""
    house, words = scene
    control = Words()
    gone = house.state / 'gone'
    gone.write_text(control['removed'] * 1000)
    with open(gone) as f:
        os.fsync(f.fileno())
    gone.unlink()
    blocks = list(house.disk.written())
    assert hits(control, blocks)
    assert hits(words, blocks) == []


def test_no_swap_has_a_word(scene):
    house, words = scene
    size, swapped = locked_kib(house.pid)
    assert size >= 2048 and swapped == 0
    assert hits(words, swap_areas()) == []


def test_no_argument_or_environment_has_a_word(scene):
    house, words = scene
    for name, pid in house.who:
        for what in ('cmdline', 'environ', 'comm', 'status', 'maps', 'stack', 'syscall'):
            with open(f'/proc/{pid}/{what}', 'rb') as f:
                assert hits(words, [(what, f.read())]) == [], name
        links = [os.readlink(f'/proc/{pid}/fd/{fd}').encode() for fd in os.listdir(f'/proc/{pid}/fd')]
        assert hits(words, [('fd', link) for link in links]) == [], name


# S4: no memory that root can read has a word, in three ways
@pytest.mark.parametrize('way', WAYS)
def test_root_reads_no_word_in_any_memory(scene, way):
    house, words = scene
    read = {}
    for name, pid in house.who:
        for label, data in WAYS[way](pid):
            read[name] = read.get(name, 0) + len(data)
            assert 'secretmem' not in label, f'{name}: {label} is readable'
            assert hits(words, [(label, data)], BY_TRADE) == [], (name, label)
    assert len(read) == len({name for name, _ in house.who}) and min(read.values()) > 1 << 19, read
    assert any('secretmem' in label for label, _, _ in ranges(house.pid))


# S2, S4: no core with its registers has a word
def test_no_core_has_a_word(scene, tmp_path):
    """gcore of each process: its memory, and its registers in the notes."""
    house, words = scene
    for name, pid in house.who:
        path = core(pid, tmp_path)
        data = path.read_bytes()
        path.unlink()
        kinds = [kind for kind, _ in notes(data)]
        threads = len(os.listdir(f'/proc/{pid}/task'))
        assert kinds.count(NT_PRSTATUS) == kinds.count(VECTORS) == threads, (name, kinds)
        assert len(data) > 1 << 19, name
        assert hits(words, [('core', data)], BY_TRADE) == [], name
        assert words.pieces_in(b'|'.join(content for _, content in notes(data)), BY_TRADE) == [], name
    assert house.customer.get('/api/v1/session').status == 200, 'the worker lives on'


def waits(pid):
    """Whether every thread sleeps: one that is only not scheduled is R."""
    tasks = pathlib.Path(f'/proc/{pid}/task').iterdir()
    return all((task / 'stat').read_text().rpartition(')')[2].split()[0] == 'S' for task in tasks)


def test_a_worker_at_rest_has_no_word_in_its_registers(scene):
    """After each of many requests all threads are stopped and asked for all their registers, vectors included."""
    house, words = scene
    company = house.customer.get('/api/v1/companies?letter=K&limit=1').json['items'][0]['id']
    login = {'login': words['login'], 'password': words['second password'] + ' et encore'}
    requests = [lambda: house.customer.get(f'/api/v1/companies/{company}'), lambda: house.customer.get('/api/v1/companies?letter=K&limit=200'),
                lambda: house.customer.get('/api/v1/export?kind=contacts&format=json'), lambda: house.customer.post('/api/v1/session', login),
                lambda: house.customer.post('/api/v1/contacts', {'family_name': words['family']})]
    found, sets = set(), 0
    for ask in requests * 6:
        assert ask().status < 300
        wait_for(lambda: waits(house.pid), why='the worker to be at rest')  # the answer is out before the turn ends
        for what, content in registers(house.pid):
            sets += what == VECTORS
            found |= {(what, word) for word in words.pieces_in(content)}
    assert sets >= 2 * len(requests) * 6  # two threads at least
    assert not found


def test_root_takes_every_fd_and_finds_no_word(scene):
    house, words = scene
    kinds = {}
    for name, pid in house.who:
        for what, fd in taken_fds(pid):
            assert 'secretmem' not in what, name
            assert hits(words, [(what, everything_in(fd))]) == [], name
            kinds.setdefault(name, set()).add(what.split(':')[0].rsplit('/', 1)[-1])
    assert {'socket', 'data.mdb', 'capsule', 'identity'} <= kinds['cloison-worker: acme'], kinds


# ---- the same search where there is something to find ----

@pytest.fixture(scope='module')
def open_scene():
    """The arena switched off: the kernel has no memfd_secret."""
    words = Words()
    house = House(secret_memory='"best-effort"')
    try:
        house.start(before=without_memfd_secret)
        house.customer = traffic(house, house.tls_port, words)
        house.pid = house.worker_pid('acme')
        assert house.show('acme')['posture']['secret_memory'] == 'unavailable'
        yield house, words
    finally:
        house.__exit__()


def found(words, looked):
    return {word.rsplit(' ', 1)[0] for _, word in hits(words, looked)}


@pytest.mark.parametrize('way', WAYS)
def test_without_secret_memory_the_search_finds_them(open_scene, way):
    house, words = open_scene
    assert {'name', 'notes', 'imported'} & found(words, WAYS[way](house.pid))


def test_without_secret_memory_a_core_has_them(open_scene, tmp_path):
    house, words = open_scene
    assert {'name', 'notes', 'imported'} & found(words, [('core', core(house.pid, tmp_path).read_bytes())])


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

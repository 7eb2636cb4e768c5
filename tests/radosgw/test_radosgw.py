"""Debian's radosgw, an object store that keeps to S3's own rules (C7, C8): one machine's worth of it, in memory. `If-None-Match: *` answers 412
there, and object lock is the store's own. The tests are those of tests/system/test_store.py and test_backup_store.py that are about a real store."""
import contextlib
import hashlib
import hmac
import http.client
import os
import pathlib
import subprocess
import time
import uuid

import pytest
from house import ARCHIVE, House, free_port, wait_for
from stores import WORDS, Probe, arrived, destinations_at, planned, the_whole_way

KEY = 'S3RVER'
CONFIG = '''[global]
fsid = {fsid}
mon host = 127.0.0.1:{mon}
mon initial members = a
mon allow pool size one = true
mon data = {folder}/mon
mon data avail crit = 1
mon warn on pool no redundancy = false
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {folder}/run
pid file = {folder}/run/$name.pid
log file = {folder}/$name.log
admin socket = {folder}/run/$name.asok
keyring = {folder}/keyring
rgw frontends = beast endpoint=127.0.0.1:{port}
'''


class Store:
    """A monitor, a store of objects in memory, and the gateway; a user, a bucket, and one with object lock."""

    def __init__(self, folder):
        self.folder, self.port, self.processes = folder, free_port(), []
        for name in ('mon', 'osd', 'run'):
            (folder / name).mkdir()
        self.fsid, mon = uuid.uuid4(), free_port()
        (folder / 'ceph.conf').write_text(CONFIG.format(fsid=self.fsid, mon=mon, folder=folder, port=self.port))
        self.keys()
        self.do('monmaptool', '--create', '--add', 'a', f'127.0.0.1:{mon}', '--fsid', str(self.fsid), folder / 'monmap')
        self.ceph('ceph-mon', '--mkfs', '-i', 'a', '--monmap', folder / 'monmap', '--keyring', folder / 'keyring')
        self.begin('ceph-mon', '-i', 'a')
        osd = str(uuid.uuid4())
        self.ceph('ceph', '--connect-timeout', '30', 'osd', 'new', osd)
        self.ceph('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd)
        self.begin('ceph-osd', '-i', '0')
        self.ceph('radosgw-admin', 'user', 'create', '--uid=test', '--display-name=test', f'--access-key={KEY}', f'--secret-key={KEY}')
        self.begin('radosgw', '-n', 'client.rgw', '--keyring', folder / 'keyring')
        wait_for(self.up, 60, 0.1, why='radosgw')
        for bucket, headers in (('bucket', {}), ('locked', {'x-amz-bucket-object-lock-enabled': 'true'})):
            answer = self.ask('PUT', f'/{bucket}', headers)
            assert answer.status == 200, (answer.status, answer.read())

    def keys(self):
        ring = self.folder / 'keyring'
        for who, caps in (('mon.', ('mon',)), *((who, ('mon', 'osd')) for who in ('client.admin', 'client.rgw', 'osd.0'))):
            made = () if ring.exists() else ('--create-keyring',)
            self.do('ceph-authtool', *made, ring, '--gen-key', '-n', who, *(word for cap in caps for word in ('--cap', cap, 'allow *')))

    def do(self, *words):
        run = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, (words, run.stderr)

    def ceph(self, program, *words):
        self.do(program, '-c', self.folder / 'ceph.conf', *words)

    def begin(self, program, *words):
        with open(self.folder / f'{program}.out', 'wb') as out:
            self.processes.append(subprocess.Popen([program, '-c', self.folder / 'ceph.conf', *words, '-f'], stdout=out, stderr=out))

    def up(self):
        assert all(p.poll() is None for p in self.processes), [p.args[0] for p in self.processes if p.poll() is not None]
        with contextlib.suppress(OSError, http.client.HTTPException):
            c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=5)
            c.request('GET', '/')
            return c.getresponse().status == 200

    @property
    def endpoint(self):
        return f'http://127.0.0.1:{self.port}'

    def ask(self, method, target, headers=(), query=''):
        """A request without a body, signed here."""
        now, nothing = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()), hashlib.sha256(b'').hexdigest()
        sent = {'host': f'127.0.0.1:{self.port}', 'x-amz-content-sha256': nothing, 'x-amz-date': now} | dict(headers)
        names = ';'.join(sorted(sent))
        canonical = '\n'.join([method, target, query, *(f'{n}:{sent[n]}' for n in sorted(sent)), '', names, nothing])
        scope = f'{now[:8]}/us-east-1/s3/aws4_request'
        key = f'AWS4{KEY}'.encode()
        for part in scope.split('/'):
            key = hmac.new(key, part.encode(), 'sha256').digest()
        text = '\n'.join(['AWS4-HMAC-SHA256', now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        sent['Authorization'] = (f'AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, '
                                 f'Signature={hmac.new(key, text.encode(), "sha256").hexdigest()}')
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        c.request(method, target + (f'?{query}' if query else ''), headers=sent)
        return c.getresponse()

    def listed(self, bucket, prefix='t'):
        body = self.ask('GET', f'/{bucket}', query=f'list-type=2&max-keys=1000&prefix={prefix}').read().decode()
        return [part.split('</Key>')[0] for part in body.split('<Key>')[1:]]

    def end(self):
        for p in reversed(self.processes):
            p.kill()
            p.wait()


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    folder = pathlib.Path(tmp_path_factory.mktemp('rgw'))
    made = Store.__new__(Store)
    try:
        made.__init__(folder)
        yield made
    finally:
        made.end()


def probe(store, folder, bucket='bucket'):
    return Probe(folder, store.endpoint, bucket=bucket)


def test_what_was_put_comes_back_and_is_not_replaced(store, tmp_path):
    ask = probe(store, tmp_path)
    assert ask('put', 'a/b/one', ask.file(), 'new') == ['done']
    assert ask('put', 'a/b/one', ask.file(b'other'), 'new') == ['exists']
    assert ask('get', 'a/b/one', tmp_path / 'back', len(WORDS)) == [f'{len(WORDS)} {hashlib.sha256(WORDS).hexdigest()}', 'done']
    assert ask('put', 'empty', ask.file(b''), 'new') == ['done'] and ask('size', 'empty') == ['0', 'done']
    assert ask('delete', 'a/b/one') == ['done'] and ask('size', 'a/b/one') == ['absent']
    assert ask('get', 'no/such', tmp_path / 'back', 10) == ['absent']


def test_the_store_itself_answers_412(store, tmp_path):
    ask = probe(store, tmp_path)
    assert ask('put', 'once', ask.file()) == ['done']
    assert store.ask('PUT', '/bucket/once', {'if-none-match': '*'}).status == 412
    assert ask('get', 'once', tmp_path / 'back', len(WORDS))[-1] == 'done' and (tmp_path / 'back').read_bytes() == WORDS


def test_a_list_goes_on_over_pages_in_order(store, tmp_path):
    for n in range(1003):
        assert store.ask('PUT', f'/bucket/many/x{n:04}').status == 200
    ask = probe(store, tmp_path)
    assert ask('list', 'many/') == [f'many/x{n:04} 0' for n in range(1003)] + ['done']


def test_a_wrong_signature_is_refused(store, tmp_path):
    ask = probe(store, tmp_path)
    ask.credentials.write_text(f'aws_access_key_id = {KEY}\naws_secret_access_key = other\n')
    assert ask('list', '') == ['refused'] and ask('put', 'a', ask.file()) == ['refused']


def at(seconds):
    return int((time.time() + seconds) * 1000)


# C8: the store's own lock: set with what is put, extended, never shortened; what it does not lock is told
def test_object_lock(store, tmp_path):
    ask = probe(store, tmp_path, 'locked')
    assert ask('put', 'k', ask.file(), 'new', at(6)) == ['done']
    assert ask('hold', 'k', at(3)) == ['done'] and ask('hold', 'k', at(10)) == ['done']
    until = time.time() + 11
    version = store.ask('HEAD', '/locked/k').getheader('x-amz-version-id')
    assert store.ask('DELETE', '/locked/k', query=f'versionId={version}').status == 403
    assert ask('purge', 'k') == ['locked']
    wait_for(lambda: ask('purge', 'k') == ['done'], 30, 0.2, why='the lock to run out')
    assert time.time() >= until - 2 and ask('size', 'k') == ['absent']
    plain = probe(store, tmp_path)
    assert plain('put', 'k', plain.file(), 'new', at(60)) == ['unlocked']  # a bucket without it


@pytest.fixture
def house(store):
    h = House()
    h.extra = destinations_at(store.endpoint, h.root, True, locked='locked')
    h.write_config()
    with h:
        wait_for(lambda: 'cloison-courier: ready' in h.logged(), why='the courier')
        yield h


# C7, C8: a tenant's backup and archive, the whole way
def test_the_whole_way(store, house):
    acme = house.enrolled('acme')
    wait_for(lambda: acme.get('/api/v1/plans').json['destinations'], why='the destinations')
    for i in range(50):
        assert acme.post('/api/v1/companies', {'name': f'Company {i}'}).status == 201
    the_whole_way(house, acme, 'acme', lambda: sorted(store.listed('bucket') + store.listed('locked')))


def test_nobody_removes_an_archive_before_its_time(store, house):
    bois = house.enrolled('bois')
    wait_for(lambda: bois.get('/api/v1/plans').json['destinations'], why='the destinations')
    planned(bois, 'archive', ARCHIVE | {'where': 'vault'})
    arrived(bois, 'archive')
    number = os.stat(house.state / 'tenants' / 'bois').st_uid - house.options['uid_base']
    keys = [k for k in store.listed('locked') if k.startswith(f't/{number:016x}/archive/')]
    assert len(keys) >= 2
    for key in keys:
        version = store.ask('HEAD', f'/locked/{key}').getheader('x-amz-version-id')
        assert store.ask('DELETE', f'/locked/{key}', query=f'versionId={version}').status == 403
    house.cli('backup', 'verify', 'bois', '--archive', duties=('operator',))

"""Small real file systems that are full: under the courier's spool, a destination, what the supervisor keeps, a certificate (C7, C8, C9, S14).

Each time the error says what is full, nothing half written stays, everybody else works on, and it goes on by itself when there is room."""
import contextlib
import hashlib
import json
import os
import socket
import ssl
import subprocess

import pytest

from authority import Authority
from house import COURIER_UID, PLAN, House, destinations, wait_for

SPOOL, MEDIUM, STATE = 64 << 20, 192 << 20, 8 << 20


class Small:
    """A tmpfs of its own, and ballast in it."""

    def __init__(self, folder, size, mode, uid=0):
        folder.mkdir(exist_ok=True)
        self.folder, self.ballast = folder, folder / 'ballast'
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode={mode},uid={uid},gid={uid}', 'tmpfs', folder], check=True)

    def fill(self, but=0):
        """Leaves `but` bytes."""
        with open(self.ballast, 'wb', buffering=0) as f, contextlib.suppress(OSError):
            while f.write(bytes(1 << 20)):
                pass
        with open(self.ballast, 'r+b') as f:
            f.truncate(f.seek(0, 2) - but)

    def empty(self):
        self.ballast.unlink(missing_ok=True)

    def end(self):
        subprocess.run(['umount', '-l', self.folder], check=True)


@pytest.fixture(scope='module')
def house():
    h = House()
    with contextlib.ExitStack() as ends:
        ends.callback(lambda: h.__exit__())
        for name, folder, size, mode, uid in (('state_fs', h.state, STATE, '0711', 0), ('tenants_fs', h.state / 'tenants', 512 << 20, '0711', 0),
                                              ('spool_fs', h.state / 'spool', SPOOL, '0700', COURIER_UID),
                                              ('medium_fs', h.root / 'medium', MEDIUM, '0700', COURIER_UID)):
            setattr(h, name, Small(folder, size, mode, uid))
            ends.callback(getattr(h, name).end)
        h.extra = destinations(h.root)
        h.write_config()
        h.start()
        ends.callback(h.stop)
        wait_for(lambda: 'cloison-courier: ready' in h.logged(), why='the courier')
        h.acme, h.bois = (filled(h, name, companies) for name, companies in (('acme', 4000), ('bois', 20)))
        assert h.acme.put('/api/v1/plans/backup', PLAN).status == 200
        assert h.bois.put('/api/v1/plans/backup', PLAN | {'where': 'other'}).status == 200
        for client in (h.acme, h.bois):
            arrived(client, 1)
        yield h


@pytest.fixture(autouse=True)
def room(house):
    yield
    for small in (house.state_fs, house.tenants_fs, house.spool_fs, house.medium_fs):
        small.empty()


def filled(house, name, companies):
    client = house.enrolled(name, None, '--quota', '64M')
    wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
    more(client, companies)
    return client


def more(client, companies):
    rows = '\r\n'.join(['name', *[f'Company {i} ' + 'x' * 180 for i in range(companies)]]).encode()
    assert client.post('/api/v1/import?kind=companies&format=csv', rows, headers={'Content-Type': 'text/csv'}).json['created'] == companies


def last(client, kind='backup'):
    return client.get('/api/v1/plans').json[kind]['last']


def arrived(client, number, seconds=60):
    def done():
        now = last(client)
        return now['number'] >= number and not now['busy'] and now['result'] == 'done'
    wait_for(done, seconds, why=f'snapshot {number}: {last(client)}')


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file() and p.name != 'ballast')


def words(house, verb):
    return [line['result'] for line in house.ledger() if line['verb'] == verb]


def number_of(house, name):
    return os.stat(house.state / 'tenants' / name).st_uid - house.options['uid_base']


def sound(house, name='acme', place='medium'):
    """What lies at the destination, without the house's help."""
    found = house.cli('backup', 'verify', f'{house.root / place / "t" / f"{number_of(house, name):016x}" / "backup"}/', uid=0, check=False)
    assert found.returncode == 0, found.stderr


def works_on(house):
    """Another tenant is served, and backed up elsewhere."""
    assert house.bois.post('/api/v1/companies', {'name': 'Meanwhile'}).status == 201
    assert house.acme.post('/api/v1/companies', {'name': 'Meanwhile'}).status == 201


def now(house, name):
    return house.cli('backup', 'now', name, duties=('operator',), check=False)


# C7, C8: a full spool fails that snapshot by name, keeps nothing of it, and the next one comes by itself
def test_the_spool(house):
    before = files(house.spool_fs.folder)
    for free in (0, 4096, 40 << 10, 200 << 10, 1 << 20, 2 << 20, 3 << 20):
        more(house.acme, 4000)  # more than there is room for
        number = last(house.acme)['number']
        house.spool_fs.fill(but=free)
        run = now(house, 'acme')
        assert run.returncode == 1 and "the spool's disk is full" in run.stderr, (free, run)
        assert last(house.acme)['result'] == 'spool-full' and words(house, 'backup')[-1] == 'spool-full'
        assert files(house.spool_fs.folder) == before, free
        works_on(house)
        sound(house)
        house.spool_fs.empty()
        if free == 0:  # nobody asks
            arrived(house.acme, number + 1)
        else:
            assert now(house, 'acme').returncode == 0, house.logged()[-2000:]
        assert last(house.acme)['number'] == number + 1
        sound(house)
        before = files(house.spool_fs.folder)


# C7, C8: a full destination has whole packs alone; another tenant's is not held up; the rest follows by itself
def test_a_destination(house):
    more(house.acme, 5000)
    number = last(house.acme)['number']
    house.medium_fs.fill(but=1 << 20)
    run = now(house, 'acme')
    assert run.returncode == 1 and 'the destination is full' in run.stderr, run
    assert last(house.acme)['result'] == 'full' and words(house, 'backup_sent')[-1] == 'full'
    assert os.listdir(house.medium_fs.folder / '.new') == []
    for pack in (house.medium_fs.folder / 't').rglob('packs/*'):
        assert hashlib.sha256(pack.read_bytes()).hexdigest() == pack.name
    sound(house)
    works_on(house)
    assert now(house, 'bois').returncode == 0
    house.medium_fs.empty()
    arrived(house.acme, number + 1)  # nobody asked
    assert last(house.acme)['number'] == number + 1
    sound(house)
    house.cli('backup', 'verify', 'acme', duties=('operator',))


def exhaust(house):
    """Uses up what the ledger had allocated ahead, but for its reserve."""
    for i in range(2000):
        answer = house.control('PATCH', '/v1/tenants/bois', {'title': f'Bois {i}'})
        if answer.status != 200:
            assert 'ledger' in answer.json['detail'], answer.json
            return
    raise AssertionError('the ledger has no end')


def plans_file(house):
    return (house.state / 'plans').read_text()


# C9: a plan that cannot be written down is no plan yet, is told as such, and is one as soon as there is room
def test_the_plans(house):
    before, taken = plans_file(house), len(words(house, 'backup'))
    house.state_fs.fill()
    assert house.bois.put('/api/v1/plans/backup', PLAN | {'where': 'other', 'duration_hours': 48}).status == 200
    wait_for(lambda: last(house.bois)['result'] == 'not-kept', why='the plan to be told as not kept')
    assert 'tenant bois: its plan is not written yet: No space left on device' in house.logged()
    assert words(house, 'backup_plan')[-1] == 'failed'
    assert plans_file(house) == before and not (house.state / 'plans.new').exists()
    works_on(house)
    # What comes of a plan counts though it is not written: one snapshot is taken, not one after the other.
    number = last(house.acme)['number']
    assert house.acme.post('/api/v1/backups').status == 202
    arrived(house.acme, number + 1)
    assert house.acme.post('/api/v1/backups').status == 202
    arrived(house.acme, number + 2)
    assert plans_file(house) == before and last(house.acme)['number'] == number + 2
    # A reserve takes what must be possible on a full disk, nothing else is done without its line.
    exhaust(house)
    house.cli('tenant', 'suspend', 'bois', duties=('operator',))
    house.state_fs.empty()
    house.cli('tenant', 'resume', 'bois', duties=('operator',))
    wait_for(lambda: 'keep=48' in plans_file(house) and f'number={number + 2}\t' in plans_file(house), 40, why='the plans to be written')
    assert words(house, 'backup_plan')[-1] == 'done'
    assert len(words(house, 'backup')) == taken + 2 and house.cli('ledger', 'verify').returncode == 0
    house.bois.login()
    wait_for(lambda: house.bois.get('/api/v1/plans').json['backup']['duration_hours'] == 48)


# C7: a drill or a restore without room says so and leaves nothing
def test_a_drill_and_a_restore(house):
    for small, folder, verb, name in ((house.state_fs, house.state / 'drills', 'drill', 'acme'), (house.tenants_fs, house.state / 'tenants', 'restore', 'again')):
        arguments = ('backup', verb, name)
        if verb == 'restore':
            house.cli('tenant', 'create', name, '--host', f'{name}.localhost', '--restore', duties=('registrar',))
            arguments += ('--from', 'medium', '--source', str(number_of(house, 'acme')))
        small.fill(but=64 << 10 if verb == 'drill' else 1 << 20)
        run = house.cli(*arguments, check=False)
        assert run.returncode == 1 and 'could not be written' in run.stderr, run
        if verb == 'restore':
            assert f'tenant {name}: the snapshot was not loaded: No space left on device' in house.logged()
            assert files(folder / name) == []
        else:
            wait_for(lambda: os.listdir(folder) == [], why='the place to be empty')
        small.empty()
        works_on(house)
        if verb == 'restore':
            house.cli(*arguments)


def test_a_certificate_of_the_tenants(house, tmp_path):
    """Its room is there from the tenant's beginning: a certificate that must be renewed is, and a tenant without room for one begins later."""
    authority = Authority(tmp_path)
    shown, names = leaf_of(house, 'acme'), files(house.state / 'tenants' / 'acme')
    house.create('neuf')
    house.tenants_fs.fill()
    house.cli('tenant', 'cert', 'acme', '-', input=authority.sign(house.cli('tenant', 'csr', 'acme').stdout), duties=('registrar',))
    wait_for(lambda: leaf_of(house, 'acme') != shown, why='the new one')
    assert files(house.state / 'tenants' / 'acme') == names
    assert house.cli('tenant', 'csr', 'neuf', check=False).returncode == 1 and house.show('neuf')['crashes']
    works_on(house)
    house.tenants_fs.empty()
    house.cli('tenant', 'start', 'neuf')  # not after its back-off
    assert 'BEGIN CERTIFICATE REQUEST' in house.cli('tenant', 'csr', 'neuf').stdout


def leaf_of(house, name):
    with socket.create_connection(('127.0.0.1', house.tls_port)) as raw:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(raw, server_hostname=f'{name}.localhost') as s:
            return s.getpeercert(True)


def contract(house, name):
    return house.show(name)['contract']['state']


# S14: what cannot be recorded is not destroyed; with room it is, whole; and a certificate is a whole file or none
def test_leaving(house, tmp_path):
    end = house.enrolled('fin')
    end.post('/api/v1/companies', {'name': 'Fin'})
    house.cli('contract', 'end', 'fin', duties=('registrar',))
    wait_for(lambda: end.get('/api/v1/leaving').json['state'] == 'ending', why='the notice')
    sha256 = hashlib.sha256(end.get('/api/v1/restitution').body).hexdigest()
    folder = house.state / 'tenants' / 'fin'
    house.state_fs.fill()
    exhaust(house)
    assert end.post('/api/v1/leaving', {'sha256': sha256, 'destroy': True}).status == 202
    wait_for(lambda: 'tenant fin: that it has its data is not kept: No space left on device' in house.logged(), why='the refusal')
    assert (folder / 'capsule').stat().st_size and contract(house, 'fin') == 'ending'
    assert end.get('/api/v1/companies').json['items'][0]['name'] == 'Fin'
    works_on(house)
    house.state_fs.empty()
    wait_for(lambda: contract(house, 'fin') == 'gone', 40, why='what it said to be done, now that there is room')
    assert not any(folder.iterdir())
    paper = Small(tmp_path / 'paper', 1 << 20, '0777')
    try:
        for path in (tmp_path, *tmp_path.parents):
            if path.name.startswith(('pytest', 'test_')):
                path.chmod(0o755)
        key = tmp_path / 'key.pem'
        subprocess.run(['openssl', 'genpkey', '-algorithm', 'ED25519', '-out', key], check=True, capture_output=True)
        key.chmod(0o644)
        issue = ('certificate', 'issue', 'fin', '--key', str(key), '--out', str(paper.folder / 'fin.json'))
        for free in (0, 4096):  # not even the signature; the signature alone
            paper.fill(but=free)
            run = house.cli(*issue, duties=('registrar',), check=False)
            assert run.returncode == 1 and 'fin.json' in run.stderr and 'No space left on device' in run.stderr, run
            assert files(paper.folder) == [], free
        paper.empty()
        house.cli(*issue, duties=('registrar',))
        assert files(paper.folder) == ['fin.json', 'fin.json.sig']
        text = json.loads((paper.folder / 'fin.json').read_text())
        assert any('key capsule' in d['what'] for d in text['destroyed']), text
    finally:
        paper.end()

"""Copies of a tenant's key capsule: only where the registry says, never older than a removed slot, enough to open the tenant elsewhere with
a password or the recovery kit (S14, C7)."""
import os
import shutil
import stat

import pytest
from house import Client, House, wait_for

CAPSULE_BYTES = 475136


def place_of(house, name, mode=0o700):
    path = house.root / name
    path.mkdir(mode=0o700)
    os.chmod(path, mode)
    return path


@pytest.fixture()
def house():
    h = House()
    h.extra = ''.join(f'capsule_place "{n}" {{ path = "{h.root}/{n}" region = local }}\n' for n in ('vault', 'second', 'open', 'gone'))
    h.write_config()
    with h:
        for name in ('vault', 'second'):
            place_of(h, name)
        place_of(h, 'open', 0o755)
        h.acme = h.enrolled('acme')
        yield h


def copies(house, name='acme'):
    return {c['place']: c for c in house.show(name)['capsule_copies']}


def current(house, *places):
    wait_for(lambda: all(not copies(house)[p]['stale'] for p in places), why='current copies')


def settled(house, path, before):
    """The copy was replaced and is the capsule as it is now."""
    wait_for(lambda: path.read_bytes() != before and path.read_bytes() == own(house), why='the copy to follow')


def own(house, name='acme'):
    return (house.state / 'tenants' / name / 'capsule').read_bytes()


def enter_elsewhere(house, capsule, name='acme', **settings):
    """A second house with the tenant's store and that capsule; its client."""
    house.cli('tenant', 'stop', name)
    other = House(**settings).start()
    made = other.cli('tenant', 'create', name, '--host', f'{name}.localhost', '--restore', duties=('registrar',))
    assert made.stdout == '' and 'suspended' in made.stderr
    row = other.show(name)
    assert row['state'] == 'suspended' and row['enrolled'] is False
    directory = other.state / 'tenants' / name
    shutil.copy(house.state / 'tenants' / name / 'data.mdb', directory / 'data.mdb')
    if capsule:
        (directory / 'capsule').write_bytes(capsule)
    for file in directory.iterdir():
        os.chown(file, row['uid'], row['uid'])
        os.chmod(file, 0o600)
    other.cli('tenant', 'resume', name, duties=('operator',))
    return other, Client(other, f'{name}.localhost')


def test_a_copy_lies_where_the_registry_says_and_is_the_capsule(house):
    house.cli('capsule', 'copy', 'acme', 'vault', duties=('registrar',))
    path = house.root / 'vault/acme.capsule'
    info = path.stat()
    assert info.st_size == CAPSULE_BYTES and stat.S_IMODE(info.st_mode) == 0o600 and info.st_uid == 0
    assert path.read_bytes() == own(house)
    assert os.listdir(house.root / 'vault') == ['acme.capsule'] and os.listdir(house.root / 'second') == []
    assert copies(house)['vault']['stale'] is False and abs(copies(house)['vault']['written'] - info.st_mtime) < 5
    text = house.cli('capsule', 'list', 'acme', duties=('viewer',)).stdout.splitlines()
    assert text[0].split() == ['PLACE', 'REGION', 'WRITTEN', 'STATE'] and text[1].split()[:2] == ['vault', 'local'] and text[1].split()[-1] == 'current'
    assert 'places=vault' in (house.state / 'registry').read_text()
    assert [(x['verb'], x['result']) for x in house.ledger() if x['verb'].startswith('capsule')] == [('capsule_copy', 'begun'), ('capsule_copy', 'done')]


# S14: a removed slot opens nothing with any copy of the capsule
def test_a_removed_slot_opens_nothing_with_any_copy(house):
    """Log-out removes the session's slot: every listed copy follows without being asked. A copy kept from before would open, which shows that
    this test can fail."""
    for place in ('vault', 'second'):
        house.cli('capsule', 'copy', 'acme', place)
    before = (house.root / 'vault/acme.capsule').read_bytes()
    cookie = house.acme.cookies['__Host-cloison']
    assert house.acme.delete('/api/v1/session', headers={'Origin': f'https://acme.localhost:{house.tls_port}'}).status in (200, 204)
    for place in ('vault', 'second'):
        settled(house, house.root / place / 'acme.capsule', before)
    for capsule, opens in ((before, True), ((house.root / 'vault/acme.capsule').read_bytes(), False)):
        other, client = enter_elsewhere(house, capsule)
        try:
            client.cookies['__Host-cloison'] = cookie
            assert (client.get('/api/v1/companies').status == 200) == opens
        finally:
            other.__exit__()


def test_changes_come_in_bursts_and_the_last_one_counts(house):
    house.cli('capsule', 'copy', 'acme', 'vault')
    path = house.root / 'vault/acme.capsule'
    before, starts = path.read_bytes(), house.show('acme')['starts']
    for _ in range(12):
        client = house.client('acme')
        assert client.login().status in (200, 201)
        assert client.delete('/api/v1/session').status in (200, 204)
        client.close()
    settled(house, path, before)
    assert house.show('acme')['starts'] == starts and not copies(house)['vault']['stale']


def test_lock_takes_the_copies_along(house):
    """The worker leaves only when they have followed; with --tokens no token opens either."""
    token = house.token(house.acme)
    house.cli('capsule', 'copy', 'acme', 'vault')
    before = (house.root / 'vault/acme.capsule').read_bytes()
    house.cli('tenant', 'lock', 'acme', duties=('operator',))
    assert (house.root / 'vault/acme.capsule').read_bytes() == own(house) != before
    assert house.client('acme', token).get('/api/v1/companies').status == 200
    house.cli('tenant', 'lock', 'acme', '--tokens', duties=('operator',))
    assert (house.root / 'vault/acme.capsule').read_bytes() == own(house)
    assert house.client('acme', token).get('/api/v1/companies').status in (401, 503)
    assert house.client('acme').login().status in (200, 201)


def test_lock_with_tokens_works_on_a_sealed_tenant(house):
    token, cookies = house.token(house.acme), dict(house.acme.cookies)
    house.cli('tenant', 'stop', 'acme')
    house.cli('tenant', 'lock', 'acme', '--tokens', duties=('operator',))
    client = house.client('acme')
    client.cookies = cookies
    assert client.get('/api/v1/companies').status in (401, 503)
    assert house.client('acme', token).get('/api/v1/companies').status in (401, 503)
    assert house.client('acme').login().status in (200, 201)


@pytest.mark.parametrize('way', ['password', 'kit', 'self-sufficient kit alone'])
def test_it_opens_in_a_second_house(house, way):
    """The store and a copy of the capsule; the new house learns from its worker that the tenant has enrolled."""
    made = house.acme.post('/api/v1/companies', {'name': 'Menuiserie du Port'})
    assert made.status == 201
    house.cli('capsule', 'copy', 'acme', 'vault')
    alone = way == 'self-sufficient kit alone' and house.acme.post('/api/v1/self-sufficient-kit').json['recovery_kit']
    other, client = enter_elsewhere(house, None if alone else (house.root / 'vault/acme.capsule').read_bytes())
    try:
        if way == 'password':
            assert client.login().status in (200, 201), other.logged()
        elif alone:
            answer = client.post('/api/v1/recovery', {'recovery_kit': alone, 'login': 'admin', 'password': 'another good password'})
            assert answer.status == 200, answer
            assert client.login().status == 401 and client.login(password='another good password').status == 200
        else:
            answer = client.post('/api/v1/session', {'recovery_kit': house.acme.recovery_kit})
            assert answer.status in (200, 201), answer
        assert client.get(f'/api/v1/companies/{made.json["id"]}').json['name'] == 'Menuiserie du Port'
        wait_for(lambda: other.show('acme')['enrolled'], why='the registry to know')
        assert other.cli('tenant', 'enrol-code', 'acme', check=False).returncode == 1
        wait_for(lambda: other.show('acme')['ways_in'] == 2, why='the next sample')
    finally:
        other.__exit__()


def test_what_cannot_be_written_is_said(house):
    """A place that is open to others, one without a directory, one that is not configured; nothing is written, the first two are listed."""
    for place in ('open', 'gone'):
        done = house.cli('capsule', 'copy', 'acme', place, check=False)
        assert done.returncode == 1 and 'place' in done.stderr, done
        assert copies(house)[place] == {'place': place, 'region': 'local', 'written': None, 'stale': True, 'excluded': False}
    assert 'closed to everybody else' in house.cli('capsule', 'copy', 'acme', 'open', check=False).stderr
    assert os.listdir(house.root / 'open') == []
    done = house.cli('capsule', 'copy', 'acme', 'nowhere', check=False)
    assert done.returncode == 1 and 'no capsule_place of that name' in done.stderr and 'nowhere' not in copies(house)
    (house.root / 'gone').mkdir(mode=0o700)
    house.cli('capsule', 'copy', 'acme', 'gone')
    assert copies(house)['gone']['stale'] is False
    house.create('neuf')
    assert house.cli('capsule', 'copy', 'neuf', 'vault', check=False).returncode == 1  # no key yet
    assert os.listdir(house.root / 'vault') == []


# S14: a copy that is forgotten is destroyed
def test_forget_destroys_the_bytes(house):
    house.cli('capsule', 'copy', 'acme', 'vault')
    path = house.root / 'vault/acme.capsule'
    with open(path, 'rb') as kept:
        house.cli('capsule', 'forget', 'acme', 'vault', duties=('registrar',))
        assert kept.read() == bytes(CAPSULE_BYTES)  # overwritten, not only without a name
    assert not path.exists() and copies(house) == {} and 'places=' not in (house.state / 'registry').read_text()
    assert house.cli('capsule', 'forget', 'acme', 'vault', check=False).returncode == 1
    assert house.client('acme').login().status in (200, 201)
    assert not path.exists()


def test_what_a_copy_replaces_is_overwritten(house):
    house.cli('capsule', 'copy', 'acme', 'vault')
    with open(house.root / 'vault/acme.capsule', 'rb') as old:
        before = old.read()
        house.cli('capsule', 'copy', 'acme', 'vault')
        old.seek(0)
        assert old.read() == bytes(CAPSULE_BYTES) != before


def test_after_a_restart_a_copy_is_stale_until_the_worker_has_spoken(house):
    house.cli('capsule', 'copy', 'acme', 'vault')
    cookies = dict(house.acme.cookies)
    house.acme.close()
    house.stop()
    house.start()
    assert copies(house)['vault']['stale'] is True and copies(house)['vault']['written']
    client = house.client('acme')
    client.cookies = cookies
    assert client.get('/api/v1/companies').status == 200
    current(house, 'vault')
    assert (house.root / 'vault/acme.capsule').read_bytes() == own(house)

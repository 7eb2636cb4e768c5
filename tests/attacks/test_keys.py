"""Keys of tenants beside each other and of the provider's own making (S4, H1): what two tenants with the same credentials have in common,
and what a capsule that the provider made does for him. The capsule's insides: tests/unit/slot_attack_test.c."""
import contextlib
import http.client
import os

import pytest

from house import PASSWORD, Client, House

FILES = ('data.mdb', 'capsule', 'identity')
SAME, OTHERS, WINDOW = ('jumeau', 'jumelle'), ('autre0', 'autre1', 'autre2'), 8


def fill(house, name, login, password, title):
    """A tenant with that user, a token and records; gives everything that its user was given."""
    client = Client(house, house.create(name, None, '--quota', '64M'))
    kit = client.post('/api/v1/enrol', {'code': house.codes[name], 'login': login, 'password': password}).json['recovery_kit']
    assert client.login(login, password).status == 200
    client.switch(('tokens',))
    token = house.token(client)
    for i in range(30):
        assert client.post('/api/v1/companies', {'name': f'{title} {i:02}', 'sector': title * 8}).status == 201
    given = {'kit': kit, 'token': token, 'cookie': client.cookies['__Host-cloison']}
    client.close()
    house.cli('tenant', 'stop', name)
    house.wait_state(name, 'stopped')
    return given


def files(house, name):
    return {f: (house.state / 'tenants' / name / f).read_bytes() for f in FILES}


@pytest.fixture(scope='module')
def house():
    with House() as h:
        h.given = {name: fill(h, name, 'admin', PASSWORD, 'Entreprise') for name in SAME}
        h.given |= {name: fill(h, name, f'user{i}', f'{i} horse battery staple', f'Compagni{i}') for i, name in enumerate(OTHERS)}
        h.files = {name: files(h, name) for name in h.given}
        yield h


def windows(data):
    """Every eight bytes in a row that are no filling, no small numbers and no offsets within a page, of which every other byte is under 16."""
    all_of_it = (data[at:at + WINDOW] for at in range(len(data) - WINDOW + 1))
    return {w for w in all_of_it if len(set(w)) >= 6 and w.count(0) < 3 and max(w[::2]) > 15 and max(w[1::2]) > 15}


def test_two_tenants_with_one_password_share_nothing(house):
    """Salts, locators, wraps, keys of the index, ciphertexts of equal records: no eight bytes in a row occur in both tenants' files but such
    as tenants with other credentials and records have, too, which are the formats'. Compared with its own earlier copy a tenant shares much."""
    ordinary = set().union(*(windows(data) for name in OTHERS for data in house.files[name].values()))
    a, b = (set().union(*map(windows, house.files[name].values())) for name in SAME)
    assert len(a) > 20000 and len(b) > 20000
    assert (a & b) - ordinary == set()
    start_and_stop(house, SAME[0])
    again = files(house, SAME[0])
    assert len((a & set().union(*map(windows, again.values()))) - ordinary) > 10000


def start_and_stop(house, name):
    house.cli('tenant', 'start', name)
    house.wait_state(name, 'sealed')
    client = house.client(name)
    assert client.login().status == 200
    client.close()
    house.cli('tenant', 'stop', name)
    house.wait_state(name, 'stopped')


def test_what_they_were_given_differs(house):
    for what in ('kit', 'token', 'cookie'):
        a, b = (house.given[name][what].removeprefix('clt_') for name in SAME)
        assert not {a[i:i + 6] for i in range(len(a) - 5)} & {b[i:i + 6] for i in range(len(b) - 5)}, what


def put(house, name, some):
    for f, content in some.items():
        path = house.state / 'tenants' / name / f
        path.write_bytes(content)
        os.chown(path, *[path.parent.stat().st_uid] * 2)


# S4: keys that the provider plants open nothing
@pytest.mark.parametrize('planted', [('capsule',), ('capsule', 'identity'), ('data.mdb',)])
def test_a_capsule_of_the_providers_opens_nothing_of_the_customers(house, planted):
    """Keys that the provider supplies (Albrecht, Backendal, Coppola, Paterson: "Share with Care: Breaking E2EE in Nextcloud", eprint 2024/546;
    Backendal, Haller, Paterson: "MEGA", 2022): he enrols a tenant himself and puts its capsule, with a key and a password that he knows, in
    the customer's place, or the customer's store under his own capsule. Neither his credentials nor the customer's open it, nothing is
    written under his key, and with the customer's own file back all is as it was."""
    victim, his = SAME[1], house.files[OTHERS[0]]
    put(house, victim, {f: his[f] for f in planted})
    before = files(house, victim)['data.mdb']
    house.cli('tenant', 'start', victim)
    house.wait_state(victim, 'sealed')
    for login, password in (('user0', '0 horse battery staple'), ('admin', PASSWORD)):
        client = house.client(victim)
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = client.login(login, password)
            assert answer.status in (401, 500, 503), answer
            assert client.post('/api/v1/companies', {'name': 'Entreprise'}).status in (401, 503)
        client.close()
    for secret in (house.given[OTHERS[0]], house.given[victim]):
        client = house.client(victim, token=secret['token'])
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert client.get('/api/v1/companies').status in (401, 500, 503)
        client.close()
    house.cli('tenant', 'stop', victim)
    house.wait_state(victim, 'stopped', 'throttled')
    assert windows(files(house, victim)['data.mdb']) - windows(before) == set(), 'something was written'
    put(house, victim, house.files[victim])
    house.cli('tenant', 'start', victim)
    client = house.client(victim, token=house.given[victim]['token'])
    assert len(client.get('/api/v1/companies?limit=200').json['items']) == 30
    client.close()
    house.cli('tenant', 'stop', victim)
    house.wait_state(victim, 'stopped')

"""Another master key while the tenant is served: nothing acknowledged is lost, every credential opens it afterwards, and what cannot go on says so."""
import http.client
import json
import random
import threading
import time

import pytest

from house import Client, House, wait_for

RECORDS = 20000


@pytest.fixture(scope='module')
def house():
    with House(sample_seconds=1) as h:
        yield h


def filled(house, name, records, *more):
    """A tenant with contacts. Gives its administrator's client and an API token."""
    admin = house.enrolled(name, None, *more)
    token = house.token(admin)
    lines = '\n'.join(json.dumps({'family_name': f'{chr(65 + i * 7 % 26)}{i * 7919 % 100003:06}', 'emails': [f'c{i}@exemple.fr'], 'notes': 'x' * (i * 31 % 300)})
                      for i in range(records))
    answer = house.client(name, token, timeout=300).post('/api/v1/import?kind=contacts&format=json', lines.encode(), headers={'Content-Type': 'application/json'})
    assert answer.status == 200 and answer.json['created'] == records, answer
    return admin, token


def listed(client, kind='contacts'):
    items, cursor = [], ''
    while cursor is not None:
        page = client.get(f'/api/v1/{kind}?limit=200{"&cursor=" + cursor if cursor else ""}').json
        items += page['items']
        cursor = page['next']
    return items


def rotated(admin, kept, seconds=120):
    """Waits for the rotation that was asked for; the states that were seen on the way."""
    seen = []

    def over():
        seen.append(admin.get('/api/v1/rotation').json)
        return seen[-1]['state'] in ('idle', 'stopped')
    wait_for(over, seconds, why='the rotation')
    assert seen[-1]['state'] == 'idle' and len(seen[-1]['kept']) == kept, seen[-1]
    return seen


def restarted(house, name):
    house.cli('tenant', 'stop', name)
    house.wait_state(name, 'stopped')


class Writer(threading.Thread):
    """Creates, changes, reads and deletes companies; `stored` is what was acknowledged."""

    def __init__(self, client, label):
        super().__init__(daemon=True)
        self.client, self.label, self.random = client, label, random.Random(label)
        self.stored, self.gone, self.over, self.problem, self.writes = {}, set(), False, None, 0
        self.start()

    def run(self):
        try:
            while not self.over:
                self.step()
        except BaseException as e:
            self.problem = f'{self.label}: {type(e).__name__}: {e}'

    def step(self):
        what, paths = self.random.random(), list(self.stored)
        path = self.random.choice(paths) if paths else None
        if what < 0.4 or len(paths) < 5:
            answer = self.client.post('/api/v1/companies', {'name': f'{self.label} {self.writes}', 'custom': {'filling': 'y' * self.random.choice([0, 300, 2000])}})
            assert answer.status == 201, answer
            self.stored[answer.headers['Location']] = answer.json
        elif what < 0.6:
            answer = self.client.patch(path, {'name': f'{self.label} again {self.writes}'})
            assert answer.status == 200 and answer.json['version'] == self.stored[path]['version'] + 1, answer
            self.stored[path] = answer.json
        elif what < 0.7:
            assert self.client.delete(path).status == 204
            del self.stored[path]
            self.gone.add(path)
        else:
            answer = self.client.get(path)
            assert answer.status == 200 and answer.json == self.stored[path], answer
            return
        self.writes += 1


def test_everything_is_there_afterwards(house):
    admin, token = filled(house, 'acme', RECORDS)
    folder = house.state / 'tenants/acme'
    order = listed(admin)
    assert len(order) == RECORDS
    before = admin.get('/api/v1/rotation').json
    assert before['state'] == 'idle' and before['kept'] == [] and before['reason'] is None
    assert house.client('acme', house.token(admin, scopes=['admin'], name='robot')).post('/api/v1/rotation').status == 403  # takes a log-in

    cookie = dict(admin.cookies)
    writers = []
    for n in range(4):
        client = house.client('acme', token if n % 2 else None)
        client.cookies = {} if n % 2 else dict(cookie)
        writers.append(Writer(client, f'writer {n}'))
    wait_for(lambda: sum(w.writes for w in writers) > 100 or any(w.problem for w in writers), why='the writers')
    commit = admin.get('/api/v1/session').json['commit']
    began, at = time.monotonic(), sum(w.writes for w in writers)
    answer = admin.post('/api/v1/rotation')
    assert answer.status == 202 and answer.json['state'] in ('waiting', 'copying'), answer
    seen = rotated(admin, 1)
    took, during = time.monotonic() - began, sum(w.writes for w in writers) - at
    time.sleep(0.3)  # and some under the new key
    for w in writers:
        w.over = True
    for w in writers:
        w.join(60)
    assert [w.problem for w in writers if w.problem] == []
    progress = [s['copied'] for s in seen if s['state'] == 'copying']
    assert len(progress) > 3 and progress == sorted(progress) and progress[0] < progress[-1] <= seen[-2]['total']
    assert during > 50, during
    print(f'{RECORDS} records in {took:.1f} s with {during} writes meanwhile')
    assert admin.get('/api/v1/session').json['commit'] > commit  # the counter goes on

    def whole(client):
        assert listed(client) == order
        found = {f'/api/v1/companies/{c["id"]}': c for c in client.get('/api/v1/export?kind=companies&format=json').json}
        assert found == {p: c for w in writers for p, c in w.stored.items()}
        assert {c['id'] for c in listed(client, 'companies')} == {p.rsplit('/', 1)[1] for p in found}
        assert client.get('/api/v1/contacts/letters').json['total'] == RECORDS
    whole(admin)
    sizes = [(folder / f).stat().st_size for f in ('data.mdb', 'data-2.mdb')]
    assert min(sizes) > 1 << 20  # until the next start both have their content

    # Each credential opens it alone, after a start; and the check of all that is there finds nothing.
    for n, opens in enumerate(('cookie', 'token', 'password', 'kit')):
        restarted(house, 'acme')
        client = house.client('acme', token if opens == 'token' else None)
        if opens == 'cookie':
            client.cookies = dict(cookie)
        elif opens == 'password':
            assert client.login().status == 200
        elif opens == 'kit':
            assert client.post('/api/v1/session', {'recovery_kit': admin.recovery_kit}).status == 200
        whole(client)
        client.close()
        if n == 0:
            wait_for(lambda: house.show('acme')['check'] == 'sound', 60, 0.2, 'the check')
            assert (folder / 'data.mdb').stat().st_size < 65536  # emptied

    # Back into the first file, in the process that is there; then the old keys are dropped.
    admin = house.client('acme')
    assert admin.login().status == 200
    assert admin.post('/api/v1/rotation').status == 202
    kept = rotated(admin, 2)[-1]['kept']
    assert admin.post('/api/v1/rotation').status == 202
    kept = rotated(admin, 3)[-1]['kept']
    whole(admin)
    for key in kept:
        assert admin.delete(f'/api/v1/rotation/keys/{key["id"]}').status == 204
        assert admin.delete(f'/api/v1/rotation/keys/{key["id"]}').status == 404
    assert admin.get('/api/v1/rotation').json['kept'] == []


def test_a_member_may_not_ask(house):
    admin = house.enrolled('bois')
    reader = house.client('bois', house.token(admin, scopes=['read', 'write', 'import', 'export']))
    for method, path in (('GET', ''), ('POST', ''), ('DELETE', '/keys/00000000000000000000000000')):
        assert reader.request(method, '/api/v1/rotation' + path).status == 403
        assert Client(house, 'bois.localhost').request(method, '/api/v1/rotation' + path).status == 401


def test_without_room_it_stops_and_serves(house):
    """The quota was lowered under what is there: the second file would not hold it. Nothing changes but for the answer to 'how is it'."""
    admin, _ = filled(house, 'ciel', 4000, '--quota', '32M')
    order = listed(admin)
    house.cli('tenant', 'set', 'ciel', '--quota', '1M')
    assert admin.post('/api/v1/rotation').status == 202
    wait_for(lambda: admin.get('/api/v1/rotation').json['state'] == 'stopped', 30, why='it to stop')
    assert admin.get('/api/v1/rotation').json['reason'] == 'full'
    assert listed(admin) == order
    house.cli('tenant', 'set', 'ciel', '--quota', '32M')
    wait_for(lambda: admin.post('/api/v1/companies', {'name': 'Place'}).status == 201, why='the quota')
    restarted(house, 'ciel')  # the wish is still there
    rotated(admin, 1)
    assert listed(admin) == order


def test_the_wish_outlives_the_process(house):
    admin, token = filled(house, 'dune', 6000)
    assert admin.post('/api/v1/rotation').status == 202
    restarted(house, 'dune')
    reader = house.client('dune', token)
    assert reader.get('/api/v1/contacts?limit=1').status == 200  # no more than this opens it and lets it go on
    rotated(admin, 1)


def test_an_export_is_whole_or_breaks_off(house):
    """The order of the records is gone with the key: an export that streams on the way to it may end, but never without saying so."""
    admin, token = filled(house, 'etang', 20000)
    ids, whole, broken = {c['id'] for c in listed(admin)}, 0, 0
    assert admin.post('/api/v1/rotation').status == 202
    client = house.client('etang', token)
    for _ in range(100):
        try:
            items = client.get('/api/v1/export?kind=contacts&format=json', again=False).json
            assert {c['id'] for c in items} == ids and len(items) == len(ids)
            whole += 1
        except (OSError, ValueError, http.client.HTTPException):
            client.close()
            broken += 1
        if admin.get('/api/v1/rotation').json['state'] == 'idle':
            break
    assert whole and broken <= 1, (whole, broken)
    rotated(admin, 1)

"""A rotation of the master key against kill -9, and against somebody who puts files of before and after it together (issue 3; lessons: "Keys").

tests/unit/rotation_test.c dies at every single write of a rotation; here the real worker is killed while clients write."""
import json
import random
import time

import pytest

from house import House, wait_for
from test_kill import GONE, Load, compare, kill, persist, pids, staff_start

KILLS, SEED, RECORDS = 36, 20261125, 4000


@pytest.fixture(scope='module')
def house():
    with House(sample_seconds=1) as h:
        yield h


def fill(house, admin, name, records):
    lines = '\n'.join(json.dumps({'family_name': f'{chr(65 + i % 26)} {i}', 'notes': 'x' * (i % 300)}) for i in range(records))
    loader = house.client(name, house.token(admin), timeout=300)
    answer = loader.post('/api/v1/import?kind=contacts&format=json', lines.encode(), headers={'Content-Type': 'application/json'})
    assert answer.status == 200 and answer.json['created'] == records, answer
    return sorted(c['id'] for c in loader.get('/api/v1/export?kind=contacts&format=json').json)


def asked(client):
    """The rotation is wanted; the old keys are dropped so that there is always room for one more."""
    for key in client.get('/api/v1/rotation').json['kept']:
        client.delete(f'/api/v1/rotation/keys/{key["id"]}')
    answer = client.post('/api/v1/rotation')
    assert answer.status == 202, answer
    return answer.json


def settled(client, seconds=60):
    """The rotation that was asked for is done, without being asked for again."""
    return wait_for(lambda: (r := persist(lambda: client.get('/api/v1/rotation').json))['state'] == 'idle' and r, seconds, why='the rotation')


def test_killed_at_any_moment_of_it(house):
    r = random.Random(SEED)
    admin = house.enrolled('acme')
    contacts = fill(house, admin, 'acme', RECORDS)
    keeper = house.client('acme', timeout=10)
    keeper.cookies = dict(admin.cookies)
    began = time.monotonic()
    asked(keeper)
    settled(keeper)
    length = time.monotonic() - began

    token, by_cookie = house.token(admin), house.client('acme', timeout=10)
    by_cookie.cookies = dict(admin.cookies)
    uid, caught, done = house.show('acme')['uid'], 0, 0
    load = Load([('acme cookie', by_cookie), ('acme token', house.client('acme', token=token, timeout=10))])
    try:
        for _ in range(KILLS):
            key = persist(lambda: asked(keeper))['key_created']
            if r.random() < 0.8:  # it was asked for a moment ago, or has begun
                time.sleep(r.uniform(0, 2.5 * length))
            state = persist(lambda: keeper.get('/api/v1/rotation').json)
            caught += state['state'] in ('waiting', 'copying')
            victims = pids(house, 'cloison-worker', uid)
            for pid in victims:
                kill(pid)
            staff_start(house, 'acme', victims)
            keeper.close()
            after = persist(lambda: keeper.get('/api/v1/rotation').json)  # no password
            if state['state'] == 'idle':
                assert after['state'] == 'idle', (state, after)  # what is done stays done
            else:
                assert after['state'] in ('waiting', 'copying') or len(after['kept']) == 1 and after['key_created'] >= key, (state, after)
            done += len(after['kept'])
        last = settled(keeper)
    finally:
        writers = load.finish()
    assert [w.problem for w in writers if w.problem] == []
    print(f'{KILLS} kills, {caught} of them in a rotation of {length:.1f} s, {done} were done, {sum(w.acknowledged for w in writers)} writes acknowledged')
    assert caught >= 12 and done >= 2 and sum(w.acknowledged for w in writers) > 500
    for restart in range(2):
        compare(keeper, writers)
        assert sorted(c['id'] for c in keeper.get('/api/v1/export?kind=contacts&format=json').json) == contacts
        if not restart:
            keeper.close()
            house.cli('tenant', 'stop', 'acme')
            house.wait_state('acme', 'stopped')
    assert keeper.get('/api/v1/rotation').json['key_created'] == last['key_created']
    fresh = house.client('acme')
    assert fresh.login().status == 200
    wait_for(lambda: house.show('acme')['check'] == 'sound', 60, 0.2, 'the check')


class Days:
    """A tenant's files of before and after a rotation."""

    def __init__(self, house, name):
        self.house, self.name, self.folder = house, name, house.state / 'tenants' / name
        self.admin = house.enrolled(name)
        self.contacts = fill(house, self.admin, name, 300)
        self.stop()
        self.before = self.files()
        assert len(self.look()) == 300
        self.contacts_before = self.contacts
        asked(self.admin)
        settled(self.admin)
        added = self.admin.post('/api/v1/contacts', {'family_name': 'Later'}).json['id']
        self.contacts = sorted(self.contacts + [added])
        self.stop()
        self.after = self.files()
        assert self.look() == self.contacts
        [key] = self.admin.get('/api/v1/rotation').json['kept']
        assert self.admin.delete(f'/api/v1/rotation/keys/{key["id"]}').status == 204
        self.stop()
        self.dropped = self.files()['capsule']

    def stop(self):
        self.admin.close()
        self.house.cli('tenant', 'stop', self.name)
        self.house.wait_state(self.name, 'stopped')

    def files(self):
        return {f: (self.folder / f).read_bytes() for f in ('capsule', 'data.mdb', 'data-2.mdb')}

    def put(self, files):
        for f, content in files.items():
            (self.folder / f).write_bytes(content)

    def look(self):
        self.admin.cookies.pop('__Host-cloison-seen', None)  # older files are put back on purpose here
        return sorted(c['id'] for c in self.admin.get('/api/v1/export?kind=contacts&format=json').json)

    def opens_nothing(self):
        """Neither by cookie nor by password, whether the worker starts or not."""
        fresh = self.house.client(self.name, timeout=4)
        fresh.cookies = {'__Host-cloison': self.admin.cookies['__Host-cloison']}  # without the mark, which would be refused for itself
        for ask in (lambda: fresh.get('/api/v1/contacts?limit=1'), fresh.login, lambda: fresh.get('/api/v1/contacts?limit=1')):
            try:
                answer = ask()
                assert answer.status >= 400 and b'family_name' not in answer.body and not answer.headers.get('Set-Cookie'), answer
            except GONE:
                fresh.close()
        fresh.close()
        self.house.cli('tenant', 'stop', self.name, check=False)
        self.house.wait_state(self.name, 'stopped')


def test_files_of_different_days(house):
    d = Days(house, 'bois')
    mixes = {
        "yesterday's data, its key dropped, with today's capsule": {'capsule': d.dropped, 'data.mdb': d.before['data.mdb'], 'data-2.mdb': d.before['data.mdb']},
        "today's data with yesterday's capsule": {'capsule': d.before['capsule'], 'data.mdb': d.after['data-2.mdb'], 'data-2.mdb': d.after['data-2.mdb']},
        "yesterday's capsule beside today's files": {**d.after, 'capsule': d.before['capsule']},
    }
    for what, files in mixes.items():
        d.put(files)
        d.opens_nothing()
        left = d.files()
        for f in ('data.mdb', 'data-2.mdb'):  # what is today's data was not emptied on the way
            if files[f] == d.after['data-2.mdb']:
                assert len(left[f]) >= len(files[f]), (what, f)
        d.put({'capsule': d.after['capsule']} if files['data-2.mdb'] == d.after['data-2.mdb'] else d.after)
        house.cli('tenant', 'start', 'bois')
        assert d.look() == d.contacts, what
        d.stop()


# C7: a copy of before a rotation opens while the tenant keeps that key
def test_a_cold_copy_of_before_a_rotation_opens_with_todays_capsule(house):
    """As long as its key is kept; and it is sealed anew at once, under a key that the copy's time did not know."""
    d = Days(house, 'cerf')
    d.put({**d.before, 'capsule': d.after['capsule']})
    d.admin.cookies.pop('__Host-cloison-seen')
    assert d.admin.login().status == 200
    assert d.look() == d.contacts_before
    settled(d.admin)
    acts = [line['act'] for line in d.admin.get('/api/v1/journal?limit=200').json['items']]
    assert 'older_file' in acts and acts.index('key_changed') < acts.index('older_file')
    d.stop()
    files = d.files()
    assert all(d.before['data.mdb'] != files[f] for f in ('data.mdb', 'data-2.mdb'))
    d.put({'capsule': d.after['capsule']})  # today's of the morning knows nothing of the afternoon's key
    d.opens_nothing()
    d.put(files)
    assert d.look() == d.contacts_before

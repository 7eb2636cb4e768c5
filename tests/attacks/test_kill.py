"""kill -9 of every process at random moments under write load (issue 2; design "Writing", lessons: "Lifecycle").

Every acknowledged write is there afterwards with exactly its content; connections to other tenants survive the death of a worker, of the
router and of the steward; after the supervisor's death a new one and its workers come back by cookies and tokens, without a password."""
import contextlib
import http.client
import json
import multiprocessing
import os
import random
import signal
import threading
import time

import pytest

from house import PASSWORD, Client, House, wait_for

ROUNDS, SEED = 240, 20261122
TENANTS = ('acme', 'bois', 'ciel')
GONE = (OSError, http.client.HTTPException, ValueError)
fork = multiprocessing.get_context('fork')


def pids(house, program, uid=None):
    """The house's processes of that program."""
    found = []
    for name in os.listdir('/proc'):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.readlink(f'/proc/{name}/exe') == str(house.bin / program):
                if uid is None or os.stat(f'/proc/{name}').st_uid == uid or real_uid(name) == uid:
                    found.append(int(name))
    return found


def real_uid(pid):
    with open(f'/proc/{pid}/status') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('Uid'))


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def persist(what, seconds=60):
    """Calls until it does not raise: a client that tries again."""
    end = time.monotonic() + seconds
    while True:
        try:
            return what()
        except GONE + (AssertionError,):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


# ---- writers ----

class Writer:
    """Creates, changes and deletes companies; knows what was acknowledged. What was not answered is looked up and must be the old or the new."""

    def __init__(self, client, label):
        self.client, self.label, self.serial = client, label, 0
        self.random = random.Random(label)
        self.stored, self.deleted, self.unsure = {}, set(), set()  # path -> acknowledged JSON; paths; names of creations without an answer
        self.acknowledged = self.unanswered = 0
        self.problem = None

    def ask(self, method, path, body=None):
        """The answer, or None when there was none; 503 and such count as none: nothing was acknowledged."""
        try:
            answer = self.client.request(method, path, body, again=False)
        except GONE:
            self.client.close()
            self.unanswered += 1
            return None
        return answer if answer.status < 500 else None

    def must(self, path):
        while True:
            answer = self.ask('GET', path)
            if answer is not None:
                return answer
            time.sleep(0.02)

    def step(self):
        self.serial += 1
        paths = list(self.stored)
        what = self.random.random()
        if what < 0.6 or len(paths) < 5:
            self.create()
        elif what < 0.9:
            self.change(self.random.choice(paths))
        else:
            self.delete(self.random.choice(paths))

    def create(self):
        name = f'{self.label} {self.serial:06}'
        body = {'name': name, 'custom': {'filling': 'x' * self.random.choice([0, 20, 300, 2000])}}
        answer = self.ask('POST', '/api/v1/companies', body)
        if answer is None:
            self.unsure.add(name)
            return
        assert answer.status == 201, answer
        self.acknowledged += 1
        self.stored[answer.headers['Location']] = answer.json

    def change(self, path):
        sector = f'{self.label} {self.serial}'
        answer = self.ask('PATCH', path, {'sector': sector})
        if answer is not None:
            assert answer.status == 200, answer
            self.acknowledged += 1
            self.stored[path] = answer.json
            return
        now = self.must(path)
        assert now.status == 200, (path, now)
        old = self.stored[path]
        assert now.json == old or now.json.get('sector') == sector and now.json['version'] == old['version'] + 1, (old, now.json)
        self.stored[path] = now.json

    def delete(self, path):
        answer = self.ask('DELETE', path)
        if answer is None:
            now = self.must(path)
            assert now.status == 404 or now.status == 200 and now.json == self.stored[path], now
            if now.status == 200:
                return
        else:
            assert answer.status == 204, answer
            self.acknowledged += 1
        del self.stored[path]
        self.deleted.add(path)

    def run(self, stop, out):
        try:
            while not stop.is_set():
                self.step()
                time.sleep(0.002)
        except BaseException as e:
            self.problem = f'{self.label}: {type(e).__name__} {e}'
        self.client.close()
        self.client = None
        out.send(self)
        out.close()


class Load:
    """Writers in processes of their own."""

    def __init__(self, clients):
        self.stop, self.ends = fork.Event(), []
        for label, client in clients:
            here, there = fork.Pipe(duplex=False)
            process = fork.Process(target=Writer(client, label).run, args=(self.stop, there), daemon=True)
            process.start()
            there.close()
            self.ends.append((process, here))

    def finish(self):
        self.stop.set()
        writers = []
        for process, end in self.ends:
            assert end.poll(60), 'a writer does not come back'
            writers.append(end.recv())
            process.join()
        return writers


def compare(client, writers):
    """Everything acknowledged is there, exactly, and nothing else but perhaps what was not answered."""
    found = {f'/api/v1/companies/{c["id"]}': c for c in persist(lambda: client.get('/api/v1/export?kind=companies&format=json').json)}
    stored = {p: c for w in writers for p, c in w.stored.items()}
    unsure = set().union(*(w.unsure for w in writers))
    lost = [c for p, c in stored.items() if p not in found]
    altered = [(c, found[p]) for p, c in stored.items() if p in found and found[p] != c]
    back = [p for w in writers for p in w.deleted if p in found]
    foreign = [c for p, c in found.items() if p not in stored and c['name'] not in unsure]
    assert not lost and not altered and not back and not foreign, (len(lost), lost[:2], altered[:2], back[:2], foreign[:2])
    letters = persist(lambda: client.get('/api/v1/companies/letters').json)
    assert letters['total'] == len(found)
    listed, cursor = set(), ''
    while cursor is not None:
        page = persist(lambda: client.get(f'/api/v1/companies?limit=200{"&cursor=" + cursor if cursor else ""}').json)
        listed |= {f'/api/v1/companies/{c["id"]}' for c in page['items']}
        cursor = page['next']
    assert listed == set(found), 'the index and the records differ'


# ---- connections that must survive ----

class Keeper:
    """One connection that is never opened again: each look must be answered on it."""

    def __init__(self, house, name, cookies):
        self.name, self.client = name, house.client(name, timeout=10)
        self.client.cookies = dict(cookies)
        self.open()

    def open(self):
        self.client.close()
        persist(self.look_once)

    def look_once(self):
        answer = self.client.request('GET', '/api/v1/session', again=False)
        assert answer.status == 200, answer

    def look(self):
        connection = self.client.connection
        assert connection is not None
        self.look_once()
        assert self.client.connection is connection, f'{self.name}: the connection did not survive'


# ---- the killer ----

def era(random_source):
    """The order of deaths between two deaths of the supervisor."""
    deaths = [*random_source.choices(TENANTS, k=5), 'router', 'steward']
    random_source.shuffle(deaths)
    return [*deaths, 'supervisor']


def staff_start(house, name, dead=()):
    """An operator's start ends a back-off at once; before the supervisor has buried the dead there is none to end, and the steward may be dead, too."""
    wait_for(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in dead), 15, why='the supervisor to see a death')
    persist(lambda: house.cli('tenant', 'start', name, duties=('operator',)), 30)


def die(house, who, keepers, uids):
    """Kills it, and sees that nobody else felt it."""
    if who in TENANTS:
        victims = pids(house, 'cloison-worker', uids[who])
        for pid in victims:
            kill(pid)
        for name, keeper in keepers.items():
            if name != who:
                keeper.look()
        staff_start(house, who, victims)
        keepers[who].open()
        return bool(victims)
    if who == 'supervisor':
        house.process.kill()
        house.process.wait()
        house.start()
        for name in TENANTS:  # no password: the cookie opens it
            keepers[name].open()
        return 1
    victims = pids(house, f'cloison-{who}')
    for pid in victims:
        kill(pid)
    for keeper in keepers.values():
        keeper.look()
    wait_for(lambda: set(pids(house, f'cloison-{who}')) - set(victims), 15, why=f'a new {who}')
    for name, keeper in keepers.items():
        keeper.look()
    if who == 'router':  # and new connections come in again
        fresh = house.client('acme', timeout=10)
        persist(lambda: fresh.get('/api/v1/health').json, 15)
        fresh.close()
    return bool(victims)


def test_kill_nine_at_random():
    r, killed, began = random.Random(SEED), {}, time.monotonic()
    with House(sample_seconds=1) as house:
        clients, keepers, uids = [], {}, {}
        for name in TENANTS:
            admin = house.enrolled(name)
            token = house.token(admin)
            by_cookie = house.client(name, timeout=10)
            by_cookie.cookies = dict(admin.cookies)
            clients += [(f'{name} cookie', by_cookie), (f'{name} token', house.client(name, token=token, timeout=10))]
            keepers[name] = Keeper(house, name, admin.cookies)
            uids[name] = house.show(name)['uid']
            admin.close()
        load = Load(clients)
        try:
            deaths = []
            while sum(killed.values()) < ROUNDS:
                deaths = deaths or era(r)
                who = deaths.pop(0)
                time.sleep(r.uniform(0, 0.15))
                killed[who] = killed.get(who, 0) + die(house, who, keepers, uids)
        finally:
            writers = load.finish()
        problems = [w.problem for w in writers if w.problem]
        assert not problems, problems
        acknowledged, unanswered = sum(w.acknowledged for w in writers), sum(w.unanswered for w in writers)
        print(f'{killed} in {time.monotonic() - began:.0f} s, {acknowledged} writes acknowledged, {unanswered} requests unanswered')
        assert acknowledged > 2000 and unanswered > 50 and killed['supervisor'] >= 20 and killed['router'] >= 20
        for name in TENANTS:
            compare(keepers[name].client, [w for w in writers if w.label.startswith(name)])
        for name in TENANTS:  # and once more off the disk, after a clean stop
            keepers[name].client.close()
            house.cli('tenant', 'stop', name)
            house.wait_state(name, 'stopped')
            compare(keepers[name].client, [w for w in writers if w.label.startswith(name)])
        assert house.cli('ledger', 'verify', check=False).returncode == 0
        wait_for(lambda: all(house.show(n)['check'] == 'sound' for n in TENANTS), 30, 0.2, 'the checks')


# ---- in the middle of what happens once ----

@pytest.fixture(scope='module')
def house():
    with House(sample_seconds=1) as h:
        yield h


def later(seconds, do):
    timer = threading.Timer(seconds, do)
    timer.start()
    return timer


def killing(house, name, seconds, ask):
    """Asks while the tenant's worker is killed after so many seconds; the answer or None. Then it is started again."""
    victims = pids(house, 'cloison-worker', house.show(name)['uid'])
    timer = later(seconds, lambda: [kill(p) for p in victims])
    try:
        answer = ask()
    except GONE:
        answer = None
    timer.join()
    staff_start(house, name, victims)
    return answer


@pytest.mark.parametrize('i', range(16))
def test_in_the_middle_of_enrolment(house, i):
    """Either it happened, or it can be done again with the same code: never half."""
    name = f'enrol{i}'
    host = house.create(name)
    body = {'code': house.codes[name], 'login': 'admin', 'password': PASSWORD}
    house.client(name).get('/api/v1/health')
    client = Client(house, host, timeout=10)
    answer = killing(house, name, i * 0.004, lambda: client.request('POST', '/api/v1/enrol', body, again=False))
    client.close()
    login = persist(lambda: client.login(), 20)
    if answer is not None:
        assert answer.status == 201 and login.status == 200, (answer, login)
    elif login.status != 200:
        again = persist(lambda: client.request('POST', '/api/v1/enrol', body, again=False), 20)
        assert again.status == 201, (login, again)
        assert client.login().status == 200
    made = client.post('/api/v1/companies', {'name': 'Première'})
    assert made.status == 201
    client.close()
    house.cli('tenant', 'stop', name)
    house.wait_state(name, 'stopped')
    assert client.get(made.headers['Location']).json['name'] == 'Première'
    assert client.post('/api/v1/enrol', body).status in (403, 409)
    client.close()


def test_in_the_middle_of_imports(house):
    """No record is half there, none is there twice, and the index knows exactly those that are there."""
    admin = house.enrolled('import')
    token = house.token(admin)
    r = random.Random(5)
    for i in range(8):
        rows = [f'Import {i} numéro {n:05},secteur {n},Ville {n},{"t" * (n % 50)}' for n in range(4000)]
        data = '\r\n'.join(['name,sector,address.city,tags', *rows]).encode()
        client = house.client('import', token=token, timeout=20)
        answer = killing(house, 'import', r.uniform(0.02, 0.35), lambda: client.request(
            'POST', '/api/v1/import?kind=companies&format=csv', data, headers={'Content-Type': 'text/csv'}, again=False))
        client.close()
        found = [c for c in persist(lambda: client.get('/api/v1/export?kind=companies&format=json').json) if c['name'].startswith(f'Import {i} ')]
        numbers = sorted(int(c['name'][-5:]) for c in found)
        assert numbers == list(range(len(numbers))), 'a gap or a double'
        for c in found:
            n = int(c['name'][-5:])
            assert (c['sector'], c['address'], c.get('tags', [])) == (f'secteur {n}', {'city': f'Ville {n}'}, ['t' * (n % 50)] if n % 50 else []), c
        if answer is not None:
            assert answer.status == 200 and answer.json['created'] == len(found) == 4000
        client.close()
    client = house.client('import', token=token)
    total = client.get('/api/v1/companies/letters').json['total']
    assert total == len(client.get('/api/v1/export?kind=companies&format=json').json)
    wait_for(lambda: house.show('import')['check'] == 'sound', 30, 0.2, 'the check')


def test_in_the_middle_of_token_creation(house):
    """The capsule is whole after each: an acknowledged token works, all earlier ones do, and so does the password."""
    admin = house.enrolled('jetons')
    good = [house.token(admin, name='premier')]
    for i in range(16):
        admin.close()
        answer = killing(house, 'jetons', i * 0.0015, lambda: admin.request(
            'POST', '/api/v1/tokens', {'name': f'jeton {i}', 'scopes': ['read'], 'expires': '2099-01-01T00:00:00Z'}, again=False))
        if answer is not None:
            assert answer.status == 201, answer
            good.append(answer.json['token'])
        for token in (good[0], good[-1]):
            client = house.client('jetons', token=token, timeout=10)
            assert persist(lambda: client.get('/api/v1/session'), 20).status == 200
            client.close()
    listed = persist(lambda: admin.get('/api/v1/tokens').json['items'], 20)
    assert len(good) <= len(listed) <= 17
    assert house.client('jetons').login().status == 200


def opened(house, name, ask):
    """Does a client of its own get in? A lock-out is waited for, and so is a worker; a sealed one was not opened."""
    def once():
        client = house.client(name, timeout=10)
        try:
            answer = ask(client)
        finally:
            client.close()
        assert answer.status in (200, 401) or b'"sealed"' in answer.body, answer
        return answer.status == 200
    return persist(once, 30)


def with_cookies(cookies):
    def ask(client):
        client.cookies = dict(cookies)
        return client.get('/api/v1/session')
    return ask


def test_in_the_middle_of_password_changes(house):
    """Exactly one of the two passwords opens afterwards, the acknowledged one when there was an answer; none of before ever does again, nor
    does a session of before live on under the new one."""
    admin = house.enrolled('motdepasse')
    kit, r = admin.recovery_kit, random.Random(7)
    passwords, changed = [PASSWORD], 0
    start = time.monotonic()
    assert admin.put('/api/v1/password', {'old': PASSWORD, 'password': f'{PASSWORD} 0'}).status == 204
    took = time.monotonic() - start
    passwords.append(f'{PASSWORD} 0')
    for i in range(1, 17):
        new = f'{PASSWORD} {i}'
        assert opened(house, 'motdepasse', lambda c: c.login('admin', passwords[-1]))
        persist(lambda: admin.login('admin', passwords[-1]).headers['Set-Cookie'], 20)
        before = dict(admin.cookies)
        answer = killing(house, 'motdepasse', took * r.uniform(0.7, 1.6), lambda: admin.request(
            'PUT', '/api/v1/password', {'old': passwords[-1], 'password': new}, again=False))
        admin.close()
        assert answer is None or answer.status == 204, answer
        is_new = opened(house, 'motdepasse', lambda c: c.login('admin', new))
        assert is_new or answer is None
        assert opened(house, 'motdepasse', lambda c: c.login('admin', passwords[-1])) != is_new
        if is_new:
            assert not opened(house, 'motdepasse', with_cookies(before)), 'a session of before the change'
            assert opened(house, 'motdepasse', lambda c: c.login('admin', new))
            passwords.append(new)
            changed += 1
        assert not opened(house, 'motdepasse', lambda c: c.login('admin', r.choice(passwords[:-1]))), 'an old password is back'
        assert opened(house, 'motdepasse', lambda c: c.post('/api/v1/session', {'recovery_kit': kit}))
    print(f'{changed} of 16 changes came through, one takes {took * 1000:.0f} ms')
    house.cli('tenant', 'stop', 'motdepasse')
    house.wait_state('motdepasse', 'stopped')
    assert opened(house, 'motdepasse', lambda c: c.login('admin', passwords[-1]))
    assert not opened(house, 'motdepasse', lambda c: c.login('admin', passwords[-2]))


def test_in_the_middle_of_removals(house):
    """A token and a session that were removed open nothing again once that was acknowledged or seen; all others go on."""
    admin = house.enrolled('fins')
    kept = house.token(admin, name='kept')
    for i in range(12):
        victim = house.token(admin, name=f'gone {i}')
        session = house.client('fins')
        assert session.login().status == 200
        listed = {t['name']: t['id'] for t in admin.get('/api/v1/tokens').json['items']}
        admin.close()
        if i % 2:
            ask = lambda: admin.request('DELETE', f'/api/v1/tokens/{listed[f"gone {i}"]}', again=False)
        else:
            ask = lambda: session.request('DELETE', '/api/v1/session', again=False)
        cookies = dict(session.cookies)
        answer = killing(house, 'fins', i * 0.0008, ask)
        session.close()
        admin.close()
        assert answer is None or answer.status == 204, answer
        removed = with_cookies(cookies) if i % 2 == 0 else with_token(victim)
        other = with_cookies(cookies) if i % 2 else with_token(victim)
        alive = opened(house, 'fins', removed)
        assert not (alive and answer is not None), 'removed and back'
        assert opened(house, 'fins', other) and opened(house, 'fins', with_token(kept)) and opened(house, 'fins', with_cookies(admin.cookies))
        staff_kill(house, 'fins')
        assert opened(house, 'fins', removed) == alive


def with_token(token):
    def ask(client):
        client.token = token
        return client.get('/api/v1/session')
    return ask


def staff_kill(house, name):
    """kill -9 and an operator's start."""
    victims = pids(house, 'cloison-worker', house.show(name)['uid'])
    for pid in victims:
        kill(pid)
    staff_start(house, name, victims)


def test_the_supervisor_in_the_middle_of_staff_work(house):
    """The registry and the ledger are whole after each death, and whatever was acknowledged to staff is in both."""
    r, acknowledged = random.Random(9), []
    for i in range(12):
        name = f'personnel{i}'
        timer = later(r.uniform(0.005, 0.06), house.process.kill)
        done = house.cli('--json', 'tenant', 'create', name, '--host', f'{name}.localhost', check=False)
        timer.join()
        house.process.wait()
        house.start()
        if done.returncode == 0:
            acknowledged.append((name, json.loads(done.stdout)['enrolment_code']))
        assert house.cli('ledger', 'verify', check=False).returncode == 0
    names = [t['name'] for t in house.status_get('/v1/tenants').json['tenants']]
    ledger = house.cli('ledger', 'list').stdout
    assert acknowledged and all(n in names and n in ledger for n, _ in acknowledged)
    uids = [t['uid'] for t in house.status_get('/v1/tenants').json['tenants']]
    assert len(uids) == len(set(uids))
    name, code = acknowledged[-1]
    assert house.client(name).post('/api/v1/enrol', {'code': code, 'login': 'admin', 'password': PASSWORD}).status == 201

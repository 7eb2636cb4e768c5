"""Somebody with the disk changes the files of stopped tenants; then the real workers open them (S4, lessons: "LMDB").

No answer ever holds altered or foreign content: every one is held against everything its tenant ever stored. What went missing is found by
the check that follows an unsealing and shown in the status. A worker that faults on a broken page dies alone and backs off.

tests/unit/store_attack_test.c flips 2,400 bits one by one in process; here each round damages several places of several tenants at once."""
import contextlib
import http.client
import json
import os
import random
import shutil
import struct
import threading
import time

import pytest

from house import PASSWORD, House, wait_for

VICTIMS, PAGE = 10, 4096
FILES = ('data.mdb', 'capsule', 'identity')


class Victim:
    """A tenant, all that it ever stored, and its files as they were when it was stopped."""

    def __init__(self, house, name):
        self.house, self.name, self.folder = house, name, house.state / 'tenants' / name
        admin = house.enrolled(name, None, '--quota', '64M')
        self.old = self.older_token = None
        self.ever, self.items = {}, set()  # path -> the JSON texts it ever had; every list item ever shown
        self.current = {}
        self.token = house.token(admin)
        self.client = house.client(name, token=self.token, timeout=8)
        self.fill(admin)
        admin.close()

    def fill(self, admin):
        rows = '\r\n'.join(['name,sector,address.city', *[f'{chr(65 + i % 26)}{i:03} {self.name},secteur {i},Vill{"e" * (i % 90)}' for i in range(120)]])
        assert admin.post('/api/v1/import?kind=companies&format=csv', rows.encode(), headers={'Content-Type': 'text/csv'}).json['created'] == 120
        for i in range(40):
            notes = f'{self.name} note {i} ' * (1 + i % 7 * 100)  # some of them on pages of their own
            assert admin.post('/api/v1/contacts', {'family_name': f'{self.name}-{i}', 'notes': notes}).status == 201
        self.learn()
        self.old = self.files()  # a file of an earlier day
        for n, path in enumerate(sorted(self.current)):
            if n % 4 == 0:
                assert admin.patch(path, {'tags': [f'{self.name} changé']}).status == 200
            elif n % 9 == 1:
                assert admin.delete(path).status == 204
                del self.current[path]
        self.learn()
        self.commit = admin.get('/api/v1/session').json['commit']

    def learn(self):
        """What is stored now joins what was ever stored."""
        for kind in ('companies', 'contacts'):
            for item in self.listed(kind):
                path = f'/api/v1/{kind}/{item["id"]}'
                text = self.client.get(path).body.decode()
                self.ever.setdefault(path, set()).add(text)
                self.current[path] = text
        self.client.close()

    def listed(self, kind):
        cursor = ''
        while cursor is not None:
            answer = self.client.get(f'/api/v1/{kind}?limit=100{"&cursor=" + cursor if cursor else ""}')
            if answer.status != 200:
                return
            for item in answer.json['items']:
                self.items.add(json.dumps(item, sort_keys=True))
                yield item
            cursor = answer.json['next']

    def files(self):
        """The files as a copy would take them: of a running tenant only data.mdb at rest."""
        return {f: (self.folder / f).read_bytes() for f in FILES}

    def put(self, files):
        for f, content in files.items():
            path = self.folder / f
            if content is None:
                path.unlink(missing_ok=True)
                continue
            there = path.exists()
            path.write_bytes(content)
            if not there:
                os.chown(path, *[self.folder.stat().st_uid] * 2)
                os.chmod(path, 0o600)

    def stop(self):
        self.client.close()
        self.house.cli('tenant', 'stop', self.name)

    def keep(self):
        self.house.wait_state(self.name, 'stopped')
        self.whole = self.files()


class Seen:
    """What a client of a damaged tenant saw. Altered or foreign content fails the test at once."""

    def __init__(self, victim):
        self.victim, self.lost, self.old, self.broken, self.wrong, self.statuses = victim, 0, 0, 0, None, set()
        self.look()

    def get(self, path):
        if self.broken > 4:
            return None
        try:
            answer = self.victim.client.get(path)
            self.statuses.add(answer.status)
            return answer
        except (OSError, http.client.HTTPException):
            self.victim.client.close()
            self.broken += 1
            return None

    def look(self):
        v = self.victim
        for path, text in v.current.items():
            answer = self.get(path)
            if answer is None or answer.status != 200:
                self.lost += 1
            elif answer.body.decode() not in v.ever[path]:
                self.wrong = (path, answer.body)
            elif answer.body.decode() != text:
                self.old += 1
        for kind in ('companies', 'contacts'):
            self.look_at_list(kind)
            self.look_at_export(kind)
        answer = self.get('/api/v1/session')
        self.commit = answer.json['commit'] if answer and answer.status == 200 else None
        v.client.close()

    def look_at_list(self, kind):
        cursor, listed = '', 0
        while cursor is not None:
            answer = self.get(f'/api/v1/{kind}?limit=100{"&cursor=" + cursor if cursor else ""}')
            if answer is None or answer.status != 200:
                break
            for item in answer.json['items']:
                listed += 1
                if json.dumps(item, sort_keys=True) not in self.victim.items:
                    self.wrong = (kind, item)
            if answer.json['next'] == cursor or listed > 1000:
                self.wrong = (kind, 'a list without end')
                break
            cursor = answer.json['next']
        if listed < sum(p.startswith(f'/api/v1/{kind}/') for p in self.victim.current):
            self.lost += 1

    def look_at_export(self, kind):
        answer = self.get(f'/api/v1/export?kind={kind}&format=json')
        if answer is None or answer.status != 200:
            self.lost += 1
            return
        known = {json.dumps(json.loads(t), sort_keys=True) for path, texts in self.victim.ever.items() for t in texts}
        for record in answer.json:
            if json.dumps(record, sort_keys=True) not in known:
                self.wrong = (kind, record)


@pytest.fixture(scope='module')
def house():
    with House(sample_seconds=1) as h:
        h.victims = [Victim(h, f'victime{i}') for i in range(VICTIMS)]
        for v in h.victims:
            v.stop()
        for v in h.victims:
            v.keep()
        h.neighbour = h.enrolled('voisin')
        h.neighbour_pid = h.worker_pid('voisin')
        yield h


def start(house, name):
    """Staff may start what backs off; a connection may not."""
    house.cli('tenant', 'start', name, check=False)


def settled(house, v, seen):
    """The status once the check is over, or once there is none to wait for: no worker, no key that could open it, or the setting that lets
    tokens in is among what was damaged, which closes them."""
    def look():
        shown = house.show(v.name)
        over = shown['check'] != 'none' or shown['state'] in ('throttled', 'stopped') or v.keyless or seen.statuses == {403}
        return shown if over else None
    return wait_for(look, 20, 0.1, f'the check of {v.name}: {vars(seen)}')


def wave(house, damage, rolled_back=False):
    """Damages each victim's files (damage(victim) -> the files to put), lets clients look, and judges."""
    results = {}
    for v in house.victims:
        v.put(v.whole)
        v.before = house.show(v.name)
        files = damage(v)
        v.keyless = 'capsule' in files
        v.put(files)
    for v in house.victims:
        start(house, v.name)
    for v in house.victims:
        wait_for(lambda: house.show(v.name)['state'] in ('sealed', 'serving', 'throttled', 'stopped'), why=f'{v.name} to start')
    threads = [threading.Thread(target=lambda v=v: results.update({v.name: Seen(v)})) for v in house.victims]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
        assert not t.is_alive(), 'a reader hangs'
    try:
        for v in house.victims:
            judge(house, v, results[v.name], rolled_back)
        assert house.neighbour.get('/api/v1/session').status == 200
        assert house.worker_pid('voisin') == house.neighbour_pid, 'the neighbour felt it'
    finally:
        for v in house.victims:
            v.stop()
        for v in house.victims:
            wait_for(lambda: house.show(v.name)['pid'] is None, why=f'{v.name} to stop')
    return results


def judge(house, v, seen, rolled_back):
    assert seen.wrong is None, f'{v.name} gave altered or foreign content: {seen.wrong}'
    v.after = shown = settled(house, v, seen)
    v.died = shown['crashes'] > v.before['crashes']
    if v.died:
        # The last exit is told, and no connection starts it before its time.
        assert shown['last_exit'] is not None
        if shown['state'] == 'throttled':
            assert shown['throttled_until'] >= int(time.time())
    elif (seen.lost or seen.old) and not v.keyless and not rolled_back and seen.statuses != {403}:  # closed: nobody saw anything
        # With its newest meta page damaged LMDB takes the one before: a state that was whole once. The commit counter tells.
        if shown['check'] == 'sound' and seen.commit is not None and seen.commit < v.commit:
            return
        assert shown['check'] == 'damaged', f'{v.name}: {seen.lost} lost, {seen.old} old, and the check says {shown["check"]}: {shown}'


def heal(house):
    """With the files put back all is as it was."""
    for v in house.victims:
        v.put(v.whole)
        v.keyless = False
        start(house, v.name)
    for v in house.victims:
        wait_for(lambda: house.show(v.name)['state'] == 'sealed', 90, why=f'{v.name} to be well')
        seen = Seen(v)
        assert (seen.wrong, seen.lost, seen.old) == (None, 0, 0), (v.name, vars(seen))
    for v in house.victims:
        assert settled(house, v, seen)['check'] == 'sound'
        v.stop()
    for v in house.victims:
        house.wait_state(v.name, 'stopped')
        v.whole = v.files()


# ---- the file as LMDB lays it out, for damage that hits ----

def pages(data):
    """(offset, flags) of each page; P_BRANCH 1, P_LEAF 2, P_OVERFLOW 4, P_META 8."""
    at = 0
    while at + PAGE <= len(data):
        flags, = struct.unpack_from('<H', data, at + 10)
        yield at, flags
        at += PAGE * (struct.unpack_from('<I', data, at + 12)[0] if flags == 4 and struct.unpack_from('<I', data, at + 12)[0] < 1000 else 1)


def values(data):
    """(key, offset, size) of every value that lies on a leaf page."""
    for at, flags in pages(data):
        lower, = struct.unpack_from('<H', data, at + 12)
        if flags != 2 or not 16 <= lower <= PAGE:
            continue
        for i in range((lower - 16) // 2):
            node, = struct.unpack_from('<H', data, at + 16 + 2 * i)
            if not 16 <= node <= PAGE - 8:
                continue
            low, high, node_flags, key_size = struct.unpack_from('<HHHH', data, at + node)
            start = at + node + 8 + key_size
            if node_flags == 0 and start + low <= at + PAGE:
                yield bytes(data[at + node + 8:start]), start, low + (high << 16)


def flipped(data, places):
    data = bytearray(data)
    for bit in places:
        data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


# ---- the attacks ----

@pytest.mark.parametrize('round', range(6))
def test_flipped_bits(house, round):
    """Sixty files (ten tenants, six rounds) with one to sixteen flips each: anywhere, on pages in use, in values, in headers, in the meta pages."""
    def damage(v):
        r = random.Random(f'{round} {v.name}')
        data, count = v.whole['data.mdb'], r.choice([1, 1, 2, 4, 8, 16])
        leaves = [at for at, flags in pages(data) if flags in (1, 2)]
        kind = (round + int(v.name[-1])) % 5
        if kind == 0:
            places = [r.randrange(len(data) * 8) for _ in range(count)]
        elif kind == 1:
            places = [(r.choice(leaves) + r.randrange(16, PAGE)) * 8 + r.randrange(8) for _ in range(count)]
        elif kind == 2:
            places = [(start + r.randrange(size)) * 8 + r.randrange(8) for _, start, size in r.sample(list(values(data)), count)]
        elif kind == 3:
            places = [(r.choice(leaves) + r.randrange(16)) * 8 + r.randrange(8) for _ in range(count)]
        else:
            places = [r.randrange(2 * PAGE * 8) for _ in range(1)] + [(r.choice(leaves) + r.randrange(16, 200)) * 8 for _ in range(count)]
        return {'data.mdb': flipped(data, places)}
    wave(house, damage)


def test_a_flipped_value_is_lost_and_found(house):
    """The control: one bit of each of ten values; none comes back, and all checks say so."""
    def damage(v):
        data, r = v.whole['data.mdb'], random.Random(v.name)
        records = [(s, n) for k, s, n in values(data) if k[0] in (1, 2) and n > 60]
        return {'data.mdb': flipped(data, [(s + n // 2) * 8 for s, n in r.sample(records, 10)])}
    results = wave(house, damage)
    for v in house.victims:
        assert results[v.name].lost >= 1 and not v.died and v.after['check'] == 'damaged', (v.name, vars(results[v.name]))


def swap(data, a, b, size):
    data[a:a + size], data[b:b + size] = data[b:b + size], data[a:a + size]


def test_swapped_values(house):
    """Between records of one tenant, between tenants, an old one over a new one, one copied over another, index nodes, a version counted up."""
    def damage(v):
        n = int(v.name[-1])
        data, r = bytearray(v.whole['data.mdb']), random.Random(n)
        mine = list(values(data))
        other = house.victims[(n + 1) % VICTIMS].whole['data.mdb']
        sizes = {}
        for key, start, size in mine:
            sizes.setdefault(size, []).append((key, start))
        pairs = [(size, *r.sample(places, 2)) for size, places in sizes.items() if len(places) > 1]
        if n % 5 == 0:  # within the tenant
            for size, (_, a), (_, b) in pairs:
                swap(data, a, b, size)
        elif n % 5 == 1:  # another tenant's, of the same size
            foreign = {}
            for _, start, size in values(other):
                foreign.setdefault(size, other[start:start + size])
            for _, start, size in r.sample(mine, 40):
                if size in foreign:
                    data[start:start + size] = foreign[size]
        elif n % 5 == 2:  # an older one of the same record
            old = {key: v.old['data.mdb'][s:s + size] for key, s, size in values(v.old['data.mdb'])}
            for key, start, size in mine:
                if key[0] in (1, 2) and key in old and len(old[key]) == size:
                    data[start:start + size] = old[key]
        elif n % 5 == 3:  # one over another
            for size, (_, a), (_, b) in pairs:
                data[a:a + size] = data[b:b + size]
        else:  # the version, which stands in clear
            for _, start, size in r.sample(mine, 20):
                data[start] ^= 1
        return {'data.mdb': bytes(data)}
    results = wave(house, damage)
    for v in house.victims:
        assert results[v.name].lost or results[v.name].old or v.died or v.after['check'] == 'damaged', v.name


def test_swapped_pages(house):
    def damage(v):
        data, r = bytearray(v.whole['data.mdb']), random.Random(v.name)
        used = [at for at, flags in pages(data) if flags in (1, 2, 4)]
        other = house.victims[(int(v.name[-1]) + 1) % VICTIMS].whole['data.mdb']
        for _ in range(2):
            a, b = r.sample(used, 2)
            if int(v.name[-1]) % 3 == 0:
                swap(data, a, b, PAGE)
            elif int(v.name[-1]) % 3 == 1:
                data[a:a + PAGE] = v.old['data.mdb'][a:a + PAGE].ljust(PAGE, b'\0')
            else:
                data[a + 8:a + PAGE] = other[a + 8:a + PAGE].ljust(PAGE - 8, b'\0')  # its number stays right
        return {'data.mdb': bytes(data)}
    wave(house, damage)


def test_a_file_cut_short(house):
    def damage(v):
        data, n = v.whole['data.mdb'], int(v.name[-1])
        used = max(at for at, flags in pages(data) if flags in (1, 2, 4)) + PAGE
        return {'data.mdb': [b'', data[:1], data[:PAGE], data[:2 * PAGE], data[:used // 2], data[:used // 2 + 100], data[:used - PAGE], data[:used // 4] + bytes(used),
                             data[:2 * PAGE] + bytes(len(data)), None][n]}
    results = wave(house, damage)
    for v in house.victims[:4] + house.victims[8:]:
        assert results[v.name].lost, (v.name, vars(results[v.name]))


def test_a_whole_older_file(house):
    """Not noticed by the worker, as the README says, but by whoever remembers the commit counter; and nothing of another's comes back."""
    results = wave(house, lambda v: {'data.mdb': v.old['data.mdb']}, rolled_back=True)
    for v in house.victims:
        assert not v.died
        assert results[v.name].old or results[v.name].lost
    v = house.victims[0]
    v.put({'data.mdb': v.old['data.mdb']})
    start(house, v.name)
    house.wait_state(v.name, 'sealed')
    client = house.client(v.name)
    assert client.login().json['commit'] < v.commit
    client.close()
    v.stop()
    house.wait_state(v.name, 'stopped')


def test_files_of_another_tenant(house):
    """Its store, its capsule, both: with one's own credentials nothing opens, and nothing of the other comes back."""
    def damage(v):
        n = int(v.name[-1])
        other = house.victims[(n + 1) % VICTIMS].whole
        return [{'data.mdb': other['data.mdb']}, {'capsule': other['capsule']}, {f: other[f] for f in ('data.mdb', 'capsule')}, dict(other)][n % 4]
    results = wave(house, damage)
    for v in house.victims:
        assert results[v.name].lost == len(v.current) + 4, (v.name, vars(results[v.name]))


def test_another_capsule(house):
    """Cut short, empty, flipped, of before the token was made: the token opens nothing or all; the rest is as it was afterwards."""
    def damage(v):
        capsule, n, r = v.whole['capsule'], int(v.name[-1]), random.Random(v.name)
        return {'capsule': [b'', capsule[:1], capsule[:len(capsule) // 2], capsule[:-1], None, capsule + b'x', bytes(len(capsule)),
                            flipped(capsule, [r.randrange(len(capsule) * 8) for _ in range(64)]), flipped(capsule, [r.randrange(4096 * 8) for _ in range(8)]),
                            capsule[:len(capsule) // 2] + bytes(len(capsule) // 2)][n]}
    results = wave(house, damage)
    for v in house.victims[:1] + house.victims[4:5] + house.victims[6:7]:
        assert results[v.name].lost == len(v.current) + 4, v.name  # no slots, no key


def test_no_password_opens_what_the_disk_made_of_it(house):
    """A capsule without slots does not enrol anew over the customer's store, whatever code is at hand."""
    v = house.victims[0]
    v.put({**v.whole, 'capsule': None})
    start(house, v.name)
    house.wait_state(v.name, 'sealed', 'throttled')
    client = house.client(v.name)
    with contextlib.suppress(OSError, http.client.HTTPException):
        for body in ({'code': house.codes[v.name], 'login': 'admin', 'password': PASSWORD},):
            assert client.post('/api/v1/enrol', body).status in (401, 403, 409)
        assert client.login().status in (401, 503)
        assert client.get(next(iter(v.current))).status in (401, 503)
    client.close()
    v.stop()
    house.wait_state(v.name, 'stopped', 'throttled')


def test_another_identity(house):
    """The TLS key is no part of the seal: a broken one ends its worker alone or makes a new key, and no record is lost by it."""
    def damage(v):
        identity, n = v.whole['identity'], int(v.name[-1])
        return {'identity': [b'', identity[:100], identity[:-1], bytes(len(identity)), identity + b'x', flipped(identity, range(0, 4096 * 8, 97)), None,
                             house.victims[(n + 1) % VICTIMS].whole['identity'], flipped(identity, [5]), flipped(identity, [800])][n]}
    wave(house, damage)


def test_links_and_directories_in_the_place_of_files(house):
    """Whoever owns the directory cannot make the worker open another's file through it."""
    secret = house.victims[1]
    for n, v in enumerate(house.victims[2:6]):
        v.put(v.whole)
        path = v.folder / 'data.mdb'
        path.unlink()
        if n == 0:
            path.symlink_to(secret.folder / 'data.mdb')
        elif n == 1:
            os.link(secret.folder / 'data.mdb', path)
        elif n == 2:
            path.mkdir()
        else:
            os.mkfifo(path)
        start(house, v.name)
        wait_for(lambda: house.show(v.name)['state'] in ('sealed', 'throttled', 'stopped'), why=f'{v.name} to start')
        seen = Seen(v)
        assert seen.wrong is None and seen.lost == len(v.current) + 4
        v.stop()
        wait_for(lambda: house.show(v.name)['pid'] is None)
        shutil.rmtree(path) if n == 2 else path.unlink()
        v.put(v.whole)
    assert house.neighbour.get('/api/v1/session').status == 200


def test_back_off_holds(house):
    """A tenant whose file ends every worker is not started again and again: 2 s, 4 s, ...; its connections are closed, others feel nothing."""
    v = house.victims[0]
    v.put({**v.whole, 'capsule': b'nonsense'})
    start(house, v.name)
    house.wait_state(v.name, 'throttled')
    first = house.show(v.name)
    assert first['throttled_until'] > time.time() and first['last_exit'] not in (None, 0)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            house.client(v.name, timeout=1).get('/')
        assert house.neighbour.get('/api/v1/session').status == 200
    assert house.show(v.name)['starts'] - first['starts'] <= 1
    v.stop()
    v.put(v.whole)


def test_all_heals(house):
    heal(house)
    assert house.status_get('/v1/status').json['router_starts'] == 1

"""The self-sufficient recovery kit against somebody who has every file of a tenant and writes what he likes into copies of them (S4, S14).

tests/unit/kit_record_test.c changes every byte of the record and plants keys; here the real worker is given the files."""
import os
import struct

import pytest

from house import PASSWORD, Client, House, entered, wait_for
from test_kill import GONE

PATH, TENANT_AT, RECORD = '/api/v1/self-sufficient-kit', 128, 480


@pytest.fixture(scope='module')
def house():
    with House(sample_seconds=1) as h:
        yield h


class Tenant:
    def __init__(self, house, name):
        self.house, self.name = house, name
        self.admin = house.enrolled(name)
        self.kit = self.make()
        self.admin.post('/api/v1/companies', {'name': f'of {name}'})

    def make(self):
        made = self.admin.post(PATH)
        assert made.status == 201, made
        self.settle()
        return made.json['recovery_kit']

    def settle(self):
        wait_for(lambda: self.admin.get('/api/v1/rotation').json['state'] == 'idle', why='the rotation')

    def files(self, capsule=False):
        self.admin.close()
        self.house.cli('tenant', 'stop', self.name)
        self.house.wait_state(self.name, 'stopped')
        folder = self.house.state / 'tenants' / self.name
        self.id = (folder / 'capsule').read_bytes()[TENANT_AT:TENANT_AT + 16]
        return {f: (folder / f).read_bytes() for f in ('data.mdb', 'data-2.mdb') + (('capsule',) if capsule else ())}

    def records(self, files):
        """Where its record lies, with those of before in pages that LMDB has freed: (file, offset)."""
        head, found = struct.pack('<II', 1, 0) + self.id, []
        for f, content in files.items():
            at = content.find(head)
            while at >= 0:
                found.append((f, at))
                at = content.find(head, at + 1)
        assert found
        return found


count = iter(range(1000))


def tried(house, files, kit, login='admin'):
    """The answer to that kit where these files are restored without a capsule; None when the worker does not start."""
    client = Client(house, entered(house, files, f'neuf{next(count)}'), timeout=10)
    try:
        answer = client.post('/api/v1/recovery', {'recovery_kit': kit, 'login': login, 'password': 'another ' + PASSWORD})
    except GONE:
        return None
    if answer.status != 200:
        for path in ('/api/v1/companies', '/api/v1/session'):
            assert client.get(path).status in (401, 503)
        assert client.login().status == 401 and client.login(password='another ' + PASSWORD).status == 401
    else:
        assert client.get('/api/v1/companies').json['items']
    client.close()
    return answer


def altered(files, places, at):
    """The files with one bit of each record changed."""
    out = {f: bytearray(content) for f, content in files.items()}
    for f, start in places:
        out[f][start + at] ^= 4
    return {f: bytes(content) for f, content in out.items()}


def planted(files, places, record):
    """The files with that record in the place of each."""
    out = {f: bytearray(content) for f, content in files.items()}
    for f, start in places:
        out[f][start:start + RECORD] = record
    return {f: bytes(content) for f, content in out.items()}


def bytes_of(files, place):
    return files[place[0]][place[1]:place[1] + RECORD]


def test_wrong_kits_and_altered_records(house):
    acme, bois = Tenant(house, 'acme'), Tenant(house, 'bois')
    files, others = acme.files(), bois.files()
    assert tried(house, files, acme.kit).status == 200  # the test can fail
    assert tried(house, files, bois.kit).status == 401
    assert tried(house, files, acme.admin.recovery_kit).status == 401  # the ordinary kit needs the capsule
    mine = acme.records(files)
    for at in (0, 8, 24, 24 + 40, 24 + 96, 24 + 176, 24 + 250, 24 + 380, RECORD - 1):
        assert tried(house, altered(files, mine, at), acme.kit).status == 401, at
    record = bytes_of(others, bois.records(others)[-1])
    answer = tried(house, planted(files, mine, record), bois.kit)  # opens the record, and the file takes neither its key nor its id
    assert answer.status == 500 and b'name' not in answer.body
    assert tried(house, planted(files, mine, record), acme.kit).status == 401


# S14, C7: a kit that was removed opens nothing of later
def test_a_removed_kit_opens_nothing_of_later(house):
    acme = Tenant(house, 'cerf')
    old_kit, before = acme.kit, acme.files()
    old_record = bytes_of(before, acme.records(before)[-1])
    assert acme.admin.delete(PATH).status == 204
    acme.settle()
    after = acme.files()
    # Its remains in free pages and in the file that a rotation left are still there to whoever carves, and tell an old key at best.
    assert all(tried(house, {'data.mdb': after[f], 'data-2.mdb': b''}, old_kit).status == 401 for f in after)
    assert tried(house, after, old_kit).status == 401
    assert tried(house, before, old_kit).status == 200  # said so in words: copies of before stay open
    new_kit = acme.make()
    files = acme.files()
    assert tried(house, files, new_kit).status == 200 and tried(house, files, old_kit).status == 401
    answer = tried(house, planted(files, acme.records(files), old_record), old_kit)
    assert answer.status >= 400, answer


def test_the_kit_follows_a_rotation(house):
    acme = Tenant(house, 'daim')
    before = acme.files()
    assert acme.admin.post('/api/v1/rotation').status == 202
    acme.settle()
    acme.admin.post('/api/v1/companies', {'name': 'later'})
    after = acme.files()
    assert tried(house, before, acme.kit).status == 200 and tried(house, after, acme.kit).status == 200


def test_a_missing_capsule_is_an_error_where_nobody_asked_to_restore(house):
    acme = Tenant(house, 'elan')
    whole = acme.files(capsule=True)
    (house.state / 'tenants/elan/capsule').unlink()
    assert house.cli('tenant', 'start', 'elan', check=False).returncode != 0
    client = Client(house, 'elan.localhost', timeout=5)
    with pytest.raises(GONE):
        client.post('/api/v1/recovery', {'recovery_kit': acme.kit, 'login': 'admin', 'password': PASSWORD})
    for f, content in whole.items():
        (house.state / 'tenants/elan' / f).write_bytes(content)
    uid = house.show('elan')['uid']
    os.chown(house.state / 'tenants/elan/capsule', uid, uid)
    wait_for(lambda: house.cli('tenant', 'start', 'elan', check=False).returncode == 0, 60, 1, 'the start')
    answer = acme.admin.post('/api/v1/recovery', {'recovery_kit': acme.kit, 'login': 'admin', 'password': PASSWORD})
    assert answer.status == 409 and acme.admin.get('/api/v1/companies').status == 200


def test_a_capsule_that_turns_up_again_opens_nothing_of_today(house):
    acme = Tenant(house, 'faon')
    whole = acme.files(capsule=True)
    capsule = whole.pop('capsule')
    name = f'neuf{next(count)}'
    client = Client(house, entered(house, whole, name))
    assert client.post('/api/v1/recovery', {'recovery_kit': acme.kit, 'login': 'admin', 'password': 'another ' + PASSWORD}).status == 200
    wait_for(lambda: client.get('/api/v1/rotation').json['state'] == 'idle', why='the rotation')
    acts = [line['act'] for line in client.get('/api/v1/journal').json['items']]
    assert 'recovered' in acts
    wait_for(lambda: (house.show(name)['self_sufficient'] or {}).get('kits') == 1, why='the next sample')
    client.close()
    house.cli('tenant', 'stop', name)
    house.wait_state(name, 'stopped')
    mine = (house.state / 'tenants' / name / 'capsule').read_bytes()
    (house.state / 'tenants' / name / 'capsule').write_bytes(capsule)
    old = Client(house, f'{name}.localhost', timeout=5)
    old.cookies = {'__Host-cloison': acme.admin.cookies['__Host-cloison']}
    for ask in (old.login, lambda: old.get('/api/v1/companies')):
        try:
            answer = ask()
            assert answer.status >= 400, answer
        except GONE:
            old.close()
    house.cli('tenant', 'stop', name, check=False)
    (house.state / 'tenants' / name / 'capsule').write_bytes(mine)
    assert client.login(password='another ' + PASSWORD).status == 200

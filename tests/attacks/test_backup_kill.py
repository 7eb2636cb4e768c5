"""kill -9 in every phase of a backup, of a drill and of a restore; a rotation in the middle of a backup (C7, C8).

Whatever was killed: what lies at the destination is sound to its last byte and the newest of it opens, and the next snapshot comes about."""
import os
import random
import shutil
import signal
import threading
import time

import pytest

from house import Client, House, destinations, wait_for
from test_kill import kill, pids

PLAN = {'where': 'medium', 'protection': 'sealed', 'purpose': 'x', 'duration_hours': 24, 'mechanism': 'incremental-snapshot',
        'frequency_minutes': 1440, 'erasure': 'after-duration'}
ROUNDS = 12


@pytest.fixture(scope='module')
def house():
    h = House()
    h.extra = destinations(h.root)
    h.write_config()
    with h:
        h.client = h.enrolled('acme', None, '--quota', '256M')
        wait_for(lambda: h.client.get('/api/v1/plans').json['destinations'], why='the destinations')
        rows = '\r\n'.join(['name', *[f'Company {i} ' + 'x' * 200 for i in range(8000)]]).encode()
        assert h.client.post('/api/v1/import?kind=companies&format=csv', rows, headers={'Content-Type': 'text/csv'}).json['created'] == 8000
        assert h.client.put('/api/v1/plans/backup', PLAN).status == 200
        h.token = h.token(h.client)
        h.cli('backup', 'now', 'acme')
        yield h


def folder(house):
    number = os.stat(house.state / 'tenants' / 'acme').st_uid - house.options['uid_base']
    return house.root / 'medium' / 't' / f'{number:016x}' / 'backup', number


def sound(house):
    """Of what lies at the destination right now, without the house's help."""
    place, _ = folder(house)
    found = house.cli('backup', 'verify', f'{place}/', uid=0, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def asked(house):
    """A snapshot is asked for, by somebody who does not wait."""
    thread = threading.Thread(target=lambda: house.cli('backup', 'now', 'acme', check=False), daemon=True)
    thread.start()
    return thread


def comes_about(house):
    """The next one, once everybody is back."""
    def done():
        house.cli('tenant', 'start', 'acme', check=False)  # not after its back-off
        return house.cli('backup', 'now', 'acme', check=False).returncode == 0
    wait_for(done, seconds=60, why='a snapshot')
    sound(house)
    house.cli('backup', 'verify', 'acme')


@pytest.mark.parametrize('program', ['cloison-worker', 'cloison-courier', 'cloisond'])
def test_a_killed_one_leaves_what_is_sound(house, program):
    chance = random.Random(program)
    for i in range(ROUNDS // 3):
        client = Client(house, 'acme.localhost', token=house.token)
        assert client.post('/api/v1/companies', {'name': f'{program} {i}'}).status == 201
        client.close()
        thread = asked(house)
        time.sleep(chance.random() * 0.25)
        for pid in pids(house, program):
            kill(pid)
        if program == 'cloisond':
            house.process.wait(10)
            house.start()
        sound(house)
        wait_for(lambda: house.status_get('/v1/status').status == 200, why='the house')
        house.cli('tenant', 'start', 'acme', check=False)  # not after its back-off
        thread.join(60)
        comes_about(house)


def entered(house, name):
    house.cli('tenant', 'create', name, '--host', f'{name}.localhost', '--restore')
    directory = house.state / 'tenants' / name
    uid = os.stat(directory).st_uid
    shutil.copy(house.state / 'tenants' / 'acme' / 'capsule', directory / 'capsule')
    os.chown(directory / 'capsule', uid, uid)
    os.chmod(directory / 'capsule', 0o600)
    return directory


def test_a_restore_that_is_killed_leaves_nothing_and_comes_about_the_next_time(house):
    directory = entered(house, 'again')
    _, number = folder(house)
    restore = ('backup', 'restore', 'again', '--from', 'medium', '--source', str(number))
    chance = random.Random('restore')
    for program in ('cloison-loader', 'cloison-courier'):
        thread = threading.Thread(target=lambda: house.cli(*restore, check=False), daemon=True)
        thread.start()
        wait_for(lambda: pids(house, 'cloison-loader') or not thread.is_alive(), why='the loader')
        time.sleep(chance.random() * 0.1)
        for pid in pids(house, program):
            kill(pid)
        thread.join(60)
        wait_for(lambda: not pids(house, 'cloison-loader'), why='its end')
        if (directory / 'data.mdb').exists():  # it was done before
            (directory / 'data.mdb').unlink()
        assert not (directory / 'data-2.mdb').exists()
    wait_for(lambda: house.cli(*restore, check=False).returncode == 0, seconds=60, why='a restore')
    assert sorted(p.name for p in directory.iterdir()) == ['capsule', 'data.mdb']
    house.cli('tenant', 'resume', 'again')
    opened = Client(house, 'again.localhost')
    assert opened.login().status in (200, 201)
    ours, theirs = (c.get('/api/v1/companies?limit=200').json['items'] for c in (opened, house.client))
    assert [i['id'] for i in ours] == [i['id'] for i in theirs]
    house.cli('tenant', 'suspend', 'again')


def test_a_drill_that_is_killed_leaves_a_place_that_the_next_one_clears(house):
    thread = threading.Thread(target=lambda: house.cli('backup', 'drill', 'acme', check=False), daemon=True)
    thread.start()
    wait_for(lambda: pids(house, 'cloison-loader') or not thread.is_alive(), why='the loader')
    house.process.send_signal(signal.SIGKILL)
    house.process.wait(10)
    house.start()
    thread.join(60)
    wait_for(lambda: house.cli('backup', 'drill', 'acme', check=False).returncode == 0, seconds=60, why='a drill')
    wait_for(lambda: os.listdir(house.state / 'drills') == [], why='an empty place')


def test_a_rotation_in_the_middle_of_a_backup(house):
    """The snapshot is of the key it began under, whole; one of the new key follows by itself and opens with the new capsule."""
    house.client.login()
    assert house.client.post('/api/v1/rotation').status == 202
    while house.client.get('/api/v1/rotation').json['state'] != 'idle':
        house.cli('backup', 'now', 'acme')
        sound(house)
    created = house.client.get('/api/v1/rotation').json['key_created']
    wait_for(lambda: house.client.get('/api/v1/backups').json['items'][0]['key_created'] == created, seconds=60, why='one of the new key')
    wait_for(lambda: house.client.get('/api/v1/backups').json['items'][0]['sent'], why='it is sent')
    directory = entered(house, 'rotated')
    _, number = folder(house)
    house.cli('backup', 'restore', 'rotated', '--from', 'medium', '--source', str(number))
    assert (directory / 'data-2.mdb').exists()  # as the capsule says
    house.cli('tenant', 'resume', 'rotated')
    opened = Client(house, 'rotated.localhost')
    assert opened.login().status in (200, 201)
    assert opened.get('/api/v1/companies?limit=1').json['items']

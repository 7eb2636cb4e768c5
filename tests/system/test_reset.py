"""A tenant that has lost every credential is emptied, when two people want it: whole or reset, whatever ends the supervisor meanwhile (C1)."""
import fcntl
import json
import os
import re
import signal
import time

import pytest
from house import PASSWORD, STAFF_UID, Client, House, wait_for

FIRST, SECOND = STAFF_UID + 10, STAFF_UID + 11


@pytest.fixture()
def house():
    h = House()
    h.extra = f'capsule_place "vault" {{ path = "{h.root}/vault" region = local }}\n'
    h.write_config()
    (h.root / 'vault').mkdir(mode=0o700)
    with h:
        h.acme = h.enrolled('acme', None, '--title', 'Acme SA', '--quota', '64M')
        h.bois = h.enrolled('bois')
        h.acme.post('/api/v1/companies', {'name': 'Partie'})
        h.cli('capsule', 'copy', 'acme', 'vault')
        yield h


def reset(house, uid, check=True, duties=('registrar',)):
    return house.cli('--json', 'tenant', 'reset', 'acme', uid=uid, duties=duties, check=check)


def files(house):
    return set(os.listdir(house.state / 'tenants/acme'))


def lines(house):
    return [(x['uid'], x['result']) for x in house.ledger() if x['verb'] == 'reset']


def second_asks(house):
    pid = os.fork()
    if pid == 0:
        try:
            house.control('POST', '/v1/tenants/acme/reset', uid=SECOND, duties=('registrar',))
        except Exception:
            pass
        finally:
            os._exit(0)
    return pid


def is_whole(house):
    client = house.client('acme')
    assert client.login().status in (200, 201), house.logged()[-2000:]
    assert [c['name'] for c in client.get('/api/v1/companies').json['items']] == ['Partie']


def is_empty_and_takes_a_code(house, code):
    """As before enrolment: the old password is nobody's, a new customer makes a new key."""
    row = house.show('acme')
    assert row['enrolled'] is False and row['title'] == 'Acme SA' and row['quota_bytes'] == 64 << 20 and row['capsule_copies'] == [] and row['ways_in'] is None
    assert os.listdir(house.root / 'vault') == []
    client = Client(house, 'acme.localhost')
    assert client.login().status == 401
    assert client.post('/api/v1/enrol', {'code': house.codes['acme'], 'login': 'admin', 'password': PASSWORD}).status == 403  # the old code
    assert client.post('/api/v1/enrol', {'code': code, 'login': 'neuf', 'password': PASSWORD}).status in (200, 201)
    assert client.login('neuf').status in (200, 201) and client.get('/api/v1/companies').json['items'] == []


# C1: one person alone empties no tenant
def test_two_people_empty_a_tenant(house):
    before = (house.state / 'tenants/acme/capsule').read_bytes()
    asked = json.loads(reset(house, FIRST).stdout)
    assert asked == {'name': 'acme', 'pending': 'a second person', 'number': 1}
    told = house.show('acme')['reset']
    assert told['state'] == 'asked' and told['uid'] == FIRST and 3500 < told['until'] - time.time() <= 3600
    is_whole(house)
    alone = reset(house, FIRST, check=False)
    assert alone.returncode == 1 and 'another registrar' in alone.stderr
    with open(house.root / 'vault/acme.capsule', 'rb') as copy, open(house.state / 'tenants/acme/capsule', 'rb') as capsule:
        done = json.loads(reset(house, SECOND).stdout)
        assert not any(copy.read()) and not any(capsule.read()) and any(before)  # overwritten, not only without a name
    assert files(house) == set() and house.show('acme')['reset'] is None
    assert lines(house) == [(FIRST, 'begun'), (FIRST, 'pending'), (FIRST, 'begun'), (FIRST, 'failed'), (SECOND, 'begun'), (SECOND, 'done')]
    assert any(x['verb'] == 'emptied' and x['tenant'] == 'acme' for x in house.ledger())
    is_empty_and_takes_a_code(house, done['enrolment_code'])
    assert house.bois.get('/api/v1/companies').status == 200 and house.show('bois')['starts'] == 1


def test_who_may_and_when(house):
    assert reset(house, FIRST, check=False, duties=('operator', 'viewer', 'auditor')).returncode == 1
    reset(house, FIRST)
    assert reset(house, SECOND, check=False, duties=('operator',)).returncode == 1  # another duty does not confirm
    is_whole(house)
    house.stop()
    house.start()
    assert house.show('acme')['reset']['uid'] == FIRST  # what one person asked outlives a restart
    house.cli('request', 'withdraw', '1', uid=FIRST, duties=('registrar',))
    assert house.show('acme')['reset'] is None
    assert 'pending' in reset(house, SECOND).stdout
    is_whole(house)
    listed = json.loads(house.cli('--json', 'request', 'list', duties=('registrar',)).stdout)
    assert [(r['number'], r['state'], r['asked_by']) for r in listed] == [(1, 'withdrawn', FIRST), (2, 'asked', SECOND)]
    done = house.cli('request', 'approve', '2', uid=FIRST, duties=('registrar',)).stdout
    is_empty_and_takes_a_code(house, done.strip())


def test_a_suspended_tenant_stays_suspended(house):
    house.cli('tenant', 'suspend', 'acme')
    reset(house, FIRST)
    code = json.loads(reset(house, SECOND).stdout)['enrolment_code']
    assert house.show('acme')['state'] == 'suspended' and files(house) == set()
    house.cli('tenant', 'resume', 'acme')
    is_empty_and_takes_a_code(house, code)


def test_a_copy_that_cannot_be_destroyed_holds_the_end_back(house):
    """The tenant stays closed and whole until the place is there again."""
    os.rename(house.root / 'vault', house.root / 'elsewhere')
    reset(house, FIRST)
    pid = second_asks(house)
    wait_for(lambda: house.show('acme')['reset'] == {'state': 'emptying'}, why='the reset to begin')
    wait_for(lambda: 'a copy of its capsule is not destroyed' in house.logged(), why='the log')
    assert {'capsule', 'data.mdb'} <= files(house) and house.show('acme')['state'] == 'suspended'
    for verb in ('start', 'resume', 'lock', 'reset', 'csr'):
        assert house.cli('tenant', verb, 'acme', check=False).returncode == 1, verb
    os.rename(house.root / 'elsewhere', house.root / 'vault')
    wait_for(lambda: house.show('acme')['reset'] is None, why='the end')
    os.waitpid(pid, 0)
    assert files(house) == set() and os.listdir(house.root / 'vault') == []


# ---- killed between any two steps ----

def kill_when(house, what, seconds=20):
    """kill -9 of the supervisor as soon as `what` is seen; True when it was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            os.kill(house.process.pid, signal.SIGKILL)
            house.process.wait()
            return True
    return False


def marked(house):
    return 'resetting=1' in (house.state / 'registry').read_text(errors='replace')


MOMENTS = {
    'the mark': marked,
    'the worker has ended': lambda h: marked(h) and not lives(h.acme_pid),
    'the copy is gone': lambda h: not (h.root / 'vault/acme.capsule').exists(),
    'the place is off the list': lambda h: marked(h) and 'places=' not in (h.state / 'registry').read_text(errors='replace'),
    'the first file is gone': lambda h: len(files(h)) < 3,
    'all files are gone': lambda h: not files(h),
}


def lives(pid):
    try:
        return open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


@pytest.mark.parametrize('moment', MOMENTS)
def test_killed_in_between_it_is_reset_at_the_next_start(house, moment):
    reset(house, FIRST)
    house.acme_pid = house.worker_pid('acme')
    asking = second_asks(house)
    assert kill_when(house, lambda: MOMENTS[moment](house)), moment
    os.waitpid(asking, 0)
    was_marked = marked(house)
    house.start()
    if not was_marked:  # it had gone through before the kill
        assert moment in ('all files are gone', 'the first file is gone', 'the copy is gone', 'the place is off the list')
    wait_for(lambda: house.show('acme')['reset'] is None, why='the reset to be resumed')
    assert files(house) == set()
    code = json.loads(house.cli('--json', 'tenant', 'enrol-code', 'acme').stdout)['enrolment_code']
    is_empty_and_takes_a_code(house, code)
    assert house.client('bois').login().status in (200, 201)


@pytest.mark.parametrize('gone', [(), ('capsule',), ('capsule', 'identity'), ('capsule', 'identity', 'data.mdb')], ids=len)
def test_killed_while_it_is_emptied(house, gone):
    """The directory is held, so that the child cannot begin; then as much as it might have done is done for it."""
    house.cli('tenant', 'stop', 'acme')
    directory = os.open(house.state / 'tenants/acme', os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    reset(house, FIRST)
    asking = second_asks(house)
    wait_for(lambda: 'its directory is not emptied' in house.logged(), why='the child')
    assert marked(house) and files(house) >= {'capsule', 'identity', 'data.mdb'} and os.listdir(house.root / 'vault') == []
    house.stop(signal.SIGKILL)
    os.waitpid(asking, 0)
    for name in gone:
        (house.state / 'tenants/acme' / name).unlink(missing_ok=True)
    os.close(directory)
    house.start()
    wait_for(lambda: house.show('acme')['reset'] is None and not marked(house), why='the reset to be resumed')
    code = json.loads(house.cli('--json', 'tenant', 'enrol-code', 'acme').stdout)['enrolment_code']
    is_empty_and_takes_a_code(house, code)


def test_killed_before_the_mark_it_is_whole(house):
    reset(house, FIRST)
    house.stop(signal.SIGKILL)
    house.start()
    is_whole(house)


def test_it_is_emptied_by_the_tenants_own_uid(house):
    """The supervisor has no right over a tenant's files: the log of a directory it cannot enter says so, and it goes on trying."""
    directory = house.state / 'tenants/acme'
    uid = directory.stat().st_uid
    os.chown(directory, 0, 0)
    try:
        reset(house, FIRST)
        asking = second_asks(house)
        wait_for(lambda: 'its directory is not emptied' in house.logged(), why='the log')
        assert {'capsule', 'data.mdb'} <= files(house)
    finally:
        os.chown(directory, uid, uid)
    wait_for(lambda: house.show('acme')['reset'] is None, why='the end')
    os.waitpid(asking, 0)
    assert files(house) == set() and re.search(r'start of a child: .*EACCES', house.logged())

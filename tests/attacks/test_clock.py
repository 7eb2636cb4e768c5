"""Whoever is root sets the clock, forward by months or back: no lock, no term, no notice period and no hold runs out by that, what is asked for
expires, and what follows a clock that was set back is refused until a start takes the clock as it is (C8, S11, S13, S14).

The supervisor's clock is set by tests/system/clock.c; what counts time by itself (CLOCK_BOOTTIME) cannot be set on a real machine."""
import contextlib
import datetime
import json

import pytest

from clock import DAY, Clock
from house import ARCHIVE, PLAN, STAFF_UID, House, destinations, wait_for

ASKER, AUDITOR = STAFF_UID + 40, STAFF_UID + 41
AHEAD = 200 * DAY  # beyond every term here, within those of undertakings


@contextlib.contextmanager
def clocked(folder, *names, ahead=0):
    """A house with a clock and these tenants; everybody of the staff has signed."""
    h = House()
    h.extra = destinations(h.root)
    h.write_config()
    h.clock = Clock(folder)
    h.clock.ahead(ahead)
    h.clock.start(h)
    try:
        wait_for(lambda: 'cloison-courier: ready' in h.logged(), why='the courier')
        for uid in (ASKER, AUDITOR):
            h.sign(uid)
        h.clients = {name: h.enrolled(name) for name in names}
        yield h
    finally:
        h.__exit__()


@pytest.fixture(scope='module')
def house(tmp_path_factory):
    with clocked(tmp_path_factory.mktemp('clock'), 'acme', 'bois', 'cuir') as h:
        yield h


def again(house, ahead=0):
    """Another start, which takes the clock as it is."""
    house.stop()
    house.clock.ahead(ahead)
    house.clock.start(house)
    for name in house.clients:
        house.cli('tenant', 'start', name, check=False)
        house.clients[name].login()
    wait_for(lambda: all(c.get('/api/v1/plans').json['destinations'] for c in house.clients.values()), why='the destinations')


@pytest.fixture(autouse=True)
def right(house):
    yield
    again(house)


def arrived(client, kind, number=1):
    def done():
        last = client.get('/api/v1/plans').json[kind]['last']
        return last['number'] >= number and not last['busy'] and last['result'] == 'done'
    wait_for(done, 30, why=f'{kind} {number}')


def manifests(house, name, place, kind):
    number = house.show(name)['uid'] - house.options['uid_base']
    return sorted(int(p.name, 16) for p in (house.root / place / 't' / f'{number:016x}' / kind / 'manifests').iterdir())


def own_lines(client, verb):
    return [line for line in client.get('/api/v1/provider/ledger').json['items'] if line['verb'] == verb]


# C8: an archive's lock; C9: the newest backup stays, and the next one comes
def test_forward_an_archive_stays_and_the_newest_backup(house):
    acme = house.clients['acme']
    for kind, plan in (('backup', PLAN | {'duration_hours': 24}), ('archive', ARCHIVE | {'duration_hours': 24})):
        assert acme.put(f'/api/v1/plans/{kind}', plan).status == 200
        arrived(acme, kind)
    house.clock.ahead(AHEAD)
    arrived(acme, 'backup', 2)  # which is due by the clock: nobody asked
    assert manifests(house, 'acme', 'medium', 'backup') == [2]
    arrived(acme, 'archive', 2)
    assert acme.delete('/api/v1/plans/archive').status == 202
    wait_for(lambda: acme.get('/api/v1/plans').json['archive']['state'] == 'ending', why='its end')
    assert manifests(house, 'acme', 'vault', 'archive') == [1, 2]
    again(house, AHEAD)  # a start believes the clock no more
    house.cli('backup', 'verify', 'acme', '--archive', duties=('operator',))
    assert manifests(house, 'acme', 'vault', 'archive') == [1, 2]


# S14: the term of a contract
def test_forward_a_contract_is_not_overdue(house):
    house.cli('contract', 'end', 'bois', uid=ASKER, duties=('registrar',))
    house.clock.ahead(AHEAD)
    for start in (False, True):
        if start:
            again(house, AHEAD)
        assert house.show('bois')['contract']['state'] == 'ending'
        run = house.cli('contract', 'destroy', 'bois', uid=ASKER, duties=('registrar',), check=False)
        assert run.returncode == 1 and 'only after a notice and its term' in run.stderr, run
    house.cli('contract', 'resume', 'bois', uid=ASKER, duties=('registrar',))


# S13: a notice period, also one that began while the clock was months behind
def test_forward_a_transfer_waits_for_its_period(house):
    waits_for_its_period(house, 'cuir', 60 * DAY)  # the period has 30


def test_back_when_it_began_a_transfer_waits_for_its_period(tmp_path):
    with clocked(tmp_path, 'acme', ahead=-60 * DAY) as house:
        waits_for_its_period(house, 'acme', 0)


def waits_for_its_period(house, name, later):
    transfer, client = ('tenant', 'transfer', name, '--to', 'Autre SA'), house.clients[name]
    house.cli(*transfer, uid=ASKER, duties=('registrar',))
    notice = wait_for(lambda: [n for n in client.get('/api/v1/notices').json['items'] if n['kind'] == 'transfer'], why='the notice')[0]
    assert client.post(f'/api/v1/notices/{notice["number"]}/acknowledge').status == 204
    wait_for(lambda: client.get('/api/v1/notices').json['items'][0]['acknowledged'], why='the acknowledgement')
    house.clock.ahead(later)
    for start in (False, True):
        if start:
            again(house, later)
        run = house.cli(*transfer, uid=AUDITOR, duties=('registrar',), check=False)
        assert run.returncode == 1 and 'period' in run.stderr, run
        assert not house.show(name)['transferred_to']


# S11: the legal hold of a disclosure
def test_forward_a_hold_holds(house):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    until = str(today + datetime.timedelta(days=30))
    asked = json.loads(house.cli('--json', 'disclosure', 'request', 'acme', '--ground', 'law', '--reason', 'Order 1', '--recipient', 'Court', '--scope',
                                 'registry', '--hold-until', until, uid=ASKER, duties=('registrar',)).stdout)
    house.cli('disclosure', 'approve', str(asked['number']), uid=AUDITOR, duties=('auditor',))
    for start in (False, True):
        if start:
            again(house, 31 * DAY)
        house.clock.ahead(31 * DAY)
        house.cli('tenant', 'set', 'cuir', '--title', f'Cuir {start}')  # a tick and a line later
        assert own_lines(house.clients['acme'], 'disclosure') == []
        assert not [line for line in house.ledger() if line['result'] == 'released']


# C1: what takes two people expires, by whatever clock
def test_forward_a_request_expires(house):
    asked = json.loads(house.cli('--json', 'disclosure', 'request', 'cuir', '--ground', 'law', '--reason', 'Order 2', '--recipient', 'Court', '--scope',
                                 'registry', uid=ASKER, duties=('registrar',)).stdout)
    house.clock.ahead(4 * DAY)
    assert house.cli('disclosure', 'approve', str(asked['number']), uid=AUDITOR, duties=('auditor',), check=False).returncode == 1
    house.clock.ahead(0)


# S11: what happened before is not dated behind what happened later
def test_back_no_act_of_staff_is_done_until_a_start(house):
    house.clock.ahead(DAY)
    house.cli('tenant', 'set', 'cuir', '--title', 'Cuir demain')
    house.clock.ahead(0)
    run = house.cli('tenant', 'set', 'cuir', '--title', 'Cuir hier', check=False)
    assert run.returncode == 1 and 'clock' in run.stderr, run
    assert house.show('cuir')['title'] == 'Cuir demain'
    assert house.clients['cuir'].get('/api/v1/session').status == 200  # tenants feel nothing
    again(house)
    house.cli('tenant', 'set', 'cuir', '--title', 'Cuir')
    assert house.cli('ledger', 'verify').returncode == 0

"""From inside a courier that has been taken over: it is ended and replaced, and tenants, staff and the ledger go on as if nothing were (C1, C7,
C8). It sees sealed files and destinations, nothing else.

The hostile one is hostile_courier/courier.c: the jail and the wall of the real one, then the misdeed that a destination's name tells it."""
import os
import signal

import pytest

from house import BUILD, PLAN, House, destinations, wait_for

NOT_IN_TABLE, UNASKED = 'ended: a message that is not in the table', 'ended: answered what it was not asked'
AT_ONCE = {
    'size-0': 'died with status 0',  # which is its own end of the channel
    **dict.fromkeys(('size-1', 'size-head', 'size-less', 'size-more', 'size-huge', 'type-0', 'type-wild', 'type-job', 'type-seal', 'type-router-want',
                     'type-enrolled', 'type-plan', 'type-own-lines', 'type-act', 'fds-two', 'fds-253'), NOT_IN_TABLE),
    **dict.fromkeys(('done-unasked', 'done-of-nobody', 'done-of-a-wild-one', 'done-flood'), UNASKED),
    **dict.fromkeys(('letter-unasked', 'letter-flood'), 'ended: speaks of a letter that nobody wrote'),
    'ready-twice': 'ended: a message that is not allowed now',
}
ON_JOB = {
    **dict.fromkeys(('wild-task', 'wild-kind', 'wild-result'), NOT_IN_TABLE),
    **dict.fromkeys(('other-tenant', 'other-job', 'other-task', 'other-kind', 'wild-number', 'old-number', 'wild-time', 'rows-directory', 'rows-channel',
                     'rows-open', 'rows-shrinking', 'rows-fewer', 'rows-many', 'rows-half', 'twice'), UNASKED),
    'crash': 'died with status -11',
}


@pytest.fixture(scope='module')
def house():
    h = House(binaries={'cloison-courier': BUILD / 'attacks/hostile-courier'})
    h.places = destinations(h.root)
    h.extra = h.places
    h.write_config()
    with h:
        wait_for(lambda: 'cloison-courier: ready' in h.logged(), why='the courier')
        h.clients = {name: h.enrolled(name) for name in ('acme', 'bois')}
        for name, place in (('acme', 'medium'), ('bois', 'other')):
            client = h.clients[name]
            wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
            assert client.put('/api/v1/plans/backup', PLAN | {'where': place}).status == 200
            wait_for(lambda: client.get('/api/v1/plans').json['backup']['last']['result'] == 'done', why='a first snapshot')
        terms = h.root / 'terms'
        terms.write_text('Other terms.\n')
        h.cli('terms', 'publish', str(terms), '--kind', 'terms', '--effective', '2099-01-01')
        h.before = processes(h)
        h.fds = len(os.listdir(f'/proc/{h.process.pid}/fd'))
        yield h


def processes(house):
    return {name: (shown['pid'], shown['starts'], shown['crashes']) for name in house.clients for shown in [house.show(name)]}


def others_go_on(house):
    """The tenants' workers are those of the beginning, serve, and read their snapshots; staff and ledger work."""
    for name, client in house.clients.items():
        assert client.post('/api/v1/companies', {'name': 'Meanwhile'}).status == 201
        assert client.get('/api/v1/backups').json['items'], name
    assert processes(house) == house.before
    assert house.cli('ledger', 'verify').returncode == 0
    assert house.process.poll() is None


def become(house, misdeed):
    """Reloads a configuration with that misdeed, or with none: the courier is told anew. Returns where the log of it begins."""
    begin, before = len(house.logged()), house.extra
    house.extra = house.places
    if misdeed:
        path = house.root / 'medium'
        house.extra += f'destination "evil-{misdeed}" {{ kind = directory path = "{path}" region = eu-fr same_medium = true }}\n'
    if house.extra == before:
        return begin
    house.write_config()
    house.process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'cloison-courier: ready' in house.logged()[begin:], why=f'a courier: {house.logged()[begin:]}')
    return begin


def heals(house, name='acme'):
    """The real one again: a snapshot comes about, whole."""
    become(house, None)
    wait_for(lambda: house.cli('backup', 'now', name, duties=('operator',), check=False).returncode == 0, 30, why='a snapshot')
    number = house.show(name)['uid'] - house.options['uid_base']
    place = house.root / ('medium' if name == 'acme' else 'other') / 't' / f'{number:016x}' / 'backup'
    assert house.cli('backup', 'verify', f'{place}/', uid=0).returncode == 0
    house.cli('backup', 'verify', name, duties=('operator',))


# C7, S4: whatever a courier says that was taken over, it is ended for it, and nobody else feels it
@pytest.mark.parametrize('misdeed', AT_ONCE)
def test_what_it_says_ends_it(house, misdeed):
    begin = become(house, misdeed)
    wait_for(lambda: f'cloison-courier: {AT_ONCE[misdeed]}' in house.logged()[begin:], why=f'its end: {house.logged()[begin:]}')
    others_go_on(house)
    assert len(house.logged()) - begin < 20000  # a flood fills no log


@pytest.mark.parametrize('misdeed', ['crash', 'leave'])
def test_it_is_replaced_when_it_dies(house, misdeed):
    begin = become(house, misdeed)
    wait_for(lambda: house.logged()[begin:].count('cloison-courier: died') >= 3, why='another one, and another one')
    others_go_on(house)


@pytest.mark.parametrize('misdeed', ON_JOB)
def test_a_wrong_answer_ends_it_and_the_job_is_done_by_the_next(house, misdeed):
    begin = become(house, f'job-{misdeed}')
    lines = len(house.ledger())
    assert house.clients['acme'].post('/api/v1/backups').status in (202, 429)
    assert house.cli('backup', 'now', 'acme', duties=('operator',), check=False).returncode == 1
    wait_for(lambda: f'cloison-courier: {ON_JOB[misdeed]}' in house.logged()[begin:], why=f'its end: {house.logged()[begin:]}')
    others_go_on(house)
    assert not [line for line in house.ledger()[lines:] if line['verb'] in ('backup', 'backup_sent', 'backup_erase') and line['result'] == 'done']


def test_the_real_one_goes_on_where_it_was(house):
    heals(house), heals(house, 'bois')


def test_one_that_hears_nothing_holds_up_backups_alone(house):
    become(house, 'deaf')
    client = house.clients['acme']
    wait_for(lambda: client.post('/api/v1/backups').status == 202, 70, 1, why='the pace to allow it')
    wait_for(lambda: client.get('/api/v1/plans').json['backup']['last']['busy'], why='the job')
    others_go_on(house)
    heals(house)


# C8: what it only pretends to have done is found by the next check, from what the house itself knows
def test_what_it_pretends_is_found(house):
    become(house, 'job-pretend')
    number = house.clients['bois'].get('/api/v1/plans').json['backup']['last']['number']
    assert house.cli('backup', 'now', 'bois', duties=('operator',)).returncode == 0  # nobody can know
    assert house.clients['bois'].get('/api/v1/plans').json['backup']['last']['number'] == number + 1
    others_go_on_but_rows(house)
    become(house, None)
    run = house.cli('backup', 'verify', 'bois', duties=('operator',), check=False)
    assert run.returncode == 1 and 'older than' in run.stderr, run
    # The next one comes about and opens; that one before it is missing is told for as long as it would have been kept.
    assert house.cli('backup', 'now', 'bois', duties=('operator',)).returncode == 0
    house.cli('backup', 'drill', 'bois', duties=('operator',))
    run = house.cli('backup', 'verify', 'bois', duties=('operator',), check=False)
    assert run.returncode == 1 and 'is missing' in run.stderr, run


def others_go_on_but_rows(house):
    assert house.clients['acme'].post('/api/v1/companies', {'name': 'Meanwhile'}).status == 201
    assert processes(house) == house.before


# C1, C7: behind its wall it reaches sealed files of the spool and the destinations, no tenant's file, no ledger, no registry
@pytest.mark.parametrize('misdeed', ['reach-files', 'reach-exec', 'reach-socket', 'reach-kill'])
def test_it_reaches_nothing_else(house, misdeed):
    begin = become(house, misdeed)
    said = lambda: house.logged()[begin:].partition('cloison-courier: ready')[2]  # noqa: E731
    wait_for(lambda: 'cloison-courier: died with status' in said(), why='its end')
    status = said().split('cloison-courier: died with status ')[1].split()[0]
    assert int(status) in (0, -signal.SIGSYS), status
    assert not (house.state / 'planted').exists()
    others_go_on(house)


def test_it_left_nothing_behind(house):
    heals(house)
    wait_for(lambda: len(os.listdir(f'/proc/{house.process.pid}/fd')) <= house.fds + 2, why='its fds to be closed')
    assert house.status_get('/v1/posture').json['programs']['cloison-courier']['layers']['seccomp'] == 'on'

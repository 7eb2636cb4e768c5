"""Somebody puts an older copy of a tenant's files back (S4, design: "A commit counter that the tenant's clients keep").

Whoever has seen what is lost is told, however much was written since, until an administrator goes on from it; whoever has not is served."""
import http.client
import os
import shutil
import signal

import pytest

from house import House, wait_for


@pytest.fixture(scope='module')
def own():
    with House(sample_seconds=1) as h:
        yield h


class Copies:
    def __init__(self, house, name, files):
        self.house, self.name, self.files = house, name, files
        self.folder, self.kept = house.state / 'tenants' / name, house.root / f'kept-{name}'

    def stopped(self):
        self.house.cli('tenant', 'stop', self.name)
        self.house.wait_state(self.name, 'stopped')

    def take(self):
        self.stopped()
        self.kept.mkdir(exist_ok=True)
        for f in self.files:
            shutil.copy(self.folder / f, self.kept / f)

    def put_back(self):
        self.stopped()
        for f in self.files:
            (self.folder / f).write_bytes((self.kept / f).read_bytes())


def told(client, way):
    """One request as a client that keeps what it has seen; way: where it keeps it."""
    headers = {'Cloison-Seen': client.seen} if way == 'token' and client.seen else {}
    answer = client.get('/api/v1/companies', headers=headers)
    if way == 'token' and answer.headers.get('Cloison-Seen'):
        client.seen = answer.headers['Cloison-Seen']
    return answer


def is_back(client):
    try:
        return told(client, 'cookie').status == 200
    except (OSError, http.client.HTTPException):  # handed to the worker that was killed
        client.close()
        return False


def is_refused(answer):
    return answer.status == 409 and answer.json['type'] == 'rolled-back'


# S4: an older file put back is told to whoever has seen more
@pytest.mark.parametrize('files', [('data.mdb',), ('data.mdb', 'capsule')], ids=['store', 'store-and-capsule'])
def test_an_older_file_is_told(own, files):
    name = 'acme' + str(len(files))
    admin = own.enrolled(name)
    robot, late = own.client(name, token=own.token(admin, name='robot')), own.client(name, token=own.token(admin, name='late'))
    robot.seen = late.seen = ''
    copies = Copies(own, name, files)
    admin.close()
    copies.take()
    for client in (admin, robot, late):
        client.close()
    assert told(late, 'token').status == told(robot, 'token').status == 200  # late sees the state that is copied, and its opening
    before = own.client(name)
    before.cookies = dict(admin.cookies)
    copies.take()
    for client in (admin, robot, late):
        client.close()
    assert admin.post('/api/v1/companies', {'name': 'Perdue'}).status == 201
    assert told(robot, 'token').json['items'][0]['name'] == 'Perdue'
    admin.close(), robot.close()
    copies.put_back()

    # Whoever wrote or read what is lost is refused; also after others have written on past it.
    for _ in range(2):
        assert is_refused(told(admin, 'cookie')) and is_refused(told(robot, 'token'))
        assert is_refused(admin.post('/api/v1/companies', {'name': 'Encore'})) and is_refused(admin.get('/api/v1/journal'))
        assert admin.get('/api/v1/health').status == 200 and admin.get('/').status == 200
        session = admin.get('/api/v1/session')
        assert session.status == 200 and session.json['last_commit']
        assert '__Host-cloison-seen' not in str(session.headers.get_all('Set-Cookie'))  # the proof stays with the client
        for client in (late, before):
            assert told(client, 'token' if client is late else 'cookie').status == 200
            assert client.post('/api/v1/companies', {'name': 'Autre'}, headers={'Cloison-Seen': late.seen} if client is late else {}).status == 201
    assert [c['name'] for c in told(late, 'token').json['items']] == ['Autre'] * 4
    wait_for(lambda: own.show(name)['rollback'] == 'seen', seconds=30, why='the status to show it')
    assert 'rollback         seen' in own.cli('tenant', 'show', name).stdout

    # A restart forgets nothing that a client still has.
    copies.stopped()
    for client in (admin, robot, late, before):
        client.close()
    assert is_refused(told(admin, 'cookie')) and is_refused(told(robot, 'token')) and told(late, 'token').status == 200

    # A log-in is served, and says when this file was last written; it does not take the proof away.
    assert admin.login().status == 200 and is_refused(told(admin, 'cookie'))
    state = admin.get('/api/v1/rollback')
    assert state.status == 200 and state.json['rolled_back'] is True and state.json['seen'] > 0
    assert robot.post('/api/v1/rollback', headers={'Cloison-Seen': robot.seen}).status == 403
    assert admin.post('/api/v1/rollback').status == 204
    for client in (admin, robot, late, before):
        assert told(client, 'token' if client in (robot, late) else 'cookie').status == 200
    assert admin.get('/api/v1/session').json['commit'] > state.json['seen']
    assert admin.post('/api/v1/rollback').status == 409 and admin.get('/api/v1/rollback').json['rolled_back'] is False
    wait_for(lambda: own.show(name)['rollback'] == 'accepted', seconds=30, why='the status to show it')
    acts = [line['act'] for line in admin.get('/api/v1/journal?limit=200').json['items']]
    assert acts.count('rollback_accepted') == 1 and acts.count('rollback_seen') == 2  # once a worker
    assert admin.get('/api/v1/journal/verify').json['sound'] is True

    # The next rollback, to before the acceptance, is told again.
    admin.close(), robot.close()
    copies.put_back()
    assert is_refused(told(robot, 'token'))
    if 'capsule' in files:
        assert told(admin, 'cookie').status == 401 and admin.login().status == 200  # its session was made later
    assert is_refused(told(admin, 'cookie'))


def test_an_honest_tenant_is_never_told(own):
    """Stops, kills, idle hours, writes and aborted requests in between."""
    client = own.enrolled('bois')
    robot = own.client('bois', token=own.token(client))
    robot.seen = ''
    for n in range(6):
        assert client.post('/api/v1/companies', {'name': f'c{n}'}).status == 201
        assert told(robot, 'token').status == told(client, 'cookie').status == 200
        if n % 3 == 0:
            os.kill(own.worker_pid('bois'), signal.SIGKILL)
        elif n % 3 == 1:
            own.cli('tenant', 'stop', 'bois')
        client.close(), robot.close()
        wait_for(lambda: is_back(client), seconds=90, why='the tenant to be back')
    assert own.show('bois')['rollback'] == 'none'
    seen = client.cookies['__Host-cloison-seen']
    assert client.get('/api/v1/companies').headers.get('Set-Cookie') is None and client.cookies['__Host-cloison-seen'] == seen  # told once


def test_a_liar_is_believed_by_nobody(own):
    """Made-up marks, another tenant's, and altered ones mean nothing: nobody is refused, no status changes, nothing can be accepted."""
    admin, other = own.enrolled('pierre'), own.enrolled('paul')
    for _ in range(3):
        assert other.post('/api/v1/companies', {'name': 'x'}).status == 201
    robot = own.client('pierre', token=own.token(admin))
    right = robot.get('/api/v1/companies').headers['Cloison-Seen']
    altered = ('B' if right[0] != 'B' else 'C') + right[1:]
    for lie in ('99999999999', '_' * 43, 'A' * 43, altered, right[:-1], right + 'A', other.cookies['__Host-cloison-seen'], '"', ''):
        assert robot.get('/api/v1/companies', headers={'Cloison-Seen': lie}).status == 200, lie
        admin.cookies['__Host-cloison-seen'] = lie
        assert admin.get('/api/v1/companies').status == 200, lie
    assert admin.get('/api/v1/rollback').json['rolled_back'] is False
    assert admin.post('/api/v1/rollback').json['type'] == 'not-rolled-back'
    assert 'rollback_seen' not in [line['act'] for line in admin.get('/api/v1/journal').json['items']]

"""The tenant's journal over the real thing: who, what, when; for the tenant alone, chained, and in the same commit as what it tells of."""
import hashlib
import http.client
import json
import os
import signal

import pytest

from house import PASSWORD, House, wait_for


def lines(client):
    """All of it, the oldest first."""
    found, start = [], ''
    while start is not None:
        page = client.get(f'/api/v1/journal?limit=7{start and f"&from={start}"}')
        assert page.status == 200, page
        found += page.json['items']
        start = page.json['next']
    assert [line['line'] for line in found] == list(range(len(found), 0, -1))
    return found[::-1]


def acts(client, since=0):
    return [line['act'] for line in lines(client)[since:]]


def is_back(client):
    try:
        return client.get('/api/v1/session').status == 200
    except (OSError, http.client.HTTPException):  # handed to the worker that was killed
        client.close()
        return False


@pytest.fixture(scope='module')
def own():
    with House() as h:
        h.acme, h.bois = h.enrolled('acme', None, '--quota', '16M'), h.enrolled('bois')
        yield h


def test_each_act_has_its_line(own):
    c = own.acme
    assert acts(c)[:2] == ['enrolled', 'logged_in'] and set(acts(c)[2:]) == {'switched'}
    enrolled, logged_in = lines(c)[:2]
    me = c.get('/api/v1/session').json['user']['id']
    assert enrolled['user'] == logged_in['user'] == me and logged_in['about']['login'] == 'admin' and logged_in['about']['by'] == 'password'
    start = len(lines(c))
    token = c.post('/api/v1/tokens', {'name': 'robot', 'scopes': ['read', 'write', 'import', 'export']}).json
    robot = own.client('acme', token=token['token'])
    assert c.post('/api/v1/recovery-kit').status == 201
    c.switch(('plain_socket',))
    c.switch(('plain_socket',), on=False)
    assert robot.post('/api/v1/import?kind=companies&format=csv', b'name\nUn\nDeux\n').json['created'] == 2
    assert robot.post('/api/v1/import?kind=companies&format=csv&dry_run=true', b'name\nTrois\n').json['created'] == 1
    assert robot.get('/api/v1/export?kind=companies&format=vcard').status == 200
    record = robot.post('/api/v1/contacts', {'family_name': 'Dupont'}).json['id']
    assert robot.delete(f'/api/v1/contacts/{record}').status == 204
    assert c.delete(f'/api/v1/tokens/{token["id"]}').status == 204
    assert c.put('/api/v1/password', {'old': PASSWORD, 'password': 'another good password'}).status == 204
    assert c.put('/api/v1/password', {'old': 'another good password', 'password': PASSWORD}).status == 204
    other = own.client('acme')
    assert other.login().status == 200 and other.delete('/api/v1/session').status == 204
    found = lines(c)[start:]
    assert [line['act'] for line in found] == ['token_made', 'kit_made', 'switched', 'switched', 'imported', 'exported', 'record_deleted', 'token_removed',
                                               'password_changed', 'password_changed', 'logged_in', 'logged_out']
    by = {line['act']: line for line in found}
    assert by['token_made']['about']['slot'] == token['id'] == by['token_removed']['about']['slot'] and by['token_made']['about']['name'] == 'robot'
    assert by['token_made']['about']['origin'] == logged_in['about']['slot']  # under which session it was made
    assert by['switched']['about'] == {'function': 'plain_socket', 'enabled': False, 'version': 1}
    assert by['imported']['about'] == {'kind': 'companies', 'created': 2, 'updated': 0, 'failed': 0}
    assert by['exported']['about'] == {'kind': 'companies', 'format': 'vcf'}
    assert by['record_deleted']['about'] == {'kind': 'contacts', 'id': record}
    assert all(line['user'] == me for line in found)
    assert 'Dupont' not in json.dumps(lines(c))  # what is deleted stays deleted


def test_a_wrong_log_in_is_told_once_a_minute(own):
    before = len(lines(own.bois))
    for n in range(6):
        other = own.client('bois')
        assert other.login(login=f'nobody{n}', password='wrong wrong wrong').status == 401
        other.close()
    found = lines(own.bois)[before:]
    assert [line['act'] for line in found] == ['logins_failed'] and found[0]['about'] == {'count': 1} and found[0]['user'] is None


def test_stops_and_locks(own):
    c = own.bois
    before = len(lines(c))
    own.cli('tenant', 'stop', 'bois')
    own.wait_state('bois', 'stopped')
    c.close()
    assert acts(c, before) == ['logins_failed', 'stopped', 'opened']  # what waited for its minute is not lost
    own.cli('tenant', 'lock', 'bois')
    wait_for(lambda: own.show('bois')['state'] in ('stopped', 'locked'), why='the lock')
    own.cli('tenant', 'unlock', 'bois', check=False)
    c.close()
    wait_for(lambda: c.login().status == 200, why='a log-in after the lock')
    assert acts(c, before)[3:] == ['locked', 'opened', 'logged_in']


def test_the_export_verifies_outside(own):
    c = own.acme
    answer = c.get('/api/v1/journal/export')
    assert answer.status == 200 and answer.headers['Content-Disposition'] == 'attachment; filename="journal.jsonl"'
    previous = bytes(32)
    for n, text in enumerate(answer.body.decode().splitlines(), 1):
        line = json.loads(text)
        told = bytes.fromhex(line['hash'])
        stored = text[:text.rindex(',"hash":')] + '}'
        previous = hashlib.sha256(previous + stored.encode()).digest()
        assert line['line'] == n and told == previous
    assert line['act'] == 'exported' and line['about']['kind'] == 'journal'
    assert c.get('/api/v1/journal/verify').json == {'sound': True, 'first': 1, 'last': n, 'hash': previous.hex()}


# S2: nobody but the tenant's administrators reads the journal
def test_nobody_but_an_administrator_reads_it(own):
    token = own.token(own.acme)
    for path in ('', '/export', '/verify'):
        assert own.client('acme', token=token).get(f'/api/v1/journal{path}').status == 403
        assert own.client('acme').get(f'/api/v1/journal{path}').status == 401
        assert own.client('bois', token=token).get(f'/api/v1/journal{path}').status == 401
    for query in ('?from=0', '?from=x', '?limit=0', '?limit=201', '?limit=-1', '?other=1', '?from=99999999999999999999'):
        assert own.acme.get(f'/api/v1/journal{query}').status == 400, query
    assert own.acme.get('/api/v1/journal?from=1').json['next'] is None
    assert own.acme.get('/api/v1/journal?from=999999999&limit=1').status == 200


def test_no_line_is_lost_with_a_killed_worker(own):
    c = own.acme
    for _ in range(3):
        before = len(lines(c))
        token = c.post('/api/v1/tokens', {'name': 'k', 'scopes': ['read']})
        assert token.status == 201
        os.kill(own.worker_pid('acme'), signal.SIGKILL)
        c.close()
        own.wait_state('acme', 'throttled')
        own.cli('tenant', 'start', 'acme')  # staff need not wait until its back-off is over
        wait_for(lambda: is_back(c), seconds=60, why='the tenant to be back')
        assert acts(c, before) == ['token_made', 'opened']
    assert c.get('/api/v1/journal/verify').json['sound'] is True


def test_a_full_store_locks_nobody_out(own):
    """Log-ins, log-outs and deletions go on, and the next line tells how many are missing; a credential that cannot be recorded is refused."""
    c = own.acme
    size = 300000
    while size > 100:
        answer = c.post('/api/v1/companies', {'name': 'Plein', 'custom': {f'c{i}': 'x' * min(size // 40, 2000) for i in range(40)}})
        assert answer.status in (201, 507), answer
        if answer.status == 507:
            size //= 2
    refused = 0
    for _ in range(2000):
        token = c.post('/api/v1/tokens', {'name': 'no room', 'scopes': ['read']})
        if token.status == 201:  # a user has so many at most: what fills the store are the lines
            assert c.delete(f'/api/v1/tokens/{token.json["id"]}').status == 204
        full = [c.post('/api/v1/companies', {'name': 'Plein'}), token, c.post('/api/v1/recovery-kit')]
        refused = refused + 1 if {answer.status for answer in full} == {507} else 0
        if refused == 6:  # what one commit frees, the next but one may use
            break
    assert refused == 6
    count = len(c.get('/api/v1/tokens').json['items'])
    assert c.post('/api/v1/tokens', {'name': 'no room', 'scopes': ['read']}).status == 507
    assert c.post('/api/v1/recovery-kit').status == 507
    assert len(c.get('/api/v1/tokens').json['items']) == count
    assert own.client('acme').login(password='wrong wrong wrong').status == 401
    last = len(lines(c))
    other = own.client('acme')
    assert other.login().status == 200 and other.get('/api/v1/companies').status == 200
    assert other.delete('/api/v1/session').status == 204
    kit = own.client('acme').post('/api/v1/session', {'recovery_kit': 'x'})
    assert kit.status == 400
    assert c.put('/api/v1/password', {'old': PASSWORD, 'password': 'not to be recorded'}).status == 507
    assert own.client('acme').login().status == 200  # the old one
    gap = []
    for item in c.get('/api/v1/companies?letter=P&limit=50').json['items']:
        assert c.delete(f'/api/v1/companies/{item["id"]}').status == 204
        gap = [line for line in lines(c)[last:] if line.get('missed')]
        if gap:
            break
    assert gap and gap[0]['missed'] >= 4
    assert c.post('/api/v1/tokens', {'name': 'room again', 'scopes': ['read']}).status == 201
    assert c.get('/api/v1/journal/verify').json['sound'] is True

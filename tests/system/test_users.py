"""Users and rights (C2) against the real worker: each right against each route of the served document, invitations that work once, who is
gone when somebody was removed, and what a worker killed in the middle leaves behind."""
import contextlib
import http.client
import json
import os
import random
import re
import signal
import threading
import time

import pytest

import wire
from house import PASSWORD, Client, House, wait_for

KINDS, ACTS = ('companies', 'contacts'), ('read', 'write', 'import', 'export')
RIGHTS = [*ACTS, 'admin', *(f'{k}.{a}' for k in KINDS for a in ACTS)]
NOBODY = '0' * 26
SEED = 20261125
GONE = (OSError, http.client.HTTPException, ValueError)


@pytest.fixture(scope='module')
def own():
    with House(max_workers=64) as house:
        yield house


def name_of(counter=iter(range(1000))):
    return f'u{next(counter)}'


@pytest.fixture
def acme(own):
    """A new tenant's administrator: counts of failures by source are a worker's own."""
    client = own.enrolled(name_of())
    client.tenant = client.host.split('.')[0]
    return client


def invite(admin, login, **what):
    answer = admin.post('/api/v1/users', {'login': login, **(what or {'role': 'member'})})
    assert answer.status == 201, answer
    return answer.json


def redeem(admin, code, password=PASSWORD):
    client = Client(admin.house, admin.host)
    client.answer = client.post('/api/v1/invitations', {'code': code, 'password': password})
    return client


def join(admin, login, **what):
    client = redeem(admin, invite(admin, login, **what)['code'])
    assert client.answer.status == 200, client.answer
    client.path = f'/api/v1/users/{client.answer.json["user"]["id"]}'
    return client


def as_user(admin, login, password=PASSWORD):
    client = Client(admin.house, admin.host)
    client.answer = client.login(login, password)
    return client


def worker(client):
    return client.house.worker_pid(client.host.split('.')[0])


def restart(client):
    """The tenant's worker is another one afterwards, and sealed until somebody comes."""
    tenant, was = client.host.split('.')[0], worker(client)
    client.house.cli('tenant', 'stop', tenant)
    client.house.wait_state(tenant, 'stopped')
    client.house.cli('tenant', 'start', tenant)
    wait_for(lambda: worker(client) not in (0, was), why='another worker')
    client.close()


# ---- each right against each route ----

def needs(method, path):
    """The right that an operation takes; None: any log-in, 'public': none. What is not said here fails the test."""
    if re.search(r'/(package|restriction|erasure)$', path):
        return 'admin'
    for kind in (*KINDS, 'documents'):
        if path == f'/api/v1/{kind}' or path.startswith(f'/api/v1/{kind}/'):
            return f'{kind}.read' if method == 'GET' else f'{kind}.write'
    of_one = {('GET', '/api/v1/leaving'): None, ('GET', '/api/v1/session'): None, ('DELETE', '/api/v1/session'): None}
    table = {'/api/v1/self-sufficient-kit': 'admin', '/api/v1/recovery': 'public', '/api/v1/usage': None, '/api/v1/uploads': 'documents.write',
             '/api/v1/uploads/{id}': 'documents.write', '/api/v1/notices': None, '/api/v1/notices.atom': 'public', '/api/v1/notices/{number}': None,
             '/api/v1/notices/{number}/text': 'public', '/api/v1/notices/{number}/acknowledge': 'admin', '/api/v1/plans': 'admin',
             '/api/v1/plans/backup': 'admin', '/api/v1/plans/archive': 'admin', '/api/v1/backups': None, '/api/v1/archives': 'admin',
             '/api/v1/provider/holdings': 'admin', '/api/v1/provider/references': None, '/api/v1/provider/references/{name}': 'admin',
             '/api/v1/provider/regions': 'admin', '/api/v1/provider/places': 'admin', '/api/v1/leaving': 'admin', '/api/v1/restitution': 'admin',
             '/api/v1/support': None, '/api/v1/support/{id}': None, '/api/v1/import': 'import', '/api/v1/export': 'export', '/api/v1/health': 'public', '/api/v1/openapi.json': 'public',
             '/api/v1/enrol': 'public', '/api/v1/invitations': 'public', '/api/v1/recovery-kit': 'admin', '/api/v1/password': None,
             '/api/v1/tokens': None, '/api/v1/tokens/{id}': None, '/api/v1/sessions': None, '/api/v1/sessions/{id}': None,
             '/api/v1/functions': None, '/api/v1/confirmations': None, '/api/v1/rules': 'admin', '/api/v1/rules/{id}': 'admin',
             '/api/v1/rules/{id}/run': 'admin', '/api/v1/rules/clock': 'admin', '/api/v1/register': 'admin', '/api/v1/functions/{name}': 'admin', '/api/v1/provider-ledger': 'admin', '/api/v1/provider/ledger': 'admin', '/api/v1/provider/disclosures': 'admin', '/api/v1/users': 'admin',
             '/api/v1/users/{id}': 'admin', '/api/v1/users/{id}/invitation': 'admin', '/api/v1/journal': 'admin', '/api/v1/journal/export': 'admin',
             '/api/v1/journal/verify': 'admin', '/api/v1/rollback': 'admin', '/api/v1/rotation': 'admin', '/api/v1/rotation/keys/{id}': 'admin'}
    if path == '/api/v1/session':
        return 'public' if method == 'POST' else None
    return of_one[method, path] if (method, path) in of_one else table[path]


def operations(document):
    """(method, path to ask, right, whether it takes a log-in, body): import and export once for each kind."""
    for path, item in document['paths'].items():
        for method in (m.upper() for m in item if m != 'parameters'):
            right, target, operation = needs(method, path), path.replace('{id}', NOBODY).replace('{name}', 'references').replace('{number}', '1'), item[method.lower()]
            assert (right == 'public') == (operation.get('security') == []), (method, path)
            person, body = operation.get('security') == [{'cookie': []}], {} if 'requestBody' in operation else None
            if right in ('import', 'export'):
                for kind in KINDS:
                    yield method, f'{target}?kind={kind}&format=json', f'{kind}.{right}', person, body
            elif right != 'public' and (method, path) != ('DELETE', '/api/v1/session'):  # that ends what asks
                yield method, target, right, person, body


def covers(held, needed):
    return needed is None or held == needed or held == needed.split('.')[-1] != 'admin' or held == needed == 'admin'


# C2: each right opens its own routes and no others, and to a token those that take no log-in (unit/routes_test.c: which)
def test_each_right_opens_its_routes_and_no_others(acme):
    document = acme.get('/api/v1/openapi.json').json
    every = list(operations(document))
    assert len(every) > 30
    others = {('DELETE', '/api/v1/sessions'), ('DELETE', f'/api/v1/sessions/{NOBODY}'), ('DELETE', f'/api/v1/tokens/{NOBODY}')}
    wrong = []
    for right in RIGHTS:
        assert acme.login().status == 200  # a token of his with `admin` may have ended all his sessions
        session = join(acme, f'has {right}', rights=[right])
        assert session.answer.json['rights'] == [right]
        token = Client(acme.house, acme.host, token=acme.house.token(acme, [right]))
        for method, target, needed, person, body in every:
            allowed = covers(right, needed)
            wanted = {token: allowed and not person and (right == 'admin' or (method, target) not in others), session: allowed}
            for client, fine in wanted.items():
                answer = client.request(method, target, body)
                refused = answer.status == 403 and answer.json['type'].endswith('rights')
                if refused == fine or answer.status in (401, 500, 503):
                    wrong.append((right, client is token, method, target, answer))
    assert not wrong, '\n'.join(sorted({f'{w[1:4]} {w[4]}' for w in wrong}))


def test_roles_and_rights_by_kind_meet_records(acme):
    company = acme.post('/api/v1/companies', {'name': 'Acme'}).json
    contact = acme.post('/api/v1/contacts', {'family_name': 'Dupont'}).json
    reader, member = join(acme, 'reader', role='reader'), join(acme, 'member', role='member')
    half = join(acme, 'half', rights=['contacts.read', 'companies.write', 'contacts.export'])
    for client in (reader, member):
        assert client.get(f'/api/v1/companies/{company["id"]}').status == client.get(f'/api/v1/contacts/{contact["id"]}').status == 200
    assert reader.patch(f'/api/v1/contacts/{contact["id"]}', {'title': 'x'}).status == 403
    assert member.patch(f'/api/v1/contacts/{contact["id"]}', {'title': 'x'}).status == 200
    assert member.get('/api/v1/export?kind=contacts&format=csv').status == 403  # taking all of it away is given by itself (C12)
    assert half.get(f'/api/v1/contacts/{contact["id"]}').status == 200
    for path in ('companies', 'companies/letters', f'companies/{company["id"]}'):
        assert half.get(f'/api/v1/{path}').status == 403
    assert half.post('/api/v1/companies', {'name': 'Neuf'}).status == 201
    assert half.post('/api/v1/contacts', {'family_name': 'Neuf'}).status == 403
    assert half.get('/api/v1/export?kind=contacts&format=csv').status == 200
    assert half.get('/api/v1/export?kind=companies&format=csv').status == 403
    assert half.post('/api/v1/import?kind=contacts&format=json', b'[]').status == 403
    # Half of what an act takes is given and taken while the session stands.
    assert acme.patch(half.path, {'rights': ['read', 'companies.write', 'contacts.export']}).status == 200
    assert half.get('/api/v1/companies').status == 200
    assert acme.patch(half.path, {'rights': ['contacts.read']}).status == 200
    assert half.get('/api/v1/contacts').status == 401  # lost something: it logs in anew
    assert as_user(acme, 'half').get('/api/v1/contacts').status == 200


# ---- invitations ----

def test_a_code_opens_a_sealed_tenant_once(acme):
    code = invite(acme, 'bert')['code']
    restart(acme)
    assert Client(acme.house, acme.host).get('/api/v1/health').json == {'state': 'sealed'}
    bert = redeem(acme, code)
    assert bert.answer.status == 200 and bert.answer.json['rights'] == ['read', 'write'] and bert.answer.json['warnings'] == []
    assert bert.get('/api/v1/contacts').status == 200
    again = redeem(acme, code, 'another good password')
    assert again.answer.status == 401 and again.answer.json['type'].endswith('credentials') and not again.cookies
    restart(acme)
    assert redeem(acme, code, 'another good password').answer.status == 401
    assert as_user(acme, 'bert', 'another good password').answer.status == 401
    assert as_user(acme, 'bert').answer.status == 200


def test_of_many_who_redeem_at_once_one_wins(acme):
    for round_ in range(3):
        code, login = invite(acme, f'login {round_}')['code'], f'login {round_}'
        barrier, statuses = threading.Barrier(6), [0] * 6

        def try_it(i):
            client = Client(acme.house, acme.host)
            client.get('/api/v1/health')  # connected
            barrier.wait()
            statuses[i] = client.post('/api/v1/invitations', {'code': code, 'password': f'the password of {i}'}).status
        threads = [threading.Thread(target=try_it, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(statuses) == [200] + [401] * 5, statuses
        winner = statuses.index(200)
        assert as_user(acme, login, f'the password of {winner}').answer.status == 200
        assert as_user(acme, login, f'the password of {(winner + 1) % 6}').answer.status == 401
        restart(acme)  # and the source's count of failures is gone
        assert as_user(acme, login, f'the password of {(winner + 2) % 6}').answer.status == 401
        assert as_user(acme, login, f'the password of {winner}').answer.status == 200


def test_wrong_codes_are_all_alike_and_delay_their_source(acme):
    code = invite(acme, 'bert')['code']
    used, removed = invite(acme, 'cleo')['code'], invite(acme, 'dora')
    assert redeem(acme, used).answer.status == 200
    assert acme.delete(f'/api/v1/users/{removed["id"]}').status == 204
    answers = [redeem(acme, c).answer for c in (used, removed['code'], acme.recovery_kit)]
    assert {(a.status, a.body) for a in answers} == {(401, answers[0].body)}
    statuses = [redeem(acme, used).answer.status for _ in range(12)]
    assert statuses[:5] == [401] * 5 and 429 in statuses, statuses
    refused = redeem(acme, used).answer
    assert refused.status == 429 and int(refused.headers['Retry-After']) >= 1
    assert redeem(acme, code).answer.status == 429  # the source waits, whatever it says


def test_a_reset_ends_password_and_sessions(acme):
    bert = join(acme, 'bert')
    code = acme.post(f'{bert.path}/invitation', {}).json['code']
    assert bert.get('/api/v1/session').status == 401
    assert as_user(acme, 'bert').answer.status == 401
    restart(acme)
    assert as_user(acme, 'bert').answer.status == 401
    assert redeem(acme, code, 'chosen by bert alone').answer.status == 200
    assert as_user(acme, 'bert', 'chosen by bert alone').answer.status == 200


# ---- removal ----

def dead(client):
    return client.get('/api/v1/contacts').status in (401, 503)


# C2: who is removed is gone at once
def test_a_removed_user_is_dead_at_once_and_after_a_restart(acme):
    bert = join(acme, 'bert', role='administrator')
    token = Client(acme.house, acme.host, token=acme.house.token(bert, ['read']))
    assert token.get('/api/v1/contacts').status == 200
    assert acme.delete(bert.path).status == 204
    for sealed in (False, True):
        assert dead(bert) and dead(token)
        assert as_user(acme, 'bert').answer.status == 401
        if not sealed:
            restart(acme)
    os.kill(worker(acme), signal.SIGKILL)
    wait_for(lambda: quietly(lambda: acme.get('/api/v1/session').status) == 200, why='the worker after its death')
    assert dead(bert) and dead(token) and as_user(acme, 'bert').answer.status == 401
    assert [u['login'] for u in acme.get('/api/v1/users').json['items']] == ['admin']


def test_a_removed_user_ends_in_the_middle_of_an_import(acme):
    bert = join(acme, 'bert', rights=['import', 'read'])
    cookie = '; '.join(f'{k}={v}' for k, v in bert.cookies.items())
    records = [json.dumps({'family_name': f'Nom {i}'}).encode() for i in range(2000)]
    body = b'[' + b','.join(records) + b']'
    with wire.tls(acme.house.tls_port, acme.host) as s:
        s.sendall(wire.request('POST', '/api/v1/import?kind=contacts&format=json', acme.host, headers=[('Cookie', cookie), ('Content-Length', str(len(body)))],
                               **{'Content-Type': 'application/json'}) + body[:len(body) // 2])
        wait_for(lambda: acme.get('/api/v1/contacts/letters').json['total'] > 0, why='the first records')
        assert acme.delete(bert.path).status == 204
        before = acme.get('/api/v1/contacts/letters').json['total']
        replies, _ = wire.exchange(s, body[len(body) // 2:])
        assert replies and replies[0].status == 401, replies
    assert before < 2000 and acme.get('/api/v1/contacts/letters').json['total'] == before


def test_an_administrator_and_a_kit_remain(acme):
    me = f'/api/v1/users/{acme.get("/api/v1/session").json["user"]["id"]}'
    assert acme.delete(me).json['type'].endswith('last-administrator')
    assert acme.patch(me, {'role': 'member'}).json['type'].endswith('last-administrator')
    invite(acme, 'never came', role='administrator')
    assert acme.delete(me).json['type'].endswith('last-administrator')
    bert = join(acme, 'bert', role='administrator')
    assert bert.delete(me).json['type'].endswith('only-kit')
    kit = bert.post('/api/v1/recovery-kit').json['recovery_kit']
    assert bert.delete(me).status == 204
    assert dead(acme) and bert.delete(bert.path).json['type'].endswith('last-administrator')
    stranger = Client(bert.house, bert.host)
    assert stranger.post('/api/v1/session', {'recovery_kit': acme.recovery_kit}).status == 401
    assert stranger.post('/api/v1/session', {'recovery_kit': kit}).json['user']['login'] == 'bert'


def test_of_two_administrators_who_remove_each_other_one_remains(acme):
    bert = join(acme, 'bert', role='administrator')
    assert bert.post('/api/v1/recovery-kit').status == 201
    me, barrier, statuses = f'/api/v1/users/{acme.get("/api/v1/session").json["user"]["id"]}', threading.Barrier(2), {}

    def remove(client, path):
        barrier.wait()
        statuses[client] = client.delete(path).status
    threads = [threading.Thread(target=remove, args=a) for a in ((acme, bert.path), (bert, me))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(statuses.values()) == [204, 401], statuses
    winner = next(c for c, status in statuses.items() if status == 204)
    assert len(winner.get('/api/v1/users').json['items']) == 1


# ---- sessions ----

def test_sessions_are_listed_and_ended(acme):
    bert = join(acme, 'bert')
    second = as_user(acme, 'bert')
    token = Client(acme.house, acme.host, token=acme.house.token(bert, ['read'], 'robot'))
    items = bert.get('/api/v1/sessions').json['items']
    assert sorted(i['kind'] for i in items) == ['session', 'session', 'token'] and [i['current'] for i in items].count(True) == 1
    assert [i['name'] for i in items if i['kind'] == 'token'] == ['robot']
    assert {i['user']['login'] for i in acme.get('/api/v1/sessions?everybody=true').json['items']} == {'admin', 'bert'}
    assert bert.get('/api/v1/sessions?everybody=true').status == 403
    (alone,) = token.get('/api/v1/sessions').json['items']
    assert alone['current'] and alone['origin']['kind'] == 'session'
    other = next(i['id'] for i in second.get('/api/v1/sessions').json['items'] if i['current'])
    assert token.delete(f'/api/v1/sessions/{other}').status == 403
    assert bert.delete(f'/api/v1/sessions/{other}').status == 204
    assert second.get('/api/v1/session').status == 401
    assert acme.delete('/api/v1/sessions?everybody=true').status == 204
    restart(acme)
    assert dead(bert) and dead(token) and acme.get('/api/v1/session').status == 200 and dead(bert) and dead(token)


def test_cookies_and_foreign_pages(acme):
    code = invite(acme, 'bert')['code']
    for origin in ('https://evil.example', 'null'):
        foreign = {'Origin': origin}
        for method, path, body in (('DELETE', '/api/v1/sessions', None), ('POST', '/api/v1/users', {'login': 'x', 'role': 'administrator'}),
                                   ('POST', '/api/v1/invitations', {'code': code, 'password': PASSWORD})):
            answer = acme.request(method, path, body, headers=foreign)
            assert answer.status == 403 and answer.json['type'].endswith('foreign-page'), (method, path, answer)
    assert acme.request('DELETE', '/api/v1/sessions', headers={'Sec-Fetch-Site': 'cross-site'}).status == 403
    bert = redeem(acme, code)
    for line in bert.answer.headers.get_all('Set-Cookie'):
        name, *attributes = (part.strip() for part in line.split(';'))
        assert name.startswith('__Host-cloison')
        assert {'Path=/', 'Secure', 'HttpOnly', 'SameSite=Strict'} <= set(attributes) and 'Domain' not in line, line
    was = dict(bert.cookies)
    assert bert.login('bert').status == 200
    assert bert.cookies['__Host-cloison'] != was['__Host-cloison']


# ---- killed in the middle ----

def quietly(call):
    with contextlib.suppress(*GONE):
        return call()
    return None


def killed_while(admins, begin, seed):
    """Begins something at each tenant and kills its worker: at every other one a moment later, at the others as soon as the capsule changes."""
    dice, answers = random.Random(seed), {}
    for number, admin in enumerate(admins):
        pid, capsule = worker(admin), admin.house.state / 'tenants' / admin.host.split('.')[0] / 'capsule'
        before = os.stat(capsule).st_mtime_ns

        def run(a=admin):
            answers[a] = quietly(lambda: begin(a))
        thread = threading.Thread(target=run)
        thread.start()
        if number % 2:
            wait_for(lambda: os.stat(capsule).st_mtime_ns != before, step=0, why='a write')
        else:
            time.sleep(dice.uniform(0, 0.06))
        os.kill(pid, signal.SIGKILL)
        thread.join()
    for admin in admins:
        wait_for(lambda: quietly(lambda: admin.get('/api/v1/session').status) == 200, 30, why='the worker after its death')
    return answers


def once(admin, method, path, body=None):
    return Client(admin.house, admin.host).request(method, path, body, again=False)


def test_killed_while_redeeming(own):
    admins = [own.enrolled(name_of()) for _ in range(10)]
    code = {a: invite(a, 'bert')['code'] for a in admins}
    body = {a: {'code': code[a], 'password': 'the first choice'} for a in admins}
    answers = killed_while(admins, lambda a: once(a, 'POST', '/api/v1/invitations', body[a]), SEED)
    for admin in admins:
        user = next(u for u in admin.get('/api/v1/users').json['items'] if u['login'] == 'bert')
        first = as_user(admin, 'bert', 'the first choice').answer.status
        second = redeem(admin, code[admin], 'the second choice').answer.status
        assert (first, second, user['state']) in ((200, 401, 'active'), (401, 200, 'invited'))  # never both, never neither
        if answers[admin] is not None and answers[admin].status == 200:
            assert first == 200
        assert as_user(admin, 'bert', 'the second choice').answer.status == second


def test_killed_while_removing(own):
    admins = [own.enrolled(name_of()) for _ in range(10)]
    berts = {a: join(a, 'bert') for a in admins}
    tokens = {a: Client(own, a.host, token=own.token(berts[a], ['read'])) for a in admins}

    def begin(admin):
        copy = Client(own, admin.host)
        copy.cookies = dict(admin.cookies)
        return copy.request('DELETE', berts[admin].path, again=False)
    answers = killed_while(admins, begin, SEED + 1)
    for admin in admins:
        statuses = {berts[admin].get('/api/v1/contacts').status, tokens[admin].get('/api/v1/contacts').status, as_user(admin, 'bert').answer.status}
        assert statuses in ({200}, {401}), statuses  # all of it or nothing
        if answers[admin] is not None and answers[admin].status == 204:
            assert statuses == {401}
        assert admin.delete(berts[admin].path).status in (204, 404)
        assert dead(berts[admin]) and dead(tokens[admin]) and as_user(admin, 'bert').answer.status == 401
        assert admin.get(berts[admin].path).status == 404

"""The main path: a customer enrols, logs in, keeps companies and contacts; the provider sees numbers only (H1-H4, S4)."""
import json
import os
import socket
import time

from house import PASSWORD, Client, libc, wait_for


def test_health_is_told_without_a_session(house):
    house.create('neuf')
    assert house.client('neuf').get('/api/v1/health').json == {'state': 'sealed'}
    assert house.client('acme').get('/api/v1/health').json == {'state': 'serving'}


def test_a_record_is_made_read_changed_and_deleted(house):
    made = house.acme.post('/api/v1/companies', {'name': 'Étoile SA', 'address': {'city': 'Nîmes'}, 'tags': ['client']})
    assert made.status == 201 and made.json['version'] == 1
    path = f'/api/v1/companies/{made.json["id"]}'
    assert made.headers['Location'] == path
    got = house.acme.get(path)
    assert got.status == 200 and got.json == made.json and got.headers['ETag'] == made.headers['ETag']
    assert house.acme.get(path, headers={'If-None-Match': got.headers['ETag']}).status == 304
    changed = house.acme.patch(path, {'sector': 'Astronomie', 'tags': None}, headers={'If-Match': got.headers['ETag']})
    assert changed.status == 200 and changed.json['sector'] == 'Astronomie' and 'tags' not in changed.json and changed.json['version'] == 2
    assert house.acme.patch(path, {'sector': 'x'}, headers={'If-Match': got.headers['ETag']}).status == 412
    put = house.acme.put(path, {'name': 'Étoile filante'})
    assert put.status == 200 and 'sector' not in put.json
    assert house.acme.delete(path).status == 204
    assert house.acme.get(path).status == 404


def test_one_tenant_is_nothing_to_another(house):
    made = house.acme.post('/api/v1/contacts', {'family_name': 'Dupont'})
    assert house.bois.get(f'/api/v1/contacts/{made.json["id"]}').status == 404
    stranger = house.client('bois')
    stranger.cookies = dict(house.acme.cookies)
    assert stranger.get('/api/v1/contacts').status == 401
    stranger = house.client('bois', token=house.token(house.acme))
    assert stranger.get('/api/v1/contacts').status == 401


def test_letters_are_in_french_order(house):
    client = house.enrolled('lettres')
    names = ['Zoé', 'cote', 'côté', 'Coté', 'Œuf', 'oeil', 'Éluard', 'Elan', 'eté', '42 rue', 'Ça', 'ca', 'àb', 'Ab']
    for n in names:
        assert client.post('/api/v1/contacts', {'family_name': n}).status == 201
    listed = lambda letter: [c['family_name'] for c in client.get(f'/api/v1/contacts?letter={letter}').json['items']]
    assert listed('E') == ['Elan', 'Éluard', 'eté']
    assert listed('O') == ['oeil', 'Œuf']
    assert listed('A') == ['Ab', 'àb']
    assert listed('C')[:2] == ['ca', 'Ça']
    assert listed('%23') == ['42 rue']
    assert listed('X') == []


def test_pages_of_a_letter_are_whole_and_in_order(house):
    client = house.enrolled('pages')
    rows = '\r\n'.join(['name', *[f'B{i:04}' for i in range(500)]])
    assert client.post('/api/v1/import?kind=companies&format=csv', rows.encode(), headers={'Content-Type': 'text/csv'}).json['created'] == 500
    seen, cursor = [], ''
    while cursor is not None:
        page = client.get(f'/api/v1/companies?letter=B&limit=37{"&cursor=" + cursor if cursor else ""}').json
        seen += [c['name'] for c in page['items']]
        cursor = page['next']
    assert seen == [f'B{i:04}' for i in range(500)]


def test_a_session_and_a_token_outlive_the_worker(house):
    made = house.acme.post('/api/v1/companies', {'name': 'Durable'})
    path = f'/api/v1/companies/{made.json["id"]}'
    token = house.client('acme', token=house.token(house.acme))
    for client in (house.acme, token):
        house.cli('tenant', 'stop', 'acme')
        house.wait_state('acme', 'stopped')
        client.close()
        assert client.get(path).json['name'] == 'Durable'


def test_logging_out_ends_the_session(house):
    client = house.client('acme')
    assert client.login().status == 200
    assert client.get('/api/v1/session').status == 200
    kept = dict(client.cookies)
    assert client.delete('/api/v1/session').status == 204
    client.cookies = kept
    assert client.get('/api/v1/session').status == 401


def test_a_wrong_password_and_an_unknown_user_are_told_alike(house):
    client = house.client('acme')
    wrong = client.login(password='wrong wrong wrong')
    unknown = client.login(login='nobody')
    assert wrong.status == unknown.status == 401
    assert wrong.json == unknown.json


def test_enrolment_works_once(house):
    host = house.create('deuxfois')
    client = Client(house, host)
    body = {'code': house.codes['deuxfois'], 'login': 'admin', 'password': PASSWORD}
    assert client.post('/api/v1/enrol', dict(body, code='AAAAA-AAAAA-AAAAA-AAAAA')).status in (401, 403)
    assert client.post('/api/v1/enrol', dict(body, password='short')).status == 400
    assert client.post('/api/v1/enrol', body).status in (200, 201)
    assert client.post('/api/v1/enrol', body).status in (403, 409)
    assert house.cli('tenant', 'enrol-code', 'deuxfois', check=False).returncode == 1


def test_the_status_counts(house):
    house.acme.get('/api/v1/companies?letter=A')
    shown = house.show('acme')
    assert shown['state'] in ('serving', 'sealed') and shown['pid'] > 1 and shown['starts'] >= 1
    assert shown['posture']['seccomp'] == 'on' and shown['posture']['secret_memory'] == 'on' and shown['posture']['landlock'] == 'on'
    assert 'acme' in house.cli('status').stdout


def test_idle_workers_stop_and_open_again():
    from house import House
    with House(idle_seconds=1) as h:
        client = h.enrolled('acme')
        client.close()
        h.wait_state('acme', 'stopped', seconds=20)
        assert client.get('/api/v1/session').status == 200


def test_a_foreign_host_is_misdirected(house):
    answer = house.acme.get('/api/v1/health', headers={'Host': 'bois.localhost'})
    assert answer.status == 421
    house.acme.close()


def test_the_answer_says_no_more_than_it_must(house):
    answer = house.acme.get('/')
    assert answer.status == 200 and b'<!doctype html>' in answer.body.lower()
    assert 'Server' not in answer.headers
    assert "default-src 'none'" in answer.headers['Content-Security-Policy'] and 'unsafe' not in answer.headers['Content-Security-Policy']
    assert answer.headers['X-Content-Type-Options'] == 'nosniff' and 'max-age' in answer.headers['Strict-Transport-Security']


def test_an_enrolled_tenant_does_not_open_on_an_empty_store():
    from house import House
    with House(sample_seconds=1) as h:
        client = h.enrolled('acme')
        assert client.post('/api/v1/companies', {'name': 'Perdue'}).status == 201
        h.cli('tenant', 'stop', 'acme')
        h.wait_state('acme', 'stopped')
        (h.state / 'tenants/acme/data.mdb').unlink()
        (h.state / 'tenants/acme/data.mdb-lock').unlink()
        client.close()
        assert client.get('/api/v1/companies').status >= 500
        assert client.login().status >= 500
        wait_for(lambda: h.show('acme')['check'] == 'damaged', why='the status to say so')


def test_a_connection_inherits_what_its_worker_may_not_set(house):
    """setsockopt() is not on a worker's list: the listening socket was given TCP_NODELAY and TCP_NOTSENT_LOWAT (25), and accept keeps them."""
    client = house.client('acme')
    client.get('/api/v1/health')
    pidfd, seen = os.pidfd_open(house.worker_pid('acme')), []
    for fd in os.listdir(f'/proc/{house.worker_pid("acme")}/fd'):
        if os.readlink(f'/proc/{house.worker_pid("acme")}/fd/{fd}').startswith('socket:'):
            with socket.socket(fileno=libc.syscall(438, pidfd, int(fd), 0)) as s:  # pidfd_getfd
                if s.family == socket.AF_INET:
                    seen.append((s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), s.getsockopt(socket.IPPROTO_TCP, 25)))
    os.close(pidfd)
    client.close()
    assert seen and set(seen) == {(1, 65536)}

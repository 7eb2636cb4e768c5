"""Births, deaths and reloads of a house: what changes without a restart, what is refused whole, how it leaves, who makes room (H1)."""
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
from house import PASSWORD, UID_BASE, Client, House, free_port, wait_for


def log_after(house, mark, pattern, seconds=15):
    return wait_for(lambda: re.search(pattern, house.logged()[mark:]), seconds, why=f'{pattern!r} in the log:\n{house.logged()[mark:]}')


def reload(house, pattern):
    """SIGHUP; waits for the log's line about it."""
    mark = len(house.logged())
    house.process.send_signal(signal.SIGHUP)
    return log_after(house, mark, pattern)


def connects(port):
    try:
        socket.create_connection(('127.0.0.1', port), 5).close()
        return True
    except OSError:
        return False


# ---- reload ----

@pytest.fixture
def own():
    """A house that a test may bend, with one tenant."""
    with House() as h:
        h.acme = h.enrolled('acme')
        yield h


def test_a_reload_takes_what_can_be_changed(own):
    token = own.token(own.acme)
    client = own.client('acme', token=token)
    assert client.get('/api/v1/contacts').status == 200
    pid, port = own.worker_pid('acme'), free_port()
    own.options |= dict(max_workers=7, idle_seconds=4000, https_port=9443)
    own.extra = f'listener "127.0.0.1:{port}" {{ kind = tls }}\n'
    own.write_config()
    reload(own, 'reloaded')
    assert json.loads(own.cli('--json', 'status').stdout)['max_workers'] == 7
    other = own.client('acme', token=token, port=port)
    assert other.get('/api/v1/contacts').status == 200
    assert client.get('/api/v1/contacts', again=False).status == 200 and own.worker_pid('acme') == pid  # nobody noticed
    own.extra = ''
    own.write_config()
    reload(own, 'reloaded')
    assert not connects(port)
    assert other.get('/api/v1/contacts', again=False).status == 200  # what was there goes on
    verbs = [(line['verb'], line['result']) for line in json.loads(own.cli('--json', 'ledger', 'list').stdout)['lines']]
    assert verbs.count(('reloaded', 'done')) == 2


@pytest.mark.parametrize('bad', ['syntax {', 'no_such_option = 1\n', 'max_workers = 0\n', 'listener "nowhere" { kind = tls }\n', 'duty "viewer" { group = no-such-group }\n',
                                 'listener "127.0.0.1:0" { kind = tls }\n', 'listener "127.0.0.1:1234" { kind = tls proxy = true }\n', 'secret_memory = maybe\n'])
def test_a_bad_configuration_changes_nothing(house, bad):
    """It is taken whole or not at all, and the error names its place."""
    good = house.config_path.read_text()
    before = json.loads(house.cli('--json', 'status').stdout)
    port = free_port()
    try:
        house.config_path.write_text(good.replace('max_workers = 64', 'max_workers = 9') + f'listener "127.0.0.1:{port}" {{ kind = tls }}\n' + bad)
        reload(house, rf'reload refused: .*{re.escape(str(house.config_path))}:\d+: ')
    finally:
        house.config_path.write_text(good)
    assert not connects(port)
    after = json.loads(house.cli('--json', 'status').stdout)
    assert after['max_workers'] == before['max_workers'] == 64 and after['router_starts'] == before['router_starts']
    assert house.acme.get('/api/v1/contacts').status == 200
    checked = subprocess.run([house.bin / 'cloisond', '-t', '-c', house.config_path], capture_output=True, text=True)
    assert checked.returncode == 0


def test_what_needs_a_restart_is_refused_whole(own):
    """What was dropped after the start cannot come back: a low port, another place, another uid."""
    good, port = own.config_path.read_text(), free_port()
    also = f'listener "127.0.0.1:{port}" {{ kind = tls }}\n'  # would be fine alone
    for change, named in ((lambda t: t + 'listener "127.0.0.1:81" { kind = http }\n', 'listener'),
                          (lambda t: t.replace(f'state_dir = "{own.state}"', f'state_dir = "{own.root}/other"'), 'state_dir'),
                          (lambda t: t.replace(f'run_dir = "{own.run}"', f'run_dir = "{own.root}/other"'), 'run_dir'),
                          (lambda t: t.replace(f'uid_base = {UID_BASE}', 'uid_base = 3000000000'), 'uid_base'),
                          (lambda t: re.sub('router_uid = [0-9]+', 'router_uid = 70020', t), 'router_uid'),
                          (lambda t: t + 'cgroup = off\n', 'cgroup'),
                          (lambda t: t + 'arena_bytes = 64M\n', 'arena_bytes')):
        text = change(good + also)
        assert text != good + also
        own.config_path.write_text(text)
        reload(own, rf'reload refused: restart needed: {re.escape(named)}')
        assert not connects(port), named
    assert own.acme.get('/api/v1/contacts').status == 200
    own.config_path.write_text(good + also)
    reload(own, 'reloaded')
    assert connects(port)
    refused = [line for line in json.loads(own.cli('--json', 'ledger', 'list').stdout)['lines'] if line['verb'] == 'reloaded']
    assert [line['result'] for line in refused][-1] == 'done' and 'refused' in [line['result'] for line in refused]


def test_a_port_that_somebody_has_is_refused_whole(own):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = free_port()
        own.extra = f'listener "127.0.0.1:{port}" {{ kind = tls }}\nlistener "127.0.0.1:{taken.getsockname()[1]}" {{ kind = tls }}\n'
        own.write_config()
        reload(own, 'reload refused: .*Address already in use')
        assert not connects(port)
    assert own.acme.get('/api/v1/contacts').status == 200


def test_hosts_and_title_change_at_once(own):
    """By the registrar's command, without a restart of anything."""
    kept = own.client('acme', token=own.token(own.acme))
    assert kept.get('/api/v1/contacts').status == 200
    pid = own.worker_pid('acme')
    own.cli('tenant', 'set', 'acme', '--title', 'Acme Nouvelle', '--host', 'acme.localhost', 'crm.acme.localhost')
    new = Client(own, 'crm.acme.localhost', token=kept.token)
    assert wait_for(lambda: quietly(lambda: new.get('/api/v1/contacts').status) == 200, why='the new host')
    assert kept.get('/api/v1/contacts', again=False).status == 200 and own.worker_pid('acme') == pid
    assert own.show('acme')['title'] == 'Acme Nouvelle' and own.show('acme')['hosts'] == ['acme.localhost', 'crm.acme.localhost']

    own.cli('tenant', 'set', 'acme', '--host', 'crm.acme.localhost')
    with pytest.raises(OSError):  # the name is nobody's now
        wait_for(lambda: quietly(lambda: Client(own, 'acme.localhost', token=kept.token).get('/api/v1/health').status) is None, why='the old host to go')
        Client(own, 'acme.localhost', token=kept.token).get('/api/v1/health')
    assert kept.get('/api/v1/contacts', again=False).status == 421
    assert new.get('/api/v1/contacts').status == 200
    # Another tenant may have it, and a name that is taken may not.
    assert own.cli('tenant', 'create', 'autre', '--host', 'crm.acme.localhost', check=False).returncode == 1
    own.cli('tenant', 'create', 'autre', '--host', 'acme.localhost')
    assert wait_for(lambda: Client(own, 'acme.localhost').get('/api/v1/health').json == {'state': 'sealed'}, why='the next owner')


def quietly(what):
    try:
        return what()
    except OSError:
        return None


# ---- leaving ----

def test_an_answer_in_flight_is_completed(own):
    """SIGTERM while an import is on its way: it is answered, and what it acknowledged is there at the next start."""
    token = own.token(own.acme)
    rows = [f'Ligne {i:05}' for i in range(4000)]
    body = ('name\r\n' + '\r\n'.join(rows) + '\r\n').encode()
    context = ssl._create_unverified_context()
    with socket.create_connection(('127.0.0.1', own.tls_port), 30) as raw, context.wrap_socket(raw, server_hostname='acme.localhost') as tls:
        tls.sendall(f'POST /api/v1/import?kind=companies&format=csv HTTP/1.1\r\nHost: acme.localhost\r\nAuthorization: Bearer {token}\r\n'
                    f'Content-Type: text/csv\r\nContent-Length: {len(body)}\r\n\r\n'.encode() + body[:len(body) // 2])
        time.sleep(0.3)
        own.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert own.process.poll() is None
        tls.sendall(body[len(body) // 2:])
        answer = b''
        while piece := tls.recv(65536):
            answer += piece
    head, _, text = answer.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 200') and b'onnection: close' in head, answer[:300]
    assert json.loads(text)['created'] == len(rows)
    assert own.process.wait(20) == 0 and 'gone' in own.logged()
    own.process = None
    own.start()
    client = own.client('acme', token=token)
    listed, cursor = 0, ''
    while cursor is not None:
        page = client.get(f'/api/v1/companies?letter=L&limit=100{"&cursor=" + cursor if cursor else ""}').json
        listed += len(page['items'])
        cursor = page['next']
    assert listed == len(rows)


def test_it_leaves_soon_and_leaves_nothing_behind(own):
    own.enrolled('bois')
    pids = [own.worker_pid(name) for name in ('acme', 'bois')]
    children = [int(p) for p in pathlib.Path(f'/proc/{own.process.pid}/task/{own.process.pid}/children').read_text().split()]
    begin = time.monotonic()
    own.stop()
    assert time.monotonic() - begin < 8
    assert not [p for p in pids + children if os.path.exists(f'/proc/{p}')]
    assert own.process is None and 'cloisond' in own.logged()


def test_workers_do_not_outlive_a_killed_supervisor(own):
    pids = [int(p) for p in pathlib.Path(f'/proc/{own.process.pid}/task/{own.process.pid}/children').read_text().split()] + [own.worker_pid('acme')]
    own.stop(signal.SIGKILL)
    wait_for(lambda: not [p for p in pids if os.path.exists(f'/proc/{p}')], why='the children to end')
    own.start()  # the locks are free, the sockets are replaced
    assert own.acme.get('/api/v1/contacts').status == 200
    assert own.cli('ledger', 'verify').returncode == 0


def test_router_and_steward_are_started_again(own):
    client = own.client('acme', token=own.token(own.acme))
    assert client.get('/api/v1/contacts').status == 200
    pid = own.worker_pid('acme')

    def child(name):
        for p in pathlib.Path(f'/proc/{own.process.pid}/task/{own.process.pid}/children').read_text().split():
            if name in pathlib.Path(f'/proc/{p}/cmdline').read_bytes().decode():
                return int(p)
        return None
    for name in ('cloison-router', 'cloison-steward'):
        was = child(name)
        assert was, name
        os.kill(was, signal.SIGKILL)
        wait_for(lambda: child(name) not in (None, was), why=f'another {name}')
        assert client.get('/api/v1/contacts', again=False).status == 200  # a connection that was handed over is nobody else's
        wait_for(lambda: quietly(lambda: Client(own, 'acme.localhost', token=client.token).get('/api/v1/contacts').status) == 200, why='new connections')
        wait_for(lambda: quietly(lambda: own.status_get('/v1/status').status) == 200, why='the status')
    status = json.loads(own.cli('--json', 'status').stdout)
    assert status['router_starts'] == 2 and status['steward_starts'] == 2 and own.worker_pid('acme') == pid


def test_two_supervisors_on_one_state_are_refused(own):
    second = own.root / 'second.conf'  # another port, the same directories
    second.write_text(own.config_path.read_text().replace(f':{own.tls_port}"', f':{free_port()}"'))
    refused = subprocess.run([own.bin / 'cloisond', '-c', second], capture_output=True, text=True, timeout=30)
    assert refused.returncode == 1 and 'another cloisond runs on it' in refused.stderr
    assert own.acme.get('/api/v1/contacts').status == 200 and own.status_get('/v1/status').status == 200


# ---- start and room ----

def test_fifty_first_connections_start_one_worker(own):
    """Single flight: the connections that come meanwhile wait for the one start."""
    token = own.token(own.acme)
    for _ in range(3):
        own.cli('tenant', 'stop', 'acme')
        own.wait_state('acme', 'stopped')
        starts, crashes = own.show('acme')['starts'], own.show('acme')['crashes']
        barrier, results = threading.Barrier(50), []

        def first():
            client = Client(own, 'acme.localhost', token=token)
            barrier.wait(20)
            results.append(quietly(lambda: client.get('/api/v1/contacts').status))
            client.close()
        threads = [threading.Thread(target=first) for _ in range(50)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        assert results == [200] * 50
        assert own.show('acme')['starts'] == starts + 1 and own.show('acme')['crashes'] == crashes


def test_idle_sealed_workers_make_room(tmp_path):
    """max_workers bounds how many run; idle sealed ones go first, busy ones do not go."""
    with House(max_workers=3) as h:
        busy = h.enrolled('busy')  # serving
        token = h.token(busy)
        for name in ('un', 'deux', 'trois', 'quatre'):
            h.create(name)
        assert busy.get('/api/v1/contacts').status == 200
        for name in ('un', 'deux', 'trois', 'quatre', 'un'):
            client = h.client(name)
            assert client.get('/api/v1/health').json == {'state': 'sealed'}
            client.close()
            states = {t['name']: t['state'] for t in json.loads(h.cli('--json', 'tenant', 'list').stdout)}
            assert sum(s in ('starting', 'sealed', 'serving', 'draining') for s in states.values()) <= 3, states
            assert states['busy'] == 'serving' and states[name] == 'sealed', states
        assert busy.get('/api/v1/contacts', again=False).status == 200
        wait_for(lambda: json.loads(h.cli('--json', 'status').stdout)['evictions'] >= 3, why='the evictions to be shown')
        assert h.show('busy')['starts'] == 1
        lines = json.loads(h.cli('--json', 'ledger', 'list', '--limit', '1000').stdout)['lines']
        assert sum(line['verb'] == 'evicted' for line in lines) + sum(line['times'] - 1 for line in lines if line['verb'] == 'evicted') >= 3
        assert h.client('busy', token=token).get('/api/v1/contacts').status == 200


# ---- the verbs ----

def test_stop_start_suspend_resume_lock(own):
    token, client = own.token(own.acme), own.acme
    assert client.get('/api/v1/session').status == 200
    own.cli('tenant', 'stop', 'acme')
    assert own.show('acme')['state'] == 'stopped'
    own.cli('tenant', 'stop', 'acme')  # is where it should be
    own.cli('tenant', 'start', 'acme')
    assert own.show('acme')['state'] == 'sealed'
    client.close()
    assert client.get('/api/v1/session').status == 200  # a session is a key slot
    assert own.show('acme')['state'] == 'serving'

    own.cli('tenant', 'suspend', 'acme')
    assert own.show('acme')['state'] == 'suspended'
    client.close()
    assert quietly(lambda: client.get('/api/v1/session', again=False).status) is None
    own.stop()
    own.start()
    assert own.show('acme')['state'] == 'suspended'  # over a restart of the house
    assert own.cli('tenant', 'start', 'acme', check=False).returncode == 1
    own.cli('tenant', 'resume', 'acme')
    assert client.get('/api/v1/session').status == 200

    own.cli('tenant', 'lock', 'acme')
    assert own.show('acme')['state'] == 'stopped'
    client.close()
    assert client.get('/api/v1/session').status in (401, 503)  # every session is over, with the worker stopped and started
    assert own.client('acme').login(password=PASSWORD).status == 200
    assert own.client('acme', token=token).get('/api/v1/contacts').status == 200  # tokens are no sessions
    assert client.get('/api/v1/session').status == 401
    recorded = [line['verb'] for line in json.loads(own.cli('--json', 'ledger', 'list', '--limit', '1000').stdout)['lines']]
    for verb in ('stop', 'start', 'suspend', 'resume', 'lock'):
        assert verb in recorded, verb


def test_a_stop_lets_answers_finish(own):
    """A drain: what was asked before is answered, the kept connection is then closed."""
    token = own.token(own.acme)
    rows = 'name\r\n' + '\r\n'.join(f'A{i:05} {"x" * 200}' for i in range(10000))
    assert own.client('acme', token=token).post('/api/v1/import?kind=companies&format=csv', rows.encode(), headers={'Content-Type': 'text/csv'}).status == 200
    context = ssl._create_unverified_context()
    with socket.create_connection(('127.0.0.1', own.tls_port), 30) as raw, context.wrap_socket(raw, server_hostname='acme.localhost') as tls:
        tls.sendall(f'GET /api/v1/export?kind=companies&format=csv HTTP/1.1\r\nHost: acme.localhost\r\nAuthorization: Bearer {token}\r\n\r\n'.encode())
        begun = tls.recv(1000)
        assert begun.startswith(b'HTTP/1.1 200')
        stop = threading.Thread(target=lambda: own.cli('tenant', 'stop', 'acme'))
        stop.start()
        time.sleep(0.2)
        total, last = len(begun), begun
        while piece := tls.recv(65536):
            total += len(piece)
            last = (last + piece)[-100:]
        stop.join(30)
    assert total > 10000 * 200 and last.endswith(b'0\r\n\r\n')
    assert own.show('acme')['state'] == 'stopped' and own.show('acme')['crashes'] == 0


def test_a_reload_signal_storm_is_harmless(own):
    client = own.client('acme', token=own.token(own.acme))
    pid = own.worker_pid('acme')
    for _ in range(100):
        own.process.send_signal(signal.SIGHUP)
        time.sleep(0.002)
    assert client.get('/api/v1/contacts').status == 200 and own.worker_pid('acme') == pid
    fds = len(os.listdir(f'/proc/{own.process.pid}/fd'))
    reload(own, 'reloaded')
    assert len(os.listdir(f'/proc/{own.process.pid}/fd')) <= fds

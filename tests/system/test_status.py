"""What staff see: the `cloison` command, the status socket, metrics, events, the ledger. Numbers and what the provider entered, nothing
else (H4, S3, C1)."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest
from house import DUTIES, REPO, STAFF_UID, House, wait_for

SAMPLE = 10  # seconds between two looks at a worker's numbers


@pytest.fixture(scope='module')
def house():
    h = House()
    h.extra = f'capsule_place "vault" {{ path = "{h.root}/vault" region = local }}\n'
    h.write_config()
    (h.root / 'vault').mkdir(mode=0o700)
    with h:
        h.acme, h.bois = h.enrolled('acme', None, '--title', 'Acme SA', '--modules', 'crm,export', '--region', 'fr-est', '--quota', '64M'), h.enrolled('bois')
        yield h


def run(house, *arguments, duties=('viewer',)):
    return house.cli(*arguments, duties=duties, check=False)


def shown_json(house, *arguments, duties=('viewer',)):
    done = run(house, '--json', *arguments, duties=duties)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def digits(number):
    """Significant decimal digits of a whole number."""
    return len(str(abs(int(number))).rstrip('0') or '0')


# ---- the command ----

def test_status_as_text_and_as_json(house):
    text = run(house, 'status')
    assert text.returncode == 0 and text.stderr == ''
    lines = text.stdout.splitlines()
    assert re.match(r'cloisond since \d{4}-\d\d-\d\d[ T]\d\d:\d\d.* UTC: 2 tenants, 2 of 64 workers running, 0 evictions', lines[0]), lines[0]
    assert lines[1].startswith('walls: ') and 'ledger: ' in lines[1]
    rows = {line.split()[0]: line.split() for line in lines[2:] if line}
    assert rows['TENANT'][1] == 'STATE' and rows['acme'][1] == rows['bois'][1] == 'serving' and rows['acme'][-1] == 'self-signed'
    assert len({len(line) for line in lines[2:] if line}) <= 2  # a table

    told = shown_json(house, 'status')
    assert all((rows[t['name']][rows['TENANT'].index('MEM')] == '-') == (t['memory_bytes'] is None) for t in told['tenants'])  # unknown is not 0
    assert told['workers'] == 2 and told['max_workers'] == 64 and told['tenant_count'] == 2 and told['states']['serving'] == 2
    assert abs(told['now'] - time.time()) < 5 and told['started'] <= told['now']
    assert [t['name'] for t in told['tenants']] == ['acme', 'bois'] and told['ledger']['gaps'] == 0


# H4: everything that is promised is shown, and nothing else
def test_one_tenant_has_everything_that_is_promised(house):
    t = shown_json(house, 'tenant', 'show', 'acme')
    promised = 'name state instance pid since connections inflight requests bytes_in bytes_out latency store_bytes quota_bytes memory_bytes ' \
               'cert_expires starts crashes last_exit throttled_until tls last_backup posture handshake_failures login_failures'.split()
    assert not [p for p in promised if p not in t]
    assert (t['title'], t['modules'], t['region'], t['hosts'], t['enrolled']) == ('Acme SA', 'crm,export', 'fr-est', ['acme.localhost'], True)
    assert t['quota_bytes'] == 64 << 20 and t['uid'] == house.options['uid_base'] + 1 and t['tls'] == 'passthrough' and t['cert_expires'] is None
    assert set(t['requests']) == {'1xx', '2xx', '3xx', '4xx', '5xx'} and list(t['latency']['buckets'])[-1] == '+Inf'
    assert os.stat(f'/proc/{t["pid"]}').st_uid in (t['uid'], 0)  # not dumpable: its files are root's
    assert set(t['posture'].values()) <= {'on', 'off', 'unavailable'} and t['posture']['seccomp'] == 'on'
    # Nothing else: each member is a number, an enum or what the provider entered.
    assert set(t) - set(promised) == {'title', 'modules', 'region', 'hosts', 'uid', 'enrolled', 'created', 'check', 'ledger', 'rollback', 'ways_in', 'self_sufficient', 'capsule_copies', 'reset',
                                        'contact', 'transferred_to', 'references', 'contract'}
    text = run(house, 'tenant', 'show', 'acme')
    for key in promised:
        assert re.search(rf'(?m)^{key} ', text.stdout), key


def test_the_list_says_what_was_entered(house):
    text = run(house, 'tenant', 'list')
    assert text.returncode == 0
    rows = [line.split() for line in text.stdout.splitlines()]
    assert rows[0][:4] == ['TENANT', 'STATE', 'ENROLLED', 'REGION'] and rows[1][0] == 'acme' and rows[1][2] == 'yes'
    assert [t['name'] for t in shown_json(house, 'tenant', 'list')] == ['acme', 'bois']


def test_top_once(house):
    text = run(house, 'top', '--once')
    assert text.returncode == 0 and '\033' not in text.stdout
    rows = [line.split() for line in text.stdout.splitlines() if line]
    assert rows[2][0] == 'TENANT' and {rows[3][0], rows[4][0]} == {'acme', 'bois'}
    assert shown_json(house, 'top', '--once')['tenant_count'] == 2


def test_top_redraws(house):
    """A second picture has rates; it ends when its reader does."""
    command = [house.bin / 'cloison', '-S', house.run, 'top']
    top = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, user=STAFF_UID, group=STAFF_UID, extra_groups=[DUTIES['viewer']])
    seen = 0
    for line in top.stdout:
        seen += line.startswith('cloisond since')
        if seen == 2:
            break
    top.stdout.close()
    assert top.wait(20) != 0 or seen == 2


def test_posture_in_words(house):
    done = run(house, 'posture')
    told = run(house, '--json', 'posture')
    posture = json.loads(told.stdout)
    assert done.returncode == told.returncode == (0 if posture['holds'] else 1)
    assert posture['machine']['supervisor_caps'] == posture['machine']['supervisor_seccomp'] == 'on'
    assert {w['tenant'] for w in posture['workers']} == {'acme', 'bois'}
    for worker in posture['workers']:
        assert worker['holds'] is True and worker['syscalls'] < 45 and worker['secret_memory_bytes'] >= 4 << 20 and len(worker['filter']) == 64
        assert set(worker['limits']) == {'memory_max', 'pids_max', 'cpu_weight'}
        assert (worker['limits']['memory_max'] is not None) == (worker['layers']['cgroup_limits'] == 'on')
        for layer in ('user_namespace', 'mount_namespace', 'pid_namespace', 'net_namespace', 'ipc_namespace', 'uts_namespace', 'cgroup_namespace',
                      'no_new_privs', 'no_capabilities', 'not_dumpable', 'seccomp', 'secret_memory'):
            assert worker['layers'][layer] == 'on', layer
    assert len({w['filter'] for w in posture['workers']}) == 1
    for layer, about in posture['layers'].items():
        assert layer in done.stdout and about['meaning'] in done.stdout
    assert 'No layer stops root that acts' in done.stdout


def test_exit_statuses(house):
    assert run(house, 'status').returncode == 0
    assert run(house, 'tenant', 'show', 'nobody').returncode == 1                       # the answer is no
    assert run(house, 'tenant', 'stop', 'acme').returncode == 1                         # not this person's duty
    assert run(house, 'tenant', 'stop', 'nobody', duties=('operator',)).returncode == 1
    for wrong in (('what',), ('tenant',), ('tenant', 'show'), ('tenant', 'show', 'UPPER'), ('status', 'more'), ('top', '--twice'), (),
                  ('tenant', 'create', 'x', '--host'), ('tenant', 'create', 'x'), ('tenant', 'set', 'acme'), ('tenant', 'set', 'acme', '--quota', '-1'),
                  ('ledger', 'list', '--from', 'x')):
        done = run(house, *wrong, duties=tuple(DUTIES))
        assert done.returncode == 2 and done.stderr.startswith('cloison: ') and done.stdout == '', wrong
    gone = subprocess.run([house.bin / 'cloison', '-S', '/nonexistent', 'status'], capture_output=True, text=True)
    assert gone.returncode == 3 and 'is cloisond running?' in gone.stderr
    outside = run(house, 'status', duties=())
    assert outside.returncode == 3 and 'no group that has the viewer duty' in outside.stderr
    assert 'there is no such option' in run(house, '--what').stderr
    assert 'K, M, G or T' in run(house, 'tenant', 'set', 'acme', '--quota', '10X').stderr
    root = subprocess.run([house.bin / 'cloison', '-S', house.run, 'status'], capture_output=True, text=True)
    assert root.returncode == 1 and 'refused' in root.stderr  # root has no duty (C1)
    full = subprocess.run(['sh', '-c', f'exec {house.bin}/cloison -S {house.run} status >/dev/full'], capture_output=True, text=True, user=STAFF_UID, group=STAFF_UID,
                          extra_groups=[DUTIES['viewer']])
    assert full.returncode == 1 and 'No space left' in full.stderr


VERBS = {
    'viewer': [('status',), ('tenant', 'list'), ('tenant', 'show', 'acme'), ('register',), ('posture',), ('posture', 'acme'), ('capsule', 'list', 'acme'), ('top', '--once')],
    'operator': [('tenant', 'start', 'bois'), ('tenant', 'stop', 'bois'), ('tenant', 'suspend', 'bois'), ('tenant', 'resume', 'bois'), ('tenant', 'lock', 'bois'), ('tenant', 'lock', 'bois', '--tokens')],
    'registrar': [('tenant', 'create', 'neuf', '--host', 'neuf.localhost'), ('tenant', 'set', 'acme', '--title', 'Acme SA'), ('tenant', 'enrol-code', 'neuf'),
                  ('tenant', 'csr', 'acme'), ('capsule', 'copy', 'acme', 'vault'), ('capsule', 'forget', 'acme', 'vault'), ('tenant', 'reset', 'neuf')],
    'auditor': [('ledger', 'list'), ('ledger', 'verify')],
}


@pytest.mark.parametrize('duty', DUTIES)
def test_each_verb_belongs_to_one_duty(house, duty):
    """The duties are disjoint: with this duty alone its own verbs work and every other is refused (C1)."""
    for owner, verbs in VERBS.items():
        for verb in verbs:
            status = run(house, *verb, duties=(duty,)).returncode
            if owner == duty:
                assert status == 0, (duty, verb)
            elif owner == 'viewer':
                assert status == 3, (duty, verb)  # the socket itself is closed to them
            else:
                assert status == 1, (duty, verb)
    for verb in ('read', 'export', 'copy', 'connect', 'delete'):
        done = run(house, 'tenant', verb, 'acme', duties=(duty,))
        assert done.returncode == 1 and 'nobody at the provider may do this' in done.stderr


# ---- the ledger ----

def test_the_ledger_lists_and_pages(house):
    house.cli('tenant', 'set', 'bois', '--title', 'Bois & Fils')
    text = run(house, 'ledger', 'list', duties=('auditor',))
    assert text.returncode == 0 and text.stdout.split('\n')[0].split()[:2] == ['LINE', 'TIME']
    lines = []
    while True:
        page = shown_json(house, 'ledger', 'list', '--limit', '3', '--from', str(lines[-1]['count'] + 1) if lines else '1', duties=('auditor',))
        if not page['lines']:
            break
        lines += page['lines']
    assert [line['count'] for line in lines] == list(range(lines[0]['count'], lines[0]['count'] + len(lines)))
    verbs = [line['verb'] for line in lines]
    for verb in ('begun', 'create', 'enrolled', 'started', 'unsealed', 'set'):
        assert verb in verbs
    done = [line for line in lines if line['verb'] == 'set' and line['tenant'] == 'bois']
    assert done[-1]['uid'] == STAFF_UID and done[-1]['result'] == 'done'


def test_a_changed_ledger_is_found(house):
    sound = run(house, 'ledger', 'verify', duties=('auditor',))
    assert sound.returncode == 0 and sound.stdout.startswith('sound: ')
    path = house.state / 'ledger'
    assert path.exists(), list(house.state.iterdir())
    was = path.read_bytes()
    at = was.index(b'create')
    with open(path, 'r+b') as f:
        f.seek(at)
        f.write(b'creatf')
    try:
        broken = run(house, 'ledger', 'verify', duties=('auditor',))
        assert broken.returncode == 1 and 'BROKEN at line' in broken.stdout
        told = json.loads(run(house, '--json', 'ledger', 'verify', duties=('auditor',)).stdout)
        assert told['sound'] is False and told['broken_at'] >= 1
    finally:
        with open(path, 'r+b') as f:
            f.seek(at)
            f.write(b'create')
    assert run(house, 'ledger', 'verify', duties=('auditor',)).returncode == 0


# ---- numbers ----

def test_numbers_are_sampled_and_rounded(house):
    """A worker's numbers are looked at every 10 s and shown with two significant digits, so that little can be signalled by them."""
    client = house.client('acme', token=house.token(house.acme))
    before = house.show('acme')['requests']['2xx']
    wait_for(lambda: house.show('acme')['requests']['2xx'] != before or time.sleep(0.05), SAMPLE + 5, why='a sample')  # just sampled now
    before = house.show('acme')['requests']['2xx']
    for _ in range(137):
        assert client.get('/api/v1/contacts').status == 200
    soon = house.show('acme')['requests']['2xx']
    assert soon == before
    after = wait_for(lambda: (n := house.show('acme')['requests']['2xx']) != before and n, SAMPLE + 5, why='the next sample')
    assert after >= 130 and after % 10 == 0

    t = house.show('acme')
    shown = [t[k] for k in ('connections', 'inflight', 'bytes_in', 'bytes_out', 'store_bytes')] + list(t['requests'].values()) + list(t['latency']['buckets'].values())
    assert all(digits(n) <= 2 for n in shown), shown
    buckets = list(t['latency']['buckets'].values())
    assert buckets == sorted(buckets) and t['bytes_in'] > 10000 and t['bytes_out'] > 10000 and t['store_bytes'] > 0
    client.close()


def test_the_time_between_samples_is_the_operators():
    with House(sample_seconds=1) as h:
        client = h.enrolled('acme')
        before = h.show('acme')['requests']['2xx']
        for _ in range(20):
            client.get('/api/v1/contacts')
        wait_for(lambda: h.show('acme')['requests']['2xx'] > before, 3, why='a sample')
        assert h.show('acme')['login_failures'] == h.show('acme')['handshake_failures'] == 0
        assert client.post('/api/v1/session', {'login': 'admin', 'password': 'not the password'}).status == 401
        with pytest.raises(OSError), socket.create_connection(('127.0.0.1', h.tls_port), 5) as raw:
            ssl.create_default_context().wrap_socket(raw, server_hostname='acme.localhost')  # will not have a self-signed certificate
        wait_for(lambda: (t := h.show('acme'))['login_failures'] == t['handshake_failures'] == 1, 3, why='what README says of abuse')
        h.options['sample_seconds'] = 3600
        h.write_config()
        h.process.send_signal(signal.SIGHUP)
        wait_for(lambda: 'reloaded' in h.logged(), why='the reload')
        time.sleep(1.2)  # what was under way
        before = h.show('acme')['requests']['2xx']
        for _ in range(200):
            client.get('/api/v1/contacts')
        time.sleep(2.5)
        assert h.show('acme')['requests']['2xx'] == before


def test_totals_outlive_a_worker(house):
    client = house.client('acme', token=house.token(house.acme))
    for _ in range(60):
        client.get('/api/v1/contacts')
    client.close()
    house.cli('tenant', 'stop', 'acme')
    first = house.wait_state('acme', 'stopped') and house.show('acme')
    assert first['requests']['2xx'] >= 60 and first['connections'] == 0 and first['pid'] is None and first['store_bytes'] > 0
    for _ in range(60):
        client.get('/api/v1/contacts')
    client.close()
    house.cli('tenant', 'stop', 'acme')
    house.wait_state('acme', 'stopped')
    assert house.show('acme')['requests']['2xx'] > first['requests']['2xx']


# ---- metrics ----

def metrics(house, accept=None):
    answer = house.status_get('/metrics', headers={'Accept': accept} if accept else None)
    assert answer.status == 200
    return answer


def test_curl_and_promtool(house):
    command = f'curl -sS --unix-socket {house.run}/status.sock http://c/metrics | promtool check metrics'
    checked = subprocess.run(['sh', '-c', command], capture_output=True, text=True, user=STAFF_UID, group=STAFF_UID, extra_groups=[DUTIES['viewer']])
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, '', '')
    for accept in ('text/plain;version=0.0.4', '*/*'):
        checked = subprocess.run(['promtool', 'check', 'metrics'], input=metrics(house, accept).body.decode(), capture_output=True, text=True)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, '', ''), accept


@pytest.mark.parametrize('accept', ['application/openmetrics-text; version=1.0.0; charset=utf-8', None])
def test_the_openmetrics_parser_takes_it(house, accept):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    answer = metrics(house, accept)
    assert answer.headers['Content-Type'] == 'application/openmetrics-text; version=1.0.0; charset=utf-8'
    families = {f.name: f for f in text_string_to_metric_families(answer.body.decode())}
    value = {s.name: s.value for s in families['cloison_workers_limit'].samples}
    assert value == {'cloison_workers_limit': 64}
    states = {(s.labels['tenant'], s.labels['state']): s.value for s in families['cloison_tenant_state'].samples}
    for name in ('acme', 'bois'):
        assert sum(v for (t, _), v in states.items() if t == name) == 1
    assert families['cloison_tenant_request_duration_seconds'].type == 'histogram'


def test_the_older_format_is_parsed_too(house):
    from prometheus_client.parser import text_string_to_metric_families
    answer = metrics(house, 'text/plain; version=0.0.4')
    assert answer.headers['Content-Type'].startswith('text/plain; version=0.0.4')
    assert len(list(text_string_to_metric_families(answer.body.decode()))) > 20


def test_labels_are_what_the_provider_entered(house):
    text = metrics(house).body.decode()
    labels = {}
    for key, value in re.findall(r'([a-z_]+)="([^"]*)"', text):
        labels.setdefault(key, set()).add(value)
    assert set(labels) == {'tenant', 'state', 'layer', 'class', 'le'}
    assert labels['tenant'] <= {'acme', 'bois', 'neuf'} and labels['class'] == {'1xx', '2xx', '3xx', '4xx', '5xx'}


def test_the_whole_catalogue_is_shown(house):
    """Every number of policy/counters.def that is not only for the machine itself has a family with its help."""
    text = metrics(house).body.decode()
    table = re.findall(r'(?m)^COUNTER\((\w+),\s+\w+,\s+"[^"]*",\s+"[^"]*",\s+"([^"]*)"\)', (REPO / 'policy/counters.def').read_text())
    assert len(table) > 20
    for name, meaning in table:
        if name.startswith(('latency_', 'requests_')) or name in ('last_activity',):
            continue
        assert meaning in text, name


# ---- events ----

class Events:
    """A reader of /v1/events."""

    def __init__(self, house, last=None):
        self.child = subprocess.Popen(['curl', '-sSN', '--unix-socket', house.run / 'status.sock', *(['-H', f'Last-Event-ID: {last}'] if last is not None else []),
                                       'http://c/v1/events'], stdout=subprocess.PIPE, user=STAFF_UID, group=STAFF_UID, extra_groups=[DUTIES['viewer']])
        os.set_blocking(self.child.stdout.fileno(), False)
        self.text = ''
        wait_for(lambda: 'retry: ' in self.read(), why='the stream')

    def read(self):
        self.text += (self.child.stdout.read() or b'').decode()
        return self.text

    def events(self):
        found = []
        for block in self.read().split('\n\n'):
            fields = dict(line.split(': ', 1) for line in block.split('\n') if ': ' in line)
            if 'data' in fields:
                data = json.loads(fields['data'])
                assert data['event'] == fields['event'] and set(data) == {'tenant', 'event', 'at'}
                found.append((int(fields['id']), data['tenant'], data['event']))
        return found

    def close(self):
        self.child.terminate()
        self.child.wait(10)
        self.child.stdout.close()


def test_events_tell_what_happens(house):
    house.cli('tenant', 'stop', 'bois')
    house.wait_state('bois', 'stopped')
    events = Events(house)
    assert events.events() == []  # from now on
    house.cli('tenant', 'start', 'bois')
    assert house.bois.login().status == 200
    house.cli('tenant', 'suspend', 'bois')
    house.cli('tenant', 'resume', 'bois')
    wait_for(lambda: [e for e in events.events() if e[2] == 'resumed'], why=lambda: events.text)
    seen = events.events()
    assert [e[2] for e in seen if e[1] == 'bois'] == ['started', 'unsealed', 'drained', 'suspended', 'resumed'], seen
    ids = [e[0] for e in seen]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    events.close()

    again = Events(house, last=ids[1])  # a reader that comes back goes on where it was
    wait_for(lambda: len(again.events()) >= len(seen) - 2, why='the rest')
    assert again.events() == seen[2:]
    again.close()


def test_events_of_a_stranger_are_refused(house):
    with pytest.raises(OSError):
        house.status_get('/v1/events', duties=('operator',))


# ---- a crash, a suspension, a back-off ----

def test_a_crashed_tenant_backs_off_and_is_shown(house):
    events = Events(house)
    was = house.show('acme')
    if not was['pid']:
        house.cli('tenant', 'start', 'acme')
        was = house.show('acme')
    neighbour = house.client('bois', token=house.token(house.bois))
    assert neighbour.get('/api/v1/contacts').status == 200
    os.kill(was['pid'], signal.SIGKILL)
    now = wait_for(lambda: (t := house.show('acme'))['state'] == 'throttled' and t, why='throttled')
    assert now['crashes'] == was['crashes'] + 1 and now['last_exit'] == -signal.SIGKILL and now['pid'] is None
    assert 0 <= now['throttled_until'] - time.time() <= 3
    assert 'throttled' in run(house, 'status').stdout
    assert neighbour.get('/api/v1/contacts', again=False).status == 200  # on the very same connection
    neighbour.close()
    client = house.acme
    house.wait_state('acme', 'stopped', 'sealed', 'starting', 'serving', seconds=10)
    client.close()
    assert client.get('/api/v1/contacts').status == 200
    after = house.show('acme')
    assert after['state'] == 'serving' and after['instance'] > was['instance'] and after['starts'] == was['starts'] + 1 and after['throttled_until'] is None
    kinds = [e[2] for e in events.events() if e[1] == 'acme']
    kinds = kinds[kinds.index('crashed'):]
    assert kinds[:2] == ['crashed', 'throttled'] and 'started' in kinds and 'unsealed' in kinds
    events.close()
    lines = shown_json(house, 'ledger', 'list', '--from', '1', '--limit', '1000', duties=('auditor',))['lines']
    assert any(line['verb'] == 'crashed' and line['tenant'] == 'acme' for line in lines)


def test_a_suspended_tenant_stays_stopped(house):
    house.cli('tenant', 'suspend', 'bois')
    house.bois.close()
    assert house.show('bois')['state'] == 'suspended'
    with pytest.raises(OSError):
        house.bois.get('/api/v1/health', again=False)
    refused = run(house, 'tenant', 'start', 'bois', duties=('operator',))
    assert refused.returncode == 1 and 'suspended' in refused.stderr
    assert house.show('bois')['state'] == 'suspended' and 'suspended' in run(house, 'tenant', 'list').stdout
    house.cli('tenant', 'resume', 'bois')
    house.bois.close()
    assert house.bois.get('/api/v1/contacts').status == 200


# ---- the sockets ----

def test_modes_and_owners_of_the_sockets(house):
    status, control = (house.run / 'status.sock').stat(), (house.run / 'control.sock').stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o660, 0, DUTIES['viewer'])
    assert (control.st_mode & 0o777, control.st_uid) == (0o666, 0)


@pytest.mark.parametrize('request_', [
    b'GET /v1/status HTTP/1.1\r\n\r\n', b'POST /v1/status HTTP/1.1\r\nHost: c\r\nContent-Length: 0\r\n\r\n', b'GET /v1/tenants/../status HTTP/1.1\r\nHost: c\r\n\r\n',
    b'GET /v1/tenants/%00 HTTP/1.1\r\nHost: c\r\n\r\n', b'GET /nothing HTTP/1.1\r\nHost: c\r\n\r\n', b'x' * 70000, b'GET / HTTP/9.9\r\nHost: c\r\n\r\n',
    b'GET /v1/status HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'])
def test_odd_requests_are_refused(house, request_):
    """By a member of staff: an error, and the steward lives."""
    before = shown_json(house, 'status')['steward_starts']
    script = 'import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.settimeout(20)\ns.connect(sys.argv[1])\n' \
             'try:\n s.sendall(sys.stdin.buffer.read())\n s.shutdown(1)\nexcept OSError: pass\n' \
             'try: sys.stdout.buffer.write(s.recv(65536))\nexcept OSError: pass'
    got = subprocess.run(['/usr/bin/python3', '-c', script, house.run / 'status.sock'], input=request_, capture_output=True, user=STAFF_UID, group=STAFF_UID,
                         extra_groups=[DUTIES['viewer']], timeout=60)
    assert re.match(rb'HTTP/1\.1 (4\d\d|505|501) ', got.stdout), got
    assert shown_json(house, 'status')['steward_starts'] == before


def test_many_staff_connections_are_bounded(house):
    """One uid may not take all the places of the others."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([DUTIES['viewer']])
        os.setresgid(STAFF_UID + 1, STAFF_UID + 1, STAFF_UID + 1)
        os.setresuid(STAFF_UID + 1, STAFF_UID + 1, STAFF_UID + 1)
        held = []
        for _ in range(40):
            s = socket.socket(socket.AF_UNIX)
            s.connect(str(house.run / 'status.sock'))
            held.append(s)
        os.write(writing, b'x')
        time.sleep(30)
        os._exit(0)
    try:
        assert os.read(reading, 1) == b'x'
        assert house.status_get('/v1/status').status == 200
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)

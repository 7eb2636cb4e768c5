"""As staff in every group of the provider, as the tenant's own uid from outside, as root with no more than the supervisor keeps: nothing
that a customer stored comes back, by file, process, memory, socket or verb (C1, C3, C6, S4)."""
import base64
import concurrent.futures
import json
import os
import re
import socket
import subprocess
import time
import urllib.parse

import pytest

import reach
from house import DUTIES, PROXY_GID, STAFF_UID, Client, House, wait_for

ALL = tuple(DUTIES)
CANARIES = {
    'company': 'Kanarienvogel-GmbH-7731', 'city': 'Canaryville-7732', 'contact': 'Serin-7733', 'note': 'tres confidentiel 7734', 'login': 'canari-7735',
    'password': 'mot de passe canari 7736', 'token': 'jeton-canari-7737', 'search': 'recherche-canari-7738', 'tag': 'etiquette-canari-7739',
}


@pytest.fixture(scope='module')
def house():
    h = House()
    h.extra = f'capsule_place "vault" {{ path = "{h.root}/vault" region = local }}\n'
    h.write_config()
    (h.root / 'vault').mkdir(mode=0o700)
    with h:
        host = h.create('acme')
        h.acme = Client(h, host)
        answer = h.acme.post('/api/v1/enrol', {'code': h.codes['acme'], 'login': CANARIES['login'], 'password': CANARIES['password']})
        assert answer.status in (200, 201), answer
        h.secrets = [answer.json['recovery_kit']]
        log_in(h)
        made = h.acme.post('/api/v1/companies', {'name': CANARIES['company'], 'address': {'city': CANARIES['city']}, 'tags': [CANARIES['tag']]})
        assert made.status == 201, made
        contact = {'family_name': CANARIES['contact'], 'notes': CANARIES['note'], 'company': made.json['id']}
        h.contact = h.acme.post('/api/v1/contacts', contact)
        assert h.contact.status == 201, h.contact
        h.acme.switch()
        h.secrets += [h.token(h.acme, name=CANARIES['token']), h.acme.cookies['__Host-cloison']]
        h.acme.get('/api/v1/search?q=' + CANARIES['search'])
        h.acme.get('/api/v1/companies?letter=K')
        h.acme.switch(('plain_socket',))
        wait_for(lambda: (h.run / 'web/acme.sock').exists(), why='web/acme.sock')
        h.bois = h.enrolled('bois')
        h.create('neuf')
        yield h
        assert h.process.poll() is None


def log_in(house):
    house.acme.close()
    answer = house.acme.post('/api/v1/session', {'login': CANARIES['login'], 'password': CANARIES['password']})
    assert answer.status in (200, 201), answer


def clean(house, *texts):
    """No canary in any of it, in none of the usual disguises."""
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode()
        for word in [*CANARIES.values(), *house.secrets]:
            raw = word.encode()
            shapes = [raw, raw.hex().encode(), urllib.parse.quote(word).encode(), base64.b64encode(raw).rstrip(b'=')[:-1], raw.decode().encode('utf-16-le')]
            for shape in shapes:
                assert shape.lower() not in data.lower(), (word, data[:300])


def processes(house):
    """pid by name: the workers, router, steward."""
    found = {name: house.worker_pid(name) for name in ('acme', 'bois')}
    for pid in open(f'/proc/{house.process.pid}/task/{house.process.pid}/children').read().split():
        comm = open(f'/proc/{pid}/comm').read().strip()
        if comm in ('cloison-router', 'cloison-steward'):
            found[comm] = int(pid)
    found['cloisond'] = house.process.pid
    assert len(found) == 5 and all(found.values())
    return found


def stored(house):
    """Every path below the state directory."""
    paths = [str(house.state), str(house.state / 'tenants')]
    for folder, folders, names in os.walk(house.state):
        paths += [os.path.join(folder, n) for n in folders + names]
    assert any(p.endswith('acme/data.mdb') for p in paths) and len(paths) > 8
    return paths


STAFF = dict(uid=STAFF_UID, gids=list(DUTIES.values()))


# ---- the attempts themselves can succeed ----

def test_the_attempts_get_through_where_there_is_no_wall():
    """On an ordinary process of the same uid; else what follows would prove nothing."""
    victim = subprocess.Popen(['sleep', '60'], user=STAFF_UID, group=STAFF_UID, extra_groups=[])
    try:
        time.sleep(0.1)
        got = reach.as_somebody(lambda: reach.process(victim.pid), **STAFF)
    finally:
        victim.kill()
        victim.wait()
    for name in ('environ', 'maps', 'mem', 'fd', 'cwd', 'root', 'open ns/user', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd', 'ptrace', 'kcmp', 'kill 9'):
        assert name in got, (name, got)


def test_files_and_sockets_get_through_where_there_is_no_wall(tmp_path):
    os.chmod(tmp_path, 0o777)
    path = tmp_path / 'open'
    path.write_text('x')
    path.chmod(0o666)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / 'sock'))
        s.listen()
        os.chmod(tmp_path / 'sock', 0o777)
        for p in tmp_path.parents:
            if p.is_relative_to('/tmp') and p != p.parent and str(p) != '/tmp':
                os.chmod(p, p.stat().st_mode | 0o111)
        assert reach.as_somebody(lambda: reach.files([str(path)]), **STAFF)
        assert reach.as_somebody(lambda: reach.connects(tmp_path / 'sock'), **STAFF)


def test_a_canary_would_be_seen(house):
    word = CANARIES['note']
    for text in (f'{{"notes": "{word}"}}', word.upper(), word.encode().hex(), urllib.parse.quote(word), base64.b64encode(word.encode()).decode(), word.encode('utf-16-le')):
        with pytest.raises(AssertionError):
            clean(house, text)
    with pytest.raises(AssertionError):
        clean(house, house.secrets[0])


# ---- staff ----

# S4, C3: staff in every group reads no file, process or socket of a tenant
def test_staff_reads_no_file(house):
    paths = stored(house)
    assert reach.as_somebody(lambda: reach.files(paths), **STAFF) == []
    assert stored(house) == paths  # nothing moved


def test_staff_mounts_nothing(house, tmp_path):
    os.chmod(tmp_path, 0o777)
    assert reach.as_somebody(lambda: reach.mounts(str(house.state / 'tenants/acme'), '/mnt'), **STAFF) == []


def test_staff_reaches_no_process(house):
    before = processes(house)
    for name, pid in before.items():
        got = reach.as_somebody(lambda pid=pid: reach.process(pid), **STAFF)
        assert got == [], (name, got)
    assert processes(house) == before
    assert house.bois.get('/api/v1/health').status == 200


# H2: staff connects to no worker and reads no connection
def test_staff_connects_to_no_worker(house):
    """web/NAME.sock is the proxy's; the status and control sockets lead to the steward; nothing else listens."""
    sockets = [p for p in house.root.rglob('*') if p.is_socket()]
    assert house.run / 'web/acme.sock' in sockets
    open_to_staff = [p.name for p in sockets if reach.as_somebody(lambda p=p: reach.connects(p), **STAFF)]
    assert sorted(open_to_staff) == ['control.sock', 'status.sock']
    assert not reach.as_somebody(lambda: reach.lists(house.run / 'web'), **STAFF)
    assert reach.as_somebody(lambda: reach.connects(house.run / 'web/acme.sock'), uid=70200, gids=[PROXY_GID])
    # Abstract names: none is the house's.
    mine = [line.split()[-1] for line in open('/proc/net/unix') if '@' in line]
    assert not [name for name in mine if 'cloison' in name]


def test_staff_lists_no_sockets_of_a_worker(house):
    """Whatever /proc lets be read of a worker's network: there is none in it."""
    for name in ('acme', 'bois'):
        pid = house.worker_pid(name)

        def look():
            lines = []
            for kind in ('tcp', 'tcp6', 'udp', 'udp6', 'raw', 'unix', 'packet'):
                try:
                    lines += open(f'/proc/{pid}/net/{kind}').read().splitlines()[1:]
                except OSError:
                    pass
            return lines
        assert reach.as_somebody(look, **STAFF) == []


def test_without_the_viewer_duty_status_is_closed(house):
    others = [gid for duty, gid in DUTIES.items() if duty != 'viewer']
    with pytest.raises(PermissionError):
        house.unix(house.run / 'status.sock', 'GET', '/v1/status', uid=STAFF_UID, gids=others)


# ---- the tenant's own uid, outside its namespaces ----

def test_the_tenants_uid_from_outside_reaches_neither_its_worker_nor_others(house):
    """A signal it may send: the worker is its own. Memory, files in hand, namespaces: no."""
    for victim in ('acme', 'bois', 'cloison-router', 'cloison-steward', 'cloisond'):
        uid = house.show('acme')['uid']
        pid = processes(house)[victim]
        got = reach.as_somebody(lambda: reach.process(pid, signals=victim != 'acme'), uid=uid)
        assert got == [], (victim, got)
    assert house.bois.get('/api/v1/health').status == 200


def test_the_tenants_uid_reads_its_own_directory_alone(house):
    uid = house.show('acme')['uid']
    mine = str(house.state / 'tenants/acme')
    others = [p for p in stored(house) if not p.startswith(mine)]
    assert reach.as_somebody(lambda: reach.files(others), uid=uid) == []
    open_to_it = [p.name for p in house.root.rglob('*') if p.is_socket() and reach.as_somebody(lambda p=p: reach.connects(p), uid=uid)]
    assert open_to_it == ['control.sock']  # where it is told that it has no duty
    assert house.unix(house.run / 'control.sock', 'POST', '/v1/tenants/bois/stop', uid=uid).status == 403


# ---- root with no more than the supervisor keeps ----

@pytest.mark.parametrize('become', [False, True])
def test_the_supervisors_capabilities_reach_no_memory(house, become):
    """SETUID, SETGID, CHOWN, KILL, as they are and after becoming the tenant. That it could end a worker is its task."""
    uid = house.show('acme')['uid'] if become else 0
    pid = house.worker_pid('acme')
    kept = [reach.CHOWN, reach.KILL, reach.SETGID, reach.SETUID]
    got = reach.as_somebody(lambda: reach.process(pid, signals=False), uid=uid, capabilities=kept)
    # To root /proc says how many fds there are, not which, and takes two settings of a core that is never written.
    harmless = {'fd', 'fdinfo', f'task/{pid}/fd', 'coredump_filter', 'oom_score_adj'} if not become else set()
    assert set(got) <= harmless, got
    assert house.worker_pid('acme') == pid


def test_the_supervisor_has_no_more_than_these(house):
    text = open(f'/proc/{house.process.pid}/status').read()
    kept = sum(1 << bit for bit in (reach.CHOWN, reach.KILL, reach.SETGID, reach.SETUID))
    for line in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
        assert int(re.search(rf'{line}:\s+(\w+)', text)[1], 16) & ~kept == 0, line
    assert re.search(r'NoNewPrivs:\s+1', text) and re.search(r'Seccomp:\s+2', text)
    for name, pid in processes(house).items():
        if name != 'cloisond':
            text = open(f'/proc/{pid}/status').read()
            assert re.search(r'CapEff:\s+0+\n', text) and re.search(r'NoNewPrivs:\s+1', text) and re.search(r'Seccomp:\s+2', text), name


# ---- verbs and duties ----

# Written down here once more, on purpose: a slip in policy/duties.def must not move the test.
VERBS = {
    'create': ('POST', '/v1/tenants', 'registrar'), 'set': ('PATCH', '/v1/tenants/{}', 'registrar'),
    'start': ('POST', '/v1/tenants/{}/start', 'operator'), 'stop': ('POST', '/v1/tenants/{}/stop', 'operator'),
    'suspend': ('POST', '/v1/tenants/{}/suspend', 'operator'), 'resume': ('POST', '/v1/tenants/{}/resume', 'operator'),
    'lock': ('POST', '/v1/tenants/{}/lock', 'operator'), 'enrol_code': ('POST', '/v1/tenants/{}/enrol-code', 'registrar'),
    'csr': ('GET', '/v1/tenants/{}/csr', 'registrar'), 'cert': ('PUT', '/v1/tenants/{}/certificate', 'registrar'),
    'capsule_copy': ('POST', '/v1/tenants/{}/capsule-copy', 'registrar'), 'capsule_forget': ('POST', '/v1/tenants/{}/capsule-forget', 'registrar'),
    'reset': ('POST', '/v1/tenants/{}/reset', 'registrar'), 'transfer': ('POST', '/v1/tenants/{}/transfer', 'registrar'),
    'terms_publish': ('POST', '/v1/notices?kind=terms&effective=2099-01-01', 'registrar'), 'terms_list': ('GET', '/v1/notices', 'registrar'),
    'disclosure': ('POST', '/v1/tenants/{}/disclosure', 'registrar'), 'cite': ('POST', '/v1/tenants/{}/cite', 'registrar'),
    'ledger': ('GET', '/v1/ledger', 'auditor'), 'undertaking_list': ('GET', '/v1/undertakings', 'auditor'),
    'read': ('POST', '/v1/tenants/{}/read', None), 'export': ('POST', '/v1/tenants/{}/export', None), 'copy': ('POST', '/v1/tenants/{}/copy', None),
    'connect': ('POST', '/v1/tenants/{}/connect', None), 'delete': ('POST', '/v1/tenants/{}/delete', None),
}
TENANTS = ('acme', 'neuf', 'personne')
BODIES = {'disclosure': {'ground': 'law', 'scope': ['registry'], 'recipient': 'Tribunal', 'reason': 'Ordonnance'}, 'transfer': {'to': 'Autre SA'}, 'cite': {'use': 'logo', 'where': 'Site'}, 'terms_publish': b'Conditions', 'capsule_copy': {'place': 'vault'}, 'capsule_forget': {'place': 'vault'}, 'create': {'name': 'acme', 'hosts': ['acme.localhost']}, 'set': {'title': 'Titre'}, 'cert': b'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'}


# C1, C3: every verb at every duty, against tenants full of canaries
@pytest.mark.parametrize('held', [(), *[(duty,) for duty in ALL], ALL], ids=lambda held: '+'.join(held) if len(held) < 2 else 'all')
def test_each_duty_has_its_verbs_and_no_other(house, held):
    """Every verb, with every tenant: enrolled and full of canaries, not enrolled, not there."""
    uid = 71000 + sum(1 << ALL.index(duty) for duty in held)
    answers = []
    house.sign(uid)
    for verb, (method, path, duty) in VERBS.items():
        for tenant in TENANTS:
            if verb == 'reset' and tenant == 'acme' and duty in held:
                continue  # two registrars come by here: together they may
            answer = house.unix(house.run / 'control.sock', method, path.format(tenant), BODIES.get(verb), uid=uid, gids=[DUTIES[d] for d in held])
            answers.append(answer)
            assert (answer.status == 403) == (duty not in held), (verb, tenant, held, answer)
            if answer.status == 403:
                assert answer.json['type'] == ('duty-missing' if duty else 'verb-refused')
            elif tenant == 'personne' and verb not in ('create', 'ledger', 'undertaking_list', 'terms_publish', 'terms_list'):
                assert answer.status == 404, (verb, answer)
            else:
                assert answer.status in (200, 201, 202, 409, 422), (verb, tenant, answer)
    clean(house, *[a.body for a in answers], *[json.dumps(list(a.headers.items())) for a in answers], house.logged())
    refused = {line['verb'] for line in house.ledger() if line['uid'] == uid and line['result'] == 'refused'}
    assert refused == {verb for verb, (_, _, duty) in VERBS.items() if duty not in held}
    house.control('POST', '/v1/tenants/acme/resume')
    log_in(house)
    assert house.acme.get(f'/api/v1/contacts/{house.contact.json["id"]}').json['notes'] == CANARIES['note']


# C1, C3, C6: root has no duty either
def test_root_has_no_duty(house):
    """And may be given none by being root: the groups decide."""
    for gids in ([], [0]):
        for verb, (method, path, _) in VERBS.items():
            answer = house.unix(house.run / 'control.sock', method, path.format('acme'), BODIES.get(verb))
            assert answer.status == 403, (verb, answer)
    assert house.unix(house.run / 'status.sock', 'GET', '/v1/status').status == 403
    assert {line['verb'] for line in house.ledger() if line['uid'] == 0 and line['result'] == 'refused'} == {*VERBS, 'status'}


def test_the_status_says_nothing_that_a_customer_stored(house):
    answers = [house.status_get(target) for target in ('/v1/status', '/v1/tenants', '/v1/tenants/acme', '/v1/posture', '/metrics')]
    assert all(a.status == 200 for a in answers)
    events = house.run / 'status.sock'

    def stream():
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(events))
        s.settimeout(0.5)
        s.sendall(b'GET /v1/events HTTP/1.1\r\nHost: c\r\nLast-Event-ID: 0\r\n\r\n')
        data = b''
        try:
            while len(data) < 1 << 20:
                piece = s.recv(65536)
                if not piece:
                    break
                data += piece
        except TimeoutError:
            pass
        return data.decode('latin-1')
    said = reach.as_somebody(stream, **STAFF)
    assert 'event' in said
    request = house.control('GET', '/v1/tenants/acme/csr')
    der = base64.b64decode(b''.join(line for line in request.body.splitlines() if b'--' not in line))
    whole = house.control('GET', '/v1/ledger?limit=1000')
    clean(house, *[a.body for a in answers], said, request.body, der, whole.body, house.logged())
    commands = [('status',), ('posture',), ('tenant', 'list'), ('tenant', 'show', 'acme'), ('ledger', 'list'), ('ledger', 'verify'), ('tenant', 'csr', 'acme')]
    for command in commands:
        done = house.cli(*command)
        clean(house, done.stdout, done.stderr)


# ---- the sockets' own strength ----

def raw(house, name, data, uid=STAFF_UID, gids=tuple(DUTIES.values())):
    """Sends bytes; returns what came until the end or half a second of silence."""
    def ask():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(1)
        s.connect(str(house.run / name))
        try:
            s.sendall(data)
        except OSError:
            pass
        got = b''
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
        except OSError:
            pass
        return got.decode('latin-1')
    return reach.as_somebody(ask, uid=uid, gids=gids)


def statuses(text):
    return [int(code) for code in re.findall(r'HTTP/1\.1 (\d{3}) ', text)]


HEAD = b'Host: c\r\nConnection: close\r\n'
ODD = {
    'two lengths': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'Content-Length: 0\r\nContent-Length: 5\r\n\r\nabcde',
    'length and chunked': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a coding it does not know': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'a chunk of 0x5': b'PATCH /v1/tenants/bois HTTP/1.1\r\n' + HEAD + b'Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n',
    'a folded header': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'X: a\r\n b\r\n\r\n',
    'bare line feeds': b'POST /v1/tenants/bois/stop HTTP/1.1\nHost: c\n\n',
    'NUL in a header': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'X: a\0b\r\n\r\n',
    'NUL in the path': b'POST /v1/tenants/bois\0/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'a space before the colon': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'Content-Length : 0\r\n\r\n',
    'no host': b'POST /v1/tenants/bois/stop HTTP/1.1\r\nConnection: close\r\n\r\n',
    'two hosts': b'POST /v1/tenants/bois/stop HTTP/1.1\r\nHost: d\r\n' + HEAD + b'\r\n',
    'another host in the target': b'POST http://other/v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'CONNECT': b'CONNECT bois:443 HTTP/1.1\r\n' + HEAD + b'\r\n',
    'an asterisk': b'OPTIONS * HTTP/1.1\r\n' + HEAD + b'\r\n',
    'HTTP/1.0': b'POST /v1/tenants/bois/stop HTTP/1.0\r\n' + HEAD + b'\r\n',
    'HTTP/2': b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'no version': b'POST /v1/tenants/bois/stop\r\n\r\n',
    'no method': b' /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'TLS': b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(80) + b'\r\n\r\n',
    'a huge header': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'X: ' + b'a' * 100000 + b'\r\n\r\n',
    'a thousand headers': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'X: a\r\n' * 1000 + b'\r\n',
    'a long path': b'POST /v1/tenants/' + b'a' * 5000 + b'/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'a length that is none': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'Content-Length: -1\r\n\r\n',
    'a length beyond numbers': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'Content-Length: 99999999999999999999\r\n\r\n',
    'a body too large': b'PATCH /v1/tenants/bois HTTP/1.1\r\n' + HEAD + b'Content-Length: 65537\r\n\r\n' + b' ' * 65537,
    'an expectation': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'Expect: wonders\r\n\r\n',
    'a name that is too long': b'POST /v1/tenants/' + b'a' * 33 + b'/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'dots': b'POST /v1/tenants/acme/../bois/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'dots for a name': b'POST /v1/tenants/../stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'encoded dots': b'POST /v1/tenants/%2e%2e/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'an encoded NUL': b'POST /v1/tenants/bois%00/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'an encoded slash': b'POST /v1/tenants/bois%2fstop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'an encoded name': b'POST /v1/tenants/%62ois/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'a capital': b'POST /v1/tenants/BOIS/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'two slashes': b'POST /v1//tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'a slash behind': b'POST /v1/tenants/bois/stop/ HTTP/1.1\r\n' + HEAD + b'\r\n',
    'two verbs in the path': b'POST /v1/tenants/bois/csr/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'two verbs with a comma': b'POST /v1/tenants/bois/stop,start HTTP/1.1\r\n' + HEAD + b'\r\n',
    'two tenants': b'POST /v1/tenants/acme,bois/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'a verb in the body too': b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'Content-Length: 16\r\n\r\n{"verb":"start"}',
    'another method for a verb': b'GET /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + b'\r\n',
    'a field that is not a field': b'PATCH /v1/tenants/bois HTTP/1.1\r\n' + HEAD + b'Content-Length: 15\r\n\r\n{"uid": 000000}',
    'a field nobody may set': b'PATCH /v1/tenants/bois HTTP/1.1\r\n' + HEAD + b'Content-Length: 14\r\n\r\n{"enrolled":0}',
    'a field twice': b'PATCH /v1/tenants/bois HTTP/1.1\r\n' + HEAD + b'Content-Length: 25\r\n\r\n{"title":"a","title":"b"}',
    'a path for a title': b'PATCH /v1/tenants/bois HTTP/1.1\r\n' + HEAD + b'Content-Length: 20\r\n\r\n{"title":"a\\u0000b"}',
    'a name with dots': b'POST /v1/tenants HTTP/1.1\r\n' + HEAD + b'Content-Length: 48\r\n\r\n{"name":"../../etc/x","hosts":["x.localhost"]   }',
    'a name with a slash': b'POST /v1/tenants HTTP/1.1\r\n' + HEAD + b'Content-Length: 48\r\n\r\n{"name":"bois/../abc","hosts":["x.localhost"]  }',
    'hosts of another': b'PATCH /v1/tenants/bois HTTP/1.1\r\n' + HEAD + b'Content-Length: 28\r\n\r\n{"hosts":["acme.localhost"]}',
}


@pytest.mark.parametrize('name', ODD)
def test_an_odd_request_is_refused_and_breaks_nothing(house, name):
    pid, worker = processes(house)['cloison-steward'], house.worker_pid('bois')
    before = house.show('bois')
    for where in ('control.sock', 'status.sock'):
        answer = raw(house, where, ODD[name])
        codes = statuses(answer)
        assert len(codes) == 1 and (400 <= codes[0] < 500 or codes[0] in (501, 505)), (where, answer[:300])
        clean(house, answer)
    after = house.show('bois')
    assert processes(house)['cloison-steward'] == pid and house.worker_pid('bois') == worker
    assert {k: before[k] for k in ('state', 'title', 'hosts', 'starts', 'enrolled')} == {k: after[k] for k in ('state', 'title', 'hosts', 'starts', 'enrolled')}


def test_a_header_does_not_change_the_method(house):
    """No override, no forwarded identity: the kernel says who it is."""
    extra = b'X-HTTP-Method-Override: DELETE\r\nX-Forwarded-User: root\r\nX-Remote-User: operator\r\nAuthorization: Basic b3A6b3A=\r\n'
    house.control('GET', '/v1/ledger')  # signs
    answer = raw(house, 'control.sock', b'POST /v1/tenants/bois/stop HTTP/1.1\r\n' + HEAD + extra + b'\r\n', gids=[DUTIES['viewer']])
    assert statuses(answer) == [403]
    assert house.show('bois')['state'] in ('sealed', 'serving')


def test_pipelined_verbs_are_each_asked_for(house):
    """Two requests on one connection: the second is judged by itself."""
    stop = b'POST /v1/tenants/neuf/stop HTTP/1.1\r\nHost: c\r\n\r\n'
    both = stop + b'GET /v1/tenants/acme/csr HTTP/1.1\r\n' + HEAD + b'\r\n'
    assert statuses(raw(house, 'control.sock', both, gids=[DUTIES['operator']])) == [200, 403]


def test_a_flood_of_staff_stops_nobody(house):
    """200 connections of one person: more than its share get 503, another person is answered, tenants feel nothing."""
    def flood():
        held, busy = [], 0
        for i in range(200):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(2)
            try:
                s.connect(str(house.run / 'control.sock'))
                s.sendall(b'POST /v1/tenants/bois/stop HTTP/1.1\r\nX: ' if i % 2 else b'')
            except OSError:
                pass
            held.append(s)
        for s in held:
            s.setblocking(False)
        time.sleep(0.3)
        for s in held:
            try:
                busy += b'503' in s.recv(100)
            except OSError:
                pass
        os.write(ready[1], b'x')
        os.read(over[0], 1)
        return busy
    ready, over = os.pipe(), os.pipe()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(lambda: reach.as_somebody(flood, **STAFF))
        try:
            os.read(ready[0], 1)
            slowest = 0
            for client in (house.acme, house.bois) * 20:
                begun = time.monotonic()
                assert client.get('/api/v1/health').status == 200
                slowest = max(slowest, time.monotonic() - begun)
            assert slowest < 2
            assert house.control('POST', '/v1/tenants/neuf/stop', uid=STAFF_UID + 1).status == 200
            assert house.status_get('/v1/status').status == 200
        finally:
            os.write(over[1], b'x')
        assert flooding.result(60) >= 150
    for fd in (*ready, *over):
        os.close(fd)
    wait_for(lambda: house.control('POST', '/v1/tenants/neuf/stop').status == 200, why='the flood to have drained')
    assert house.status_get('/v1/status').json['steward_starts'] == 1


def test_after_all_of_it_the_ledger_is_whole(house):
    assert house.control('GET', '/v1/ledger/verify').json['sound'] is True
    clean(house, (house.state / 'ledger').read_bytes(), house.logged())

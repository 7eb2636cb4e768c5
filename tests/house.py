"""A whole Cloison for a test: the real binaries under the real sandbox, in a directory and on loopback ports of its own.

    with House() as house:
        acme = house.enrolled('acme')
        acme.post('/api/v1/companies', {'name': 'Acme'})

Staff is a uid of its own in the groups of its duties; root has no duty (C1). Whoever acts signs the undertaking first, unless House(sign=False):
then `house.sign(uid)` does (S1). Needs root.
"""
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from wire import Reply

REPO = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get('CLOISON_BUILD', REPO / 'build'))
DUTIES = {'viewer': 70001, 'operator': 70002, 'registrar': 70003, 'auditor': 70004, 'support': 70006}
STAFF_UID, PROXY_GID = 70100, 70005
OWN = os.getpid() % 10000  # tests run beside each other, and the kernel counts by uid: fds in flight, for one
ROUTER_UID, STEWARD_UID, COURIER_UID = (80000 + 4 * OWN + n for n in range(3))
UID_BASE = 2000000000 + 20000 * OWN
PASSWORD = 'correct horse battery staple'
libc = ctypes.CDLL(None, use_errno=True)
PROGRAMS = ['cloisond', 'cloison-router', 'cloison-steward', 'cloison-courier', 'cloison-worker', 'cloison-loader', 'cloison']


def free_port():
    """From below those that the kernel gives to outgoing connections: another test may open ten thousand of these before this one is used."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(('127.0.0.1', random.SystemRandom().randrange(10000, 30000)))
            return s.getsockname()[1]


def wait_for(what, seconds=15, step=0.02, why='that'):
    """Calls `what` until it returns something true; bounded."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'waited {seconds} s for {why}')
        time.sleep(step)


def readable(sock):
    poll = select.poll()  # select() ends at 1024 fds
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def without_memfd_secret():
    """In the child before exec: memfd_secret (447) answers ENOSYS, as on a kernel that lacks it."""
    class Filter(ctypes.Structure):
        _fields_ = [('code', ctypes.c_uint16), ('jt', ctypes.c_uint8), ('jf', ctypes.c_uint8), ('k', ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [('size', ctypes.c_uint16), ('code', ctypes.POINTER(Filter))]
    code = (Filter * 4)(Filter(0x20, 0, 0, 0), Filter(0x15, 0, 1, 447), Filter(0x06, 0, 0, 0x00050000 | 38), Filter(0x06, 0, 0, 0x7fff0000))
    if libc.prctl(22, 2, ctypes.byref(Program(4, code))) != 0:
        os._exit(99)


def support_key(folder, name):
    """An offline key of the support duty and its certificate, as an operator makes them."""
    key, certificate = folder / f'{name}.key', folder / f'{name}.pem'
    for command in (['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key],
                    ['openssl', 'req', '-x509', '-new', '-key', key, '-subj', '/CN=support', '-days', '30', '-out', certificate]):
        subprocess.run(command, check=True, capture_output=True)
    for path in (key, certificate):
        os.chmod(path, 0o644)
    return key, certificate


class Client:
    """One TLS connection to a tenant, kept alive; cookies or a token by hand, so that tests see everything that is sent."""

    def __init__(self, house, host, token=None, port=None, address='127.0.0.1', timeout=60):
        self.house, self.host, self.token = house, host, token
        self.port, self.address, self.timeout = port or house.tls_port, address, timeout
        self.cookies, self.connection = {}, None

    def _connect(self):
        raw = socket.create_connection((self.address, self.port), timeout=self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        connection.sock = context.wrap_socket(raw, server_hostname=self.host)
        return connection

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, headers=None, again=True):
        head = dict(headers or {})
        if self.cookies:
            head.setdefault('Cookie', '; '.join(f'{k}={v}' for k, v in self.cookies.items()))
        if self.token:
            head.setdefault('Authorization', f'Bearer {self.token}')
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            head.setdefault('Content-Type', 'application/json')
        if again and self.connection and readable(self.connection.sock):
            self.close()  # nothing was asked, so that this is its end
        fresh = self.connection is None
        try:
            if fresh:
                self.connection = self._connect()
            self.connection.request(method, path, body=body, headers=head)
            r = self.connection.getresponse()
            answer = Reply(r.status, r.headers, r.read())
        except (OSError, http.client.HTTPException):
            self.close()
            if fresh or not again or method not in ('GET', 'HEAD'):
                raise
            return self.request(method, path, body, headers, again=False)  # a kept connection that had been closed
        for line in answer.headers.get_all('Set-Cookie') or []:
            name, value = line.split(';')[0].split('=', 1)
            self.cookies[name] = value
        if (answer.headers.get('Connection') or '').lower() == 'close':
            self.close()
        return answer

    def get(self, path, **k): return self.request('GET', path, **k)
    def post(self, path, body=None, **k): return self.request('POST', path, body, **k)
    def put(self, path, body=None, **k): return self.request('PUT', path, body, **k)
    def patch(self, path, body=None, **k): return self.request('PATCH', path, body, **k)
    def delete(self, path, **k): return self.request('DELETE', path, **k)

    def login(self, login='admin', password=PASSWORD):
        return self.post('/api/v1/session', {'login': login, 'password': password})

    def switch(self, functions=None, on=True):
        """Switches processing functions, as an administrator who has read their texts; None: all but the plain socket."""
        for f in self.get('/api/v1/functions').json['items'] if functions is None or functions else ():
            if f['name'] in functions if functions is not None else f['name'] != 'plain_socket':
                answer = self.put(f'/api/v1/functions/{f["name"]}', {'enabled': on, 'confirmed': f['version']})
                assert answer.status == 200 and answer.json['enabled'] is on, answer


def destinations(root, uid=COURIER_UID, regions=()):
    """Places for backups (`medium`, `other`) and archives (`vault`) as the configuration names them; all in eu-fr but where `regions`, a dict, says."""
    text = ''
    for name, more in (('medium', ''), ('other', ''), ('vault', 'archive = true')):
        path = pathlib.Path(root) / name
        path.mkdir(mode=0o700, exist_ok=True)
        os.chown(path, uid, uid)
        text += f'destination "{name}" {{ kind = directory path = "{path}" region = {dict(regions).get(name, "eu-fr")} same_medium = true {more} }}\n'
    return text


class House:
    def __init__(self, binaries=None, config='', listener_options='', listeners=None, max_workers=64, idle_seconds=300,
                 secret_memory='required', root=None, sign=True, **options):
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix='cloison-test-', dir='/tmp'))
        self.kept = root is not None
        os.chmod(self.root, 0o711)
        self.run, self.state, self.log_path = self.root / 'run', self.root / 'state', self.root / 'log'
        self.bin = self.root / 'bin'
        self.bin.mkdir(exist_ok=True)
        for program in PROGRAMS:  # where every uid can execute them
            source = (binaries or {}).get(program, BUILD / program)
            if not (self.bin / program).exists():
                shutil.copy(source, self.bin / program)
                os.chmod(self.bin / program, 0o755)
        os.chmod(self.bin, 0o755)
        self.state.mkdir(exist_ok=True)
        os.chmod(self.state, 0o711)
        self.tls_port = free_port()
        self.listeners = listeners or f'listener "127.0.0.1:{self.tls_port}" {{ kind = tls {listener_options} }}\n'
        self.options = dict(max_workers=max_workers, idle_seconds=idle_seconds, secret_memory=secret_memory, uid_base=UID_BASE,
                            router_uid=ROUTER_UID, router_gid=ROUTER_UID, steward_uid=STEWARD_UID, steward_gid=STEWARD_UID, courier_uid=COURIER_UID, courier_gid=COURIER_UID,
                            proxy_group=f'"{PROXY_GID}"', per_source=20000, per_tenant=20000, per_source_rate=100000,
                            https_port=self.tls_port) | options
        self.extra, self.process, self.codes = config, None, {}
        self.signs, self.signed = sign, set()
        self.write_config()

    def write_config(self):
        lines = [f'run_dir = "{self.run}"', f'state_dir = "{self.state}"', f'binaries = "{self.bin}"']
        lines += [f'{k} = {v}' for k, v in self.options.items()]
        lines += [f'duty "{name}" {{ group = "{gid}" }}' for name, gid in DUTIES.items()]
        self.config_path = self.root / 'cloison.conf'
        self.config_path.write_text('\n'.join(lines) + '\n' + self.listeners + self.extra)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        if not self.kept:
            shutil.rmtree(self.root, ignore_errors=True)

    def start(self, wrapper=(), before=None):
        self.log = open(self.log_path, 'ab')
        self.process = subprocess.Popen([*wrapper, self.bin / 'cloisond', '-c', self.config_path], stderr=self.log, stdin=subprocess.DEVNULL, preexec_fn=before)
        wait_for(self.up, why=f'cloisond; its log:\n{self.logged()}')
        return self

    def up(self):
        if self.process.poll() is not None:
            raise AssertionError(f'cloisond left with {self.process.returncode}:\n{self.logged()}')
        try:
            return self.status_get('/v1/posture').status == 200  # in every mode
        except OSError:
            return False

    def logged(self):
        return self.log_path.read_text(errors='replace') if self.log_path.exists() else ''

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError('cloisond did not stop')
        self.process = None

    # staff

    def sign(self, uid=STAFF_UID, *arguments):
        """A member of staff signs the undertaking as it is now."""
        self.signed.add(uid)
        version = json.loads(self.cli('--json', 'undertaking', 'show', uid=uid).stdout)['version']
        return self.cli('undertaking', 'sign', str(version), *arguments, uid=uid)

    def _sign_first(self, uid):
        if self.signs and uid and uid not in self.signed:
            self.sign(uid)

    def cli(self, *arguments, duties=tuple(DUTIES), uid=STAFF_UID, check=True, input=None):
        """The `cloison` command as a member of staff with these duties."""
        self._sign_first(uid)
        run = subprocess.run([self.bin / 'cloison', '-S', self.run, *arguments], capture_output=True, text=True, user=uid, group=uid,
                             extra_groups=[DUTIES[d] for d in duties], input=input, timeout=60)
        if check and run.returncode != 0:
            raise AssertionError(f'cloison {arguments}: {run.returncode}: {run.stderr}\n{self.logged()[-3000:]}')
        return run

    def unix(self, path, method, target, body=None, headers=None, uid=None, gids=()):
        """One request over a Unix socket; as another uid by a forked child, so that SO_PEERCRED sees it."""
        def ask():
            c = http.client.HTTPConnection('cloison')
            c.sock = socket.socket(socket.AF_UNIX)
            c.sock.settimeout(60)
            c.sock.connect(str(path))
            data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
            c.request(method, target, body=data, headers=headers or {})
            r = c.getresponse()
            answer = Reply(r.status, r.headers, r.read())
            c.close()
            return answer
        if uid is None:
            return ask()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups(list(gids))
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                try:
                    a = ask()
                    result = {'status': a.status, 'headers': list(a.headers.items()), 'body': a.body.decode('latin-1')}
                except OSError as e:
                    result = {'error': e.errno or 0}
                with os.fdopen(writing, 'w') as f:
                    json.dump(result, f)
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as f:
            result = json.load(f)
        os.waitpid(pid, 0)
        if 'error' in result:
            raise OSError(result['error'], os.strerror(result['error']))
        return Reply(result['status'], dict(result['headers']), result['body'].encode('latin-1'))

    def status_get(self, target, duties=('viewer',), headers=None):
        return self.unix(self.run / 'status.sock', 'GET', target, headers=headers, uid=STAFF_UID, gids=[DUTIES[d] for d in duties])

    def control(self, method, target, body=None, duties=tuple(DUTIES), uid=STAFF_UID):
        self._sign_first(uid)
        return self.unix(self.run / 'control.sock', method, target, body, uid=uid, gids=[DUTIES[d] for d in duties])

    def ledger(self):
        """All lines of the provider's ledger, the first one first."""
        lines, start = [], 1
        while start is not None:
            page = self.control('GET', f'/v1/ledger?from={start}&limit=1000', duties=('auditor',)).json
            lines += page['lines']
            start = page['next']
        return lines

    # tenants

    def create(self, name, host=None, *more):
        host = host or f'{name}.localhost'
        out = self.cli('--json', 'tenant', 'create', name, '--host', host, *more).stdout
        self.codes[name] = json.loads(out)['enrolment_code']
        return host

    def enrolled(self, name, host=None, *more, functions=None):
        """Creates a tenant, enrols its administrator `admin`, switches on all functions (but the plain socket, which is a hole in the wall)
        or those named, and returns a client with a session."""
        host = self.create(name, host, *more)
        client = Client(self, host)
        answer = client.post('/api/v1/enrol', {'code': self.codes[name], 'login': 'admin', 'password': PASSWORD})
        assert answer.status in (200, 201), (answer, self.logged()[-3000:])
        client.recovery_kit = answer.json['recovery_kit']
        answer = client.login()
        assert answer.status in (200, 201), (answer, self.logged()[-3000:])
        client.switch(functions)
        return client

    def token(self, client, scopes=('read', 'write', 'import', 'export'), name='test'):
        answer = client.post('/api/v1/tokens', {'name': name, 'scopes': list(scopes), 'expires': '2099-01-01T00:00:00Z'})
        assert answer.status in (200, 201), answer
        return answer.json['token']

    def client(self, name, token=None, **k):
        return Client(self, f'{name}.localhost', token, **k)

    def show(self, name):
        answer = self.status_get(f'/v1/tenants/{name}')
        assert answer.status == 200, answer
        return answer.json

    def worker_pid(self, name):
        return self.show(name).get('pid') or 0

    def wait_state(self, name, *states, seconds=15):
        return wait_for(lambda: self.show(name)['state'] in states, seconds, why=f'{name} to be {states}')


def restored(house, name, under, capsule=True):
    """Stops a tenant and enters its files as they are now under another name of the same house, with its capsule or without; the host."""
    house.cli('tenant', 'stop', name)
    house.wait_state(name, 'stopped')
    files = {f: (house.state / 'tenants' / name / f).read_bytes() for f in ('data.mdb', 'data-2.mdb') + (('capsule',) if capsule else ())}
    return entered(house, files, under)


def entered(house, files, under):
    """Enters a tenant with these files, to be restored; the host."""
    house.cli('tenant', 'create', under, '--host', f'{under}.localhost', '--restore')
    uid, folder = house.show(under)['uid'], house.state / 'tenants' / under
    for f, content in files.items():
        (folder / f).write_bytes(content)
        os.chown(folder / f, uid, uid)
        os.chmod(folder / f, 0o600)
    house.cli('tenant', 'resume', under)
    return f'{under}.localhost'


PLAN = {'where': 'medium', 'protection': 'sealed', 'purpose': 'Restore after a failure', 'duration_hours': 24 * 30,
        'mechanism': 'incremental-snapshot', 'frequency_minutes': 1440, 'erasure': 'after-duration'}
ARCHIVE = PLAN | {'where': 'vault', 'purpose': 'Ten years of accounts', 'duration_hours': 24 * 3650, 'erasure': 'after-lock'}


@contextlib.contextmanager
def house_with_destinations():
    """A house whose courier is ready to take copies away."""
    house = House()
    house.extra = destinations(house.root)
    house.write_config()
    with house:
        wait_for(lambda: 'cloison-courier: ready' in house.logged(), why='the courier')
        yield house

"""The demonstration behind deploy/demo. Standard library only; everything it does, an operator or a tenant could type."""
import argparse
import contextlib
import csv
import http.client
import json
import os
import pathlib
import random
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

REPO = pathlib.Path(__file__).resolve().parent.parent
OUI = pathlib.Path('/usr/share/ieee-data/oui.csv')  # Debian's ieee-data: the public register of the IEEE
STAFF = 64000
DUTIES = {'viewer': 64001, 'operator': 64002, 'registrar': 64003, 'auditor': 64004}
GIVEN = 'Adèle Agnès Aïcha Anaïs Benoît Camille Chloé Clément Éléonore Élodie Émile Étienne Fatima François Gaël Hélène Inès Jérôme Joël Léa ' \
        'Loïc Maëlle Margaux Maxime Mehdi Noé Océane Rémi Renée Sébastien Solène Théo Thomas Valérie Yasmine Zoé'.split()
FAMILY = 'Aubert Benoît Bérard Bonnet Boyer Çelik Charpentier Chevalier Côté Dupont Durand Dürr Éluard Faure Fèvre Garnier Girard Guérin Henry Hébert ' \
         'Île Jacquet Lacroix Lefèvre Legrand Lemaître Mallet Müller Noël Œuvrard Perrin Poirier Prévost Renaud Rivière Roche Rousseau Saint-Germain ' \
         'Schœlcher Thévenot Ümit Vasseur Weber Yvon Zélande'.split()


class Failed(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Failed(why() if callable(why) else why)


def wait_for(what, why, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        need(time.monotonic() < end, why)
        time.sleep(0.05)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def listening(port):
    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
        return True
    return False


class Client:
    """A tenant's program: TLS to its host on loopback, checked against the demonstration's certificate authority."""

    def __init__(self, demo, host, port, verify=True):
        context = ssl.create_default_context(cafile=demo.ca / 'ca.pem') if verify else ssl._create_unverified_context()
        raw = socket.create_connection(('127.0.0.1', port), 60)
        self.connection = http.client.HTTPConnection(host, port)
        self.connection.sock = context.wrap_socket(raw, server_hostname=host)
        self.headers = {}

    def ask(self, method, path, body=None, type='application/json'):
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = self.headers | ({'Content-Type': type} if data else {})
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        need(answer.status < 400, f'{method} {urllib.parse.urlsplit(path).path}: {answer.status} {text[:300].decode(errors="replace")}')
        for line in answer.headers.get_all('Set-Cookie') or []:
            self.headers['Cookie'] = '; '.join(filter(None, [self.headers.get('Cookie'), line.split(';')[0]]))
        return json.loads(text) if text else None


class Demo:
    def __init__(self, folder, port):
        self.folder, self.port = pathlib.Path(folder), port
        self.bin, self.run, self.state, self.ca = (self.folder / n for n in ('bin', 'run', 'state', 'ca'))
        self.log, self.started, self.tenants, self.kits = self.folder / 'log', [], [], {}
        self.back, self.haproxy, self.nginx = free_port(), free_port(), free_port()

    # start and stop

    def prepare(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o711)
        for d in (self.bin, self.state, self.ca):
            d.mkdir(exist_ok=True)
        os.chmod(self.state, 0o711)
        for program in ('cloisond', 'cloison-router', 'cloison-steward', 'cloison-courier', 'cloison-worker', 'cloison-loader', 'cloison'):
            shutil.copy(REPO / 'build' / program, self.bin / program)  # where every tenant's uid can execute it
            os.chmod(self.bin / program, 0o755)
        os.chmod(self.bin, 0o755)
        duties = '\n'.join(f'duty "{d}" {{ group = "{g}" }}' for d, g in DUTIES.items())
        (self.folder / 'cloison.conf').write_text(f'''run_dir = "{self.run}"
state_dir = "{self.state}"
binaries = "{self.bin}"
router_uid = 64010
router_gid = 64010
steward_uid = 64011
steward_gid = 64011
region = "eu-fr"
https_port = {self.port}
{duties}
listener "127.0.0.1:{self.port}" {{ kind = tls }}
listener "127.0.0.1:{self.back}" {{ kind = tls proxy = true from = {{"127.0.0.0/8"}} }}
''')

    def spawn(self, *command, env=None):
        with open(self.log, 'ab') as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        self.started.append(process)
        return process

    def start(self):
        need(not (self.folder / 'state').exists(), f'{self.folder} has the state of an earlier demo: remove it, or name another folder by --dir')
        need(not listening(self.port), f'something listens on port {self.port} already, maybe another demo: name another port by --port')
        self.prepare()
        cloisond = self.spawn(self.bin / 'cloisond', '-c', self.folder / 'cloison.conf')

        def up():
            need(cloisond.poll() is None, f'cloisond left with {cloisond.poll()}; its log:\n{self.log.read_text()[-2000:]}')
            return (self.run / 'control.sock').exists() and self.staff('status').returncode == 0
        wait_for(up, 'cloisond did not come up')
        need(self.staff('tenant', 'stop', 'acme').returncode != 0, 'staff may act before it has signed its undertaking')
        self.staff_needs('undertaking', 'sign', '1', '--name', 'Demonstration')

    def start_proxies(self):
        self.spawn('haproxy', '-f', REPO / 'deploy/haproxy/haproxy.cfg',
                   env=os.environ | {'CLOISON_FRONT': f'127.0.0.1:{self.haproxy}', 'CLOISON_BACK': f'127.0.0.1:{self.back}'})
        stream = (REPO / 'deploy/nginx/stream.conf').read_text().replace('@FRONT@', f'127.0.0.1:{self.nginx}').replace('@BACK@', f'127.0.0.1:{self.back}')
        config = self.folder / 'nginx.conf'
        config.write_text(f'daemon off;\npid "{self.folder}/nginx.pid";\nerror_log "{self.log}" warn;\nuser nobody nogroup;\n'
                          f'include /etc/nginx/modules-enabled/*.conf;\nevents {{ worker_connections 1024; }}\n{stream}')
        self.spawn('nginx', '-e', self.log, '-c', config)
        for port in (self.haproxy, self.nginx):
            wait_for(lambda port=port: listening(port), lambda: f'the proxy on port {port} does not listen:\n{self.log.read_text()[-2000:]}')

    def stop(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.started = []

    # the provider's staff: numbers only

    def staff(self, *arguments, duties=tuple(DUTIES), input=None):
        return subprocess.run([self.bin / 'cloison', '-S', self.run, *arguments], user=STAFF, group=STAFF, input=input, text=True,
                              extra_groups=[DUTIES[d] for d in duties], capture_output=True)

    def staff_needs(self, *arguments, **more):
        done = self.staff(*arguments, **more)
        need(done.returncode == 0, f'cloison {" ".join(arguments)}: {done.stderr.strip()}')
        return done.stdout

    # the certificate authority: in real life a public one, by ACME

    def make_ca(self):
        self.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=Cloison demonstration',
                     '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign',
                     '-keyout', self.ca / 'ca.key', '-out', self.ca / 'ca.pem')
        os.chmod(self.ca / 'ca.key', 0o600)

    def openssl(self, *arguments):
        done = subprocess.run(['openssl', *arguments], capture_output=True, text=True)
        need(done.returncode == 0, f'openssl {arguments[0]}: {done.stderr.strip()}')

    def certify(self, name):
        csr, chain = self.ca / f'{name}.csr', self.ca / f'{name}.pem'
        csr.write_text(self.staff_needs('tenant', 'csr', name))
        self.openssl('x509', '-req', '-in', csr, '-CA', self.ca / 'ca.pem', '-CAkey', self.ca / 'ca.key', '-days', '30', '-copy_extensions', 'copy', '-out', chain)
        os.chmod(self.ca, 0o755)
        os.chmod(chain, 0o644)
        self.staff_needs('tenant', 'cert', name, str(chain))

    # the tenants: enrolment and data over TLS, into their own worker

    def create(self, name, title):
        out = self.staff_needs('--json', 'tenant', 'create', name, '--host', f'{name}.localhost', '--title', title, '--modules', 'crm')
        tenant = {'name': name, 'host': f'{name}.localhost', 'login': 'admin', 'password': secrets.token_urlsafe(12)}
        self.certify(name)
        client = Client(self, tenant['host'], self.port)
        enrolled = client.ask('POST', '/api/v1/enrol', {'code': json.loads(out)['enrolment_code'], 'login': 'admin', 'password': tenant['password']})
        self.kits[name] = enrolled['recovery_kit']
        client.ask('POST', '/api/v1/session', {'login': 'admin', 'password': tenant['password']})
        for function in client.ask('GET', '/api/v1/functions')['items']:
            if function['name'] in ('export', 'import', 'tokens'):  # what this demonstration uses: all are off in a new tenant
                client.ask('PUT', f'/api/v1/functions/{function["name"]}', {'enabled': True, 'confirmed': function['version']})
        made = client.ask('POST', '/api/v1/tokens', {'name': 'demo', 'scopes': ['read', 'write', 'import', 'export'], 'expires': '2099-01-01T00:00:00Z'})
        tenant['token'] = made['token']
        self.tenants.append(tenant)

    def client(self, tenant, port=None):
        client = Client(self, tenant['host'], port or self.port)
        client.headers['Authorization'] = f'Bearer {tenant["token"]}'
        return client

    def import_companies(self, tenant):
        mapping = urllib.parse.quote('name:Organization Name,address.street:Organization Address')
        done = self.client(tenant).ask('POST', f'/api/v1/import?kind=companies&format=csv&map={mapping}', OUI.read_bytes(), 'text/csv')
        with open(OUI, encoding='utf-8', newline='') as f:
            rows = sum(1 for _ in csv.reader(f)) - 1
        need(done['created'] + len(done['errors']) + done['skipped'] >= rows, f'{rows} organisations, but {done["created"]} created')
        return f'{done["created"]} of {rows} organisations'

    def import_contacts(self, tenant, count=2000):
        pick = random.Random(2026)
        rows = [f'{pick.choice(GIVEN)},{pick.choice(FAMILY)},contact{i}@exemple.fr,{pick.choice(("Paris", "Lyon", "Nîmes", "Évry", "Liège"))}' for i in range(count)]
        body = '\r\n'.join(['given_name,family_name,emails,address.city', *rows, '']).encode()
        done = self.client(tenant).ask('POST', '/api/v1/import?kind=contacts&format=csv', body, 'text/csv')
        need(done['created'] == count, f'{done["created"]} of {count} contacts created; {done["errors"][:3]}')
        return f'{count} contacts'

    def write_json(self):
        told = {'tls_port': self.port, 'run_dir': str(self.run), 'state_dir': str(self.state), 'log': str(self.log), 'ca': str(self.ca / 'ca.pem'),
                'haproxy_port': self.haproxy, 'nginx_port': self.nginx, 'staff': {'uid': STAFF, 'groups': DUTIES}, 'tenants': self.tenants}
        whole = self.folder / 'demo.json.new'
        whole.touch(mode=0o600)
        whole.write_text(json.dumps(told, indent=2, ensure_ascii=False))
        whole.rename(self.folder / 'demo.json')

    # the main job, checked

    def check_letters(self, tenant):
        client, names = self.client(tenant), []
        cursor = ''
        while True:
            page = client.ask('GET', f'/api/v1/contacts?letter=E&limit=100{cursor}')
            names += [c['family_name'] for c in page['items']]
            if not page['next']:
                break
            cursor = '&cursor=' + urllib.parse.quote(page['next'])
        need(names and set(names) == {'Éluard'}, f'under E stand {sorted(set(names))}')
        under_o = {c['family_name'] for c in client.ask('GET', '/api/v1/contacts?letter=O&limit=100')['items']}
        need('Œuvrard' in under_o, 'Œuvrard is not under O')
        return f'É under E ({len(names)}), Œ under O'

    def check_proxies(self):
        for name, port in (('HAProxy', self.haproxy), ('nginx', self.nginx)):
            for tenant in self.tenants:
                done = subprocess.run(['curl', '-sS', '--cacert', self.ca / 'ca.pem', '--resolve', f'{tenant["host"]}:{port}:127.0.0.1', '-H',
                                       f'Authorization: Bearer {tenant["token"]}', f'https://{tenant["host"]}:{port}/api/v1/companies?limit=1'], capture_output=True, text=True)
                need(done.returncode == 0 and '"items"' in done.stdout, f'{name}, {tenant["name"]}: {done.stderr} {done.stdout[:200]}')
        return 'curl through HAProxy and nginx'

    def check_separation(self):
        one, other = self.tenants
        stranger = self.client(other)
        stranger.headers['Authorization'] = f'Bearer {one["token"]}'
        try:
            stranger.ask('GET', '/api/v1/companies?limit=1')
        except Failed as refused:
            need(' 401 ' in str(refused), f'a token of {one["name"]} at {other["name"]}: {refused}')
        else:
            raise Failed(f'a token of {one["name"]} opened {other["name"]}')
        return f'{one["name"]}’s token is nothing to {other["name"]}'

    def check_staff(self):
        name = self.tenants[0]['name']
        for verb in ('read', 'export', 'copy', 'connect', 'delete'):
            need(self.staff('tenant', verb, name).returncode != 0, f'staff may {verb} a tenant')
        need(self.staff('status', duties=()).returncode != 0, 'a stranger may read the status')
        self.staff_needs('ledger', 'verify')
        return 'read, export, copy, connect, delete: refused to all staff and recorded'

    def check_restart(self):
        tenant = self.tenants[0]
        self.staff_needs('tenant', 'stop', tenant['name'])
        self.client(tenant).ask('GET', '/api/v1/companies?limit=1')
        return 'a stopped worker opens again by the tenant’s own token'

    def check_lock(self):
        tenant = self.tenants[0]
        user = Client(self, tenant['host'], self.port)
        user.ask('POST', '/api/v1/session', {'login': tenant['login'], 'password': tenant['password']})

        def again():
            """The same browser over a new connection."""
            other = Client(self, tenant['host'], self.port)
            other.headers = dict(user.headers)
            return other
        self.staff_needs('tenant', 'stop', tenant['name'])
        state = Client(self, tenant['host'], self.port).ask('GET', '/api/v1/health')['state']
        need(state == 'sealed', f'{tenant["name"]} is {state} though nobody has shown a credential')
        again().ask('GET', '/api/v1/session')
        self.staff_needs('tenant', 'lock', tenant['name'])
        try:
            again().ask('GET', '/api/v1/session')
        except Failed as refused:
            need(' 503 ' in str(refused), f'a session after the lock: {refused}')
        else:
            raise Failed('a session outlived the lock')
        again().ask('POST', '/api/v1/session', {'login': tenant['login'], 'password': tenant['password']})
        return 'sealed after a stop, opened by a session’s cookie, sealed to it by a lock, opened by the password'

    def check_recovery(self):
        """Another machine: other directories, another supervisor; of the tenant only data and key capsule, and the kit on paper."""
        tenant = self.tenants[1]
        name, before = tenant['name'], self.client(tenant).ask('GET', '/api/v1/contacts/letters')['total']
        self.staff_needs('tenant', 'stop', name)
        elsewhere = Demo(self.folder / 'elsewhere', free_port())
        elsewhere.ca = self.ca
        try:
            elsewhere.start()
            elsewhere.staff_needs('tenant', 'create', name, '--host', tenant['host'], '--restore')
            there = elsewhere.state / 'tenants' / name
            for file in (self.state / 'tenants' / name).glob('*'):
                if file.name != 'identity':  # a machine has a TLS key of its own
                    shutil.copy(file, there / file.name)
                    os.chown(there / file.name, there.stat().st_uid, there.stat().st_gid)
            elsewhere.staff_needs('tenant', 'resume', name)
            elsewhere.certify(name)
            client = Client(elsewhere, tenant['host'], elsewhere.port)
            client.ask('POST', '/api/v1/session', {'recovery_kit': self.kits[name]})
            after = client.ask('GET', '/api/v1/contacts/letters')['total']
            need(after == before, f'{before} contacts here, {after} there')
        finally:
            elsewhere.stop()
        return f'{after} contacts opened on another machine by the recovery kit alone'

    def check_at_rest(self):
        raw = b''.join(p.read_bytes() for p in self.state.rglob('*') if p.is_file())
        for word in ('Éluard', 'exemple.fr', 'Cisco Systems', self.tenants[0]['password'], self.tenants[0]['token']):
            need(word.encode() not in raw, 'something is readable in the state directory')
        return f'{len(raw) >> 20} MiB on disk, nothing of it readable'


def steps(demo):
    def create():
        demo.make_ca()
        demo.create('acme', 'Acme SA')
        demo.create('bois', 'Bois & Fils')
        return 'acme.localhost and bois.localhost created, certified, enrolled'
    yield 'supervisor', lambda: demo.start() or 'up'
    yield 'tenants', create
    yield 'import', lambda: demo.import_companies(demo.tenants[0])
    yield 'import', lambda: demo.import_contacts(demo.tenants[1])
    yield 'proxies', lambda: demo.start_proxies() or 'HAProxy and nginx up'
    yield 'told', lambda: demo.write_json() or f'{demo.folder}/demo.json'


def checks(demo):
    yield 'letters', lambda: demo.check_letters(demo.tenants[1])
    yield 'curl', demo.check_proxies
    yield 'separation', demo.check_separation
    yield 'staff', demo.check_staff
    yield 'restart', demo.check_restart
    yield 'lock', demo.check_lock
    yield 'recovery', demo.check_recovery
    yield 'at rest', demo.check_at_rest


def tell(demo):
    acme = demo.tenants[0]
    print()
    for tenant in demo.tenants:
        print(f'  https://{tenant["host"]}:{demo.port}/   log-in {tenant["login"]}, password {tenant["password"]}')
    print(f'  the same through HAProxy on port {demo.haproxy} and nginx on port {demo.nginx};')
    print(f'  the browser warns, since it does not know the certificate authority {demo.ca}/ca.pem: go on, or import that file into it\n')
    print(f'  curl --cacert {shlex.quote(str(demo.ca / "ca.pem"))} -H "Authorization: Bearer {acme["token"]}" "https://{acme["host"]}:{demo.port}/api/v1/companies?letter=A&limit=5"\n')
    print(f'  setpriv --reuid {STAFF} --regid {STAFF} --groups {DUTIES["viewer"]} {shlex.quote(str(demo.bin / "cloison"))} -S {shlex.quote(str(demo.run))} status\n')
    print(demo.staff_needs('status'))
    print('The numbers are sampled every ten seconds: ask again to see the import in them.')


def main():
    parser = argparse.ArgumentParser(prog='deploy/demo')
    parser.add_argument('--check', action='store_true', help='exercise the main job, print a line a step, stop; exit status 0 or 1')
    parser.add_argument('--dir', help='where state goes and stays (default: a temporary folder, removed at the end)')
    parser.add_argument('--port', type=int, default=8443, help='for TLS (default 8443)')
    options = parser.parse_args()
    if not 0 < options.port < 65536:
        parser.error(f'argument --port: from 1 to 65535, not {options.port}')
    folder = options.dir or tempfile.mkdtemp(prefix='cloison-demo-')
    demo = Demo(os.path.abspath(folder), options.port)
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(0))
    status = 0
    try:
        plan = [*steps(demo), *(checks(demo) if options.check else ())]
        for name, step in plan:
            begin = time.monotonic()
            print(f'ok    {name}: {step()} ({time.monotonic() - begin:.1f} s)', flush=True)
        if not options.check:
            tell(demo)
            print('Ctrl-C ends it.', flush=True)
            signal.pause()
    except (Failed, OSError) as why:
        print(f'FAIL  {name}: {why}', file=sys.stderr)
        status = 1
    finally:
        demo.stop()
        if not options.dir:
            shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == '__main__':
    sys.exit(main())

"""A machine of the demonstration: its supervisor, its staff, its tenants. Standard library only; everything it does, an operator or a tenant
could type."""
import contextlib
import csv
import http.client
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse

REPO = pathlib.Path(__file__).resolve().parent.parent
OUI = pathlib.Path('/usr/share/ieee-data/oui.csv')  # Debian's ieee-data: the public register of the IEEE
STAFF, COLLEAGUE = 64000, 64005
DUTIES = {'viewer': 64001, 'operator': 64002, 'registrar': 64003, 'auditor': 64004, 'support': 64006}
COURIER = 64012
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

    def __init__(self, demo, host, port, cookies=None):
        context = ssl.create_default_context(cafile=demo.ca / 'ca.pem')
        raw = socket.create_connection(('127.0.0.1', port), 60)
        self.connection = http.client.HTTPConnection(host, port)
        self.connection.sock = context.wrap_socket(raw, server_hostname=host)
        self.headers, self.cookies = {}, {} if cookies is None else cookies

    def send(self, method, path, body=None, type='application/json'):
        """Status, headers and bytes of the answer."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = self.headers | ({'Content-Type': type} if data else {})
        if self.cookies:
            headers['Cookie'] = '; '.join(f'{name}={value}' for name, value in self.cookies.items())
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        for line in answer.headers.get_all('Set-Cookie') or []:
            name, _, value = line.split(';')[0].partition('=')
            self.cookies[name] = value
        return answer.status, answer.headers, answer.read()

    def fetch(self, method, path, body=None, type='application/json'):
        """The bytes of an answer that is no refusal."""
        status, _, text = self.send(method, path, body, type)
        need(status < 400, f'{method} {urllib.parse.urlsplit(path).path}: {status} {text[:300].decode(errors="replace")}')
        return text

    def ask(self, method, path, body=None, type='application/json'):
        text = self.fetch(method, path, body, type)
        return json.loads(text) if text else None

    def refused(self, problem, why, method, path, body=None):
        """Needs a refusal of that status and kind, such as '404 not-found'."""
        status, _, text = self.send(method, path, body)
        said = f'{status} {json.loads(text)["type"]}' if status >= 400 else status
        need(said == problem, f'{why}: {method} {path}: {said}, not {problem}')


class Demo:
    def __init__(self, folder, port, medium=None):
        self.folder, self.port = pathlib.Path(folder), port
        self.medium = medium or self.folder / 'medium'  # where backups go; another machine restores from it
        self.bin, self.run, self.state, self.ca = (self.folder / n for n in ('bin', 'run', 'state', 'ca'))
        self.log, self.started, self.tenants, self.kits = self.folder / 'log', [], [], {}
        self.back, self.haproxy, self.nginx = free_port(), free_port(), free_port()

    # start and stop

    def prepare(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o711)
        for d in (self.bin, self.state, self.ca, self.medium):
            d.mkdir(exist_ok=True)
        os.chmod(self.state, 0o711)
        os.chmod(self.medium, 0o700)
        os.chown(self.medium, COURIER, COURIER)
        for program in ('cloisond', 'cloison-router', 'cloison-steward', 'cloison-courier', 'cloison-worker', 'cloison-loader', 'cloison'):
            shutil.copy(REPO / 'build' / program, self.bin / program)  # where every tenant's uid can execute it
            os.chmod(self.bin / program, 0o755)
        os.chmod(self.bin, 0o755)
        key, certificate = (self.folder / f'support.{kind}' for kind in ('key', 'pem'))  # in real life that key is on another machine
        self.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=support',
                     '-keyout', key, '-out', certificate)
        os.chown(key, STAFF, STAFF)
        duties = '\n'.join(f'duty "{d}" {{ group = "{g}" }}' for d, g in DUTIES.items())
        (self.folder / 'cloison.conf').write_text(f'''run_dir = "{self.run}"
state_dir = "{self.state}"
binaries = "{self.bin}"
router_uid = 64010
router_gid = 64010
steward_uid = 64011
steward_gid = 64011
courier_uid = {COURIER}
courier_gid = {COURIER}
region = "eu-fr"
https_port = {self.port}
{duties}
support_certificate = "{self.folder}/support.pem"
destination "medium" {{ kind = directory path = "{self.medium}" region = eu-fr same_medium = true }}
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
            return 'ready: ' in self.log.read_text()
        wait_for(up, 'cloisond did not come up')
        need(self.staff('tenant', 'stop', 'acme').returncode != 0, 'staff may act before it has signed its undertaking')
        for person in (STAFF, COLLEAGUE):
            self.staff_needs('undertaking', 'sign', '1', '--name', 'Demonstration', person=person)

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

    def staff(self, *arguments, duties=tuple(DUTIES), input=None, person=STAFF):
        return subprocess.run([self.bin / 'cloison', '-S', self.run, *arguments], user=person, group=person, input=input, text=True,
                              extra_groups=[DUTIES[d] for d in duties], capture_output=True)

    def staff_needs(self, *arguments, **more):
        done = self.staff(*arguments, **more)
        need(done.returncode == 0, f'cloison {" ".join(map(str, arguments))}: {done.stderr.strip()}')
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

    def enrol(self, name, title, functions):
        """A tenant whose administrator has switched these functions on: all are off in a new one. The tenant and its administrator's client."""
        out = self.staff_needs('--json', 'tenant', 'create', name, '--host', f'{name}.localhost', '--title', title, '--modules', 'crm')
        tenant = {'name': name, 'host': f'{name}.localhost', 'login': 'admin', 'password': secrets.token_urlsafe(12)}
        self.certify(name)
        client = Client(self, tenant['host'], self.port)
        enrolled = client.ask('POST', '/api/v1/enrol', {'code': json.loads(out)['enrolment_code'], 'login': 'admin', 'password': tenant['password']})
        self.kits[name] = enrolled['recovery_kit']
        client.ask('POST', '/api/v1/session', {'login': 'admin', 'password': tenant['password']})
        offered = {f['name']: f for f in client.ask('GET', '/api/v1/functions')['items']}
        need(not any(f['enabled'] for f in offered.values()), 'a function is on though nobody has switched it on')
        for function in functions:
            client.ask('PUT', f'/api/v1/functions/{function}', {'enabled': True, 'confirmed': offered[function]['version']})
        return tenant, client

    def create(self, name, title):
        tenant, client = self.enrol(name, title, ('export', 'import', 'tokens'))
        made = client.ask('POST', '/api/v1/tokens', {'name': 'demo', 'scopes': ['read', 'write', 'import', 'export'], 'expires': '2099-01-01T00:00:00Z'})
        tenant['token'] = made['token']
        self.tenants.append(tenant)

    @contextlib.contextmanager
    def another(self, name, medium=None):
        """Another machine: other directories, another supervisor; it restores from that medium."""
        other = Demo(self.folder / name, free_port(), medium)
        other.ca = self.ca
        try:
            other.start()
            yield other
        finally:
            other.stop()

    def enter(self, tenant, files):
        """Enters a tenant that is to be restored, and puts these files into its directory."""
        self.staff_needs('tenant', 'create', tenant['name'], '--host', tenant['host'], '--restore')
        there = self.state / 'tenants' / tenant['name']
        for file in files:
            shutil.copy(file, there / file.name)
            os.chown(there / file.name, there.stat().st_uid, there.stat().st_gid)

    def open(self, tenant):
        self.staff_needs('tenant', 'resume', tenant['name'])
        self.certify(tenant['name'])

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
                'haproxy_port': self.haproxy, 'nginx_port': self.nginx, 'staff': {'uid': STAFF, 'colleague': COLLEAGUE, 'groups': DUTIES}, 'tenants': self.tenants}
        whole = self.folder / 'demo.json.new'
        whole.touch(mode=0o600)
        whole.write_text(json.dumps(told, indent=2, ensure_ascii=False))
        whole.rename(self.folder / 'demo.json')

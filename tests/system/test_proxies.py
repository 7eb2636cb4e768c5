"""Debian's HAProxy and nginx in front, with the files of deploy/: TLS passes through untouched, the source is believed from allowed networks
only, a kept connection never crosses tenants, and a proxy that ends TLS itself gets what the tenant's administrator switched on (H3, C4)."""
import contextlib
import csv
import hashlib
import http.client
import json
import os
import pathlib
import pwd
import socket
import ssl
import stat
import struct
import subprocess
import threading
import time

import pytest
from house import PROXY_GID, REPO, Client, House, free_port, wait_for

NOBODY = 65534


def listening(port):
    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
        return True
    return False


class Fronts:
    """HAProxy and nginx passing TLS through to one listener."""

    def __init__(self, folder, back):
        self.folder, self.back, self.started = pathlib.Path(folder), back, []
        self.port = {'haproxy': free_port(), 'nginx': free_port()}

    def spawn(self, *command, **more):
        with open(self.folder / 'proxies.log', 'ab') as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
        self.started.append(process)
        return process

    def nginx(self, name, text, **more):
        """nginx with this text behind the usual beginning."""
        config = self.folder / f'{name}.conf'
        config.write_text(f'daemon off;\npid {self.folder}/{name}.pid;\nerror_log {self.folder}/{name}.log notice;\n'
                          f'include /etc/nginx/modules-enabled/*.conf;\nevents {{ worker_connections 512; }}\n{text}')
        return self.spawn('nginx', '-e', self.folder / f'{name}.log', '-c', config, **more)

    def __enter__(self):
        self.spawn('haproxy', '-f', REPO / 'deploy/haproxy/haproxy.cfg',
                   env=os.environ | {'CLOISON_FRONT': f'127.0.0.1:{self.port["haproxy"]}', 'CLOISON_BACK': f'127.0.0.1:{self.back}'})
        stream = (REPO / 'deploy/nginx/stream.conf').read_text()
        self.nginx('stream', stream.replace('@FRONT@', f'127.0.0.1:{self.port["nginx"]}').replace('@BACK@', f'127.0.0.1:{self.back}'))
        try:
            for name, port in self.port.items():
                wait_for(lambda port=port: listening(port), why=f'{name} on port {port}')
        except AssertionError as late:
            self.__exit__()
            raise AssertionError(f'{late}: {(self.folder / "proxies.log").read_text()}') from late
        return self

    def __exit__(self, *_):
        for process in self.started:
            process.terminate()
        for process in self.started:
            process.wait(20)


@pytest.fixture(scope='module')
def ports():
    return {name: free_port() for name in ('back', 'narrow', 'http')}


@pytest.fixture(scope='module')
def house(ports):
    config = f'''
listener "127.0.0.1:{ports['back']}" {{ kind = tls proxy = true from = {{"127.0.0.0/8"}} }}
listener "127.0.0.1:{ports['narrow']}" {{ kind = tls proxy = true from = {{"127.0.0.2/32"}} }}
listener "127.0.0.1:{ports['http']}" {{ kind = http acme = "http://127.0.0.1:9/token/" }}
'''
    with House(config=config) as h:
        h.acme, h.bois = h.enrolled('acme'), h.enrolled('bois')
        yield h


@pytest.fixture(scope='module')
def fronts(house, ports, tmp_path_factory):
    with Fronts(tmp_path_factory.mktemp('proxies'), ports['back']) as f:
        yield f


def certificate_of(port, host):
    """SHA-256 of the certificate that is shown there, over any proxy."""
    context = ssl._create_unverified_context()
    with socket.create_connection(('127.0.0.1', port), 20) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
        return hashlib.sha256(tls.getpeercert(True)).hexdigest()


# ---- TLS passes through ----

@pytest.mark.parametrize('proxy', ['haproxy', 'nginx'])
def test_two_tenants_through_a_proxy(house, fronts, proxy):
    port = fronts.port[proxy]
    for host, direct in (('acme.localhost', house.acme), ('bois.localhost', house.bois)):
        client = Client(house, host, port=port)
        assert client.login().status == 200
        made = client.post('/api/v1/companies', {'name': f'Par {proxy}'})
        assert made.status == 201
        path = f'/api/v1/companies/{made.json["id"]}'
        assert client.get(path).json == direct.get(path).json
        other = house.bois if direct is house.acme else house.acme
        assert other.get(path).status == 404
        # The TLS session is the worker's own: nobody between holds a key.
        assert certificate_of(port, host) == certificate_of(house.tls_port, host)
        client.close()


@pytest.mark.parametrize('proxy', ['haproxy', 'nginx'])
def test_much_goes_through_both_ways(house, fronts, proxy):
    client = Client(house, 'acme.localhost', port=fronts.port[proxy], token=house.token(house.acme))
    rows = '\r\n'.join(['name,sector', *[f'{proxy} {i:05},{"x" * 120}' for i in range(9000)]])
    done = client.post('/api/v1/import?kind=companies&format=csv', rows.encode(), headers={'Content-Type': 'text/csv'})
    assert done.status == 200 and done.json['created'] == 9000 and not done.json['errors'], done
    out = client.get('/api/v1/export?kind=companies&format=json')
    assert out.status == 200 and out.body.count(f'{proxy} '.encode()) >= 9000
    client.close()


@pytest.mark.parametrize('proxy', ['haproxy', 'nginx'])
def test_many_connections_of_both_tenants_mixed(house, fronts, proxy):
    """A proxy that mixed up two connections would show here."""
    clients = []
    for i in range(20):
        name = ('acme', 'bois')[i % 2]
        clients.append((name, Client(house, f'{name}.localhost', port=fronts.port[proxy], token=house.token({'acme': house.acme, 'bois': house.bois}[name]))))
    for _ in range(3):
        for name, client in clients:
            assert client.get('/api/v1/contacts').status == 200
            assert client.get('/api/v1/health', headers={'Host': 'bois.localhost' if name == 'acme' else 'acme.localhost'}).status == 421
    for _, client in clients:
        client.close()


def test_the_source_is_the_clients_own(tmp_path, ports):
    """Limits count the address that the proxy tells, not the proxy's: one client's flood leaves the next client alone."""
    back = free_port()
    config = f'listener "127.0.0.1:{back}" {{ kind = tls proxy = true from = {{"127.0.0.1/32"}} }}\n'
    with House(config=config, per_source_rate=1) as h, Fronts(tmp_path, back) as f:
        h.create('acme')
        h.cli('tenant', 'start', 'acme')
        h.wait_state('acme', 'sealed')

        def opened(port, source):
            context = ssl._create_unverified_context()
            try:
                with socket.create_connection(('127.0.0.1', port), 20, (source, 0)) as raw:
                    with context.wrap_socket(raw, server_hostname='acme.localhost') as tls:
                        return tls.version() is not None
            except OSError:
                return False
        for network, (name, port) in zip((10, 20), f.port.items()):
            tried = [opened(port, f'127.0.{network}.1') for _ in range(12)]
            assert tried[0] and not all(tried), (name, tried)
            assert opened(port, f'127.0.{network}.2'), name


def test_health_checks_of_a_proxy(house, ports, tmp_path):
    """HAProxy looks whether the port answers, and whether acme's certificate does: both are LOCAL connections. It finds a wrong name, too."""
    check = 'send-proxy-v2 check inter 100 fastinter 100 downinter 100 rise 1 fall 1'
    tls = 'check-ssl verify none check-sni'
    (tmp_path / 'haproxy.cfg').write_text(f'''
global
    stats socket {tmp_path}/stats
defaults
    mode tcp
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    timeout check 5s
backend cloison
    server port 127.0.0.1:{ports['back']} {check}
    server acme 127.0.0.1:{ports['back']} {check} {tls} acme.localhost
    server nobody 127.0.0.1:{ports['back']} {check} {tls} nobody.localhost
''')
    proxy = subprocess.Popen(['haproxy', '-f', tmp_path / 'haproxy.cfg'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def checks():
        """What the last check of each server found: L4OK, L6OK, L6RSP..."""
        with socket.socket(socket.AF_UNIX) as stats:
            stats.connect(str(tmp_path / 'stats'))
            stats.sendall(b'show stat\n')
            lines = stats.makefile().read().lstrip('# ').splitlines()
        return {row['svname']: row['check_status'] for row in csv.DictReader(lines)}
    try:
        wait_for(lambda: (tmp_path / 'stats').exists(), why='haproxy')
        wait_for(lambda: (checks()['port'], checks()['acme']) == ('L4OK', 'L6OK') and checks()['nobody'].startswith('L6RSP'), why='the checks')
        time.sleep(3)  # 90 more
        assert (checks()['port'], checks()['acme']) == ('L4OK', 'L6OK')
    finally:
        proxy.terminate()
        proxy.wait(20)


# ---- whose header is believed ----

V2 = b'\r\n\r\n\0\r\nQUIT\n'


def v2(source='192.0.2.7', command=0x21):
    body = socket.inet_aton(source) + socket.inet_aton('127.0.0.1') + struct.pack('!HH', 40000, 443)
    return V2 + bytes([command, 0x11]) + struct.pack('!H', len(body)) + body


HEADERS = {
    'v1': b'PROXY TCP4 192.0.2.7 127.0.0.1 40000 443\r\n',
    'v1-six': b'PROXY TCP6 2001:db8::7 ::1 40000 443\r\n',
    'v1-unknown': b'PROXY UNKNOWN\r\n',
    'v2': v2(),
    'v2-tlv': V2 + b'\x21\x11' + struct.pack('!H', 12 + 6) + v2()[16:] + b'\x04\x00\x03abc',
    'v2-local': V2 + b'\x20\x00\x00\x00',  # the proxy itself: a health check, which may speak TLS
}
FORGED = {
    'nothing': b'',
    'a wrong word': b'PROXX TCP4 192.0.2.7 127.0.0.1 40000 443\r\n',
    'no address': b'PROXY TCP4 a.b.c.d 127.0.0.1 40000 443\r\n',
    'too long': b'PROXY ' + b'x' * 200 + b'\r\n',
    'a wrong version': V2 + b'\x31\x11\x00\x0c' + v2()[16:],
    'a short body': V2 + b'\x21\x11\x00\x04' + b'\x7f\0\0\1',
    'a huge body': V2 + b'\x21\x11\xff\xff' + b'\0' * 65535,
    'two headers': HEADERS['v1'] + HEADERS['v2'],
}


def answered(port, prefix, source='127.0.0.1', host='acme.localhost'):
    """Sends these bytes and then a TLS handshake; the certificate's hash, or None when the connection was closed."""
    context = ssl._create_unverified_context()
    with socket.create_connection(('127.0.0.1', port), 20, (source, 0)) as raw:
        try:
            if prefix:
                raw.sendall(prefix)
            with context.wrap_socket(raw, server_hostname=host) as tls:
                return hashlib.sha256(tls.getpeercert(True)).hexdigest()
        except TimeoutError:
            raise
        except OSError:
            return None


@pytest.mark.parametrize('header', HEADERS)
def test_a_header_from_an_allowed_network(house, ports, header):
    own = certificate_of(house.tls_port, 'acme.localhost')
    assert answered(ports['back'], HEADERS[header]) == own
    assert answered(ports['narrow'], HEADERS[header], source='127.0.0.2') == own


@pytest.mark.parametrize('header', HEADERS)
def test_a_header_from_anywhere_else_is_refused(house, ports, header):
    assert answered(ports['narrow'], HEADERS[header]) is None
    assert answered(ports['narrow'], HEADERS[header], source='127.0.0.3') is None
    assert answered(house.tls_port, HEADERS[header]) is None  # a listener that takes none


@pytest.mark.parametrize('forged', FORGED)
def test_what_is_no_header_is_refused(house, ports, forged):
    assert answered(ports['back'], FORGED[forged]) is None


def test_a_header_may_come_byte_by_byte(house, ports):
    context = ssl._create_unverified_context()
    for header in (HEADERS['v1'], HEADERS['v2']):
        with socket.create_connection(('127.0.0.1', ports['back']), 20) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(header)):
                raw.sendall(header[i:i + 1])
                time.sleep(0.001)
            with context.wrap_socket(raw, server_hostname='acme.localhost') as tls:
                assert tls.version()


# ---- the server name ----

@pytest.mark.parametrize('host', [None, 'nobody.localhost', 'xacme.localhost', 'acme.localhost.evil.example', 'localhost'])
@pytest.mark.parametrize('front', ['direct', 'haproxy', 'nginx'])
def test_a_missing_or_unknown_server_name_is_closed(house, fronts, host, front):
    """There is no tenant by default, and not a byte is said."""
    context = ssl._create_unverified_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    port = house.tls_port if front == 'direct' else fronts.port[front]
    with socket.create_connection(('127.0.0.1', port), 20) as raw:
        raw.sendall(outgoing.read())
        try:
            assert raw.recv(100) == b''
        except ConnectionResetError:
            pass
    assert 'client' not in (fronts.folder / 'stream.log').read_text()  # nginx would have a line of each such failure, with the address (S2)


def test_haproxy_is_not_root_once_it_listens(fronts):
    haproxy = fronts.started[0].pid
    assert os.stat(f'/proc/{haproxy}').st_uid == pwd.getpwnam('haproxy').pw_uid and os.readlink(f'/proc/{haproxy}/root') == '/var/lib/haproxy'


def test_the_server_name_is_not_case_sensitive(house):
    assert certificate_of(house.tls_port, 'ACME.LocalHost') == certificate_of(house.tls_port, 'acme.localhost')


# ---- plain HTTP ----

def plain(port, method, path, host):
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
    c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    if host is not None:
        c.putheader('Host', host)
    c.endheaders()
    r = c.getresponse()
    r.text = r.read()
    c.close()
    return r


def test_http_only_sends_to_https(house, ports):
    for method, path in (('GET', '/'), ('POST', '/api/v1/session?x=%20y'), ('HEAD', '/companies')):
        r = plain(ports['http'], method, path, 'acme.localhost')
        assert r.status == 308 and r.getheader('Location') == f'https://acme.localhost:{house.tls_port}{path}' and r.text == b''
    assert plain(ports['http'], 'GET', '/', 'nobody.localhost').status == 421
    assert plain(ports['http'], 'GET', '/', f'acme.localhost:{ports["http"]}').status == 308
    assert plain(ports['http'], 'GET', '/', None).status == 400


def test_acme_challenges_go_to_the_configured_place(house, ports):
    r = plain(ports['http'], 'GET', '/.well-known/acme-challenge/Ab-9_z', 'acme.localhost')
    assert r.status == 307 and r.getheader('Location') == 'http://127.0.0.1:9/token/Ab-9_z'
    for odd in ('..%2f..%2fx', '../../x', 'a/b', 'a%0d%0aX:y', ''):
        assert plain(ports['http'], 'GET', f'/.well-known/acme-challenge/{odd}', 'acme.localhost').status in (400, 404)
    assert plain(ports['http'], 'GET', '/.well-known/acme-challenge/Ab', 'nobody.localhost').status == 421


# ---- a proxy that ends TLS itself ----

@pytest.fixture(scope='module')
def ending(house, fronts):
    """nginx with deploy/nginx/http.conf for both tenants at one address, in the proxy's group and nothing else."""
    folder = house.root / 'ending'
    folder.mkdir(mode=0o755)
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', folder / 'key.pem',
                    '-out', folder / 'cert.pem', '-days', '2', '-subj', '/CN=proxy', '-addext', 'subjectAltName=DNS:acme.localhost,DNS:bois.localhost'],
                   check=True, capture_output=True)
    (folder / 'key.pem').chmod(0o644)
    port = free_port()
    server = (REPO / 'deploy/nginx/http.conf').read_text()
    servers = ''
    for name in ('acme', 'bois'):
        values = {'NAME': name, 'HOST': f'{name}.localhost', 'FRONT': f'127.0.0.1:{port}', 'RUN': house.run, 'CERT': folder / 'cert.pem', 'KEY': folder / 'key.pem'}
        text = server
        for key, value in values.items():
            text = text.replace(f'@{key}@', str(value))
        servers += text
    temporary = ''.join(f'{kind}_temp_path {folder}/{kind};\n' for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
    os.chown(folder, NOBODY, NOBODY)
    runner = Fronts.__new__(Fronts)
    runner.folder, runner.started = folder, []
    runner.nginx('ending', f'http {{\n{temporary}access_log off;\n{servers}\n}}', user=NOBODY, group=PROXY_GID, extra_groups=[])
    wait_for(lambda: listening(port), why='nginx')
    yield port
    runner.__exit__()


def switch(client, enabled):
    client.switch(('plain_socket',), on=enabled)


def socket_of(house, name):
    return house.run / 'web' / f'{name}.sock'


@pytest.fixture
def switched_on(house):
    for name, client in (('acme', house.acme), ('bois', house.bois)):
        switch(client, True)
        wait_for(lambda name=name: socket_of(house, name).exists(), why='the socket')
    yield
    for name, client in (('acme', house.acme), ('bois', house.bois)):
        switch(client, False)
        wait_for(lambda name=name: not socket_of(house, name).exists(), why='no socket')


# C4, C12: the plain socket is off until the tenant's administrator switches it on
def test_the_plain_socket_is_the_administrators_alone(house, ending):
    """Off at the start; on and off by the tenant's administrator, and by nobody at the provider (C4, C12)."""
    path = socket_of(house, 'acme')
    through = Client(house, 'acme.localhost', port=ending)
    assert not path.exists() and house.show('acme')['tls'] == 'passthrough'
    assert [f['enabled'] for f in house.acme.get('/api/v1/functions').json['items'] if f['name'] == 'plain_socket'] == [False]
    assert through.get('/api/v1/health').status == 502

    weaker = house.client('acme', token=house.token(house.acme))
    for other, status in ((weaker, 403), (house.client('acme'), 401)):
        assert other.put('/api/v1/functions/plain_socket', {'enabled': True, 'confirmed': 1}).status == status
    assert house.control('PUT', '/v1/tenants/acme/plain-socket', {'enabled': True}).status == 404
    assert house.control('PATCH', '/v1/tenants/acme', {'plain': True}).status == 422
    assert not path.exists()

    switch(house.acme, True)
    wait_for(path.exists, why='the socket')
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660 and (found.st_uid, found.st_gid) == (0, PROXY_GID)
    wait_for(lambda: house.show('acme')['tls'] == 'both', why='the status')
    assert wait_for(lambda: through.get('/api/v1/health').status == 200, why='nginx')
    assert not socket_of(house, 'bois').exists()

    with pytest.raises(OSError):  # nobody else may connect
        house.unix(path, 'GET', '/api/v1/health', uid=NOBODY, gids=[])

    switch(house.acme, False)
    wait_for(lambda: not path.exists(), why='no socket')
    wait_for(lambda: house.show('acme')['tls'] == 'passthrough', why='the status')
    through.close()
    assert through.get('/api/v1/health').status == 502
    assert 'client' not in (house.root / 'ending/ending.log').read_text()  # nor the address and the request of a 502 (S2)
    assert house.acme.get('/api/v1/health').status == 200
    record = [line['verb'] for line in json.loads(house.cli('--json', 'ledger', 'list').stdout)['lines'] if line.get('tenant') == 'acme']
    assert 'plain_on' in record and 'plain_off' in record


def test_a_proxy_that_ends_tls_serves_both_tenants(house, ending, switched_on):
    for name in ('acme', 'bois'):
        client = Client(house, f'{name}.localhost', port=ending)
        assert client.login().status == 200
        made = client.post('/api/v1/contacts', {'family_name': f'Clair {name}'})
        assert made.status == 201 and client.get(f'/api/v1/contacts/{made.json["id"]}').status == 200
        client.close()


def test_a_kept_connection_does_not_cross_tenants(house, ending, switched_on):
    """One client connection to nginx that alternates hosts, and one on the socket itself: each request is its own tenant's or 421."""
    tokens = {'acme': house.token(house.acme), 'bois': house.token(house.bois)}
    client = Client(house, 'acme.localhost', port=ending)
    for _ in range(5):
        for name, other in (('acme', 'bois'), ('bois', 'acme')):
            own = client.get('/api/v1/contacts', headers={'Host': f'{name}.localhost', 'Authorization': f'Bearer {tokens[name]}'})
            foreign = client.get('/api/v1/contacts', headers={'Host': f'{name}.localhost', 'Authorization': f'Bearer {tokens[other]}'})
            assert own.status == 200 and foreign.status == 401
        assert client.get('/api/v1/contacts', headers={'Host': 'nobody.localhost', 'Authorization': f'Bearer {tokens["acme"]}'}).status == 421
    client.close()
    answer = house.unix(socket_of(house, 'acme'), 'GET', '/api/v1/health', headers={'Host': 'bois.localhost'}, uid=NOBODY, gids=[PROXY_GID])
    assert answer.status == 421
    answer = house.unix(socket_of(house, 'acme'), 'GET', '/api/v1/health', headers={'Host': 'acme.localhost'}, uid=NOBODY, gids=[PROXY_GID])
    assert answer.status == 200


def test_the_plain_socket_starts_a_stopped_tenant(house, ending, switched_on):
    house.cli('tenant', 'stop', 'acme')
    house.wait_state('acme', 'stopped')
    client = Client(house, 'acme.localhost', port=ending)
    assert client.get('/api/v1/health').json == {'state': 'sealed'}
    client.close()
    assert house.acme.get('/api/v1/contacts').status == 200


# ---- TLS itself ----

def handshake(house, host='acme.localhost', low=None, high=None, ciphers=None, context=None, session=None):
    """(version, cipher, session, reused) of a connection on which one request was answered."""
    context = context or ssl._create_unverified_context()
    if low:
        context.minimum_version = low
    if high:
        context.maximum_version = high
    if ciphers:
        context.set_ciphers(ciphers)
    with socket.create_connection(('127.0.0.1', house.tls_port), 20) as raw, context.wrap_socket(raw, server_hostname=host, session=session) as tls:
        tls.sendall(f'GET /api/v1/health HTTP/1.1\r\nHost: {host}\r\n\r\n'.encode())
        assert tls.recv(4096).startswith(b'HTTP/1.1 200')
        return tls.version(), tls.cipher()[0], tls.session, tls.session_reused


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_versions(house):
    v = ssl.TLSVersion
    assert handshake(house)[0] == 'TLSv1.3'
    assert handshake(house, high=v.TLSv1_2)[0] == 'TLSv1.2'
    assert handshake(house, low=v.TLSv1_3)[0] == 'TLSv1.3'
    for old in (v.TLSv1, v.TLSv1_1):
        with pytest.raises(OSError):
            handshake(house, low=old, high=old, ciphers='ALL:@SECLEVEL=0')


@pytest.mark.parametrize('ciphers', ['aNULL', 'eNULL', 'AES128-GCM-SHA256', 'AES256-SHA', 'ECDHE-ECDSA-AES128-SHA', 'PSK', 'DHE-RSA-AES128-GCM-SHA256'])
def test_weak_ciphers_are_refused(house, ciphers):
    with pytest.raises(OSError):
        handshake(house, high=ssl.TLSVersion.TLSv1_2, ciphers=f'{ciphers}:@SECLEVEL=0')


def test_strong_ciphers_are_taken(house):
    for ciphers in ('ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'):
        assert handshake(house, high=ssl.TLSVersion.TLSv1_2, ciphers=ciphers)[1] == ciphers


def s_client(house, *more, input=''):
    return subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{house.tls_port}', '-servername', 'acme.localhost', *more],
                          input=input, capture_output=True, text=True, timeout=30)


def test_no_renegotiation_no_compression_no_early_data(house):
    said = s_client(house, '-tls1_2', input='R\nGET /api/v1/health HTTP/1.1\r\n\r\n')
    assert 'RENEGOTIATING' in said.stdout + said.stderr and 'no renegotiation' in said.stdout + said.stderr
    assert 'Secure Renegotiation IS supported' in said.stdout and 'Compression: NONE' in said.stdout
    said = s_client(house, '-tls1_3', '-alpn', 'h2,http/1.1', '-status', '-ign_eof', input='GET /api/v1/health HTTP/1.1\r\nHost: acme.localhost\r\nConnection: close\r\n\r\n')
    assert 'ALPN protocol: http/1.1' in said.stdout and 'Max Early Data: 0' in said.stdout, said.stdout


@pytest.mark.parametrize('version', ['TLSv1_2', 'TLSv1_3'])
def test_a_ticket_of_one_tenant_is_nothing_to_another(house, version):
    """Session tickets have each worker's own keys; a foreign one means a full handshake (lessons of CVE-2025-23419)."""
    v = getattr(ssl.TLSVersion, version)
    context = ssl._create_unverified_context()
    context.minimum_version = context.maximum_version = v
    session = handshake(house, 'acme.localhost', context=context)[2]
    assert session is not None and session.has_ticket
    assert handshake(house, 'acme.localhost', context=context, session=session)[3] is True
    session = handshake(house, 'acme.localhost', context=context)[2]
    assert handshake(house, 'bois.localhost', context=context, session=session)[3] is False
    # Nor to the next worker of the same tenant.
    session = handshake(house, 'bois.localhost', context=context)[2]
    house.cli('tenant', 'stop', 'bois')
    house.wait_state('bois', 'stopped')
    assert handshake(house, 'bois.localhost', context=context, session=session)[3] is False


# H3: Debian's HAProxy and nginx with the files of deploy/
def test_a_proxy_sees_only_ciphertext(house):
    """What goes over the wire between a proxy and the router has no word of the request in it."""
    seen = bytearray()
    listener = socket.create_server(('127.0.0.1', 0))
    canary = 'canari-7f3a91'

    def relay():
        inside, _ = listener.accept()
        outside = socket.create_connection(('127.0.0.1', house.tls_port))

        def pump(a, b):
            with contextlib.suppress(OSError):
                while data := a.recv(65536):
                    seen.extend(data)
                    b.sendall(data)
            with contextlib.suppress(OSError):
                b.shutdown(socket.SHUT_WR)
        back = threading.Thread(target=pump, args=(outside, inside))
        back.start()
        pump(inside, outside)
        back.join(10)
        inside.close()
        outside.close()
    thread = threading.Thread(target=relay)
    thread.start()
    client = Client(house, 'acme.localhost', port=listener.getsockname()[1], token=house.token(house.acme))
    assert client.post('/api/v1/contacts', {'family_name': canary}).status == 201
    client.close()
    thread.join(20)
    listener.close()
    assert len(seen) > 1000 and b'acme.localhost' in seen  # the server name is in clear, and nothing else
    assert canary.encode() not in seen and b'HTTP/1.1' not in seen and b'Bearer' not in seen

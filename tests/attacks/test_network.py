"""A hostile client: requests that two readers would read differently, time, size and number of connections, forged PROXY headers, broken TLS.

Each attack on acme ends with acme and its neighbour answering, and at the very end no process of the house has died (H3)."""
import contextlib
import json
import os
import random
import resource
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from house import House, free_port
from wire import CONTEXT, exchange, hello_bytes, peer_closed, read_until, request, split_replies, tcp, tls, tls_context

PROXY = '127.0.0.77'  # the only source from which the second listener takes a PROXY header
HOST = 'acme.localhost'


@pytest.fixture(scope='module')
def house():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    plain, proxied = free_port(), free_port()
    listeners = (f'listener "127.0.0.1:{plain}" {{ kind = tls }}\n'
                 f'listener "127.0.0.1:{proxied}" {{ kind = tls\n proxy = true\n from = {{"{PROXY}/32"}} }}\n')
    h = House(listeners=listeners, https_port=plain)
    h.tls_port, h.proxied_port = plain, proxied
    with h:
        h.acme, h.bois, h.slow = h.enrolled('acme'), h.enrolled('bois'), h.enrolled('lent')
        h.token_acme = h.token(h.acme)
        h.pids = {n: h.worker_pid(n) for n in ('acme', 'bois', 'lent')}
        yield h
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def alive(house):
    """Both answer on fresh connections, soon."""
    for name in ('acme', 'bois'):
        start = time.monotonic()
        assert house.client(name, timeout=5).get('/api/v1/health').json == {'state': 'serving'}
        assert time.monotonic() - start < 2


@pytest.fixture(autouse=True)
def all_alive(house):
    yield
    alive(house)
    for name, pid in house.pids.items():
        shown = house.show(name)
        assert (shown['pid'], shown['crashes']) == (pid, 0), f'{name} died:\n{house.logged()[-2000:]}'


# ---- what two readers read differently ----

class Smuggled:
    """A second request that must never be executed: it would make a company of that name."""
    serial = 0

    def __init__(self, house):
        Smuggled.serial += 1
        self.house, self.name = house, f'smuggled-{Smuggled.serial:04}'
        body = json.dumps({'name': self.name}).encode()
        self.bytes = request('POST', '/api/v1/companies', HOST, body, headers=[('Authorization', f'Bearer {house.token_acme}'),
                                                                              ('Content-Type', 'application/json')])

    def executed(self):
        listed = self.house.acme.get('/api/v1/companies?letter=S&limit=200&sort=-name').json['items']
        return self.name in [c['name'] for c in listed]


LENGTHS = [b'+%d', b'-%d', b'0%d', b'%d, %d', b'%d %d', b'0x%x', b'%d;', b'%d_0', b'%de0', b'"%d"', b'%d.0', b'\x0b%d', b'%d\x00', b'\xef\xbc\x91', b'',
           b'18446744073709551616', b'99999999999999999999999999', b'1%0100d']
CODINGS = [b'chunked, identity', b'identity', b'identity, chunked', b'chunked, chunked', b'xchunked', b'chunked;q=1', b'"chunked"', b'\x0bchunked',
           b'chunked\x00', b'chun ked', b'gzip, chunked', b'chunked,', b',chunked', b'', b'chunke', b'chunked\x0c']
# What lenient readers take for the last chunk, or for one of some other size.
CHUNK_ENDS = [b'0x0\r\n\r\n', b'+0\r\n\r\n', b'-0\r\n\r\n', b' 0\r\n\r\n', b'0 \r\n\r\n', b'0\t\r\n\r\n', b'000000000\r\n\r\n', b'100000000\r\n\r\n',
              b'10000000000000000\r\n\r\n', b'0\n\n', b'0\r\r', b'0\n\r\n', b'0\r\n\n', b'\r\n\r\n', b'0;\x00\r\n\r\n', b'0;a\nb\r\n\r\n', b'0;a\rb\r\n\r\n',
              b'0 ;a\r\n\r\n', b'g\r\n\r\n', b'0,0\r\n\r\n', b'0\x0b\r\n\r\n', b'\xef\xbc\x90\r\n\r\n', b'0.\r\n\r\n', b'0h\r\n\r\n', b'0;' + b'a' * 300 + b'\r\n\r\n',
              b'5\r\nabcdeXX\r\n0\r\n\r\n', b'5\r\nabcde0\r\n\r\n', b'5\r\nabcde\n0\r\n\r\n', b'5\r\nabcde\r\r0\r\n\r\n', b'3\nabc\n0\n\n',
              b'0\r\nX: a\n\n', b'0\r\nX : a\r\n\r\n', b'0\r\n X: a\r\n\r\n', b'0\r\nX\r\n\r\n', b'0\r\nX: a\rY: b\r\n\r\n', b'0\r\n: a\r\n\r\n', b'0\r\nX: \x00\r\n\r\n']
# Heads that must be refused as they stand; {s} is where a lenient reader would begin its next request.
POST = b'POST /api/v1/companies HTTP/1.1\r\n'
GET = b'GET /api/v1/health HTTP/1.1\r\n'
HEADS = {
    'obs-fold': GET + b'Host: %h\r\nX-A: b\r\n Content-Length: %n\r\n\r\n%s',
    'obs-fold of the length': POST + b'Host: %h\r\nContent-Length:\r\n 0\r\n\r\n%s',
    'obs-fold by tab': POST + b'Host: %h\r\nX-A: b\r\n\tc\r\n\r\n%s',
    'fold before the first field': GET + b' Host: %h\r\nHost: %h\r\n\r\n%s',
    'bare LF everywhere': b'GET /api/v1/health HTTP/1.1\nHost: %h\n\n%s',
    'bare LF after a field': GET + b'Host: %h\nX-A: b\r\n\r\n%s',
    'bare LF after the request line': b'GET /api/v1/health HTTP/1.1\nHost: %h\r\n\r\n%s',
    'bare LF at the end': GET + b'Host: %h\r\n\n%s',
    'bare CR in a field': GET + b'Host: %h\r\nX-A: b\rContent-Length: %n\r\n\r\n%s',
    'bare CR as a line end': GET + b'Host: %h\rX-A: b\r\r%s\r\n\r\n',
    'two CR': GET + b'Host: %h\r\r\n\r\n%s',
    'NUL in a value': GET + b'Host: %h\r\nX-A: b\x00c\r\n\r\n%s',
    'NUL in a name': GET + b'Host: %h\r\nX-\x00A: b\r\n\r\n%s',
    'NUL in the target': b'GET /api/v1/hea\x00lth HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'NUL before the request': b'\x00' + GET + b'Host: %h\r\n\r\n%s',
    'DEL in a value': GET + b'Host: %h\r\nX-A: \x7f\r\n\r\n%s',
    'a control in a value': GET + b'Host: %h\r\nX-A: \x01\r\n\r\n%s',
    'space before a colon': POST + b'Host: %h\r\nContent-Length : 0\r\n\r\n%s',
    'space before the coding\'s colon': POST + b'Host: %h\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n%s',
    'tab before a colon': POST + b'Host: %h\r\nContent-Length\t: 0\r\n\r\n%s',
    'no colon': GET + b'Host: %h\r\nNonsense\r\n\r\n%s',
    'no name': GET + b'Host: %h\r\n: b\r\n\r\n%s',
    'a name of two words': GET + b'Host: %h\r\nX A: b\r\n\r\n%s',
    'a name in quotes': GET + b'Host: %h\r\n"X": b\r\n\r\n%s',
    'no Host': GET + b'X-A: b\r\n\r\n%s',
    'two Hosts': GET + b'Host: %h\r\nHost: %h\r\n\r\n%s',
    'two different Hosts': GET + b'Host: %h\r\nHost: bois.localhost\r\n\r\n%s',
    'two Hosts, one in capitals': GET + b'HOST: bois.localhost\r\nhost: %h\r\n\r\n%s',
    'an empty Host': GET + b'Host:\r\n\r\n%s',
    'a list of Hosts': GET + b'Host: %h, bois.localhost\r\n\r\n%s',
    'a Host with a user': GET + b'Host: bois.localhost@%h\r\n\r\n%s',
    'a Host with a path': GET + b'Host: %h/bois.localhost\r\n\r\n%s',
    'a Host with a port of letters': GET + b'Host: %h:https\r\n\r\n%s',
    'a Host with a huge port': GET + b'Host: %h:99999999\r\n\r\n%s',
    'a Host with a space': GET + b'Host: %h bois.localhost\r\n\r\n%s',
    'absolute-form of a neighbour': b'GET https://bois.localhost/api/v1/health HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'absolute-form, neighbour in Host': b'GET https://%h/api/v1/health HTTP/1.1\r\nHost: bois.localhost\r\n\r\n%s',
    'absolute-form with a user': b'GET https://u@%h/api/v1/health HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'absolute-form of another scheme': b'GET ftp://%h/api/v1/health HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'authority-form': b'GET %h:443 HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'asterisk-form': b'OPTIONS * HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'CONNECT': b'CONNECT %h:443 HTTP/1.1\r\nHost: %h:443\r\n\r\n%s',
    'HTTP/1.0': b'GET /api/v1/health HTTP/1.0\r\nHost: %h\r\nConnection: keep-alive\r\n\r\n%s',
    'HTTP/0.9': b'GET /api/v1/health\r\n\r\n%s',
    'HTTP/2.0': b'GET /api/v1/health HTTP/2.0\r\nHost: %h\r\n\r\n%s',
    'HTTP/1.10': b'GET /api/v1/health HTTP/1.10\r\nHost: %h\r\n\r\n%s',
    'HTTP/01.1': b'GET /api/v1/health HTTP/01.1\r\nHost: %h\r\n\r\n%s',
    'http/1.1': b'GET /api/v1/health http/1.1\r\nHost: %h\r\n\r\n%s',
    'a version with a tail': b'GET /api/v1/health HTTP/1.1 x\r\nHost: %h\r\n\r\n%s',
    'the preface of HTTP/2': b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%s',
    'two spaces': b'GET  /api/v1/health HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'a tab in the request line': b'GET\t/api/v1/health HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'a space in the target': b'GET /api/v1/health ?x HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'a raw byte in the target': b'GET /api/v1/health?\xff HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'a broken escape': b'GET /api/v1/health?%%4 HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'a fragment': b'GET /api/v1/health#x HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'empty lines first': b'\r\n\r\n\r\n' + GET + b'Host: %h\r\n\r\n%s',
    'a method with a colon': b'GET: /api/v1/health HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'no method': b' /api/v1/health HTTP/1.1\r\nHost: %h\r\n\r\n%s',
    'another expectation': POST + b'Host: %h\r\nExpect: 200-ok\r\nContent-Length: %n\r\n\r\n%s',
    'two expectations': POST + b'Host: %h\r\nExpect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n%s',
    'both, length first': POST + b'Host: %h\r\nContent-Length: %n\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s',
    'both, coding first': POST + b'Host: %h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n%s',
    'two different lengths': POST + b'Host: %h\r\nContent-Length: %n\r\nContent-Length: 0\r\n\r\n%s',
    'two different lengths, turned': POST + b'Host: %h\r\nContent-Length: 0\r\nContent-Length: %n\r\n\r\n%s',
    'two equal lengths': POST + b'Host: %h\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n%s',
    'two lengths, one in capitals': POST + b'Host: %h\r\ncontent-length: %n\r\nCONTENT-LENGTH: 0\r\n\r\n%s',
    'two codings': POST + b'Host: %h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s',
    'two different codings': POST + b'Host: %h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n%s',
    'two cookies': GET + b'Host: %h\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n%s',
    'two authorizations': GET + b'Host: %h\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n%s',
}


def refused_families():
    for name, head in HEADS.items():
        yield name, head
    for i, value in enumerate(LENGTHS):
        yield f'length {i} {value!r}', POST + b'Host: %h\r\nContent-Length: ' + value.replace(b'%d', b'0').replace(b'%x', b'0').replace(
            b'%0100d', b'0' * 100) + b'\r\n\r\n%s'
    for value in CODINGS:
        yield f'coding {value!r}', POST + b'Host: %h\r\nTransfer-Encoding: ' + value + b'\r\n\r\n0\r\n\r\n%s'
    for end in CHUNK_ENDS:  # to a route that reads its body: the token lets it get there
        yield f'chunk {end[:20]!r}', POST + b'Host: %h\r\nAuthorization: Bearer %t\r\nTransfer-Encoding: chunked\r\n\r\n' + end + b'%s'


def filled(house, template, second):
    for k, v in ((b'%h', HOST.encode()), (b'%t', house.token_acme.encode()), (b'%n', str(len(second)).encode()), (b'%s', second), (b'%%', b'%')):
        template = template.replace(k, v)
    return template


def test_a_second_request_behind_a_good_one_is_executed(house):
    """The control: pipelining works, so that the tests below would see a smuggled request."""
    second = Smuggled(house)
    with tls(house.tls_port, HOST) as s:
        replies, closed = exchange(s, request('GET', '/api/v1/health', HOST) + second.bytes, 2)
    assert [r.status for r in replies] == [200, 201] and not closed and second.executed()
    chunked = Smuggled(house)
    good = request('POST', '/api/v1/companies', HOST, b'6;ext="a"\r\n{"name\r\n0000010\r\n":"lawful-chunk"\r\n1\r\n}\r\n00\r\nTrailer: x\r\n\r\n',
                   headers=[('Authorization', f'Bearer {house.token_acme}'), ('Content-Type', 'application/json'), ('Transfer-Encoding', 'ChunKed')])
    with tls(house.tls_port, HOST) as s:
        replies, closed = exchange(s, good + chunked.bytes, 2)
    assert [r.status for r in replies] == [201, 201] and chunked.executed()
    with tls(house.tls_port, HOST) as s:  # absolute-form of one's own host is lawful
        replies, _ = exchange(s, f'GET https://{HOST}/api/v1/health HTTP/1.1\r\nHost: {HOST}\r\n\r\n'.encode())
    assert replies[0].status == 200


@pytest.mark.parametrize('name,template', list(refused_families()), ids=[n for n, _ in refused_families()])
def test_smuggling(house, name, template):
    """One refusal, the connection closed, the second request not executed."""
    second = Smuggled(house)
    with tls(house.tls_port, HOST) as s:
        replies, closed = exchange(s, filled(house, template, second.bytes), 2, seconds=5)
    assert [r.status for r in replies if r.status != 100] and all(400 <= r.status < 600 for r in replies), replies
    assert len(replies) == 1 and closed, replies
    assert replies[0].status in (400, 413, 417, 421, 501, 505), replies
    assert not second.executed()


EARLY = {  # answered before the body is read: the body must not become a request
    'without a credential': (POST, 401),
    'nowhere': (b'POST /api/v1/nowhere HTTP/1.1\r\n', 404),
    'a method that is not taken': (b'POST /api/v1/health HTTP/1.1\r\n', 405),
    'an unknown method': (b'BREW /api/v1/health HTTP/1.1\r\n', 501),
    'another host': (POST.replace(b'\r\n', b'\r\nHost: bois.localhost\r\n'), 421),
    'a body that is not wanted': (b'GET /api/v1/companies HTTP/1.1\r\nAuthorization: Bearer %t\r\n', 400),
    'HEAD': (b'HEAD /api/v1/health HTTP/1.1\r\n', None),
    'DELETE': (b'DELETE /api/v1/companies/01ARZ3NDEKTSV4RRFFQ69G5FAV HTTP/1.1\r\n', None),
    'OPTIONS': (b'OPTIONS /api/v1/companies HTTP/1.1\r\n', None),
    'an import without a right': (b'POST /api/v1/import?kind=companies&format=csv HTTP/1.1\r\n', 401),
    'an import of a kind that is not': (b'POST /api/v1/import?kind=nobody&format=csv HTTP/1.1\r\nAuthorization: Bearer %t\r\n', 400),
    'an upgrade': (b'GET /api/v1/health HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n', None),
}


@pytest.mark.parametrize('framing', ['length', 'chunks', 'length, all in pieces'])
@pytest.mark.parametrize('case', EARLY)
def test_a_body_never_becomes_a_request(house, case, framing):
    head, status = EARLY[case]
    second = Smuggled(house)
    host = b'' if b'\r\nHost:' in head else b'Host: %h\r\n'
    if framing == 'chunks':
        template = head + host + b'Transfer-Encoding: chunked\r\n\r\n' + b'%x\r\n' % len(second.bytes) + b'%s\r\n0\r\n\r\n'
    else:
        template = head + host + b'Content-Length: %n\r\n\r\n%s'
    data = filled(house, template, second.bytes)
    with tls(house.tls_port, HOST) as s:
        if 'pieces' in framing:
            cut = data.index(b'\r\n\r\n') + 4
            s.sendall(data[:cut])
            time.sleep(0.05)
            for i in range(cut, len(data), 40):
                with contextlib.suppress(OSError):
                    s.sendall(data[i:i + 40])
            data = b''
        got, _ = exchange(s, data, 3, seconds=1) if case != 'HEAD' else (None, s.sendall(data) or time.sleep(0.3))
    if got is not None:
        assert len(got) == 1 and (status is None or got[0].status == status), got
    assert not second.executed()


# ---- whose connection it is ----

def test_a_kept_connection_does_not_change_its_tenant(house):
    with tls(house.tls_port, HOST) as s:
        assert exchange(s, request('GET', '/api/v1/health', HOST))[0][0].status == 200
        cookie = '; '.join(f'{k}={v}' for k, v in house.bois.cookies.items())
        replies, closed = exchange(s, request('GET', '/api/v1/companies', 'bois.localhost', headers=[('Cookie', cookie)]) +
                                   request('GET', '/api/v1/health', HOST), 2)
    assert [r.status for r in replies] == [421] and closed


@pytest.mark.parametrize('sni,host', [(HOST, 'bois.localhost'), ('bois.localhost', HOST), (HOST, 'localhost'), (HOST, 'x.' + HOST), (HOST, HOST + '.'),
                                      (HOST, '127.0.0.1'), (HOST, '[::1]')])
def test_host_and_sni_must_agree(house, sni, host):
    with tls(house.tls_port, sni) as s:
        replies, closed = exchange(s, request('GET', '/api/v1/health', host), 1)
        assert [r.status for r in replies] == [421]
        assert closed or peer_closed_tls(s)


def peer_closed_tls(s):
    return read_until(s, seconds=3)[1]


def test_a_ticket_of_one_tenant_is_nothing_to_another(house):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls_context(version, version)
        with tls(house.tls_port, HOST, context=context) as s:
            exchange(s, request('GET', '/api/v1/health', HOST))
            session = s.session
        with tls(house.tls_port, HOST, context=context, session=session) as s:
            assert s.session_reused, 'the control: a tenant takes its own ticket'
        with tls(house.tls_port, 'bois.localhost', context=context, session=session) as s:
            assert not s.session_reused
            assert exchange(s, request('GET', '/api/v1/health', 'bois.localhost'))[0][0].status == 200


# ---- the ClientHello ----

def hello_in_pieces(house, host, size, pause=0.0):
    """A whole handshake whose ClientHello goes out in pieces."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = CONTEXT.wrap_bio(incoming, outgoing, server_hostname=host)
    raw = tcp(house.tls_port)
    try:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                data = outgoing.read()
                for i in range(0, len(data), size):
                    raw.sendall(data[i:i + size])
                    time.sleep(pause)
                piece = raw.recv(65536)
                if not piece:
                    return None
                incoming.write(piece)
        client.write(request('GET', '/api/v1/health', host))
        raw.sendall(outgoing.read())
        while True:
            try:
                return client.read(65536)
            except ssl.SSLWantReadError:
                incoming.write(raw.recv(65536))
    finally:
        raw.close()


@pytest.mark.parametrize('size,pause', [(1, 0.002), (7, 0.001), (100, 0.01), (16384, 0)])
def test_a_client_hello_in_pieces(house, size, pause):
    assert hello_in_pieces(house, HOST, size, pause).startswith(b'HTTP/1.1 200')


def records(handshake, size):
    return b''.join(b'\x16\x03\x01' + struct.pack('>H', len(handshake[i:i + size])) + handshake[i:i + size] for i in range(0, len(handshake), size))


def test_a_client_hello_over_several_records(house):
    """The router reads the name through the fragments; what TLS then makes of them is TLS's."""
    hello = hello_bytes(HOST)[5:]
    for size in (37, 200, 1):
        with contextlib.closing(tcp(house.tls_port)) as s:
            s.sendall(records(hello, size))
            answer = s.recv(5)
            assert answer[:1] in (b'\x16', b'\x15'), answer  # the worker's, since the router says nothing


BROKEN_HELLOS = {
    'nothing but zeros': bytes(4096),
    'plain HTTP': b'GET / HTTP/1.1\r\nHost: acme.localhost\r\n\r\n',
    'SSH': b'SSH-2.0-OpenSSH_9.2\r\n',
    'SSLv2': b'\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10' + bytes(40),
    'a record too long': b'\x16\x03\x01\xff\xff' + bytes(20000),
    'an empty record, again and again': b'\x16\x03\x01\x00\x00' * 4000,
    'an alert first': b'\x15\x03\x01\x00\x02\x02\x28',
    'data first': b'\x17\x03\x03\x00\x20' + bytes(32),
    'a handshake that says it is 16 MiB': b'\x16\x03\x01\x40\x00\x01\xff\xff\xff' + bytes(16380),
    'another handshake message': b'\x16\x03\x01\x00\x04\x02\x00\x00\x00',
    'random': random.Random(7).randbytes(5000),
}


@pytest.mark.parametrize('case', [*BROKEN_HELLOS, 'no name', 'an unknown name', 'a name with NUL', 'a name in another case'])
def test_a_broken_client_hello_is_closed_without_a_word(house, case):
    if case in BROKEN_HELLOS:
        data = BROKEN_HELLOS[case]
    elif case == 'no name':
        data = hello_bytes(None)
    elif case == 'a name with NUL':
        data = hello_bytes(HOST).replace(b'acme.loc', b'acme\x00loc')
    elif case == 'an unknown name':
        data = hello_bytes('nobody.localhost')
    else:  # names know no case: this one is served
        data = hello_bytes(HOST).replace(b'acme', b'ACME')
    with contextlib.closing(tcp(house.tls_port)) as s:
        with contextlib.suppress(OSError):
            s.sendall(data)
        got, closed = read_until(s, lambda d: d, seconds=5)
    assert (got[:1] == b'\x16') if case == 'a name in another case' else (got == b'' and closed)


def test_each_bit_of_a_client_hello_flipped(house):
    """Whatever comes of it, nobody dies: 400 places, over many sources so that no penalty hides the later ones."""
    good = hello_bytes(HOST)
    for i, bit in enumerate(random.Random(3).sample(range(len(good) * 8), 400)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        with contextlib.closing(tcp(house.tls_port, source=f'127.0.1.{1 + i % 200}')) as s:
            with contextlib.suppress(OSError):
                s.sendall(bad)
                s.shutdown(socket.SHUT_WR)
            read_until(s, seconds=2)
    alive(house)


# ---- TLS after the ClientHello ----

def test_garbage_in_the_place_of_records(house):
    random_bytes = random.Random(11)
    for junk in (random_bytes.randbytes(2000), b'\x17\x03\x03\x40\x01' + bytes(17000), b'\x17\x03\x03\x00\x00' * 5000, b'\x15\x03\x03\x00\x02\x01\x5a' * 5000,
                 b'\x14\x03\x03\x00\x01\x01' * 5000, b'\x18\x03\x03\x00\x03\x01\xff\xff', b'\x16\x03\x03\x00\x04\x00\x00\x00\x00' * 2000):
        with tls(house.tls_port, HOST) as s:
            raw = socket.socket(fileno=os.dup(s.fileno()))
            with contextlib.closing(raw):
                with contextlib.suppress(OSError):
                    raw.sendall(junk)
                assert peer_closed(raw, 5)
    for cut in (1, 5, 20, 200):  # a handshake broken off in the middle
        with contextlib.closing(tcp(house.tls_port)) as s:
            s.sendall(hello_bytes(HOST) + random_bytes.randbytes(cut))
            s.shutdown(socket.SHUT_WR)
            read_until(s, seconds=3)


def s_client(house, text, *options):
    """What openssl's own client says when these lines are typed."""
    p = subprocess.Popen(['openssl', 's_client', '-connect', f'127.0.0.1:{house.tls_port}', '-servername', HOST, *options], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in text:
        with contextlib.suppress(OSError):
            p.stdin.write(line)
            p.stdin.flush()
        time.sleep(0.3)
    out, _ = p.communicate(timeout=20)
    return out.decode(errors='replace'), p.returncode


def test_no_renegotiation(house):
    get = request('GET', '/api/v1/health', HOST)
    out, _ = s_client(house, [get], '-tls1_2')
    assert 'HTTP/1.1 200' in out, 'the control'
    out, _ = s_client(house, [b'R\n', get], '-tls1_2')
    assert 'RENEGOTIATING' in out and 'HTTP/1.1 200' not in out
    assert 'no renegotiation' in out or 'handshake failure' in out or 'alert' in out, out[-800:]


@pytest.mark.parametrize('version', ['-tls1', '-tls1_1'])
def test_no_old_protocol(house, version):
    out, status = s_client(house, [], version, '-cipher', 'ALL:@SECLEVEL=0')
    assert status != 0 and 'Cipher is (NONE)' in out


def test_no_weak_cipher(house):
    for cipher in ('aNULL:eNULL:@SECLEVEL=0', 'AES128-SHA:AES256-SHA:AES128-GCM-SHA256', '3DES:RC4:DES:@SECLEVEL=0'):
        out, status = s_client(house, [], '-tls1_2', '-cipher', cipher)
        assert status != 0


def test_a_flood_of_key_updates(house):
    out, _ = s_client(house, [b'K\n' * 50, b'k\n' * 50], '-tls1_3')
    assert 'KEYUPDATE' in out


# ---- forged PROXY headers ----

V1 = b'PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n'
V2 = b'\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c' + bytes([203, 0, 113, 9, 198, 51, 100, 1]) + struct.pack('>HH', 4711, 443)


def proxied(house, header, source=PROXY, port=None):
    """Whether TLS begins behind this header."""
    with contextlib.closing(tcp(port or house.proxied_port, source=source)) as s:
        with contextlib.suppress(OSError):
            s.sendall(header + hello_bytes(HOST))
        got, _ = read_until(s, lambda d: d, seconds=3)
    assert got == b'' or got[:1] == b'\x16', got
    return got != b''


def test_good_proxy_headers_are_taken_from_the_proxy(house):
    assert proxied(house, V1) and proxied(house, V2)
    assert proxied(house, b'PROXY UNKNOWN\r\n')


@pytest.mark.parametrize('header', [V1, V2, b'PROXY UNKNOWN\r\n'])
def test_a_proxy_header_where_none_is_taken(house, header):
    assert not proxied(house, header, source=None, port=house.tls_port)
    assert not proxied(house, header, source=PROXY, port=house.tls_port)


@pytest.mark.parametrize('header', [V1, V2, b''])
def test_a_proxy_header_from_a_source_that_is_not_allowed(house, header):
    assert not proxied(house, header, source='127.0.0.78')
    assert not proxied(house, header, source=None)


@pytest.mark.parametrize('header', [
    b'', V1 + V1, V2 + V2, V1 + V2, V1[:-2] + b'\n', V1[:-1], V1.replace(b'TCP4', b'TCP6'), V1.replace(b'203.0.113.9', b'203.0.113.999'),
    V1.replace(b'203.0.113.9', b'0xcb.0.113.9'), V1.replace(b'203.0.113.9', b'03.0.113.9'), V1.replace(b'4711', b'99999'), V1.replace(b'4711', b'-1'),
    V1.replace(b' ', b'  '), V1.replace(b'\r\n', b' x\r\n'), V1.replace(b'PROXY', b'proxy'), b'PROXY TCP4 ' + b'1' * 200 + b'\r\n', b'PROXY ' + b'A' * 100000,
    V2[:12] + b'\x11' + V2[13:], V2[:12] + b'\x22' + V2[13:], V2[:13] + b'\x99' + V2[14:], V2[:14] + b'\xff\xff' + V2[16:] + bytes(65523),
    V2[:14] + b'\x00\x04' + V2[16:], V2[:13] + b'\x21\x00\x0c' + V2[16:]], ids=range(23))
def test_a_forged_proxy_header(house, header):
    assert not proxied(house, header)


# ---- too much ----

def resident(pid):
    with open(f'/proc/{pid}/status') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS')) * 1024


def neighbour_times(house, seconds):
    """How long each request of a neighbour took while something went on."""
    times, end, client = [], time.monotonic() + seconds, house.client('bois', timeout=10)
    client.cookies = dict(house.bois.cookies)
    while time.monotonic() < end:
        start = time.monotonic()
        assert client.get('/api/v1/companies?limit=5').status == 200
        times.append(time.monotonic() - start)
        time.sleep(0.01)
    client.close()
    return times


def pour(s, pieces, most, seconds=20):
    """Sends until the peer refuses; how many bytes went out, and the answer if one came."""
    sent, end = 0, time.monotonic() + seconds
    s.settimeout(2)
    with contextlib.suppress(OSError):
        for piece in pieces:
            s.sendall(piece)
            sent += len(piece)
            if sent >= most or time.monotonic() > end:
                break
    with contextlib.suppress(OSError, ValueError):
        return sent, split_replies(read_until(s, seconds=3)[0])[0]
    return sent, []


def forever(piece):
    while True:
        yield piece


HUNDRED_MB = 100 << 20
TOO_MUCH = {
    'one endless header': ([GET, b'Host: acme.localhost\r\nX-A: '], b'a' * 65536, (431,)),
    'endless headers': ([GET, b'Host: acme.localhost\r\n'], b'X-A: bbbbbbbbbbbbbbbbbbbbbbbbbb\r\n' * 2048, (431,)),
    'an endless request line': ([b'GET /'], b'a' * 65536, (414,)),
    'an endless method': ([], b'A' * 65536, (400, 414)),
    'endless empty lines': ([], b'\r\n' * 32768, (400,)),
    'an endless query': ([b'GET /api/v1/companies?letter='], b'A' * 65536, (414,)),
    'an endless body': ([POST, b'Host: acme.localhost\r\nAuthorization: Bearer %t\r\nContent-Length: 999999999999\r\n\r\n'], b'a' * 65536, (413,)),
    'an endless body of nobody': ([POST, b'Host: acme.localhost\r\nContent-Length: 999999999999\r\n\r\n'], b'a' * 65536, (401,)),
    'endless chunks': ([POST, b'Host: acme.localhost\r\nAuthorization: Bearer %t\r\nTransfer-Encoding: chunked\r\n\r\n'], (b'1000\r\n' + b'a' * 4096 + b'\r\n') * 16,
                       (413,)),
    'endless chunks of one byte': ([POST, b'Host: acme.localhost\r\nAuthorization: Bearer %t\r\nTransfer-Encoding: chunked\r\n\r\n'], b'1\r\na\r\n' * 8192, (413,)),
    'an endless chunk extension': ([POST, b'Host: acme.localhost\r\nAuthorization: Bearer %t\r\nTransfer-Encoding: chunked\r\n\r\n1;'], b'a' * 65536, (400,)),
    'endless trailers': ([POST, b'Host: acme.localhost\r\nAuthorization: Bearer %t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n'], b'X: y\r\n' * 8192, (400, 431)),
    'an endless chunk size': ([POST, b'Host: acme.localhost\r\nAuthorization: Bearer %t\r\nTransfer-Encoding: chunked\r\n\r\n'], b'0' * 65536, (400,)),
    'an endless body where none is': ([b'GET /api/v1/session HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: chunked\r\n\r\n'],
                                      (b'1000\r\n' + b'a' * 4096 + b'\r\n') * 16, (400, 401)),
}


@pytest.mark.parametrize('case', TOO_MUCH)
def test_too_much_of_it(house, case):
    """Refused after a bounded number of bytes, whatever more is sent; the worker does not grow."""
    start, piece, statuses = TOO_MUCH[case]
    before = resident(house.pids['acme'])
    with tls(house.tls_port, HOST) as s:
        sent, replies = pour(s, [b''.join(start).replace(b'%t', house.token_acme.encode()), *[piece] * (HUNDRED_MB // len(piece))], HUNDRED_MB)
    assert sent < HUNDRED_MB // 2, f'{sent} bytes were taken'
    if replies:  # a reset may overtake it when so much follows
        assert replies[0].status in statuses and len(replies) == 1, replies
    assert resident(house.pids['acme']) - before < 4 << 20


@pytest.mark.parametrize('case', TOO_MUCH)
def test_the_refusal_arrives(house, case):
    """The same with a client that stops soon after what is allowed and listens."""
    start, piece, statuses = TOO_MUCH[case]
    with tls(house.tls_port, HOST) as s:
        first = b''.join(start).replace(b'%t', house.token_acme.encode())
        with contextlib.suppress(OSError):
            s.sendall(first)
            for _ in range((7 << 20) // len(piece) if 'one byte' in case else 20 if 413 in statuses else 1):
                s.sendall(piece)
        replies, _ = exchange(s, b'', 1, seconds=5)
    assert replies and replies[0].status in statuses, replies


def test_an_endless_import_of_junk(house):
    """A lawful stream of any size: it costs its own tenant time, no memory, and the neighbour little."""
    stop, before = threading.Event(), resident(house.pids['acme'])

    def pump():
        with tls(house.tls_port, HOST) as s, contextlib.suppress(OSError):
            s.sendall(b'POST /api/v1/import?kind=companies&format=csv HTTP/1.1\r\nHost: acme.localhost\r\nAuthorization: Bearer ' +
                      house.token_acme.encode() + b'\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nname\r\n\r\n')
            row = b'"' + b'x' * 60 + b'"junk,,,\r\n,,\r\n'
            block = row * 400
            while not stop.is_set():
                s.sendall(b'%x\r\n' % len(block) + block + b'\r\n')
    threads = [threading.Thread(target=pump) for _ in range(4)]
    for t in threads:
        t.start()
    times = neighbour_times(house, 3)
    stop.set()
    for t in threads:
        t.join()
    assert sorted(times)[len(times) * 99 // 100] < 0.25
    assert resident(house.pids['acme']) - before < 4 << 20


def test_a_pipelining_flood_that_reads_nothing(house):
    """The worker stops reading a client that takes no answers; when such answers have filled its memory, they make room for other clients."""
    before, sockets = resident(house.pids['acme']), []
    flood = request('GET', '/api/v1/openapi.json', HOST) * 2000
    for _ in range(200):
        with contextlib.suppress(OSError):  # late ones find no room
            s = tls(house.tls_port, HOST)
            sockets.append(s)
            s.setblocking(False)
            for _ in range(50):
                s.send(flood)
    times = neighbour_times(house, 2)
    assert sorted(times)[len(times) * 99 // 100] < 0.25
    alive(house)
    assert resident(house.pids['acme']) - before < 8 << 20
    for s in sockets:
        s.close()


def test_a_pipelining_flood_is_answered_in_order(house):
    with tls(house.tls_port, HOST) as s:
        data = b''.join(request('GET', f'/api/v1/health{"" if i % 7 else "x"}', HOST) for i in range(2000))
        sender = threading.Thread(target=s.sendall, args=(data,))
        sender.start()
        got, _ = read_until(s, lambda d: d.count(b'HTTP/1.1 ') >= 2000 and len(split_replies(d)[0]) >= 2000, 30)
        sender.join()
    assert [r.status for r in split_replies(got)[0]] == [200 if i % 7 else 404 for i in range(2000)]


def test_ten_thousand_connections(house):
    """3,000 that have shaken hands, 4,000 that stop in the handshake, 3,000 that say nothing: each from one of many addresses. The neighbour
    answers all the while, and so does acme itself: what has been idle longest makes room."""
    sockets, broken, hello = [], [], hello_bytes(HOST)
    source = lambda i: f'127.0.{2 + i // 200}.{1 + i % 200}'
    times, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            times.extend(neighbour_times(house, 0.3))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for i in range(10000):
            if i % 10 < 3:
                try:
                    sockets.append(tls(house.tls_port, HOST, source=source(i)))
                except OSError as e:
                    broken.append(e)
                continue
            s = tcp(house.tls_port, source=source(i))
            if i % 10 < 7:
                s.sendall(hello)
            sockets.append(s)
        assert len(broken) < 100, (len(broken), broken[-1])
        alive(house)
        answers = [house.client('acme', token=house.token_acme).get('/api/v1/companies?limit=1').status for _ in range(20)]
        assert answers == [200] * 20
    finally:
        stop.set()
        watcher.join()
        for s in sockets:
            s.close()
    assert len(times) > 20 and sorted(times)[len(times) * 99 // 100] < 1, (len(times), max(times))


# ---- too slow ----

def slow_cases(house):
    """Name -> (what is sent at first, what follows bit by bit, seconds between, the latest second at which it must be closed)."""
    head = request('POST', '/api/v1/companies', 'lent.localhost', b'', headers=[('Authorization', f'Bearer {house.token(house.slow)}'),
                                                                               ('Content-Type', 'application/json'), ('Content-Length', '100000')])
    hello = hello_bytes('lent.localhost')
    return {
        'nothing at all': (None, b'', b'', 10),
        'half a ClientHello': (None, hello[:len(hello) // 2], b'', 10),
        'a ClientHello byte by byte, slowly': (None, b'', hello, 10),
        'half a handshake': (None, hello, b'', 10),
        'half a request line': ('tls', b'GET /api', b'', 10),
        'a head byte by byte': ('tls', b'GET /api/v1/health HTTP/1.1\r\nHost: lent.localhost\r\nX: ', b'a' * 1000, 10),
        'header after header': ('tls', b'GET /api/v1/health HTTP/1.1\r\nHost: lent.localhost\r\n', b'X: y\r\n' * 60, 10),
        'no body': ('tls', head, b'', 20),
        'a body byte by byte': ('tls', head, b'a' * 1000, 20),
        'silence after an answer': ('tls', request('GET', '/api/v1/health', 'lent.localhost'), b'', 60),
        'silence after the handshake': ('tls', b'', b'', 60),
    }


class Slow(threading.Thread):
    """Sends slowly and notes when the server had enough."""

    def __init__(self, house, name, how, first, then, limit):
        super().__init__(daemon=True)
        self.label, self.then, self.limit, self.closed_after, self.answer = name, then, limit, None, b''
        self.socket = tls(house.tls_port, 'lent.localhost') if how else tcp(house.tls_port)
        self.begin = time.monotonic()
        self.socket.sendall(first)

    def run(self):
        at, next_at = 0, time.monotonic()
        while time.monotonic() - self.begin < self.limit + 10:
            got, closed = read_until(self.socket, seconds=0.4)
            self.answer += got
            if closed:
                self.closed_after = time.monotonic() - self.begin
                return
            if at < len(self.then) and time.monotonic() >= next_at:
                with contextlib.suppress(OSError):
                    self.socket.sendall(self.then[at:at + 1])
                at, next_at = at + 1, time.monotonic() + 0.4


@pytest.fixture(scope='module')
def slow(house):
    """Begun with the module, judged at its end: a minute's patience costs no minute."""
    threads = {name: Slow(house, name, *case) for name, case in slow_cases(house).items()}
    for t in threads.values():
        t.start()
    yield threads


@pytest.fixture(autouse=True)
def slow_ones_go_on(slow):
    pass


class Deaf(threading.Thread):
    """Asks for much and takes nothing of the answers."""

    def __init__(self, house):
        super().__init__(daemon=True)
        self.closed_after = None
        self.socket = tls(house.tls_port, 'lent.localhost')
        self.begin = time.monotonic()
        self.socket.setblocking(False)
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.socket.send(request('GET', '/api/v1/openapi.json', 'lent.localhost') * 500)

    def run(self):
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        while time.monotonic() - self.begin < 45 and self.closed_after is None:
            if poll.poll(500):
                self.closed_after = time.monotonic() - self.begin


@pytest.fixture(scope='module')
def deaf(house):
    thread = Deaf(house)
    thread.start()
    return thread


@pytest.fixture(autouse=True)
def the_deaf_one_goes_on(deaf):
    pass


def test_patience_ends(slow, deaf):
    for t in [*slow.values(), deaf]:
        t.join(90)
    late = {name: (t.closed_after, t.limit) for name, t in slow.items() if t.closed_after is None or not t.limit - 1 <= t.closed_after <= t.limit + 4}
    assert not late, late
    assert deaf.closed_after is not None and 25 <= deaf.closed_after <= 40, deaf.closed_after
    for name in ('half a request line', 'a head byte by byte', 'header after header', 'no body', 'a body byte by byte'):
        assert split_replies(slow[name].answer)[0][0].status == 408, (name, slow[name].answer[:100])


def test_the_router_lives(house):
    assert house.status_get('/v1/status').json['router_starts'] == 1

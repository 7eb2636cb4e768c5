"""Bytes on the wire as an attacker writes them: TLS connections without an HTTP library, ClientHellos in pieces, answers read strictly."""
import contextlib
import json
import select
import socket
import ssl
import time


def tls_context(least=None, most=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if least:
        context.minimum_version = least
    if most:
        context.maximum_version = most
    return context


CONTEXT = tls_context()


def tcp(port, source=None, timeout=30):
    s = socket.create_connection(('127.0.0.1', port), timeout=timeout, source_address=(source, 0) if source else None)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def tls(port, host, source=None, timeout=30, context=None, session=None):
    raw = tcp(port, source, timeout)
    try:
        return (context or CONTEXT).wrap_socket(raw, server_hostname=host, session=session)
    except Exception:
        raw.close()
        raise


def hello_bytes(host, context=None):
    """The ClientHello that a real client would send to that host."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        (context or CONTEXT).wrap_bio(incoming, outgoing, server_hostname=host).do_handshake()
    return outgoing.read()


def request(method, target, host, body=b'', headers=(), **more):
    """The bytes of a good request; headers: pairs. A body gets its length unless a pair says otherwise."""
    head = [('Host', host), *headers, *more.items()]
    if body and not any(k.lower() in ('content-length', 'transfer-encoding') for k, _ in head):
        head.append(('Content-Length', str(len(body))))
    return f'{method} {target} HTTP/1.1\r\n'.encode() + b''.join(f'{k}: {v}\r\n'.encode() for k, v in head) + b'\r\n' + body


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f'<{self.status} {self.body[:200]!r}>'


def split_replies(data, heads=()):
    """All whole answers in these bytes, and what is left. heads: numbers of answers to HEAD, which have no body."""
    replies = []
    while True:
        head, empty, rest = data.partition(b'\r\n\r\n')
        if not empty:
            return replies, data
        lines = head.split(b'\r\n')
        status = int(lines[0].split()[1])
        headers = {k.strip().lower().decode(): v.strip().decode() for k, _, v in (x.partition(b':') for x in lines[1:])}
        if status in (100, 204, 304) or len(replies) in heads:
            body = b''
        elif headers.get('transfer-encoding') == 'chunked':
            body = b''
            while True:
                size, found, after = rest.partition(b'\r\n')
                if not found or len(after) < int(size, 16) + 2:
                    return replies, data
                n = int(size, 16)
                body, rest = body + after[:n], after[n + 2:]
                if n == 0:
                    break
        else:
            n = int(headers.get('content-length', '0'))
            if len(rest) < n:
                return replies, data
            body, rest = rest[:n], rest[n:]
        replies.append(Reply(status, headers, body))
        data = rest


def read_until(sock, enough=lambda data: False, seconds=10):
    """Bytes until the peer closes, `enough(data)` is true or time is over; and whether the peer closed."""
    data, end = b'', time.monotonic() + seconds
    while not enough(data):
        left = end - time.monotonic()
        if left <= 0:
            return data, False
        sock.settimeout(left)
        try:
            piece = sock.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return data, False
        except OSError:
            return data, True
        if not piece:
            return data, True
        data += piece
    return data, False


def exchange(sock, data, count=1, seconds=10):
    """Sends, then reads `count` answers or until the peer closes."""
    with contextlib.suppress(OSError):
        sock.sendall(data)
    got, closed = read_until(sock, lambda d: len(split_replies(d)[0]) >= count, seconds)
    return split_replies(got)[0], closed


def peer_closed(sock, seconds=0):
    """Whether the other end of a plain socket has closed; what it sent before is thrown away."""
    end = time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([sock], [], [], max(0, end - time.monotonic()))
        if not ready:
            return False
        try:
            if not sock.recv(65536):
                return True
        except OSError:
            return True

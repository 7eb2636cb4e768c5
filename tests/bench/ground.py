"""What every measure stands on: processes on their processors, the load, what the kernel says they cost, and nginx to hold them against."""
import json
import os
import pathlib
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from house import House, free_port, wait_for  # noqa: E402

SERVER, LOAD = 0, 1  # processors
ON_SERVER = ('taskset', '-c', str(SERVER))
TICK = os.sysconf('SC_CLK_TCK')


class Broken(Exception):
    """The bench itself cannot go on."""


def need(condition, why):
    if not condition:
        raise Broken(why)


def folder():
    """On a disk, where nginx's and the tenants' uids can pass."""
    made = pathlib.Path(tempfile.mkdtemp(prefix='cloison-bench-', dir='/var/tmp'))
    os.chmod(made, 0o711)
    return made


class Ground:
    """A house and an nginx side by side on processor SERVER, for as long as the `with` lasts."""

    def __init__(self, pinned=True, before=None, **options):
        self.root, self.pinned, self.before, self.options, self.started = folder(), pinned, before, options, []

    def __enter__(self):
        (self.root / 'house').mkdir()
        os.chmod(self.root / 'house', 0o711)
        self.house = House(root=self.root / 'house', **self.options)
        try:
            self.house.start(wrapper=ON_SERVER if self.pinned else (), before=self.before)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.started:
            process.terminate()
            process.wait(10)
        try:
            self.house.stop()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    # nginx

    def nginx(self, size):
        """A static file of `size` bytes behind TLS, with all that makes nginx fast; PUT to /up/. Gives the port and the pid of its worker."""
        base, port = self.root / 'nginx', free_port()
        base.mkdir()
        os.chmod(base, 0o755)
        (base / 'file').write_bytes(b'x' * size)
        (base / 'up').mkdir()
        os.chmod(base / 'up', 0o777)
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
                        '/CN=acme.localhost', '-keyout', base / 'key.pem', '-out', base / 'cert.pem'], check=True, capture_output=True)
        (base / 'conf').write_text(f'''worker_processes 1; daemon off; pid {base}/pid; error_log {base}/error;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600; default_type application/json;
        open_file_cache max=16 inactive=1h; open_file_cache_valid 1h; client_body_temp_path {base}; proxy_temp_path {base};
        fastcgi_temp_path {base}; uwsgi_temp_path {base}; scgi_temp_path {base};
        server {{ listen 127.0.0.1:{port} ssl; server_name acme.localhost; root {base}; ssl_protocols TLSv1.2 TLSv1.3;
                  ssl_certificate {base}/cert.pem; ssl_certificate_key {base}/key.pem;
                  location /up/ {{ dav_methods PUT; client_max_body_size 0; }} }} }}
''')
        process = subprocess.Popen([*ON_SERVER, 'nginx', '-p', base, '-c', base / 'conf'], stderr=subprocess.DEVNULL)
        self.started.append(process)

        def child():
            need(process.poll() is None, 'nginx does not start')
            text = pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
            return int(text[0]) if text else None
        worker = wait_for(child, why='nginx')
        wait_for(lambda: connects(port), why='nginx to listen')
        return port, worker

    def router_pid(self):
        return self._child('cloison-router')

    def _child(self, name):
        pid = self.house.process.pid
        for child in pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
            if pathlib.Path(f'/proc/{child}/cmdline').read_bytes().split(b'\0')[0].endswith(name.encode()):
                return int(child)
        raise Broken(f'no {name}')

    # load

    def wrk(self, port, script, *arguments, connections, seconds):
        """Threads: one, on processor LOAD. The name resolves in a mount namespace of wrk's own."""
        hosts = self.root / 'hosts'
        hosts.write_text('127.0.0.1 localhost acme.localhost bois.localhost\n')
        place = ['taskset', '-c', str(LOAD)] if self.pinned else []
        load = [*place, 'wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '-s', HERE / 'wrk' / f'{script}.lua', f'https://acme.localhost:{port}/',
                '--', *map(str, arguments)]
        return subprocess.Popen(['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, *load], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def load(self, *arguments, pids=(), **options):
        """Runs wrk to its end: its figures, and the CPU time a request cost the processes `pids`."""
        before = cpu_seconds(pids)
        figures = wrk_figures(self.wrk(*arguments, **options))
        figures['cpu_us'] = (cpu_seconds(pids) - before) / figures['requests'] * 1e6
        return figures


def wrk_figures(process):
    text = process.communicate()[0]
    lines = [line for line in text.splitlines() if line.startswith('JSON ')]
    need(process.returncode == 0 and lines, f'wrk: {text}')
    figures = json.loads(lines[0][5:])
    need(figures['errors'] == 0 and figures['requests'] > 0, f'wrk met errors: {text}')
    return figures | {'per_s': figures['requests'] / figures['seconds']}


def connects(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def cpu_seconds(pids):
    """User and system time of these processes, all threads."""
    total = 0
    for pid in pids:
        field = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        total += int(field[11]) + int(field[12])
    return total / TICK


def mem_available():
    for line in pathlib.Path('/proc/meminfo').read_text().splitlines():
        if line.startswith('MemAvailable:'):
            return int(line.split()[1]) * 1024
    raise Broken('no MemAvailable')


def fdatasync_us(path, times=200):
    """One overwrite of 16 KiB and its fdatasync: the median, where the tenants' files lie."""
    block, took = bytes(16384), []
    fd = os.open(path / 'sync', os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, block, 0)
    os.fsync(fd)
    for _ in range(times):
        os.pwrite(fd, block, 0)
        start = time.perf_counter()
        os.fdatasync(fd)
        took.append(time.perf_counter() - start)
    os.close(fd)
    os.unlink(path / 'sync')
    return statistics.median(took) * 1e6


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def tls(context, port, host):
    """A new connection, no session resumed."""
    raw = socket.create_connection(('127.0.0.1', port), 30)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, server_hostname=host)


def read_answer(connection):
    """One answer with a Content-Length; its status."""
    data = b''
    while b'\r\n\r\n' not in data:
        more = connection.recv(65536)
        need(more, 'the connection ended before an answer')
        data += more
    head, _, body = data.partition(b'\r\n\r\n')
    length = next(int(line.split(b':')[1]) for line in head.split(b'\r\n') if line.lower().startswith(b'content-length:'))
    while len(body) < length:
        more = connection.recv(65536)
        need(more, 'the connection ended within an answer')
        body += more
    return int(head.split()[1])


def request_bytes(host, path, token=None):
    bearer = f'Authorization: Bearer {token}\r\n' if token else ''
    return f'GET {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n'.encode()


class OnLoad:
    """The caller on processor LOAD for as long as the `with` lasts."""

    def __enter__(self):
        self.before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {LOAD})

    def __exit__(self, *_):
        os.sched_setaffinity(0, self.before)

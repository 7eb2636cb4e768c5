"""Object stores for tests: npm's s3rver, one of our own that is honest or bent, and the courier's client from a command line."""
import base64
import contextlib
import datetime
import hashlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse

import pytest

from house import ARCHIVE, BUILD, PLAN, REPO, Client, free_port, wait_for

WORDS = b'sealed bytes ' * 20000
S3RVER = """
const S3rver = require('s3rver');
new S3rver({port: +process.argv[2], address: '127.0.0.1', silent: true, directory: process.argv[3], allowMismatchedSignatures: false,
            configureBuckets: [{name: 'bucket'}]}).run();
"""


class Probe:
    """build/system/store_probe, told where."""

    def __init__(self, folder, endpoint, ca='', bucket='bucket'):
        self.folder, self.endpoint, self.ca, self.bucket = folder, endpoint, ca, bucket
        self.program = BUILD / 'system' / 'store_probe'
        subprocess.run(['make', '-s', '-C', REPO, f'BUILD={BUILD}', self.program], check=True, timeout=600)
        self.credentials = folder / 'credentials'
        self.credentials.write_text('[default]\naws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n')

    def __call__(self, *words, tries=3):
        """The lines it prints; the last one is the result."""
        run = subprocess.run([self.program, str(tries), self.endpoint, self.bucket, self.credentials, self.ca, *map(str, words)], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run
        return run.stdout.split('\n')[:-1]

    def file(self, content=WORDS, name='file'):
        path = self.folder / name
        path.write_bytes(content)
        return path


@contextlib.contextmanager
def s3rver(folder):
    """npm's s3rver with a bucket; its endpoint and where its files are. Where the npm registry cannot be reached, the test is skipped."""
    try:
        subprocess.run(['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', '--fetch-timeout=20000', '--fetch-retries=1',
                        's3rver@3.7.1'], cwd=folder, check=True, timeout=180, capture_output=True)
    except (OSError, subprocess.SubprocessError) as why:
        pytest.skip(f'the npm registry cannot be reached: {type(why).__name__}')
    (folder / 'store.js').write_text(S3RVER)
    port = free_port()
    # Its continuation tokens are made with a cipher of the legacy provider.
    with subprocess.Popen(['node', '--openssl-legacy-provider', 'store.js', str(port), folder / 'data'], cwd=folder) as process:
        def up():
            with socket.socket() as s:
                return s.connect_ex(('127.0.0.1', port)) == 0
        wait_for(up, 30, why='s3rver')
        yield f'http://127.0.0.1:{port}'
        process.kill()


class Liar:
    """Answers by self.script(method, target, headers, body, times) -> (status, headers, body) or a callable that takes the socket."""

    def __init__(self, context=None):
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:
                    pass  # the probe left

            def answer(self):
                if self.headers.get('Expect') and self.command == 'PUT':
                    self.send_response_only(100)
                    self.end_headers()
                body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
                liar.asked.append((self.command, self.path))
                told = liar.script(self.command, self.path, self.headers, body, len(liar.asked))
                if callable(told):
                    told(self.connection)
                    self.close_connection = True
                    return
                status, headers, content = told
                self.send_response_only(status)
                for name, value in ({'Content-Length': len(content)} | headers).items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command != 'HEAD':
                    self.wfile.write(content)
            do_GET = do_PUT = do_HEAD = do_DELETE = answer
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.scheme = 'https' if context else 'http'
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.asked, self.script = [], None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f'{self.scheme}://127.0.0.1:{self.server.server_address[1]}'


class Honest:
    """A store of one object in memory, whose answers a test then bends."""

    def __init__(self):
        self.kept = None

    def __call__(self, method, target, headers, body, times):
        if method == 'PUT':
            if self.kept is not None and headers.get('If-None-Match') == '*':
                return 412, {}, b'<Error><Code>PreconditionFailed</Code></Error>'
            self.kept, self.hash = body, headers['x-amz-meta-sha256']
            return 200, {'ETag': '"1"'}, b''
        if self.kept is None:
            return 404, {}, b'<Error><Code>NoSuchKey</Code></Error>'
        described = {'ETag': '"1"', 'x-amz-meta-sha256': self.hash}
        if method == 'HEAD':
            return 200, described | {'Content-Length': len(self.kept)}, b''
        return 200, described, self.kept


class Bucket:
    """A store of our own that is honest: objects in memory with their versions, conditional puts, lists, and object lock where it is made with
    it, as S3 has it: a lock is never shortened, a delete by key hides, a delete by version removes what is not locked."""

    def __init__(self, lock=False):
        self.lock, self.kept, self.count, self.ahead = lock, {}, 0, 0  # key -> versions, the newest last: dicts, None = hidden

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.ahead)

    def keys(self):
        return sorted(k for k, versions in self.kept.items() if versions and versions[-1])

    def __call__(self, method, target, headers, body, times):
        path, _, query = target.partition('?')
        key, asked = path.removeprefix('/bucket').removeprefix('/'), dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if method == 'GET' and not key:
            return self.list(asked)
        versions = self.kept.setdefault(key, [])
        if method == 'PUT':
            return self.retention(versions, headers, body) if 'retention' in asked else self.put(versions, headers, body)
        if method == 'DELETE':
            return self.delete(versions, asked.get('versionId'))
        if not versions or not versions[-1]:
            return error(404, 'NoSuchKey')
        found = versions[-1]
        described = {'ETag': found['etag'], 'x-amz-meta-sha256': found['hash'], 'Content-Length': len(found['body'])}
        if self.lock:
            described['x-amz-version-id'] = found['version']
        if found['until']:
            described |= {'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': found['until']}
        return 200, described, b'' if method == 'HEAD' else found['body']

    def put(self, versions, headers, body):
        if versions and versions[-1] and headers.get('If-None-Match') == '*':
            return error(412, 'PreconditionFailed')
        until = headers.get('x-amz-object-lock-retain-until-date')
        if until and (not self.lock or headers.get('x-amz-object-lock-mode') != 'COMPLIANCE' or date(until) <= self.now()):
            return error(400, 'InvalidRequest')
        self.count += 1
        made = {'body': body, 'hash': headers['x-amz-meta-sha256'], 'etag': f'"{self.count}"', 'version': f'v.{self.count}', 'until': until}
        versions[:] = [*versions, made] if self.lock else [made]
        return 200, {'ETag': made['etag']}, b''

    def retention(self, versions, headers, body):
        until = re.fullmatch(rb'<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>(.*)</RetainUntilDate></Retention>', body)[1].decode()
        assert headers['Content-MD5'] == base64.b64encode(hashlib.md5(body).digest()).decode()
        if not self.lock or (versions[-1]['until'] or '') > until:
            return error(403 if self.lock else 400, 'AccessDenied')
        versions[-1]['until'] = until
        return 200, {}, b''

    def delete(self, versions, version):
        if version is None:
            versions[:] = [*versions, None] if self.lock else []
            return 204, {}, b''
        at = next(i for i, v in enumerate(versions) if v and v['version'] == version)
        if versions[at]['until'] and date(versions[at]['until']) > self.now():
            return error(403, 'AccessDenied')
        del versions[at]
        return 204, {}, b''

    def list(self, asked):
        keys = [k for k in self.keys() if k.startswith(asked['prefix']) and k > asked.get('continuation-token', '')]
        shown, more = keys[:3], keys[3:]
        rows = ''.join(f'<Contents><Key>{k}</Key><Size>{len(self.kept[k][-1]["body"])}</Size></Contents>' for k in shown)
        token = f'<IsTruncated>true</IsTruncated><NextContinuationToken>{shown[-1]}</NextContinuationToken>' if more else ''
        return 200, {}, f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}{token}</ListBucketResult>'.encode()


def error(status, code):
    return status, {}, f'<Error><Code>{code}</Code></Error>'.encode()


def date(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))


def page(keys, more='', size=3):
    rows = ''.join(f'<Contents><Key>{k}</Key><Size>{size}</Size></Contents>' for k in keys)
    return 200, {}, f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}{more}</ListBucketResult>'.encode()


# ---- a house whose copies go to a store ----

def credentials(folder):
    path = folder / 'store-credentials'
    path.write_text('[default]\naws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n')
    path.chmod(0o600)
    return path


def destinations_at(endpoint, root, object_lock, bucket='bucket', locked='bucket'):
    """`far` takes backups, `vault` archives."""
    common = f'kind = s3 endpoint = "{endpoint}" region = eu-de credentials = "{credentials(root)}"'
    lock = 'object_lock = true' if object_lock else ''
    return (f'destination "far" {{ {common} bucket = "{bucket}" }}\n'
            f'destination "vault" {{ {common} bucket = "{locked}" archive = true {lock} }}\n')


def last(client, kind='backup'):
    return client.get('/api/v1/plans').json[kind]['last']


def arrived(client, kind='backup', number=1, seconds=60):
    """The snapshot of at least that number lies at the store."""
    def done():
        now = last(client, kind)
        return now if now['number'] >= number and not now['busy'] and now['result'] == 'done' else None
    return wait_for(done, seconds, why=f'{kind} {number}: {last(client, kind)}')


def planned(client, kind, plan):
    answer = client.put(f'/api/v1/plans/{kind}', plan)
    assert answer.status == 200, answer


def the_whole_way(house, client, name, keys):
    """Plan, take, send, check, drill, restore, prune, end: a tenant's backup and archive at the store whose keys that function tells."""
    number = os.stat(house.state / 'tenants' / name).st_uid - house.options['uid_base']
    for kind, more in (('backup', ()), ('archive', ('--archive',))):
        plan = (PLAN if kind == 'backup' else ARCHIVE) | {'where': 'far' if kind == 'backup' else 'vault'}
        planned(client, kind, plan)
        arrived(client, kind, 1)
        assert client.post('/api/v1/companies', {'name': f'After the first {kind}'}).status == 201
        house.cli('backup', 'now', name, *more, duties=('operator',))
        arrived(client, kind, 2)
        prefix = f't/{number:016x}/{kind}/'
        assert [k for k in keys() if k.startswith(f'{prefix}manifests/')] == [f'{prefix}manifests/{n:016x}' for n in (1, 2)]
        items = json.loads(house.cli('backup', 'list', name, *more, '--json', duties=('operator',)).stdout)['items']
        assert [(i['number'], i['sent']) for i in items] == [(2, True), (1, True)]
        house.cli('backup', 'verify', name, *more, duties=('operator',))
        house.cli('backup', 'drill', name, *more, duties=('operator',))
        there, folder = f'{name}-{kind}', house.state / 'tenants' / f'{name}-{kind}'
        house.cli('tenant', 'create', there, '--host', f'{there}.localhost', '--restore', duties=('registrar',))
        shutil.copy(house.state / 'tenants' / name / 'capsule', folder / 'capsule')
        os.chown(folder / 'capsule', *[os.stat(folder).st_uid] * 2)
        house.cli('backup', 'restore', there, '--from', plan['where'], '--source', str(number), *more, duties=('registrar',))
        house.cli('tenant', 'resume', there)
        opened = Client(house, f'{there}.localhost')
        assert opened.login().status in (200, 201)
        assert opened.get('/api/v1/companies?limit=100').json['items'] == client.get('/api/v1/companies?limit=100').json['items']
        house.cli('tenant', 'suspend', there)
    for kind in ('backup', 'archive'):
        assert client.delete(f'/api/v1/plans/{kind}').status == 202
    wait_for(lambda: client.get('/api/v1/plans').json['backup'] is None, 30, why='the backup to go')
    left = [k for k in keys() if k.startswith(f't/{number:016x}/')]
    assert {k.split('/')[2] for k in left} == {'archive'} and len(left) >= 4, left  # its lock has not run out
    assert client.get('/api/v1/plans').json['archive']['state'] == 'ending'

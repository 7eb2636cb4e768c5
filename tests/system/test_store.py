"""The courier's S3 client (C7, C8) against a real store, npm's s3rver, and against one of our own that lies, stalls and fails.

Where the npm registry cannot be reached the first part is skipped.
"""
import hashlib
import hmac
import re
import ssl
import subprocess
import time
import urllib.parse

import pytest
from house import wait_for
from stores import WORDS, Bucket, Honest, Liar, Probe, date, page, s3rver


# ---- a real store ----

@pytest.fixture(scope='module')
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp('npm')
    with s3rver(folder) as endpoint:
        yield Probe(folder, endpoint)


def test_what_was_put_comes_back(store):
    assert store('put', 'a/b/one', store.file(), 'new') == ['done']
    assert store('get', 'a/b/one', store.folder / 'back', len(WORDS)) == [f'{len(WORDS)} {hashlib.sha256(WORDS).hexdigest()}', 'done']
    assert (store.folder / 'back').read_bytes() == WORDS
    assert store('size', 'a/b/one') == [str(len(WORDS)), 'done']


def test_an_empty_file_and_one_that_is_there_already(store):
    assert store('put', 'empty', store.file(b''), 'new') == ['done']
    assert store('put', 'empty', store.file(), 'new') == ['exists']
    assert store('size', 'empty') == ['0', 'done']
    assert store('put', 'empty', store.file()) == ['done']
    assert store('size', 'empty') == [str(len(WORDS)), 'done']


def test_what_is_not_there_is_absent(store):
    assert store('size', 'no/such') == ['absent']
    assert store('get', 'no/such', store.folder / 'back', 10) == ['absent']


def test_a_deleted_one_is_gone(store):
    assert store('put', 'gone', store.file()) == ['done']
    assert store('delete', 'gone') == ['done']
    assert store('size', 'gone') == ['absent']


def test_bytes_that_are_not_the_hash_are_not_put(store):
    assert store('put', 'never', store.file(), 'wrong') == ['local']


def test_a_list_goes_on_over_pages_in_order(store):
    data = store.folder / 'data' / 'bucket' / 'many'  # put there as the store does it, since a thousand puts take a while
    assert store('put', 'many/x0000', store.file(b'abc')) == ['done']
    wait_for(lambda: len(list(data.glob('x0000*'))) == 3)
    for n in range(1, 1203):
        for part in data.glob('x0000*'):
            (data / part.name.replace('x0000', f'x{n:04}')).write_bytes(part.read_bytes())
    assert store('list', 'many/') == [f'many/x{n:04} 3' for n in range(1203)] + ['done']
    assert store('list', 'many/x12') == ['many/x1200 3', 'many/x1201 3', 'many/x1202 3', 'done']
    assert store('list', 'nothing') == ['done']


def test_wrong_credentials_are_refused(store, tmp_path):
    other = Probe(tmp_path, store.endpoint)
    other.credentials.write_text('aws_access_key_id = STRANGER\naws_secret_access_key = S3RVER\n')  # s3rver computes no signature of version 4
    assert other('list', '') == ['refused']
    assert other('put', 'a', other.file()) == ['refused']


# ---- one that lies ----

# C7, C8: every lie of a store about what it keeps is found

@pytest.fixture
def liar(tmp_path):
    liar = Liar()
    liar.probe = Probe(tmp_path, liar.endpoint)
    yield liar
    liar.server.shutdown()
    liar.server.server_close()


def signature(method, target, headers, secret='S3RVER'):
    """AWS Signature 4 as its specification says, from what arrived."""
    path, _, query = target.partition('?')
    scope = re.search(r'Credential=[^/]+/(\S+?),', headers['Authorization'])[1]
    signed = re.search(r'SignedHeaders=(\S+?),', headers['Authorization'])[1]
    parts = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical = '\n'.join([
        method, urllib.parse.quote(urllib.parse.unquote(path), safe='/'),
        '&'.join(f'{urllib.parse.quote(k, safe="")}={urllib.parse.quote(v, safe="")}' for k, v in parts),
        *(f'{name}:{headers[name].strip()}' for name in signed.split(';')), '', signed, headers['x-amz-content-sha256']])
    to_sign = '\n'.join(['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f'AWS4{secret}'.encode()
    for part in scope.split('/'):
        key = hmac.new(key, part.encode(), 'sha256').digest()
    return hmac.new(key, to_sign.encode(), 'sha256').hexdigest()


def test_every_request_is_signed_with_the_hash_of_its_body(liar):
    honest, token = Honest(), 'a/b+c=d e'

    def script(method, target, headers, body, times):
        assert headers['x-amz-content-sha256'] == hashlib.sha256(body).hexdigest()
        if headers['Authorization'].split('Signature=')[1] != signature(method, target, headers):
            return 403, {}, b'<Error><Code>SignatureDoesNotMatch</Code></Error>'
        if '?' not in target:
            return honest(method, target, headers, body, times) if method != 'DELETE' else (204, {}, b'')
        if 'continuation-token' in target:
            return page(['k/b'])
        return page(['k/a'], f'<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>')
    liar.script = script
    assert liar.probe('put', 'k/a.b_c-d', liar.probe.file(), 'new') == ['done']
    assert liar.probe('get', 'k/a.b_c-d', liar.probe.folder / 'back', 10**6)[-1] == 'done'
    assert liar.probe('list', 'k/') == ['k/a 3', 'k/b 3', 'done']
    assert liar.probe('delete', 'k/a.b_c-d') == ['done']
    liar.probe.credentials.write_text('aws_access_key_id = S3RVER\naws_secret_access_key = other\n')
    assert liar.probe('list', 'k/') == ['refused']


def test_an_honest_one_of_ours_is_believed(liar):
    liar.script = Honest()
    assert liar.probe('put', 'k', liar.probe.file(), 'new') == ['done']
    assert liar.probe('get', 'k', liar.probe.folder / 'back', 10**6)[-1] == 'done'
    assert liar.probe('put', 'k', liar.probe.file(), 'new') == ['exists']


@pytest.mark.parametrize('bend', [
    lambda h: h | {'ETag': '"2"'}, lambda h: h | {'Content-Length': 7}, lambda h: h | {'x-amz-meta-sha256': '0' * 64},
    lambda h: {k: v for k, v in h.items() if k != 'x-amz-meta-sha256'}], ids=['etag', 'length', 'hash', 'no hash'])
def test_a_put_whose_object_is_another_is_a_lie(liar, bend):
    honest = Honest()

    def script(method, *more):
        status, headers, body = honest(method, *more)
        return status, bend(headers) if method == 'HEAD' and status == 200 else headers, body
    liar.script = script
    assert liar.probe('put', 'k', liar.probe.file()) == ['lied']


def test_a_put_that_is_forgotten_is_a_lie(liar):
    liar.script = lambda method, *_: (200, {'ETag': '"1"'}, b'') if method == 'PUT' else (404, {}, b'')
    assert liar.probe('put', 'k', liar.probe.file()) == ['lied']


def test_other_bytes_than_were_put_are_a_lie(liar):
    liar.script = lambda *_: (200, {'x-amz-meta-sha256': hashlib.sha256(b'abc').hexdigest()}, b'abd')
    assert liar.probe('get', 'k', liar.probe.folder / 'back', 10) == ['lied']


def test_more_bytes_than_asked_for_are_a_lie_and_not_taken(liar):
    liar.script = lambda *_: (200, {}, b'x' * 5_000_000)
    assert liar.probe('get', 'k', liar.probe.folder / 'back', 1000) == ['lied']
    assert (liar.probe.folder / 'back').stat().st_size <= 1000


def test_an_answer_that_ends_early_is_tried_again_from_the_beginning(liar):
    def cut(connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
    liar.script = lambda m, t, h, b, times: cut if times < 3 else (200, {}, b'abcdef')
    assert liar.probe('get', 'k', liar.probe.folder / 'back', 10)[-1] == 'done'
    assert (liar.probe.folder / 'back').read_bytes() == b'abcdef'


def test_one_that_fails_is_tried_again_and_then_given_up(liar):
    liar.script = lambda *_: (500, {}, b'')
    assert liar.probe('size', 'k') == ['unreachable']
    assert len(liar.asked) == 3
    liar.asked.clear()
    liar.script = lambda m, t, h, b, times: (503, {}, b'') if times < 3 else (200, {'Content-Length': 5}, b'')
    assert liar.probe('size', 'k') == ['5', 'done']


def test_one_that_stalls_is_left(liar):
    liar.script = lambda *_: lambda connection: time.sleep(20)
    begun = time.monotonic()
    assert liar.probe('size', 'k', tries=2) == ['unreachable']
    assert time.monotonic() - begun < 19  # not the store's patience


def test_one_that_stalls_in_the_middle_is_left(liar):
    def half(connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc')
        time.sleep(20)
    liar.script = lambda *_: half
    assert liar.probe('get', 'k', liar.probe.folder / 'back', 10000, tries=1) == ['unreachable']


def test_a_put_whose_answer_was_lost_is_recognised_behind_the_412(liar):
    honest = Honest()

    def script(method, *more):
        told = honest(method, *more)
        if method == 'PUT' and told[0] == 200:
            return lambda connection: connection.close()  # it is kept, and nobody hears so
        return told
    liar.script = script
    assert liar.probe('put', 'k', liar.probe.file(), 'new') == ['done']
    assert honest.kept == WORDS


def test_a_412_of_somebody_elses_object_is_told(liar):
    liar.script = lambda method, *_: (412, {}, b'') if method == 'PUT' else (404, {}, b'')
    assert liar.probe('put', 'k', liar.probe.file(), 'new') == ['exists']


@pytest.mark.parametrize('status, result', [(403, 'refused'), (400, 'refused'), (301, 'refused'), (507, 'full'), (204, 'lied'), (206, 'lied'), (418, 'lied')])
def test_what_a_status_means(liar, status, result):
    liar.script = lambda *_: (status, {'Location': 'http://127.0.0.1:1/'} if status == 301 else {}, b'')
    assert liar.probe('get', 'k', liar.probe.folder / 'back', 10) == [result]


def test_what_is_no_http_is_given_up(liar):
    liar.script = lambda *_: lambda connection: connection.sendall(b'220 mail.example ESMTP\r\n')
    assert liar.probe('size', 'k') == ['unreachable']


ENDLESS = '<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>'


@pytest.mark.parametrize('told, result', [
    (page(['a', 'b']), ['a 3', 'b 3', 'done']),
    (page(['a', 'Not A Key', '../x', 'b']), ['a 3', 'b 3', 'done']),  # of somebody else's
    (page(['b', 'a']), ['b 3', 'lied']),
    (page(['a', 'a']), ['a 3', 'lied']),
    (page(['a'], ENDLESS), ['a 3', 'lied']),
    (page(['a'], '<IsTruncated>true</IsTruncated>'), ['lied']),
    (page(f'k{n:05}' for n in range(1001)), ['lied']),
    ((200, {}, b'<html/>'), ['lied']),
    ((200, {}, b'<ListBucketResult>'), ['lied']),
    ((200, {}, b'<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>'), ['lied']),
    ((200, {}, b'<!DOCTYPE x [<!ENTITY e "eeee">]><ListBucketResult/>'), ['lied']),
    ((200, {}, b'x' * 5_000_000), ['lied']),
], ids=range(12))
def test_a_list_is_only_believed_where_it_is_one(liar, told, result):
    liar.script = lambda *_: told
    assert liar.probe('list', '') == result


# C7: a store that has always one more key to tell is not listened to for ever
def test_a_list_without_end_ends(liar):
    def script(method, target, headers, body, times):
        return page([f'k{times:08}'], f'<IsTruncated>true</IsTruncated><NextContinuationToken>{times}</NextContinuationToken>')
    liar.script = script
    told = liar.probe('list', '')
    assert told[-1] == 'lied' and 256 < len(told) < 300


def test_a_list_beside_the_prefix_is_a_lie(liar):
    liar.script = lambda *_: page(['other/a'])
    assert liar.probe('list', 'mine/') == ['lied']


# ---- TLS ----

@pytest.fixture(scope='module')
def authority(tmp_path_factory):
    """Two self-signed certificates of 127.0.0.1."""
    folder = tmp_path_factory.mktemp('tls')
    for name, address in (('right', 'IP:127.0.0.1'), ('other', 'IP:127.0.0.1'), ('elsewhere', 'DNS:store.example')):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', folder / f'{name}.key', '-out',
                        folder / f'{name}.pem', '-days', '2', '-subj', '/CN=store', '-addext', f'subjectAltName={address}'], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize('shown, trusted, result', [('right', 'right', ['done']), ('right', 'other', ['refused']), ('elsewhere', 'elsewhere', ['refused']),
                                                     ('right', '', ['refused'])])
def test_only_a_store_that_is_who_it_says_is_spoken_to(authority, tmp_path, shown, trusted, result):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / f'{shown}.pem', authority / f'{shown}.key')
    liar = Liar(context)
    liar.script = lambda *_: page([])
    probe = Probe(tmp_path, liar.endpoint, authority / f'{trusted}.pem' if trusted else '')
    assert probe('list', '') == result
    assert bool(liar.asked) == (result == ['done'])  # no signature is shown to a stranger
    liar.server.shutdown()
    liar.server.server_close()


# ---- object lock ----

def at(hours):
    return int((time.time() + 3600 * hours) * 1000)


# C8: no lock is shortened, nothing locked goes, and what goes is gone with all its versions
def test_a_lock_is_set_extended_and_waited_for(liar):
    liar.script = store = Bucket(lock=True)
    assert liar.probe('put', 'k', liar.probe.file(), 'new', at(1)) == ['done']
    assert liar.probe('hold', 'k', at(0.5)) == ['done'] and liar.probe('hold', 'k', at(2)) == ['done']
    assert date(store.kept['k'][-1]['until']).timestamp() * 1000 > at(1.9)
    assert liar.probe('put', 'k', liar.probe.file(b'other'), '', at(1)) == ['done']  # another version hides it
    assert liar.probe('purge', 'k') == ['locked']
    store.ahead = 3600 * 1.5
    assert liar.probe('purge', 'k') == ['locked'] and len(store.kept['k']) == 1
    assert store.kept['k'][0]['body'] == WORDS
    store.ahead = 3600 * 3
    assert liar.probe('purge', 'k') == ['done'] and store.kept['k'] == []
    assert liar.probe('purge', 'k') == ['absent'] and liar.probe('hold', 'k', at(1)) == ['absent']


@pytest.mark.parametrize('bend', [
    lambda h: h | {'x-amz-object-lock-mode': 'GOVERNANCE'}, lambda h: h | {'x-amz-object-lock-retain-until-date': '2026-01-01T00:00:00Z'},
    lambda h: h | {'x-amz-object-lock-retain-until-date': '9'}, lambda h: {k: v for k, v in h.items() if 'lock' not in k}],
    ids=['governance', 'early', 'no date', 'none'])
def test_a_lock_that_is_none_is_told(liar, bend):
    store = Bucket(lock=True)

    def script(method, *more):
        status, headers, body = store(method, *more)
        return status, bend(headers) if method == 'HEAD' and status == 200 else headers, body
    liar.script = script
    assert liar.probe('put', 'k', liar.probe.file(), 'new', at(1)) == ['unlocked']
    assert liar.probe('hold', 'k', at(2)) == ['unlocked']

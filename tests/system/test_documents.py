"""Documents: versions, folders, tags and links; uploads that break off and go on; ranges; what a browser is given; a full store; a rotation."""
import base64
import hashlib
import os
import random
import signal

import pytest

from house import House, wait_for

CHUNK = 63 * 2048 - 20
TUS = {'Tus-Resumable': '1.0.0'}
BYTES = TUS | {'Content-Type': 'application/offset+octet-stream'}


def some(size, seed=1):
    return random.Random(seed).randbytes(size)


def metadata(**pairs):
    return ','.join(f'{k} {base64.b64encode(v.encode()).decode()}' for k, v in pairs.items())


def made(client, name='a.pdf', **more):
    answer = client.post('/api/v1/documents', {'name': name, **more})
    assert answer.status == 201, answer
    return answer.json['id']


def uploaded(client, data, name='a.pdf', kind='application/pdf', **more):
    path = f'/api/v1/documents/{made(client, name, **more)}'
    answer = client.put(f'{path}/content', data, headers={'Content-Type': kind})
    assert answer.status == 200, answer
    return path


def begun(client, size, **pairs):
    answer = client.post('/api/v1/uploads', headers=TUS | {'Upload-Length': str(size), 'Upload-Metadata': metadata(**pairs)})
    assert answer.status == 201, answer
    return answer.headers['Location']


def sent(client, upload, data, offset):
    return client.patch(upload, data, headers=BYTES | {'Upload-Offset': str(offset)})


def offset_of(client, upload):
    answer = client.request('HEAD', upload, headers=TUS)
    assert answer.status == 200 and answer.headers['Tus-Resumable'] == '1.0.0', answer
    return int(answer.headers['Upload-Offset'])


def break_off(client, path, data, announced, headers, method='PUT'):
    """Sends the beginning of a body, then ends the connection without a word."""
    client.close()
    connection = client._connect()
    cookies = '; '.join(f'{k}={v}' for k, v in client.cookies.items())
    head = {'Host': client.host, 'Cookie': cookies, 'Content-Length': str(announced), **headers}
    connection.sock.sendall(f'{method} {path} HTTP/1.1\r\n'.encode() + ''.join(f'{k}: {v}\r\n' for k, v in head.items()).encode() + b'\r\n' + data)
    connection.close()


def asked_before(client, path, announced):
    """The answer to a head that waits for leave to send its body."""
    client.close()
    connection = client._connect()
    cookies = '; '.join(f'{k}={v}' for k, v in client.cookies.items())
    connection.sock.sendall(f'PUT {path} HTTP/1.1\r\nHost: {client.host}\r\nCookie: {cookies}\r\nContent-Length: {announced}\r\n'
                            'Expect: 100-continue\r\n\r\n'.encode())
    status = int(connection.sock.recv(4096).split()[1])
    connection.close()
    return status


@pytest.fixture(scope='module')
def acme(house):
    return house.acme


@pytest.mark.parametrize('size', [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 3_000_000])
def test_what_goes_in_comes_out(acme, size):
    data = some(size)
    path = uploaded(acme, data)
    record = acme.get(path).json
    assert record['size'] == size and record['sha256'] == hashlib.sha256(data).hexdigest() and record['type'] == 'application/pdf'
    answer = acme.get(f'{path}/content')
    assert answer.status == 200 and answer.body == data
    assert answer.headers['Repr-Digest'] == f'sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:'
    head = acme.request('HEAD', f'{path}/content')
    assert head.status == 200 and head.headers['Content-Length'] == str(size) and head.body == b''
    assert acme.delete(path).status == 204
    assert acme.get(f'{path}/content').status == 404


def test_ranges(acme):
    data = some(3 * CHUNK + 77)
    path = uploaded(acme, data) + '/content'
    size, tag = len(data), acme.get(path).headers['ETag']
    for first, last in ((0, 0), (CHUNK - 1, CHUNK), (5, 2 * CHUNK + 5), (size - 1, size - 1), (size - 10, size + 10)):
        answer = acme.get(path, headers={'Range': f'bytes={first}-{last}'})
        assert answer.status == 206 and answer.body == data[first:last + 1]
        assert answer.headers['Content-Range'] == f'bytes {first}-{min(last, size - 1)}/{size}'
    assert acme.get(path, headers={'Range': 'bytes=-7'}).body == data[-7:]
    beyond = acme.get(path, headers={'Range': f'bytes={size}-'})
    assert beyond.status == 416 and beyond.headers['Content-Range'] == f'bytes */{size}'
    for header in ('bytes=0-1,3-4', 'bytes=9-3', 'nonsense'):
        assert acme.get(path, headers={'Range': header}).status == 200
    assert acme.get(path, headers={'Range': 'bytes=0-4', 'If-Range': tag}).status == 206
    for stale in ('"0123456789abcdef"', f'W/{tag}', 'Thu, 26 Nov 2026 02:36:15 GMT'):
        assert acme.get(path, headers={'Range': 'bytes=0-4', 'If-Range': stale}).body == data
    assert acme.get(path, headers={'If-None-Match': tag}).status == 304
    assert acme.get(path, headers={'If-Match': '"0123456789abcdef"'}).status == 412


# S14: a browser is given nothing that runs
def test_a_browser_is_given_nothing_that_runs(acme):
    page = b'<script>alert(1)</script>'
    for name, kind in (('a.html', 'text/html'), ('a.svg', 'image/svg+xml'), ('a.xhtml', 'application/xhtml+xml'), ('a.js', 'text/javascript')):
        path = uploaded(acme, page, name, kind)
        answer = acme.get(f'{path}/content')
        assert answer.headers['Content-Type'] == 'application/octet-stream' and acme.get(path).json['type'] == kind
        assert answer.headers['X-Content-Type-Options'] == 'nosniff'
        assert answer.headers['Content-Disposition'].startswith('attachment;')
        assert answer.headers.get_all('Content-Security-Policy') == ["sandbox; default-src 'none'; frame-ancestors 'none'"]
    path = uploaded(acme, page, 'é "x"; filename=evil.exe', 'application/pdf')
    answer = acme.get(f'{path}/content')
    assert answer.headers['Content-Type'] == 'application/pdf'
    assert answer.headers['Content-Disposition'] == ('attachment; filename="____x___filename_evil.exe"; '
                                                     "filename*=UTF-8''%C3%A9%20%22x%22%3B%20filename%3Devil.exe")


def test_versions(acme):
    path = uploaded(acme, b'one', kind='text/plain')
    tag = acme.get(path).headers['ETag']
    assert acme.put(f'{path}/content', b'two two', headers={'Content-Type': 'text/csv', 'If-Match': '"999"'}).status == 412
    second = acme.put(f'{path}/content', b'two two', headers={'Content-Type': 'text/csv', 'If-Match': tag})
    assert second.status == 200 and [v['number'] for v in second.json['versions']] == [1, 2] and second.json['size'] == 7
    assert acme.get(f'{path}/content').body == acme.get(f'{path}/versions/2').body == b'two two'
    assert acme.get(f'{path}/versions/1').body == b'one' and acme.get(f'{path}/versions/3').status == 404
    changed = acme.patch(path, {'name': 'other.txt', 'size': 5, 'content': 'forged', 'versions': []})  # what the server gives is passed over
    assert changed.status == 200 and changed.json['size'] == 7 and len(changed.json['versions']) == 2 and changed.json['name'] == 'other.txt'
    assert acme.put(path, {'name': 'third.txt'}).json['versions'] == changed.json['versions']
    gone = acme.delete(f'{path}/versions/2')
    assert gone.status == 200 and gone.json['size'] == 3 and acme.get(f'{path}/content').body == b'one'
    assert acme.delete(f'{path}/versions/2').status == 404
    last = acme.delete(f'{path}/versions/1')
    assert last.status == 200 and 'content' not in last.json and acme.get(f'{path}/content').status == 404
    lines = [i for i in acme.get('/api/v1/journal?limit=50').json['items'] if i['act'] == 'version_deleted']
    assert [i['about']['number'] for i in lines][:2] == [1, 2]


def test_folders_tags_and_links(acme):
    who = acme.post('/api/v1/contacts', {'family_name': 'Dürr'}).json['id']
    link = f'contacts/{who}'
    for i in range(12):
        made(acme, f'doc {i:02}', folder='Contrats/2026' if i % 2 else 'Devis', tags=['urgent'] if i % 3 == 0 else ['lent'], links=[link] if i < 6 else [])
    big = made(acme, 'n' * 255, folder='é' * 200, tags=[f'{"t" * 60}{i}' for i in range(16)], links=[link])  # more than a summary holds

    def names(query):
        found, cursor = [], ''
        while cursor is not None:
            page = acme.get(f'/api/v1/documents?limit=2&{query}' + (f'&cursor={cursor}' if cursor else ''))
            assert page.status == 200, page
            found, cursor = found + [i['id'] if i['id'] == big else i['name'] for i in page.json['items']], page.json['next']
        return found
    assert names('folder=Contrats/2026') == [f'doc {i:02}' for i in (1, 3, 5, 7, 9, 11)]
    assert names('tag=urgent') == [f'doc {i:02}' for i in (0, 3, 6, 9)]
    assert names(f'link={link}') == [f'doc {i:02}' for i in range(6)] + [big]
    assert names(f'link={link}&tag=urgent&folder=Devis') == ['doc 00']
    assert names(f'tag={"t" * 60}7') == [big] and names('folder=Contrats') == names('tag=urg') == []
    assert names('sort=-name&tag=urgent') == [f'doc {i:02}' for i in (9, 6, 3, 0)]
    for bad in ([f'contacts/{who.lower()}'], ['users/' + who], [who], ['contacts/']):
        assert acme.post('/api/v1/documents', {'name': 'x', 'links': bad}).status == 400
    assert acme.get('/api/v1/contacts?folder=x').status == 400
    exported = acme.get('/api/v1/export?kind=documents&format=json')
    assert exported.status == 200 and 'doc 07' in [d['name'] for d in exported.json]
    assert acme.get('/api/v1/export?kind=documents&format=csv').status == 400
    assert acme.post('/api/v1/import?kind=documents&format=json', b'[]').status == 400


def test_an_upload_goes_on_where_it_broke_off(acme):
    data = some(4 * CHUNK + 1000)
    upload = begun(acme, len(data), filename='suite.bin', filetype='image/png')
    assert offset_of(acme, upload) == 0
    at = 0
    for size in (100, CHUNK, 30000, 1):  # pieces smaller and larger than a chunk
        answer = sent(acme, upload, data[at:at + size], at)
        at += size
        assert answer.status == 204 and answer.headers['Upload-Offset'] == str(at) and 'Upload-Expires' in answer.headers
    assert sent(acme, upload, b'x', 5).status == 409
    break_off(acme, upload, data[at:at + 2 * CHUNK], len(data) - at, BYTES | {'Upload-Offset': str(at)}, 'PATCH')
    stands = wait_for(lambda: (o := offset_of(acme, upload)) > at and o, why='what came before it broke off')
    assert at < stands <= at + 2 * CHUNK
    listed = acme.get('/api/v1/uploads').json['items']
    assert [u['offset'] for u in listed if upload.endswith(u['id'])] == [stands]
    answer = sent(acme, upload, data[stands:], stands)
    assert answer.status == 204 and answer.headers['Upload-Offset'] == str(len(data)), answer
    document = answer.headers['Content-Location']
    assert acme.get(document).json['sha256'] == hashlib.sha256(data).hexdigest()
    assert acme.get(f'{document}/content').body == data
    assert acme.request('HEAD', upload, headers=TUS).status == 404
    again = begun(acme, 3, document=document.rsplit('/', 1)[1], filetype='text/plain')
    assert sent(acme, again, b'abc', 0).status == 204
    assert acme.get(f'{document}/content').body == b'abc' and len(acme.get(document).json['versions']) == 2


def test_what_an_upload_is_refused_for(house, acme):
    head = TUS | {'Upload-Length': '3', 'Upload-Metadata': metadata(filename='x')}
    assert acme.post('/api/v1/uploads', headers={k: v for k, v in head.items() if k != 'Tus-Resumable'}).status == 412
    for bad in ({'Upload-Length': '-1'}, {'Upload-Length': ''}, {'Upload-Metadata': 'filename *'}, {'Upload-Metadata': metadata(filename='')},
                {'Upload-Metadata': metadata(filename='a\nb')}):
        assert acme.post('/api/v1/uploads', headers=head | bad).status == 400, bad
    assert acme.post('/api/v1/uploads', headers=head | {'Upload-Length': str((2 << 30) + 1)}).status == 413
    assert acme.post('/api/v1/uploads', headers=head | {'Upload-Metadata': metadata(document='01M8AVBWM0STZTVJ54CMVM0AKE')}).status == 404
    assert acme.post('/api/v1/uploads', b'abc', headers=head).status == 415
    whole = acme.post('/api/v1/uploads', b'abc', headers=head | BYTES)
    assert whole.status == 201 and acme.get(whole.headers['Content-Location'] + '/content').body == b'abc'
    upload = begun(acme, 3, filename='x')
    assert sent(acme, upload, b'abcd', 0).status == 413
    other = house.client('acme', house.token(acme))
    assert other.request('HEAD', upload, headers=TUS).status == 200  # the same user
    assert acme.delete(upload, headers=TUS).status == 204 and acme.delete(upload, headers=TUS).status == 404
    path = f'/api/v1/documents/{made(acme)}/content'
    assert acme.put(path, iter([b'a']), headers={'Transfer-Encoding': 'chunked'}).status == 411
    reader = house.client('acme', house.token(acme, ['read'], 'reader'))
    assert reader.put(path, b'x').status == reader.post('/api/v1/uploads', headers=head).status == 403
    assert reader.get(path).status == 404


# S14: nobody sees half a document, whatever breaks off
def test_nobody_sees_half_a_document(house, acme):
    """What broke off leaves nothing: not in the list, not in the file."""
    path, data = f'/api/v1/documents/{made(acme, "half.bin")}', some(40 * CHUNK)
    break_off(acme, f'{path}/content', data[:35 * CHUNK], len(data), {})
    assert 'content' not in acme.get(path).json and acme.get(f'{path}/content').status == 404
    wait_for(lambda: acme.get('/api/v1/uploads').json['items'] == [], why='it to be noticed')
    before = len(data)
    wait_for(lambda: acme.get('/api/v1/session') and house.show('acme')['store_bytes'] < before, why='the chunks to go')


def test_a_killed_worker_loses_no_byte_that_was_told(house):
    bois, data = house.bois, some(100 * CHUNK)
    upload = begun(bois, len(data), filename='tue.bin')
    assert sent(bois, upload, data[:40 * CHUNK + 5], 0).status == 204
    os.kill(house.worker_pid('bois'), signal.SIGKILL)
    bois.close()

    def back():
        try:
            return bois.get('/api/v1/session').status == 200 and offset_of(bois, upload)
        except OSError:  # handed to the worker that is dead
            return None
    stands = wait_for(back, why='the tenant again')
    assert stands == 40 * CHUNK + 5
    answer = sent(bois, upload, data[stands:], stands)
    assert answer.status == 204
    assert bois.get(answer.headers['Content-Location'] + '/content').body == data


def test_documents_outlive_a_rotation(house):
    bois, data = house.bois, some(20 * CHUNK, 2)
    path = uploaded(bois, data)
    upload = begun(bois, len(data), filename='pendant.bin')
    assert sent(bois, upload, data[:3 * CHUNK + 9], 0).status == 204
    assert bois.post('/api/v1/rotation').status == 202
    assert sent(bois, upload, data[3 * CHUNK + 9:10 * CHUNK], 3 * CHUNK + 9).status == 204  # while it runs
    wait_for(lambda: (r := bois.get('/api/v1/rotation').json)['state'] == 'idle' and r['kept'], seconds=60, why='the rotation')
    answer = sent(bois, upload, data[10 * CHUNK:], 10 * CHUNK)
    assert answer.status == 204
    assert bois.get(f'{path}/content').body == bois.get(answer.headers['Content-Location'] + '/content').body == data
    wait_for(lambda: house.show('bois')['check'] == 'sound', seconds=60, why='the check')


def test_a_full_store_takes_no_more_and_loses_nothing():
    with House() as house:
        client = house.enrolled('plein', None, '--quota', '24M')
        data = some(8 << 20)
        first = uploaded(client, data)
        assert asked_before(client, f'/api/v1/documents/{made(client)}/content', 30 << 20) == 507
        upload = begun(client, 10 << 20, filename='x')  # announced while there was room for it
        second = uploaded(client, some(6 << 20, 3), 'b.bin')
        at, answer = 0, None
        while answer is None or answer.status == 204:
            answer = sent(client, upload, some(1 << 18), at)
            at = int(answer.headers['Upload-Offset']) if answer.status == 204 else at
        assert answer.status == 507 and 0 < at < 10 << 20
        assert client.get(f'{first}/content').body == data
        stands = offset_of(client, upload)
        assert at <= stands < at + (1 << 18)
        assert client.delete(second).status == 204  # works on a full store, and makes room
        while stands < 10 << 20:  # the chunks go in the background: until they have, it is full
            def goes_on():
                at = offset_of(client, upload)
                answer = sent(client, upload, some(1 << 18)[:(10 << 20) - at], at)
                return answer if answer.status != 507 else None
            answer = wait_for(goes_on, why='the room')
            assert answer.status == 204, answer
            stands = int(answer.headers['Upload-Offset'])
        assert client.get(f'{first}/content').body == data


def test_a_small_arena_is_enough():
    with House(arena_bytes=8 << 20) as house:
        client = house.enrolled('petit', None, '--quota', '512M')
        data = some(48 << 20)
        path = uploaded(client, data)
        assert client.get(f'{path}/content').body == data
        others = [house.client('petit', house.token(client, name=str(i))) for i in range(6)]
        for other in others:  # downloads that nobody takes: each holds no more than a chunk or two
            other.close()
            connection = other._connect()
            connection.sock.sendall(f'GET {path}/content HTTP/1.1\r\nHost: {other.host}\r\nAuthorization: Bearer {other.token}\r\n\r\n'.encode())
            other.kept = connection
        assert client.get(f'{path}/content').body == data
        assert client.put(f'{path}/content', data).status == 200
        assert all(o.kept.sock.recv(9) == b'HTTP/1.1 ' for o in others)

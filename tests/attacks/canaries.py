"""Unique words for every input, in every spelling they could lie somewhere in; and the traffic that carries them. For test_canaries.py."""
import base64
import secrets
import zlib

import pytest

from house import Client

STEM, PAGE = 'kanari', 4096


class Words:
    """Canaries by name. Those that a test chooses begin with STEM; what the product hands out (tokens, cookies, a kit) is learned."""

    def __init__(self):
        self.word, self.learned = {}, {}

    def __getitem__(self, name):
        return self.word.setdefault(name, f'{STEM}{secrets.token_hex(6)}')

    def learn(self, name, text):
        """A secret in base64url: as it is written, and the bytes it stands for."""
        self.learned[name] = text[:24]
        self.learned[f'bytes of the {name}'] = base64.urlsafe_b64decode(text[:24])

    def needles(self):
        """What to look for first: no word is there where none of these is. The words' own stem stands for all of them."""
        return sorted({needle for text in (STEM, *self.learned.values()) for _, needle in spellings(text)})

    def found_in(self, data, leave=()):
        data = without_empty_pages(data)
        if not any(needle in data for needle in self.needles()):
            return []
        return sorted({f'{name} {how}' for name, word in (self.word | self.learned).items() if name not in leave
                       for how, needle in spellings(word) if needle in data})

    def pieces_in(self, data, leave=()):
        """Words of which eight bytes in a row are there: half of what a vector register holds."""
        return sorted({name for name, word in (self.word | self.learned).items() if name not in leave
                       for piece in (raw(word)[i:i + 8] for i in range(len(word) - 7)) if piece in data})


def without_empty_pages(data):
    """Cores and disks are mostly zeros. What stood side by side still does."""
    if len(data) <= PAGE:
        return data
    pages = (data[at:at + PAGE] for at in range(0, len(data), PAGE))
    return b''.join(page for page in pages if page != bytes(len(page)))


def raw(word):
    return word.encode() if isinstance(word, str) else word


def spellings(word):
    data = raw(word)
    yield 'plain', data
    yield 'in hex', data.hex().encode()
    yield 'in hex', data.hex().upper().encode()
    for shift in range(3):  # each alignment; without the characters that its neighbours decide
        whole = base64.b64encode(bytes(shift) + data)[-(-shift * 8 // 6):(shift + len(data)) * 8 // 6]
        yield 'in base64', whole
        yield 'in base64', whole.translate(bytes.maketrans(b'+/', b'-_'))
    if isinstance(word, str):
        yield 'in UTF-16', word.encode('utf-16-le')
        yield 'in UTF-16', word.encode('utf-16-be')
        yield 'in JSON', ''.join(f'\\u{ord(c):04x}' for c in word).encode()
        yield 'in JSON', ''.join(f'\\u{ord(c):04X}' for c in word).encode()


def unpacked(data):
    """What gzip streams in the data hold."""
    at = data.find(b'\x1f\x8b\x08')
    while at >= 0:
        try:
            yield zlib.decompressobj(31).decompress(data[at:])
        except zlib.error:
            pass
        at = data.find(b'\x1f\x8b\x08', at + 1)


def traffic(house, port, words):
    """Everything a customer and a stranger can send; returns a client with a session. Some of it is deleted and written over again."""
    host = house.create('acme', None, '--quota', '64M')
    client = Client(house, host, port=port)
    login, password, second = words['login'], words['password'] + ' et encore', words['second password'] + ' et encore'
    kit = client.post('/api/v1/enrol', {'code': house.codes['acme'], 'login': login, 'password': password}).json['recovery_kit']
    words.learned['kit'] = kit[:24]
    assert client.post('/api/v1/session', {'login': login, 'password': password}).status == 200
    client.post('/api/v1/session', {'login': words['wrong login'], 'password': words['wrong password']})
    assert client.put('/api/v1/password', {'old': password, 'password': second}).status == 204
    assert client.post('/api/v1/session', {'recovery_kit': kit}).status == 200
    assert client.post('/api/v1/session', {'login': login, 'password': second}).status == 200
    client.switch()
    token = client.post('/api/v1/tokens', {'name': words['token name'], 'scopes': ['read', 'write', 'import', 'export'], 'expires': '2099-01-01T00:00:00Z'})
    words.learn('token', token.json['token'].removeprefix('clt_'))
    words.learn('cookie', client.cookies['__Host-cloison'])
    invitation(client, Client(house, host, port=port), words)
    records(client, words)
    by_token = Client(house, host, token=token.json['token'], port=port)
    assert words['imported'].encode() in by_token.get('/api/v1/companies?letter=K&limit=200').body
    by_token.close()
    errors(client, words)
    return client


def invitation(client, guest, words):
    """A code that was redeemed and one that waits, the self-sufficient kit, and who they are for."""
    for name in ('guest', 'invited'):
        made = client.post('/api/v1/users', {'login': words[f'{name} login'], 'role': 'reader'})
        assert made.status == 201, made
        words.learned[f'{name} code'] = made.json['code'][:24]
        if name == 'guest':
            assert guest.post('/api/v1/invitations', {'code': made.json['code'], 'password': words['guest password'] + ' et encore'}).status == 200
    guest.post('/api/v1/invitations', {'code': made.json['code'][:-1] + '0', 'password': words['refused password'] + ' et encore'})
    guest.close()
    words.learned['self-sufficient kit'] = client.post('/api/v1/self-sufficient-kit').json['recovery_kit'][:24]


def records(client, words):
    """Written, read, changed, deleted, imported, exported."""
    made = client.post('/api/v1/companies', {'name': words['name'], 'address': {'city': words['city']}, 'custom': {words['custom key'].lower(): words['custom']}})
    assert made.status == 201, made
    assert client.post('/api/v1/contacts', {'family_name': words['family'], 'notes': words['notes'], 'emails': [f'{words["mail"]}@exemple.fr']}).status == 201
    rows = '\r\n'.join(['name,sector', *[f'{words["imported"]} {i},{words["sector"]}' for i in range(200)]]).encode()
    assert client.post('/api/v1/import?kind=companies&format=csv', rows, headers={'Content-Type': 'text/csv'}).json['created'] == 200
    card = f'BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{words["card"]}\r\nN:{words["card"]};;;;\r\nEND:VCARD\r\n'.encode()
    assert client.post('/api/v1/import?kind=contacts&format=vcard', card, headers={'Content-Type': 'text/vcard'}).json['created'] == 1
    for i in range(40):  # freed pages, and blocks that were once something else
        short = client.post('/api/v1/contacts', {'family_name': f'{words["deleted"]} {i}', 'notes': f'{words["deleted notes"]} ' * 400})
        assert client.patch(short.headers['Location'], {'notes': words['changed']}).status == 200
        assert client.delete(short.headers['Location']).status == 204
    documents(client, words)
    for form in ('csv', 'vcard', 'json'):
        assert words['imported'].encode() in client.get(f'/api/v1/export?kind=companies&format={form}').body
    for i in range(20):
        client.get(f'/api/v1/companies/{made.json["id"]}')
        client.get('/api/v1/companies?letter=K&limit=200')


def documents(client, words):
    """Names, folders and contents; one that broke off half way, one that is there no more."""
    path = f'/api/v1/documents/{client.post("/api/v1/documents", {"name": words["file name"], "folder": words["folder"], "tags": [words["tag"]]}).json["id"]}'
    content = f'{words["content"]} '.encode() * 20000
    assert client.put(f'{path}/content', content, headers={'Content-Type': f'text/plain; {words["media type"]}'}).status == 200
    assert client.get(f'{path}/content').body == content
    assert client.put(f'{path}/content', f'{words["second content"]} '.encode() * 20000).status == 200
    assert client.delete(f'{path}/versions/1').status == 200
    head = {'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream', 'Upload-Length': '400000',
            'Upload-Metadata': f'filename {base64.b64encode(words["upload name"].encode()).decode()}'}
    assert client.post('/api/v1/uploads', f'{words["half"]} '.encode() * 10000, headers=head).status == 201


def errors(client, words):
    """Requests that are refused: nothing of them may be kept either."""
    for path in (f'/{words["path"]}', f'/api/v1/companies/{words["id"]}', f'/api/v1/companies?{words["parameter"]}=1', f'/api/v1/search?q={words["query"]}',
                 f'/api/v1/companies?cursor={words["cursor"]}'):
        assert client.get(path, headers={'User-Agent': words['agent'], 'X-Thing': words['header'], 'Referer': f'https://{words["referer"]}/'}).status >= 400
    client.post('/api/v1/companies', f'{{"name":"{words["broken"]}'.encode(), headers={'Content-Type': 'application/json'})
    client.post('/api/v1/companies', {'name': 5, words['field'].lower(): words['value']})
    client.get('/api/v1/health', headers={'Host': f'{words["host"]}.example'})
    client.close()
    with pytest.raises(OSError):
        Client(client.house, f'{words["sni"]}.example', port=client.port).get('/')

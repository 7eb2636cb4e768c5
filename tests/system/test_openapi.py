"""The served OpenAPI document is true: a walk over the whole API, every answer held against it, every operation seen to succeed once."""
import datetime
import json

import jsonschema
import pytest

from house import PASSWORD, Client, House, destinations, restored, support_key, wait_for


class Checked(Client):
    """A client whose every answer must be what the document says."""

    document, seen = None, None

    def request(self, method, path, body=None, headers=None, again=True):
        answer = super().request(method, path, body, headers, again)
        template, operation = self.operation(method, path.split('?')[0])
        response = operation['responses'].get(str(answer.status)) or operation['responses']['default']
        if '$ref' in response:
            response = self.document['components']['responses'][response['$ref'].rsplit('/', 1)[1]]
        where = f'{method} {template} {answer.status}'
        kind = (answer.headers.get('Content-Type') or '').split(';')[0]
        content = response.get('content', {})
        if answer.body:
            assert kind in content, f'{where}: {kind!r} is not among {list(content)}'
        else:
            assert not content or answer.status == 304 or method == 'HEAD', f'{where}: an empty body'
        if kind.endswith('json') and answer.body:
            schema = dict(content[kind]['schema'], components=self.document['components'])
            jsonschema.Draft202012Validator(schema).validate(json.loads(answer.body))
        if answer.status < 300:
            self.seen.add((method, template))
        return answer

    def rolled_back(self, name):
        """Stops the tenant, writes on, and puts the older file back."""
        store, pages = self.house.state / 'tenants' / name / 'data.mdb', None
        for _ in range(2):
            self.house.cli('tenant', 'stop', name)
            self.house.wait_state(name, 'stopped')
            self.close()
            if pages:
                store.write_bytes(pages)
            else:
                pages = store.read_bytes()
                assert self.post('/api/v1/companies', {'name': 'lost'}).status == 201

    def operation(self, method, path):
        for template, item in self.document['paths'].items():
            parts = template.split('/'), path.split('/')
            if len(parts[0]) == len(parts[1]) and all(a == b or a.startswith('{') for a, b in zip(*parts)):
                if not any('{' in p for p in parts[0]) or path not in self.document['paths']:
                    return template, item[method.lower()]
        raise AssertionError(f'{method} {path} is not in the document')


@pytest.fixture(scope='module')
def house():
    h = House()
    h.extra = destinations(h.root) + f'support_certificate = "{support_key(h.root, "support")[1]}"\n'
    h.write_config()
    with h:
        yield h


@pytest.fixture(scope='module')
def client(house):
    host = house.create('ouvert')
    c = Checked(house, host)
    c.document, c.seen = json.loads(Client(house, host).get('/api/v1/openapi.json').body), set()
    return c


def test_the_document_is_openapi_3_1(client):
    assert client.document['openapi'].startswith('3.1')
    ids = [o['operationId'] for item in client.document['paths'].values() for m, o in item.items() if m in ('get', 'put', 'post', 'patch', 'delete')]
    assert len(ids) == len(set(ids)) > 25
    for reference in set(json.dumps(client.document).split('"$ref": "')[1:]):
        path = reference.split('"')[0].removeprefix('#/').split('/')
        node = client.document
        for name in path:
            node = node[name]


def test_every_answer_is_what_the_document_says(client, house):
    c = client
    assert c.get('/api/v1/openapi.json').status == 200
    assert c.get('/api/v1/health').status == 200
    assert c.get('/api/v1/companies').status == 503
    c.post('/api/v1/enrol', {'code': 'wrong', 'login': 'admin', 'password': PASSWORD})
    c.post('/api/v1/enrol', {'code': house.codes['ouvert'], 'login': 'admin'})
    assert c.post('/api/v1/enrol', {'code': house.codes['ouvert'], 'login': 'admin', 'password': PASSWORD}).status == 201
    assert c.post('/api/v1/enrol', {'code': house.codes['ouvert'], 'login': 'other', 'password': PASSWORD}).status in (403, 409)
    assert c.get('/api/v1/companies').status == 401
    assert c.login(password='wrong wrong wrong').status == 401
    assert c.login().status == 200
    assert c.get('/api/v1/session').status == 200
    walk_functions(c)
    walk_notices(c, house)
    walk_plans(c)
    for kind, body, bad in (('companies', {'name': 'Étoile', 'tags': ['a'], 'custom': {'n': 1, 'b': True}}, {'name': 5}),
                            ('contacts', {'family_name': 'Dürr', 'emails': ['a@exemple.fr'], 'address': {'city': 'Nîmes'}}, {'emails': 'x'})):
        made = c.post(f'/api/v1/{kind}', body)
        assert made.status == 201
        one = f'/api/v1/{kind}/{made.json["id"]}'
        assert c.post(f'/api/v1/{kind}', bad).status == 400
        assert c.post(f'/api/v1/{kind}', b'{', headers={'Content-Type': 'application/json'}).status == 400
        assert c.post(f'/api/v1/{kind}', b'x=1', headers={'Content-Type': 'application/x-www-form-urlencoded'}).status == 415
        assert c.get(one).status == 200
        assert c.get(one, headers={'If-None-Match': made.headers['ETag']}).status == 304
        assert c.put(one, body).status == 200
        assert c.patch(one, {'tags': ['b']}, headers={'Content-Type': 'application/merge-patch+json'}).status == 200
        assert c.patch(one, {'tags': ['c']}, headers={'Content-Type': 'application/merge-patch+json', 'If-Match': made.headers['ETag']}).status == 412
        for query in ('', '?letter=E&limit=1', '?sort=-name', '?letter=%23'):
            assert c.get(f'/api/v1/{kind}{query}').status == 200
        for query in ('?letter=EE', '?limit=0', '?cursor=!!', '?unknown=1', '?sort=age'):
            assert c.get(f'/api/v1/{kind}{query}').status == 400
        assert c.get(f'/api/v1/{kind}/letters').status == 200
        for form in ('csv', 'vcard', 'json'):
            exported = c.get(f'/api/v1/export?kind={kind}&format={form}')
            assert exported.status == 200
            back = c.post(f'/api/v1/import?kind={kind}&format={form}', exported.body, headers={'Content-Type': exported.headers['Content-Type']})
            assert back.status == 200 and back.json['errors'] == [], back
            c.post(f'/api/v1/import?kind={kind}&format={form}&dry_run=true', b'\x00\xff nonsense', headers={'Content-Type': exported.headers['Content-Type']})
        assert c.delete(one).status == 204
        assert c.get(one).status == 404
        assert c.delete(one).status == 404
    assert c.get('/api/v1/export?kind=nobody&format=csv').status == 400
    walk_documents(c)
    walk_persons(c)
    token = c.post('/api/v1/tokens', {'name': 't', 'scopes': ['read'], 'expires': '2099-01-01T00:00:00Z'})
    assert token.status == 201
    assert c.post('/api/v1/tokens', {'name': 't', 'scopes': ['everything']}).status == 400
    assert c.get('/api/v1/tokens').status == 200
    reader = Checked(house, c.host, token=token.json['token'])
    reader.document, reader.seen = c.document, c.seen
    assert reader.post('/api/v1/companies', {'name': 'x'}).status == 403
    assert reader.get('/api/v1/provider-ledger').status == 403
    assert c.delete(f'/api/v1/tokens/{token.json["id"]}').status == 204
    assert c.delete(f'/api/v1/tokens/{token.json["id"]}').status == 404
    assert c.get('/api/v1/provider-ledger').status == 200
    assert c.get('/api/v1/provider/ledger?from=1&limit=2').status == 200
    assert c.get('/api/v1/provider/ledger?from=0').status == 400
    assert c.get('/api/v1/provider/disclosures').status == 200
    assert c.get('/api/v1/journal?limit=200').status == 200
    assert c.get('/api/v1/journal?limit=201').status == 400
    assert c.get('/api/v1/journal/export').status == 200
    assert c.get('/api/v1/journal/verify').json['sound'] is True
    assert c.get('/api/v1/rollback').status == 200
    assert c.post('/api/v1/rollback').status == 409
    c.rolled_back('ouvert')
    assert c.get('/api/v1/companies').status == 409
    assert c.post('/api/v1/rollback').status == 204
    assert reader.get('/api/v1/rotation').status == 401
    assert c.get('/api/v1/rotation').json['state'] == 'idle'
    assert c.post('/api/v1/rotation').status == 202
    kept = wait_for(lambda: (r := c.get('/api/v1/rotation').json)['state'] == 'idle' and r['kept'], why='the rotation')
    assert c.delete(f'/api/v1/rotation/keys/{kept[0]["id"]}').status == 204
    assert c.delete(f'/api/v1/rotation/keys/{kept[0]["id"]}').status == 404
    assert c.post('/api/v1/recovery-kit').status == 201
    walk_kit(c, house)
    walk_support(c, house)
    walk_users(c, house)
    assert c.put('/api/v1/password', {'old': 'wrong wrong wrong', 'password': 'another good password'}).status in (400, 401, 403)
    assert c.put('/api/v1/password', {'old': PASSWORD, 'password': 'another good password'}).status == 204
    if c.get('/api/v1/session').status != 200:
        assert c.login(password='another good password').status == 200
    assert c.delete('/api/v1/session').status == 204


def walk_functions(c):
    functions = c.get('/api/v1/functions')
    assert functions.status == 200 and not any(f['enabled'] for f in functions.json['items'])
    assert c.get('/api/v1/export?kind=companies&format=csv').status == 403
    assert c.put('/api/v1/functions/export', {'enabled': 'yes'}).status == 400
    assert c.put('/api/v1/functions/export', {'enabled': True, 'confirmed': 99}).status == 409
    assert c.put('/api/v1/functions/nothing', {'enabled': False}).status == 404
    assert c.post('/api/v1/confirmations', {'function': 'tokens', 'confirmed': 1}).status == 409
    made = c.post('/api/v1/confirmations', {'function': 'export', 'confirmed': 1})
    assert made.status == 201
    assert c.get('/api/v1/export?kind=companies&format=csv', headers={'Cloison-Confirmation': made.json['code']}).status == 200
    c.switch()
    assert c.put('/api/v1/provider/references/logo', {'given': True}).status == 200
    assert c.put('/api/v1/provider/references/logo', {'given': 1}).status == 400
    assert c.post('/api/v1/rules', {'name': 'r', 'kind': 'contacts', 'action': 'sell', 'after_days': 1}).status == 400
    made = c.post('/api/v1/rules', {'name': 'r', 'kind': 'contacts', 'action': 'archive', 'after_days': 1})
    assert made.status == 201 and c.get('/api/v1/rules').status == 200
    rule = f'/api/v1/rules/{made.json["id"]}'
    assert c.post(f'{rule}/run').status == 409
    assert c.patch(rule, {'enabled': True}).status == 200
    assert c.post(f'{rule}/run?dry_run=true').status == 200 and c.post(f'{rule}/run').status == 202
    assert c.post('/api/v1/rules/clock', {'date': '1999-01-01'}).status == 409
    assert c.post('/api/v1/rules/clock', {'date': datetime.date.today().isoformat()}).status == 204
    assert c.delete(rule).status == 204 and c.delete(rule).status == 404
    assert c.get('/api/v1/contacts?archived=true').json == {'items': [], 'next': None}
    for form in ('html', 'csv', 'json', 'pdf'):
        assert c.get(f'/api/v1/register?format={form}').status == (400 if form == 'pdf' else 200)


def walk_notices(c, house):
    house.cli('terms', 'publish', '-', '--kind', 'privacy', '--effective', '2099-01-01', input='Politique')
    number = wait_for(lambda: c.get('/api/v1/notices').json['items'], why='the notice')[0]['number']
    one = f'/api/v1/notices/{number}'
    assert c.get(one).status == c.get(f'{one}/text').status == c.get('/api/v1/notices.atom').status == 200
    assert c.get('/api/v1/notices/99').status == c.get('/api/v1/notices/x/text').status == 404
    assert c.post(f'{one}/acknowledge').status == 204
    assert c.get('/api/v1/provider/references').status == 200
    wait_for(lambda: c.get(one).json['delivered'], why='its delivery')
    assert c.get('/api/v1/notices').status == 200


def walk_kit(c, house):
    """The self-sufficient kit, and a second tenant that it makes of the first one's files."""
    path = '/api/v1/self-sufficient-kit'
    assert c.get(path).json == {'kit': None, 'first_made': None}
    made = c.post(path)
    assert made.status == 201 and c.get(path).json['kit']
    assert c.post('/api/v1/recovery', {'recovery_kit': made.json['recovery_kit'], 'login': 'admin', 'password': PASSWORD}).status == 409
    other = Checked(house, restored(house, 'ouvert', 'rendu', capsule=False))
    other.document, other.seen = c.document, c.seen
    assert other.post('/api/v1/recovery', {'recovery_kit': 'x', 'login': 'admin', 'password': PASSWORD}).status == 400
    assert other.post('/api/v1/recovery', {'recovery_kit': made.json['recovery_kit'], 'login': 'admin', 'password': PASSWORD}).status == 200
    assert c.delete(path).status == 204 and c.delete(path).status == 404
    wait_for(lambda: c.get('/api/v1/rotation').json['state'] == 'idle', why='the rotation')


def walk_persons(c):
    """What an administrator does for a person, and what the provider holds."""
    one = f'/api/v1/contacts/{c.post("/api/v1/contacts", {"family_name": "Personne"}).json["id"]}'
    assert c.get(f'{one}/package').status == 200
    assert c.put(f'{one}/restriction', {'restricted': True}).status == 200 and c.put(f'{one}/restriction', {}).status == 400
    assert c.get(one).status == c.get('/api/v1/contacts?restricted=include').status == c.get('/api/v1/export?kind=contacts&format=json&restricted=include').status == 200
    assert c.delete(one).status == c.put(one, {'family_name': 'x'}).status == 409
    assert c.post(f'{one}/erasure', {'mode': 'erase', 'dry_run': True}).status == 200 and c.post(f'{one}/erasure', {'mode': 'x'}).status == 400
    assert c.post(f'{one}/erasure', {'mode': 'anonymise'}).status == c.post(f'{one}/erasure', {'mode': 'erase'}).status == 200
    assert c.get(f'{one}/package').status == c.put(f'{one}/restriction', {'restricted': True}).status == c.post(f'{one}/erasure', {'mode': 'erase'}).status == 404
    assert c.get('/api/v1/provider/holdings').status == 200
    assert c.get('/api/v1/provider/places').status == c.get('/api/v1/provider/regions').status == 200
    bound = lambda *regions, **more: c.put('/api/v1/provider/regions', {'allowed': list(regions)} | more).status
    assert bound('local') == c.put('/api/v1/provider/regions', {'allowed': None}).status == 200 and bound('mars') == 400


def walk_documents(c):
    """Every operation of documents and uploads."""
    made = c.post('/api/v1/documents', {'name': 'à lire.pdf', 'folder': 'f', 'tags': ['t'], 'links': []})
    assert made.status == 201 and c.post('/api/v1/documents', {'folder': 'f'}).status == 400
    one = f'/api/v1/documents/{made.json["id"]}'
    assert c.get(one).status == 200 and c.get(one, headers={'If-None-Match': made.headers['ETag']}).status == 304
    assert c.get(f'{one}/content').status == 404
    put = c.put(f'{one}/content', b'abc', headers={'Content-Type': 'application/pdf'})
    assert put.status == 200 and c.put(f'{one}/content', b'abcd', headers={'If-Match': '"1"'}).status == 412
    content = c.get(f'{one}/content')
    assert content.status == 200 and c.get(f'{one}/content', headers={'If-None-Match': content.headers['ETag']}).status == 304
    assert c.get(f'{one}/content', headers={'Range': 'bytes=1-1'}).status == 206 and c.get(f'{one}/content', headers={'Range': 'bytes=9-'}).status == 416
    assert c.get(f'{one}/versions/1').status == 200 and c.get(f'{one}/versions/2').status == 404
    assert c.put(one, {'name': 'x'}).status == c.patch(one, {'tags': ['u']}, headers={'Content-Type': 'application/merge-patch+json'}).status == 200
    for query in ('', '?letter=X', '?folder=f', '?tag=u&link=contacts/01M8AVBWM0STZTVJ54CMVM0AKE'):
        assert c.get(f'/api/v1/documents{query}').status == 200
    assert c.get('/api/v1/documents/letters').status == 200 and c.get('/api/v1/documents?size=1').status == 400
    assert c.get('/api/v1/export?kind=documents&format=json').status == 200
    assert c.delete(f'{one}/versions/1').status == 200 and c.delete(f'{one}/versions/1').status == 404
    tus = {'Tus-Resumable': '1.0.0'}
    begin = tus | {'Upload-Length': '3', 'Upload-Metadata': 'filename eA=='}
    more = tus | {'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0'}
    upload = c.post('/api/v1/uploads', headers=begin).headers['Location']
    assert c.post('/api/v1/uploads', headers=begin | {'Tus-Resumable': '0.2'}).status == 412
    assert c.get('/api/v1/uploads').json['items'] and c.get(upload).status == 200
    assert c.patch(upload, b'a', headers=more).status == 204 and c.patch(upload, b'a', headers=more).status == 409
    assert c.delete(upload, headers=tus).status == 204 and c.get(upload).status == c.delete(upload, headers=tus).status == 404
    assert c.delete(one).status == 204


def walk_plans(c):
    c.switch(['backup', 'archive'])
    wait_for(lambda: c.get('/api/v1/plans').json['destinations'], why='the destinations')
    for kind, where, erasure in (('backup', 'medium', 'after-duration'), ('archive', 'vault', 'after-lock')):
        plan = {'where': where, 'protection': 'sealed', 'purpose': 'x', 'duration_hours': 1, 'mechanism': 'incremental-snapshot',
                'frequency_minutes': 1440, 'erasure': erasure}
        assert c.post(f'/api/v1/{kind}s').status == 409
        assert c.delete(f'/api/v1/plans/{kind}').status == 404
        assert c.put(f'/api/v1/plans/{kind}', plan | {'where': 'nowhere'}).json['field'] == 'where'
        assert c.put(f'/api/v1/plans/{kind}', plan).status == 200
        assert c.post(f'/api/v1/{kind}s').status == 202
    wait_for(lambda: len([i for i in c.get('/api/v1/backups').json['items'] if i['sent']]) == 2, why='both')
    for kind in ('backup', 'archive'):
        assert c.get('/api/v1/plans').json[kind]['last']['number'] == 1
        assert c.delete(f'/api/v1/plans/{kind}').status == 202


def walk_support(c, house):
    assert c.get('/api/v1/support').status == 200
    assert c.post('/api/v1/support', {'text': ''}).status == 400
    one = f"/api/v1/support/{c.post('/api/v1/support', {'text': 'Bonjour'}).json['id']}"
    state = lambda: c.get('/api/v1/support').json['items'][0]['state']
    wait_for(lambda: state() == 'kept', why='its arrival')
    assert c.delete(one).status == 409
    house.stop()
    (house.state / 'support').unlink()  # the provider has nothing of it any more
    house.start()
    wait_for(lambda: state() == 'removed', why='word of it')
    assert c.delete(one).status == 204 and c.delete(one).status == 404


def walk_users(c, house):
    """Every operation of users, invitations and sessions."""
    assert c.post('/api/v1/usage', {'menu': 'contacts'}).status == 204
    assert c.post('/api/v1/usage', {'page': 'contact', 'milliseconds': 12}).status == 204
    assert c.post('/api/v1/usage', {'page': 'contact'}).status == 400
    assert c.post('/api/v1/users', {'login': 'bert', 'role': 'king'}).status == 400
    made = c.post('/api/v1/users', {'login': 'bert', 'rights': ['contacts.read']})
    assert made.status == 201
    assert c.post('/api/v1/users', {'login': 'bert', 'role': 'reader'}).status == 409
    one = f'/api/v1/users/{made.json["id"]}'
    assert c.get('/api/v1/users').status == c.get(one).status == 200
    bert = Checked(house, c.host)
    bert.document, bert.seen = c.document, c.seen
    assert bert.post('/api/v1/invitations', {'code': 'wrong', 'password': PASSWORD}).status == 400
    assert bert.post('/api/v1/invitations', {'code': made.json['code'], 'password': PASSWORD}).status == 200
    assert bert.post('/api/v1/invitations', {'code': made.json['code'], 'password': PASSWORD}).status == 401
    assert bert.get('/api/v1/users').status == bert.get('/api/v1/companies').status == 403
    assert bert.get('/api/v1/contacts').status == bert.get('/api/v1/sessions').status == 200
    assert c.patch(one, {'rights': []}).status == 400
    assert c.patch(one, {'role': 'member'}).status == 200
    assert bert.post('/api/v1/tokens', {'name': 't', 'scopes': ['companies.read']}).status == 201
    everybody = c.get('/api/v1/sessions?everybody=true')
    assert everybody.status == 200 and c.get('/api/v1/sessions?everybody=maybe').status == 400
    token = next(i['id'] for i in everybody.json['items'] if i['kind'] == 'token' and i['user']['login'] == 'bert')
    assert c.delete(f'/api/v1/sessions/{token}').status == 204
    assert c.delete(f'/api/v1/sessions/{token}').status == 404
    assert c.delete('/api/v1/sessions?everybody=true').status == 204
    assert bert.get('/api/v1/session').status == 401
    assert c.post(f'{one}/invitation', {}).status == 201
    assert c.delete(one).status == 204
    assert c.delete(one).status == c.get(one).status == c.patch(one, {'role': 'reader'}).status == 404
    me = c.get('/api/v1/session').json['user']['id']
    assert c.delete(f'/api/v1/users/{me}').status == 409


def test_the_end_of_the_contract(house, client):
    leaver = Checked(house, house.enrolled('leaver').host)
    leaver.document, leaver.seen = client.document, client.seen
    assert leaver.login().status == 200
    assert leaver.get('/api/v1/restitution').status == leaver.post('/api/v1/leaving', {'sha256': '0' * 64, 'destroy': False}).status == 409
    house.cli('contract', 'end', 'leaver')
    wait_for(lambda: leaver.get('/api/v1/leaving').json['state'] == 'ending', why='the worker to hear of it')
    assert leaver.get('/api/v1/restitution').status == 200
    total = leaver.get('/api/v1/leaving').json['fetched']['sha256']
    assert leaver.post('/api/v1/leaving', {'sha256': total, 'destroy': False}).status == 202
    assert leaver.post('/api/v1/leaving', {'sha256': 'x', 'destroy': False}).status == 400
    assert leaver.post('/api/v1/companies', {'name': 'B'}).status == 403


def test_no_operation_went_unseen(client):
    promised = {(m.upper(), path) for path, item in client.document['paths'].items() for m in item if m in ('get', 'put', 'post', 'patch', 'delete')}
    assert promised - client.seen == set()

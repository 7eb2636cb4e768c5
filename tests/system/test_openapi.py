"""The served OpenAPI document is true: a walk over the whole API, every answer held against it, every operation seen to succeed once."""
import json

import jsonschema
import pytest

from house import PASSWORD, Client, wait_for


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

    def operation(self, method, path):
        for template, item in self.document['paths'].items():
            parts = template.split('/'), path.split('/')
            if len(parts[0]) == len(parts[1]) and all(a == b or a.startswith('{') for a, b in zip(*parts)):
                if not any('{' in p for p in parts[0]) or path not in self.document['paths']:
                    return template, item[method.lower()]
        raise AssertionError(f'{method} {path} is not in the document')


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
    assert c.get('/api/v1/settings/plain-socket').json == {'enabled': False}
    assert c.put('/api/v1/settings/plain-socket', {'enabled': 'yes'}).status == 400
    assert c.put('/api/v1/settings/plain-socket', {'enabled': False}).status == 200
    assert c.get('/api/v1/provider-ledger').status == 200
    assert reader.get('/api/v1/rotation').status == 401
    assert c.get('/api/v1/rotation').json['state'] == 'idle'
    assert c.post('/api/v1/rotation').status == 202
    kept = wait_for(lambda: (r := c.get('/api/v1/rotation').json)['state'] == 'idle' and r['kept'], why='the rotation')
    assert c.delete(f'/api/v1/rotation/keys/{kept[0]["id"]}').status == 204
    assert c.delete(f'/api/v1/rotation/keys/{kept[0]["id"]}').status == 404
    assert c.post('/api/v1/recovery-kit').status == 201
    assert c.put('/api/v1/password', {'old': 'wrong wrong wrong', 'password': 'another good password'}).status in (400, 401, 403)
    assert c.put('/api/v1/password', {'old': PASSWORD, 'password': 'another good password'}).status == 204
    if c.get('/api/v1/session').status != 200:
        assert c.login(password='another good password').status == 200
    assert c.delete('/api/v1/session').status == 204


def test_no_operation_went_unseen(client):
    promised = {(m.upper(), path) for path, item in client.document['paths'].items() for m in item if m in ('get', 'put', 'post', 'patch', 'delete')}
    assert promised - client.seen == set()

"""A person's own rights: all about them in one archive, a restriction, an erasure that leaves nothing; what the provider holds (S10)."""
import concurrent.futures
import io
import json
import tarfile

import pytest

from house import wait_for

SECRET = 'Zébulon-Quentin'


@pytest.fixture(scope='module')
def acme(house):
    return house.acme


def person(client, name=SECRET, **more):
    made = client.post('/api/v1/contacts', {'family_name': name, 'notes': f'notes of {name} <b>', 'emails': ['z@exemple.fr'], **more})
    assert made.status == 201
    return made.json['id']


def document(client, name, data, *links):
    made = client.post('/api/v1/documents', {'name': name, 'links': list(links)}).json['id']
    assert client.put(f'/api/v1/documents/{made}/content', data).status == 200
    return made


def everything(client):
    """All that the API gives to an administrator with every right, as one text."""
    paths = ['/api/v1/contacts?limit=200&restricted=include', '/api/v1/documents?limit=200', '/api/v1/journal?limit=200',
             '/api/v1/export?kind=contacts&format=json&restricted=include', '/api/v1/export?kind=documents&format=json', '/api/v1/uploads',
             '/api/v1/journal/export']
    return '\n'.join(client.get(p).body.decode() for p in paths)


# S10: everything about one person comes out, and nothing about anyone else
def test_all_about_a_person_in_one_archive(acme):
    who = person(acme)
    other = person(acme, 'Autre')
    first = document(acme, 'contrat.pdf', b'un' * 100000, f'contacts/{who}')
    assert acme.put(f'/api/v1/documents/{first}/content', b'deux').status == 200
    document(acme, 'à deux', b'', f'contacts/{other}', f'contacts/{who}')
    document(acme, 'sans lui', b'x', f'contacts/{other}')
    answer = acme.get(f'/api/v1/contacts/{who}/package')
    assert answer.status == 200 and answer.headers['Content-Type'] == 'application/x-tar'
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    told = json.loads(files['person.json'])
    assert told['contact']['family_name'] == SECRET and [d['name'] for d in told['documents']] == ['à deux', 'contrat.pdf']
    assert told['documents'][1]['files'] == ['documents/2-1.pdf', 'documents/2-2.pdf']
    assert files['documents/2-1.pdf'] == b'un' * 100000 and files['documents/2-2.pdf'] == b'deux' and files['documents/1-1'] == b''
    page = files['person.html'].decode()
    assert SECRET in page and '&lt;b&gt;' in page and '<b>' not in page and 'contrat.pdf' in page
    assert [line['act'] for line in told['journal']] == ['subject_handed_out']  # this very act; ids, no content
    assert SECRET not in json.dumps(told['journal'])
    assert acme.get('/api/v1/contacts/01M8AVBWM0STZTVJ54CMVM0AKE/package').status == 404


def test_only_an_administrator_may(house, acme):
    who = person(acme, 'Protégée')
    member = house.client('acme', house.token(acme))
    for method, path, body in (('GET', 'package', None), ('PUT', 'restriction', {'restricted': True}), ('POST', 'erasure', {'mode': 'erase'})):
        assert member.request(method, f'/api/v1/contacts/{who}/{path}', body).status == 403
    assert member.get('/api/v1/provider/holdings').status == 403


def test_a_restricted_record_is_read_and_nothing_else(acme):
    who = person(acme, 'Restreinte')
    path = f'/api/v1/contacts/{who}'
    assert acme.put(f'{path}/restriction', {'restricted': 'yes'}).status == 400
    assert acme.put(f'{path}/restriction', {'restricted': True}).json['restricted'] is True
    assert acme.get(path).json['restricted'] is True
    for answer in (acme.patch(path, {'notes': 'x'}), acme.put(path, {'family_name': 'x'}), acme.delete(path)):
        assert answer.status == 409 and answer.json['type'] == 'restricted'
    rows = json.dumps([{'id': who, 'family_name': 'x'}]).encode()
    assert acme.post('/api/v1/import?kind=contacts&format=json', rows).json['errors'][0]['problem'].startswith('The record is restricted')
    for form in ('json', 'csv', 'vcard'):
        assert b'Restreinte' not in acme.get(f'/api/v1/export?kind=contacts&format={form}').body
        assert b'Restreinte' in acme.get(f'/api/v1/export?kind=contacts&format={form}&restricted=include').body
    listed = lambda query: [i['id'] for i in acme.get(f'/api/v1/contacts?limit=200&letter=R{query}').json['items']]
    assert who not in listed('') and who in listed('&restricted=include')
    assert acme.get('/api/v1/contacts?restricted=only').status == 400
    forged = acme.post('/api/v1/contacts', {'family_name': 'Rusée', 'restricted': True})
    assert forged.status == 201 and 'restricted' not in forged.json
    named = acme.post('/api/v1/contacts', {'family_name': 'Rien', 'custom': {'restricted': True}}).json['id']
    assert named in acme.get('/api/v1/export?kind=contacts&format=json').body.decode()
    assert 'restricted' not in acme.put(f'{path}/restriction', {'restricted': False}).json
    assert acme.patch(path, {'notes': 'x'}).status == 200


@pytest.mark.parametrize('mode', ['erase', 'anonymise'])
def test_an_erasure_leaves_nothing(house, mode):
    bois, name = house.bois, f'{SECRET}-{mode}'
    who, other = person(bois, name, custom={name.lower(): name}), person(bois, 'Reste')
    alone = document(bois, f'{name}.txt', f'{name} '.encode() * 1000, f'contacts/{who}')
    shared = document(bois, 'commun', b'x', f'contacts/{who}', f'contacts/{other}')
    path = f'/api/v1/contacts/{who}'
    preview = bois.post(f'{path}/erasure', {'mode': mode, 'dry_run': True})
    assert preview.status == 200 and preview.json['dry_run'] is True
    assert sorted((d['id'], d['action']) for d in preview.json['documents']) == sorted([(alone, 'erase'), (shared, 'unlink')])
    assert name in everything(bois) and bois.get(f'/api/v1/documents/{alone}/content').status == 200  # nothing was touched
    assert bois.post(f'{path}/erasure', {'mode': 'burn'}).status == 400
    done = bois.post(f'{path}/erasure', {'mode': mode, 'rotate': mode == 'erase'})
    assert done.status == 200 and done.json['documents'] == preview.json['documents']
    assert done.json['rotation'] == ('asked' if mode == 'erase' else 'advised')
    left = everything(bois)
    assert name not in left and name.lower() not in left and 'z@exemple.fr' not in bois.get(path).body.decode()
    assert bois.get(path).status == (404 if mode == 'erase' else 200)
    assert bois.get(f'/api/v1/documents/{alone}').status == bois.get(f'/api/v1/documents/{alone}/content').status == 404
    assert bois.get(f'/api/v1/documents/{shared}').json['links'] == [f'contacts/{other}']
    line = next(i for i in bois.get('/api/v1/journal?limit=50').json['items'] if i['act'] == 'subject_erased')
    assert line['about'] == {'id': who, 'mode': mode, 'erased': 1, 'unlinked': 1}
    if mode == 'erase':
        wait_for(lambda: (r := bois.get('/api/v1/rotation').json)['state'] == 'idle' and r['kept'], seconds=60, why='the rotation')
    assert bois.get('/api/v1/journal/verify').json['sound'] is True


# S10: one call gives a tenant all that the provider holds about it
def test_what_the_provider_holds(house, acme):
    house.cli('terms', 'publish', '-', '--kind', 'privacy', '--effective', '2099-01-01', input='Politique')
    wait_for(lambda: acme.get('/api/v1/notices').json['items'], why='the notice')
    held = acme.get('/api/v1/provider/holdings')
    assert held.status == 200
    assert held.json['registry']['name'] == 'acme' and held.json['registry']['hosts'] == ['acme.localhost'] and held.json['registry']['enrolled'] is True
    assert held.json['registry']['modules'] == '' and held.json['registry']['created'] and held.json['registry']['contact'] is None
    assert held.json['counters']['connections_total'] > 0
    ledger = held.json['ledger']
    own = acme.get(f'{ledger["read"]}?limit=500').json
    assert ledger['consistent'] is True and ledger['complete'] is True and ledger['own'] == len(ledger['items']) > 0
    assert ledger['items'] == own['items'][:ledger['own']] and ledger['items'][0]['verb'] == 'create'
    for part, path in (('notices', 'notices'), ('snapshots', 'backups'), ('support', 'support')):
        assert held.json[part] == acme.get(f'/api/v1/{path}').json['items']
    assert held.json['places'] == acme.get('/api/v1/provider/places').json and held.json['places']['node']['region'] == 'local'


def test_users_who_ask_without_end_cost_the_worker_nothing(house, acme):
    """The supervisor ends a worker that asks too often for its lines; an honest one never does, whoever floods it."""
    before = house.show('acme')
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [house.client('acme', house.token(acme, scopes=('admin',))) for _ in range(8)]
        flood = lambda c: [c.get(f'/api/v1/provider/{p}').status for p in ('holdings', 'ledger', 'disclosures') * 10]  # noqa: E731
        statuses = [s for of_one in pool.map(flood, clients) for s in of_one]
    assert statuses.count(200) == len(statuses) == 240
    after = house.show('acme')
    assert (after['pid'], after['crashes']) == (before['pid'], before['crashes'])

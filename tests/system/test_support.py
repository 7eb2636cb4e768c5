"""Messages to the provider's support (S7): written on purpose, read with the support's own key and by nobody else, answered, kept for a term."""
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile

import pytest

from house import DUTIES, House, PASSWORD, support_key, wait_for


@pytest.fixture(scope='module')
def house():
    folder = pathlib.Path(tempfile.mkdtemp(prefix='cloison-support-', dir='/tmp'))  # where staff can read its key
    os.chmod(folder, 0o755)
    key, certificate = support_key(folder, 'support')
    with House(support_certificate=f'"{certificate}"', sample_seconds=1) as h:
        h.key, h.folder = key, folder
        h.acme = h.enrolled('acme')
        yield h
    shutil.rmtree(folder)


def support(house, *arguments, **k):
    return house.cli('support', *arguments, duties=('support',), **k)


def listed(house):
    return json.loads(support(house, 'list', '--json').stdout)


def write(client, text):
    answer = client.post('/api/v1/support', {'text': text})
    assert answer.status == 201 and answer.json['text'] == text, answer
    return answer.json['id']


def seen(client, message, *states):
    """Waits until the message stands so in the tenant's own list."""
    def look():
        found = [m for m in client.get('/api/v1/support').json['items'] if m['id'] == message]
        return found and found[0]['state'] in states and found[0]
    return wait_for(look, why=f'{states}')


def number_of(house, before):
    return wait_for(lambda: [t for t in listed(house) if t['id'] not in before], why='the trace')[0]


def ids(house):
    return {t['id'] for t in listed(house)}


def test_written_read_answered_closed(house):
    before = ids(house)
    overview = house.acme.get('/api/v1/support').json
    assert overview['available'] and 'read' in overview['warning']
    text = 'Bonjour, « Exporter » ne répond plus.\n\tMerci \U0001f642'
    message = write(house.acme, text)
    kept = seen(house.acme, message, 'kept')
    trace = number_of(house, before)
    assert trace['tenant'] == 'acme' and trace['state'] == 'kept' and trace['until'] - trace['received'] == 90 * 86400
    assert kept['until'] and kept['answer'] is None
    assert kept in house.acme.get('/api/v1/provider/holdings').json['support']
    assert support(house, 'show', str(trace['id']), '--key', house.key).stdout == text + '\n'
    support(house, 'answer', str(trace['id']), '--key', house.key, 'Bonjour, c’est réparé.')
    answered = seen(house.acme, message, 'answered')
    assert answered['answer'] == 'Bonjour, c’est réparé.' and answered['answered']
    support(house, 'close', str(trace['id']))
    assert seen(house.acme, message, 'closed')['answer'] == 'Bonjour, c’est réparé.'
    refused = house.acme.delete(f'/api/v1/support/{message}')
    assert refused.status == 409 and refused.json['type'] == 'still-kept'
    acts = [(l['verb'], l['tenant'], l['result']) for l in house.ledger() if l['verb'].startswith('support')]
    for verb in ('support_show', 'support_answer', 'support_close'):
        assert (verb, 'acme', 'begun') in acts
    told = [l['act'] for l in house.acme.get('/api/v1/journal?limit=200').json['items']]
    assert 'support_sent' in told and 'support_answered' in told


def test_an_answer_reaches_a_tenant_that_slept(house):
    before = ids(house)
    message = write(house.acme, 'Une question.')
    seen(house.acme, message, 'kept')
    trace = number_of(house, before)
    house.cli('tenant', 'stop', 'acme')
    support(house, 'answer', str(trace['id']), '--key', house.key, 'La réponse.')
    house.stop()
    house.start()  # and the trace outlives the house
    assert trace['id'] in ids(house)
    assert seen(house.acme, message, 'answered')['answer'] == 'La réponse.'


def test_users_see_their_own(house):
    made = house.acme.post('/api/v1/users', {'login': 'bert', 'role': 'member'}).json
    bert = house.client('acme')
    assert bert.post('/api/v1/invitations', {'code': made['code'], 'password': PASSWORD}).status == 200
    message = write(bert, 'De la part de Bert.')
    assert message in [m['id'] for m in bert.get('/api/v1/support').json['items']]
    assert all(m['by'] == made['id'] for m in bert.get('/api/v1/support').json['items'])
    as_admin = next(m for m in house.acme.get('/api/v1/support').json['items'] if m['id'] == message)
    assert as_admin['text'] is None and as_admin['state']


def test_only_the_support_duty_and_it_nothing_else(house):
    one = str(listed(house)[0]['id'])
    for duty in DUTIES:
        allowed = duty == 'support'
        assert house.control('GET', '/v1/support', duties=(duty,)).status == (200 if allowed else 403), duty
        for method, path in (('GET', f'/v1/support/{one}'), ('POST', f'/v1/support/{one}/close'), ('PUT', f'/v1/support/{one}/answer')):
            assert allowed or house.control(method, path, duties=(duty,)).status == 403, (duty, path)
    for method, path in (('POST', '/v1/tenants/acme/start'), ('GET', '/v1/tenants/acme/csr'), ('GET', '/v1/ledger'), ('POST', '/v1/publication'),
                         ('POST', '/v1/tenants/acme/read'), ('POST', '/v1/tenants/acme/export')):
        assert house.control(method, path, duties=('support',)).status == 403, path
    with pytest.raises(OSError):
        house.status_get('/v1/status', duties=('support',))


def test_what_is_refused(house):
    for body in ({}, {'text': ''}, {'text': 'x' * 8193}, {'text': 'a\x00b'}, {'text': 'a\x1b[2Jb'}, {'text': 1}, {'text': 'a', 'to': 'b'}):
        assert house.acme.post('/api/v1/support', body).status == 400, body
    assert house.acme.post('/api/v1/support', {'text': 'a'}, headers={'Origin': 'https://evil.example'}).status == 403
    token = house.token(house.acme)
    assert house.client('acme', token).post('/api/v1/support', {'text': 'a'}).status == 403
    for path in ('0', '999999', 'abc', '1/../2', '99999999999999999999'):
        assert house.control('GET', f'/v1/support/{path}', duties=('support',)).status == 404
    one = str(listed(house)[0]['id'])
    assert support(house, 'show', one, '--key', support_key(house.folder, 'other')[0], check=False).returncode == 1
    assert support(house, 'show', one, check=False).returncode == 2
    for body in (b'', b'x' * 28673):
        assert house.control('PUT', f'/v1/support/{one}/answer', body, duties=('support',)).status in (400, 413)
    quiet = house.enrolled('quiet', functions=())
    assert quiet.post('/api/v1/support', {'text': 'a'}).json['type'] == 'function-off'
    assert quiet.get('/api/v1/support').json['items'] == []


def test_an_answer_that_is_none_is_not_taken(house):
    """Garbage, or an answer sealed for another message: the tenant shows no word of it."""
    before = ids(house)
    message = write(house.acme, 'Encore une.')
    seen(house.acme, message, 'kept')
    trace = number_of(house, before)
    assert house.control('PUT', f'/v1/support/{trace["id"]}/answer', secrets.token_bytes(500), duties=('support',)).status == 200
    assert seen(house.acme, message, 'answered')['answer'] is None


def test_a_flood_of_users_ends_no_worker(house):
    client = house.enrolled('foule')
    statuses = [client.post('/api/v1/support', {'text': f'{i}'}).status for i in range(20)]
    assert 429 in statuses and statuses[0] == 201
    assert house.show('foule')['crashes'] == 0
    assert len([t for t in listed(house) if t['tenant'] == 'foule']) <= 6
    assert client.get('/api/v1/support').status == 200


# S7: no word of a message is anywhere at the provider but sealed, and its trace opens with the support's key alone
def test_no_word_of_it_lies_open_at_the_provider(house):
    """In no file, log or ledger but sealed in the trace, and that the support's key alone opens (standard CMS)."""
    word = 'kanari' + secrets.token_hex(8)
    before = ids(house)
    message = write(house.acme, f'Le mot est {word}.')
    seen(house.acme, message, 'kept')
    trace = number_of(house, before)
    support(house, 'answer', str(trace['id']), '--key', house.key, f'Nous avons lu {word}.')
    seen(house.acme, message, 'answered')
    looked = 0
    for folder in (house.state, house.run):
        for path in folder.rglob('*'):
            if path.is_file():
                looked += 1
                assert word.encode() not in path.read_bytes(), path
    assert looked > 5 and word not in house.logged() and word not in json.dumps(house.ledger())
    sealed = house.control('GET', f'/v1/support/{trace["id"]}', duties=('support',)).body
    assert sealed in (house.state / 'support').read_bytes()
    (house.folder / 'm').write_bytes(sealed)
    for key, opens in ((house.key, True), (support_key(house.folder, 'third')[0], False)):
        run = subprocess.run(['openssl', 'cms', '-decrypt', '-inform', 'DER', '-in', house.folder / 'm', '-inkey', key], capture_output=True)
        assert (run.returncode == 0 and word.encode() in run.stdout) == opens


def test_without_a_certificate_there_is_no_support():
    with House() as h:
        client = h.enrolled('acme')
        assert not client.get('/api/v1/support').json['available']
        assert client.post('/api/v1/support', {'text': 'a'}).json['type'] == 'no-support'

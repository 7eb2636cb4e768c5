"""The processing functions over the real thing (C4, C12): all off in a new tenant, refused by name, effective at once, kept over a stop."""
import csv
import io
import xml.etree.ElementTree

import pytest

import wire
from house import Client, House, wait_for


@pytest.fixture(scope='module')
def house():
    with House() as h:
        h.acme = h.enrolled('acme', functions=())
        yield h


def off(answer, function):
    return answer.status == 403 and answer.json['type'] == 'function-off' and answer.json['function'] == function


def uses(client):
    """An answer a function."""
    return {'export': client.get('/api/v1/export?kind=companies&format=csv'),
            'import': client.post('/api/v1/import?kind=companies&format=csv', b'name\nUn\n', headers={'Content-Type': 'text/csv'}),
            'tokens': client.post('/api/v1/tokens', {'name': 't', 'scopes': ['read']})}


# C12: in a new tenant every function is off
def test_all_are_off_in_a_new_tenant(house):
    items = house.acme.get('/api/v1/functions').json['items']
    assert len(items) >= 11 and not any(f['enabled'] or f['needed'] or f['since'] for f in items)
    assert all(f[part][language] for f in items for part in ('purpose', 'data', 'recipients', 'term', 'basis', 'text') for language in ('fr', 'en'))
    assert all(off(answer, name) for name, answer in uses(house.acme).items())
    # what needs none goes on: records, users, rights
    made = house.acme.post('/api/v1/companies', {'name': 'Acme'})
    assert made.status == 201 and house.acme.delete(f'/api/v1/companies/{made.json["id"]}').status == 204
    assert house.acme.get('/api/v1/users').status == house.acme.get('/api/v1/tokens').status == 200


def test_each_is_switched_alone_and_survives_a_stop(house):
    house.acme.switch(('export',))
    for _ in range(2):
        assert {name: answer.status for name, answer in uses(house.acme).items()} == {'export': 200, 'import': 403, 'tokens': 403}
        house.cli('tenant', 'stop', 'acme')
        house.wait_state('acme', 'stopped')
        house.acme.close()
    house.acme.switch(('export',), on=False)
    assert off(uses(house.acme)['export'], 'export')


def test_a_token_opens_nothing_while_tokens_are_off(house):
    """Neither a record nor the tenant itself: a worker that only such a token has reached is as sealed as before."""
    house.acme.switch(('tokens',))
    robot = house.client('acme', token=house.token(house.acme))
    assert robot.get('/api/v1/companies').status == 200
    house.acme.switch(('tokens',), on=False)
    assert off(robot.get('/api/v1/companies'), 'tokens')
    house.cli('tenant', 'stop', 'acme')
    house.wait_state('acme', 'stopped')
    robot.close()
    for _ in range(3):
        assert off(robot.get('/api/v1/companies'), 'tokens')
        assert robot.get('/api/v1/health').json == {'state': 'sealed'} and house.show('acme')['state'] == 'sealed'
    house.acme.close()
    assert house.acme.get('/api/v1/session').status == 200  # a cookie does open it
    house.acme.switch(('tokens',))
    assert robot.get('/api/v1/companies').status == 200  # the token is what it was
    house.cli('tenant', 'stop', 'acme')
    house.wait_state('acme', 'stopped')
    robot.close()
    assert robot.get('/api/v1/companies').status == 200 and robot.get('/api/v1/health').json == {'state': 'serving'}
    house.acme.close()
    house.acme.switch(('tokens',), on=False)


def test_an_import_under_way_ends_with_its_function(house):
    house.acme.switch(('import',))
    cookie = '; '.join(f'{k}={v}' for k, v in house.acme.cookies.items())
    with wire.tls(house.tls_port, 'acme.localhost') as s:
        s.sendall(wire.request('POST', '/api/v1/import?kind=companies&format=csv', 'acme.localhost',
                               headers=[('Cookie', cookie), ('Content-Length', '20000')], **{'Content-Type': 'text/csv'}) + b'name\n' + b'Un\n' * 1000)
        wait_for(lambda: house.acme.get('/api/v1/companies/letters').json['total'] > 0, why='the first records')
        house.acme.switch(('import',), on=False)
        before = house.acme.get('/api/v1/companies/letters').json['total']
        replies, _ = wire.exchange(s, b'Un\n' * 1000)
        assert replies and off(replies[0], 'import'), replies
    assert before < 2000 and house.acme.get('/api/v1/companies/letters').json['total'] == before


def test_one_use_of_what_is_off_is_confirmed(house):
    export = '/api/v1/export?kind=companies&format=csv'
    made = house.acme.post('/api/v1/confirmations', {'function': 'export', 'confirmed': 1})
    assert made.status == 201 and made.json['function'] == 'export'
    once = {'Cloison-Confirmation': made.json['code']}
    other = Client(house, 'acme.localhost')
    other.login()
    assert off(other.get(export, headers=once), 'export')  # it is this session's
    assert house.acme.get(export, headers=once).status == 200
    assert off(house.acme.get(export, headers=once), 'export')
    acts = [line['act'] for line in house.acme.get('/api/v1/journal?limit=4').json['items']]
    assert acts == ['exported', 'confirmation_spent', 'logged_in', 'confirmed']
    assert house.acme.post('/api/v1/confirmations', {'function': 'tokens', 'confirmed': 1}).json['type'] == 'not-once'


def test_nobody_else_switches(house):
    invited = house.acme.post('/api/v1/users', {'login': 'membre', 'role': 'member'})
    member = Client(house, 'acme.localhost')
    assert member.post('/api/v1/invitations', {'code': invited.json['code'], 'password': 'another good password'}).status == 200
    member.login('membre', 'another good password')
    wanted = {'enabled': True, 'confirmed': 1}
    assert member.post('/api/v1/confirmations', {'function': 'export', 'confirmed': 1}).status == 403  # an administrator's to confirm
    assert member.post('/api/v1/confirmations', {'function': 'import', 'confirmed': 1}).status == 201
    answer = member.put('/api/v1/functions/export', wanted)
    assert answer.status == 403 and answer.json['type'] == 'rights'
    assert Client(house, 'acme.localhost').put('/api/v1/functions/export', wanted).status == 401
    assert house.control('PUT', '/v1/tenants/acme/functions/export', wanted).status == 404  # nor the provider (C6)
    assert house.acme.put('/api/v1/functions/export', {'enabled': True, 'confirmed': 2}).status == 409
    assert not any(f['enabled'] for f in house.acme.get('/api/v1/functions').json['items'])


def page(text):
    """The text of a page that is well-formed to the last tag; its head's only void element apart."""
    return xml.etree.ElementTree.fromstring(text.replace('<!DOCTYPE html>', '').replace('<meta charset="utf-8">', ''))


def test_a_rule_runs_in_the_background_while_its_function_is_on(house):
    wanted = {'name': 'Fin de contrat', 'kind': 'contacts', 'action': 'delete', 'after_days': 30, 'date': 'custom.fin'}
    assert off(house.acme.post('/api/v1/rules', wanted), 'retention')
    house.acme.switch(('retention',))
    ids = [house.acme.post('/api/v1/contacts', {'family_name': f'Nom {day}', 'custom': {'fin': day}}).json['id'] for day in ('2019-12-31', '2999-12-31', 'bientôt')]
    rule = f'/api/v1/rules/{house.acme.post("/api/v1/rules", wanted).json["id"]}'
    assert house.acme.post(f'{rule}/run?dry_run=true').json == {'matching': 1, 'seen': 3, 'first': ids[:1]}
    assert house.acme.post(f'{rule}/run').json['type'] == 'rule-off'
    assert house.acme.patch(rule, {'enabled': True}).status == 200 and house.acme.post(f'{rule}/run').status == 202
    wait_for(lambda: house.acme.get('/api/v1/rules').json['items'][0]['done'] == 1, why='the run')
    assert [house.acme.get(f'/api/v1/contacts/{id}').status for id in ids] == [404, 200, 200]
    told = {line['act']: line for line in house.acme.get('/api/v1/journal?limit=4').json['items']}
    assert told['rule_ended']['about'] == {'rule': rule[-26:], 'action': 'delete', 'kind': 'contacts', 'after_days': 30, 'done': 1, 'whole': True}
    assert told['rule_ended']['user'] is None and 'rule_began' in told
    house.acme.switch(('retention',), on=False)
    assert off(house.acme.post(f'{rule}/run'), 'retention')
    assert house.acme.delete(rule).status == 204  # to take away needs nothing


def test_the_registers_say_what_may_be_done(house):
    """The tenant's own knows what is on; the provider's, as a processor, only what it entered itself (GDPR article 30)."""
    house.acme.switch(('export',))
    tree = page(house.acme.get('/api/v1/register?format=html').body.decode())
    states = {s.find('h2').text: s.find('dl/dd').text for s in tree.findall('body/section')}
    assert states['Export des fiches'].startswith('activé depuis le 20') and states['Import de fiches'].startswith('désactivé')
    rows = list(csv.DictReader(io.StringIO(house.acme.get('/api/v1/register?format=csv&lang=en').body.decode())))
    assert len(rows) == len(states) and rows[0]['State'] == 'always' and all(all(row.values()) for row in rows)
    assert house.acme.get('/api/v1/register?format=json').json['controller'] == 'acme.localhost'
    house.acme.switch(('export',), on=False)
    house.cli('tenant', 'set', 'acme', '--title', 'Acme & <Fils>, "SA"')
    tree = page(house.cli('register').stdout)
    assert [h.text for h in tree.findall('body/section/h2')] == ['Acme & <Fils>, "SA"']
    rows = list(csv.DictReader(io.StringIO(house.cli('register', '--format', 'csv', '--lang', 'en').stdout)))
    assert rows[0]['Customer (controller)'] == 'Acme & <Fils>, "SA"' and 'Backup' in rows[0]['Categories of processing']
    assert house.cli('--json', 'register').stdout.count('"name": "acme"') == 1
    for wrong in (('--format', 'pdf'), ('--lang',), ('--lang', 'de'), ('acme',)):
        assert house.cli('register', *wrong, check=False).returncode == 2


# C4: each switch is a line of the journal
def test_each_switch_is_a_line_of_the_journal(house):
    me = house.acme.get('/api/v1/session').json['user']['id']
    house.acme.switch(('references',))
    house.acme.switch(('references',))  # it is on: nothing happens
    house.acme.switch(('references',), on=False)
    found = [line for line in house.acme.get('/api/v1/journal?limit=3').json['items'] if line['act'] == 'switched']
    assert [(line['user'], line['about']) for line in found[:2]] == [
        (me, {'function': 'references', 'enabled': False, 'version': 1}), (me, {'function': 'references', 'enabled': True, 'version': 1})]
    assert found[2:] == [] or found[2]['about']['function'] != 'references'

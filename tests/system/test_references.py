"""What a provider may publish about a tenant: its name and modules, and more only while the tenant consents to it (C10)."""
import json

import pytest
from house import STAFF_UID, House, wait_for


@pytest.fixture(scope='module')
def house():
    with House() as h:
        h.acme = h.enrolled('acme', None, '--title', 'Acme SA', '--modules', 'crm,export')
        h.bois = h.enrolled('bois')
        yield h


def cited(house):
    return {row['name']: row['references'] for row in json.loads(house.cli('--json', 'reference', 'list', duties=('viewer',)).stdout)}


def switch(client, on):
    version = next(f['version'] for f in client.get('/api/v1/functions').json['items'] if f['name'] == 'references')
    return client.put('/api/v1/functions/references', {'enabled': on, 'confirmed': version} if on else {'enabled': False})


def consent(client, name, given):
    return client.put(f'/api/v1/provider/references/{name}', {'given': given})


# C10: without a consent there are name and modules and nothing else
def test_name_and_modules_are_all_at_first(house):
    rows = json.loads(house.cli('--json', 'reference', 'list', duties=('viewer',)).stdout)
    assert next(r for r in rows if r['name'] == 'Acme SA') == {'name': 'Acme SA', 'modules': 'crm,export', 'references': []}
    assert not any(item['given'] for item in house.acme.get('/api/v1/provider/references').json['items'])


# C10: a consent is given to one use, shows at the provider, and goes when it is withdrawn
def test_a_consent_is_given_and_withdrawn(house):
    switch(house.acme, True)
    assert consent(house.acme, 'logo', True).json['given'] is True
    assert consent(house.acme, 'quote', True).status == 200
    wait_for(lambda: cited(house)['Acme SA'] == ['logo', 'quote'], why='both')
    assert cited(house)['bois'] == []
    assert consent(house.acme, 'logo', False).json == {**house.acme.get('/api/v1/provider/references').json['items'][0]}
    wait_for(lambda: cited(house)['Acme SA'] == ['quote'], why='one')
    acts = [line['about'] for line in house.acme.get('/api/v1/journal').json['items'] if line['act'] == 'reference_switched']
    assert acts[::-1] == [{'reference': 'logo', 'given': True}, {'reference': 'quote', 'given': True}, {'reference': 'logo', 'given': False}]
    assert len([line for line in house.ledger() if line['verb'] == 'references']) == 3


# C10, C4: switching the function off withdraws all, for good; while it is off nothing can be given
def test_the_function_takes_all_of_them_back(house):
    told = len([line for line in house.ledger() if line['verb'] == 'references'])
    consent(house.acme, 'quote', True)
    wait_for(lambda: cited(house)['Acme SA'] == ['quote'], why='one')
    assert switch(house.acme, False).status == 200
    wait_for(lambda: cited(house)['Acme SA'] == [], why='none')
    refused = consent(house.acme, 'logo', True)
    assert refused.status == 403 and refused.json['type'] == 'function-off'
    assert not any(item['given'] for item in house.acme.get('/api/v1/provider/references').json['items'])
    line = next(line for line in house.acme.get('/api/v1/journal').json['items'] if line['act'] == 'reference_switched')
    assert line['about'] == {'reference': 'quote', 'given': False}
    assert switch(house.acme, True).status == 200
    assert not any(item['given'] for item in house.acme.get('/api/v1/provider/references').json['items'])
    assert consent(house.acme, 'logo', True).status == consent(house.acme, 'logo', False).status == 200  # what is told is told in turn
    wait_for(lambda: len([line for line in house.ledger() if line['verb'] == 'references']) == told + 3, why='these two')
    assert cited(house)['Acme SA'] == []


# C1, C10: beyond name and modules nothing is published without the tenant's consent to that very use and a second person
def test_a_citation_takes_the_consent_and_two_people(house):
    cite = lambda use, check=True: house.cli('--json', 'reference', 'cite', 'acme', '--use', use, '--where', 'Salon de Lyon', duties=('registrar',), check=check)  # noqa: E731
    approve = lambda number, uid=STAFF_UID + 1, duties=('auditor',): house.control('POST', f'/v1/requests/{number}/approve', duties=duties, uid=uid)  # noqa: E731
    for reference in ('quote', 'case_study'):
        assert consent(house.acme, reference, True).status == 200
    wait_for(lambda: cited(house)['Acme SA'] == ['quote', 'case_study'], why='both')
    refused = cite('logo', check=False)
    assert refused.returncode == 1 and 'does not consent to that use' in refused.stderr
    number, other = (json.loads(cite(use).stdout)['number'] for use in ('quote', 'case_study'))
    assert approve(number, STAFF_UID, ('registrar', 'auditor')).json['type'] == 'alone'
    assert approve(number, duties=('registrar',)).status == 403
    given = approve(number)
    assert given.status == 200 and (given.json['citation']['use'], given.json['citation']['where'], given.json['citation']['state']) == ('quote', 'Salon de Lyon', 'done')
    told = [(i['verb'], i['result'], i['note']) for i in house.acme.get('/api/v1/provider/ledger?limit=500').json['items'] if i['number'] == number]
    assert told[0] == ('cite', 'pending', 'use: quote; where: Salon de Lyon') and ('cite', 'cited', 'use: quote; where: Salon de Lyon') in told
    assert approve(number).status == 409  # once
    assert consent(house.acme, 'case_study', False).status == 200
    wait_for(lambda: cited(house)['Acme SA'] == ['quote'], why='one')
    late = approve(other)  # what was consented to when it was asked for is not any more
    assert late.status == 409 and 'does not consent to that use' in late.json['detail']
    assert not [i for i in house.ledger() if i.get('number') == other and i['result'] == 'cited']


def test_what_is_kept_outlives_worker_and_supervisor(house):
    consent(house.acme, 'quote', True)
    wait_for(lambda: cited(house)['Acme SA'] == ['quote'], why='one')
    house.cli('tenant', 'stop', 'acme')
    assert cited(house)['Acme SA'] == ['quote']
    house.stop()
    house.start()
    assert cited(house)['Acme SA'] == ['quote']
    assert house.acme.login().status in (200, 201)
    assert [i['name'] for i in house.acme.get('/api/v1/provider/references').json['items'] if i['given']] == ['quote']


@pytest.mark.parametrize('name, body, status', [('nothing', {'given': True}, 404), ('logo', {'given': 'yes'}, 400), ('logo', {}, 400), ('logo', {'given': True, 'x': 1}, 400)])
def test_what_is_no_consent_is_refused(house, name, body, status):
    assert house.acme.put(f'/api/v1/provider/references/{name}', body).status == status


def test_only_an_administrator_consents(house):
    made = house.acme.post('/api/v1/users', {'login': 'lea', 'role': 'member'}).json
    lea = house.client('acme')
    assert lea.post('/api/v1/invitations', {'code': made['code'], 'password': 'another good password'}).status == 200
    assert lea.login('lea', 'another good password').status == 200
    assert lea.get('/api/v1/provider/references').status == 200
    assert consent(lea, 'logo', True).status == 403

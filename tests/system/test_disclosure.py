"""A third party gets something only on one of four grounds, with a reason, by two people, on the record (S9, S11, C1)."""
import datetime
import json

import pytest
from house import STAFF_UID, House

ASKER, AUDITOR = STAFF_UID + 30, STAFF_UID + 31
ARGUMENTS = ('--reason', 'Ordonnance du 3 mars', '--recipient', 'Tribunal de Lyon')


@pytest.fixture(scope='module')
def house():
    with House() as h:
        h.acme = h.enrolled('acme', None, '--title', 'Acme SA')
        h.acme.post('/api/v1/companies', {'name': 'Secrète'})
        h.enrolled('bois')
        yield h


def ask(house, *more, ground='law', check=True, uid=ASKER, duties=('registrar',)):
    run = house.cli('--json', 'disclosure', 'request', 'acme', '--ground', ground, *ARGUMENTS, *more, uid=uid, duties=duties, check=check)
    return json.loads(run.stdout)['number'] if check else run


def approve(house, number, uid=AUDITOR, duties=('auditor',), check=True):
    run = house.cli('--json', 'disclosure', 'approve', str(number), uid=uid, duties=duties, check=check)
    return json.loads(run.stdout) if check else run


def listed(house, number):
    items = json.loads(house.cli('--json', 'disclosure', 'list', uid=AUDITOR, duties=('auditor',)).stdout)
    return next(item for item in items if item['number'] == number)


def lines(house, number):
    return [line for line in house.ledger() if line.get('number') == number]


# S9: no command gives anything for a commercial ground
def test_there_is_no_ground_for_commerce(house):
    for ground in ('commerce', 'partnership', 'marketing', '', 'LAW', '0'):
        run = ask(house, ground=ground, check=False)
        assert run.returncode == 1 and 'there is no other' in run.stderr
    assert ask(house, '--scope', 'contacts', check=False).returncode == 1


# S11: two people, one of four grounds, and only what the provider holds
def test_two_people_and_only_what_the_provider_holds(house):
    number = ask(house, '--scope', 'registry,counters,ledger,sealed')
    assert approve(house, number, uid=ASKER, duties=('registrar', 'auditor'), check=False).returncode == 1  # alone
    assert approve(house, number, duties=('registrar', 'operator', 'viewer'), check=False).returncode == 1  # another duty
    assert listed(house, number)['state'] == 'asked'
    package = approve(house, number)
    assert package['registry']['title'] == 'Acme SA' and package['registry']['hosts'] == ['acme.localhost']
    assert package['disclosure']['state'] == 'done' and package['disclosure']['recipient'] == 'Tribunal de Lyon'
    assert 'nobody at the provider can open it' in package['sealed']['note'] and 'capsule' not in package['sealed']['files']
    assert {line['tenant'] for line in package['ledger']} == {'acme'} and 'disclosed' in {line['result'] for line in package['ledger']}
    assert package['counters']['logins'] >= 0 and 'Secr' not in json.dumps(package, ensure_ascii=False)
    steps = [(line['verb'], line['result'], line['uid'], line['tenant']) for line in lines(house, number)]
    assert steps[0][:3] == ('disclosure', 'pending', ASKER) and ('disclosure', 'disclosed', AUDITOR, 'acme') in steps
    assert [s for s in steps if s[0] == 'request_approve'][-2:] == [('request_approve', 'begun', AUDITOR, 'acme'), ('request_approve', 'done', AUDITOR, 'acme')]
    assert steps.index(('request_approve', 'begun', AUDITOR, 'acme')) < steps.index(('disclosure', 'disclosed', AUDITOR, 'acme'))
    assert all('scope: registry counters ledger sealed (without key); ' in line['note'] for line in lines(house, number) if line['result'] != 'refused')
    assert all('reason: Ordonnance du 3 mars' in line['note'] for line in lines(house, number) if line['result'] != 'refused')
    assert approve(house, number, check=False).returncode == 1  # once


def test_withdrawn_refused_and_over_a_restart(house):
    first, second, third = ask(house), ask(house), ask(house)
    house.cli('request', 'withdraw', str(first), uid=ASKER, duties=('registrar',))
    house.cli('request', 'withdraw', str(second), uid=AUDITOR, duties=('auditor',))
    assert house.cli('request', 'withdraw', str(third), uid=ASKER + 5, duties=('registrar', 'operator'), check=False).returncode == 1
    house.stop()
    house.start()
    assert [listed(house, n)['state'] for n in (first, second, third)] == ['withdrawn', 'withdrawn', 'asked']
    for n in (first, second):
        assert approve(house, n, check=False).returncode == 1
    package = approve(house, third)
    assert package['registry']['name'] == 'acme' and set(package) == {'disclosure', 'registry'}  # the scope that was asked for
    assert approve(house, 999, check=False).returncode == 1


# S11: a hold has a day that is in the ledger, two years ahead at most
def test_a_hold_keeps_it_from_the_tenant_until_its_day(house):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    day = today + datetime.timedelta(days=3)
    for out_of_bounds in ('2000-01-01', str(today), str(today + datetime.timedelta(days=733)), '2099-01-01'):
        run = ask(house, '--hold-until', out_of_bounds, check=False)
        assert run.returncode == 1 and 'at most two years ahead' in run.stderr
    assert ask(house, '--hold-until', str(today + datetime.timedelta(days=731)))
    number = ask(house, '--hold-until', str(day), '--scope', 'ledger')
    package = approve(house, number)
    assert listed(house, number)['tenant_told'] is False
    assert not [line for line in package['ledger'] if line.get('number') == number]  # nor in what its chain says
    held = lines(house, number)
    assert held and {line['tenant'] for line in held} == {None}  # on the central chain, with its day
    assert all(f'; held until: {day}; ' in line['note'] for line in held)


def test_only_its_duties_see_it(house):
    number = ask(house)
    for duties in (('viewer',), ('operator',)):
        assert json.loads(house.cli('--json', 'disclosure', 'list', duties=duties).stdout) == []
    for duties in (('registrar',), ('auditor',)):
        assert number in [i['number'] for i in json.loads(house.cli('--json', 'disclosure', 'list', duties=duties).stdout)]

"""Where a tenant's data and its copies are, and the bound that its administrator sets to that (S8)."""
import os
import signal

import pytest
from house import House, destinations, wait_for
from test_backup import ARCHIVE, PLAN, folder, idle, last, planned, words


@pytest.fixture(scope='module')
def house():
    h = House(region='eu-fr')
    h.extra = destinations(h.root, regions={'other': 'eu-de', 'vault': 'eu-be'})
    h.write_config()
    with h:
        wait_for(lambda: 'cloison-courier: ready' in h.logged(), why='the courier')
        yield h


@pytest.fixture(scope='module')
def acme(house):
    client = house.enrolled('acme')
    wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
    return client


def bound(client, *allowed, **more):
    return client.put('/api/v1/provider/regions', {'allowed': list(allowed)} | more)


def unbound(client):
    assert client.put('/api/v1/provider/regions', {'allowed': None}).status == 200


def registry(house):
    return next(line for line in (house.state / 'registry').read_text().splitlines() if '\tname=acme\t' in line)


# S8: a tenant sees where its data and its copies are
def test_a_tenant_sees_where_everything_is(house, acme):
    assert acme.get('/api/v1/provider/regions').json == {'bounded': False, 'node': {'region': 'eu-fr', 'allowed': True}, 'regions': [
        {'region': 'eu-fr', 'allowed': True, 'destinations': ['medium']}, {'region': 'eu-de', 'allowed': True, 'destinations': ['other']},
        {'region': 'eu-be', 'allowed': True, 'destinations': ['vault']}]}
    planned(acme)
    idle(acme)
    places = acme.get('/api/v1/provider/places').json
    assert places['node'] == {'region': 'eu-fr', 'allowed': True} and places['capsule_copies'] == []
    assert (places['plans']['backup']['where'], places['plans']['backup']['region']) == ('medium', 'eu-fr')
    assert places['plans'] == acme.get('/api/v1/plans').json
    held = acme.get('/api/v1/provider/holdings').json
    assert held['places'] == places and [s['number'] for s in held['snapshots']] == [1]


# S8: a plan for an excluded region is refused, and the bound outlives worker and supervisor
def test_no_plan_goes_to_an_excluded_region(house, acme):
    assert bound(acme, 'eu-fr', 'eu-de').json['bounded'] is True
    refused = acme.put('/api/v1/plans/archive', ARCHIVE)
    assert refused.status == 409 and (refused.json['type'], refused.json['field']) == ('region-excluded', 'where')
    assert acme.get('/api/v1/plans').json['archive'] is None
    wait_for(lambda: '\tregions=eu-fr,eu-de\t' in registry(house), why='the registry')
    house.cli('tenant', 'stop', 'acme')
    house.stop()
    house.start()
    assert acme.login().status in (200, 201)
    assert '\tregions=eu-fr,eu-de\t' in registry(house)
    wait_for(lambda: [r['allowed'] for r in acme.get('/api/v1/provider/regions').json['regions']] == [True, True, False], why='the same')
    line = next(i for i in acme.get('/api/v1/journal').json['items'] if i['act'] == 'regions_bounded')
    assert line['about'] == {'regions': ['eu-fr', 'eu-de'], 'node_stays': False}
    assert words(house, 'regions') == ['done']
    unbound(acme)
    wait_for(lambda: '\tregions=' not in registry(house), why='no bound')


# S8: who excludes the node's own region states that data do not move by themselves
def test_the_nodes_own_region_takes_a_statement(acme):
    for more in ({}, {'node_stays': False}):
        refused = bound(acme, 'eu-de', **more)
        assert refused.status == 409 and (refused.json['type'], refused.json['field']) == ('node-region', 'node_stays')
        assert acme.get('/api/v1/provider/regions').json['bounded'] is False
    assert bound(acme, 'eu-de', node_stays=True).json['node'] == {'region': 'eu-fr', 'allowed': False}
    assert acme.get('/api/v1/provider/places').json['node']['allowed'] is False
    unbound(acme)


# S8: neither the plan nor staff makes a copy go to, or come from, an excluded region
def test_nothing_goes_to_or_comes_from_an_excluded_region(house, acme):
    assert acme.post('/api/v1/backups').status == 202
    number = idle(acme, number=2)['number']
    assert house.cli('backup', 'drill', 'acme', duties=('operator',)).returncode == 0
    assert bound(acme, 'eu-de', node_stays=True).status == 200
    wait_for(lambda: acme.get('/api/v1/plans').json['backup']['state'] == 'paused', why='the pause')
    wait_for(lambda: '\tregions=eu-de\t' in registry(house), why='the registry')
    click = acme.post('/api/v1/backups')
    assert click.status == 409 and click.json['type'] == 'region-excluded'
    assert house.cli('backup', 'now', 'acme', duties=('operator',), check=False).returncode != 0
    drill = house.cli('backup', 'drill', 'acme', duties=('operator',), check=False)
    assert drill.returncode != 0 and "excludes the destination's region" in drill.stderr
    unbound(acme)
    wait_for(lambda: acme.get('/api/v1/plans').json['backup']['state'] == 'on', why='the end of the pause')
    assert acme.post('/api/v1/backups').status == 202
    idle(acme, number=number + 1)
    assert house.cli('backup', 'drill', 'acme', duties=('operator',)).returncode == 0


@pytest.mark.parametrize('body', [{}, {'allowed': []}, {'allowed': 'eu-fr'}, {'allowed': ['eu-xx']}, {'allowed': ['eu-fr', 1]}, {'allowed': ['eu-fr,eu-de']},
                                  {'allowed': ['']}, {'allowed': ['eu-fr'], 'node_stays': 1}, {'allowed': None, 'x': 1}])
def test_what_is_no_bound_is_refused(acme, body):
    assert acme.put('/api/v1/provider/regions', body).status == 400
    assert acme.get('/api/v1/provider/regions').json['bounded'] is False


def test_only_an_administrator_with_a_login_bounds(house, acme):
    admin = house.client('acme', house.token(acme, scopes=['admin']))
    assert admin.get('/api/v1/provider/regions').status == 200 and bound(admin, 'eu-fr').status == 403
    member = house.client('acme', house.token(acme))
    for path in ('regions', 'places'):
        assert member.get(f'/api/v1/provider/{path}').status == 403
    assert bound(member, 'eu-fr').status == 403


def moved(house, **regions):
    """The configuration says that these destinations are elsewhere."""
    house.extra = destinations(house.root, regions={'other': 'eu-de', 'vault': 'eu-be'} | regions)
    house.write_config()
    said = house.logged().count('cloison-courier: ready')
    house.process.send_signal(signal.SIGHUP)
    wait_for(lambda: house.logged().count('cloison-courier: ready') > said, why='another courier')


# S8: another list of destinations does not widen a bound
def test_another_list_does_not_widen_a_bound(house, acme):
    assert bound(acme, 'eu-fr', 'eu-de').status == 200
    moved(house, other='us-east')
    wait_for(lambda: {d['name']: d['allowed'] for d in acme.get('/api/v1/plans').json['destinations']} == {'medium': True, 'other': False, 'vault': False},
             why='the other list')
    assert acme.put('/api/v1/plans/archive', ARCHIVE).status == 409
    wait_for(lambda: '\tregions=eu-fr\t' in registry(house), why='the registry')


# S8: also while the worker cannot say so, nothing is taken for, or sent to, a destination that is in an excluded region from now on
def test_a_destination_that_moves_takes_nothing_from_then_on(house, acme):
    at = folder(house)
    os.chmod(at, 0)  # so that one waits in the spool
    assert acme.post('/api/v1/backups').status == 202
    wait_for(lambda: last(acme)['result'] == 'refused', why='what cannot be sent')
    house.cli('tenant', 'stop', 'acme')
    there = sorted(at.rglob('*'))
    moved(house, medium='us-east')
    now = house.cli('backup', 'now', 'acme', duties=('operator',), check=False)
    assert now.returncode != 0 and "excludes the destination's region" in now.stderr
    assert words(house, 'backup')[-1] == 'region'
    house.stop()
    os.chmod(at, 0o700)
    house.start()
    assert acme.login().status in (200, 201)
    wait_for(lambda: last(acme)['result'] == 'region', why='what waits in the spool')
    assert sorted(at.rglob('*')) == there and words(house, 'backup_sent')[-1] == 'region'

"""Where a tenant's data and its copies are, and the bound that its administrator sets to that (S8)."""
import os
import signal

import pytest
from house import House, destinations, wait_for
from test_backup import ARCHIVE, PLAN, folder, idle, last, planned, words
from test_capsule import enter_elsewhere, own


@pytest.fixture(scope='module')
def house():
    h = House(region='eu-fr')
    h.extra = destinations(h.root, regions={'other': 'eu-de', 'vault': 'eu-be'}) + capsule_places(h, near='eu-fr')
    h.write_config()
    with h:
        wait_for(lambda: 'cloison-courier: ready' in h.logged(), why='the courier')
        yield h


@pytest.fixture(scope='module')
def acme(house):
    client = house.enrolled('acme')
    wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
    return client


def capsule_places(house, **regions):
    """Two places for copies of key capsules, in a region with a destination and in one of its own."""
    text = ''
    for name, region in ({'near': 'eu-de', 'far': 'eu-it'} | regions).items():
        (house.root / name).mkdir(mode=0o700, exist_ok=True)
        text += f'capsule_place "{name}" {{ path = "{house.root}/{name}" region = {region} }}\n'
    return text


def bound(client, *allowed, **more):
    return client.put('/api/v1/provider/regions', {'allowed': list(allowed)} | more)


def unbound(client):
    assert client.put('/api/v1/provider/regions', {'allowed': None}).status == 200


def registry(house):
    return next(line for line in (house.state / 'registry').read_text().splitlines() if '\tname=acme\t' in line)


# S8: a tenant sees where its data and its copies are
def test_a_tenant_sees_where_everything_is(house, acme):
    assert acme.get('/api/v1/provider/regions').json == {'bounded': False, 'node': {'region': 'eu-fr', 'allowed': True}, 'regions': [
        {'region': 'eu-fr', 'allowed': True, 'destinations': ['medium'], 'capsule_places': ['near']},
        {'region': 'eu-de', 'allowed': True, 'destinations': ['other'], 'capsule_places': []},
        {'region': 'eu-be', 'allowed': True, 'destinations': ['vault'], 'capsule_places': []},
        {'region': 'eu-it', 'allowed': True, 'destinations': [], 'capsule_places': ['far']}]}
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
    wait_for(lambda: [r['allowed'] for r in acme.get('/api/v1/provider/regions').json['regions']] == [True, True, False, False], why='the same')
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
    house.extra = destinations(house.root, regions={'other': 'eu-de', 'vault': 'eu-be'} | regions) + capsule_places(house, near='eu-fr')
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


# ---- copies of the key capsule ----

def copy_of(client):
    return {c['place']: c for c in client.get('/api/v1/provider/places').json['capsule_copies']}


def bounded_to(house, client, *allowed):
    assert bound(client, *allowed).status == 200
    wait_for(lambda: f'\tregions={",".join(allowed)}\t' in registry(house), why='the registry')


@pytest.fixture()
def cuir():
    h = House(region='eu-fr')
    h.extra = capsule_places(h)
    h.write_config()
    with h:
        h.acme = h.enrolled('acme')
        yield h


# S8: a copy of the key capsule is refused where the tenant excludes the region, and allowed again when it does not
def test_no_copy_of_the_capsule_goes_to_an_excluded_region(cuir):
    bounded_to(cuir, cuir.acme, 'eu-fr', 'eu-it')
    refused = cuir.cli('capsule', 'copy', 'acme', 'near', duties=('registrar',), check=False)
    assert refused.returncode == 1 and 'excludes the region of this place' in refused.stderr
    answer = cuir.control('POST', '/v1/tenants/acme/capsule-copy', {'place': 'near'})
    assert answer.status == 409 and (answer.json['type'], answer.json['field']) == ('region-excluded', 'place')
    assert os.listdir(cuir.root / 'near') == [] and copy_of(cuir.acme) == {}
    assert [(x['verb'], x['result']) for x in cuir.ledger() if x['verb'] == 'capsule_copy'] == [('capsule_copy', 'begun'), ('capsule_copy', 'failed')] * 2
    cuir.cli('capsule', 'copy', 'acme', 'far', duties=('registrar',))
    told = wait_for(lambda: copy_of(cuir.acme), why='the copy')
    assert (told['far']['region'], told['far']['allowed'], told['far']['current']) == ('eu-it', True, True)
    unbound(cuir.acme)
    wait_for(lambda: '\tregions=' not in registry(cuir), why='no bound')
    cuir.cli('capsule', 'copy', 'acme', 'near', duties=('registrar',))
    assert sorted(os.listdir(cuir.root / 'near')) == ['acme.capsule']


# S8: a copy whose region is excluded later is a conflict that both sides see; it is not renewed, and does not outlive the capsule that it is of
def test_a_copy_that_is_excluded_later_is_shown_and_goes(cuir):
    there = cuir.root / 'near/acme.capsule'
    cuir.cli('capsule', 'copy', 'acme', 'near', duties=('registrar',))
    before = there.read_bytes()
    bounded_to(cuir, cuir.acme, 'eu-fr')
    assert wait_for(lambda: copy_of(cuir.acme)['near'], why='the copy')['allowed'] is False
    wait_for(lambda: cuir.show('acme')['capsule_copies'][0]['excluded'], why='what staff see')
    line = cuir.cli('capsule', 'list', 'acme', duties=('viewer',)).stdout.splitlines()[1].split()
    assert line[:2] == ['near', 'eu-de'] and line[-1] == 'excluded'
    assert there.read_bytes() == before
    cuir.token(cuir.acme)  # another slot: the capsule changes
    wait_for(lambda: not there.exists(), why='the end of the copy')
    assert os.listdir(cuir.root / 'near') == []
    told = wait_for(lambda: (c := copy_of(cuir.acme)['near'])['written'] is None and c, why='the worker to hear of it')
    assert (told['allowed'], told['current']) == (False, False)
    assert [x['result'] for x in cuir.ledger() if x['verb'] == 'capsule_excluded'] == ['destroyed']
    unbound(cuir.acme)
    cuir.token(cuir.acme, name='other')
    wait_for(there.exists, why='the copy to follow again')


# S8: a place that moves is excluded from then on; one that the configuration has no more is in no region that is allowed
def test_a_place_that_moves_or_goes_takes_nothing_from_then_on(cuir):
    for place in ('near', 'far'):
        cuir.cli('capsule', 'copy', 'acme', place, duties=('registrar',))
    bounded_to(cuir, cuir.acme, 'eu-fr', 'eu-de', 'eu-it')
    cuir.extra = capsule_places(cuir, near='us-east').replace('"far"', '"elsewhere"')
    cuir.write_config()
    cuir.process.send_signal(signal.SIGHUP)
    wait_for(lambda: [(c['place'], c['excluded']) for c in cuir.show('acme')['capsule_copies']] == [('near', True), ('far', True)], why='both excluded')
    told = wait_for(lambda: (c := copy_of(cuir.acme))['near']['region'] == 'us-east' and c, why='the worker to hear of it')
    assert [(told[p]['region'], told[p]['allowed']) for p in ('near', 'far')] == [('us-east', False), (None, False)]
    wait_for(lambda: '\tregions=eu-fr,eu-it\t' in registry(cuir), why='the bound of what there is')
    cuir.token(cuir.acme)
    wait_for(lambda: os.listdir(cuir.root / 'near') == [], why='the end of the copy')


# S8: at a node that the tenant excludes nothing is served, whoever put the files there, until an administrator states that they stay
def test_restored_in_an_excluded_region_nothing_is_served(cuir):
    made = cuir.acme.post('/api/v1/companies', {'name': 'Reste'}).json['id']
    token = cuir.token(cuir.acme)
    assert bound(cuir.acme, 'eu-de', node_stays=True).status == 200  # stated of eu-fr, and of no other
    assert cuir.acme.get(f'/api/v1/companies/{made}').status == 200
    other, client = enter_elsewhere(cuir, own(cuir), region='us-east')
    with other:
        assert client.login().status in (200, 201)
        for answer in (client.get(f'/api/v1/companies/{made}'), client.post('/api/v1/companies', {'name': 'x'}), client.get('/api/v1/journal'),
                       other.client('acme', token).get(f'/api/v1/companies/{made}')):
            assert answer.status == 409 and (answer.json['type'], answer.json['field']) == ('node-region', 'node_stays'), answer
        assert client.get('/api/v1/session').status == 200
        assert client.get('/api/v1/provider/places').json['node'] == {'region': 'us-east', 'allowed': False}
        assert client.put('/api/v1/provider/regions', {'node_stays': False}).status == 400
        assert other.client('acme', token).put('/api/v1/provider/regions', {'node_stays': True}).status in (403, 409)
        assert client.get(f'/api/v1/companies/{made}').status == 409
        assert client.put('/api/v1/provider/regions', {'node_stays': True}).json['bounded'] is True
        assert client.get(f'/api/v1/companies/{made}').json['name'] == 'Reste'
        line = next(i for i in client.get('/api/v1/journal').json['items'] if i['act'] == 'regions_bounded')
        assert line['about'] == {'regions': ['eu-de'], 'node_stays': True}

"""Backups and archives: a plan of the tenant's own, snapshots that go out sealed, come back elsewhere, and are checked without a key
(C7, C8, C9)."""
import json
import os
import shutil

import pytest
from house import ARCHIVE, COURIER_UID, PLAN, Client, House, destinations, house_with_destinations, wait_for

@pytest.fixture(scope='module')
def house():
    with house_with_destinations() as h:
        yield h


@pytest.fixture(scope='module')
def acme(house):
    client = house.enrolled('acme')
    for i in range(200):
        assert client.post('/api/v1/companies', {'name': f'Company {i}'}).status == 201
    wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
    return client


def planned(client, kind='backup', plan=None):
    answer = client.put(f'/api/v1/plans/{kind}', plan or PLAN)
    assert answer.status == 200, answer
    return answer


def last(client, kind='backup'):
    return client.get('/api/v1/plans').json[kind]['last']


def idle(client, kind='backup', number=1):
    """The snapshot of at least that number is taken and at its destination."""
    def done():
        l = last(client, kind)
        return l if l['number'] >= number and not l['busy'] and l['result'] == 'done' else None
    return wait_for(done, why=f'snapshot {number}')


def folder(house, place='medium', kind='backup', name='acme'):
    number = os.stat(house.state / 'tenants' / name).st_uid - house.options['uid_base']
    return house.root / place / 't' / f'{number:016x}' / kind


def words(house, verb):
    return [line['result'] for line in house.ledger() if line['verb'] == verb]


# C9: a plan without one of the seven is refused
def test_a_plan_states_seven_things_or_is_none(house, acme):
    shown = acme.get('/api/v1/plans').json
    assert shown['backup'] is None and shown['archive'] is None
    assert {d['name']: (d['region'], d['archive']) for d in shown['destinations']} == {
        'medium': ('eu-fr', False), 'other': ('eu-fr', False), 'vault': ('eu-fr', True)}
    for field in PLAN:
        answer = acme.put('/api/v1/plans/backup', {k: v for k, v in PLAN.items() if k != field})
        assert answer.status in (400, 422) and answer.json['field'] == field, answer
    assert acme.put('/api/v1/plans/backup', PLAN | {'where': 'vault'}).json['field'] == 'where'
    assert acme.put('/api/v1/plans/archive', ARCHIVE | {'where': 'medium'}).json['field'] == 'where'
    assert acme.post('/api/v1/backups').status == 409
    assert acme.get('/api/v1/plans').json['backup'] is None


def test_the_first_snapshot_follows_the_plan_and_the_next_ones_a_click(house, acme):
    plan = planned(acme).json
    assert plan | PLAN == plan and plan['region'] == 'eu-fr'
    first = idle(acme)
    assert words(house, 'backup_plan') == ['done'] and words(house, 'backup') == ['done'] and words(house, 'backup_sent') == ['done']
    acme.post('/api/v1/companies', {'name': 'One more'})
    assert acme.post('/api/v1/backups').status == 202
    second = idle(acme, number=2)
    assert second['hash'] != first['hash']
    items = acme.get('/api/v1/backups').json['items']
    assert [i['number'] for i in items] == [2, 1] and all(i['sent'] and i['kind'] == 'backup' for i in items)
    assert house.show('acme')['last_backup'] > 0
    acts = [line['act'] for line in acme.get('/api/v1/journal').json['items']]
    assert 'plan_made' in acts and 'backup_asked' in acts


def test_staff_asks_lists_and_checks_by_duty(house, acme):
    house.cli('backup', 'now', 'acme', duties=('operator',))
    listed = json.loads(house.cli('backup', 'list', 'acme', '--json', duties=('operator',)).stdout)['items']
    assert [i['number'] for i in listed] == [3, 2, 1]
    house.cli('backup', 'verify', 'acme', duties=('operator',))
    assert words(house, 'backup_check') == ['done']
    for verb in ('now', 'list', 'verify', 'drill'):
        assert house.cli('backup', verb, 'acme', duties=('registrar',), check=False).returncode == 1
    newest = f'{listed[0]["number"]}:{listed[0]["hash"]}'
    found = house.cli('backup', 'verify', f'{folder(house)}/', '--newest', newest, uid=0)
    assert newest in found.stdout


def test_a_drill_makes_a_store_and_leaves_nothing(house, acme):
    house.cli('backup', 'drill', 'acme', duties=('operator',))
    assert words(house, 'drilled') == ['done']
    wait_for(lambda: os.listdir(house.state / 'drills') == [], why='an empty place')
    house.cli('backup', 'drill', 'acme', '--snapshot', '1', duties=('operator',))
    wait_for(lambda: os.listdir(house.state / 'drills') == [], why='an empty place')
    assert house.cli('backup', 'drill', 'acme', '--snapshot', '99', duties=('operator',), check=False).returncode == 1


def restored(house, acme, other, name, *more):
    """The tenant of that name in the other house, out of the first one's destination, with the first one's capsule."""
    host = 'acme.localhost' if other is not house else f'{name}.localhost'
    other.cli('tenant', 'create', name, '--host', host, '--restore', duties=('registrar',))
    directory = other.state / 'tenants' / name
    uid = os.stat(directory).st_uid
    capsule = directory / 'capsule'
    shutil.copy(house.state / 'tenants' / 'acme' / 'capsule', capsule)
    os.chown(capsule, uid, uid)
    capsule.chmod(0o600)
    number = int(folder(house).parent.name, 16)
    other.cli('backup', 'restore', name, '--from', 'medium', '--source', str(number), *more, duties=('registrar',))
    other.cli('tenant', 'resume', name)
    return Client(other, host)


def names(client):
    return [i['name'] for i in client.get('/api/v1/companies?limit=1').json['items']]


# C7: a snapshot opens on another machine with the tenant's own credentials
def test_a_snapshot_opens_on_another_machine_with_the_tenants_own_credentials(house, acme):
    other = House()
    other.extra = destinations(other.root)
    other.write_config()
    shutil.copytree(house.root / 'medium', other.root / 'medium', dirs_exist_ok=True)
    for path, folders, files in os.walk(other.root / 'medium'):
        for entry in [path, *(os.path.join(path, f) for f in files)]:
            os.chown(entry, COURIER_UID, COURIER_UID)
    with other:
        wait_for(lambda: 'cloison-courier: ready' in other.logged(), why='the courier')
        there = restored(house, acme, other, 'acme')
        assert there.login().status in (200, 201)
        assert names(there) == names(acme)
        assert words(other, 'restored') == ['done'] and words(other, 'backup_restore') == ['begun', 'done']
        # what is there is not restored over
        assert other.cli('backup', 'restore', 'acme', '--from', 'medium', duties=('registrar',), check=False).returncode == 1


def test_a_drill_that_the_tenant_opens_itself(house, acme):
    drill = restored(house, acme, house, 'acme-drill', '--snapshot', '1')
    assert drill.login().status in (200, 201)
    assert drill.get('/api/v1/search?q=more').status in (200, 404)
    assert names(drill) == names(acme)
    house.cli('tenant', 'suspend', 'acme-drill')


def test_a_sealed_tenant_and_a_stopped_one_are_backed_up(house, acme):
    house.cli('tenant', 'stop', 'acme')
    number = len(words(house, 'backup'))
    house.cli('backup', 'now', 'acme', duties=('operator',))
    assert len(words(house, 'backup')) == number + 1
    assert house.show('acme')['state'] == 'sealed'
    acme.login()


def test_a_function_that_is_off_lets_the_plan_rest(house, acme):
    acme.switch(['backup'], on=False)
    wait_for(lambda: acme.get('/api/v1/plans').json['backup']['state'] == 'paused', why='the pause')
    assert acme.post('/api/v1/backups').status == 403
    assert house.cli('backup', 'now', 'acme', duties=('operator',), check=False).returncode == 1
    acme.switch(['backup'])
    wait_for(lambda: acme.get('/api/v1/plans').json['backup']['state'] == 'on', why='the end of the pause')
    house.cli('backup', 'now', 'acme', duties=('operator',))


def test_another_destination_takes_another_plan(house, acme):
    assert acme.put('/api/v1/plans/backup', PLAN | {'where': 'other'}).status == 409


def test_an_archive_is_locked_and_a_backup_goes_with_its_plan(house, acme):
    planned(acme)
    planned(acme, 'archive', ARCHIVE)
    idle(acme, 'archive')
    assert acme.delete('/api/v1/plans/archive').status == 202
    assert acme.delete('/api/v1/plans/backup').status == 202
    wait_for(lambda: acme.get('/api/v1/plans').json['backup'] is None, why='the erasure')
    assert list(folder(house).rglob('*')) == [] or not any(p.is_file() for p in folder(house).rglob('*'))
    archive = acme.get('/api/v1/plans').json['archive']
    assert archive['state'] == 'ending'
    kept = folder(house, 'vault', 'archive')
    assert len(list((kept / 'manifests').iterdir())) == 1 and list((kept / 'packs').iterdir())
    assert not words(house, 'archive_erase')
    planned(acme)
    idle(acme)


def test_a_user_who_asks_too_often_is_told_so_and_ends_no_worker(house, acme):
    pid = house.worker_pid('acme')
    answers = [acme.post('/api/v1/backups').status for _ in range(40)]
    assert set(answers) == {202, 429} and answers[-1] == 429
    assert house.worker_pid('acme') == pid

"""Backups and archives of real tenants at an object store: npm's s3rver, and one of our own that stalls, lies, fails and locks, in the middle
of real jobs (C7, C8)."""
import hashlib
import struct
import threading
import time

import pytest
from clock import HOUR, Clock
from house import ARCHIVE, PLAN, House, destinations, wait_for
from stores import Bucket, Liar, arrived, destinations_at, last, page, planned, s3rver, the_whole_way


def words(house, verb):
    return [line['result'] for line in house.ledger() if line['verb'] == verb]


def house_at(endpoint, object_lock=False, clock=None):
    house = House()
    house.extra = destinations_at(endpoint, house.root, object_lock)
    house.write_config()
    if clock:
        clock.start(house)
    else:
        house.start()
    wait_for(lambda: 'cloison-courier: ready' in house.logged(), why='the courier')
    return house


def tenant(house, name, companies=3000):
    client = house.enrolled(name)
    wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
    rows = '\r\n'.join(['name', *[f'Company {i} {"x" * 100}' for i in range(companies)]]).encode()
    assert client.post('/api/v1/import?kind=companies&format=csv', rows, headers={'Content-Type': 'text/csv'}).json['created'] == companies
    return client


# C7, C8: a tenant's backup and archive, the whole way, at a real object store
def test_the_whole_way_at_a_real_store(tmp_path):
    with s3rver(tmp_path) as endpoint:
        data = tmp_path / 'data' / 'bucket'
        house = house_at(endpoint)
        with_end = tenant(house, 'acme')
        try:
            the_whole_way(house, with_end, 'acme', lambda: sorted(
                str(p.relative_to(data)).removesuffix('._S3rver_object') for p in data.rglob('*._S3rver_object')))
        finally:
            house.__exit__()


@pytest.fixture
def bucket():
    """A store of our own, honest until a test bends it: bucket.bend(method, key, told) -> told, by the number of the tenant that is asked for."""
    kept = Bucket()
    liar = Liar()
    liar.bends = {}

    def script(method, target, headers, body, times):
        told = lambda: kept(method, target, headers, body, times)  # noqa: E731
        parts = target.split('?')[0].split('/')
        bend = liar.bends.get(parts[3]) if len(parts) > 3 else None
        return bend(method, parts[-2], told, headers) if bend else told()
    liar.script, liar.kept = script, kept
    yield liar
    liar.server.shutdown()
    liar.server.server_close()


def failing(method, folder, told, headers):
    return (500, {}, b'') if method == 'PUT' else told()


def stalling():
    """Once, in the middle of a pack; it is tried again by itself."""
    once = []

    def bend(method, folder, told, headers):
        if method == 'PUT' and folder == 'packs' and not once:
            once.append(True)
            return lambda connection: time.sleep(60)
        return told()
    return bend


def denying(method, folder, told, headers):
    return (412, {}, b'') if method == 'PUT' else told()


def forgetting(method, folder, told, headers):
    return (200, {'ETag': '"x"'}, b'') if method == 'PUT' else told()


def altering(method, folder, told, headers):
    status, described, body = told()
    return status, described | {'x-amz-meta-sha256': '0' * 64} if method == 'HEAD' and status == 200 else described, body


def foreign(method, folder, told, headers):
    """Says of every manifest that there is one already, and gives another."""
    if folder != 'manifests':
        return told()
    return (412, {}, b'') if method == 'PUT' else (200, {}, b'another manifest') if method == 'GET' else (404, {}, b'')


# C7, C8: a store that fails, denies, forgets or alters in the middle of a job is told as what it does; all is sent once it is well again
def test_a_bad_store_loses_nothing_and_holds_up_nobody(bucket):
    bends = {'failing': (failing, 'unreachable'), 'denying': (denying, 'missing'), 'forgetting': (forgetting, 'lied'), 'altering': (altering, 'lied'),
             'foreign': (foreign, 'lied')}
    house = house_at(bucket.endpoint)
    try:
        clients = {name: tenant(house, name, 200) for name in (*bends, 'honest')}
        number = {name: f'{house.show(name)["uid"] - house.options["uid_base"]:016x}' for name in clients}
        bucket.bends = {number[name]: bend for name, (bend, _) in bends.items()}
        for client in clients.values():
            planned(client, 'backup', PLAN | {'where': 'far'})
        for name, (_, result) in bends.items():
            wait_for(lambda: last(clients[name])['result'] == result, 60, why=f'{name} to be {result}')
            assert clients[name].post('/api/v1/companies', {'name': 'Meanwhile'}).status == 201
            assert not [k for k in bucket.kept.keys() if k.startswith(f't/{number[name]}/backup/manifests/')], name  # nothing says that it is there
        arrived(clients['honest'])
        assert set(words(house, 'backup_sent')) == {'done', *(result for _, result in bends.values())}
        bucket.bends = {}
        for name, client in clients.items():
            arrived(client, seconds=90)  # nobody asks
            assert last(client)['number'] == 1
            house.cli('backup', 'verify', name, duties=('operator',))
        # A bit of a pack is flipped, a pack is gone, an older manifest lies there.
        for name, (bend, result) in {'failing': (flipped, 'damaged'), 'denying': (gone, 'missing'), 'honest': (altered, 'damaged')}.items():
            bucket.bends = {number[name]: bend}
            run = house.cli('backup', 'verify', name, duties=('operator',), check=False)
            assert run.returncode == 1 and words(house, 'backup_check')[-1] == result, (name, run)
    finally:
        house.__exit__()


def flipped(method, folder, told, headers):
    status, described, body = told()
    if method == 'GET' and folder == 'packs' and status == 200:
        body = bytes([*body[:100], body[100] ^ 1, *body[101:]])
    return status, {k: v for k, v in described.items() if method == 'HEAD' or k != 'x-amz-meta-sha256'}, body


def gone(method, folder, told, headers):
    return (404, {}, b'<Error><Code>NoSuchKey</Code></Error>') if folder == 'packs' and method in ('GET', 'HEAD') else told()


def altered(method, folder, told, headers):
    return (200, {}, b'x' * 100) if folder == 'manifests' and method == 'GET' else told()


def test_one_that_stalls_is_tried_again_and_holds_up_its_own_place_alone(bucket):
    house = House()
    medium = house.root / 'medium'
    house.extra = destinations(house.root).split('destination "other"')[0] + destinations_at(bucket.endpoint, house.root, False)
    house.write_config()
    with house:
        slow, quick = tenant(house, 'slow', 200), tenant(house, 'quick', 200)
        number = f'{house.show("slow")["uid"] - house.options["uid_base"]:016x}'
        bucket.bends = {number: stalling()}
        begun = time.monotonic()
        planned(slow, 'backup', PLAN | {'where': 'far'})
        wait_for(lambda: any(method == 'PUT' for method, _ in bucket.asked), why='the store to be asked')
        planned(quick, 'backup', PLAN | {'where': 'medium'})
        arrived(quick)
        assert last(slow)['busy'] and time.monotonic() - begun < 25 and medium.exists()
        assert slow.post('/api/v1/companies', {'name': 'Meanwhile'}).status == 201
        arrived(slow, seconds=90)
        house.cli('backup', 'verify', 'slow', duties=('operator',))


def test_a_first_snapshot_that_waits_for_its_store_holds_up_no_other(bucket):
    """What lies at the destination is asked for before the worker is: its snapshot waits for no list."""
    once, honest = [], bucket.script

    def script(method, target, *more):
        if 'list-type' in target and not once:
            once.append(target)
            return lambda connection: time.sleep(60)
        return honest(method, target, *more)
    bucket.script = script
    house = House()
    house.extra = destinations(house.root).split('destination "other"')[0] + destinations_at(bucket.endpoint, house.root, False)
    house.write_config()
    with house:
        slow, quick = tenant(house, 'slow', 200), tenant(house, 'quick', 200)
        begun = time.monotonic()
        planned(slow, 'backup', PLAN | {'where': 'far'})
        wait_for(lambda: once, why='the store to be asked')
        planned(quick, 'backup', PLAN | {'where': 'medium'})
        arrived(quick)
        assert last(slow)['number'] == 0 and time.monotonic() - begun < 25
        arrived(slow, seconds=90)


# ---- object lock ----

@pytest.fixture
def locked():
    liar = Liar()
    liar.kept = Bucket(lock=True)
    liar.script = liar.kept
    yield liar
    liar.server.shutdown()
    liar.server.server_close()


# C8: a store with object lock locks every part of an archive until its term is over, and longer with each snapshot that shares it
def test_every_part_of_an_archive_is_locked_by_the_store_itself(locked):
    house = house_at(locked.endpoint, object_lock=True)
    try:
        client = tenant(house, 'acme')
        planned(client, 'archive', ARCHIVE | {'where': 'vault', 'duration_hours': 24})
        arrived(client, 'archive')
        first = {k: v[-1]['until'] for k, v in locked.kept.kept.items() if v}
        assert len(first) >= 2 and all(first.values())
        planned(client, 'archive', ARCHIVE | {'where': 'vault', 'duration_hours': 48})
        house.cli('backup', 'now', 'acme', '--archive', duties=('operator',))
        arrived(client, 'archive', 2)
        second = {k: v[-1]['until'] for k, v in locked.kept.kept.items() if v}
        taken = {i['number']: i['keep_until'] for i in client.get('/api/v1/backups').json['items']}
        assert second[next(k for k in second if k.endswith(f'manifests/{1:016x}'))] >= taken[1]
        shared = [k for k in first if '/packs/' in k]
        assert shared and all(second[k] >= taken[2] > first[k] for k in shared)  # the second snapshot needs them longer
        house.cli('backup', 'verify', 'acme', '--archive', duties=('operator',))
    finally:
        house.__exit__()


@pytest.mark.parametrize('store', ['ignores', 'refuses'])
def test_a_store_that_does_not_lock_takes_no_archive(bucket, store):
    def script(method, target, headers, body, times):
        if store == 'ignores':
            del headers['x-amz-object-lock-retain-until-date']
        return bucket.kept(method, target, headers, body, times)
    bucket.script = script
    house = house_at(bucket.endpoint, object_lock=True)
    try:
        client = tenant(house, 'acme', 200)
        planned(client, 'archive', ARCHIVE | {'where': 'vault'})
        wait_for(lambda: last(client, 'archive')['result'] == 'unlocked', why='it to be found out')
        assert 'the destination does not lock what it keeps' in house.logged() and words(house, 'archive_sent') == ['unlocked']
        assert not [k for k in bucket.kept.keys() if '/manifests/' in k]
        run = house.cli('backup', 'now', 'acme', '--archive', duties=('operator',), check=False)
        assert run.returncode == 1 and 'does not lock' in run.stderr
        planned(client, 'backup', PLAN | {'where': 'far'})  # which need no lock
        arrived(client)
    finally:
        house.__exit__()


# C8: what is too old goes from the store by itself, the newest never, an archive not while its lock lasts, whatever the clock says
def test_what_is_too_old_goes(bucket, tmp_path):
    clock = Clock(tmp_path)
    house = house_at(bucket.endpoint, clock=clock)
    try:
        client = tenant(house, 'acme', 200)
        planned(client, 'backup', PLAN | {'where': 'far', 'duration_hours': 1})
        planned(client, 'archive', ARCHIVE | {'where': 'vault', 'duration_hours': 1})
        arrived(client), arrived(client, 'archive')
        clock.ahead(2 * HOUR)
        for kind, more in (('backup', ()), ('archive', ('--archive',))):
            assert client.post('/api/v1/companies', {'name': f'Later {kind}'}).status == 201
            house.cli('backup', 'now', 'acme', *more, duties=('operator',))
            arrived(client, kind, 2)
            house.cli('backup', 'verify', 'acme', *more, duties=('operator',))
        manifests = [k.split('/')[2:] for k in bucket.kept.keys() if '/manifests/' in k]
        assert manifests == [['archive', 'manifests', f'{n:016x}'] for n in (1, 2)] + [['backup', 'manifests', f'{2:016x}']]
    finally:
        house.__exit__()


def manifest(tenant, number, taken_ms):
    """Of a snapshot of nothing: no key is needed to make one."""
    body = b'cloison manif 1\0' + struct.pack('<9Q', tenant, number, taken_ms, 1, 1, HOUR * 24 * 1000, 0, 0, 0) + struct.pack('<2I', 0, 0) + bytes(32)
    return body + hashlib.sha256(body).digest()


# C7: a store that was given forged manifests takes no snapshot for done, and fills no disk; once they are gone all goes on by itself
@pytest.mark.parametrize('forged', ['the last of all numbers', 'more than a disk'])
def test_what_lies_at_a_store_is_not_believed(bucket, forged):
    house = house_at(bucket.endpoint)
    try:
        client = tenant(house, 'acme', 200)
        number = house.show('acme')['uid'] - house.options['uid_base']
        folder = f't/{number:016x}/backup/manifests/'
        taken = int(time.time() * 1000)
        given = []

        def body(n):
            given.append(n)
            return manifest(number, n, taken) if forged.startswith('the last') else bytes(40 << 20)
        names, size = ([2 ** 64 - 1], len(manifest(1, 1, 1))) if forged.startswith('the last') else (range(1, 100), 40 << 20)
        keys = {f'{folder}{n:016x}': n for n in names}

        def script(method, target, headers, content, times):
            key = target.partition('?')[0].removeprefix('/bucket/')
            if 'list-type' in target and 'manifests' in target:
                return page(sorted(keys), size=size)
            return (200, {}, body(keys[key])) if key in keys and method == 'GET' else bucket.kept(method, target, headers, content, times)
        honest, bucket.script = bucket.script, script
        planned(client, 'backup', PLAN | {'where': 'far'})
        wait_for(lambda: last(client)['result'] in ('damaged', 'lied'), 60, why=f'it to be found out: {last(client)}')
        assert last(client)['number'] == 0 and 'done' not in words(house, 'backup') and not bucket.kept.keys()
        assert len(given) <= 2 * len(words(house, 'backup'))
        assert sum(p.stat().st_size for p in (house.state / 'spool').rglob('*') if p.is_file()) < 1 << 20
        bucket.script = honest
        arrived(client)
        house.cli('backup', 'verify', 'acme', duties=('operator',))
    finally:
        house.__exit__()

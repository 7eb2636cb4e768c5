"""Two hundred tenants, all killed with kill -9: the next request of each user's cookie opens his tenant again, without one password and
without anything that the provider has (S4, H1)."""
import os
import signal
import time

import pytest

from house import PASSWORD, Client, House, wait_for

TENANTS, TOGETHER = 200, 20


def available_mib():
    with open('/proc/meminfo') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('MemAvailable')) // 1024


def enrol(house, name):
    """A tenant with a record; gives its user's cookies and the record's path."""
    client = house.enrolled(name)
    made = client.post('/api/v1/companies', {'name': f'Entreprise {name}'})
    assert made.status == 201, made
    client.close()
    return client.cookies, made.headers['Location']


def asks(house, name, known):
    """The record by the cookie alone."""
    client = house.client(name)
    client.cookies = dict(known[0])
    answer = client.get(known[1])
    client.close()
    return answer


def workers(house):
    return {t['name']: t['pid'] for t in house.status_get('/v1/status').json['tenants'] if t['pid']}


def kill_all(house):
    pids = workers(house)
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not set(pids.values()) & set(workers(house).values()), 30, why='the deaths to be seen')
    return pids


@pytest.fixture(scope='module')
def full_house():
    with House(max_workers=TENANTS + 16, idle_seconds=3600) as house:
        house.known = {f't{i}': enrol(house, f't{i}') for i in range(TENANTS)}
        yield house


def test_all_open_again_by_their_cookies(full_house):
    house = full_house
    free = available_mib()
    before = kill_all(house)
    assert len(before) == TENANTS
    start = time.monotonic()
    for name in house.known:  # an operator ends the back-off that a crash begins
        house.cli('tenant', 'start', name)
    for name, known in house.known.items():
        answer = asks(house, name, known)
        assert answer.status == 200 and answer.json['name'] == f'Entreprise {name}', (name, answer)
    took = time.monotonic() - start
    after = workers(house)
    assert len(after) == TENANTS and not set(after.values()) & set(before.values())
    print(f'{TENANTS} tenants in {took:.1f} s; {free} MiB were available with all at work, {available_mib()} MiB are')
    assert took < 60
    assert free - available_mib() < TENANTS * 2, 'more than 2 MiB a tenant than before'
    for name in house.known:
        assert house.show(name)['state'] == 'serving', name


def test_all_open_again_after_the_supervisors_death(full_house):
    """With the supervisor go all workers; nobody tells the new one anything but the registry on the disk."""
    house = full_house
    house.process.kill()
    house.process.wait()
    house.start()
    start = time.monotonic()
    for name, known in house.known.items():
        answer = asks(house, name, known)
        assert answer.status == 200 and answer.json['name'] == f'Entreprise {name}', (name, answer)
    assert time.monotonic() - start < 60


def test_a_cookie_opens_its_own_tenant_alone(full_house):
    """And without one a tenant that was killed stays sealed."""
    house = full_house
    kill_all(house)
    names = list(house.known)[:TOGETHER]
    for name, other in zip(names, names[1:] + names[:1]):
        house.cli('tenant', 'start', name)
        answer = asks(house, name, (house.known[other][0], house.known[name][1]))
        assert answer.status in (401, 503), (name, answer)
        assert house.show(name)['state'] == 'sealed', name
    assert Client(house, f'{names[0]}.localhost').login('admin', PASSWORD).status == 200

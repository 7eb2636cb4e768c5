"""The courier: a process of its own that is there only where a destination or a mail relay is configured (C1, C7, C8)."""
import os
import pathlib
import re
import subprocess

import pytest
from house import COURIER_UID, House, wait_for


def destination(name, path, more='same_medium = true'):
    path.mkdir(mode=0o700, exist_ok=True)
    os.chown(path, COURIER_UID, COURIER_UID)
    return f'destination "{name}" {{ kind = directory path = "{path}" region = eu-fr {more} }}\n'


def courier_of(house):
    """The pid of its courier; 0: there is none."""
    found = subprocess.run(['pgrep', '-P', str(house.process.pid), '-x', 'cloison-courier'], capture_output=True, text=True)
    return int(found.stdout.split()[0]) if found.stdout.split() else 0


def posture(house):
    return house.status_get('/v1/posture').json['programs']


def ready(house):
    return wait_for(lambda: posture(house).get('cloison-courier', {}).get('syscalls'), why='the courier')


@pytest.fixture(scope='module')
def place():
    with House() as h:
        h.place = h.root / 'medium'
        h.extra = destination('medium', h.place)
        h.write_config()
        h.process.send_signal(1)  # a reload brings it
        ready(h)
        yield h


def status_of(pid):
    return dict(line.split(':\t', 1) for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines() if ':\t' in line)


def test_it_is_not_there_without_a_destination():
    with House() as h:
        assert courier_of(h) == 0 and 'cloison-courier' not in posture(h)


# C1, C7, C8: the courier stands behind its walls and sees the spool alone
# C1, C7: its walls, as the kernel tells them
def test_it_stands_behind_its_walls(place):
    pid = courier_of(place)
    status = status_of(pid)
    assert status['Uid'].split() == [str(COURIER_UID)] * 4
    assert status['Seccomp'] == '2' and status['NoNewPrivs'] == '1'
    assert all(int(status[c], 16) == 0 for c in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'))
    layers = posture(place)['cloison-courier']['layers']
    walls = ['user_namespace', 'mount_namespace', 'ipc_namespace', 'uts_namespace', 'cgroup_namespace', 'no_new_privs', 'no_capabilities',
             'not_dumpable', 'landlock', 'seccomp']
    assert [layers[w] for w in walls] == ['on'] * len(walls), layers
    assert layers['net_namespace'] == 'off'  # it must reach stores and a relay


def test_its_root_holds_etc_and_nothing_else(place):
    root = f'/proc/{courier_of(place)}/root'
    assert os.listdir(root) == ['etc']
    with pytest.raises(OSError):
        pathlib.Path(root, 'etc', 'cloison-was-here').write_text('x')


def test_the_spool_is_its_own_and_nobody_elses(place):
    st = os.stat(place.state / 'spool')
    assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (COURIER_UID, COURIER_UID, 0o700)


def test_it_ends_with_a_reload_that_takes_its_last_destination_and_comes_with_the_next(place):
    first = courier_of(place)
    place.extra = ''
    place.write_config()
    place.process.send_signal(1)
    wait_for(lambda: courier_of(place) == 0, why='its end')
    place.extra = destination('medium', place.place)
    place.write_config()
    place.process.send_signal(1)
    assert wait_for(lambda: courier_of(place), why='its return') != first


# C8: the tenants' own disk is refused as a destination
def test_a_medium_that_is_not_there_or_is_the_tenants_own_is_said_and_stops_nothing(place):
    own = place.root / 'own'
    place.extra = destination('own', own, '') + f'destination "gone" {{ kind = directory path = "{place.root}/gone" region = eu-fr }}\n'
    place.write_config()
    place.process.send_signal(1)
    wait_for(lambda: 'destination own: refused' in place.logged() and 'destination gone: unreachable' in place.logged(), why='both said')
    ready(place)
    assert os.listdir(own) == []


def test_one_that_is_killed_comes_again(place):
    pid = wait_for(lambda: courier_of(place), why='one')
    ready(place)
    os.kill(pid, 9)
    assert wait_for(lambda: courier_of(place) not in (0, pid), why='the next')
    assert re.search(r'cloison-courier: died with status -9', place.logged())


def test_ready_is_said_with_the_courier_there_or_known_to_fail(tmp_path):
    slow = tmp_path / 'slow'
    slow.write_text('#!/bin/sh\nexec tail -f /dev/null\n')  # never says that it is ready
    house = House(binaries={'cloison-courier': slow})
    house.extra = destination('medium', house.root / 'medium')
    house.write_config()
    with house:
        assert house.enrolled('acme').get('/api/v1/session').status == 200  # nobody waits for it to be served
        children = subprocess.run(['pgrep', '-P', str(house.process.pid), '-x', 'tail'], capture_output=True, text=True).stdout.split()
        assert len(children) == 1 and 'ready: ' not in house.logged()
        os.kill(int(children[0]), 9)
        wait_for(lambda: 'ready: ' in house.logged(), why='ready')

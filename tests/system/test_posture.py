"""`cloison posture`: what is observed, in words and in JSON, of the machine, the supervisor, its programs and each worker (S4)."""
import hashlib
import json
import os
import re
import shutil

import pytest
from house import BUILD, House, wait_for

OWN = ('cloisond', 'cloison-router', 'cloison-steward')


@pytest.fixture(scope='module')
def house():
    with House(sample_seconds=1) as h:
        h.acme, h.bois = h.enrolled('acme'), h.enrolled('bois')
        yield h


def posture(house, *names):
    done = house.cli('--json', 'posture', *names, duties=('viewer',), check=False)
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told['holds'] else 1)
    return told


def sha256(path):
    return hashlib.sha256(open(path, 'rb').read()).hexdigest()


def test_the_hashes_are_those_of_what_runs(house):
    told = posture(house)
    assert {n: p['binary'] for n, p in told['programs'].items()} == {n: sha256(BUILD / n) for n in OWN}
    for program in told['programs'].values():
        assert program['syscalls'] > 10 and re.fullmatch('[0-9a-f]{64}', program['filter'])
    assert len({p['filter'] for p in told['programs'].values()}) == 3
    assert {w['binary'] for w in told['workers']} == {sha256(BUILD / 'cloison-worker')}
    for worker in told['workers']:  # and of the very process, which root may read
        assert worker['binary'] == sha256(f'/proc/{house.worker_pid(worker["tenant"])}/exe')


def test_a_program_that_was_replaced_shows(house):
    """The running worker keeps its hash; the next start has the new file's."""
    file = house.bin / 'cloison-worker'
    before = posture(house)['workers'][0]['binary']
    shutil.copy(file, house.bin / 'new')
    with open(house.bin / 'new', 'ab') as f:
        f.write(b'\0')
    os.chmod(house.bin / 'new', 0o755)
    os.rename(house.bin / 'new', file)
    house.cli('tenant', 'stop', 'bois')
    house.cli('tenant', 'start', 'bois')
    binary = {w['tenant']: w['binary'] for w in posture(house)['workers']}
    assert binary == {'acme': before, 'bois': sha256(file)} and before != sha256(file)


def test_what_is_said_of_the_supervisor_is_what_proc_says(house):
    told = posture(house)
    assert sorted(told['capabilities']) == ['CHOWN', 'KILL', 'SETGID', 'SETUID']
    text = open(f'/proc/{house.process.pid}/status').read()
    held = 0
    for line in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
        held |= int(re.search(rf'{line}:\s+(\w+)', text)[1], 16)
    assert held == 1 << 0 | 1 << 5 | 1 << 6 | 1 << 7
    core = re.search(r'Max core file size\s+(\S+)\s+(\S+)', open(f'/proc/{house.process.pid}/limits').read())
    assert core.groups() == ('0', '0') and told['machine']['supervisor_no_core'] == 'on'


def test_the_machine_is_as_its_files_say(house):
    def read(path):
        try:
            return open(path).read()
        except OSError:
            return None
    machine = posture(house)['machine']
    yama = read('/proc/sys/kernel/yama/ptrace_scope')
    assert machine['yama'] == ('unavailable' if yama is None else 'on' if yama[0] in '123' else 'off')
    disk = read('/sys/power/disk')
    assert machine['no_hibernation'] == ('on' if disk is None or '[disabled]' in disk else 'off')
    assert machine['no_swap'] == ('off' if len(read('/proc/swaps').splitlines()) > 1 else 'on')
    lockdown = read('/sys/kernel/security/lockdown')
    assert machine['lockdown'] == ('unavailable' if lockdown is None else 'on' if '[confidentiality]' in lockdown else 'off')


def test_each_line_says_what_it_means_when_it_is_off(house):
    told = posture(house)
    text = house.cli('posture', duties=('viewer',), check=False).stdout
    states = told['machine']
    for layer, about in told['layers'].items():
        assert about['off'] and about['meaning'] and about['off'] != about['meaning']
        if about['of'] == 'machine':
            line = next(x for x in text.splitlines() if re.match(rf'  \S+ +{layer} ', x))
            assert line.split()[0] == states[layer] and (about['off'] in line) == (states[layer] != 'on')


def test_of_one_tenant(house):
    told = posture(house, 'acme')
    assert [w['tenant'] for w in told['workers']] == ['acme'] and told['workers'][0]['tls'] == 'passthrough'
    text = house.cli('posture', 'acme', duties=('viewer',), check=False).stdout
    assert 'Worker of acme: TLS ends here alone' in text and 'Worker of bois' not in text
    assert house.cli('posture', 'nobody', duties=('viewer',), check=False).returncode == 1
    assert house.cli('posture', 'acme', 'bois', duties=('viewer',), check=False).returncode == 2
    house.acme.switch(('plain_socket',))
    try:
        wait_for(lambda: posture(house, 'acme')['workers'][0]['tls'] == 'both', why='the plain socket to show')
    finally:
        house.acme.switch(('plain_socket',), on=False)


def test_the_ways_in_are_counted(house):
    """A password and a kit; the number outlasts the worker."""
    wait_for(lambda: house.show('acme')['ways_in'] == 2, why='the next sample')
    assert posture(house)['one_way_in'] == []
    house.cli('tenant', 'stop', 'acme')
    assert house.show('acme')['ways_in'] == 2
    house.create('neuf')
    house.cli('tenant', 'start', 'neuf')
    assert house.show('neuf')['ways_in'] is None

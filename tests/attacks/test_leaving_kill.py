"""kill -9 in every phase of the destruction at the end of a contract (S14): a tenant is whole or gone, never half, and the certificate of one that
is gone has every copy of it."""
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from house import PLAN, STAFF_UID, House, destinations, wait_for
from test_kill import kill, pids

ASKER = STAFF_UID + 40
ROUNDS = 7


@pytest.fixture(scope='module')
def house():
    h = House()
    (h.root / 'safe').mkdir(mode=0o700)
    h.extra = destinations(h.root) + f'capsule_place "safe" {{ path = "{h.root}/safe" region = local }}\n'
    h.write_config()
    h.key = h.root / 'key.pem'
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'ED25519', '-out', h.key], check=True, capture_output=True)
    h.key.chmod(0o644)
    (h.root / 'papers').mkdir()
    (h.root / 'papers').chmod(0o777)
    with h:
        yield h


def leaves(house, name):
    """One with a backup, two capsules and its restitution, that only has to say the word."""
    client = house.enrolled(name)
    client.post('/api/v1/companies', {'name': 'Partie'})
    wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
    assert client.put('/api/v1/plans/backup', PLAN).status == 200
    house.cli('capsule', 'copy', name, 'safe')
    house.cli('backup', 'now', name)
    house.cli('contract', 'end', name, uid=ASKER, duties=('registrar',))
    wait_for(lambda: client.get('/api/v1/leaving').json['state'] == 'ending')
    answer = client.get('/api/v1/restitution')
    assert answer.status == 200
    return client, {'sha256': hashlib.sha256(answer.body).hexdigest(), 'destroy': True}


def state(house, name):
    return house.show(name)['contract']['state']


def traces(house, name):
    """Every file of it, at every place."""
    uid = house.show(name)['uid']
    number = f'{uid - house.options["uid_base"]:016x}'
    found = [p for place in ('medium', 'other', 'vault') for p in (house.root / place).rglob('*') if number in str(p) and p.is_file()]
    return found + list((house.state / 'tenants' / name).iterdir()) + [p for p in (house.root / 'safe').iterdir() if p.name.startswith(f'{name}.')]


def is_gone(house, name):
    wait_for(lambda: state(house, name) == 'gone', seconds=60, why='its end')
    wait_for(lambda: not traces(house, name), seconds=60, why=f'nothing left of it: {traces(house, name)}')
    paper = house.root / 'papers' / f'{name}.json'

    def complete():
        paper.unlink(missing_ok=True)
        (paper.parent / f'{paper.name}.sig').unlink(missing_ok=True)
        house.cli('certificate', 'issue', name, '--key', str(house.key), '--out', str(paper), uid=ASKER, duties=('registrar',))
        text = json.loads(paper.read_text())
        return text if not text['remains'] else None
    text = wait_for(complete, seconds=60, why='a certificate of which nothing remains')
    whats = ' | '.join(d['what'] for d in text['destroyed'])
    for copy in ('key capsule', 'safe', 'backup at medium'):
        assert copy in whats, (copy, whats)
    house.cli('ledger', 'verify')


def is_whole(house, name):
    client = house.client(name)
    assert client.login().status in (200, 201)
    assert [c['name'] for c in client.get('/api/v1/companies').json['items']] == ['Partie']
    assert len(traces(house, name)) > 4


def destroyed_with(house, name, seconds, who):
    """Says the word, kills that program after so long. True: what was said stands."""
    client, word = leaves(house, name)
    said = []

    def say():
        with contextlib.suppress(OSError, ValueError):
            said.append(client.post('/api/v1/leaving', word).status)
    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    time.sleep(seconds)
    if who == 'cloisond':
        os.kill(house.process.pid, signal.SIGKILL)
        house.process.wait()
    else:
        for pid in pids(house, who):
            kill(pid)
    thread.join(20)
    if who != 'cloisond':
        return said == [202]  # the supervisor has it, or will
    line = next(x for x in (house.state / 'registry').read_text(errors='replace').splitlines() if f'name={name}\t' in x)
    house.start()
    return 'resetting=1' in line or state(house, name) == 'gone'


def how_long(house):
    """One that nobody disturbs."""
    client, word = leaves(house, 'calm')
    begin = time.monotonic()
    assert client.post('/api/v1/leaving', word).status == 202
    wait_for(lambda: not traces(house, 'calm'), why='the end')
    took = time.monotonic() - begin
    is_gone(house, 'calm')
    return took


# S14: whoever is killed while a tenant is destroyed, it is whole or gone
@pytest.mark.parametrize('who', ['cloisond', 'cloison-courier'])
def test_killed_at_any_moment_it_is_whole_or_gone(house, who):
    if not hasattr(house, 'takes'):
        house.takes = how_long(house)
    gone = 0
    for i in range(ROUNDS):
        name = f'{who[-3:]}{i}'
        if destroyed_with(house, name, house.takes * i / ROUNDS, who):
            gone += 1
            is_gone(house, name)
        else:
            is_whole(house, name)
    assert gone >= ROUNDS // 2

"""kill -9 of worker, router, steward and supervisor at random under write load, 200 rounds: every acknowledged write is there afterwards
with exactly its content; connections to other tenants live on when a worker dies; nobody types a password again (H1, S4)."""
import collections
import os
import random
import signal
import threading
import time

import pytest

from house import PASSWORD, Client, House, wait_for

ROUNDS, SEED = 200, 20261122


class Writer(threading.Thread):
    """Writes contacts as fast as it can and remembers what was acknowledged. An error is nothing: only a 201 is a promise."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.kept, self.number, self.stopping = client, {}, 0, False

    def run(self):
        while not self.stopping:
            self.number += 1
            body = {'family_name': f'N{self.number:06}', 'notes': f'{self.client.host} {self.number} ' + 'é' * (self.number % 700) + '.'}
            try:
                answer = self.client.post('/api/v1/contacts', body)
                if answer.status == 201:
                    self.kept[answer.json['id']] = body
                elif answer.status != 503:
                    raise AssertionError(answer)
            except OSError:
                time.sleep(0.02)
            except Exception as e:  # http.client: an answer cut in two
                if not type(e).__module__.startswith('http'):
                    raise
                self.client.close()


def children(house):
    """Pids by what they are: 'cloison-router', 'cloison-steward', 'cloison-worker: NAME'."""
    found = {}
    for pid in os.listdir('/proc'):
        if not pid.isdigit():
            continue
        try:
            parent = int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])
            if parent == house.process.pid:
                found[open(f'/proc/{pid}/cmdline').read().split('\0')[0]] = int(pid)
        except OSError:
            pass
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_supervisor(house):
    kill(house.process.pid)
    house.process.wait()
    house.start()


def start_again(house, name):
    """An operator's start ends the back-off at once."""
    try:
        house.control('POST', f'/v1/tenants/{name}/start')
    except OSError:
        pass


def verify(client, kept):
    for id, body in kept.items():
        got = client.get(f'/api/v1/contacts/{id}')
        assert got.status == 200, (id, got)
        assert {k: got.json[k] for k in body} == body


def test_no_acknowledged_write_is_lost_in_200_kills():
    pick, done = random.Random(SEED), collections.Counter()
    victims = ['cloison-worker: un'] * 8 + ['cloison-worker: deux'] * 8 + ['cloison-router'] * 2 + ['cloison-steward'] * 2 + ['cloisond'] * 2
    with House(sample_seconds=1) as house:
        clients = {name: house.enrolled(name) for name in ('un', 'deux', 'temoin')}
        watch = clients['temoin']
        made = watch.post('/api/v1/companies', {'name': 'Témoin'}).json
        writers = [Writer(clients[name]) for name in ('un', 'deux')]
        for w in writers:
            w.start()
        while sum(done.values()) < ROUNDS:
            victim = pick.choice(victims)
            time.sleep(pick.uniform(0.02, 0.25))
            if victim == 'cloisond':
                kill_supervisor(house)
                watch.close()
            else:
                pid = children(house).get(victim)
                if not pid:
                    if victim.startswith('cloison-worker'):
                        start_again(house, victim.rsplit(' ', 1)[1])
                    continue
                kill(pid)
                # The witness' connection is in its own worker's hands alone: no other death may end it.
                again = watch.connection is None
                assert watch.request('GET', f'/api/v1/companies/{made["id"]}', again=again).json == made, victim
                if victim.startswith('cloison-worker'):
                    start_again(house, victim.rsplit(' ', 1)[1])
            done[victim] += 1
        for w in writers:
            w.stopping = True
            w.join(60)
            assert not w.is_alive()
        assert min(done.values()) >= 5 and len(done) == 5, done
        for w in writers:
            start_again(house, w.client.host.split('.')[0])
            assert len(w.kept) > 100, (w.client.host, len(w.kept))
            w.client.close()
            verify(w.client, w.kept)  # by the cookie of the one log-in at the beginning
        assert house.cli('ledger', 'verify').returncode == 0
        wait_for(lambda: house.show('un')['check'] == 'sound', 30, why='the check of the store')


@pytest.mark.parametrize('delay_ms', [0, 5, 15, 25, 30, 35, 45, 60])
def test_enrolment_can_be_repeated_after_a_kill(delay_ms):
    with House() as house:
        host = house.create('neuf')
        body = {'code': house.codes['neuf'], 'login': 'admin', 'password': PASSWORD}
        client = Client(house, host)
        client.get('/api/v1/health')
        pid = children(house)['cloison-worker: neuf']
        timer = threading.Timer(delay_ms / 1000, kill, [pid])
        timer.start()
        try:
            client.post('/api/v1/enrol', body)
        except OSError:
            pass
        timer.join()
        client.close()
        start_again(house, 'neuf')
        again = client.post('/api/v1/enrol', body)
        assert again.status in (201, 409), again  # 409: the supervisor knew of it already
        assert client.login().status == 200
        assert client.post('/api/v1/companies', {'name': 'x'}).status == 201


def test_an_import_cut_in_two_leaves_whole_records():
    with House() as house:
        client = house.enrolled('acme')
        rows = 'name,sector,address.city\r\n' + ''.join(f'S{i:05},Secteur {i},Ville {i}\r\n' for i in range(20000))
        pid = children(house)['cloison-worker: acme']
        threading.Timer(0.25, kill, [pid]).start()
        try:
            client.post('/api/v1/import?kind=companies&format=csv', rows.encode(), headers={'Content-Type': 'text/csv'})
        except OSError:
            pass
        client.close()
        start_again(house, 'acme')
        seen, cursor = [], ''
        while cursor is not None:
            page = client.get(f'/api/v1/companies?limit=200{"&cursor=" + cursor if cursor else ""}').json
            seen += page['items']
            cursor = page['next']
        assert [c['name'] for c in seen] == sorted(c['name'] for c in seen)
        for item in seen[:: max(1, len(seen) // 200)]:
            number = int(item['name'][1:])
            whole = client.get(f'/api/v1/companies/{item["id"]}').json
            assert whole['sector'] == f'Secteur {number}' and whole['address'] == {'city': f'Ville {number}'}
        wait_for(lambda: house.show('acme')['check'] == 'sound', 40, why='the check of the store')

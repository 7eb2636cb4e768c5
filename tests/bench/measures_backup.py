"""How fast a backup is beside cp and sha256sum of the same file, how much of it an incremental takes, and what it does to those who are served."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import threading
import time

from ground import Ground, need, wait_for
from house import Client, destinations
from measures import middle, result, write_paths

HOST, RECORDS, BATCH = 'acme.localhost', 700000, 50000


def rows(count, seed):
    """Contacts of about 1 KiB."""
    chance = random.Random(seed)
    return '\n'.join(json.dumps({'family_name': f'{chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}{chance.randrange(10**9)}', 'given_name': 'Adèle',
                                 'notes': chance.randbytes(360).hex()}) for _ in range(count)).encode()


def seconds(what):
    start = time.monotonic()
    what()
    return time.monotonic() - start


def size_of(folder):
    return sum(p.stat().st_size for p in pathlib.Path(folder).rglob('*') if p.is_file())


def copied(store, to):
    """cp and sha256sum, from the page cache, the copy on the disk as a backup is."""
    subprocess.run(['cp', store, to], check=True)
    subprocess.run(['sync', to], check=True)
    subprocess.run(['sha256sum', to], check=True, stdout=subprocess.DEVNULL)


def again_and_again(house, stop, taken):
    while not stop.is_set():
        house.cli('backup', 'now', 'acme')
        taken.append(time.monotonic())


def measure_backup(options):
    """A backup of about 1 GiB; then of 1 % of its records changed at random; GETs while backups are taken again and again."""
    with Ground(pinned=False) as ground:
        house = ground.house
        house.stop()
        house.extra = destinations(house.root)
        house.write_config()
        house.start()
        client = house.enrolled('acme', None, '--quota', '4G')
        token = house.token(client)
        loader = Client(house, HOST, token, timeout=600)
        for part in range(0, RECORDS, BATCH):
            answer = loader.post('/api/v1/import?kind=contacts&format=json', rows(BATCH, part), headers={'Content-Type': 'application/json'})
            need(answer.status == 200 and answer.json['created'] == BATCH, f'import: {answer}')
        store = house.state / 'tenants' / 'acme' / 'data.mdb'
        used = house.show('acme')['store_bytes']
        wait_for(lambda: client.get('/api/v1/plans').json['destinations'], why='the destinations')
        plan = {'where': 'medium', 'protection': 'sealed', 'purpose': 'bench', 'duration_hours': 24, 'mechanism': 'incremental-snapshot',
                'frequency_minutes': 1440, 'erasure': 'after-duration'}

        def sent(number):
            wait_for(lambda: any(i['number'] == number and i['sent'] for i in client.get('/api/v1/backups').json['items']), seconds=600, step=0.05,
                     why=f'snapshot {number}')

        def first():
            need(client.put('/api/v1/plans/backup', plan).status == 200, 'the plan')
            sent(1)

        file = ground.root / 'file'
        theirs = [seconds(lambda: copied(store, file))]
        file_bytes = os.stat(file).st_size
        ours = seconds(first)
        file.unlink()
        theirs.append(seconds(lambda: copied(store, file)))
        file.unlink()
        medium = house.root / 'medium'
        whole = size_of(medium)
        yield result('backup / cp + sync + sha256sum of the store', middle(theirs) / ours, 'x', 0.6, store_bytes=used, file_bytes=file_bytes, seconds=round(ours, 2),
                     cp_seconds=[round(t, 2) for t in theirs], backup_bytes=whole)

        text = loader.get('/api/v1/export?kind=contacts&format=json').body.decode()
        items = [i['id'] for i in (json.loads(text) if text.lstrip().startswith('[') else map(json.loads, text.splitlines()))]
        chance = random.Random(7)
        for one in chance.sample(items, len(items) // 100):
            need(loader.patch(f'/api/v1/contacts/{one}', {'notes': chance.randbytes(360).hex()},
                              headers={'Content-Type': 'application/merge-patch+json'}).status == 200, 'a change')
        need(client.post('/api/v1/backups').status == 202, 'asked')
        sent(2)
        more = size_of(medium) - whole
        yield result('incremental after 1 % of the records changed / the whole', more / whole, 'x', 0.05, most=True, bytes=more)

        paths = write_paths(ground, 'ids', [f'/api/v1/contacts/{i}' for i in chance.sample(items, 20000)])
        alone, beside, taken = [], [], []
        for round_ in range(options.rounds):
            shape = dict(connections=16, seconds=options.seconds)
            alone.append(ground.load(house.tls_port, 'get', paths, token, round_, **shape))
            stop = threading.Event()
            taker = threading.Thread(target=again_and_again, args=(house, stop, taken))
            taker.start()
            beside.append(ground.load(house.tls_port, 'get', paths, token, round_, **shape))
            stop.set()
            taker.join()
        yield result('p99 of GET beside backups / alone', middle(r['p99_us'] for r in beside) / middle(r['p99_us'] for r in alone), 'x', 2, most=True,
                     p99_us=middle(r['p99_us'] for r in beside), alone_us=middle(r['p99_us'] for r in alone), snapshots=len(taken))
        shutil.rmtree(medium)


MEASURES = {'backup': measure_backup}

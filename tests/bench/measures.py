"""The measures. Each is a generator of results: figure, floor and how it was got; `most` says that less is better."""
import gc
import json
import os
import statistics
import time

from ground import (LOAD, Ground, OnLoad, cpu_seconds, fdatasync_us, mem_available, need, read_answer, request_bytes, tls, tls_context, wait_for,
                    wrk_figures)
from house import PASSWORD, Client
from records import contacts

RECORDS = 100000
HOST = 'acme.localhost'


def result(name, figure, unit, floor, most=False, **detail):
    return {'measure': name, 'figure': round(figure, 3), 'unit': unit, 'floor': floor, 'bound': 'at most' if most else 'at least',
            'ratio': round(figure / floor, 3), 'met': figure <= floor if most else figure >= floor, **detail}


def middle(values):
    return round(statistics.median(values), 3)


def loaded(ground, records=RECORDS):
    """A tenant with its records. Gives a token and the paths of all of them."""
    client = ground.house.enrolled('acme')
    token = ground.house.token(client)
    loader = Client(ground.house, HOST, token, timeout=600)
    answer = loader.post('/api/v1/import?kind=contacts&format=json', contacts(records), headers={'Content-Type': 'application/json'})
    need(answer.status == 200 and answer.json['created'] == records, f'import: {answer}')
    exported = loader.get('/api/v1/export?kind=contacts&format=json')
    text = exported.body.decode()
    items = json.loads(text) if text.lstrip().startswith('[') else [json.loads(line) for line in text.splitlines()]
    need(len(items) == records, f'{len(items)} records exported')
    loader.close()
    client.close()
    return token, [f'/api/v1/contacts/{item["id"]}' for item in items]


def write_paths(ground, name, paths):
    file = ground.root / name
    file.write_text('\n'.join(paths) + '\n')
    return file


def one_size(ground, token, path):
    answer = Client(ground.house, HOST, token).get(path)
    need(answer.status == 200, f'{path}: {answer}')
    return len(answer.body)


def measure_get(options):
    """GET of a sealed contact over 16 kept connections against nginx and a file of the same size, in turn."""
    with Ground() as ground:
        token, paths = loaded(ground)
        size = one_size(ground, token, paths[len(paths) // 2])
        port, nginx = ground.nginx(size)
        worker = ground.house.worker_pid('acme')
        ours_file, theirs_file = write_paths(ground, 'ids', paths), write_paths(ground, 'file', ['/file'] * 1000)
        ours, theirs = [], []
        for round_ in range(options.rounds):
            shape = dict(connections=16, seconds=options.seconds)
            theirs.append(ground.load(port, 'get', theirs_file, '-', round_, pids=[nginx], **shape))
            ours.append(ground.load(ground.house.tls_port, 'get', ours_file, token, round_, pids=[worker], **shape))
        ratios = [a['per_s'] / b['per_s'] for a, b in zip(ours, theirs)]
        yield result('GET of a sealed contact / nginx static', middle(ratios), 'x', 0.6, bytes=size, per_s=middle(r['per_s'] for r in ours),
                     nginx_per_s=middle(r['per_s'] for r in theirs), cpu_us=middle(r['cpu_us'] for r in ours),
                     nginx_cpu_us=middle(r['cpu_us'] for r in theirs), p99_us=middle(r['p99_us'] for r in ours), ratios=[round(r, 3) for r in ratios])


def measure_post(options):
    """Durable POST, alone and by 64 connections."""
    with Ground() as ground:
        token = ground.house.token(ground.house.enrolled('acme'))
        pid = ground.house.worker_pid('acme')
        one, many, sync = [], [], []
        for round_ in range(options.rounds):
            sync.append(fdatasync_us(ground.root))
            one.append(ground.load(ground.house.tls_port, 'post', '-', token, 2 * round_, pids=[pid], connections=1, seconds=options.seconds))
            many.append(ground.load(ground.house.tls_port, 'post', '-', token, 2 * round_ + 1, pids=[pid], connections=64, seconds=options.seconds))
        detail = dict(one_per_s=middle(r['per_s'] for r in one), many_per_s=middle(r['per_s'] for r in many), fdatasync_us=middle(sync),
                      one_cpu_us=middle(r['cpu_us'] for r in one), many_cpu_us=middle(r['cpu_us'] for r in many))
        yield result('durable POST, 64 connections / one', middle(m['per_s'] / o['per_s'] for m, o in zip(many, one)), 'x', 6, **detail)
        if detail['fdatasync_us'] <= 1000:
            yield result('durable POST, 64 connections', detail['many_per_s'], '/s', 5000, fdatasync_us=detail['fdatasync_us'])


def pages(client, letters, deep):
    """Paths of the first `deep` pages of each letter."""
    paths = []
    for letter in letters:
        cursor = ''
        for _ in range(deep):
            paths.append(f'/api/v1/contacts?letter={letter}&limit=50' + (f'&cursor={cursor}' if cursor else ''))
            cursor = client.get(paths[-1]).json['next']
            if not cursor:
                break
    return paths


def measure_list(options):
    """List by letter, 50 a page: random letters, random ones of their first pages."""
    with Ground() as ground:
        token, _ = loaded(ground)
        paths = pages(Client(ground.house, HOST, token), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 20)
        file, worker = write_paths(ground, 'pages', paths), ground.house.worker_pid('acme')
        runs = [ground.load(ground.house.tls_port, 'get', file, token, r, pids=[worker], connections=16, seconds=options.seconds)
                for r in range(options.rounds)]
        yield result('list by letter, 50 a page', middle(r['per_s'] for r in runs), '/s', 12000, pages=len(paths),
                     bytes=round(runs[0]['bytes'] / runs[0]['requests']), cpu_us=middle(r['cpu_us'] for r in runs))


def connect_and_ask(port, request, times, pids):
    """CPU time of `pids` per new connection with one request, in microseconds."""
    context = tls_context()
    before = cpu_seconds(pids)
    for _ in range(times):
        with tls(context, port, HOST) as connection:
            need(not connection.session_reused, 'a session was resumed')
            connection.sendall(request)
            need(read_answer(connection) == 200, 'refused')
    return (cpu_seconds(pids) - before) / times * 1e6


def measure_handshake(options):
    """A new connection, a full TLS 1.3 handshake and one request, through the router: server CPU against nginx's."""
    with Ground() as ground:
        token, paths = loaded(ground, 100)
        port, nginx = ground.nginx(one_size(ground, token, paths[0]))
        pids = [ground.router_pid(), ground.house.worker_pid('acme')]
        ours, theirs, router = [], [], []
        with OnLoad():
            for _ in range(options.rounds):
                theirs.append(connect_and_ask(port, request_bytes(HOST, '/file'), options.connections, [nginx]))
                before = cpu_seconds(pids[:1])
                ours.append(connect_and_ask(ground.house.tls_port, request_bytes(HOST, paths[0], token), options.connections, pids))
                router.append((cpu_seconds(pids[:1]) - before) / options.connections * 1e6)
        yield result('CPU of a full handshake / nginx', middle(a / b for a, b in zip(ours, theirs)), 'x', 1.25, most=True, cpu_us=middle(ours),
                     router_cpu_us=middle(router), nginx_cpu_us=middle(theirs))


def first_byte_ms(context, port):
    start = time.perf_counter()
    with tls(context, port, HOST) as connection:
        connection.sendall(request_bytes(HOST, '/'))
        need(connection.recv(1) == b'H', 'no answer')
        return (time.perf_counter() - start) * 1e3


def measure_start(options):
    """First byte of the log-in page from a stopped tenant: start, TLS, request."""
    with Ground() as ground:
        house = ground.house
        house.enrolled('acme').close()
        took, warm, context = [], [], tls_context()
        for _ in range(options.starts):
            house.cli('tenant', 'stop', 'acme')
            house.wait_state('acme', 'stopped')
            time.sleep(0.1)
            with OnLoad():
                took.append(first_byte_ms(context, house.tls_port))
                warm.append(first_byte_ms(context, house.tls_port))
        took.sort()
        yield result('first byte from a stopped tenant', middle(took), 'ms', 15, most=True, least=round(took[0], 3),
                     p90=round(took[len(took) * 9 // 10], 3), from_a_running_one=middle(warm))


def settle():
    """MemAvailable once it no longer moves."""
    time.sleep(1)
    return statistics.median(mem_available() for _ in range(5) if not time.sleep(0.1))


def measure_memory(options):
    """What an idle worker takes: the fall of MemAvailable by all tenants' workers, before a log-in and after one each."""
    n = options.tenants
    with Ground(pinned=False, max_workers=n + 56, idle_seconds=3600) as ground:
        house = ground.house
        names = [f't{i}' for i in range(n)]
        for name in names:
            house.enrolled(name).close()

        def stop():
            for name in names:
                house.cli('tenant', 'stop', name)
            for name in names:
                house.wait_state(name, 'stopped', seconds=60)

        def each(ask):
            for name in names:
                client = house.client(name)
                need(ask(client).status == 200, f'{name} refused')
                client.close()

        before, after, drift = [], [], []
        stop()
        for _ in range(options.memory_rounds):
            empty = settle()
            each(lambda c: c.get('/api/v1/health'))
            sealed = settle()
            each(lambda c: c.login())
            serving = settle()
            stop()
            again = settle()
            empty = (empty + again) / 2
            before.append((empty - sealed) / n / 2**20)
            after.append((empty - serving) / n / 2**20)
            drift.append((empty - again) / n / 2**20)
        for name, values in (('memory of an idle worker, sealed', before), ('memory of an idle worker, after a log-in', after)):
            yield result(name, middle(values), 'MiB', 2, most=True, tenants=n, rounds=[round(v, 3) for v in values], drift=[round(v, 3) for v in drift])


def paced(connection, request, rate, seconds):
    """Latencies of requests that leave at fixed times, in microseconds, sorted. The clock runs from when each should have left."""
    took, start, n = [], time.perf_counter(), int(rate * seconds)
    gc.disable()
    for i in range(n):
        at = start + i / rate
        while (now := time.perf_counter()) < at:
            time.sleep(at - now)
        connection.sendall(request)
        need(read_answer(connection) == 200, 'refused')
        took.append((time.perf_counter() - at) * 1e6)
    gc.enable()
    return sorted(took)


def p99(took):
    return took[len(took) * 99 // 100]


def real_time(on):
    """Whether the caller has real-time priority now: not every container gives it."""
    try:
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK if on else os.SCHED_OTHER
        os.sched_setscheduler(0, policy, os.sched_param(10 if on else 0))
        return on
    except PermissionError:
        return False


def measure_neighbour(options):
    """The p99 of a tenant asked 200 times a second, alone and while another tenant is flooded. The client that measures has real-time
    priority: it is the clock, not what is measured."""
    with Ground(pinned=False) as ground:
        house = ground.house
        token, paths = loaded(ground, 10000)
        file = write_paths(ground, 'ids', paths)
        bois = house.enrolled('bois')
        path = f'/api/v1/contacts/{bois.post("/api/v1/contacts", {"family_name": "Dupont"}).json["id"]}'
        request, context = request_bytes('bois.localhost', path, house.token(bois)), tls_context()
        alone, flooded, load = [], [], []
        with tls(context, house.tls_port, 'bois.localhost') as connection:
            exact = real_time(True)
            try:
                for round_ in range(options.rounds):
                    alone.append(p99(paced(connection, request, 200, options.seconds)))
                    flood = ground.wrk(house.tls_port, 'get', file, token, round_, connections=16, seconds=options.seconds + 2)
                    time.sleep(1)
                    flooded.append(p99(paced(connection, request, 200, options.seconds)))
                    load.append(wrk_figures(flood)['per_s'])
            finally:
                real_time(False)
        yield result("another tenant's p99 under a flood / alone", middle(f / a for f, a in zip(flooded, alone)), 'x', 2, most=True,
                     alone_us=middle(alone), flooded_us=middle(flooded), flood_per_s=middle(load), real_time_client=exact,
                     rounds=[round(f / a, 2) for f, a in zip(flooded, alone)])


def measure_rotation(options):
    """100,000 contacts sealed anew under another key while 16 connections GET them: how long it takes, and what is left of their rate."""
    with Ground() as ground:
        token, paths = loaded(ground)
        file, worker = write_paths(ground, 'ids', paths), ground.house.worker_pid('acme')
        admin = ground.house.client('acme')
        need(admin.login().status == 200, 'no log-in')

        def get(n):
            return ground.load(ground.house.tls_port, 'get', file, token, n, pids=[worker], connections=16, seconds=options.seconds)
        alone, during = [get(n)['per_s'] for n in range(options.rounds)], []
        start = time.perf_counter()
        need(admin.post('/api/v1/rotation').status == 202, 'refused')
        while True:
            rate, state = get(len(during))['per_s'], admin.get('/api/v1/rotation').json
            took = time.perf_counter() - start
            need(state['state'] != 'stopped', f'the rotation stopped: {state["reason"]}')
            if state['state'] == 'idle':
                break
            during.append(rate)  # under way from the beginning to the end of it
        need(during, f'it was over in {took:.1f} s: measure with fewer --seconds')
        detail = dict(alone_per_s=middle(alone), during_per_s=middle(during), rounds=[round(r) for r in during])
        yield result('rotation of 100,000 records under load', took, 's', 60, most=True, **detail)
        yield result('GET during a rotation / alone', middle(during) / middle(alone), 'x', 0.5, **detail)


MEASURES = {name[8:]: value for name, value in list(globals().items()) if name.startswith('measure_')}

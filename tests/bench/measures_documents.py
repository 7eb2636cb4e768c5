"""What documents cost: one of 1 GiB up and down, beside nginx with a file of the same size on the same disk."""
import json
import os
import subprocess
import threading

from ground import LOAD, Ground, cpu_seconds, need
from measures import HOST, middle, result

SIZE = 1 << 30
ARENA = 8 << 20  # bytes of secret memory: what the smallest worker has


def curl(port, path, *arguments, token=None):
    """One transfer by curl on processor LOAD. Gives its bytes a second."""
    head = ['-H', f'Authorization: Bearer {token}'] if token else []
    run = subprocess.run(['taskset', '-c', str(LOAD), 'curl', '-sk', '--http1.1', '--resolve', f'{HOST}:{port}:127.0.0.1', '-o', '/dev/null', '-w',
                          '%{json}', *head, *arguments, f'https://{HOST}:{port}{path}'], capture_output=True, text=True)
    need(run.returncode == 0, f'curl: {run.returncode} {run.stderr}')
    told = json.loads(run.stdout)
    need(told['http_code'] in (200, 201, 204), f'{path}: {told["http_code"]}')
    need(max(told['size_upload'], told['size_download']) >= SIZE, 'not all of it')
    return max(told['size_upload'], told['size_download']) / told['time_total']


class Memory:
    """The most that a process holds which is no page of a file, looked at every 20 ms: heap outside the arena, and the arena."""

    def __init__(self, pid):
        self.pid, self.most, self.over = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.over.wait(0.02):
            with open(f'/proc/{self.pid}/status') as status:
                kib = sum(int(line.split()[1]) for line in status if line.startswith('RssAnon:'))
            self.most = max(self.most, kib * 1024)

    def end(self):
        self.over.set()
        self.thread.join()
        return self.most + ARENA


def measure_documents(options):
    """Upload against nginx's PUT, which syncs nothing to the disk, while ours is durable when it is answered; download against nginx static."""
    with Ground(arena_bytes=ARENA) as ground:
        client = ground.house.enrolled('acme', HOST, '--quota', str(8 * SIZE))
        token = ground.house.token(client)
        file = ground.root / 'upload'
        file.write_bytes(os.urandom(1 << 20) * (SIZE >> 20))
        port, nginx = ground.nginx(SIZE)
        worker = ground.house.worker_pid('acme')
        ups, downs, cpu, memory = [], [], [], Memory(worker)
        for round_ in range(options.rounds):
            made = client.post('/api/v1/documents', {'name': f'{round_}.bin'})
            need(made.status == 201, f'{made}')
            content = f'/api/v1/documents/{made.json["id"]}/content'
            os.sync()
            theirs = curl(port, f'/up/{round_}', '-T', file)
            os.sync()
            ours = curl(ground.house.tls_port, content, '-T', file, token=token)
            ups.append((ours, theirs))
            curl(port, '/file')
            theirs, before = curl(port, '/file'), cpu_seconds([worker])
            ours = curl(ground.house.tls_port, content, token=token)
            cpu.append(cpu_seconds([worker]) - before)
            downs.append((ours, theirs))
            need(client.delete(content.removesuffix('/content')).status == 204, 'not deleted')
        for what, pairs in (('upload of 1 GiB / nginx PUT', ups), ('download of 1 GiB / nginx static', downs)):
            yield result(what, middle(a / b for a, b in pairs), 'x', 0.6, mb_per_s=middle(a / 1e6 for a, _ in pairs),
                         nginx_mb_per_s=middle(b / 1e6 for _, b in pairs), ratios=[round(a / b, 3) for a, b in pairs])
        yield result('memory of the worker at its most', memory.end() / (1 << 20), 'MiB', 48, most=True, arena=ARENA, download_cpu_s=middle(cpu))


MEASURES = {'documents': measure_documents}

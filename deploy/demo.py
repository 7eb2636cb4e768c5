"""The demonstration behind deploy/demo."""
import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time

from demo_check import Checks
from demo_host import DUTIES, STAFF, Demo, Failed, need
from demo_life import ANSWER, PERSON, QUESTION, Life


def steps(demo):
    def create():
        demo.make_ca()
        demo.create('acme', 'Acme SA')
        demo.create('bois', 'Bois & Fils')
        return 'acme.localhost and bois.localhost created, certified, enrolled'
    yield 'supervisor', lambda: demo.start() or 'up'
    yield 'tenants', create
    yield 'import', lambda: demo.import_companies(demo.tenants[0])
    yield 'import', lambda: demo.import_contacts(demo.tenants[1])
    yield 'proxies', lambda: demo.start_proxies() or 'HAProxy and nginx up'
    yield 'told', lambda: demo.write_json() or f'{demo.folder}/demo.json'


def at_rest(demo):
    raw = b''.join(p.read_bytes() for place in ('state', 'medium', 'kept') for p in (demo.folder / place).rglob('*') if p.is_file())
    for word in ('Éluard', 'exemple.fr', 'Cisco Systems', 'Ozenfant', PERSON.split(' ')[1], 'Chère Madame', QUESTION, ANSWER, demo.tenants[0]['password'], demo.tenants[0]['token']):
        need(word.encode() not in raw, 'something is readable in the state directory or in a backup')
    return f'{len(raw) >> 20} MiB of state and backups, nothing of it readable'


def checks(demo):
    yield from Checks(demo).steps()
    yield from Life(demo).steps()
    yield 'at rest', lambda: at_rest(demo)


def tell(demo):
    acme = demo.tenants[0]
    print()
    for tenant in demo.tenants:
        print(f'  https://{tenant["host"]}:{demo.port}/   log-in {tenant["login"]}, password {tenant["password"]}')
    print(f'  the same through HAProxy on port {demo.haproxy} and nginx on port {demo.nginx};')
    print(f'  the browser warns, since it does not know the certificate authority {demo.ca}/ca.pem: go on, or import that file into it\n')
    print(f'  curl --cacert {shlex.quote(str(demo.ca / "ca.pem"))} -H "Authorization: Bearer {acme["token"]}" "https://{acme["host"]}:{demo.port}/api/v1/companies?letter=A&limit=5"\n')
    print(f'  setpriv --reuid {STAFF} --regid {STAFF} --groups {DUTIES["viewer"]} {shlex.quote(str(demo.bin / "cloison"))} -S {shlex.quote(str(demo.run))} status\n')
    print(demo.staff_needs('status'))
    print('The numbers are sampled every ten seconds: ask again to see the import in them.')


def main():
    parser = argparse.ArgumentParser(prog='deploy/demo')
    parser.add_argument('--check', action='store_true', help='exercise the main job and a tenant’s whole life, print a line a step, stop; exit status 0 or 1')
    parser.add_argument('--dir', help='where state goes and stays (default: a temporary folder, removed at the end)')
    parser.add_argument('--port', type=int, default=8443, help='for TLS (default 8443)')
    options = parser.parse_args()
    if not 0 < options.port < 65536:
        parser.error(f'argument --port: from 1 to 65535, not {options.port}')
    folder = options.dir or tempfile.mkdtemp(prefix='cloison-demo-')
    demo = Demo(os.path.abspath(folder), options.port)
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(0))
    status = 0
    try:
        plan = [*steps(demo), *(checks(demo) if options.check else ())]
        for name, step in plan:
            begin = time.monotonic()
            print(f'ok    {name}: {step()} ({time.monotonic() - begin:.1f} s)', flush=True)
        if not options.check:
            tell(demo)
            print('Ctrl-C ends it.', flush=True)
            signal.pause()
    except (Failed, OSError) as why:
        print(f'FAIL  {name}: {why}', file=sys.stderr)
        status = 1
    finally:
        demo.stop()
        if not options.dir:
            shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == '__main__':
    sys.exit(main())

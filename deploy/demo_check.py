"""The main job, checked: what two tenants and the provider's staff do every day."""
import subprocess
import urllib.parse

from demo_host import Client, need


class Checks:
    def __init__(self, demo):
        self.demo = demo

    def letters(self, tenant):
        client, names = self.demo.client(tenant), []
        cursor = ''
        while True:
            page = client.ask('GET', f'/api/v1/contacts?letter=E&limit=100{cursor}')
            names += [c['family_name'] for c in page['items']]
            if not page['next']:
                break
            cursor = '&cursor=' + urllib.parse.quote(page['next'])
        need(names and set(names) == {'Éluard'}, f'under E stand {sorted(set(names))}')
        under_o = {c['family_name'] for c in client.ask('GET', '/api/v1/contacts?letter=O&limit=100')['items']}
        need('Œuvrard' in under_o, 'Œuvrard is not under O')
        return f'É under E ({len(names)}), Œ under O'

    def proxies(self):
        for name, port in (('HAProxy', self.demo.haproxy), ('nginx', self.demo.nginx)):
            for tenant in self.demo.tenants:
                done = subprocess.run(['curl', '-sS', '--cacert', self.demo.ca / 'ca.pem', '--resolve', f'{tenant["host"]}:{port}:127.0.0.1', '-H',
                                       f'Authorization: Bearer {tenant["token"]}', f'https://{tenant["host"]}:{port}/api/v1/companies?limit=1'], capture_output=True, text=True)
                need(done.returncode == 0 and '"items"' in done.stdout, f'{name}, {tenant["name"]}: {done.stderr} {done.stdout[:200]}')
        return 'curl through HAProxy and nginx'

    def separation(self):
        one, other = self.demo.tenants
        stranger = self.demo.client(other)
        stranger.headers['Authorization'] = f'Bearer {one["token"]}'
        stranger.refused('401 credentials', f'a token of {one["name"]} at {other["name"]}', 'GET', '/api/v1/companies?limit=1')
        return f'{one["name"]}’s token is nothing to {other["name"]}'

    def staff(self):
        name = self.demo.tenants[0]['name']
        for verb in ('read', 'export', 'copy', 'connect', 'delete'):
            need(self.demo.staff('tenant', verb, name).returncode != 0, f'staff may {verb} a tenant')
        need(self.demo.staff('status', duties=()).returncode != 0, 'a stranger may read the status')
        self.demo.staff_needs('ledger', 'verify')
        return 'read, export, copy, connect, delete: refused to all staff and recorded'

    def restart(self):
        tenant = self.demo.tenants[0]
        self.demo.staff_needs('tenant', 'stop', tenant['name'])
        self.demo.client(tenant).ask('GET', '/api/v1/companies?limit=1')
        return 'a stopped worker opens again by the tenant’s own token'

    def lock(self):
        tenant = self.demo.tenants[0]
        user = Client(self.demo, tenant['host'], self.demo.port)
        user.ask('POST', '/api/v1/session', {'login': tenant['login'], 'password': tenant['password']})

        def again():
            """The same browser over a new connection."""
            return Client(self.demo, tenant['host'], self.demo.port, user.cookies)
        self.demo.staff_needs('tenant', 'stop', tenant['name'])
        state = Client(self.demo, tenant['host'], self.demo.port).ask('GET', '/api/v1/health')['state']
        need(state == 'sealed', f'{tenant["name"]} is {state} though nobody has shown a credential')
        again().ask('GET', '/api/v1/session')
        self.demo.staff_needs('tenant', 'lock', tenant['name'])
        again().refused('503 sealed', 'a session after the lock', 'GET', '/api/v1/session')
        again().ask('POST', '/api/v1/session', {'login': tenant['login'], 'password': tenant['password']})
        return 'sealed after a stop, opened by a session’s cookie, sealed to it by a lock, opened by the password'

    def recovery(self):
        """Another machine: other directories, another supervisor; of the tenant only data and key capsule, and the kit on paper."""
        tenant = self.demo.tenants[1]
        name, before = tenant['name'], self.demo.client(tenant).ask('GET', '/api/v1/contacts/letters')['total']
        self.demo.staff_needs('tenant', 'stop', name)
        files = [f for f in (self.demo.state / 'tenants' / name).glob('*') if f.name != 'identity']  # a machine has a TLS key of its own
        with self.demo.another('elsewhere') as elsewhere:
            elsewhere.enter(tenant, files)
            elsewhere.open(tenant)
            client = Client(elsewhere, tenant['host'], elsewhere.port)
            client.ask('POST', '/api/v1/session', {'recovery_kit': self.demo.kits[name]})
            after = client.ask('GET', '/api/v1/contacts/letters')['total']
        need(after == before, f'{before} contacts here, {after} there')
        return f'{after} contacts opened on another machine by the recovery kit alone'

    def steps(self):
        yield 'letters', lambda: self.letters(self.demo.tenants[1])
        yield 'curl', self.proxies
        yield 'separation', self.separation
        yield 'staff', self.staff
        yield 'restart', self.restart
        yield 'lock', self.lock
        yield 'recovery', self.recovery

"""A whole life, checked: a tenant is enrolled, backed up, restored elsewhere, told and asked, leaves, and nothing of it opens any more."""
import datetime
import hashlib
import io
import json
import os
import shutil
import tarfile

from demo_host import COLLEAGUE, COURIER, STAFF, Client, need, wait_for

PERSON, LETTER = 'Zoé Quatremère-Île', 'Chère Madame, '.encode() * 20000
QUESTION, ANSWER = 'Où sont nos mégisseries ?', 'Sous la lettre M.'
PLAN = {'where': 'medium', 'protection': 'sealed', 'purpose': 'Restore after a failure', 'duration_hours': 30 * 24,
        'mechanism': 'incremental-snapshot', 'frequency_minutes': 24 * 60, 'erasure': 'after-duration'}


class Life:
    def __init__(self, demo):
        self.demo = demo
        self.kept = demo.folder / 'kept'  # what somebody copied off the medium, and of what Cloison therefore knows nothing

    def user(self, machine=None):
        """The administrator's browser, over a new connection and on whatever machine answers for the host."""
        machine = machine or self.demo
        return Client(machine, self.tenant['host'], machine.port, self.cookies)

    def staff(self, *arguments, **more):
        return json.loads(self.demo.staff_needs('--json', *arguments, **more))

    def log_in(self, client):
        client.ask('POST', '/api/v1/session', {'login': self.tenant['login'], 'password': self.tenant['password']})

    def enrol(self):
        functions = ('export', 'documents', 'backup', 'support')
        self.tenant, client = self.demo.enrol('cuir', 'Cuir & Fils', functions)
        self.cookies = client.cookies
        for name in ('Tannerie Ozenfant', 'Mégisserie du Tarn'):
            client.ask('POST', '/api/v1/companies', {'name': name})
        given, family = PERSON.split(' ', 1)
        self.person = client.ask('POST', '/api/v1/contacts', {'given_name': given, 'family_name': family})['id']
        letter = client.ask('POST', '/api/v1/documents', {'name': 'lettre.txt', 'links': [f'contacts/{self.person}']})['id']
        client.ask('PUT', f'/api/v1/documents/{letter}/content', LETTER, 'text/plain')
        client.refused('403 function-off', 'a function that nobody switched on', 'POST', '/api/v1/import?kind=contacts&format=json', {})
        return f'cuir.localhost enrolled; {", ".join(functions)} switched on, every other function refused'

    def back_up(self):
        client = self.user()

        def taken():
            last = client.ask('GET', '/api/v1/plans')['backup']['last']
            return last['number'] == 1 and not last['busy'] and last['result'] == 'done'
        wait_for(lambda: client.ask('GET', '/api/v1/plans')['destinations'], 'the tenant is offered no destination')
        client.ask('PUT', '/api/v1/plans/backup', PLAN)
        wait_for(taken, 'the first snapshot does not reach its destination')
        self.demo.staff_needs('backup', 'verify', 'cuir')
        shutil.copytree(self.demo.medium, self.kept)
        for place in (self.kept, *self.kept.rglob('*')):
            os.chown(place, COURIER, COURIER)
        self.number = int(next((self.kept / 't').iterdir()).name, 16)
        client.ask('POST', '/api/v1/companies', {'name': 'Written after the backup'})
        return f'{sum(p.stat().st_size for p in self.kept.rglob("*") if p.is_file()) >> 10} KiB sealed at the destination, every byte checked without a key'

    def put_back(self, machine, files=()):
        """Out of the copy of the destination, on another machine."""
        machine.enter(self.tenant, files)
        machine.staff_needs('backup', 'restore', 'cuir', '--from', 'medium', '--source', str(self.number))
        machine.open(self.tenant)

    def restore(self):
        with self.demo.another('restored', self.kept) as machine:
            self.put_back(machine, [self.demo.state / 'tenants' / 'cuir' / 'capsule'])
            seen, client = dict(self.cookies), self.user(machine)
            client.cookies = seen  # what the user sees there is that machine's alone
            self.log_in(client)
            client.refused('409 rolled-back', 'an older state is not told', 'GET', '/api/v1/companies?limit=9')
            client.ask('POST', '/api/v1/rollback')
            names = {c['name'] for c in client.ask('GET', '/api/v1/companies?limit=9')['items']}
            need(names == {'Tannerie Ozenfant', 'Mégisserie du Tarn'}, f'restored: {sorted(names)}')
            client.refused('409 not-rolled-back', 'the older state is accepted twice', 'POST', '/api/v1/rollback')
            for person in (STAFF, COLLEAGUE):  # or the tenant, and its capsule, would exist twice
                machine.staff_needs('tenant', 'reset', 'cuir', person=person)
            need(not (machine.state / 'tenants' / 'cuir' / 'capsule').exists(), 'the capsule is still there after a reset')
        return 'backup, capsule and password open it on another machine; the older state is told, accepted once; that machine is emptied again'

    def subject(self):
        with tarfile.open(fileobj=io.BytesIO(self.user().fetch('GET', f'/api/v1/contacts/{self.person}/package'))) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
        need(PERSON.split(' ', 1)[1] in files['person.json'].decode() and 'person.html' in files, 'the package does not tell who it is about')
        need(LETTER in files.values(), 'the package lacks a document about the person')
        need('Tannerie' not in str(files), 'the package tells of somebody else')
        return f'all about one person, as {", ".join(sorted(files))}'

    def disclosure(self):
        ask = ('disclosure', 'request', 'cuir', '--recipient', 'Tribunal judiciaire de Lyon', '--reason', 'Ordonnance 26/118', '--scope', 'registry,sealed')
        need(self.demo.staff(*ask, '--ground', 'commerce').returncode == 1, 'there is a ground for commerce')
        number = self.staff(*ask, '--ground', 'law')['number']
        need(self.demo.staff('disclosure', 'approve', str(number)).returncode == 1, 'one person alone may disclose')
        package = self.staff('disclosure', 'approve', str(number), person=COLLEAGUE)
        need('capsule' not in package['sealed']['files'] and 'Ozenfant' not in str(package), 'a disclosure gives more than the provider holds')
        told = self.user().ask('GET', '/api/v1/provider/disclosures')
        need(told['consistent'] and (number, COLLEAGUE, 'disclosed') in [(i['number'], i['uid'], i['result']) for i in told['items']],
             'the tenant does not see what was disclosed')
        return 'no ground for commerce; by law, agreed by a second person, of sealed files only; the tenant sees it'

    def notice(self):
        day = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=60)
        number = self.staff('terms', 'publish', '-', '--kind', 'terms', '--effective', str(day), input='Conditions n° 2 : rien ne change pour vous.\n')['number']
        client = self.user()
        notice = f'/api/v1/notices/{number}'
        wait_for(lambda: client.send('GET', notice)[0] == 200, 'the notice does not reach the tenant')
        client.ask('POST', f'{notice}/acknowledge')

        def delivered():
            return [n['delivered'] for n in self.staff('terms', 'list')['items'] if n['number'] == number] == [1]
        wait_for(delivered, 'the acknowledgement does not reach the provider')
        return f'new terms from {day} on: published, acknowledged by the tenant'

    def support(self):
        client, key = self.user(), self.demo.folder / 'support.key'
        client.ask('POST', '/api/v1/support', {'text': QUESTION})
        wait_for(lambda: self.staff('support', 'list'), 'the message does not reach the support')
        number = str(self.staff('support', 'list')[0]['id'])
        need(self.demo.staff_needs('support', 'show', number, '--key', key).strip() == QUESTION, 'the support reads something else')
        self.demo.staff_needs('support', 'answer', number, '--key', key, ANSWER)
        wait_for(lambda: client.ask('GET', '/api/v1/support')['items'][0]['answer'] == ANSWER, 'the answer does not reach the tenant')
        return 'a question sealed to the support’s own key, read with it, answered'

    def contract(self):
        return (self.staff('tenant', 'show', 'cuir')['contract'] or {}).get('state')

    def leave(self):
        self.staff('contract', 'end', 'cuir')
        client = self.user()
        wait_for(lambda: client.ask('GET', '/api/v1/leaving')['state'] == 'ending', 'the tenant does not hear that its contract ends')
        client.refused('403 contract-ended', 'a tenant whose contract ended is written to', 'POST', '/api/v1/companies', {'name': 'Too late'})
        raw = client.fetch('GET', '/api/v1/restitution')
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
        need(LETTER in files.values() and PERSON.split(' ', 1)[1] in b''.join(files.values()).decode(), 'the restitution is not complete')
        confirmed = {'sha256': hashlib.sha256(raw).hexdigest(), 'destroy': False}
        client.ask('POST', '/api/v1/leaving', confirmed)
        wait_for(lambda: client.ask('GET', '/api/v1/leaving')['state'] == 'returned', 'the provider does not hear that all was handed back')
        client.ask('POST', '/api/v1/leaving', confirmed | {'destroy': True})
        wait_for(lambda: self.contract() == 'gone', 'nothing is destroyed')
        need(not any((self.demo.state / 'tenants' / 'cuir').iterdir()), 'a file is left in the directory of a tenant that is gone')
        wait_for(lambda: not any(p.is_file() for p in self.demo.medium.rglob('*')), 'the backup stays at its destination')
        return f'read-only; {len(raw) >> 10} KiB handed back and confirmed; destroyed on the tenant’s word'

    def certificate(self):
        place = self.demo.folder / 'certificate'
        place.mkdir()
        private, public, file, forged = (place / n for n in ('key.pem', 'key.pub', 'cuir.json', 'forged.json'))
        self.demo.openssl('genpkey', '-algorithm', 'ED25519', '-out', private)
        self.demo.openssl('pkey', '-in', private, '-pubout', '-out', public)
        for path in (place, private):
            os.chown(path, STAFF, STAFF)
        os.chmod(place, 0o755)
        self.demo.staff_needs('certificate', 'issue', 'cuir', '--key', private, '--out', file)
        self.demo.staff_needs('certificate', 'verify', file, '--key', public)
        self.demo.openssl('pkeyutl', '-verify', '-pubin', '-inkey', public, '-rawin', '-in', file, '-sigfile', f'{file}.sig')
        forged.write_text(file.read_text().replace('cuir', 'acme'))
        shutil.copy(f'{file}.sig', f'{forged}.sig')
        need(self.demo.staff('certificate', 'verify', forged, '--key', public).returncode == 1, 'another text passes under the same signature')
        said = json.loads(file.read_text())
        for thing in ('key capsule', 'backup at medium'):
            need(any(thing in d['what'] for d in said['destroyed']), f'the certificate does not say what became of the {thing}')
        need([r['what'].split(':')[0] for r in said['remains']] == ['message 1 to the support'] and said['not_known'],
             'the certificate is wrong about what is left, or knows everything')
        return f'{len(said["destroyed"])} things destroyed, a message to the support left to its date; verified by cloison and by openssl'

    def proof(self):
        """The same backup that opened before, on a machine without the capsule, which is nowhere any more."""
        capsules = [p for place in ('state', 'restored', 'medium', 'kept') for p in (self.demo.folder / place).rglob('*capsule*')
                    if 'cuir' in str(p)]
        need(not capsules, f'a capsule is left: {capsules}')
        ways = {'401 credentials': {'login': self.tenant['login'], 'password': self.tenant['password']},
                '409 restoring': {'recovery_kit': self.demo.kits['cuir']}}
        with self.demo.another('afterwards', self.kept) as machine:
            self.put_back(machine)
            for problem, credential in ways.items():
                stranger = Client(machine, self.tenant['host'], machine.port)
                stranger.refused(problem, 'a credential after the destruction', 'POST', '/api/v1/session', credential)
            self.user(machine).refused('503 sealed', 'the cookie after the destruction', 'GET', '/api/v1/companies?limit=9')
            state = Client(machine, self.tenant['host'], machine.port).ask('GET', '/api/v1/health')['state']
            need(state == 'sealed', f'the tenant is {state} though its key is gone')
        return 'the backup that opened before is restored without the capsule: neither password, cookie nor kit opens it'

    def steps(self):
        yield 'life', self.enrol
        yield 'backup', self.back_up
        yield 'restore', self.restore
        yield 'subject', self.subject
        yield 'disclosure', self.disclosure
        yield 'notice', self.notice
        yield 'support', self.support
        yield 'leaving', self.leave
        yield 'certificate', self.certificate
        yield 'proof', self.proof

"""The end of a contract (S14): read-only, all handed back, then destroyed on the tenant's word or on that of two people after the term;
a certificate that anybody verifies; and nothing that was kept opens afterwards."""
import datetime
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile

import pytest
from house import ARCHIVE, PASSWORD, PLAN, STAFF_UID, Client, entered, house_with_destinations, wait_for

ASKER, AUDITOR = STAFF_UID + 40, STAFF_UID + 41


@pytest.fixture(scope='module')
def house():
    with house_with_destinations() as h:
        yield h


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    """A provider's signing key of each kind, and its public half."""
    folder = tmp_path_factory.mktemp('keys')
    made = {}
    for name, how in {'ed25519': ['-algorithm', 'ED25519'], 'p256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']}.items():
        private, public = folder / f'{name}.pem', folder / f'{name}.pub'
        subprocess.run(['openssl', 'genpkey', *how, '-out', private], check=True, capture_output=True)
        subprocess.run(['openssl', 'pkey', '-in', private, '-pubout', '-out', public], check=True, capture_output=True)
        private.chmod(0o644)  # the tests' staff is another uid
        made[name] = (private, public)
    folder.chmod(0o755)
    for parent in folder.parents:
        if parent.name.startswith('pytest'):
            parent.chmod(0o755)
    return made


def end(house, name, *more):
    house.cli('contract', 'end', name, *more, uid=ASKER, duties=('registrar',))


def state(house, name):
    return (house.show(name)['contract'] or {}).get('state')


def verb_lines(house, name, verb):
    return [line for line in house.ledger() if line['verb'] == verb and line['tenant'] == name]


def fetch(client):
    """The restitution, unpacked, and its sum."""
    answer = client.get('/api/v1/restitution')
    assert answer.status == 200, answer
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    return files, hashlib.sha256(answer.body).hexdigest()


def test_read_only_from_the_notice_on(house):
    acme = house.enrolled('acme')
    company = acme.post('/api/v1/companies', {'name': 'Menuiserie Ozenfant'}).json
    assert acme.get('/api/v1/leaving').json['state'] == 'none'
    assert acme.get('/api/v1/restitution').status == 409
    assert acme.post('/api/v1/leaving', {'sha256': '0' * 64, 'destroy': True}).status == 409
    end(house, 'acme')
    wait_for(lambda: acme.get('/api/v1/leaving').json['state'] == 'ending', why='the worker to hear of it')
    for method, path, body in (('POST', '/api/v1/companies', {'name': 'B'}), ('PATCH', f'/api/v1/companies/{company["id"]}', {'name': 'B'}),
                               ('DELETE', f'/api/v1/companies/{company["id"]}', None), ('POST', '/api/v1/import?kind=companies&format=csv', b'name\nB\n')):
        answer = acme.request(method, path, body)
        assert answer.status == 403 and answer.json['type'].endswith('contract-ended'), (method, path, answer)
    assert acme.get(f'/api/v1/companies/{company["id"]}').json['name'] == 'Menuiserie Ozenfant'
    assert acme.get('/api/v1/export?kind=companies&format=json').status == 200
    house.cli('contract', 'resume', 'acme', uid=ASKER, duties=('registrar',))
    wait_for(lambda: acme.post('/api/v1/companies', {'name': 'B'}).status == 201, why='it to be writable again')


def test_the_notice_has_a_term(house):
    house.enrolled('bois')
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for days in (-1, 0, 29, 402):
        run = house.cli('contract', 'end', 'bois', '--until', str(today + datetime.timedelta(days=days)), uid=ASKER, duties=('registrar',), check=False)
        assert run.returncode == 1 and '30 to 400' in run.stderr, (days, run)
    assert house.cli('contract', 'end', 'bois', '--until', 'soon', check=False).returncode == 2
    assert state(house, 'bois') is None
    end(house, 'bois', '--until', str(today + datetime.timedelta(days=60)))
    assert state(house, 'bois') == 'ending'
    # Neither a second notice nor a destruction before the term, by however many people.
    assert house.cli('contract', 'end', 'bois', uid=ASKER, check=False).returncode == 1
    assert house.cli('contract', 'destroy', 'bois', uid=ASKER, duties=('registrar',), check=False).returncode == 1
    assert house.cli('certificate', 'issue', 'bois', '--key', '/dev/null', '--out', '/nowhere/x', check=False).returncode == 1
    house.cli('contract', 'resume', 'bois', uid=ASKER, duties=('registrar',))


# S14: all is handed back, read by tar alone, then destroyed, with a certificate that OpenSSL verifies
def test_all_is_handed_back_and_destroyed_on_the_tenants_word(house, keys, tmp_path):
    cuir = house.enrolled('cuir', None, '--title', 'Cuir & Fils')
    names = [f'Société n° {i}' for i in range(700)]
    text = 'name\n' + ''.join(f'{n}\n' for n in names)
    assert cuir.request('POST', '/api/v1/import?kind=companies&format=csv', text.encode(), headers={'Content-Type': 'text/csv'}).json['created'] == 700
    contact = cuir.post('/api/v1/contacts', {'family_name': 'Hervé', 'notes': 'a\nb'}).json
    kept = tmp_path / 'kept'
    shutil.copytree(house.state / 'tenants' / 'cuir', kept)  # what somebody may have: sealed files of before, and the capsule of that day
    end(house, 'cuir')
    wait_for(lambda: cuir.get('/api/v1/leaving').json['state'] == 'ending')
    token = None
    wrong = cuir.post('/api/v1/leaving', {'sha256': '0' * 64, 'destroy': True})
    assert wrong.status == 409 and wrong.json['type'].endswith('not-fetched')
    files, total = fetch(cuir)
    records = [json.loads(line) for name, body in files.items() if name.startswith('companies/') for line in body.splitlines()]
    assert sorted(r['name'] for r in records) == sorted(names)
    contacts = [json.loads(line) for name, body in files.items() if name.startswith('contacts/') for line in body.splitlines()]
    assert contacts == [contact]
    journal = [json.loads(line) for name, body in sorted(files.items()) if name.startswith('journal/') for line in body.splitlines()]
    assert journal[0]['act'] == 'enrolled' and journal[-1]['act'] == 'restitution'
    assert b'rendu' in files['LISEZMOI-README.txt']
    for body in ({'sha256': total}, {'sha256': total, 'destroy': 'yes'}, {'sha256': 'x', 'destroy': True}, {'sha256': total.upper(), 'destroy': True}):
        assert cuir.post('/api/v1/leaving', body).status == 400, body
    assert cuir.post('/api/v1/leaving', {'sha256': total, 'destroy': False}).status == 202
    wait_for(lambda: cuir.get('/api/v1/leaving').json['state'] == 'returned')
    assert state(house, 'cuir') == 'ending' and verb_lines(house, 'cuir', 'handed_back')
    assert cuir.post('/api/v1/leaving', {'sha256': total, 'destroy': True}).status == 202
    wait_for(lambda: state(house, 'cuir') == 'gone', why='everything to be destroyed')
    assert not any((house.state / 'tenants' / 'cuir').iterdir())
    # Nobody answers there any more, and no verb but the certificate does anything.
    with pytest.raises(OSError):
        Client(house, 'cuir.localhost', timeout=3).get('/api/v1/health')
    for verb in ('start', 'resume', 'reset', 'lock', 'enrol-code'):
        run = house.cli('tenant', verb, 'cuir', check=False)
        assert run.returncode == 1 and 'gone' in run.stderr, (verb, run.stderr)
    house.create('cuir2', 'cuir.localhost')  # its host is free, its name is not
    certify(house, keys, tmp_path, 'cuir')


def certify(house, keys, tmp_path, name):
    place = tmp_path / 'certificates'
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    for parent in place.parents:
        if parent.name.startswith('pytest'):
            parent.chmod(0o755)
    tmp_path.chmod(0o755)
    for kind, (private, public) in keys.items():
        file = place / f'{kind}.json'
        arguments = ('certificate', 'issue', name, '--key', str(private), '--out', str(file))
        house.cli(*arguments, uid=ASKER, duties=('registrar',))
        assert house.cli(*arguments, uid=ASKER, duties=('registrar',), check=False).returncode == 1  # nothing is replaced
        shown = house.cli('certificate', 'verify', str(file), '--key', str(public)).stdout
        assert 'good:' in shown and 'overwritten and removed' in shown and 'outside Cloison' in shown
        openssl = (['pkeyutl', '-verify', '-pubin', '-inkey', public, '-rawin', '-in', file, '-sigfile', f'{file}.sig'] if kind == 'ed25519'
                   else ['dgst', '-sha256', '-verify', public, '-signature', f'{file}.sig', file])
        assert subprocess.run(['openssl', *openssl], capture_output=True).returncode == 0
        text = json.loads(file.read_text())
        assert text['tenant']['name'] == name and text['contract']['state'] == 'gone'
        assert any('key capsule' in d['what'] for d in text['destroyed']) and text['remains'] == []  # no plan, no message to the support
        line = next(entry for entry in house.ledger() if entry['count'] == text['ledger']['line'])
        assert line['hash'] == text['ledger']['hash']
        # Another text, another key, no signature: not verified.
        other = place / f'{kind}-other.json'
        other.write_text(file.read_text().replace(name, 'acme'))
        shutil.copy(f'{file}.sig', f'{other}.sig')
        assert house.cli('certificate', 'verify', str(other), '--key', str(public), check=False).returncode == 1
        wrong = keys['p256' if kind == 'ed25519' else 'ed25519'][1]
        assert house.cli('certificate', 'verify', str(file), '--key', str(wrong), check=False).returncode == 1
        (place / f'{kind}-other.json.sig').unlink()
        assert house.cli('certificate', 'verify', str(other), '--key', str(public), check=False).returncode == 1


def overdue(house, name):
    """As if the term were over: the registry's dates, with its sums made anew. Only whoever is root can do this."""
    path = house.state / 'registry'
    lines, before = [], hashlib.sha256()
    for line in path.read_text().splitlines():
        text = line[:line.rindex('check=')]
        if f'\tname={name}\t' in text:
            text = re.sub(r'end=\d+\tterm=\d+', 'end=1700000000000\tterm=1700000000001', text)
        before.update(text.encode())
        lines.append(f'{text}check={before.hexdigest()}\n')
        before.update(lines[-1][len(text):].encode())
    path.write_text(''.join(lines))


# C1: without the tenant's word it takes the term and two people
def test_after_the_term_two_people(house):
    house.enrolled('daim')
    house.create('never')  # a name that was mistyped, say: nobody ever came, so that nothing is owed
    end(house, 'daim')
    end(house, 'never')
    house.stop()
    overdue(house, 'daim')
    house.start()
    assert state(house, 'daim') == 'overdue'
    for name in ('daim', 'never'):
        number = json.loads(house.cli('--json', 'contract', 'destroy', name, uid=ASKER, duties=('registrar',)).stdout)['number']
        assert house.cli('contract', 'destroy', name, uid=ASKER + 9, duties=('registrar',), check=False).returncode == 1  # asked for once
        for uid, duties in ((ASKER, ('registrar', 'auditor')), (AUDITOR, ('registrar', 'operator', 'viewer'))):
            assert house.cli('request', 'approve', str(number), uid=uid, duties=duties, check=False).returncode == 1
        assert state(house, name) == 'overdue'
        house.cli('request', 'approve', str(number), uid=AUDITOR, duties=('auditor',))
        wait_for(lambda: state(house, name) == 'gone', why='everything to be destroyed')
        assert verb_lines(house, name, 'gone') and verb_lines(house, name, 'destroyed')
        assert not any((house.state / 'tenants' / name).iterdir())




# S14: once every capsule is destroyed, no backup that anybody kept opens any more
def test_no_backup_opens_afterwards(house, keys, tmp_path):
    epi = house.enrolled('epi')
    epi.post('/api/v1/companies', {'name': 'Épicerie'})
    wait_for(lambda: epi.get('/api/v1/plans').json['destinations'], why='the destinations')
    for kind, plan in (('backup', PLAN), ('archive', ARCHIVE)):
        assert epi.put(f'/api/v1/plans/{kind}', plan).status == 200
        wait_for(lambda: epi.get('/api/v1/plans').json[kind]['last']['result'] == 'done', why=f'a first {kind}')
    house.cli('tenant', 'stop', 'epi')
    house.wait_state('epi', 'stopped')
    files = {f: (house.state / 'tenants' / 'epi' / f).read_bytes() for f in ('data.mdb', 'data-2.mdb')}
    end(house, 'epi')
    wait_for(lambda: epi.get('/api/v1/leaving').json['state'] == 'ending')
    _, total = fetch(epi)
    assert epi.post('/api/v1/leaving', {'sha256': total, 'destroy': True}).status == 202
    wait_for(lambda: any('backup at medium: erased' in line.get('note', '') for line in verb_lines(house, 'epi', 'destroyed')), why='the backup to go')
    number = house.show('epi')['uid'] - house.options['uid_base']
    left = [p for p in (house.root / 'medium').rglob('*') if f'{number:016x}' in str(p) and p.is_file()]
    assert left == []
    # The archive is locked: it stays, and the certificate says so, and until when.
    place = tmp_path / 'paper'
    place.mkdir(mode=0o777)
    for folder in (place, tmp_path, *tmp_path.parents):
        if folder == place or folder.name.startswith(('pytest', 'test_')):
            folder.chmod(0o777 if folder == place else 0o755)
    private, public = keys['ed25519']
    house.cli('certificate', 'issue', 'epi', '--key', str(private), '--out', str(place / 'c.json'), uid=ASKER, duties=('registrar',))
    text = json.loads((place / 'c.json').read_text())
    assert [r['what'].split(':')[0] for r in text['remains']] == ['archive at vault'] and '87600 hours' in text['remains'][0]['what']
    assert any('backup at medium' in d['what'] for d in text['destroyed'])
    # What somebody kept: the data files as they were. No credential opens them.
    entered(house, files, 'epi2')
    other = Client(house, 'epi2.localhost')
    assert other.get('/api/v1/health').json['state'] == 'sealed'
    assert other.login(password=PASSWORD).status == 401
    assert other.post('/api/v1/session', {'recovery_kit': epi.recovery_kit}).status == 409
    recovery = {'recovery_kit': epi.recovery_kit, 'login': 'admin', 'password': PASSWORD}
    assert other.post('/api/v1/recovery', recovery).status in (400, 401)  # it was no self-sufficient one
    assert epi.cookies and Client(house, 'epi2.localhost').request('GET', '/api/v1/companies', None, headers={
        'Cookie': '; '.join(f'{k}={v}' for k, v in epi.cookies.items())}).status in (401, 503)

"""The tenant as a witness: a provider's ledger that was shortened or rewritten is found (S11)."""
import datetime
import hashlib
import json
import os
import shutil
import signal
import subprocess

import pytest
from house import PASSWORD, STAFF_UID, House, wait_for


def lines(house):
    return json.loads(house.cli('--json', 'ledger', 'list').stdout)['lines']


def test_the_heads_a_tenant_kept_are_lines_of_the_ledger(house):
    house.cli('tenant', 'stop', 'acme')
    house.wait_state('acme', 'stopped')
    kept = house.acme.get('/api/v1/provider-ledger').json
    assert kept['consistent'] is True and len(kept['items']) >= 2
    ledger = {line['count']: line['hash'] for line in lines(house)}
    for head in kept['items']:
        if head['count']:
            assert ledger[head['count']] == head['hash']


# S11: a ledger cut short and written on is found by the tenant
def test_a_shortened_ledger_is_found():
    with House() as h:
        client = h.enrolled('acme')
        h.stop()
        ledger = h.state / 'ledger'
        whole = h.root / 'whole'
        shutil.copy(ledger, whole)
        h.start()
        for _ in range(3):
            h.cli('tenant', 'stop', 'acme')
            h.wait_state('acme', 'stopped')
            client.close()
            assert client.get('/api/v1/provider-ledger').json['consistent'] is True
        h.stop()
        ledger.write_bytes(whole.read_bytes())  # what happened since is gone
        h.start()
        client.close()
        assert client.get('/api/v1/provider-ledger').json['consistent'] is False


def test_a_member_without_the_right_does_not_see_it(house):
    token = house.client('acme', token=house.token(house.acme, scopes=('read',)))
    assert token.get('/api/v1/provider-ledger').status == 403


# ---- the tenant's own chain ----

def own(client, **query):
    return client.get('/api/v1/provider/ledger?' + '&'.join(f'{k}={v}' for k, v in query.items())).json


def test_a_tenant_reads_its_own_chain_and_no_other(house):
    house.cli('tenant', 'set', 'acme', '--title', 'Acme SA')
    house.cli('tenant', 'set', 'bois', '--title', 'Bois')
    read = own(house.acme, **{'from': 1, 'limit': 500})
    whole = {line['count']: line for line in lines(house)}
    assert read['consistent'] is True and read['count'] == len(read['items']) and read['next'] is None
    assert [i['line'] for i in read['items']] == list(range(1, read['count'] + 1))
    assert {whole[i['count']]['tenant'] for i in read['items']} == {'acme'} and all(whole[i['count']]['hash'] == i['hash'] for i in read['items'])
    assert len(read['items']) == sum(line['tenant'] == 'acme' for line in whole.values())  # and all of them
    page = own(house.acme, **{'from': 2, 'limit': 2})
    assert [i['line'] for i in page['items']] == [2, 3] and page['next'] == 4


def test_a_disclosure_is_seen_at_once(house):
    ask = ('disclosure', 'request', 'acme', '--ground', 'abuse', '--recipient', 'CERT-FR', '--reason', 'Incident 7')
    number = json.loads(house.cli('--json', *ask, duties=('registrar',)).stdout)['number']
    held = json.loads(house.cli('--json', *ask, '--hold-until', str(datetime.date.today() + datetime.timedelta(days=30)), duties=('registrar',)).stdout)['number']
    for n in (number, held):
        house.cli('disclosure', 'approve', str(n), uid=STAFF_UID + 1, duties=('auditor',))
    told = house.acme.get('/api/v1/provider/disclosures').json
    assert told['consistent'] is True and [(i['number'], i['result'], i['uid']) for i in told['items'] if i['result'] == 'disclosed'] == [(number, 'disclosed', STAFF_UID + 1)]
    assert told['items'][-1]['note'] == 'ground: abuse; scope: registry; recipient: CERT-FR; reason: Incident 7'
    assert held not in [i['number'] for i in told['items']]
    assert house.bois.get('/api/v1/provider/disclosures').json['items'] == []


# S11: nothing that a tenant can ask for counts the lines of a disclosure under a hold
def test_a_held_disclosure_moves_nothing_that_is_shown(house):
    def shown():
        held = house.acme.get('/api/v1/provider/holdings').json
        heads = house.acme.get('/api/v1/provider-ledger').json
        return held['registry'], held['ledger'] | {'as_of': None}, heads
    before = shown()
    ask = ('disclosure', 'request', 'acme', '--ground', 'law', '--recipient', 'X', '--reason', 'Y', '--scope', 'registry')
    until = datetime.date.today() + datetime.timedelta(days=3)
    number = json.loads(house.cli('--json', *ask, '--hold-until', str(until), duties=('registrar',)).stdout)['number']
    house.cli('disclosure', 'approve', str(number), uid=STAFF_UID + 1, duties=('auditor',))
    assert shown() == before


def sign_again(path, change):
    """The whole file anew after `change` of its lines' fields, every hash computed again: sound to look at."""
    previous, own_ends, out = '0' * 64, {}, []
    rows = change([line.split('\t') for line in path.read_text().splitlines()])
    for count, row in enumerate(rows, 1):
        row[0] = str(count)
        if len(row) == 15 and row[10] != '0':
            ended = own_ends.get(row[4], (0, 0, '0' * 64))
            row[10:13] = [str(ended[0] + 1), str(ended[1]), ended[2]]
        row[-2] = previous
        previous = row[-1] = hashlib.sha256('\t'.join(row[:-1]).encode()).hexdigest()
        if len(row) == 15 and row[10] != '0':
            own_ends[row[4]] = (int(row[10]), count, previous)
        out.append('\t'.join(row))
    path.write_text('\n'.join(out) + '\n')


def title_act(rows):
    return next(i for i, r in enumerate(rows) if r[3] == 'set' and r[5] == 'acme' and r[6] == 'done')


CHANGES = {
    'removed': lambda rows: rows[:title_act(rows)] + rows[title_act(rows) + 1:],
    'edited': lambda rows: [r[:2] + ['77777'] + r[3:] if i == title_act(rows) else r for i, r in enumerate(rows)],
    'reordered': lambda rows: [*rows[:title_act(rows) - 1], rows[title_act(rows)], rows[title_act(rows) - 1], *rows[title_act(rows) + 1:]],
    'truncated': lambda rows: rows[:title_act(rows)],
}


# S11: lines removed, edited, reordered or cut off, and the whole signed again, are found by the tenant itself
@pytest.mark.parametrize('change', CHANGES)
def test_a_ledger_signed_again_is_found_by_the_tenant(change):
    """The auditor's walk finds nothing wrong with it; the tenant, who has seen its end, does: by itself, and longer or not."""
    with House() as h:
        acme = h.enrolled('acme')
        h.cli('tenant', 'set', 'acme', '--title', 'Acme SA')
        h.cli('tenant', 'set', 'acme', '--title', 'Acme')
        seen = own(acme)['items'][-1]  # and seals what it saw
        assert own(acme)['consistent'] is True
        h.stop()
        sign_again(h.state / 'ledger', CHANGES[change])
        h.start()
        if change != 'truncated':
            for _ in range(3):
                h.cli('tenant', 'set', 'acme', '--title', 'Acme SA')  # it grows past what was seen
        assert json.loads(h.cli('--json', 'ledger', 'verify').stdout)['sound'] is True
        copy = [h.bin / 'cloison', 'ledger', 'verify', h.state]
        assert subprocess.run(copy, capture_output=True).returncode == 0
        assert subprocess.run([*copy, '--head', f'{seen["count"]}:{seen["hash"]}'], capture_output=True).returncode == 1  # but not what was seen
        acme.close()
        assert acme.get('/api/v1/companies').status == 200
        told = wait_for(lambda: [a for a in acme.get('/api/v1/journal?limit=50').json['items'] if a['act'] == 'ledger_contradicted'], why='the journal')
        assert len(told) == 1 and own(acme)['consistent'] is False


def test_it_goes_on_over_a_rotation_of_the_file():
    with House(ledger_file_max='64K') as h:
        acme = h.enrolled('acme')
        before = own(acme, **{'from': 1, 'limit': 1})['items']
        files = lambda: sorted(p.name for p in h.state.glob('ledger-*'))  # noqa: E731
        for _ in range(200):
            h.cli('tenant', 'set', 'acme', '--title', 'Acme SA')
            if files():
                break
        assert wait_for(files, why='a new file')
        assert own(acme, **{'from': 1, 'limit': 1})['items'] == before
        assert own(acme)['consistent'] is True and json.loads(h.cli('--json', 'ledger', 'verify').stdout)['sound'] is True
        last = own(acme)['items'][-1]
        h.stop()
        copy = subprocess.run([h.bin / 'cloison', '--json', 'ledger', 'verify', h.state, '--head', f'{last["count"]}:{last["hash"]}'], capture_output=True, text=True)
        assert copy.returncode == 0 and json.loads(copy.stdout)['first'] == 1, copy
        older = h.state / files()[0]
        older.write_bytes(older.read_bytes().replace(b'\tdone', b'\tgone', 1))
        assert subprocess.run([h.bin / 'cloison', 'ledger', 'verify', h.state], capture_output=True).returncode == 1
        older.write_bytes(older.read_bytes().replace(b'\tgone', b'\tdone', 1))
        h.start()
        acme.close()
        assert own(acme)['consistent'] is True


# S11: a file of the ledger that is taken away, with all that the tenant has seen in it, is found by the tenant and by the auditor
def test_an_older_file_that_is_gone_is_found():
    with House(ledger_file_max='64K') as h:
        acme = h.enrolled('acme')
        files = lambda: sorted(h.state.glob('ledger-*'))  # noqa: E731
        for _ in range(600):
            assert h.control('PATCH', '/v1/tenants/acme', {'title': 'Acme SA'}).status == 200
            if len(files()) > 1:
                break
        assert wait_for(lambda: len(files()) > 1, why='two older files')
        assert own(acme)['consistent'] is True
        h.stop()
        files()[0].unlink()
        h.start()
        acme.close()
        read = own(acme)
        assert read['consistent'] is False and read['verified'] is True and read['first'] > 1
        told = wait_for(lambda: [a for a in acme.get('/api/v1/journal?limit=50').json['items'] if a['act'] == 'ledger_contradicted'], why='the journal')
        assert len(told) == 1
        verified = json.loads(h.cli('--json', 'ledger', 'verify', check=False).stdout)
        assert verified['sound'] is False and verified['broken_at'] == 1


# C2: who is removed while the provider is slow is told nothing any more
def test_who_is_removed_while_he_waits_gets_no_line(house):
    code = house.acme.post('/api/v1/users', {'login': 'late', 'role': 'administrator'}).json
    late = house.client('acme')
    assert late.post('/api/v1/invitations', {'code': code['code'], 'password': PASSWORD}).status == 200
    assert late.get('/api/v1/provider/ledger').status == 200
    house.process.send_signal(signal.SIGSTOP)
    try:
        cookies = '; '.join(f'{k}={v}' for k, v in late.cookies.items())
        late.connection.request('GET', '/api/v1/provider/ledger', headers={'Cookie': cookies})
        assert house.acme.delete(f'/api/v1/users/{code["id"]}').status == 204
    finally:
        house.process.send_signal(signal.SIGCONT)
    assert late.connection.getresponse().status == 401


def test_a_steward_that_dies_owes_nobody_an_answer():
    """Who waited for its answer is told so at once when the next steward is there, and may ask again: the worker lives on."""
    with House() as h:
        acme = h.enrolled('acme')
        assert own(acme)['consistent'] is True
        before = h.show('acme')
        steward = next(int(p) for p in open(f'/proc/{h.process.pid}/task/{h.process.pid}/children').read().split()
                       if 'steward' in open(f'/proc/{p}/comm').read())
        os.kill(steward, signal.SIGSTOP)
        cookies = '; '.join(f'{k}={v}' for k, v in acme.cookies.items())
        acme.connection.request('GET', '/api/v1/provider/ledger', headers={'Cookie': cookies})
        os.kill(steward, signal.SIGKILL)
        asked = acme.connection.getresponse()
        asked.read()
        assert asked.status == 503
        assert wait_for(lambda: acme.get('/api/v1/provider/ledger').status == 200, why='the next steward')
        after = h.show('acme')
        assert (after['pid'], after['crashes']) == (before['pid'], before['crashes'])

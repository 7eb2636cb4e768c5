"""No duty works without an undertaking in force (S1): through the real sockets, over restarts, on the record."""
import datetime
import hashlib
import json
import re

import pytest
from house import STAFF_UID, House, wait_for

ALICE, BOB = STAFF_UID + 20, STAFF_UID + 21
# A verb of each duty that acts, one that only reads, one that is refused anyway.
CALLS = {'start': ('POST', '/v1/tenants/acme/start'), 'set': ('PATCH', '/v1/tenants/acme'), 'ledger': ('GET', '/v1/ledger'), 'undertaking_list': ('GET', '/v1/undertakings')}


@pytest.fixture(scope='module')
def house():
    with House(sign=False) as h:
        h.sign()
        h.create('acme')
        yield h


def ask(house, name, uid):
    method, path = CALLS[name]
    return house.control(method, path, {'title': 'T'} if name == 'set' else None, uid=uid)


def refused(house, uid, state=None):
    for name in CALLS:
        answer = ask(house, name, uid)
        assert answer.status == 403 and answer.json['type'] == 'undertaking-missing', (name, answer)
        assert 'cloison undertaking' in answer.json['detail'] or state == 'signed-in-the-future'
    if state:
        assert house.control('GET', '/v1/undertaking', uid=uid).json['yours']['state'] == state
    assert {line['verb'] for line in house.ledger() if line['uid'] == uid and line['result'] == 'refused'} == set(CALLS)


def allowed(house, uid):
    for name in CALLS:
        assert ask(house, name, uid).status == 200, name


def chained(path, time_ms, uid, word, *fields):
    """One more line of a record, as root could write it."""
    lines = path.read_text().splitlines()
    text = '\t'.join([str(len(lines) + 1), str(time_ms), str(uid), word, *fields, lines[-1].rsplit('\t', 1)[1]])
    with open(path, 'a') as f:
        f.write(f'{text}\t{hashlib.sha256(text.encode()).hexdigest()}\n')


def test_read_sign_act_end(house):
    refused(house, ALICE, 'missing')
    run = house.cli('tenant', 'start', 'acme', uid=ALICE, check=False)
    assert run.returncode == 1 and 'read `cloison undertaking show`, then `cloison undertaking sign VERSION`' in run.stderr
    shown = house.cli('undertaking', 'show', uid=ALICE).stdout
    assert 'cinquante ans' not in shown and 'fifty years' in shown and 'yours: missing' in shown
    version = re.search(r'version (\d+);', shown).group(1)
    assert house.cli('undertaking', 'sign', str(int(version) + 1), uid=ALICE, check=False).returncode == 1
    for bad in ('2000-01-01', '2999-01-01', 'tomorrow'):
        assert house.cli('undertaking', 'sign', version, '--until', bad, uid=ALICE, check=False).returncode == 1, bad
    refused(house, ALICE, 'missing')
    until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)).date()
    house.cli('undertaking', 'sign', version, '--until', str(until), '--name', 'Alice Martin', uid=ALICE)
    allowed(house, ALICE)
    assert ask(house, 'start', BOB).status == 403  # she signed for herself alone
    house.cli('undertaking', 'end', uid=ALICE)
    assert house.cli('undertaking', 'end', uid=ALICE, check=False).returncode == 1
    refused(house, ALICE, 'ended')
    record = json.loads(house.cli('--json', 'undertaking', 'list').stdout)
    mine = [item for item in record['items'] if item['uid'] == ALICE]
    assert record['sound'] and record['kept_years_after_contract'] == 50 and [m['act'] for m in mine] == ['signed', 'ended']
    last = datetime.datetime.fromtimestamp(mine[0]['until'], datetime.timezone.utc)
    assert mine[0]['name'] == 'Alice Martin' and last.date() == until + datetime.timedelta(days=1) and last.hour == 0
    acts = [(x['verb'], x['result']) for x in house.ledger() if x['uid'] == ALICE and x['verb'].startswith('undertaking_') and x['result'] != 'refused']
    assert [a for a in acts if a[1] == 'done'] == [('undertaking_sign', 'done'), ('undertaking_end', 'done')]
    assert all(acts[i - 1] == (a[0], 'begun') for i, a in enumerate(acts) if a[1] != 'begun')


def test_without_a_duty_there_is_nothing_to_sign(house):
    assert house.control('POST', '/v1/undertaking', {'version': 1}, duties=(), uid=BOB).status == 403
    assert house.control('GET', '/v1/undertaking', duties=(), uid=BOB).status == 403
    assert house.control('GET', '/v1/undertaking', duties=('viewer',), uid=BOB).status == 200
    assert house.control('GET', '/v1/undertakings', duties=('viewer', 'operator', 'registrar')).status == 403


# S1: no act over a restart, after the term, or of another text
def test_over_a_restart_expired_other_text_and_future(house):
    """The record is what counts: what stands in it at the start, and a changed one starts nothing."""
    path, now = house.state / 'undertakings', int(datetime.datetime.now().timestamp() * 1000)
    house.sign(BOB)
    allowed(house, BOB)
    house.stop()
    day, one = 86400000, '0' * 64
    cases = {'expired': (now - 2 * day, '1', now - day), 'other-text': (now - day, '2', now + day), 'signed-in-the-future': (now + day, '1', now + 2 * day)}
    for i, (state, (signed, version, until)) in enumerate(cases.items()):
        chained(path, signed, ALICE + 10 + i, 'signed', version, str(until), one, state)
    house.start()
    allowed(house, BOB)
    for i, state in enumerate(cases):
        refused(house, ALICE + 10 + i, state)
    house.stop()
    good = path.read_bytes()
    path.write_bytes(good.replace(str(BOB).encode(), str(ALICE).encode(), 1))  # another's name under it
    with pytest.raises(AssertionError, match='is damaged or does not follow'):
        house.start()
    path.write_bytes(good)
    house.start()
    wait_for(lambda: ask(house, 'ledger', BOB).status == 200)

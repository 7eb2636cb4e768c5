"""Every verb of control.sock against each precondition that may be missing, through the real sockets: duty, undertaking, tenant, mode (C1, C3, C5, S1).

The verbs, their duties and what they need are read from the tables of policy/ and the routes from the steward's own table, so that a verb added there is
tried here, or fails for want of a body. Every combination of the decision itself is in unit/decide_test.c.
"""
import re

import pytest
from house import DUTIES, REPO, STAFF_UID, House

TABLES = {name: (REPO / f'policy/{name}.def').read_text() for name in ('duties', 'needs')}
DUTY = dict(re.findall(r'^VERB\((\w+),\s*(\w+),', TABLES['duties'], re.M)) | {v: None for v in re.findall(r'^SHARED\((\w+),', TABLES['duties'], re.M)}
NEEDS = {m[0]: m[1:] for m in re.findall(r'^NEEDS\((\w+),\s*(\w+),\s*(\w+),\s*(\w+),\s*(\w+)\)', TABLES['needs'], re.M)}
REFUSED = re.findall(r'^REFUSED\((\w+)\)', TABLES['duties'], re.M)
ROUTES = {verb: (method, path) for method, path, verb in
          re.findall(r'\{HTTP_(\w+), "([^"]+)", VERB_(\w+)\}', (REPO / 'supervisor/steward/control.c').read_text())}
BODIES = {'create': {'name': 'neuf', 'hosts': ['neuf.localhost']}, 'set': {'title': 'T'}, 'capsule_copy': {'place': 'vault'}, 'capsule_forget': {'place': 'vault'},
          'disclosure': {'ground': 'law', 'scope': ['registry'], 'recipient': 'A', 'reason': 'B'}, 'transfer': {'to': 'Autre SA'}, 'cite': {'use': 'logo', 'where': 'Site'}, 'undertaking_sign': {'version': 1},
          'cert': b'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'terms_publish': b'Conditions', 'backup_restore': {'destination': 'vault'}}
QUERY = {'terms_publish': '?kind=terms&effective=2099-01-01'}
STATES = {'RUNNABLE', 'SUSPENDED', 'NOT_ENROLLED', 'KEYED', 'LISTED', 'ANY', 'CURRENT', 'ENDING', 'OVERDUE', 'GONE'}
# A message names its tenant, so that the steward looks for it before the supervisor is asked: what is missing then is the message.
OF_A_MESSAGE = {'support_show', 'support_answer', 'support_close'}
VERBS = sorted(set(DUTY) - {'status'})  # that one is status.sock's
TRIED = [v for v in VERBS if v not in OF_A_MESSAGE]


def ask(house, verb, uid, duties, tenant='acme'):
    method, path = ROUTES[verb]
    path = path.format('7' if '/requests/' in path else tenant) + QUERY.get(verb, '')
    return house.unix(house.run / 'control.sock', method, path, BODIES.get(verb), uid=uid, gids=[DUTIES[d] for d in duties])


def duty_of(verb):
    return DUTY[verb] or 'operator'


@pytest.fixture(scope='module')
def house():
    with House(sign=False) as h:
        h.sign()
        h.create('acme')
        yield h


def test_the_tables_agree():
    assert set(NEEDS) == set(DUTY) and set(VERBS) | set(REFUSED) == set(ROUTES) and not set(NEEDS) & set(REFUSED)
    assert {n[2] for n in NEEDS.values()} <= STATES, 'a new state: say here how it is tried'


@pytest.mark.parametrize('verb', VERBS)
def test_without_its_duty(house, verb):
    others = [d for d in DUTIES if d != DUTY[verb]] if DUTY[verb] else []
    answer = ask(house, verb, STAFF_UID, others)
    assert answer.status == 403 and answer.json['type'] == 'duty-missing', answer


@pytest.mark.parametrize('verb', [v for v in TRIED if NEEDS[v][0] == 'SIGNED'])
def test_without_an_undertaking(house, verb):
    """The next thing that is missing once the duty is there, also for a tenant that does not exist: nothing is told of it."""
    for tenant in ('acme', 'personne'):
        answer = ask(house, verb, STAFF_UID + 40, [duty_of(verb)], tenant)
        assert answer.status == 403 and answer.json['type'] == 'undertaking-missing', answer


@pytest.mark.parametrize('verb', [v for v in TRIED if NEEDS[v][1] == 'THAT'])
def test_without_its_tenant(house, verb):
    answer = ask(house, verb, STAFF_UID, [duty_of(verb)], 'personne')
    assert answer.status in (404, 422), answer  # 422: a place that the configuration does not have comes first


@pytest.mark.parametrize('verb', [v for v in VERBS if NEEDS[v][2] in ('SUSPENDED', 'KEYED', 'LISTED', 'ENDING', 'OVERDUE', 'GONE') and v not in ('capsule_copy', 'capsule_forget')])
def test_in_the_wrong_state(house, verb):
    """acme is there, not suspended and not enrolled."""
    answer = ask(house, verb, STAFF_UID, [duty_of(verb)])
    assert answer.status == 409 and answer.json['type'] == 'wrong-state', answer


def test_every_refusal_is_recorded(house):
    lines = {(line['verb'], line['uid']) for line in house.ledger() if line['result'] == 'refused'}
    assert {(v, STAFF_UID) for v in VERBS} <= lines and {(v, STAFF_UID + 40) for v in TRIED if NEEDS[v][0] == 'SIGNED'} <= lines


# ---- C5: no provider ----

@pytest.mark.parametrize('mode', ['dedicated', 'on-premise'])
def test_where_there_is_no_provider(mode):
    """C5: what is a provider's is refused to everybody and recorded, nothing is counted; the customer's own people run it."""
    with House(mode=mode) as h:
        h.sign()
        host = h.create('acme')
        assert host
        for verb in TRIED:
            answer = ask(h, verb, STAFF_UID, list(DUTIES), 'acme') if NEEDS[verb][3] == 'HOSTED' else None
            assert answer is None or (answer.status == 403 and answer.json['type'] == 'mode'), (verb, answer)
        for target in ('/v1/status', '/v1/tenants', '/v1/tenants/acme', '/v1/events', '/metrics'):
            answer = h.status_get(target)
            assert answer.status == 403 and answer.json['type'] == 'mode', (target, answer)
        h.cli('tenant', 'start', 'acme')
        posture = h.status_get('/v1/posture').json
        assert posture['mode'] == mode and [w['tenant'] for w in posture['workers']] == ['acme']
        assert f'Mode {mode}: no provider' in h.cli('posture', check=False).stdout
        h.cli('tenant', 'stop', 'acme')
        recorded = {line['verb'] for line in h.ledger() if line['result'] == 'refused'}
        assert recorded == {v for v in TRIED if NEEDS[v][3] == 'HOSTED'} | {'status'}

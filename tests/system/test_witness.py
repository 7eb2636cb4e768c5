"""The tenant as a witness: a provider's ledger that was shortened or rewritten is found (S11)."""
import json
import shutil

from house import House


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

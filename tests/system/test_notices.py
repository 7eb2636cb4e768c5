"""Notices of change: published once, brought to every tenant, and nothing takes effect before they are delivered (S7, S13, C11)."""
import base64
import datetime
import email
import hashlib
import json
import subprocess
import xml.etree.ElementTree as ET

import pytest
from aiosmtpd.controller import Controller

from house import PASSWORD, Client, House, free_port, wait_for

ATOM = '{http://www.w3.org/2005/Atom}'
WORDS = 'Conditions n° 2.\n\n.\nRien ne change pour vous : « tout » reste <scellé> & sûr.\n'
OTHER_REGISTRAR = 70101


def day(ahead):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=ahead)).strftime('%Y-%m-%d')


class Relay:
    """A mail relay that keeps what it is given, and refuses what it is told to."""

    def __init__(self):
        self.letters, self.refused = [], set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return '550 nobody here'
        envelope.rcpt_tos.append(address)
        return '250 fine'

    async def handle_DATA(self, server, session, envelope):
        self.letters.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return '250 taken'


@pytest.fixture(scope='module')
def relay():
    relay = Relay()
    controller = Controller(relay, hostname='127.0.0.1', port=free_port())
    controller.start()
    relay.port = controller.port
    yield relay
    controller.stop()


@pytest.fixture(scope='module')
def house(relay):
    with House(config=f'mail_relay = "127.0.0.1:{relay.port}"\nmail_from = "notices@host.example"\n', notice_days=0) as h:
        h.acme = h.enrolled('acme', None, '--contact', 'boss@acme.example')
        h.bois = h.enrolled('bois')
        yield h


def publish(house, kind='terms', ahead=1, text=WORDS, **k):
    return house.cli('--json', 'terms', 'publish', '-', '--kind', kind, '--effective', day(ahead), input=text, **k)


def published(house, **k):
    """The number of a new notice."""
    return json.loads(publish(house, **k).stdout)['number']


def letter_about(relay, number, tenant):
    """It, once the relay has it: of a notice that is acknowledged before, there is none."""
    def found():
        return [one for one in relay.letters if email.message_from_bytes(one[2])['Message-ID'].startswith(f'<notice-{number}-{tenant}@')]
    return wait_for(found, why=f'the letter about notice {number}')


def notices(client):
    answer = client.get('/api/v1/notices')
    assert answer.status == 200, answer
    return answer.json['items']


def listed(house, number):
    return next(n for n in house.control('GET', '/v1/notices', duties=('registrar',)).json['items'] if n['number'] == number)


# S7, C11: those who run get it at once, the others at their start
def test_a_notice_reaches_those_who_run_and_those_who_start_later(house):
    house.cli('tenant', 'stop', 'bois')
    number = published(house)
    for client in (house.acme, house.bois):
        newest = wait_for(lambda: notices(client), why='the notice')[0]
        assert newest['number'] == number and newest['kind'] == 'terms' and newest['delivered'] is None and newest['in_force'] is None
        assert newest['effective'].startswith(day(1))
        assert client.get(f'/api/v1/notices/{number}').json['text'] == WORDS
    assert listed(house, number)['tenants'] == 2


def test_only_a_registrar_publishes_and_the_ledger_shows_it(house):
    run = publish(house, duties=('viewer', 'operator', 'auditor'), check=False)
    assert run.returncode == 1 and 'registrar duty' in run.stderr
    lines = [(line['verb'], line['result']) for line in house.ledger()]
    assert ('terms_publish', 'begun') in lines and ('terms_publish', 'done') in lines and ('terms_publish', 'refused') in lines


@pytest.mark.parametrize('arguments, said', [
    (dict(ahead=-1), 'notice period'), (dict(kind='transfer'), '--kind'), (dict(kind='prices'), '--kind'),
    (dict(text=''), 'UTF-8'), (dict(text='x' * 65537), 'UTF-8'), (dict(text='a\x1bb'), 'UTF-8')])
def test_what_is_no_notice_is_refused(house, arguments, said):
    before = len(notices(house.acme))
    run = publish(house, check=False, **arguments)
    assert run.returncode in (1, 2) and said in run.stderr
    assert len(notices(house.acme)) == before


def test_the_supervisor_refuses_what_the_command_would_not_send(house):
    for target, body in ((f'/v1/notices?kind=transfer&effective={day(1)}', b'x'), ('/v1/notices?kind=terms&effective=2027-02-30', b'x'),
                         (f'/v1/notices?kind=terms&effective={day(1)}', b'\xff'), ('/v1/notices', b'x')):
        assert house.control('POST', target, body).status == 422, target


def test_an_administrator_acknowledges_and_that_is_kept(house):
    number = notices(house.acme)[0]['number']
    assert house.acme.post('/api/v1/notices/999/acknowledge').status == 404
    token = Client(house, 'acme.localhost', house.token(house.acme, ['read'], 'reader'))
    assert token.get('/api/v1/notices').status == 200
    assert token.post(f'/api/v1/notices/{number}/acknowledge').status == 403
    for _ in range(2):
        assert house.acme.post(f'/api/v1/notices/{number}/acknowledge').status == 204
    told = wait_for(lambda: notices(house.acme)[0]['acknowledged'] and notices(house.acme)[0], why='the supervisor to keep it')
    assert told['delivered'] == told['acknowledged'] and told['in_force'].startswith(day(1))
    assert notices(house.bois)[0]['acknowledged'] is None  # each for itself
    assert listed(house, number)['delivered'] == 1
    acts = [line for line in house.acme.get('/api/v1/journal').json['items'] if line['act'] == 'notice_acknowledged']
    text = house.acme.get(f'/api/v1/notices/{number}').json['text'].encode()
    assert len(acts) == 1 and acts[0]['about'] == {'notice': number, 'sha256': hashlib.sha256(text).hexdigest(), 'effective': told['effective']}
    published = [line for line in house.ledger() if line['verb'] == 'terms_publish' and line['result'] == 'done']
    assert hashlib.sha256(text).hexdigest() in published[number - 1]['note'] and day(1) in published[number - 1]['note']
    house.stop()
    house.start()
    assert house.acme.login().status in (200, 201)
    assert wait_for(lambda: notices(house.acme), why='them again')[0] == told


# C11: the feed is valid and takes no session
def test_the_feed_is_there_without_a_session_also_sealed_and_is_atom(house, tmp_path):
    house.cli('tenant', 'stop', 'bois')
    stranger = Client(house, 'bois.localhost')
    answer = wait_for(lambda: (a := stranger.get('/api/v1/notices.atom')).body.count(b'<entry>') and a, why='the feed')
    assert stranger.get('/api/v1/health').json == {'state': 'sealed'}
    assert answer.headers['Content-Type'] == 'application/atom+xml; charset=utf-8'
    (tmp_path / 'feed').write_bytes(answer.body)
    assert subprocess.run(['xmllint', '--noout', '--nonet', tmp_path / 'feed']).returncode == 0
    feed = ET.fromstring(answer.body)
    assert feed.tag == ATOM + 'feed'
    for node in [feed, *feed.findall(ATOM + 'entry')]:  # RFC 4287, sections 4.1.1 and 4.1.2: exactly one of each
        assert all(len(node.findall(ATOM + name)) == 1 for name in ('id', 'title', 'updated')), ET.tostring(node)
    assert feed.find(f'{ATOM}author/{ATOM}name') is not None
    assert feed.find(ATOM + "link[@rel='self']").get('href').endswith('/api/v1/notices.atom')
    ids = [entry.find(ATOM + 'id').text for entry in feed.findall(ATOM + 'entry')]
    assert len(ids) == len(set(ids)) >= 1
    source = feed.find(f'{ATOM}entry/{ATOM}content').get('src')
    text = stranger.get(source.removeprefix(f'https://bois.localhost:{house.tls_port}'))
    assert text.status == 200 and text.body.decode() == WORDS
    assert stranger.get('/api/v1/notices').status == 503


# S7: a letter goes to the contact and to nobody else
def test_a_letter_goes_to_the_contact_and_to_nobody_else(house, relay):
    (sender, to, content), = letter_about(relay, published(house), 1)
    letter = email.message_from_bytes(content)
    assert (sender, to, letter['To'], letter['From']) == ('notices@host.example', ['boss@acme.example'], '<boss@acme.example>', '<notices@host.example>')
    body = base64.b64decode(letter.get_payload()).decode()
    assert body.endswith(WORDS) and 'https://acme.localhost/' in body and day(1) in body
    assert letter['Message-ID'].startswith('<notice-') and letter['Auto-Submitted'] == 'auto-generated'
    assert {tuple(letter[1]) for letter in relay.letters} == {('boss@acme.example',)}


def test_a_letter_is_sent_once_and_one_that_is_refused_is_said(house, relay):
    relay.refused.add('gone@bois.example')
    house.cli('tenant', 'set', 'bois', '--contact', 'gone@bois.example')
    number = published(house, kind='privacy')
    wait_for(lambda: f'tenant bois: notice {number}: the mail relay did not take it' in house.logged(), why='the refusal')
    assert len(letter_about(relay, number, 1)) == 1
    wait_for(lambda: house.acme.get(f'/api/v1/notices/{number}').json.get('number') == number)
    ids = [email.message_from_bytes(content)['Message-ID'] for _, _, content in relay.letters]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize('contact', ['nobody', 'a b@x.example', 'x@y.example\nRcpt: z', 'x@localhost', '@x.example', 'x@' + 'a' * 250 + '.example', f'{"a" * 64}@{"b" * 62}.{"c" * 62}.{"d" * 62}.{"e" * 30}.example'])
def test_a_contact_that_is_no_address_is_refused(house, contact):
    answer = house.control('PATCH', '/v1/tenants/acme', {'contact': contact})
    assert answer.status == 422 and answer.json['field'] == 'contact'
    assert house.show('acme')['contact'] == 'boss@acme.example'


def transfer(house, uid, to='Autre Hébergeur SA', name='acme'):
    return house.control('POST', f'/v1/tenants/{name}/transfer', {'to': to}, duties=('registrar',), uid=uid)


# S13: refused before delivery, and to the person who asked first
def test_a_transfer_takes_its_notice_its_delivery_its_period_and_two_people(house):
    assert transfer(house, 70100).status == 202
    notice = wait_for(lambda: notices(house.acme)[0]['kind'] == 'transfer' and notices(house.acme)[0], why='its notice')
    assert notice['to'] == 'Autre Hébergeur SA'
    assert all(n['kind'] != 'transfer' for n in notices(house.bois))
    assert b'transfer' not in house.acme.get('/api/v1/notices.atom').body  # it is nobody else's
    assert house.acme.get(f'/api/v1/notices/{notice["number"]}/text').status == 404
    other = transfer(house, OTHER_REGISTRAR)
    assert other.status == 409 and 'has not got the notice' in other.json['detail']
    assert house.acme.post(f'/api/v1/notices/{notice["number"]}/acknowledge').status == 204
    wait_for(lambda: notices(house.acme)[0]['acknowledged'], why='the acknowledgement')
    alone = transfer(house, 70100)
    assert alone.status == 409 and 'another registrar' in alone.json['detail']
    assert house.show('acme')['transferred_to'] is None
    assert transfer(house, OTHER_REGISTRAR).status == 200
    assert house.show('acme')['transferred_to'] == 'Autre Hébergeur SA'


# S13, C1: an announcement that was carried out lets nobody do it again alone
def test_an_announcement_counts_once(house):
    assert transfer(house, 70100, to='Troisième SA').status == 202
    notice = wait_for(lambda: notices(house.acme)[0]['to'] == 'Troisième SA' and notices(house.acme)[0], why='its notice')
    token = house.client('acme', token=house.token(house.acme, ('admin',)))
    refused = token.post(f'/api/v1/notices/{notice["number"]}/acknowledge')
    assert refused.status == 403 and 'a log-in, not a token' in refused.json['detail']
    assert house.acme.post(f'/api/v1/notices/{notice["number"]}/acknowledge').status == 204
    wait_for(lambda: transfer(house, OTHER_REGISTRAR, to='Troisième SA').status == 200, why='the transfer')
    assert transfer(house, OTHER_REGISTRAR).status == 202  # back: announced anew, nothing done
    assert house.show('acme')['transferred_to'] == 'Troisième SA'


# C1, S13: a transfer is asked for and agreed to like all that takes two people; the agreement waits for the notice, too
def test_a_transfer_is_a_request(house):
    approve = lambda number, uid, duty='registrar': house.control('POST', f'/v1/requests/{number}/approve', duties=(duty,), uid=uid)  # noqa: E731
    first = transfer(house, 70100, to='Quatrième SA', name='bois').json['number']
    listed = [r for r in house.control('GET', '/v1/requests', duties=('registrar',)).json['items'] if r['number'] == first]
    assert [(r['kind'], r['tenant'], r['state'], r['to']) for r in listed] == [('transfer', 'bois', 'asked', 'Quatrième SA')]
    other = transfer(house, OTHER_REGISTRAR, to='Cinquième SA', name='bois')
    assert other.status == 409 and 'withdrawn first' in other.json['detail']
    early = approve(first, OTHER_REGISTRAR)
    assert early.status == 409 and 'has not got the notice' in early.json['detail']
    assert approve(first, 70100).json['type'] == 'alone' and approve(first, OTHER_REGISTRAR, 'auditor').status == 403
    assert house.control('POST', f'/v1/requests/{first}/withdraw', duties=('registrar',), uid=70100).status == 200
    assert house.show('bois')['transferred_to'] is None
    second = transfer(house, OTHER_REGISTRAR, to='Cinquième SA', name='bois').json['number']  # announced anew
    notice = wait_for(lambda: notices(house.bois)[0]['to'] == 'Cinquième SA' and notices(house.bois)[0], why='its notice')
    assert house.bois.post(f'/api/v1/notices/{notice["number"]}/acknowledge').status == 204
    wait_for(lambda: approve(second, 70100).status == 200, why='the agreement')
    assert house.show('bois')['transferred_to'] == 'Cinquième SA'
    assert approve(first, OTHER_REGISTRAR).status == approve(second, 70100).status == 409
    told = [(i['verb'], i['result'], i['note']) for i in house.bois.get('/api/v1/provider/ledger').json['items'] if i['number'] == second]
    assert told[0] == ('transfer', 'pending', 'to: Cinquième SA') and told[-1] == ('request_approve', 'done', 'to: Cinquième SA')


# S13: refused while the period runs
def test_a_transfer_waits_while_the_period_runs():
    with House(notice_days=30) as house:
        acme = house.enrolled('acme')
        run = publish(house, ahead=29, check=False)
        assert run.returncode == 1 and 'notice period' in run.stderr
        assert transfer(house, 70100).status == 202
        wait_for(lambda: notices(acme), why='its notice')
        assert acme.post('/api/v1/notices/1/acknowledge').status == 204
        told = wait_for(lambda: notices(acme)[0]['in_force'], why='the acknowledgement')
        assert told[:10] in (day(30), day(29))
        answer = transfer(house, OTHER_REGISTRAR)
        assert answer.status == 409 and 'period' in answer.json['detail']
        assert house.show('acme')['transferred_to'] is None


def test_somebody_entered_later_is_not_asked_about_older_terms(house):
    late = house.enrolled('tard')
    assert notices(late) == []
    assert late.get('/api/v1/notices/1').status == 404
    assert late.post('/api/v1/notices/1/acknowledge').status == 404


def test_a_damaged_record_stops_the_start_and_a_cut_line_does_not(house):
    record = house.state / 'notices' / 'record'
    house.stop()
    whole = record.read_text()
    record.write_text(whole + 'acknowledged\t1')
    house.start()
    house.stop()
    assert record.read_text() == whole
    record.write_text(whole.replace('acknowledged\t1\t', 'acknowledged\t77\t', 1))
    with pytest.raises(AssertionError, match='notices/record:[0-9]+: damaged'):
        house.start()
    record.write_text(whole)
    house.start()
    assert house.acme.login().status in (200, 201) and PASSWORD
    assert wait_for(lambda: notices(house.acme), why='them')[-1]['acknowledged']

"""What the provider holds, in the browser: entry, numbers, lines with the witness' word, disclosures, messages to the support, notices (S7, S10, S11)."""
import json
import os
import pathlib
import shutil
import tempfile

import pytest
from house import STAFF_UID, House, support_key, wait_for
from page import Page, login, rows

ASKER, AUDITOR = STAFF_UID + 30, STAFF_UID + 31


@pytest.fixture(scope='module')
def house():
    folder = pathlib.Path(tempfile.mkdtemp(prefix='cloison-support-', dir='/tmp'))  # where staff can read its key
    os.chmod(folder, 0o755)
    key, certificate = support_key(folder, 'support')
    with House(support_certificate=f'"{certificate}"', sample_seconds=1) as h:
        h.key = key
        h.acme = h.enrolled('acme', None, '--title', 'Acme SA')
        yield h
    shutil.rmtree(folder)


def disclosed(house):
    ask = house.cli('--json', 'disclosure', 'request', 'acme', '--ground', 'law', '--reason', 'Ordonnance', '--recipient', 'Tribunal <b>de</b> Lyon',
                    uid=ASKER, duties=('registrar',))
    house.cli('disclosure', 'approve', str(json.loads(ask.stdout)['number']), uid=AUDITOR, duties=('auditor',))


# S10, S11: the tenant reads all that the provider holds and did, a disclosure included, and its witness' word on that
def test_what_the_provider_holds_is_read(browser, house):
    house.cli('terms', 'publish', '-', '--kind', 'terms', '--effective', '2099-01-01', input='Conditions.')
    disclosed(house)
    for _ in range(60):  # more lines than a screen shows
        house.cli('tenant', 'set', 'acme', '--title', 'Acme SA')
    wait_for(lambda: house.acme.get('/api/v1/notices').json['items'], why='the notice')
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/provider"]').click()
    page.wait(lambda: 'Acme SA' in page.text('#entry') and 'acme.localhost' in page.text('#entry'))
    held = house.acme.get('/api/v1/provider/holdings').json
    assert 'rien n’a été retiré ni réécrit' in page.text('#consistent')
    told = rows(page, '#disclosures tbody tr')
    assert [r[4] for r in told][:2] == ['remis, une seconde personne d’accord', 'demandé par une personne']
    assert all(r[3] == 'remise à un tiers' and 'Tribunal <b>de</b> Lyon' in r[5] for r in told) and told[0][2] == f'personne n° {AUDITOR}'
    lines = rows(page, '#ledger tbody tr')
    assert len(lines) == 50 < len(held['ledger']['items'])
    while page.shown('#ledger .older'):
        page.one('#ledger .older').click()
    numbers = [int(r[0]) for r in rows(page, '#ledger tbody tr')]
    assert numbers == sorted(numbers, reverse=True) and numbers[-1] == 1 and len(numbers) == len(held['ledger']['items'])
    assert not [r for r in rows(page, '#ledger tbody tr') if '_' in r[3] or '_' in r[4]]  # in words
    assert page.text('#told').startswith('Conditions d’utilisation')
    page.one('#counters summary').click()
    assert {r[0] for r in rows(page, '#counters tbody tr')} == set(held['counters'])
    assert page.unnamed() == 0
    browser.execute_script("document.getElementById('language').click()")
    page.wait(lambda: 'nothing was removed or rewritten' in page.text('#consistent'))
    assert page.complaints() == []


# S7: a message to the support is written and its answer read in the interface, and what is kept of it is listed
def test_a_message_to_the_support_is_written_and_answered(browser, house):
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/support"]').click()
    assert 'lu par l’assistance' in page.text('#support-warning')
    page.fill(text='é' * 5000)
    page.submit()
    page.wait(lambda: page.text('#notice').startswith('Message : à remplir, 8192 octets au plus'))
    assert browser.switch_to.active_element.get_attribute('name') == 'text' and house.acme.get('/api/v1/support').json['items'] == []
    page.fill(text='Où est <b>la</b> page ?')
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Envoyé.')
    page.wait(lambda: 'Où est <b>la</b> page ?' in page.text('.message'))
    trace = str(wait_for(lambda: json.loads(house.cli('support', 'list', '--json', duties=('support',)).stdout), why='the trace')[0]['id'])
    assert house.cli('support', 'show', trace, '--key', house.key, duties=('support',)).stdout == 'Où est <b>la</b> page ?\n'
    house.cli('support', 'answer', trace, '--key', house.key, 'Au menu.', duties=('support',))
    wait_for(lambda: house.acme.get('/api/v1/support').json['items'][0]['state'] == 'answered', why='the answer')
    page.open('#/provider')
    assert rows(page, '#traces tbody tr')[0][1] == 'réponse reçue'
    page.one('#traces a').click()
    page.wait(lambda: page.shown('blockquote') and page.text('blockquote') == 'Au menu.')
    assert page.unnamed() == 0 and page.complaints(400) == []


# S11: a ledger that was shortened is shown as such
def test_a_shortened_ledger_is_shown(browser):
    with House() as house:
        house.acme = house.enrolled('acme')
        house.stop()
        whole = (house.state / 'ledger').read_bytes()
        house.start()
        house.cli('tenant', 'stop', 'acme')
        house.wait_state('acme', 'stopped')
        assert house.acme.get('/api/v1/provider-ledger').json['consistent'] is True
        house.stop()
        (house.state / 'ledger').write_bytes(whole)
        house.start()
        page = Page(browser, house, 'acme.localhost')
        login(page)
        page.open('#/provider')
        page.wait(lambda: 'retirées ou réécrites' in page.text('#consistent.bad'))
        assert page.complaints() == []

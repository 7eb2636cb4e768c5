"""Leaving in the browser: read-only, everything fetched and confirmed by its sum, destroyed, and the certificate read (S14)."""
import hashlib
import json
import subprocess

import pytest
from house import ARCHIVE, PLAN, STAFF_UID, house_with_destinations, wait_for
from page import Page, confirmed, login

ASKER = STAFF_UID + 40


@pytest.fixture
def house():
    with house_with_destinations() as h:
        h.acme = h.enrolled('acme', None, '--title', 'Acme SA')
        wait_for(lambda: h.acme.get('/api/v1/plans').json['destinations'], why='the destinations')
        for kind, plan in (('backup', PLAN), ('archive', ARCHIVE)):
            assert h.acme.put(f'/api/v1/plans/{kind}', plan).status == 200
        wait_for(lambda: len([s for s in h.acme.get('/api/v1/backups').json['items'] if s['sent']]) == 2, why='a copy of each kind')
        yield h


def certificate(house, folder):
    """The provider's, as a file that everybody may read."""
    key = folder / 'provider.pem'
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'ED25519', '-out', key], check=True, capture_output=True)
    key.chmod(0o644)
    folder.chmod(0o777)
    for parent in folder.parents:
        if parent.name.startswith('pytest'):
            parent.chmod(0o755)
    house.cli('certificate', 'issue', 'acme', '--key', str(key), '--out', str(folder / 'acme.json'), uid=ASKER, duties=('registrar',))
    return folder / 'acme.json'


# S14: all is fetched, confirmed by its sum and destroyed from the tenant's own page
def test_everything_is_fetched_confirmed_and_destroyed(browser, house, tmp_path):
    company = house.acme.post('/api/v1/companies', {'name': 'Menuiserie Ozenfant'}).json['id']
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.open('#/leaving')
    page.wait(lambda: page.text('#leaving').startswith('Le contrat court.'))
    assert not page.shown('#restitution') and not page.shown('#ending')
    house.cli('contract', 'end', 'acme', uid=ASKER, duties=('registrar',))
    wait_for(lambda: house.acme.get('/api/v1/leaving').json['state'] == 'ending', why='the worker to hear of it')

    # Read-only, and said so on every page.
    page.open()
    page.wait(lambda: page.text('#ending').startswith('Le contrat a pris fin'))
    page.open(f'#/companies/{company}')
    page.fill(name='Autre nom')
    page.submit()
    page.wait(lambda: page.text('#notice').startswith('Le contrat a pris fin'))
    assert house.acme.get(f'/api/v1/companies/{company}').json['name'] == 'Menuiserie Ozenfant'

    # A wrong sum is refused at its field; the right one is made from the file that came out of the page's own link.
    page.one('#menu a[href="#/leaving"]').click()
    page.wait(lambda: 'pas encore sortie' in page.text('#fetched'))
    page.fill(sha256='0' * 63)
    page.submit()
    page.wait(lambda: page.text('#notice') == 'SHA-256 : 64 chiffres hexadécimaux.')
    page.fill(sha256='0' * 64)
    page.submit()
    page.wait(lambda: page.text('#notice').startswith('SHA-256 : ce n’est pas la somme'))
    assert browser.switch_to.active_element.get_attribute('name') == 'sha256'
    page.one('#restitution').click()
    file = wait_for(lambda: next(iter(browser.downloads.glob('*.tar')), None), why='the restitution')
    wait_for(lambda: house.acme.get('/api/v1/leaving').json['fetched'], why='its end')
    page.open('#/companies').one('.letters')
    page.one('#menu a[href="#/leaving"]').click()
    page.wait(lambda: page.text('#fetched').startswith('Sortie entière'))
    page.one('#restitution-file').send_keys(str(file))
    total = hashlib.sha256(file.read_bytes()).hexdigest()
    page.wait(lambda: page.one('[name=sha256]').get_attribute('value') == total)
    page.submit()
    page.wait(lambda: page.text('#leaving').startswith('Vous avez confirmé'))
    wait_for(lambda: house.acme.get('/api/v1/leaving').json['state'] == 'returned', why='the word to be taken')
    assert page.unnamed() == 0

    # Destroyed, after one more question; what the page says is what the certificate says.
    page.fill(sha256=total)
    page.one('#destroy').click()
    browser.switch_to.alert.dismiss()
    assert house.show('acme')['contract']['state'] == 'ending'
    confirmed(browser, page.one('#destroy'))
    page.wait(lambda: page.text('h1') == 'Détruit')
    wait_for(lambda: (house.show('acme')['contract'] or {}).get('state') == 'gone', why='everything to be destroyed')
    said = page.text()
    assert total in said and 'les sauvegardes à medium, effacées ensuite' in said and 'l’archive n° 1 à vault, jusqu’au' in said
    page.one('#certificate-file').send_keys(str(certificate(house, tmp_path)))
    page.wait(lambda: 'acme – Acme SA' in page.text('#certificate'))
    certified = json.loads((tmp_path / 'acme.json').read_text())
    told = page.text('#certificate')
    assert all(fact['what'] in told for fact in certified['destroyed'] + certified['remains'])
    page.one('#certificate-file').send_keys(str(tmp_path / 'provider.pem'))
    page.wait(lambda: page.text('#certificate') == 'Ce fichier n’est pas un certificat de destruction.')
    assert page.complaints(400, 403, 409) == []

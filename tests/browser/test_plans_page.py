"""Backups, archives and regions in the browser: a plan is made by keyboard, a copy taken at a click, a region excluded (C7, C8, C9, S8)."""
import pytest
from house import House, destinations, wait_for
from page import Page, confirmed, login, rows
from selenium.webdriver import ActionChains, Keys


@pytest.fixture(scope='module')
def house():
    h = House(region='eu-fr')
    (h.root / 'loin').mkdir(mode=0o700)
    h.extra = destinations(h.root, regions={'vault': 'eu-be'}) + f'capsule_place "loin" {{ path = "{h.root}/loin" region = eu-be }}\n'
    h.write_config()
    with h:
        wait_for(lambda: 'cloison-courier: ready' in h.logged(), why='the courier')
        h.acme = h.enrolled('acme')
        wait_for(lambda: h.acme.get('/api/v1/plans').json['destinations'], why='the destinations')
        yield h


def plan(house, kind='backup'):
    return house.acme.get('/api/v1/plans').json[kind]


def type_plan(page, browser, purpose, duration):
    """Through the fields as the keyboard goes: where, why, how long and its unit, how often and its unit, the button."""
    browser.execute_script("document.querySelector('#plan-backup [name=where]').focus()")
    keys = ActionChains(browser).send_keys(Keys.TAB).key_down(Keys.CONTROL).send_keys('a').key_up(Keys.CONTROL).send_keys(purpose)
    keys.send_keys(Keys.TAB).key_down(Keys.CONTROL).send_keys('a').key_up(Keys.CONTROL).send_keys(duration)
    keys.send_keys(Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER).perform()


# C9: the tenant makes a plan with its seven fields and sees what came of it
def test_a_plan_is_made_by_keyboard_and_a_copy_taken_at_a_click(browser, house):
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/plans"]').click()
    page.wait(lambda: page.text('#standing-backup') == 'Il n’y a pas de plan.')
    for said in ('Scellée sous la clé', 'Un instantané de tout', 'À la fin de sa durée'):
        assert said in page.text('#plan-backup')
    assert 'Pas avant la fin de sa durée, par personne' in page.text('#plan-archive')
    type_plan(page, browser, 'é' * 300, '45')
    page.wait(lambda: page.text('#notice') == 'Pourquoi : à remplir, 512 octets au plus.')
    assert browser.switch_to.active_element.get_attribute('name') == 'purpose' and plan(house) is None
    type_plan(page, browser, 'Panne', '99999')
    page.wait(lambda: page.text('#notice') == 'Durée de conservation de chaque copie : une heure au moins, cent ans au plus.')
    type_plan(page, browser, 'Panne', '45')
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
    made = plan(house)
    assert (made['purpose'], made['duration_hours'], made['frequency_minutes'], made['where']) == ('Panne', 45 * 24, 1440, 'medium')
    page.wait(lambda: [r[:2] + r[5:] for r in rows(page, '#snapshots tbody tr')] == [['Sauvegarde', '1', 'oui']])
    page.wait(lambda: 'réussi' in page.text('#standing-backup') and 'en route' not in page.text('#standing-backup'))
    house.acme.post('/api/v1/companies', {'name': 'Une de plus'})
    page.one('#now-backup').click()
    page.wait(lambda: page.text('#notice') == 'Demandé.')
    page.wait(lambda: [r[1] for r in rows(page, '#snapshots tbody tr')] == ['2', '1'])
    assert [s['number'] for s in house.acme.get('/api/v1/backups').json['items']] == [2, 1]
    assert page.unnamed() == 0 and page.complaints(400) == []
    confirmed(browser, page.one('#end-backup'))
    page.wait(lambda: page.text('#notice') == 'Ce plan est terminé.')
    wait_for(lambda: (p := plan(house)) is None or p['state'] == 'ending', why='the plan to end')


# C8: an archive's plan says that nobody erases it before its time
def test_an_archive_follows_its_plan(browser, house):
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.open('#/plans').one('#plan-archive [name=purpose]').send_keys('Dix ans de comptes')
    page.one('#plan-archive button[type=submit]').click()
    page.wait(lambda: 'Archivage à long terme' in [r[0] for r in rows(page, '#snapshots tbody tr')])
    made = plan(house, 'archive')
    assert made['where'] == 'vault' and made['erasure'] == 'after-lock' and made['duration_hours'] == 87600
    house.acme.switch(('archive',), on=False)
    page.open('#/functions').one('#archive')
    page.open('#/plans')
    page.wait(lambda: '« Archivage à long terme » est une fonction désactivée' in page.text('#plan-archive'))
    page.one('#now-archive').click()
    page.wait(lambda: page.text('#notice').startswith('Cette fonction est désactivée'))
    house.acme.switch(('archive',))
    assert page.complaints(403) == []


def test_where_a_copy_of_the_capsule_lies_is_shown(browser, house):
    house.cli('capsule', 'copy', 'acme', 'loin')
    wait_for(lambda: house.acme.get('/api/v1/provider/places').json['capsule_copies'], why='the worker to hear of it')
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.open('#/regions')
    page.wait(lambda: [r[0] + ' ' + r[2] for r in rows(page)] == ['loin – eu-be oui'])
    house.cli('capsule', 'forget', 'acme', 'loin')
    wait_for(lambda: not house.acme.get('/api/v1/provider/places').json['capsule_copies'], why='the worker to hear of that')


# S8: the tenant sees where its data and copies are, and bounds that in its own interface
def test_a_region_is_excluded(browser, house):
    bounds = lambda: {r['region']: r['allowed'] for r in house.acme.get('/api/v1/provider/regions').json['regions']}
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/regions"]').click()
    page.wait(lambda: 'eu-fr' in page.text('#places') and 'eu-be – vault, loin' in page.text('fieldset'))
    page.one('[name=bounded][value=yes]').click()
    for box in page.shown('[name=allowed]'):
        box.click()
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Régions : choisissez au moins une région.')
    page.one('[name=allowed][value=eu-be]').click()
    page.submit()
    page.wait(lambda: 'cochez cette case, ou autorisez la région des données' in page.text('#notice'))
    assert browser.switch_to.active_element.get_attribute('name') == 'node_stays' and bounds() == {'eu-fr': True, 'eu-be': True}
    page.one('[name=allowed][value=eu-be]').click()
    page.one('[name=allowed][value=eu-fr]').click()
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
    assert bounds() == {'eu-fr': True, 'eu-be': False} and page.unnamed() == 0
    page.open('#/plans').one('#plan-archive')
    page.wait(lambda: 'vault – eu-be (région exclue)' in page.text('#plan-archive [name=where]'))
    page.one('#plan-archive [name=purpose]').send_keys('Comptes')
    page.one('#plan-archive button[type=submit]').click()
    page.wait(lambda: page.text('#notice') == 'Où : cette destination est dans une région que vous excluez.')
    assert browser.execute_script("return document.activeElement.closest('section').id") == 'plan-archive'
    page.open('#/regions').one('[name=bounded][value=""]').click()
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
    assert bounds() == {'eu-fr': True, 'eu-be': True} and house.acme.get('/api/v1/provider/regions').json['bounded'] is False
    assert page.complaints(400, 409) == []

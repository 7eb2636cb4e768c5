"""Retention rules and references in the browser: made, tried dry, run, switched, taken away; consents given and withdrawn (C10, C13)."""
from house import wait_for
from page import Page, confirmed, login, rows


def rules(house):
    return house.acme.get('/api/v1/rules').json['items']


def press(browser, label):
    confirmed(browser, browser.find_element('css selector', f'main button[aria-label="{label}"]'))


# C13: a tenant's rules are made, tried and ended in its own interface
def test_a_rule_is_made_tried_run_and_removed(browser, house):
    old = house.acme.post('/api/v1/contacts', {'family_name': 'Ancienne', 'custom': {'vu': '2001-02-03'}}).json['id']
    house.acme.post('/api/v1/contacts', {'family_name': 'Neuve', 'custom': {'vu': '2099-02-03'}})
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/rules"]').click()
    page.fill(name='Vieux contacts', after_days='99999')
    assert not page.shown('[name=custom]')
    page.one('[name=kind] option[value=documents]').click()
    page.one('[name=action] option[value=anonymise]').click()
    page.one('[name=date] option[value=custom]').click()
    page.fill(custom='vu')
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Acte : un document ne peut être que supprimé.')
    assert browser.switch_to.active_element.get_attribute('name') == 'action'
    page.one('[name=kind] option[value=contacts]').click()
    page.one('[name=action] option[value=delete]').click()
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Après : de 1 à 36525 jours.')
    page.fill(after_days='365')
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
    assert [(r['name'], r['enabled'], r['date'], r['after_days']) for r in rules(house)] == [('Vieux contacts', False, 'custom.vu', 365)]
    assert rows(page)[0][:3] == ['Vieux contacts', 'Contacts : supprimer, 365 jours après vu', 'désactivée']
    page.one('button[aria-label="Essayer à blanc – Vieux contacts"]').click()
    page.wait(lambda: '« Vieux contacts » toucherait maintenant 1 fiche(s) sur 2.' in page.text('#dry-run'))
    assert page.one('#dry-run a').get_attribute('href').endswith(f'#/contacts/{old}') and house.acme.get(f'/api/v1/contacts/{old}').status == 200
    assert page.unnamed() == 0 and not page.shown('button[aria-label^="Passer maintenant"]')
    press(browser, 'Activer – Vieux contacts')
    page.wait(lambda: rows(page)[0][2] == 'activée')
    assert rules(house)[0]['enabled'] is True
    page.one('button[aria-label="Passer maintenant – Vieux contacts"]').click()
    page.wait(lambda: page.text('#notice') == 'Le passage commence.')
    wait_for(lambda: house.acme.get(f'/api/v1/contacts/{old}').status == 404, why='the run')
    wait_for(lambda: rules(house)[0]['done'] == 1, why='its count')
    page.one('button[aria-label="Désactiver – Vieux contacts"]').click()
    page.wait(lambda: rows(page)[0][2:5:2] == ['désactivée', '1'])
    press(browser, 'Supprimer – Vieux contacts')
    page.wait(lambda: page.text('#notice') == 'Supprimé.')
    assert rules(house) == [] and page.complaints(400) == []


# C10: a consent beyond name and modules is given and withdrawn by the tenant
def test_a_consent_is_given_and_withdrawn(browser, house):
    given = lambda: [r['name'] for r in house.acme.get('/api/v1/provider/references').json['items'] if r['given']]
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/references"]').click()
    page.one('#reference-logo button').click()
    page.wait(lambda: page.text('#notice') == 'Consentement donné.')
    assert given() == ['logo'] and 'donné le' in page.text('#reference-logo') and 'non donné' in page.text('#reference-quote')
    page.wait(lambda: browser.switch_to.active_element.text == 'Retirer ce consentement')
    page.one('#reference-logo button').click()
    page.wait(lambda: page.text('#notice') == 'Consentement retiré.')
    assert given() == [] and page.unnamed() == 0
    house.acme.switch(('references',), on=False)
    page.one('#reference-logo button').click()
    page.wait(lambda: page.text('#notice').startswith('Cette fonction est désactivée'))
    house.acme.switch(('references',))
    assert given() == [] and page.complaints(403) == []

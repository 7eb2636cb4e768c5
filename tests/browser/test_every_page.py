"""Every page of an administrator's menu, in both languages and on a narrow screen: whole, in words, within the policy, each control with a name."""
import re

from house import ARCHIVE, PLAN, House, destinations, wait_for
from page import Page, login
from selenium.webdriver.common.by import By


def filled():
    """A house where each page has something to show."""
    house = House()
    house.extra = destinations(house.root)
    house.write_config()
    return house


def fill(house):
    acme = house.acme = house.enrolled('acme', None, '--title', 'Acme SA')
    wait_for(lambda: acme.get('/api/v1/plans').json['destinations'], why='the destinations')
    for kind, plan in (('backup', PLAN), ('archive', ARCHIVE)):
        assert acme.put(f'/api/v1/plans/{kind}', plan).status == 200
    assert acme.post('/api/v1/rules', {'name': 'Vieux', 'kind': 'contacts', 'action': 'archive', 'after_days': 365, 'tag': 'x'}).status == 201
    assert acme.post('/api/v1/companies', {'name': 'Menuiserie'}).status == 201
    house.contact = acme.post('/api/v1/contacts', {'family_name': 'Dürr'}).json['id']
    house.cli('terms', 'publish', '-', '--kind', 'terms', '--effective', '2099-01-01', input='Conditions.')
    wait_for(lambda: acme.get('/api/v1/notices').json['items'], why='the notice')
    wait_for(lambda: len(acme.get('/api/v1/backups').json['items']) == 2, why='the copies')


def test_every_page_is_whole_in_both_languages_and_narrow(browser):
    with filled() as house:
        fill(house)
        page = Page(browser, house, 'acme.localhost')
        login(page)
        places = [a.get_attribute('href').split('#')[1] for a in browser.find_elements(By.CSS_SELECTOR, '#menu a')] + [f'/contacts/{house.contact}', '/companies/new']
        assert len(places) > 18
        for width, language in ((1100, 'fr'), (380, 'en')):
            if language == 'en':
                page.one('#language').click()
                page.wait(lambda: page.text('#language') == 'Français')
            browser.set_window_size(width, 800)
            titles = set()
            for place in places:
                page.open('#' + place)
                page.wait(lambda: browser.execute_script('return location.hash') == '#' + place and page.text('h1') not in titles)
                titles.add(page.text('h1'))
                page.wait(lambda: page.unnamed() == 0 and not page.shown('#notice'))
                keys = re.findall(r'(?<![\w./])[a-z_]+\.[a-z_]+(?![\w(/])', page.text())
                assert set(keys) <= {'address.city', 'acme.localhost', 'person.html', 'person.json'}, (place, keys)  # no word that is missing
                assert browser.execute_script('return document.documentElement.lang') == language
                assert browser.execute_script('return document.documentElement.scrollWidth <= innerWidth'), (place, width)
        assert page.complaints() == []

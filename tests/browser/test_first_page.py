"""The first page in a real browser: enrol, recovery kit, companies and contacts by letter, one record, French and English, a strict CSP."""
import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from house import PASSWORD


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = '/usr/bin/chromium'
    for flag in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
                 '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--ignore-certificate-errors', '--lang=fr',
                 '--window-size=1100,800', f'--user-data-dir={tmp_path}/profile'):
        options.add_argument(flag)
    options.add_experimental_option('prefs', {'intl.accept_languages': 'fr'})
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    driver = webdriver.Chrome(service=webdriver.chrome.service.Service('/usr/bin/chromedriver'), options=options)
    driver.implicitly_wait(0)
    yield driver
    driver.quit()


class Page:
    def __init__(self, browser, house, host):
        self.browser, self.address = browser, f'https://{host}:{house.tls_port}/'

    def open(self, fragment=''):
        self.browser.get(self.address + fragment)
        return self

    def wait(self, what):
        """Until it is true; a page that is being replaced under our eyes is looked at again."""
        return WebDriverWait(self.browser, 20, ignored_exceptions=(StaleElementReferenceException,)).until(lambda _: what())

    def one(self, css):
        return self.wait(lambda: next((e for e in self.browser.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()), None))

    def text(self, css='main'):
        return self.wait(lambda: next((e.text for e in self.browser.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()), None))

    def fill(self, **fields):
        for name, value in fields.items():
            e = self.one(f'[name="{name.replace("__", ".")}"]')
            e.clear()
            e.send_keys(value)

    def submit(self):
        self.one('main button[type=submit]').click()

    def items(self):
        return [e.text.split('\n')[0] for e in self.browser.find_elements(By.CSS_SELECTOR, '.list li')]

    def complaints(self):
        """What the console has against the page, but for the answers that are the page's own business (401 before the log-in)."""
        return [entry['message'] for entry in self.browser.get_log('browser') if 'status of 401' not in entry['message'] and 'status of 503' not in entry['message']]


def login(page):
    page.open()
    page.fill(login='admin', password=PASSWORD)
    page.submit()
    page.one('.letters')


def test_enrolment_by_hand(browser, house):
    page = Page(browser, house, house.create('ouvert')).open()
    page.one('#enrol').click()
    page.fill(code=house.codes['ouvert'], login='camille', password=PASSWORD)
    page.submit()
    kit = page.text('#kit')
    assert len(kit) > 40
    page.one('#kit-done').click()
    page.wait(lambda: page.text('h1') == 'Sociétés')
    assert kit not in browser.page_source
    assert page.complaints() == []


def test_companies_stand_under_their_letters_accents_included(browser, house):
    for name in ('Électricité Nîmoise', 'Eau Vive', 'Étoile', '3 Suisses', 'Œuvre'):
        assert house.acme.post('/api/v1/companies', {'name': name, 'address': {'city': 'Nîmes'}}).status == 201
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('.letters a[href="#/companies?E"]').click()
    page.wait(lambda: page.items() == ['Eau Vive', 'Électricité Nîmoise', 'Étoile'])
    page.one('.letters a[href="#/companies?O"]').click()
    page.wait(lambda: page.items() == ['Œuvre'])
    page.one('.letters a[href="#/companies?%23"]').click()
    page.wait(lambda: page.items() == ['3 Suisses'])
    assert page.complaints() == []


def test_a_contact_is_made_changed_and_deleted(browser, house):
    page = Page(browser, house, 'bois.localhost')
    login(page)
    page.one('#menu a[href="#/contacts"]').click()
    page.one('#new').click()
    nasty = '<img src=x onerror=alert(1)> Zoë'
    page.fill(given_name=nasty, family_name='Dürr', emails='zoe@exemple.fr\nz@exemple.fr', address__city='Évry')
    page.submit()
    page.wait(lambda: page.text('h1') == f'Dürr {nasty}')  # shown as text, never as markup
    page.fill(title='Présidente', notes='')
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
    listed = house.bois.get('/api/v1/contacts?letter=D').json['items']
    assert len(listed) == 1
    stored = house.bois.get(f'/api/v1/contacts/{listed[0]["id"]}').json
    assert stored['title'] == 'Présidente' and stored['emails'] == ['zoe@exemple.fr', 'z@exemple.fr'] and stored['version'] == 2
    page.one('#remove').click()
    browser.switch_to.alert.accept()
    page.wait(lambda: house.bois.get('/api/v1/contacts?letter=D').json['items'] == [])
    assert page.complaints() == []


def test_french_and_english(browser, house):
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.wait(lambda: page.text('#menu').split() == ['Sociétés', 'Contacts'])
    page.one('#language').click()
    page.wait(lambda: page.text('#menu').split() == ['Companies', 'Contacts'])
    page.one('#language').click()
    page.wait(lambda: page.text('#menu').split() == ['Sociétés', 'Contacts'])


def test_logging_out_and_a_wrong_password(browser, house):
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#logout').click()
    page.fill(login='admin', password='not the password at all')
    page.submit()
    page.wait(lambda: 'refusé' in page.text('#notice'))
    assert browser.execute_script('return document.cookie') == ''  # the cookies are not the page's to read

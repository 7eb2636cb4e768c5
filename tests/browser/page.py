"""A tenant's page in the browser, as its user sees and uses it."""
from house import PASSWORD
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait


class Page:
    def __init__(self, browser, house, host):
        self.browser, self.address = browser, f'https://{host}:{house.tls_port}/'

    def open(self, fragment=''):
        self.browser.get(self.address + fragment)
        return self

    def wait(self, what):
        """Until it is true; a page that is being replaced under our eyes is looked at again."""
        try:
            return WebDriverWait(self.browser, 20, ignored_exceptions=(StaleElementReferenceException,)).until(lambda _: what())
        except TimeoutException as e:
            raise AssertionError(f'waited in vain; the page says:\n{self.browser.find_element(By.TAG_NAME, "body").text}\n{self.complaints()}') from e

    def one(self, css):
        return self.wait(lambda: next((e for e in self.browser.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()), None))

    def shown(self, css):
        return [e for e in self.browser.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()]

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

    def complaints(self, *expected):
        """What the console has against the page, but for the answers that are the page's own business (401 before the log-in, and those expected)."""
        fine = [f'status of {status}' for status in (401, 503, *expected)]
        return [m for m in (entry['message'] for entry in self.browser.get_log('browser')) if not any(f in m for f in fine)]

    def unnamed(self):
        """How many controls of the page have no name or cannot be reached by keyboard, and tables no caption or heads."""
        return self.browser.execute_script("""return [...document.querySelectorAll('main button, main select, main input, main textarea, main a, main summary')]
            .filter(e => !e.hidden && (e.tabIndex < 0 || !(e.textContent.trim() || e.getAttribute('aria-label') || e.closest('label')))).length
            + [...document.querySelectorAll('main table')].filter(e => !e.caption?.textContent || ![...e.tHead.querySelectorAll('th')].every(th => th.scope === 'col' && th.textContent)).length""")


def login(page):
    page.open()
    page.fill(login='admin', password=PASSWORD)
    page.submit()
    page.one('.letters')


def confirmed(browser, element):
    element.click()
    browser.switch_to.alert.accept()


def rows(page, css='main tbody tr'):
    return page.wait(lambda: [[c.text for c in r.find_elements(By.CSS_SELECTOR, 'th,td')] for r in page.browser.find_elements(By.CSS_SELECTOR, css)] or None)

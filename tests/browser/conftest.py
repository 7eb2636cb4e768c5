"""A browser for each test, French, that says what its console has to say."""
import pytest
from selenium import webdriver


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = '/usr/bin/chromium'
    for flag in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
                 '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--ignore-certificate-errors', '--lang=fr',
                 '--window-size=1100,800', f'--user-data-dir={tmp_path}/profile'):
        options.add_argument(flag)
    options.add_experimental_option('prefs', {'intl.accept_languages': 'fr', 'download.default_directory': str(tmp_path / 'downloads')})
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    driver = webdriver.Chrome(service=webdriver.chrome.service.Service('/usr/bin/chromedriver'), options=options)
    driver.implicitly_wait(0)
    driver.downloads = tmp_path / 'downloads'
    yield driver
    driver.quit()

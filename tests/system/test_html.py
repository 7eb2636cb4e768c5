"""What is handed out to read in a browser is valid HTML, whatever the names and notes in it say: HTML Tidy has nothing against it."""
import io
import re
import subprocess
import tarfile

import pytest

NASTY = ('<script>alert(1)</script>', '</dd></dl></body></html>', 'a & b &amp c &lt; "d" \'e\'', '<!-- ', ']]>', 'é€🙂\u2028', '\ttab\nline')


def complaints(html):
    """Each empty list and item is as it is meant: nothing is to be dropped."""
    run = subprocess.run(['tidy', '-e', '-q', '-utf8', '--drop-empty-elements', 'no'], input=html.encode(), capture_output=True)
    return run.stderr.decode()


def test_tidy_finds_what_is_wrong():
    good = '<!DOCTYPE html>\n<html lang="fr"><head><title>x</title></head><body><dl>\n<dt>a</dt><dd></dd></dl></body></html>'
    assert complaints(good) == ''
    for bad in (good.replace('</dl>', ''), good.replace('<dd>', '<dd>a &ampb'), good.replace('</dd>', '<b>'), good.replace('<title>x</title>', ''), good.replace('a<', '<x>')):
        assert complaints(bad), bad


# C4: the registers of article 30, the tenant's and the provider's, are pages that every browser reads alike
@pytest.mark.parametrize('lang', ['fr', 'en'])
def test_the_registers(house, lang):
    house.cli('tenant', 'set', 'acme', '--title', 'Acme & <Fils>, "SA" </dd>')
    rule = {'name': NASTY[0], 'kind': 'contacts', 'action': 'delete', 'after_days': 30, 'date': f'custom.{NASTY[1]}', 'enabled': True}
    assert house.acme.post('/api/v1/rules', rule).status == 201
    own = house.acme.get(f'/api/v1/register?format=html&lang={lang}').body.decode()
    assert '&lt;/dd&gt;' in own and complaints(own) == ''
    provider = house.cli('register', '--lang', lang).stdout
    assert '&lt;Fils&gt;' in provider and complaints(provider) == ''


# S10: a person's package is a page that every browser reads alike, whatever is written about the person
def test_a_persons_package(house):
    who = house.acme.post('/api/v1/contacts', {'family_name': NASTY[0], 'given_name': NASTY[2], 'notes': '\n'.join(NASTY), 'tags': [],
                                               'custom': {name: name for name in NASTY[:4]}}).json['id']
    made = house.acme.post('/api/v1/documents', {'name': NASTY[3] + NASTY[4], 'links': [f'contacts/{who}']}).json['id']
    assert house.acme.put(f'/api/v1/documents/{made}/content', b'x').status == 200
    with tarfile.open(fileobj=io.BytesIO(house.acme.get(f'/api/v1/contacts/{who}/package').body)) as tar:
        html = tar.extractfile('person.html').read().decode()
    assert complaints(html) == '' and '<script' not in html
    shown = re.sub('<[^>]*>', '', html).replace('&lt;', '<').replace('&gt;', '>').replace('&quot;', '"').replace('&amp;', '&')
    assert all(text in shown for text in NASTY)

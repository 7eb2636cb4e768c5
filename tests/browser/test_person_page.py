"""A person's rights on the contact's page: a package to hand over, a restriction, a rectification, an erasure that was seen before (S10)."""
import base64
import io
import json
import tarfile

from page import Page, confirmed, login

NAME = 'Zébulon'
FETCH = '''fetch(arguments[0]).then(r => r.arrayBuffer())
           .then(bytes => arguments[1](btoa([...new Uint8Array(bytes)].map(b => String.fromCharCode(b)).join(''))))'''


def person(client, name=NAME):
    who = client.post('/api/v1/contacts', {'family_name': name, 'notes': f'notes <b> {name}'}).json['id']
    other = client.post('/api/v1/contacts', {'family_name': 'Reste'}).json['id']
    for document, links in (('seul.txt', [who]), ('commun.txt', [who, other])):
        made = client.post('/api/v1/documents', {'name': document, 'links': [f'contacts/{i}' for i in links]}).json['id']
        assert client.put(f'/api/v1/documents/{made}/content', b'x').status == 200
    return who


# S10: all about one person is fetched from its page, and is what it says
def test_all_about_a_person_is_fetched(browser, house):
    who = person(house.acme)
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.open(f'#/contacts/{who}')
    link = page.one('#package')
    tar = tarfile.open(fileobj=io.BytesIO(base64.b64decode(browser.execute_async_script(FETCH, link.get_attribute('href')))))
    told = json.loads(tar.extractfile('person.json').read())
    assert told['contact']['id'] == who and {d['name'] for d in told['documents']} == {'seul.txt', 'commun.txt'}
    browser.get('data:text/html;base64,' + base64.b64encode(tar.extractfile('person.html').read()).decode())
    page.wait(lambda: browser.title == 'Données à caractère personnel')
    assert f'notes <b> {NAME}' in page.text('body') and 'seul.txt' in page.text('body')
    assert page.complaints() == []


# S10: a restricted record is read, and neither changed nor listed, until it is lifted
def test_a_record_is_restricted_and_then_rectified(browser, house):
    who = person(house.acme, 'Limitée')
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.open(f'#/contacts/{who}').one('#restrict').click()
    page.wait(lambda: page.text('#notice') == 'Le traitement de cette fiche est limité.')
    assert house.acme.get(f'/api/v1/contacts/{who}').json['restricted'] is True
    page.fill(title='Présidente')
    page.submit()
    page.wait(lambda: page.text('#notice').startswith('Le traitement de cette fiche est limité : elle se lit'))
    page.open('#/contacts?L')
    page.wait(lambda: page.shown('.letters a[aria-current][href="#/contacts?L"]'))
    page.one('#restricted').click()
    page.wait(lambda: 'Limitée' in page.items())
    assert 'limitée' in page.text(f'.list a[href="#/contacts/{who}"]')
    page.one(f'.list a[href="#/contacts/{who}"]').click()
    page.wait(lambda: page.text('#restrict') == 'Lever la limitation')
    assert 'levez d’abord la limitation' in page.text('#person')
    page.one('#restrict').click()
    page.wait(lambda: page.text('#notice') == 'La limitation est levée.')
    page.fill(title='Présidente')
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
    stored = house.acme.get(f'/api/v1/contacts/{who}').json
    assert stored['title'] == 'Présidente' and 'restricted' not in stored
    assert page.unnamed() == 0 and page.complaints(409) == []


# S10: nothing is erased that was not shown before
def test_a_person_is_erased_or_anonymised(browser, house):
    page = Page(browser, house, 'bois.localhost')
    login(page)
    for mode, said in (('anonymise', 'C’est anonymisé.'), ('erase', 'C’est effacé.')):
        who = person(house.bois, f'Nom{mode}')
        page.open(f'#/contacts/{who}').one(f'[name=mode] option[value={mode}]').click()
        page.one('#person form button[type=submit]').click()
        page.wait(lambda: 'Cette fiche, et 2 document(s)' in page.text('#erasure'))
        assert 'seul.txt – effacé avec toutes ses versions' in page.text('#erasure') and 'commun.txt – gardé, sans le lien' in page.text('#erasure')
        page.one('[name=rotate]').click()  # something else is asked for: it is shown anew before anything is done
        page.wait(lambda: not page.shown('#erase'))
        assert house.bois.get(f'/api/v1/contacts/{who}').json['family_name'] == f'Nom{mode}'
        page.one('[name=rotate]').click()
        page.one('#person form button[type=submit]').click()
        assert page.unnamed() == 0
        page.one('#erase').click()
        browser.switch_to.alert.dismiss()
        assert house.bois.get(f'/api/v1/contacts/{who}').json['family_name'] == f'Nom{mode}'
        confirmed(browser, page.one('#erase'))
        page.wait(lambda: page.text('#notice') == said)
        left = house.bois.get(f'/api/v1/contacts/{who}')
        assert left.status == (404 if mode == 'erase' else 200) and f'Nom{mode}' not in left.body.decode()
        names = [d['name'] for d in house.bois.get('/api/v1/documents?limit=200').json['items']]
        assert 'seul.txt' not in names and 'commun.txt' in names
    assert page.complaints() == []


def test_a_member_is_offered_none_of_it(browser, house):
    who = person(house.acme, 'Vue')
    made = house.acme.post('/api/v1/users', {'login': 'bert', 'role': 'member'}).json
    member = house.client('acme')
    assert member.post('/api/v1/invitations', {'code': made['code'], 'password': 'correct horse battery staple'}).status == 200
    page = Page(browser, house, 'acme.localhost').open()
    page.fill(login='bert', password='correct horse battery staple')
    page.submit()
    page.one('.letters')
    page.open(f'#/contacts/{who}')
    page.wait(lambda: page.text('h1') == 'Vue')
    assert not page.shown('#person')

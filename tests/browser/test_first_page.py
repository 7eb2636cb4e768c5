"""The first page in a real browser: enrol, recovery kit, companies and contacts by letter, one record, French and English, a strict CSP."""
from house import PASSWORD
from page import Page, confirmed, login, rows


def test_enrolment_by_hand(browser, house):
    page = Page(browser, house, house.create('ouvert')).open()
    page.wait(lambda: browser.title == 'Connexion – Cloison')
    assert not page.shown('#menu a')
    page.one('#enrol').click()
    page.fill(code='AAAAA-AAAAA-AAAAA-AAAAA', login='camille', password=PASSWORD)
    page.submit()
    page.wait(lambda: 'ce n’est pas le code' in page.text('#notice'))
    assert browser.switch_to.active_element.get_attribute('name') == 'code'
    page.fill(code=house.codes['ouvert'])
    page.submit()
    kit = page.text('#kit')
    assert len(kit) > 40 and not page.shown('#tools button')  # nothing that would take the kit away
    page.one('#kit-done').click()
    page.wait(lambda: page.text('h1') == 'Sociétés')
    assert kit not in browser.page_source
    page.one('#logout').click()
    page.one('#recover').click()
    page.fill(recovery_kit=kit[:-1], password='another ' + PASSWORD)
    page.submit()
    page.wait(lambda: page.text('#notice').startswith('Code de secours : ce n’est pas un code de secours'))
    page.fill(recovery_kit=kit, password='another ' + PASSWORD)
    page.submit()
    page.wait(lambda: page.text('h1') == 'Sociétés')
    page.one('#logout').click()
    page.fill(login='camille', password='another ' + PASSWORD)
    page.submit()
    page.one('.letters')
    assert page.complaints(403, 400) == []  # the wrong code, the cut kit


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
    assert browser.title == 'Contacts – Cloison'  # the browser's history keeps titles
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
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
    page.wait(lambda: page.text('#notice') == 'Supprimé.')
    assert page.complaints() == []


def test_a_document_is_sent_found_by_its_contact_and_taken_back(browser, house, tmp_path):
    page = Page(browser, house, 'acme.localhost')
    file = tmp_path / 'Contrat été.txt'
    file.write_bytes(b'bonjour ' * 100000)
    login(page)
    who = house.acme.post('/api/v1/contacts', {'family_name': 'Lefèvre'}).json['id']
    page.open(f'#/contacts/{who}')
    page.one('#documents-of').click()
    page.one('#file').send_keys(str(file))
    page.one('#upload').click()
    page.wait(lambda: page.text('h1') == 'Contrat été.txt')
    made = house.acme.get(f'/api/v1/documents?link=contacts/{who}').json['items'][0]
    assert made['size'] == 800000
    got = browser.execute_async_script('fetch(arguments[0]).then(r => r.text()).then(arguments[1])', page.one('#versions a').get_attribute('href'))
    assert got == 'bonjour ' * 100000
    page.one('#file').send_keys(str(file))
    page.one('#upload').click()
    page.wait(lambda: len(page.shown('#versions a')) == 2)


def test_what_is_refused_is_said_in_the_page_s_language_at_its_field(browser, house):
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.open('#/companies?T').one('#new').click()
    page.fill(name='Très' * 60, siren='123')
    page.submit()
    page.wait(lambda: page.text('#notice') == 'SIREN : neuf chiffres, dont le dernier vérifie les autres.')
    assert browser.switch_to.active_element.get_attribute('name') == 'siren'
    browser.set_window_size(500, 500)
    browser.execute_script('''const field = document.querySelector('[name=siren]');
                              scrollTo(0, scrollY + field.getBoundingClientRect().top);  // in view, but under the notice
                              const button = document.querySelector('main button[type=submit]');
                              button.focus({ preventScroll: true });
                              field.form.requestSubmit(button);''')
    page.wait(lambda: browser.switch_to.active_element.get_attribute('name') == 'siren')
    page.wait(lambda: browser.execute_script('''return document.querySelector('[name=siren]').getBoundingClientRect().top
                                                     >= document.getElementById('notice').getBoundingClientRect().bottom'''))
    browser.set_window_size(1100, 800)
    page.fill(siren='732829320', phone='sans chiffre')
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Téléphone : au moins un chiffre, 64 caractères au plus.')
    page.fill(phone='')
    page.submit()
    page.wait(lambda: page.text('h1') == 'Très' * 60)
    assert browser.execute_script('return document.documentElement.scrollWidth <= innerWidth && scrollY === 0')
    browser.delete_all_cookies()
    page.submit()
    page.wait(lambda: 'session a pris fin' in page.text('#notice'))
    assert page.one('[name=siren]').get_attribute('value') == '732829320'  # what was typed is still there


def test_french_and_english(browser, house):
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.wait(lambda: {'Sociétés', 'Contacts', 'Fonctions', 'Utilisateurs', 'Sessions', 'Journal', 'Clés'} <= set(page.text('#menu').split()))
    page.one('#language').click()
    page.wait(lambda: {'Companies', 'Contacts', 'Functions', 'Users', 'Sessions', 'Journal', 'Keys'} <= set(page.text('#menu').split()))
    page.one('#language').click()
    page.wait(lambda: {'Sociétés', 'Contacts', 'Fonctions', 'Utilisateurs', 'Sessions', 'Journal', 'Clés'} <= set(page.text('#menu').split()))


def test_a_function_is_switched_with_what_it_means_beside_it(browser, house):
    is_on = lambda: next(f['enabled'] for f in house.acme.get('/api/v1/functions').json['items'] if f['name'] == 'references')
    house.acme.switch(('references',), on=False)
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/functions"]').click()
    page.wait(lambda: 'que votre nom et les modules souscrits' in page.text('#references'))
    assert 'désactivée' in page.text('#references h2')
    page.one('#switch-references').click()
    page.wait(lambda: page.text('#notice') == 'Publication de références : fonction activée.')
    assert is_on() and page.text('#switch-references') == 'Désactiver'
    page.one('#switch-references').click()
    page.wait(lambda: page.text('#notice') == 'Publication de références : fonction désactivée.')
    assert not is_on() and page.complaints() == []
    house.acme.switch(('references',))


# C11: a notice is read and acknowledged in the interface
def test_a_notice_is_read_and_acknowledged(browser, house):
    house.cli('terms', 'publish', '-', '--kind', 'terms', '--effective', '2099-01-01', input='Les conditions <b>changent</b>.')
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/notices"]').click()
    page.wait(lambda: 'Les conditions <b>changent</b>.' in page.text('#notice-1'))
    assert 'pas encore remis ; au plus tôt le 1 janvier 2099' in page.text('#notice-1 h2')
    page.one('#acknowledge-1').click()
    page.wait(lambda: page.text('#notice') == 'C’est noté.')
    page.wait(lambda: house.acme.get('/api/v1/notices').json['items'][0]['delivered'])
    assert page.complaints() == []


def test_users_sessions_journal_and_keys(browser, house):
    admin = house.enrolled('menuiserie')
    page = Page(browser, house, 'menuiserie.localhost')
    login(page)

    # A user is invited, takes the invitation elsewhere, gets another role, and goes.
    page.one('#menu a[href="#/users"]').click()
    page.wait(lambda: page.text('h1') == 'Utilisateurs' and rows(page)[0][0] == 'admin')
    page.fill(login='admin')
    page.submit()
    page.wait(lambda: 'déjà pris' in page.text('#notice'))
    page.fill(login='bert')
    page.submit()
    code = page.text('#kit')
    page.one('#kit-done').click()
    page.wait(lambda: len(rows(page)) == 2)
    assert code not in browser.page_source
    bert = house.client('menuiserie')
    assert bert.post('/api/v1/invitations', {'code': code, 'password': PASSWORD}).status == 200
    browser.execute_script("[...document.querySelectorAll('tbody tr')].find(r => r.textContent.includes('bert')).querySelector('select').value = 'reader'")
    browser.execute_script("[...document.querySelectorAll('tbody tr')].find(r => r.textContent.includes('bert')).querySelector('select').dispatchEvent(new Event('change'))")
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
    assert {u['login']: u['role'] for u in admin.get('/api/v1/users').json['items']} == {'admin': 'administrator', 'bert': 'reader'}
    confirmed(browser, page.one('tbody tr button.danger[aria-label$="admin"]'))
    page.wait(lambda: 'autre administrateur' in page.text('#notice'))
    confirmed(browser, page.one('tbody tr button.danger[aria-label$="bert"]'))
    page.wait(lambda: len(rows(page)) == 1)

    # One's sessions: another one ends.
    page.one('#menu a[href="#/sessions"]').click()
    page.wait(lambda: page.text('h1') == 'Sessions')
    assert sum('celle-ci' in r[0] for r in rows(page)) == 1 and len(rows(page)) >= 2
    confirmed(browser, page.one('#end-all'))
    page.wait(lambda: len(rows(page)) == 1)
    assert admin.get('/api/v1/session').status == 401
    assert admin.login().status == 200

    # The journal tells of it, newest first, in words, and is whole.
    page.one('#menu a[href="#/journal"]').click()
    page.wait(lambda: page.text('h1') == 'Journal')
    told = [r[2] for r in rows(page, '#lines tbody tr')]
    assert told.index('Connexion') < told.index('Sessions fermées') < told.index('Utilisateur retiré') < told.index('Droits changés') < told.index('Première ouverture')
    page.one('#verify').click()
    page.wait(lambda: page.text('#notice') == 'Le journal est entier.')

    # A self-sufficient kit is made with its warning, shown once, and removed, after which the key changes.
    page.one('#menu a[href="#/keys"]').click()
    page.wait(lambda: page.text('#alone') == 'Il n’y en a jamais eu.')
    page.one('#new-alone').click()
    assert 'même après la destruction des clés' in browser.switch_to.alert.text
    browser.switch_to.alert.accept()
    kit = page.text('#kit')
    assert admin.post('/api/v1/session', {'recovery_kit': kit}).status == 200
    page.one('#kit-done').click()
    page.wait(lambda: page.text('#alone').startswith('Un code est valable'))
    confirmed(browser, page.one('#remove-alone'))
    page.wait(lambda: page.text('#alone').startswith('Aucun n’est valable'))
    assert house.client('menuiserie').post('/api/v1/session', {'recovery_kit': kit}).status == 401
    assert page.one('#rotate').text == 'Changer de clé'
    # Every control of these pages has a name, every table its caption and heads.
    for fragment in ('users', 'sessions', 'journal', 'keys'):
        page.open(f'#/{fragment}').one('h1')
        page.wait(lambda: page.unnamed() == 0)
    assert page.complaints(409) == []


# C13: connections to other software are the tenant's own to make and to end
def test_a_token_is_made_shown_once_and_ended(browser, house):
    admin = house.enrolled('serrurerie')
    page = Page(browser, house, 'serrurerie.localhost')
    login(page)
    page.one('#menu a[href="#/sessions"]').click()
    page.one('[name=scopes][value=read]').click()
    page.fill(name='Tableur')
    page.one('form:has([name=scopes]) button[type=submit]').click()
    page.wait(lambda: page.text('#notice') == 'Droits : au moins un, et pas plus que les vôtres.')
    assert browser.switch_to.active_element.get_attribute('name') == 'scopes'
    page.one('[name=scopes][value=read]').click()
    page.one('form:has([name=scopes]) button[type=submit]').click()
    token = page.text('#kit')
    page.one('#kit-done').click()
    page.wait(lambda: any(r[:2] == ['jeton d’API', 'Tableur'] for r in rows(page)))
    assert token not in browser.page_source
    robot = house.client('serrurerie', token)
    assert robot.get('/api/v1/companies').status == 200 and robot.post('/api/v1/companies', {'name': 'X'}).status == 403
    made = next(made for made in admin.get('/api/v1/tokens').json['items'] if made['name'] == 'Tableur')
    assert made['scopes'] == ['read'] and made['expires']
    page.one('button[aria-label="Fermer – Tableur"]').click()
    page.wait(lambda: page.text('#notice') == 'Fermé.')
    assert robot.get('/api/v1/companies').status == 401
    assert page.unnamed() == 0 and page.complaints(400) == []


def test_a_member_sees_no_page_that_is_not_theirs(browser, house):
    admin = house.enrolled('cordonnerie')
    made = admin.post('/api/v1/users', {'login': 'bert', 'role': 'member'}).json
    assert house.client('cordonnerie').post('/api/v1/invitations', {'code': made['code'], 'password': PASSWORD}).status == 200
    page = Page(browser, house, 'cordonnerie.localhost').open()
    page.fill(login='bert', password=PASSWORD)
    page.submit()
    menu = page.wait(lambda: (m := set(page.text('#menu').split())) >= {'Sociétés', 'Contacts', 'Sessions'} and m)
    assert not menu & {'Fonctions', 'Utilisateurs', 'Journal', 'Clés'}
    page.open('#/users')
    page.wait(lambda: page.text('h1') == 'Sociétés')


def test_logging_out_and_a_wrong_password(browser, house):
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#logout').click()
    page.fill(login='admin', password='not the password at all')
    page.submit()
    page.wait(lambda: 'refusé' in page.text('#notice'))
    assert browser.execute_script('return document.cookie') == ''  # the cookies are not the page's to read


def test_every_page_of_the_menu_says_what_it_means(browser, house):
    """Nothing that a program left there instead of words."""
    page = Page(browser, house, 'acme.localhost')
    login(page)
    addresses = [a.get_attribute('href') for a in page.shown('#menu a')]
    assert len(addresses) > 10
    for address in addresses:
        browser.get(address)
        text = page.wait(lambda a=address: a.endswith(page.one('#menu a[aria-current]').get_attribute('href').split('#')[1]) and page.text())
        for bad in ('[object', 'undefined', 'null', 'NaN', 'Invalid'):
            assert bad not in text, (address, text)
    assert page.complaints() == []

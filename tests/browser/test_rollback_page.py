"""An older file put back is said in the browser, which goes on from it when an administrator agrees (S4)."""
from house import PASSWORD, wait_for
from page import Page, confirmed, login


# S4: who has seen what is lost is told before anything else, and an administrator goes on from it in the interface
def test_an_older_file_is_said_and_gone_on_from(browser, house):
    def stopped():
        house.cli('tenant', 'stop', 'acme')
        house.wait_state('acme', 'stopped')

    made = house.acme.post('/api/v1/users', {'login': 'bert', 'role': 'member'}).json
    bert = house.client('acme')
    assert bert.post('/api/v1/invitations', {'code': made['code'], 'password': PASSWORD}).status == 200
    page = Page(browser, house, 'acme.localhost')
    login(page)
    stopped()
    file = house.state / 'tenants' / 'acme' / 'data.mdb'
    older = file.read_bytes()
    page.open('#/companies/new')
    page.fill(name='Perdue')
    page.submit()
    page.wait(lambda: page.text('#notice') == 'Enregistré.')
    stopped()
    file.write_bytes(older)
    page.one('#menu a[href="#/companies"]').click()
    page.wait(lambda: page.text('h1') == 'Un état plus ancien a été remis en place')
    assert not page.shown('#menu a') and page.unnamed() == 0

    # Somebody else at this browser is told so, too, and may not decide it.
    page.one('#logout').click()
    page.fill(login='bert', password=PASSWORD)
    page.submit()
    page.wait(lambda: 'Un administrateur peut continuer' in page.text())
    assert not page.shown('#go-on')
    page.one('#logout').click()
    page.fill(login='admin', password=PASSWORD)
    page.submit()
    page.one('#go-on').click()
    browser.switch_to.alert.dismiss()
    wait_for(lambda: house.show('acme')['rollback'] == 'seen', seconds=30, why='the status to say so')
    confirmed(browser, page.one('#go-on'))
    page.one('.letters')
    assert 'rollback_accepted' in [line['act'] for line in house.acme.get('/api/v1/journal').json['items']]
    assert house.acme.get('/api/v1/companies').json['items'] == [] and page.complaints(409) == []

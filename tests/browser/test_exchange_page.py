"""Import and export in the browser: a file is tried, taken, and what is refused is said line by line; records go out as one file (C2)."""
import json

from house import wait_for
from page import Page, login, rows


# C2: import and export are in the tenant's own interface
# C13: whoever imports maps the columns himself
def test_a_file_is_tried_taken_and_goes_out_again(browser, house, tmp_path):
    file = tmp_path / 'sociétés.csv'
    file.write_text('name,siren,address.city\nMenuiserie Ozenfant,732829320,Évry\n"<b>Zinc</b>",123,Nîmes\n')
    names = lambda: [c['name'] for c in house.acme.get('/api/v1/companies?limit=50').json['items']]
    page = Page(browser, house, 'acme.localhost')
    login(page)
    page.one('#menu a[href="#/exchange"]').click()
    page.one('#file').send_keys(str(file))
    page.submit()
    page.wait(lambda: 'À l’essai, rien n’est gardé. Créées : 1 ; modifiées : 0 ; passées : 0 ; refusées : 1.' in page.text('#imported'))
    assert rows(page, '#imported tbody tr')[0][:2] == ['3', 'siren'] and names() == []
    page.one('[name=tried]').click()
    page.submit()
    page.wait(lambda: page.shown('#imported p') and page.text('#imported p').startswith('Créées : 1'))
    assert names() == ['Menuiserie Ozenfant'] and page.unnamed() == 0
    file.write_text('nom\nX\n')
    page.one('#file').send_keys(str(file))
    page.submit()
    page.wait(lambda: page.text('#notice').endswith('Une colonne ne porte le nom d’aucun champ, ou n’est pas dans ce fichier.'))
    page.fill(map='champ:nom')
    page.submit()
    page.wait(lambda: page.text('#notice').startswith('champ : Une colonne'))
    page.one('form:has(#file) [name=format] option[value=json]').click()
    page.submit()
    page.wait(lambda: page.text('#notice').startswith('Colonnes d’une CSV : champ:Colonne'))
    assert browser.switch_to.active_element.get_attribute('name') == 'map'
    page.one('form:has(#file) [name=format] option[value=csv]').click()
    page.fill(map='name:nom')
    page.submit()
    page.wait(lambda: page.shown('#imported p') and page.text('#imported p').startswith('Créées : 1 ;') and not page.shown('#notice'))
    assert sorted(names()) == ['Menuiserie Ozenfant', 'X']
    page.one('#export-form [name=format] option[value=json]').click()
    page.one('#export').click()
    out = wait_for(lambda: next(iter(browser.downloads.glob('*.json')), None), why='the export')
    assert sorted(r['name'] for r in json.loads(out.read_text())) == ['Menuiserie Ozenfant', 'X']
    house.acme.switch(('import', 'export'), on=False)
    page.open('#/companies').one('.letters')
    page.open('#/exchange')
    page.wait(lambda: '« Import de fiches » est une fonction désactivée' in page.text())
    page.one('#file').send_keys(str(file))
    page.submit()
    page.wait(lambda: page.text('#notice').startswith('Cette fonction est désactivée'))
    house.acme.switch(('import', 'export'))
    assert page.complaints(400, 403) == []

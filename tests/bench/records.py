"""Contacts to measure with: seeded, about 470 bytes each as they are served."""
import json
import random

GIVEN = 'Adèle Agnès Anaïs Benoît Camille Chloé Clément Éléonore Élodie Émile Étienne François Gaël Hélène Inès Jérôme Léa Loïc Noé Zoé'.split()
FAMILY = 'Aubert Bérard Bonnet Charpentier Côté Dupont Éluard Faure Garnier Hébert Île Jacquet Kessler Lefèvre Mallet Noël Œuvrard Perrin ' \
         'Quentin Rivière Saint-Germain Thévenot Ümit Vasseur Weber Xavier Yvon Zélande'.split()
CITIES = [('75011', 'Paris'), ('69003', 'Lyon'), ('13006', 'Marseille'), ('30000', 'Nîmes'), ('67000', 'Strasbourg'), ('35000', 'Rennes')]


def contact(chance):
    given, family = chance.choice(GIVEN), chance.choice(FAMILY) + chance.choice(['', '-' + chance.choice(FAMILY)])
    postcode, city = chance.choice(CITIES)
    number = chance.randrange(10**8)
    return {'given_name': given, 'family_name': family, 'company': f'Ateliers {chance.choice(FAMILY)} {number % 1000}', 'title': 'Responsable des achats',
            'emails': [f'contact{number}@exemple.fr'], 'phones': [f'+33 1 {number:08d}'], 'birthday': f'19{50 + number % 50}-0{1 + number % 9}-12',
            'address': {'street': f'{1 + number % 200} rue du Général Leclerc', 'postcode': postcode, 'city': city, 'country': 'FR'},
            'tags': ['client']}


def contacts(count, seed=1):
    """JSON lines, as POST /api/v1/import takes them."""
    chance = random.Random(seed)
    return '\n'.join(json.dumps(contact(chance), ensure_ascii=False, separators=(',', ':')) for _ in range(count)).encode()

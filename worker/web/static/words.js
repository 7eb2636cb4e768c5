// Every word of the interface, French first. A word is looked up by its key; both languages have all of them.
const words = {
  fr: {
    companies: 'Sociétés', contacts: 'Contacts', login: 'Connexion', logout: 'Déconnexion', language: 'English',
    user: 'Identifiant', password: 'Mot de passe', enter: 'Entrer', enrol: 'Première ouverture', code: 'Code d’ouverture',
    enrolWhy: 'Votre hébergeur vous a remis un code. Il sert une seule fois : la clé de vos données est créée ici, dans un espace que votre hébergeur ne peut pas lire.',
    passwordRule: 'Mot de passe (12 caractères au moins)', open: 'Ouvrir', kit: 'Code de secours',
    kitWhy: 'Imprimez ce code et gardez-le en lieu sûr. Il ne sera plus jamais affiché. Sans mot de passe et sans lui, personne ne pourra rouvrir vos données.',
    kitDone: 'Je l’ai mis en lieu sûr', recovery_kit: 'Code de secours', all: 'Tout', other: '#', none: 'Rien ici pour le moment.', more: 'Suite', new: 'Ajouter',
    save: 'Enregistrer', cancel: 'Annuler', remove: 'Supprimer', removeSure: 'Supprimer définitivement ?', saved: 'Enregistré.', removed: 'Supprimé.',
    name: 'Raison sociale', siren: 'SIREN', vat: 'N° de TVA', sector: 'Secteur', phone: 'Téléphone', email: 'Courriel', website: 'Site',
    'address.street': 'Rue', 'address.postcode': 'Code postal', 'address.city': 'Ville', 'address.country': 'Pays',
    given_name: 'Prénom', family_name: 'Nom', company: 'Société', title: 'Fonction', emails: 'Courriels (un par ligne)',
    phones: 'Téléphones (un par ligne)', birthday: 'Anniversaire (AAAA-MM-JJ)', notes: 'Notes', tags: 'Étiquettes (une par ligne)',
    error: 'La demande n’a pas abouti.', offline: 'Le serveur ne répond pas.', wrong: 'Identifiant, mot de passe ou code de secours refusé.', field: '% : ',
    refused: 'trop long, ou d’une forme qui ne convient pas.', ended: 'Votre session a pris fin : reconnectez-vous dans un autre onglet, puis enregistrez.', changed: 'Cette fiche a été modifiée entre-temps ; la voici à jour.',
    wait: 'Trop d’essais ; attendez un peu.', recover: 'Mot de passe perdu', passwordNew: 'Nouveau mot de passe (12 caractères au moins)',
    recoverWhy: 'Avec le code de secours remis à la première ouverture, choisissez un nouveau mot de passe. Le code reste valable.',
    restoring: 'Reprise de vos données', restoringWhy: 'La capsule des clés manque sur cette machine. Un code de secours autonome suffit à en créer une autre : choisissez votre identifiant. Tous les autres mots de passe, sessions et jetons d’avant cessent d’ouvrir.',
    'bad.siren': 'neuf chiffres, dont le dernier vérifie les autres.', 'bad.email': 'une adresse comme nom@exemple.fr.',
    'bad.emails': 'une adresse par ligne, comme nom@exemple.fr.', 'bad.website': 'une adresse http ou https, sans espace.',
    'bad.birthday': 'AAAA-MM-JJ, ou --MM-JJ sans l’année.', 'bad.name': 'à remplir, 256 caractères au plus.',
    'bad.family_name': 'nom ou prénom à remplir, 128 caractères au plus.', 'bad.code': 'ce n’est pas le code remis par votre hébergeur.',
    'bad.password': '12 caractères au moins, 1024 octets au plus.', 'bad.recovery_kit': 'ce n’est pas un code de secours ; cherchez une faute de frappe.',
    'bad.phone': 'au moins un chiffre, 64 caractères au plus.', 'bad.phones': 'un numéro par ligne, avec au moins un chiffre, 64 caractères au plus chacun.',
    'bad.address.postcode': '16 caractères au plus.', 'bad.tags': 'une étiquette par ligne, 64 caractères au plus chacune.', 'type.enrolled': 'Cet espace est déjà ouvert : connectez-vous.',
    'type.not-found': 'Cette fiche n’existe pas ou plus.', 'type.rights': 'Vos droits ne le permettent pas.',
    functions: 'Fonctions', functionsWhy: 'Au-delà de la tenue des fiches, rien n’est fait de vos données sans votre accord. Chaque fonction est désactivée tant qu’un administrateur ne l’a pas activée ; elle se désactive à tout moment, avec effet immédiat.',
    isOn: 'activée', isOff: 'désactivée', textChanged: 'désactivée : son texte a changé', switchOn: 'J’ai lu : activer', switchOff: 'Désactiver', switchedOn: '% : fonction activée.', switchedOff: '% : fonction désactivée.',
    register: 'Données, destinataires, durée', 'register.data': 'Données', 'register.recipients': 'Destinataires', 'register.term': 'Durée', 'register.basis': 'Base légale',
    'type.function-off': 'Cette fonction est désactivée ; un administrateur peut l’activer.', 'type.text-changed': 'Le texte de cette fonction a changé : relisez-le.',
    'type.store-full': 'La place est épuisée : on peut encore lire et supprimer.',
  },
  en: {
    companies: 'Companies', contacts: 'Contacts', login: 'Log in', logout: 'Log out', language: 'Français',
    user: 'Login', password: 'Password', enter: 'Enter', enrol: 'First opening', code: 'Enrolment code',
    enrolWhy: 'Your host gave you a code. It works once: the key to your data is made here, in a place your host cannot read.',
    passwordRule: 'Password (at least 12 characters)', open: 'Open', kit: 'Recovery kit',
    kitWhy: 'Print this code and keep it safe. It will never be shown again. Without a password and without it, nobody can open your data.',
    kitDone: 'I have put it in a safe place', recovery_kit: 'Recovery kit', all: 'All', other: '#', none: 'Nothing here yet.', more: 'More', new: 'Add',
    save: 'Save', cancel: 'Cancel', remove: 'Delete', removeSure: 'Delete for good?', saved: 'Saved.', removed: 'Deleted.',
    name: 'Name', siren: 'SIREN', vat: 'VAT number', sector: 'Sector', phone: 'Phone', email: 'E-mail', website: 'Website',
    'address.street': 'Street', 'address.postcode': 'Postcode', 'address.city': 'City', 'address.country': 'Country',
    given_name: 'Given name', family_name: 'Family name', company: 'Company', title: 'Title', emails: 'E-mails (one a line)',
    phones: 'Phones (one a line)', birthday: 'Birthday (YYYY-MM-DD)', notes: 'Notes', tags: 'Tags (one a line)',
    error: 'The request did not succeed.', offline: 'The server does not answer.', wrong: 'Login, password or recovery kit refused.', field: '%: ',
    refused: 'too long, or of a form that does not fit.', ended: 'Your session has ended: log in again in another tab, then save.', changed: 'This record was changed meanwhile; here is the current one.',
    wait: 'Too many attempts; wait a little.', recover: 'Lost password', passwordNew: 'New password (at least 12 characters)',
    recoverWhy: 'With the recovery kit of the first opening, choose a new password. The kit stays valid.',
    restoring: 'Your data comes back', restoringWhy: 'The key capsule is missing on this machine. A self-sufficient recovery kit is enough to make another one: choose your login. All other passwords, sessions and tokens of before open nothing any more.',
    'bad.siren': 'nine digits, the last of which checks the others.', 'bad.email': 'an address like name@example.org.',
    'bad.emails': 'one address a line, like name@example.org.', 'bad.website': 'an http or https address without spaces.',
    'bad.birthday': 'YYYY-MM-DD, or --MM-DD without a year.', 'bad.name': 'needed, at most 256 characters.',
    'bad.family_name': 'a family or a given name is needed, at most 128 characters.', 'bad.code': 'this is not the code from your host.',
    'bad.password': 'at least 12 characters, at most 1024 bytes.', 'bad.recovery_kit': 'not a recovery kit; look for a slip of the pen.',
    'bad.phone': 'at least one digit, at most 64 characters.', 'bad.phones': 'one number a line, with at least one digit, at most 64 characters each.',
    'bad.address.postcode': 'at most 16 characters.', 'bad.tags': 'one tag a line, at most 64 characters each.', 'type.enrolled': 'This space is open already: log in.',
    'type.not-found': 'This record is not there, or no longer.', 'type.rights': 'Your rights do not cover this.',
    functions: 'Functions', functionsWhy: 'Beyond keeping records, nothing is done with your data unless you agree. Each function is off until an administrator switches it on; it can be switched off at any time, with immediate effect.',
    isOn: 'on', isOff: 'off', textChanged: 'off: its text has changed', switchOn: 'I have read this: switch on', switchOff: 'Switch off', switchedOn: '%: switched on.', switchedOff: '%: switched off.',
    register: 'Data, recipients, term', 'register.data': 'Data', 'register.recipients': 'Recipients', 'register.term': 'Term', 'register.basis': 'Legal basis',
    'type.function-off': 'This function is off; an administrator can switch it on.', 'type.text-changed': 'The text of this function has changed: read it again.',
    'type.store-full': 'The space is used up: reading and deleting go on.',
  },
};

let language = (localStorage.getItem('language') || navigator.language || 'fr').startsWith('en') ? 'en' : 'fr';

export const has = key => key in words[language];
export const t = key => words[language][key] ?? key;
export const current = () => language;
export function switchLanguage() {
  language = language === 'fr' ? 'en' : 'fr';
  localStorage.setItem('language', language);
}

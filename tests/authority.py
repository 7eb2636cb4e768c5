"""A certification authority for tests: a root and an intermediate that sign what tenants ask for."""
import datetime
import re
import subprocess


def openssl(*arguments, input=None, check=True):
    return subprocess.run(['openssl', *map(str, arguments)], input=input, check=check, capture_output=True, text=True)


class Authority:
    """A root and an intermediate, made with openssl."""

    def __init__(self, folder):
        self.folder = folder
        curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
        openssl('req', '-x509', *curve, '-keyout', folder / 'root.key', '-out', folder / 'root.pem', '-days', '10', '-subj', '/CN=Racine',
                '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
        openssl('req', *curve, '-keyout', folder / 'middle.key', '-out', folder / 'middle.csr', '-subj', '/CN=Intermédiaire', '-utf8')
        (folder / 'middle.ext').write_text('basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n')
        openssl('x509', '-req', '-in', folder / 'middle.csr', '-CA', folder / 'root.pem', '-CAkey', folder / 'root.key', '-days', '10',
                '-extfile', folder / 'middle.ext', '-out', folder / 'middle.pem')
        self.root = str(folder / 'root.pem')
        self.middle = (folder / 'middle.pem').read_text()
        (folder / 'index').write_text('')
        self.serial = 100

    def sign(self, csr, hosts=None, days=5, begins=None, ends=None):
        """The chain for a request: leaf and intermediate. hosts: others than are asked for; begins, ends: datetimes."""
        self.serial += 1
        (self.folder / 'leaf.csr').write_text(csr)
        names = hosts or re.findall(r'DNS:([a-z0-9.-]+)', openssl('req', '-in', self.folder / 'leaf.csr', '-noout', '-text').stdout)
        (self.folder / 'ca.cnf').write_text(f'''[ca]
default_ca = d
[d]
database = {self.folder}/index
rand_serial = yes
default_md = sha256
policy = p
new_certs_dir = {self.folder}
unique_subject = no
email_in_dn = no
[p]
commonName = optional
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {','.join(f'DNS:{n}' for n in names)}
''')
        now = datetime.datetime.now(datetime.timezone.utc)
        begins, ends = begins or now - datetime.timedelta(minutes=5), ends or now + datetime.timedelta(days=days)
        openssl('ca', '-batch', '-config', self.folder / 'ca.cnf', '-extensions', 'leaf', '-cert', self.folder / 'middle.pem', '-keyfile', self.folder / 'middle.key',
                '-startdate', begins.strftime('%Y%m%d%H%M%SZ'), '-enddate', ends.strftime('%Y%m%d%H%M%SZ'), '-notext', '-subj', f'/CN={names[0]}',
                '-in', self.folder / 'leaf.csr', '-out', self.folder / 'leaf.pem')
        return (self.folder / 'leaf.pem').read_text() + self.middle

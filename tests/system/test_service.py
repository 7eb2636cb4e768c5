"""What `make install` lays down, and what systemd, mandoc and cloisond itself think of it. The unit is started for real in tests/vm."""
import os
import pathlib
import re
import stat
import subprocess

import pytest
from house import BUILD, REPO


@pytest.fixture(scope='module')
def stage(tmp_path_factory):
    """The system as the package's files make it, with its users and directories."""
    root = tmp_path_factory.mktemp('stage')
    subprocess.run(['make', '-s', '-C', REPO, f'BUILD={BUILD}', f'DESTDIR={root}', 'PREFIX=/usr', 'install'], check=True, umask=0o022, timeout=600)
    made = subprocess.run(['systemd-sysusers', f'--root={root}'], check=True, capture_output=True, text=True)
    assert 'not a valid' not in made.stderr, made.stderr
    subprocess.run(['systemd-tmpfiles', f'--root={root}', '--create', '--prefix=/run/cloison', '--prefix=/var/lib/cloison'], check=True, capture_output=True)
    return root


@pytest.fixture(scope='module')
def unit(stage, tmp_path_factory):
    """The installed unit where systemd-analyze finds its program: nothing else is changed."""
    text = (stage / 'usr/lib/systemd/system/cloisond.service').read_text()
    moved = tmp_path_factory.mktemp('unit') / 'cloisond.service'
    moved.write_text(text.replace('ExecStart=/usr/sbin/cloisond', f'ExecStart={stage}/usr/sbin/cloisond'))
    assert moved.read_text() != text
    return moved


def analyze(*arguments, stage):
    environment = os.environ | {'MANPATH': str(stage / 'usr/share/man'), 'SYSTEMD_LOG_LEVEL': 'info'}
    return subprocess.run(['systemd-analyze', '--no-pager', *arguments], capture_output=True, text=True, env=environment, timeout=120)


def test_everything_is_laid_down(stage):
    programs = ['sbin/cloisond', 'bin/cloison', 'libexec/cloison/cloison-router', 'libexec/cloison/cloison-steward', 'libexec/cloison/cloison-courier', 'libexec/cloison/cloison-worker']
    texts = ['lib/systemd/system/cloisond.service', 'lib/sysusers.d/cloison.conf', 'lib/tmpfiles.d/cloison.conf', 'share/man/man1/cloison.1',
             'share/man/man5/cloison.conf.5', 'share/man/man8/cloisond.8', 'share/doc/cloison/haproxy/haproxy.cfg',
             'share/doc/cloison/nginx/stream.conf', 'share/doc/cloison/nginx/http.conf']
    for names, mode in ((programs, 0o755), (texts, 0o644)):
        for name in names:
            found = (stage / 'usr' / name).stat()
            assert stat.S_IMODE(found.st_mode) == mode and found.st_uid == 0, name
    assert (stage / 'etc/cloison/cloison.conf').exists()
    left = [p for p in stage.rglob('*') if p.is_file() and b'@PREFIX@' in p.read_bytes()]
    assert not left


def test_an_installed_configuration_is_kept(stage):
    path = stage / 'etc/cloison/cloison.conf'
    was = path.read_text()
    path.write_text(was + '# mine\n')
    subprocess.run(['make', '-s', '-C', REPO, f'BUILD={BUILD}', f'DESTDIR={stage}', 'PREFIX=/usr', 'install'], check=True, umask=0o022, timeout=600)
    assert path.read_text() == was + '# mine\n'
    path.write_text(was)


def test_users_groups_and_directories(stage):
    users = {line.split(':')[0]: line.strip().split(':') for line in open(stage / 'etc/passwd')}
    groups = {line.split(':')[0] for line in open(stage / 'etc/group')}
    for user in ('cloison-router', 'cloison-steward', 'cloison-courier'):
        assert int(users[user][2]) < 1000 and users[user][6].endswith('nologin')
    assert {'cloison-status', 'cloison-operator', 'cloison-registrar', 'cloison-auditor', 'cloison-support', 'cloison-proxy'} <= groups
    assert stat.S_IMODE((stage / 'var/lib/cloison').stat().st_mode) == 0o711
    assert stat.S_IMODE((stage / 'run/cloison').stat().st_mode) == 0o755


def test_the_shipped_configuration_is_fine(stage):
    """cloisond -t where /etc/passwd and /etc/group are those that sysusers makes."""
    script = f'mount --bind {stage}/etc/passwd /etc/passwd && mount --bind {stage}/etc/group /etc/group && ' \
             f'exec {stage}/usr/sbin/cloisond -t -c {stage}/etc/cloison/cloison.conf'
    checked = subprocess.run(['unshare', '-m', 'sh', '-c', script], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0 and 'fine' in checked.stderr, checked.stderr
    # Without those users it is not: the check looks at the machine.
    script = f'mount --bind /dev/null /etc/passwd && exec {stage}/usr/sbin/cloisond -t -c {stage}/etc/cloison/cloison.conf'
    checked = subprocess.run(['unshare', '-m', 'sh', '-c', script], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 1 and 'cloison-router' in checked.stderr, checked.stderr


@pytest.mark.parametrize('example', ['commented', 'manual'])
def test_the_examples_are_fine(stage, example, tmp_path):
    """What the shipped file offers as comments, and the manual page's own example."""
    if example == 'commented':
        text = (stage / 'etc/cloison/cloison.conf').read_text()
        opened = re.sub(r'(?m)^#(listener )', r'\1', text)
        assert opened != text
    else:
        page = (REPO / 'deploy/man/cloison.conf.5').read_text()
        opened = re.search(r'\.Sh EXAMPLES.*?\.Bd -literal[^\n]*\n(.*?)\.Ed', page, re.S)[1].replace('\\(dq', '"')
        assert 'listener' in opened
        opened = opened.replace('group = wheel', 'group = adm')  # a group that Debian has
    path = tmp_path / 'cloison.conf'
    path.write_text(opened)
    path.chmod(0o600)
    script = f'mount --bind {stage}/etc/passwd /etc/passwd && cat /etc/group >>{stage}/etc/group && mount --bind {stage}/etc/group /etc/group && ' \
             f'exec {stage}/usr/sbin/cloisond -t -c {path}'
    checked = subprocess.run(['unshare', '-m', 'sh', '-c', script], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr


def test_the_unit_is_little_exposed(stage, unit):
    looked = analyze('security', '--offline=true', '--threshold=35', str(unit), stage=stage)
    level = re.search(r'Overall exposure level for cloisond.service: ([0-9.]+)', looked.stdout)
    assert level, looked.stdout + looked.stderr
    assert float(level[1]) <= 3.5 and looked.returncode == 0, looked.stdout


def test_systemd_has_nothing_to_say_about_the_unit(stage, unit):
    looked = analyze('verify', '--man=no', str(unit), stage=stage)
    assert (looked.returncode, looked.stdout, looked.stderr) == (0, '', '')


def test_what_the_unit_refers_to_is_documented(stage, unit):
    pages = re.findall(r'man:([a-z.-]+)\((\d)\)', unit.read_text())
    assert pages
    for name, section in pages:
        assert (stage / f'usr/share/man/man{section}/{name}.{section}').exists(), name


@pytest.mark.parametrize('page', sorted(p.name for p in (REPO / 'deploy/man').glob('*.[158]')))
def test_manual_pages_are_clean(page):
    path = REPO / 'deploy/man' / page
    said = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', path], capture_output=True, text=True).stdout
    said = '\n'.join(line for line in said.splitlines() if 'referenced manual not found' not in line)
    assert not said


def test_manual_pages_refer_to_pages_that_exist():
    """Every own page in a cross-reference is shipped."""
    shipped = {p.name for p in (REPO / 'deploy/man').glob('*.[158]')}
    for page in (REPO / 'deploy/man').glob('*.[158]'):
        for name, section in re.findall(r'(?m)^\.Xr (cloison\S*) (\d)', page.read_text()):
            assert f'{name}.{section}' in shipped, f'{page.name} refers to {name}({section})'


def test_the_manual_names_every_verb_and_option(stage):
    """What `cloison --help` offers stands in cloison(1), what the configuration knows stands in cloison.conf(5)."""
    offered = subprocess.run([stage / 'usr/bin/cloison', '--help'], capture_output=True, text=True).stdout
    page = (REPO / 'deploy/man/cloison.1').read_text()
    verbs = re.findall(r'(?m)^  ((?:tenant |ledger )?[a-z-]+)', offered)
    assert len(verbs) > 10
    for verb in verbs:
        assert verb in page or all(word in page for word in verb.split()), verb
    source = (REPO / 'supervisor/config.c').read_text()
    options = set(re.findall(r'(?m)^    \{"([a-z_]+)", [A-Z_]+, AT\(', source) + re.findall(r'CFG_(?:STR|STR_LIST|SEC)\("([a-z_]+)"', source))
    page = (REPO / 'deploy/man/cloison.conf.5').read_text()
    assert len(options) > 20
    for option in options:
        assert re.search(rf'\b{option}\b', page), option


def test_every_binary_is_hardened(stage):
    for program in (stage / 'usr').rglob('cloison*'):
        if not program.is_file() or not os.access(program, os.X_OK):
            continue
        said = subprocess.run(['readelf', '-Wldn', program], capture_output=True, text=True).stdout
        assert 'GNU_RELRO' in said and re.search(r'BIND_NOW|FLAGS.*NOW', said) and 'PIE' in said, program
        stack = re.search(r'GNU_STACK\s+\S+ \S+ \S+ \S+ \S+ (\S+)', said)
        assert stack and stack[1] == 'RW', program
        if program.name == 'cloison-worker':
            assert 'INTERP' not in said and 'NEEDED' not in said  # opens no library
        else:
            needed = re.findall(r'NEEDED\)\s+Shared library: \[(.*?)\]', said)
            kept_out = {'cloison-courier': ('liblmdb',), 'cloison': ('liblmdb', 'libcurl'), 'cloison-loader': ('libssl', 'libcurl')}.get(
                program.name, ('libssl', 'libcrypto', 'liblmdb', 'libcurl'))
            assert not [n for n in needed if n.startswith(kept_out)], program  # no key, no store outside the worker; hashes and TLS in the courier
        assert not re.search(r'R(UN)?PATH', said), program

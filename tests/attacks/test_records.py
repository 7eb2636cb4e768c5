"""The provider cuts or exchanges its own records while cloisond does not run: requests, undertakings, notices and their texts.

Each is a file that reads well by itself; the ledger, whose end the tenants keep sealed, knows its end."""
import datetime
import json
import os
import signal

import pytest

from house import STAFF_UID, House, wait_for

DISCLOSURE = ('disclosure', 'request', 'acme', '--ground', 'law', '--recipient', 'Court', '--reason', 'Order', '--scope', 'registry')


def day(days):
    return str((datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).date())


@pytest.fixture(scope='module')
def own():
    """With one of each: a disclosure that is held, an undertaking that was ended, a notice."""
    with House() as h:
        h.cli('tenant', 'create', 'acme', '--host', 'acme.example')
        asked = h.cli('--json', *DISCLOSURE, '--hold-until', day(3), duties=('registrar',))
        h.before = {'undertakings': (h.state / 'undertakings').read_bytes()}
        h.cli('disclosure', 'approve', str(json.loads(asked.stdout)['number']), uid=STAFF_UID + 1, duties=('auditor',))
        h.cli('undertaking', 'end')
        text = h.root / 'terms'
        text.write_text('Nothing changes.\n')
        os.chmod(h.root, 0o755)
        os.chmod(text, 0o644)
        h.cli('undertaking', 'sign', '1')
        h.cli('terms', 'publish', str(text), '--kind', 'terms', '--effective', day(400))
        h.stop()
        yield h


def cut(h):
    """The last line of a record that is chained by hash goes."""
    lines = (h.state / 'requests').read_bytes().splitlines(keepends=True)
    return {'requests': b''.join(lines[:-1])}


def older(h):
    return {'undertakings': h.before['undertakings']}


def other_text(_):
    return {'notices/1.text': b'Everything changes.\n'}


def other_day(h):
    fields = (h.state / 'notices/record').read_bytes().split(b'\t')
    fields[4] = b'%d' % (int(fields[4]) - 86400000)
    return {'notices/record': b'\t'.join(fields)}


def all_gone(_):
    return {'requests': b''}


# S1, S9, S13: a record that was cut or exchanged does not open: the ledger knows its end
@pytest.mark.parametrize('change', [cut, all_gone, older, other_text, other_day], ids=lambda f: f.__name__)
def test_a_changed_record_stops_the_start(own, change):
    changed = change(own)
    kept = {name: (own.state / name).read_bytes() for name in changed}
    for name, content in changed.items():
        assert kept[name] != content
        (own.state / name).write_bytes(content)
    with pytest.raises(AssertionError, match='not those that the ledger knows|text: missing or damaged'):
        own.start()
    for name, content in kept.items():
        (own.state / name).write_bytes(content)


# S1, S9: a new file of the ledger knows them from its beginning, and a kill leaves what fits
def test_a_new_file_knows_them():
    with House(ledger_file_max='64K') as h:
        h.cli('tenant', 'create', 'acme', '--host', 'acme.example')
        while not list(h.state.glob('ledger-*')):
            h.cli('tenant', 'set', 'acme', '--title', 'Acme SA')
        assert wait_for(lambda: '\tundertakings ' in (h.state / 'ledger').read_text(), why='its line in the new file')
        h.cli('undertaking', 'sign', '1')
        h.stop(signal.SIGKILL)
        h.start()
        assert json.loads(h.cli('--json', 'ledger', 'verify').stdout)['sound']

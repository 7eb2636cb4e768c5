"""From inside a worker that has been taken over: at most that worker ends, and fifty other tenants go on as if nothing were (S4, H1, H2).

The hostile worker is hostile/hostile.c: the jail and the wall of the real one, then the misdeed that its tenant's name tells it. It lives
in one house with fifty real workers. After each misdeed the fifty are asked again, on the connections that they had before: none of them
was restarted.
"""
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from house import BUILD, DUTIES, PLAN, STAFF_UID, House, destinations, wait_for

OTHERS = 50
PATIENCE = 3  # seconds within which the slowest of the fifty must have answered, with two processors and all of it going on
HOSTILE = BUILD / 'attacks/hostile'
SIGSYS, SIGSEGV, SIGKILL = -31, -11, -9


class Others:
    """Fifty honest tenants, each on a connection kept open since the beginning."""

    def __init__(self, house, names):
        self.house, self.names = house, names
        self.clients = [house.client(name, timeout=PATIENCE) for name in names]
        self.all_answer()
        self.before = self.processes()

    def processes(self):
        return {t['name']: (t['pid'], t['starts'], t['crashes']) for t in self.house.status_get('/v1/status').json['tenants'] if t['name'] in self.names}

    def all_answer(self):
        """Asks each; returns the slowest answer in seconds. A connection that was closed meanwhile is a failure."""
        slowest = 0
        for client in self.clients:
            begun = time.monotonic()
            answer = client.request('GET', '/api/v1/health', again=False)
            slowest = max(slowest, time.monotonic() - begun)
            assert answer.status == 200 and answer.json['state'] in ('sealed', 'serving'), (client.host, answer)
        assert slowest < PATIENCE
        return slowest

    def are_as_before(self):
        self.all_answer()
        assert self.processes() == self.before


def fds(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def child_of(house, name):
    """The pid of the router or steward of a house."""
    for pid in open(f'/proc/{house.process.pid}/task/{house.process.pid}/children').read().split():
        if open(f'/proc/{pid}/comm').read().startswith(name):
            return int(pid)
    raise AssertionError(f'no {name}')


def hostile_house():
    """Not started yet. Tenants named evil-… are hostile, others real."""
    h = House(binaries={'cloison-worker': HOSTILE}, max_workers=400)
    shutil.copy(BUILD / 'cloison-worker', h.bin / 'cloison-worker.real')
    os.chmod(h.bin / 'cloison-worker.real', 0o755)
    return h


@pytest.fixture(scope='module')
def house():
    with hostile_house() as h:
        h.acme = h.enrolled('acme')
        for i in range(OTHERS - 1):
            h.create(f'other-{i}')
        try:
            h.others = Others(h, ['acme', *(f'other-{i}' for i in range(OTHERS - 1))])
        except BaseException:
            print(h.logged())
            raise
        h.slow = slow_ones(h)
        yield h


def slow_ones(house):
    """What takes its limit of seconds to be over is begun first and looked at last. Returns the waiting command by misdeed."""
    waiting = {}
    for misdeed, command in (('spin', 'stop'), ('spin--2', 'stop'), ('never-drain', 'stop'), ('deaf', 'stop'), ('csr-never', 'csr'), ('never-ready', 'start')):
        name = f'evil-{misdeed}'
        house.create(name)
        if misdeed != 'never-ready':
            assert house.control('POST', f'/v1/tenants/{name}/start').status == 200
        if misdeed == 'spin--2':
            for _ in range(10):
                house.others.all_answer()  # two of them turn in circles meanwhile
        staff = dict(user=STAFF_UID, group=STAFF_UID, extra_groups=list(DUTIES.values()))
        waiting[misdeed] = subprocess.Popen([house.bin / 'cloison', '-S', house.run, 'tenant', command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **staff)
    return waiting


def begin(house, misdeed):
    """Creates and starts the tenant of a misdeed; the status of the answer."""
    name = f'evil-{misdeed}'
    house.create(name)
    return house.control('POST', f'/v1/tenants/{name}/start').status


def done_with(house, misdeed):
    """Kept stopped, so that the next misdeed is alone."""
    house.control('POST', f'/v1/tenants/evil-{misdeed}/suspend')


def fell(house, misdeed):
    """Waits until the worker has ended; what the status says then."""
    name = f'evil-{misdeed}'

    def look():
        shown = house.show(name)
        return shown if shown['crashes'] >= 1 and shown['state'] == 'throttled' else None
    return wait_for(look, 10, why=f'{name} to have fallen: {house.show(name)}')


def said_of(house, misdeed):
    return [line for line in house.logged().splitlines() if f'tenant evil-{misdeed}: ' in line]


def hello(host):
    """The bytes of a ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=host).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


def knock(house, name):
    s = socket.create_connection(('127.0.0.1', house.tls_port), timeout=10)
    s.sendall(hello(f'{name}.localhost'))
    return s


# ---- what a hostile worker must go through like any other ----

def test_the_hostile_worker_is_started_like_the_real_one(house):
    """Else all that follows would prove nothing: with no misdeed it is ready, takes connections and leaves when asked."""
    assert begin(house, 'none') == 200
    shown = house.show('evil-none')
    assert shown['state'] == 'sealed' and shown['crashes'] == 0 and shown['posture']['seccomp'] == 'on'
    knock(house, 'evil-none').close()
    assert house.control('POST', '/v1/tenants/evil-none/stop').status == 200
    shown = house.show('evil-none')
    assert shown['state'] == 'stopped' and shown['last_exit'] == 0 and shown['crashes'] == 0
    done_with(house, 'none')


# ---- system calls ----

def misdeeds_in(table):
    """The names in one of hostile's tables, so that none is forgotten here."""
    text = (pathlib.Path(__file__).parent / 'hostile' / table).read_text()
    return re.findall(r'DEED\(\w+, "([^"]+)"\)', text)


@pytest.mark.parametrize('call', misdeeds_in('calls.c'))
def test_a_call_that_is_not_on_the_list_ends_it(house, call):
    begin(house, f'call-{call}')
    shown = fell(house, f'call-{call}')
    assert shown['last_exit'] == SIGSYS and shown['throttled_until'], said_of(house, f'call-{call}')
    done_with(house, f'call-{call}')
    house.others.are_as_before()


# H1: a worker that was taken over tries everything; fifty others go on
@pytest.mark.parametrize('misdeed', ['all-calls', 'other-walls', 'modes', 'fill-the-disk'])
def test_nothing_is_in_reach(house, misdeed):
    """Every other system call from children within the jail; what the walls beside seccomp must hold; what uids and modes must hold."""
    status = begin(house, misdeed)
    shown = house.show(f'evil-{misdeed}')
    assert status == 200 and shown['state'] == 'sealed' and shown['crashes'] == 0, (shown, said_of(house, misdeed))
    done_with(house, misdeed)
    house.others.are_as_before()


# ---- lies on the channel: ended by the supervisor, with the reason ----

TABLE = 'sent what is not in the table'
NOT_NOW = 'said what is not allowed now'
UNASKED = 'answered what it was not asked'
NO_MESSAGE = 'passed what is no message to the support'
LIES = {
    'size-0': 'closed its channel', 'size-1': TABLE, 'size-head': TABLE, 'size-less': TABLE, 'size-more': TABLE, 'size-huge': TABLE,
    'fd-unwanted': TABLE, 'fd-missing': TABLE, 'fds-two': TABLE, 'fds-three': TABLE, 'fds-253': TABLE,
    'type-0': TABLE, 'type-unknown': TABLE, 'type-wild': TABLE, 'type-router-ready': TABLE, 'type-router-want': TABLE,
    'type-steward-ready': TABLE, 'type-credit': TABLE, 'type-downward': TABLE, 'type-start': TABLE, 'type-answer': TABLE, 'type-act': TABLE,
    'state-wild': TABLE, 'claim-nonsense': TABLE, 'claim-unnamed-layer': TABLE,
    'ready-twice': NOT_NOW, 'enrolled-early': NOT_NOW, 'state-early': NOT_NOW,
    'enrolled-twice': 'talks too much', 'permit-done': 'gives back a permit it does not have',
    'permit-flood': 'wants more permits than', 'chain-done': UNASKED, 'csr-unasked': UNASKED, 'talk': 'talks too much',
    'support-huge': NO_MESSAGE, 'support-pipe': NO_MESSAGE, 'support-device': NO_MESSAGE,
    'support-flood': 'talks too much', 'support-ask-flood': 'talks too much',
    'lines-twice': 'asks for its lines before it has them', 'lines-again': 'talks too much',
    'generation-next': 'speaks for another', 'tenant-other': 'speaks for another', 'tenant-none': 'speaks for another',
    'close-channel': 'closed its channel', 'close-before-ready': 'closed its channel', 'leave-at-once': 'closed its channel',
}


@pytest.mark.parametrize('misdeed', LIES)
def test_a_lie_ends_it(house, misdeed):
    begin(house, misdeed)
    shown = fell(house, misdeed)
    assert shown['last_exit'] == SIGKILL and shown['throttled_until'], shown
    assert any(f'its worker is ended: it {LIES[misdeed]}' in line for line in said_of(house, misdeed)), said_of(house, misdeed)
    done_with(house, misdeed)
    house.others.are_as_before()


def kept_of(house, misdeed):
    return [t for t in house.control('GET', '/v1/support', duties=('support',)).json['traces'] if t['tenant'] == f'evil-{misdeed}']


def test_what_it_writes_to_the_support_is_bounded_and_opens_as_nothing(house, tmp_path):
    """S7: bytes of its own choice are kept as bytes; the command that opens them says so. Of a flood a bounded part is kept."""
    assert len(kept_of(house, 'support-flood')) <= 12 and not kept_of(house, 'support-huge') + kept_of(house, 'support-pipe')
    assert begin(house, 'support-garbage') == 200
    trace = wait_for(lambda: kept_of(house, 'support-garbage'), why='the trace')[0]
    key = tmp_path / 'key'
    subprocess.run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key], check=True)
    key.chmod(0o644)
    shutil.copy(key, house.root / 'key')
    run = house.cli('support', 'show', str(trace['id']), '--key', house.root / 'key', duties=('support',), check=False)
    assert run.returncode == 1 and 'no sealed message' in run.stderr and not run.stdout
    done_with(house, 'support-garbage')


def test_a_late_message_is_not_heard(house):
    """Of a generation that is over: no reason to end the present one, and nothing comes of it."""
    assert begin(house, 'generation-late') == 200
    time.sleep(0.2)
    shown = house.show('evil-generation-late')
    assert shown['state'] == 'sealed' and shown['crashes'] == 0
    done_with(house, 'generation-late')


# ---- lies about the walls ----

WALLS = {
    'no-wall': 'has no filter of its own', 'no-rights': 'holds capabilities', 'no-namespaces': 'holds capabilities',
    'nothing-closed': 'has no filter of its own', 'ready-by-child': 'is not our child',
    'claim-landlock-off': 'the layer landlock is missing', 'claim-no-secret-memory': 'the layer secret_memory is missing',
}


@pytest.mark.parametrize('misdeed', WALLS)
def test_a_worker_without_its_walls_does_not_start(house, misdeed):
    """It claims them all; the supervisor looks at the process itself."""
    assert begin(house, misdeed) == 503
    shown = fell(house, misdeed)
    assert any(WALLS[misdeed] in line for line in said_of(house, misdeed)), said_of(house, misdeed)
    assert shown['last_exit'] == SIGKILL
    assert not any('sealed' in line for line in said_of(house, misdeed))  # never a connection for it
    done_with(house, misdeed)
    house.others.are_as_before()


# ---- sudden ends, and the wait after them ----

@pytest.mark.parametrize('misdeed, status', [('fail-at-once', 3), ('crash-at-once', SIGSEGV), ('crash-ready', SIGSEGV), ('leave-ready', 0)])
def test_a_sudden_end_is_told(house, misdeed, status):
    begin(house, misdeed)
    shown = fell(house, misdeed)
    assert shown['last_exit'] == status
    done_with(house, misdeed)
    house.others.are_as_before()


def test_one_that_falls_again_and_again_waits_longer_and_longer(house):
    """Two seconds, four, eight, however many connections ask for it: 60 s at most (tests/unit/lifecycle_test.c). Status and metrics go on."""
    name = 'evil-crash-at-once--again'
    house.create(name)
    waits, seen = [], 0
    end = time.monotonic() + 25
    while len(waits) < 3 and time.monotonic() < end:
        knock(house, name).close()
        house.others.all_answer()
        shown = house.show(name)
        if shown['state'] == 'throttled' and shown['crashes'] > seen:
            assert shown['crashes'] == seen + 1  # no faster than the wait allows
            seen = shown['crashes']
            waits.append(shown['throttled_until'] - shown['since'])
    assert [abs(wait - known) <= 1 for wait, known in zip(waits, (2, 4, 8))] == [True] * 3, waits
    house.control('POST', f'/v1/tenants/{name}/suspend')


# ---- too much ----

# S3: garbage in the page is numbers, shown to two digits
def test_counters_full_of_garbage_are_still_numbers(house):
    """Status stays JSON and the metrics stay metrics, whatever a worker writes in its page."""
    assert begin(house, 'counters') == 200
    time.sleep(0.1)
    house.control('POST', '/v1/tenants/evil-counters/stop')  # the last numbers count
    for target in ('/v1/status', '/v1/tenants/evil-counters', '/v1/tenants', '/v1/posture'):
        json.loads(house.status_get(target).body.decode(), parse_constant=lambda word: pytest.fail(f'{word} is no JSON'))
    lines = house.status_get('/metrics').body.decode().splitlines()
    mine = [line for line in lines if 'evil-counters' in line]
    assert mine
    for line in lines:
        assert line.startswith('#') or re.fullmatch(r'[a-z_]+(\{[^{}]*\})? -?[0-9.eE+]+', line), line
    assert house.cli('top', '--once', check=False).returncode in (0, 2)
    assert house.cli('status').stdout
    done_with(house, 'counters')
    house.others.are_as_before()


def test_a_thread_bomb_ends_it(house):
    begin(house, 'thread-bomb')
    assert fell(house, 'thread-bomb')['last_exit'] == SIGSYS
    done_with(house, 'thread-bomb')


def test_a_memory_bomb_is_its_own(house):
    """512 MiB, touched. Where a cgroup bounds it the kernel ends it; where there is none the posture says so (tests/vm has one)."""
    begin(house, 'memory-bomb')
    bounded = house.show('evil-memory-bomb')['posture'].get('cgroup_limits') == 'on'
    if bounded:
        assert fell(house, 'memory-bomb')['last_exit'] == SIGKILL
    else:
        assert house.show('evil-memory-bomb')['posture']['cgroup_limits'] == 'unavailable'
    house.others.are_as_before()
    done_with(house, 'memory-bomb')


def test_permits_that_are_kept_are_taken_back(house):
    """A password takes a permit of the machine. Tenants that take all they can get and give none back must not keep others from logging in."""
    hoards = [f'permit-hoard--{i}' for i in range(os.sysconf('SC_NPROCESSORS_ONLN'))]  # as many as there are permits
    for hoard in hoards:
        begin(house, hoard)
    client = house.client('acme', timeout=30)
    answer = client.login()
    assert answer.status in (200, 201), answer
    for hoard in hoards:
        assert fell(house, hoard)['last_exit'] == SIGKILL
        assert any('keeps a permit too long' in line for line in said_of(house, hoard))
        done_with(house, hoard)
    house.others.are_as_before()


# ---- the hand-over ----

def test_connections_that_are_never_taken_block_nobody():
    """Fds in flight count for the router's uid, whoever lets them lie: credits bound them for each worker. In a house of its own,
    with so few fds that ten hoarders without credits would use them up."""
    few = ['prlimit', '--nofile=1500:1500', 'setpriv', '--bounding-set=-sys_resource']
    h = hostile_house()
    try:
        h.start(wrapper=few)
        for i in range(10):
            h.create(f'other-{i}')
        others = Others(h, [f'other-{i}' for i in range(10)])
        hoarders = [f'evil-take-none--{i}' for i in range(10)]
        for name in hoarders:
            h.create(name)
            assert h.control('POST', f'/v1/tenants/{name}/start').status == 200
        knocks = []
        for _ in range(200):
            knocks += [knock(h, name) for name in hoarders]
        for _ in range(5):
            others.are_as_before()
            for i in range(10):  # a new hand-over each
                client = h.client(f'other-{i}', timeout=PATIENCE)
                assert client.request('GET', '/api/v1/health', again=False).status == 200
                client.close()
    finally:
        h.__exit__()


@pytest.mark.parametrize('misdeed', ['credit-more', 'credit-zero', 'credit-wild', 'credit-short', 'credit-fd', 'credit-flood', 'hand-back', 'hang-up'])
def test_a_lie_to_the_router_ends_it(house, misdeed):
    """The router closes the socket of the liar and of nobody else; with the second one that it loses so the worker ends."""
    assert begin(house, misdeed) == 200
    knocks = []
    for _ in range(100):
        knocks.append(knock(house, f'evil-{misdeed}'))
        time.sleep(0.05)
        if house.show(f'evil-{misdeed}')['crashes']:
            break
    assert fell(house, misdeed)['last_exit'] == SIGKILL
    assert any('lost its hand-over socket again' in line for line in said_of(house, misdeed)), said_of(house, misdeed)
    for s in knocks:
        s.close()
    done_with(house, misdeed)
    house.others.are_as_before()
    assert house.status_get('/v1/status').json['router_starts'] == 1


def test_connections_that_are_kept_unanswered_are_its_own(house):
    """It takes all there are and gives no credit: it gets no more, and nobody else gets fewer."""
    assert begin(house, 'take-and-keep') == 200
    knocks = [knock(house, 'evil-take-and-keep') for _ in range(200)]
    house.others.are_as_before()
    closed = 0
    for s in knocks[128:]:
        s.settimeout(2)
        try:
            closed += s.recv(1) == b''
        except ConnectionResetError:
            closed += 1
    assert closed == len(knocks) - 128  # 64 in its hands, 64 held, the rest refused
    for s in knocks:
        s.close()
    done_with(house, 'take-and-keep')


# ---- the one thing that leaves as bytes ----

def asked_csr(house, misdeed):
    assert begin(house, misdeed) == 200
    return house.control('GET', f'/v1/tenants/evil-{misdeed}/csr')


def test_a_request_for_what_the_registry_says_is_given(house):
    answer = asked_csr(house, 'csr-none')
    assert answer.status == 200, answer
    text = subprocess.run(['openssl', 'req', '-noout', '-subject', '-text'], input=answer.body, capture_output=True).stdout.decode()
    assert 'CN = evil-csr-none.localhost' in text and 'canary' not in text
    done_with(house, 'csr-none')


@pytest.mark.parametrize('misdeed', ['csr-host', 'csr-other-host', 'csr-one-more', 'csr-one-less', 'csr-extra', 'csr-long-form', 'csr-text', 'csr-zero'])
def test_a_request_with_a_byte_of_its_own_is_refused(house, misdeed):
    answer = asked_csr(house, misdeed)
    assert answer.status == 502 and answer.json['type'] == 'csr-refused'
    assert b'BEGIN' not in answer.body and b'stored' not in answer.body and b'canary' not in answer.body
    assert house.show(f'evil-{misdeed}')['crashes'] == 0
    done_with(house, misdeed)
    house.others.are_as_before()


@pytest.mark.parametrize('misdeed, reason', [
    ('csr-pipe', 'passed what is no file of bytes'), ('csr-directory', 'passed what is no file of bytes'), ('csr-device', 'passed what is no file of bytes'),
    ('csr-channel', 'passed what is no file of bytes'), ('csr-short-file', 'passed what is no file of bytes'), ('csr-claim', TABLE)])
def test_a_request_that_is_no_file_ends_it(house, misdeed, reason):
    """Reading it could hang the steward."""
    answer = asked_csr(house, misdeed)
    assert answer.status in (502, 503), answer
    assert fell(house, misdeed)['last_exit'] == SIGKILL
    assert any(reason in line for line in said_of(house, misdeed)), said_of(house, misdeed)
    done_with(house, misdeed)
    house.others.are_as_before()


def test_a_second_request_ends_it(house):
    assert asked_csr(house, 'csr-twice').status == 200
    assert fell(house, 'csr-twice')['last_exit'] == SIGKILL
    assert any(UNASKED in line for line in said_of(house, 'csr-twice'))
    done_with(house, 'csr-twice')


@pytest.mark.parametrize('misdeed, reason', [('chain-wild', TABLE), ('chain-as-csr', UNASKED)])
def test_a_false_answer_to_a_chain_ends_it(house, misdeed, reason):
    assert begin(house, misdeed) == 200
    pem = b'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    assert house.control('PUT', f'/v1/tenants/evil-{misdeed}/certificate', pem).status == 503
    assert fell(house, misdeed)['last_exit'] == SIGKILL
    assert any(reason in line for line in said_of(house, misdeed)), said_of(house, misdeed)
    done_with(house, misdeed)
    house.others.are_as_before()


# ---- slow ones, begun with the house ----

@pytest.mark.parametrize('misdeed', ['spin', 'spin--2', 'never-drain', 'deaf'])
def test_one_that_does_not_leave_is_ended(house, misdeed):
    """Ten seconds after it was asked; the two that spin kept both processors busy meanwhile, and the fifty answered."""
    assert house.slow[misdeed].wait(20) == 0
    shown = house.show(f'evil-{misdeed}')
    assert shown['last_exit'] == SIGKILL and shown['state'] == 'stopped'
    begun, done = [line['time'] for line in house.ledger() if line['tenant'] == f'evil-{misdeed}' and line['verb'] == 'stop']
    assert 9 < done - begun < 13


def test_one_that_never_answers_is_ended(house):
    """Asked for a certification request, it says nothing: 15 seconds."""
    assert house.slow['csr-never'].wait(30) == 1
    assert house.show('evil-csr-never')['crashes'] == 1
    assert any('did not answer what it was asked' in line for line in said_of(house, 'csr-never'))
    done_with(house, 'csr-never')


def test_one_that_takes_no_messages_is_ended(house):
    """The supervisor keeps for it only so much."""
    begin(house, 'deaf--full')
    for i in range(400):
        if house.control('PATCH', '/v1/tenants/evil-deaf--full', {'title': f'Title {i}'}).status != 200:
            break
        if house.show('evil-deaf--full')['crashes']:
            break
    assert fell(house, 'deaf--full')['last_exit'] == SIGKILL
    assert any('takes no messages' in line for line in said_of(house, 'deaf--full'))
    done_with(house, 'deaf--full')
    house.others.are_as_before()


def test_one_that_is_never_ready_is_ended_after_its_limit(house):
    assert house.slow['never-ready'].wait(40) == 1
    shown = house.show('evil-never-ready')
    assert shown['crashes'] == 1 and shown['last_exit'] == SIGKILL
    done_with(house, 'never-ready')
    house.others.are_as_before()


# ---- after all of it ----

def test_nothing_is_left_of_it(house):
    """No process, no fd that was passed and not closed, and router and steward are the first ones."""
    for t in house.status_get('/v1/status').json['tenants']:
        if t['name'].startswith('evil-') and t['state'] not in ('suspended', 'stopped'):
            house.control('POST', f'/v1/tenants/{t["name"]}/suspend')
    status = house.status_get('/v1/status').json
    assert status['router_starts'] == 1 and status['steward_starts'] == 1
    running = [t['name'] for t in status['tenants'] if t['pid']]
    assert len(running) == OTHERS and not [name for name in running if name.startswith('evil-')]
    uids = {t['uid'] for t in status['tenants'] if t['name'].startswith('evil-')}
    # Whatever lost its parent is the supervisor's child now (it is the subreaper); other houses on this machine have the same uids.
    left = [line.split() for line in subprocess.run(['ps', '-eo', 'ppid=,uid='], capture_output=True, text=True).stdout.splitlines()]
    assert not uids.intersection(int(uid) for parent, uid in left if int(parent) == house.process.pid)
    # Of the supervisor: for each worker its channel, its counter page, its pidfd and no more.
    assert fds(house.process.pid) < 40 + 4 * OTHERS
    assert fds(child_of(house, 'cloison-steward')) < 40
    assert fds(child_of(house, 'cloison-router')) < 40 + 2 * OTHERS
    house.others.are_as_before()


# C7: one that lets its snapshot stall, and asks for the next at once, keeps nobody from theirs
def test_a_snapshot_that_never_comes_is_the_tenants_own():
    h = hostile_house()
    h.extra = destinations(h.root)
    h.write_config()
    with h:
        wait_for(lambda: 'cloison-courier: ready' in h.logged(), why='the courier')
        h.create('evil-snapshot-held')
        acme = h.enrolled('acme')
        wait_for(lambda: acme.get('/api/v1/plans').json['destinations'], why='the destinations')
        assert h.control('POST', '/v1/tenants/evil-snapshot-held/start').status == 200
        wait_for(lambda: h.show('evil-snapshot-held')['enrolled'], why='its word')
        assert acme.put('/api/v1/plans/backup', PLAN).status == 200
        wait_for(lambda: acme.get('/api/v1/plans').json['backup']['last']['number'], 60, why='acme to have its turn')
        assert [line['result'] for line in h.ledger() if line['verb'] == 'backup' and line['tenant'] == 'evil-snapshot-held'] == ['stalled']

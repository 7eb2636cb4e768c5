"""Strangers without any credential must not keep other tenants out: neither by connections that they hold, nor by asking now and then (H1)."""
import time

import pytest
from house import Client, House, wait_for

pytestmark = pytest.mark.alone


def test_connections_of_strangers_keep_no_worker_in_its_place():
    """As many workers as may run, each with a stranger's connection; another tenant starts all the same."""
    with House(max_workers=3) as h:
        strangers = []
        for name in ('un', 'deux', 'trois', 'quatre'):
            h.create(name)
        for name in ('un', 'deux', 'trois'):
            strangers.append(h.client(name))
            assert strangers[-1].get('/').status == 200
        begun = time.monotonic()
        assert Client(h, 'quatre.localhost', timeout=15).get('/').status == 200
        assert time.monotonic() - begun < 12
        assert sum(h.show(name)['state'] == 'sealed' for name in ('un', 'deux', 'trois', 'quatre')) <= 3


def test_strangers_keep_no_worker_awake():
    """Requests without a credential are no traffic of the tenant's: it is stopped when its users have asked nothing for so long."""
    with House(idle_seconds=4) as h:
        acme = h.enrolled('acme')
        acme.close()
        end = time.monotonic() + 30
        while h.show('acme')['state'] == 'serving':
            assert time.monotonic() < end
            stranger = h.client('acme')
            stranger.get('/')
            stranger.login(login='nobody', password='nothing that opens')
            stranger.close()
            time.sleep(0.5)
        wait_for(lambda: h.show('acme')['starts'] >= 1, why='the start to be counted')


def test_users_keep_it_awake():
    with House(idle_seconds=4) as h:
        acme = h.enrolled('acme')
        for _ in range(16):
            time.sleep(0.5)
            assert acme.get('/api/v1/contacts').status == 200
        assert h.show('acme')['starts'] == 1

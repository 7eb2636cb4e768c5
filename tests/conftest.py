"""Shared by tests/system, tests/attacks, tests/browser and tests/vm."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from house import House  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line('markers', 'alone: measures or counts on the time that things take: tests/run gives it the machine for itself')


@pytest.fixture(scope='session', autouse=True)
def root_only():
    if os.geteuid() != 0:
        pytest.exit('the system tests need root: they start the real sandbox', 2)


@pytest.fixture(scope='module')
def house():
    """A house of the module's own, with two tenants enrolled: acme and bois."""
    with House() as h:
        h.acme, h.bois = h.enrolled('acme'), h.enrolled('bois')
        yield h

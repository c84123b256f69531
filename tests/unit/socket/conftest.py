"""Fixtures: a simulated host, or two of them, for one test."""

import threading

import pytest
from sim_hosts import Host, fake_kernel, real_kernel

from pymodel.host import World


def powered(kernel):
    """`kernel`'s host for one test; afterwards no thread of it may be left."""
    threads = threading.active_count()
    yield Host(kernel)
    kernel.power_off()
    assert threading.active_count() == threads, "a program's thread has outlived its world"


@pytest.fixture(params=[fake_kernel, real_kernel], ids=["stand-in", "stack"])
def loopback(request):
    """A host that talks to itself: over the stand-in, and over the real protocols."""
    yield from powered(request.param())


@pytest.fixture
def host():
    """A host that talks to itself over the stand-in."""
    yield from powered(fake_kernel())


@pytest.fixture
def stack():
    """A host that talks to itself over the real protocols, with the loopback's own MTU."""
    yield from powered(real_kernel(mtu=65536))


@pytest.fixture
def ethernet():
    """As `stack`, with the MTU of Ethernet: a transfer takes many segments."""
    yield from powered(real_kernel())


@pytest.fixture
def world():
    """Two hosts over golden NICs, both up."""
    world = World.golden()
    world.start()
    yield world
    world.power_off()

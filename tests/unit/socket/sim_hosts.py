"""Simulated hosts that talk to themselves, and a way to run programs there to their end."""

from fake_tcp import FakeIp, FakeTcp

from pymodel.hostmem import HostMemory
from pymodel.ip.layer import IpLayer
from pymodel.scheduler import Scheduler
from pymodel.socket import Kernel, spawn
from pymodel.socket.constants import IPPROTO_TCP, IPPROTO_UDP
from pymodel.tcp import TcpLayer
from pymodel.udp import UdpLayer


class Host:
    """A kernel and its scheduler. `run` starts a program, runs the world to its end, returns the result."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.scheduler = kernel.scheduler

    def start(self, program, *args, **options):
        return spawn(self.kernel, program, *args, **options)

    def finish(self, *programs):
        while not all(program.done for program in programs):
            assert self.scheduler.step(), f"stuck: {[p.name for p in programs if not p.done]}"
        results = [program.result() for program in programs]
        return results[0] if len(results) == 1 else results

    def run(self, program, *args, **options):
        return self.finish(self.start(program, *args, **options))


HOSTS = {"localhost": b"\x7f\0\0\1", "server": b"\x7f\0\0\2"}


def fake_kernel():
    scheduler = Scheduler()
    return Kernel(scheduler, FakeTcp(scheduler), FakeIp(), lambda: [b"\x7f\0\0\1"], HOSTS, seed=1)


def real_kernel(mtu=1500):
    """The project's own TCP, UDP and IP below, over the loopback device.

    With the MTU of Ethernet transfers take many segments.
    """
    scheduler = Scheduler()
    ip = IpLayer(scheduler, HostMemory(), seed=1)
    ip.interfaces[0].dev.mtu = mtu
    tcp = TcpLayer(scheduler, ip, secret=bytes(16))
    ip.register(IPPROTO_TCP, tcp.input)
    udp = UdpLayer(ip, lambda packet, src, dst: ip.icmp.report(3, 3, packet, src, dst))
    ip.register(IPPROTO_UDP, udp.input)

    def udp_error(error, src, dst, header):
        ports = int.from_bytes(header[:2], "big"), int.from_bytes(header[2:4], "big")
        udp.unreachable(error, src, dst, *ports, cause=ip.icmp.cause, payload=header[8:])

    ip.icmp.on_error[IPPROTO_UDP] = udp_error
    return Kernel(scheduler, tcp, ip, ip.local_addresses, HOSTS, seed=1, udp=udp)

"""One host's IP over a device that records what is sent; packets are built and read by scapy."""

from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether

from pymodel.hostmem import HostMemory
from pymodel.ip.layer import IpLayer
from pymodel.netdev import NetDevice
from pymodel.scheduler import Scheduler
from pymodel.skbuff import SkBuff, alloc_skb

OWN, PEER = "10.0.0.1", "10.0.0.2"
OWN_MAC, PEER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"


class RecordingDevice(NetDevice):
    def __init__(self) -> None:
        super().__init__("eth0", bytes.fromhex(OWN_MAC.replace(":", "")))
        self.sent: list[Ether] = []

    def start_xmit(self, skb: SkBuff) -> bool:
        self.sent.append(Ether(skb.bytes()))
        skb.free()
        return True


class Bench:
    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.memory = HostMemory(4 << 20)
        self.dev = RecordingDevice()
        self.ip = IpLayer(self.scheduler, self.memory)
        self.interface = self.ip.add_interface(self.dev, f"{OWN}/24")

    def receive(self, packet: Ether) -> None:
        data = bytes(packet)
        skb = alloc_skb(self.memory, len(data))
        skb.put(len(data))[:] = data
        self.dev.receive(skb)

    def receive_ip(self, packet: IP) -> None:
        self.receive(Ether(dst=OWN_MAC, src=PEER_MAC) / packet)

    def learn_peer(self, mac: str = PEER_MAC, address: str = PEER) -> None:
        self.receive(
            Ether(dst=OWN_MAC, src=mac) / ARP(op="is-at", hwsrc=mac, psrc=address, hwdst=OWN_MAC, pdst=OWN)
        )
        self.dev.sent.clear()

    def payload(self, data: bytes) -> SkBuff:
        skb = self.ip.alloc_skb(len(data))
        skb.put(len(data))[:] = data
        return skb

    def take(self) -> list[Ether]:
        sent, self.dev.sent = self.dev.sent, []
        return sent

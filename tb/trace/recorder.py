"""Records a testbench: both hosts, the RTL NIC's ports, the wire."""

from pathlib import Path

from tb.lockstep import events as ev
from tb.testbench import Testbench
from tb.trace import perfetto_file
from tb.trace.flows import Flows
from tb.trace.moments import Trace
from tb.trace.nic import Handed, NicRecorder
from tb.trace.stack import StackRecorder


class Recorder:
    """Records `bench` from its NIC's first register access on, its hosts from `hosts_up` on.

    Make it before `bench.bring_up()`: what the NIC fetched by then is needed to know its buffers.
    """

    def __init__(self, bench: Testbench) -> None:
        self.trace = Trace()
        self._bench = bench
        self._flows = Flows()
        self._handed = Handed()
        self._stacks: list[StackRecorder] = []
        nic = NicRecorder(self.trace, self._flows, self._handed, "A", "B")
        check = bench.checker

        def observe(event: ev.Event) -> None:
            if check is not None:
                check.observe(event)
            nic.event(event)

        bench.rtl.observe(observe)

    def hosts_up(self) -> None:
        """Both hosts have their interfaces: record their stacks, too."""
        for label, host in (("A", self._bench.a), ("B", self._bench.b)):
            handed = self._handed if host is self._bench.a else Handed()
            self._stacks.append(StackRecorder(self.trace, self._flows, handed, host, label))

    def finish(self, file: Path) -> None:
        """Stop recording the hosts and write what there is to `file`."""
        while self._stacks:
            self._stacks.pop().close()
        file.write_bytes(perfetto_file.encode(self.trace))

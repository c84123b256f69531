"""Any sequence of `SkBuff` operations against a plain bytearray: same bytes, same room, no leak."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pymodel.hostmem import HostMemory
from pymodel.skbuff import Page, SkbError, SkBuff, alloc_skb

DATA = st.binary(max_size=24)


class SkbMachine(RuleBasedStateMachine):
    """Several skbs, some of them clones. A write goes to a private copy first, as the stack does it."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = HostMemory(1 << 22)
        self.skbs: list[tuple[SkBuff, bytearray]] = []

    def pick(self, index: int) -> tuple[SkBuff, bytearray]:
        return self.skbs[index % len(self.skbs)]

    @rule(size=st.integers(0, 80), headroom=st.integers(0, 40))
    def alloc(self, size: int, headroom: int) -> None:
        if len(self.skbs) < 6:
            self.skbs.append((alloc_skb(self.memory, size, headroom), bytearray()))

    @precondition(lambda self: self.skbs)
    @rule(index=st.integers(0, 5), data=DATA)
    def put(self, index: int, data: bytes) -> None:
        skb, model = self.pick(index)
        skb.cow()
        try:
            room = skb.put(len(data))
        except SkbError:
            assert skb.data_len or len(data) > skb.tailroom()
            return
        room[:] = data
        model += data

    @precondition(lambda self: self.skbs)
    @rule(index=st.integers(0, 5), data=DATA)
    def push(self, index: int, data: bytes) -> None:
        skb, model = self.pick(index)
        skb.cow()
        try:
            room = skb.push(len(data))
        except SkbError:
            assert len(data) > skb.headroom()
            return
        room[:] = data
        model[:0] = data

    @precondition(lambda self: self.skbs)
    @rule(index=st.integers(0, 5), n=st.integers(0, 60))
    def pull(self, index: int, n: int) -> None:
        skb, model = self.pick(index)
        try:
            removed = bytes(skb.pull(n))
        except SkbError:
            assert n > len(model)
            return
        assert removed == model[:n]
        del model[:n]

    @precondition(lambda self: self.skbs)
    @rule(index=st.integers(0, 5), n=st.integers(0, 60))
    def trim(self, index: int, n: int) -> None:
        skb, model = self.pick(index)
        skb.trim(n)
        del model[n:]

    @precondition(lambda self: self.skbs)
    @rule(index=st.integers(0, 5), data=st.binary(min_size=1, max_size=24), offset=st.integers(0, 30))
    def add_frag(self, index: int, data: bytes, offset: int) -> None:
        skb, model = self.pick(index)
        if len(skb.frags) < 17:
            page = Page(self.memory, 64)
            page.view(offset, len(data))[:] = data
            skb.add_frag(page, offset, len(data))
            page.put()
            model += data

    @precondition(lambda self: self.skbs)
    @rule(index=st.integers(0, 5), headroom=st.integers(0, 60))
    def cow(self, index: int, headroom: int) -> None:
        skb, _ = self.pick(index)
        skb.cow(headroom)
        assert skb.headroom() >= headroom
        assert not skb.cloned

    @precondition(lambda self: self.skbs)
    @rule(index=st.integers(0, 5))
    def linearize(self, index: int) -> None:
        skb, _ = self.pick(index)
        skb.linearize()
        assert not skb.data_len

    @precondition(lambda self: 0 < len(self.skbs) < 6)
    @rule(index=st.integers(0, 5))
    def clone(self, index: int) -> None:
        skb, model = self.pick(index)
        self.skbs.append((skb.clone(), bytearray(model)))

    @precondition(lambda self: self.skbs)
    @rule(index=st.integers(0, 5))
    def free(self, index: int) -> None:
        skb, _ = self.skbs.pop(index % len(self.skbs))
        skb.free()

    @invariant()
    def every_skb_holds_its_bytes(self) -> None:
        for skb, model in self.skbs:
            assert skb.bytes() == model
            assert skb.len == len(model)
            assert skb.head <= skb.data <= skb.tail <= skb.end
            assert skb.tail - skb.data == skb.headlen
            assert b"".join(self.memory.read(*piece) for piece in skb.segments()) == model

    def teardown(self) -> None:
        for skb, _ in self.skbs:
            skb.free()
        assert self.memory.allocated == 0


TestSkbMachine = SkbMachine.TestCase
TestSkbMachine.settings = settings(max_examples=60, stateful_step_count=40)

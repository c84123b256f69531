"""IGMP of a host: version 3 (RFC 3376 §5), and an older one where a router speaks that (RFC 2236, RFC 1112
appendix I, RFC 3376 §7).

Timing is Linux's: a change is told after two ticks, and once more within `UNSOLICITED_INTERVAL`.
"""

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pymodel.ip.groups import Filter, Groups
from pymodel.scheduler import Scheduler, Timer
from pymodel.simtime import MS, SEC
from pymodel.wire import igmp
from pymodel.wire.errors import WireError
from pymodel.wire.igmp import Record, RecordType

ROBUSTNESS: Final = 2
SOON: Final = 2 * MS
UNSOLICITED_INTERVAL: Final = 1 * SEC
UNSOLICITED_INTERVAL_V2: Final = 10 * SEC
OLD_ROUTER: Final = 260 * SEC
"""Older Version Querier Present Timeout: 2 × 125 s + 10 s (RFC 3376 §8.12)."""
MAX_SOURCES: Final = 365
"""Source addresses that a report holds in a packet of 1500 bytes; who is asked for more tells all."""
_WHOLE: Final = (RecordType.MODE_IS_EXCLUDE, RecordType.CHANGE_TO_EXCLUDE_MODE)
"""Records that cannot be told in pieces (RFC 3376 §4.2.16)."""


@dataclass(slots=True)
class _News:
    """What routers have not been told often enough of one group (RFC 3376 §5.1)."""

    mode: int = 0
    """So often yet: the whole filter, as its mode has changed."""
    sources: dict[bytes, tuple[bool, int]] = field(default_factory=dict)
    """Source → (allowed, so often yet)."""


@dataclass(slots=True)
class _Interface:
    news: dict[bytes, _News] = field(default_factory=dict)
    timer: Timer | None = None
    general: Timer | None = None
    answers: dict[bytes, Timer] = field(default_factory=dict)
    asked: dict[bytes, set[bytes]] = field(default_factory=dict)
    """Group → sources that were asked for; empty: all."""
    old_until: int = 0
    """A router of version 1 or 2 is present until then (ps)."""
    oldest_until: int = 0
    """One of version 1 is, which knows of no leaves."""
    reported: set[bytes] = field(default_factory=set)
    """Groups of which this host sent the last report of version 2: it has to say when it leaves."""


Send = Callable[[str, bytes, bytes], None]
"""(interface, destination, IGMP message): send it with TTL 1 and Router Alert."""


class Igmp:
    """IGMP on every interface but loopback. `stats` counts messages, and drops by reason."""

    def __init__(self, scheduler: Scheduler, groups: Groups, send: Send, seed: int) -> None:
        self.stats: Counter[str] = Counter()
        self._scheduler = scheduler
        self._groups = groups
        self._send_message = send
        self._random = random.Random(f"igmp/{seed}")
        self._interfaces: dict[str, _Interface] = {}

    def _at(self, name: str) -> _Interface:
        return self._interfaces.setdefault(name, _Interface())

    def _send(self, name: str, dst: bytes, message: bytes) -> None:
        self.stats["igmp_out"] += 1
        self._send_message(name, dst, message)

    def _within(self, limit: int) -> int:
        return self._random.randrange(max(limit, 1))

    # ---- changes ----

    def changed(self, name: str, group: bytes, old: Filter, new: Filter) -> None:
        """What interface `name` wants of `group` has become `new`."""
        if name == "lo" or group == igmp.ALL_SYSTEMS:  # RFC 3376 §5: never reported
            return
        interface = self._at(name)
        if self._scheduler.now < interface.old_until:
            self._changed_v2(name, interface, group, old, new)
            return
        if not (new.exclude or new.sources):
            self._forget_v2(interface, group)
        news = interface.news.setdefault(group, _News())
        if old.exclude != new.exclude:
            news.mode = ROBUSTNESS
            news.sources.clear()
        elif news.mode:
            news.mode = ROBUSTNESS  # it tells the sources, too
        else:
            for source in old.sources ^ new.sources:
                news.sources[source] = ((source in new.sources) != new.exclude, ROBUSTNESS)
        self._start(name, interface, SOON)

    def _start(self, name: str, interface: _Interface, delay: int) -> None:
        if interface.timer is not None:
            interface.timer.cancel()
        interface.timer = self._scheduler.after(delay, lambda: self._tell(name, interface))

    def _tell(self, name: str, interface: _Interface) -> None:
        records: list[Record] = []
        for group, news in list(interface.news.items()):
            wanted = self._groups.filter(name, group)
            if news.mode:
                news.mode -= 1
                kind = RecordType.CHANGE_TO_INCLUDE_MODE
                if wanted.exclude:
                    kind = RecordType.CHANGE_TO_EXCLUDE_MODE
                records.append(Record(kind, group, tuple(sorted(wanted.sources))))
            for allowed in (True, False):
                sources = sorted(source for source, (which, _) in news.sources.items() if which is allowed)
                if not sources:
                    continue
                kind = RecordType.ALLOW_NEW_SOURCES if allowed else RecordType.BLOCK_OLD_SOURCES
                records.append(Record(kind, group, tuple(sources)))
                for source in sources:
                    left = news.sources[source][1] - 1
                    news.sources[source] = (allowed, left)
                    if not left:
                        del news.sources[source]
            if not news.mode and not news.sources:
                del interface.news[group]
        self._report(name, records)
        if interface.news:
            self._start(name, interface, SOON + self._within(UNSOLICITED_INTERVAL))

    def _report(self, name: str, records: list[Record]) -> None:
        """Send `records`, in several reports if they do not fit into one."""
        batch: list[Record] = []
        room = MAX_SOURCES
        todo = deque(records)
        while todo:
            record = todo.popleft()
            needed = 2 + len(record.sources)
            if batch and needed > room:
                self._send(name, igmp.ALL_V3_ROUTERS, igmp.report(batch))
                batch, room = [], MAX_SOURCES
            more = record.sources[MAX_SOURCES:] if record.kind not in _WHOLE else ()
            batch.append(record._replace(sources=record.sources[:MAX_SOURCES]))
            room -= needed
            if more:
                todo.appendleft(record._replace(sources=more))
        if batch:
            self._send(name, igmp.ALL_V3_ROUTERS, igmp.report(batch))

    def _changed_v2(self, name: str, interface: _Interface, group: bytes, old: Filter, new: Filter) -> None:
        was, member = (wanted.exclude or bool(wanted.sources) for wanted in (old, new))
        if member and not was:
            self._answer_v2(name, interface, group, SOON, ROBUSTNESS)
        elif was and not member:
            said = group in interface.reported
            self._forget_v2(interface, group)
            if said and self._scheduler.now >= interface.oldest_until:
                self._send(name, igmp.ALL_ROUTERS, igmp.short(igmp.LEAVE_V2, group))

    @staticmethod
    def _forget_v2(interface: _Interface, group: bytes) -> None:
        """No report of an old version is due, or was sent, by this host."""
        timer = interface.answers.pop(group, None)
        if timer is not None:
            timer.cancel()
        interface.reported.discard(group)

    def _answer_v2(self, name: str, interface: _Interface, group: bytes, delay: int, times: int) -> None:
        def due() -> None:
            del interface.answers[group]
            interface.reported.add(group)
            oldest = self._scheduler.now < interface.oldest_until
            self._send(name, group, igmp.short(igmp.REPORT_V1 if oldest else igmp.REPORT_V2, group))
            if times > 1:
                again = SOON + self._within(UNSOLICITED_INTERVAL_V2)
                self._answer_v2(name, interface, group, again, times - 1)

        self._replace(interface, group, delay, due)

    def _replace(self, interface: _Interface, group: bytes, delay: int, due: Callable[[], None]) -> None:
        """One answer for a group at a time: the one that is due first (RFC 3376 §5.2)."""
        pending = interface.answers.get(group)
        if pending is not None and pending.when <= self._scheduler.now + delay:
            return
        if pending is not None:
            pending.cancel()
        interface.answers[group] = self._scheduler.after(delay, due)

    # ---- messages ----

    def input(self, name: str, message: bytes) -> None:
        """A message that came in by interface `name`."""
        try:
            packet = igmp.parse(message)
        except WireError as error:
            self.stats[error.reason] += 1
            return
        self.stats["igmp_in"] += 1
        interface = self._at(name)
        if isinstance(packet, igmp.Short):
            if packet.kind != igmp.LEAVE_V2 and self._scheduler.now < interface.old_until:
                self._forget_v2(interface, packet.group)  # RFC 2236 §3: one report is enough
            return
        self._queried(name, interface, packet)

    def _queried(self, name: str, interface: _Interface, query: igmp.Query) -> None:
        limit = query.response_ds * SEC // 10
        if query.version < 3:
            interface.old_until = self._scheduler.now + OLD_ROUTER
            if query.version == 1:
                interface.oldest_until = interface.old_until
            interface.news.clear()
            for timer in (interface.timer, interface.general):
                if timer is not None:
                    timer.cancel()
            interface.timer = interface.general = None
        old = self._scheduler.now < interface.old_until
        groups = [g for g in self._groups.joined(name) if g != igmp.ALL_SYSTEMS]
        if any(query.group):
            groups = [g for g in groups if g == query.group]
        elif not old:
            when = self._scheduler.now + SOON + self._within(limit)
            if interface.general is None or not interface.general.pending or interface.general.when > when:
                if interface.general is not None:
                    interface.general.cancel()
                interface.general = self._scheduler.at(when, lambda: self._current_state(name))
            return
        for group in groups:
            delay = SOON + self._within(limit)
            if old:
                self._answer_v2(name, interface, group, delay, 1)
                continue
            asked = interface.asked.get(group)
            if asked is None:
                interface.asked[group] = set(query.sources)
            elif not query.sources or not asked or len(asked.union(query.sources)) > MAX_SOURCES:
                asked.clear()
            else:
                asked.update(query.sources)
            self._replace(interface, group, delay, lambda group=group: self._answer(name, interface, group))  # type: ignore[misc]

    def _current_state(self, name: str) -> None:
        groups = [group for group in self._groups.joined(name) if group != igmp.ALL_SYSTEMS]
        self._report(name, [self._state(name, group) for group in groups])

    def _state(self, name: str, group: bytes) -> Record:
        wanted = self._groups.filter(name, group)
        kind = RecordType.MODE_IS_EXCLUDE if wanted.exclude else RecordType.MODE_IS_INCLUDE
        return Record(kind, group, tuple(sorted(wanted.sources)))

    def _answer(self, name: str, interface: _Interface, group: bytes) -> None:
        """RFC 3376 §5.2: of the sources that were asked for, those that are wanted; of no others."""
        interface.answers.pop(group, None)
        asked = interface.asked.pop(group, set())
        if not asked:
            if group in self._groups.joined(name):
                self._report(name, [self._state(name, group)])
            return
        wanted = tuple(sorted(source for source in asked if self._groups.admits(name, group, source)))
        if wanted:
            self._report(name, [Record(RecordType.MODE_IS_INCLUDE, group, wanted)])

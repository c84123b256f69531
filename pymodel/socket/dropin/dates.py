"""Drop-in `datetime`: "now" is the simulated clock's; local time is UTC until `time.tzset` says otherwise.

The classes are subclasses of the real ones and accept those as instances, so that values made by
shared modules are as good as their own.
"""

import datetime as real
from typing import Any

from pymodel.simtime import US
from pymodel.socket.current import current_process
from pymodel.socket.messages import EPOCH


class _SameAsBase(type):
    """Every instance of the real class counts as an instance of the subclass."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.__mro__[1])


class date(real.date, metaclass=_SameAsBase):
    """`datetime.date`."""

    @classmethod
    def today(cls) -> "date":
        """The simulated day."""
        return cls.fromtimestamp(EPOCH + current_process().kernel.scheduler.now // (US * 1_000_000))

    @classmethod
    def fromtimestamp(cls, timestamp: float, /) -> "date":
        """The day of a time in seconds since 1970."""
        day = datetime.fromtimestamp(timestamp)
        return cls(day.year, day.month, day.day)


class datetime(real.datetime, metaclass=_SameAsBase):
    """`datetime.datetime`."""

    @classmethod
    def now(cls, tz: real.tzinfo | None = None) -> "datetime":
        """The simulated time, to the microsecond; without `tz` naive and local."""
        seconds, rest = divmod(current_process().kernel.scheduler.now // US, 1_000_000)
        return cls.fromtimestamp(EPOCH + seconds, tz) + real.timedelta(microseconds=rest)

    @classmethod
    def today(cls) -> "datetime":
        """As `now`."""
        return cls.now()

    @classmethod
    def utcnow(cls) -> "datetime":
        """As `now`, in UTC."""
        return cls.now(real.UTC).replace(tzinfo=None)

    @classmethod
    def fromtimestamp(cls, timestamp: float, tz: real.tzinfo | None = None) -> "datetime":
        """A time in seconds since 1970; without `tz` naive and local."""
        if tz is not None or current_process().zone_set:
            return super().fromtimestamp(timestamp, tz)
        return super().fromtimestamp(timestamp, real.UTC).replace(tzinfo=None)


EXPORTS: dict[str, Any] = {
    **{name: getattr(real, name) for name in real.__all__},
    "date": date,
    "datetime": datetime,
}

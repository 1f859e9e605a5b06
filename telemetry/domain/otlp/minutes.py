"""What a minute holds of counters and gauges, by the key of their series."""

import zlib

import msgspec

__all__ = ["THOUSANDTHS", "MinuteValues"]

# Counters are kept in thousandths, so that what counts in fractions keeps three digits of them.
THOUSANDTHS = 1000


class MinuteValues(msgspec.Struct, array_like=True):
    """Values of one service and minute.

    Args:
        counters: What was added, in thousandths, by series.
        gauges: When the last value was taken (ns since 1970) and the value, by series.
    """

    counters: dict[int, int] = {}
    gauges: dict[int, tuple[int, float]] = {}

    def add(self, other: "MinuteValues") -> None:
        """Add what another part of the same minute holds; of gauges, the later one stays."""
        for series, added in other.counters.items():
            self.counters[series] = self.counters.get(series, 0) + added
        for series, value in other.gauges.items():
            known = self.gauges.get(series)
            if known is None or value >= known:
                self.gauges[series] = value

    def pack(self) -> bytes:
        """Return the values as bytes."""
        return zlib.compress(_encoder.encode(self), 1)

    @classmethod
    def unpack(cls, data: bytes) -> "MinuteValues":
        """Return the values that `pack` made bytes of."""
        return _decoder.decode(zlib.decompress(data))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(MinuteValues)

"""Writers: who sends metrics (one resource of one service), and which streams it has.

A stream is what one writer counts under one metric, scope and attribute set. Streams are numbered
in the order in which they came and never renumbered.
"""

import hashlib
import zlib
from dataclasses import dataclass, field

import msgspec

from telemetry.domain.otlp.attributes import Attributes

__all__ = ["MAX_STREAMS", "Stream", "Writer", "digest_of", "pack_streams", "unpack_streams"]

MAX_STREAMS = 5_000


class Stream(msgspec.Struct, array_like=True, frozen=True):
    """One stream.

    Args:
        family: Kind of its values (`telemetry.domain.otlp.points.Family`).
        metric: Name of the metric.
        scope: Name and version of what measured it.
        is_delta: Its temporality.
        unit: The metric's unit.
        attributes: Sorted by name.
    """

    family: str
    metric: str
    scope: str
    is_delta: bool
    unit: str
    attributes: Attributes


@dataclass
class Writer:
    """A resource of a service, as one process knows it.

    Args:
        pk: Key of its row.
        generation: Made at random with the row: tells a row from an earlier one of the same key.
        service_id: Whose measurements these are.
        own_bounds: Latency bounds that the service adds.
        stored: How many streams the row holds.
        numbers: Number of each stream; those from `stored` on are not in the row yet.
        by_bytes: The same by the encoded attributes, for each metric; a text is why it is refused.
    """

    pk: int
    generation: str
    service_id: int
    own_bounds: tuple[int, ...]
    stored: int
    numbers: dict[Stream, int]
    by_bytes: dict[tuple[object, ...], dict[bytes, int | str]] = field(default_factory=dict)

    def number(self, stream: Stream) -> int | None:
        """Return the number of a stream, a new one if need be; None when there is no room."""
        known = self.numbers.get(stream)
        if known is not None:
            return known
        if len(self.numbers) >= MAX_STREAMS:
            return None
        self.numbers[stream] = len(self.numbers)
        return self.numbers[stream]


def digest_of(service_id: int, resource: Attributes) -> str:
    """Return what identifies a writer: its service and all attributes of its resource."""
    return hashlib.sha256(msgspec.msgpack.encode((service_id, resource))).hexdigest()[:32]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Stream])


def pack_streams(streams: "list[Stream]") -> bytes:
    """Return streams, in order of their numbers, as the bytes of a column."""
    return zlib.compress(_encoder.encode(streams), 1)


def unpack_streams(packed: bytes) -> list[Stream]:
    """Return the streams of a column's bytes."""
    return _decoder.decode(zlib.decompress(packed)) if packed else []

"""Protobuf's encoding as far as it is looked at by hand.

Source: Protocol Buffers documentation, "Encoding".
"""

__all__ = ["FIXED", "FIXED64", "LENGTH_DELIMITED", "VARINT", "read_varint", "varint"]

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
# Bytes of the wire types that always have as many.
FIXED = {FIXED64: 8, FIXED32: 4}


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a varint and the position after it; the end of the data where it is cut short."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            break
    return value, at


def varint(value: int) -> bytes:
    """Return a number, not negative, as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

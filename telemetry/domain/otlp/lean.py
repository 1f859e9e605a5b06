"""OTLP's messages as far as they are read here, with what repeats left as bytes.

Attributes, resources and scopes are the same from export to export, so they are looked up by their
bytes and decoded once. Bucket counts and bounds are arrays on the wire already; the points of a
histogram are read many at once (`telemetry.domain.otlp.histograms`). The classes are made from these
descriptions; on the wire they are OpenTelemetry's own (proto/metrics/v1).
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["ExportRequest", "HistogramPoint"]

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "fixed64": _Field.TYPE_FIXED64,
    "sfixed64": _Field.TYPE_SFIXED64,
    "double": _Field.TYPE_DOUBLE,
    "uint64": _Field.TYPE_UINT64,
    "uint32": _Field.TYPE_UINT32,
    "sint32": _Field.TYPE_SINT32,
    "int32": _Field.TYPE_INT32,
    "bool": _Field.TYPE_BOOL,
}
# Each field: number, name, type; "*" is repeated, "|" one of several, "?" present or not.
_MESSAGES: dict[str, str] = {
    "Number": "2 start fixed64, 3 time fixed64, 4 as_double double|, 6 as_int sfixed64|,"
    " 7 attributes bytes*, 8 flags uint32",
    "HistogramPoint": "2 start fixed64, 3 time fixed64, 4 count fixed64, 5 sum double?,"
    " 6 bucket_counts bytes, 7 explicit_bounds bytes, 9 attributes bytes*, 10 flags uint32",
    "Buckets": "1 offset sint32, 2 bucket_counts uint64*",
    "ExponentialPoint": "1 attributes bytes*, 2 start fixed64, 3 time fixed64, 4 count fixed64,"
    " 5 sum double?, 6 scale sint32, 7 zero_count fixed64, 8 positive Buckets,"
    " 9 negative Buckets, 10 flags uint32, 14 zero_threshold double",
    "Gauge": "1 data_points Number*",
    "Sum": "1 data_points Number*, 2 temporality int32, 3 is_monotonic bool",
    "Histogram": "1 data_points bytes*, 2 temporality int32",
    "ExponentialHistogram": "1 data_points ExponentialPoint*, 2 temporality int32",
    "Summary": "1 data_points bytes*",
    "Metric": "1 name string, 3 unit string, 5 gauge Gauge|, 7 sum Sum|, 9 histogram Histogram|,"
    " 10 exponential_histogram ExponentialHistogram|, 11 summary Summary|",
    "ScopeMetrics": "1 scope bytes, 2 metrics Metric*",
    "ResourceMetrics": "1 resource bytes, 2 scope_metrics ScopeMetrics*",
    "ExportRequest": "1 resource_metrics ResourceMetrics*",
}


def _describe(message: descriptor_pb2.DescriptorProto, fields: str) -> None:
    for text in fields.split(", "):
        number, name, kind = text.split()
        field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
        if kind.endswith("*"):
            field.label = _Field.LABEL_REPEATED
        elif kind.endswith("|"):
            if not message.oneof_decl:
                message.oneof_decl.add(name="data")
            field.oneof_index = 0
        plain = kind.rstrip("*|?")
        if plain in _TYPES:
            field.type = _TYPES[plain]
        else:
            field.type, field.type_name = _Field.TYPE_MESSAGE, f".sreportal.otlp.{plain}"


def _pool() -> descriptor_pool.DescriptorPool:
    described = descriptor_pb2.FileDescriptorProto(
        name="sreportal/otlp.proto", package="sreportal.otlp", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        _describe(described.message_type.add(name=name), fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    return pool


def _class(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"sreportal.otlp.{name}"))


_described = _pool()
ExportRequest = _class(_described, "ExportRequest")
HistogramPoint = _class(_described, "HistogramPoint")

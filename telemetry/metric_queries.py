"""What others read of counters and gauges."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from telemetry.domain.otlp.minutes import MinuteValues
from telemetry.domain.selectors import Selector
from telemetry.models import MetricMinute, MetricSeries

__all__ = ["CounterMinute", "KnownMetric", "counter_minutes", "gauge_minutes", "known_metrics"]

MINUTE = timedelta(minutes=1)


class KnownMetric(NamedTuple):
    """A metric of a service: how many series it has, and the keys of their attributes."""

    name: str
    kind: str
    series: int
    attributes: list[str]


class CounterMinute(NamedTuple):
    """What a selector came to in one minute, in thousandths; `series` is how many it selects."""

    thousandths: int
    series: int


def known_metrics(service_id: int) -> list[KnownMetric]:
    """Return the counters and gauges of a service by name; what selectors can name."""
    found: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    rows = MetricSeries.objects.filter(service_id=service_id)
    for name, kind, attributes in rows.values_list("name", "kind", "attributes"):
        found[name, kind].append(set(attributes))
    return [
        KnownMetric(name, kind, len(keys), sorted(set().union(*keys)))
        for (name, kind), keys in sorted(found.items())
    ]


def counter_minutes(
    service_id: int, selectors: Sequence[Selector], minutes: Iterable[datetime]
) -> dict[datetime, list[CounterMinute]]:
    """Return what selected counters added, by minute and in the order of `selectors`.

    Minutes in which no counter or gauge of the service was reported are left out: nobody watched.
    A series that was not reported in a watched minute added nothing.
    """
    rows = MetricSeries.objects.filter(
        service_id=service_id,
        kind=MetricSeries.Kind.COUNTER,
        name__in={selector.name for selector in selectors},
    )
    series = list(rows.values_list("pk", "name", "attributes"))
    chosen = [
        [pk for pk, name, attributes in series if selector.fits(name, attributes)]
        for selector in selectors
    ]
    return {
        minute: [
            CounterMinute(sum(values.counters.get(pk, 0) for pk in pks), len(pks)) for pks in chosen
        ]
        for minute, values in _values(service_id, minutes).items()
    }


def gauge_minutes(
    service_id: int, selector: Selector, minutes: Iterable[datetime]
) -> dict[datetime, list[float]]:
    """Return the last values of selected gauges, by minute; minutes without any are left out."""
    rows = MetricSeries.objects.filter(
        service_id=service_id, kind=MetricSeries.Kind.GAUGE, name=selector.name
    )
    series = rows.order_by("pk").values_list("pk", "name", "attributes")
    pks = [pk for pk, name, attributes in series if selector.fits(name, attributes)]
    found = {
        minute: [values.gauges[pk][1] for pk in pks if pk in values.gauges]
        for minute, values in _values(service_id, minutes).items()
    }
    return {minute: values for minute, values in found.items() if values}


def _values(service_id: int, minutes: Iterable[datetime]) -> dict[datetime, MinuteValues]:
    wanted = sorted(set(minutes))
    if not wanted:
        return {}
    rows = MetricMinute.objects.filter(
        service_id=service_id, minute__gte=wanted[0], minute__lt=wanted[-1] + MINUTE
    )
    kept = set(wanted)
    return {
        minute: MinuteValues.unpack(bytes(data))
        for minute, data in rows.values_list("minute", "data")
        if minute in kept
    }

"""The figures of all SLOs at one watermark, packed into one row, and of one of them for reading."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slo.domain import packing
from slo.domain.blocks import ACTIVE, COUNTERS, GOOD, MET, MILLIONTHS, ORIGIN, RATED, TOTAL, UNITS
from slo.domain.burn_alerts import DEFAULT_SHARES, Share
from slo.domain.judging import COLUMNS, Judgement
from slo.domain.plans import OWN, WINDOWS, Method
from slo.domain.state import State
from slo.domain.windows import BURN_WINDOWS

Ints = NDArray[np.int64]

STATES = tuple(State)
METHODS = tuple(Method)
# Marks in place of a moment: at this pace never, and nobody can tell.
EXHAUSTS_UNKNOWN, EXHAUSTS_NEVER = 0, 1
_FORMAT = 4
_BY_SLO = (
    "ids",
    "ends",
    "starts",
    "allowed",
    "methods",
    "states",
    "since",
    "tiers",
    "frozen",
    "exhausts",
)
_BY_WINDOW = ("good", "total", "measured", "expected")


@dataclass(frozen=True)
class Round:
    """Figures of all SLOs at `watermark`: arrays with a row an SLO, and a column a window.

    Args:
        watermark: End of the last measured minute.
        ids: Ids of the SLOs.
        ends: End of each SLO's windows, minutes since 1970: the watermark, or before it by the
            delay of its source.
        starts: Start of each SLO's own window, minutes since 1970.
        allowed: 1 − the objective in force at the end, in 1e-8.
        methods: Number of the method in `METHODS`.
        states: Number of the state in `STATES`.
        since: When the state began, minutes since 1970.
        tiers: Number of the burn alert's tier from 1 on, fastest first; 0 is none.
        frozen: 1 where lack of data lets no burn alert fire or resolve.
        exhausts: When the budget is spent if the last hour goes on, minutes since 1970;
            `EXHAUSTS_NEVER`, `EXHAUSTS_UNKNOWN`.
        good: Good events in the method's unit, by window.
        total: All of them.
        measured: Minutes measured.
        expected: Minutes that should have been.
        own: All counters of the own window.
        exact: Judgements by window of SLOs whose sums are not those of one column under one
            objective, by id; they hold instead of the arrays.
    """

    watermark: datetime
    ids: Ints
    ends: Ints
    starts: Ints
    allowed: Ints
    methods: Ints
    states: Ints
    since: Ints
    tiers: Ints
    frozen: Ints
    exhausts: Ints
    good: Ints
    total: Ints
    measured: Ints
    expected: Ints
    own: Ints
    exact: dict[int, list[Judgement]] = field(default_factory=dict)

    def pack(self) -> bytes:
        """Return the round as bytes, but for its watermark."""
        columns = [getattr(self, name) for name in _BY_SLO]
        # Bad events are few: they take fewer bytes than good ones.
        by_window = {name: getattr(self, name) for name in _BY_WINDOW}
        by_window["good"] = self.total - self.good
        columns += [column for name in _BY_WINDOW for column in by_window[name].T]
        columns += list(self.own.T)
        exact = json.dumps({str(pk): [_as_json(j) for j in js] for pk, js in self.exact.items()})
        columns.append(np.frombuffer(exact.encode(), dtype=np.uint8).astype(np.int64))
        return packing.pack(_FORMAT, columns)

    @classmethod
    def unpack(cls, watermark: datetime, data: bytes) -> "Round":
        """Return the round that `pack` made."""
        columns = iter(packing.unpack(_FORMAT, data))
        by_slo = {name: next(columns) for name in _BY_SLO}
        by_window = {
            name: np.stack([next(columns) for _ in WINDOWS], axis=1) for name in _BY_WINDOW
        }
        by_window["good"] = by_window["total"] - by_window["good"]
        own = np.stack([next(columns) for _ in range(COUNTERS)], axis=1)
        exact = json.loads(next(columns).astype(np.uint8).tobytes())
        return cls(
            watermark=watermark,
            **by_slo,
            **by_window,
            own=own,
            exact={int(pk): [_from_json(row) for row in rows] for pk, rows in exact.items()},
        )

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {pk: row for row, pk in enumerate(self.ids.tolist())}

    @property
    def spent(self) -> dict[int, float | None]:
        """Share of the budget spent by SLO, for putting them in order; None without events."""
        good, total = self.good[:, OWN], self.total[:, OWN]
        allowed = self.allowed / UNITS * total
        rates = np.divide(total - good, allowed, out=np.zeros(len(total)), where=total > 0)
        found: dict[int, float | None] = {
            pk: rate if any_ else None
            for pk, rate, any_ in zip(
                self.ids.tolist(), rates.tolist(), (total > 0).tolist(), strict=True
            )
        }
        for pk, judged in self.exact.items():
            rate = judged[OWN].burn_rate
            found[pk] = None if rate is None else float(rate)
        return found

    def get(self, pk: int) -> "Figures | None":
        """Return the figures of one SLO; None when it was not evaluated."""
        row = self._rows.get(pk)
        return None if row is None else Figures(self, row)

    def __iter__(self) -> Iterator["Figures"]:
        """Yield the figures of every SLO."""
        return (Figures(self, row) for row in range(len(self.ids)))

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Figures:
    """What is known of one SLO at one watermark. Fractions are exact; None is no data."""

    round: Round
    row: int

    @property
    def pk(self) -> int:
        """Id of the SLO."""
        return int(self.round.ids[self.row])

    @cached_property
    def windows(self) -> dict[str, Judgement]:
        """The judgement of each window, by its name in `WINDOWS`."""
        return {name: self._judgement(number) for number, name in enumerate(WINDOWS)}

    @cached_property
    def own(self) -> Judgement:
        """The judgement of the SLO's own window."""
        return self._judgement(OWN)

    def _judgement(self, window: int) -> Judgement:
        found, row = self.round, self.row
        if self.pk in found.exact:
            return found.exact[self.pk][window]
        good, total = int(found.good[row, window]), int(found.total[row, window])
        unit = COLUMNS[self.method][2]
        return Judgement(
            good=good,
            total=total,
            measured=int(found.measured[row, window]),
            expected=int(found.expected[row, window]),
            bad=Fraction(total - good),
            allowed=Fraction(int(found.allowed[row]) * total, UNITS),
            events=int(found.own[row, TOTAL]) if window == OWN else total // unit,
            trials=total // unit,
            unit=unit,
        )

    @property
    def method(self) -> Method:
        """How events become a share."""
        return METHODS[int(self.round.methods[self.row])]

    @property
    def state(self) -> State:
        """The state of the budget."""
        return STATES[int(self.round.states[self.row])]

    @property
    def state_since(self) -> datetime:
        """When that state began."""
        return _instant(self.round.since[self.row])

    @property
    def watermark(self) -> datetime:
        """End of the windows."""
        return _instant(self.round.ends[self.row])

    @property
    def window_start(self) -> datetime:
        """Start of the SLO's own window."""
        return _instant(self.round.starts[self.row])

    @property
    def share(self) -> Share | None:
        """The part of the budget whose burn alert holds; None when none does."""
        number = int(self.round.tiers[self.row])
        return DEFAULT_SHARES[number - 1] if number else None

    @property
    def exhausts_at(self) -> datetime | None:
        """When the budget is spent if the last hour goes on; None is never, or not known."""
        at = int(self.round.exhausts[self.row])
        return _instant(at) if at > EXHAUSTS_NEVER else None

    @property
    def lasts(self) -> timedelta | None:
        """How long the budget lasts at the pace of the last hour; None is for ever, or not known."""
        at = self.exhausts_at
        return None if at is None else at - self.watermark

    @property
    def never_exhausts(self) -> bool:
        """Whether the budget lasts at the pace of the last hour."""
        return int(self.round.exhausts[self.row]) == EXHAUSTS_NEVER

    @property
    def is_frozen(self) -> bool:
        """Whether lack of data lets no burn alert fire or resolve."""
        return bool(self.round.frozen[self.row])

    @property
    def good(self) -> int:
        """Good events in the own window; minutes by the methods that count slices."""
        return self.own.good // self.own.unit

    @property
    def total(self) -> int:
        """All events in the own window; minutes by the methods that count slices."""
        return self.own.total // self.own.unit

    @property
    def bad(self) -> int | float:
        """Bad events in the same unit; a part of one where shares are counted."""
        return _plain(self.own.bad / self.own.unit)

    @property
    def allowed(self) -> int | float:
        """Bad events the objectives allow, in the same unit; exact in `own`."""
        return _plain(self.own.allowed / self.own.unit)

    @property
    def sli(self) -> float | None:
        """Share of good events; None without any."""
        own = self.own
        return float(1 - own.bad / own.total) if own.total else None

    @property
    def by_method(self) -> dict[Method, float | None]:
        """The share of good events by each method; None without events, or for a composite."""
        counters = [int(value) for value in self.round.own[self.row]]
        shares = {
            Method.OCCURRENCES: (counters[GOOD], counters[TOTAL]),
            Method.TIME_SLICES: (counters[MET], counters[ACTIVE]),
            Method.RATIO_OF_SLICES: (counters[RATED], counters[ACTIVE] * MILLIONTHS),
        }
        return {method: good / total if total else None for method, (good, total) in shares.items()}

    @property
    def budget_remaining(self) -> float | None:
        """Share of the budget left, signed; None without events."""
        left = self.own.remaining
        return None if left is None else float(left)

    @property
    def budget_used(self) -> float | None:
        """Share of the budget spent, above 1 when overspent; None without events."""
        rate = self.own.burn_rate
        return None if rate is None else float(rate)

    @property
    def measured_minutes(self) -> int:
        """Minutes of the own window that were measured."""
        return self.own.measured

    @property
    def expected_minutes(self) -> int:
        """Minutes of the own window since the first data."""
        return self.own.expected

    @property
    def coverage(self) -> float | None:
        """Share of expected minutes that were measured; None when none were expected."""
        covered = self.own.covered
        return None if covered is None else float(covered)

    @property
    def missing(self) -> tuple[int, ...]:
        """Ids of the members without data, of a composite SLI."""
        return self.own.missing

    @cached_property
    def burn(self) -> dict[str, dict[str, Any]]:
        """Per burn window: good, total, measured and expected minutes, and the rate or None."""
        return {name: _burn_json(self.windows[name]) for name in BURN_WINDOWS}

    def burn_rate(self, window: str) -> float | None:
        """Return the burn rate of one of the burn windows, None without events in it."""
        rate = self._judgement(WINDOWS.index(window)).burn_rate
        return None if rate is None else float(rate)

    @property
    def burn_1h(self) -> float | None:
        """Burn rate of the last hour."""
        return self.burn_rate("1h")


def _burn_json(found: Judgement) -> dict[str, Any]:
    rate = found.burn_rate
    return {
        "good": found.good // found.unit,
        "total": found.total // found.unit,
        "measured": found.measured,
        "expected": found.expected,
        "rate": None if rate is None else float(rate),
    }


def _instant(minute: Any) -> datetime:
    return ORIGIN + timedelta(minutes=int(minute))


def _plain(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _as_json(found: Judgement) -> list[Any]:
    counts = [found.good, found.total, found.measured, found.expected]
    rest = [found.events, found.trials, found.unit, list(found.missing)]
    return [*counts, str(found.bad), str(found.allowed), *rest]


def _from_json(row: list[Any]) -> Judgement:
    good, total, measured, expected, bad, allowed, events, trials, unit, missing = row
    return Judgement(
        good,
        total,
        measured,
        expected,
        Fraction(bad),
        Fraction(allowed),
        events,
        trials,
        unit,
        tuple(missing),
    )

"""The shapes a field may have, as functions that complain.

A `Check` looks at a value and tells a `Report` what is wrong with it, by path. Mappings are closed:
a field that the format does not know is an error, with the name it was probably meant to be,
because a misspelt `timeSliceTarget` that is skipped silently changes what is promised.

>>> report = Report()
>>> mapping({"name": text(), "size": number()}, required=["name"])({"size": "big"}, (), report)
>>> [(spell(remark.path), remark.message) for remark in report.errors]
[('size', 'Expected a number, not text.'), ('name', 'This field is required.')]
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from core.yaml_documents import Path, spell

__all__ = [
    "Check",
    "Remark",
    "Report",
    "anything",
    "boolean",
    "choice",
    "dns_label",
    "either",
    "exact",
    "listing",
    "mapping",
    "moment",
    "noun",
    "number",
    "open_mapping",
    "read_moment",
    "spell",
    "text",
]

MAX_TEXT = 20_000
MOST = Decimal("1e30")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Remark:
    """Something to say about the field at `path`."""

    path: Path
    message: str


@dataclass
class Report:
    """What was found in one document.

    Attributes:
        errors: Why it is refused.
        warnings: What to know.
        lost: What the portal has no place for, and why.
    """

    errors: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)
    lost: list[Remark] = field(default_factory=list)

    def wrong(self, path: Path, message: str) -> None:
        """Note an error."""
        self.errors.append(Remark(path, message))

    def warn(self, path: Path, message: str) -> None:
        """Note a warning, once."""
        if (remark := Remark(path, message)) not in self.warnings:
            self.warnings.append(remark)

    def lose(self, path: Path, reason: str) -> None:
        """Note something that is not carried, once."""
        if (remark := Remark(path, reason)) not in self.lost:
            self.lost.append(remark)


Check = Callable[[Any, Path, Report], None]


def noun(value: Any) -> str:
    """Return what a value is, for people."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, date):
        return "a date"
    nouns: dict[type, str] = {dict: "a mapping", list: "a list", str: "text"}
    return nouns.get(type(value), "this value")


def anything(value: Any, path: Path, report: Report) -> None:
    """Accept whatever there is."""


def text(*, most: int = MAX_TEXT, may_be_empty: bool = False) -> Check:
    """Accept text of at most `most` characters."""

    def check(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, str):
            hint = "" if isinstance(value, dict | list) or value is None else "; put it in quotes"
            report.wrong(path, f"Expected text, not {noun(value)}{hint}.")
        elif not value.strip() and not may_be_empty:
            report.wrong(path, "This text is empty; fill it in or leave the field out.")
        elif len(value) > most:
            report.wrong(path, f"At most {most} characters, not {len(value)}; shorten it.")

    return check


def dns_label(value: Any, path: Path, report: Report) -> None:
    """Accept a name by RFC 1123: what every implementation of OpenSLO must support."""
    if not isinstance(value, str):
        text()(value, path, report)
    elif not _DNS_LABEL.fullmatch(value):
        report.wrong(
            path,
            f"{value[:80]!r} is no name: use 1 to 63 lower-case letters, digits and hyphens,"
            " beginning and ending with a letter or digit.",
        )


def exact(value: Any) -> Decimal:
    """Return a number as it is written, e.g. 0.999 and not the nearest binary fraction."""
    return Decimal(repr(value) if isinstance(value, float) else value)


def number(
    accepts: Callable[[Decimal], bool] = lambda _: True, *, otherwise: str = "Out of range."
) -> Check:
    """Accept a finite number for which `accepts` holds."""

    def check(value: Any, path: Path, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = "; take it out of the quotes" if _looks_like_number(value) else ""
            report.wrong(path, f"Expected a number, not {noun(value)}{hint}.")
        elif (isinstance(value, float) and not isfinite(value)) or abs(exact(value)) > MOST:
            report.wrong(path, "Expected a number that is finite and not astronomical.")
        elif not accepts(exact(value)):
            report.wrong(path, f"{value} does not fit: {otherwise}")

    return check


def _looks_like_number(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[-+]?[0-9.]+", value.strip()))


def boolean(value: Any, path: Path, report: Report) -> None:
    """Accept true or false."""
    if not isinstance(value, bool):
        report.wrong(path, f"Expected true or false, not {noun(value)}.")


def choice(*allowed: str) -> Check:
    """Accept one of a few words."""

    def check(value: Any, path: Path, report: Report) -> None:
        if value not in allowed or not isinstance(value, str):
            shown = repr(value[:80]) if isinstance(value, str) else noun(value)
            report.wrong(path, f"{shown} is none of {', '.join(allowed)}.")

    return check


def listing(each: Check, *, least: int = 0, most: int | None = None) -> Check:
    """Accept a list of `least` to `most` items that each pass a check."""

    def check(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, list):
            report.wrong(path, f"Expected a list, not {noun(value)}; begin each item with '- '.")
            return
        if len(value) < least or (most is not None and len(value) > most):
            wanted = f"exactly {least}" if least == most else f"at least {least}"
            report.wrong(path, f"Expected {wanted} here, not {len(value)}.")
        for index, item in enumerate(value):
            each(item, (*path, index), report)

    return check


@dataclass(frozen=True)
class _Closed:
    fields: Mapping[str, Check]
    required: tuple[str, ...]
    rule: Check | None
    elsewhere: Mapping[str, str]

    def __call__(self, value: Any, path: Path, report: Report) -> None:
        """Check each field, then what spans them."""
        if not isinstance(value, dict):
            report.wrong(path, f"Expected a mapping, not {noun(value)}.")
            return
        before = len(report.errors)
        for key, item in value.items():
            if key not in self.fields:
                report.wrong((*path, str(key)), _unknown(key, self.fields, self.elsewhere))
            elif item is not None:
                self.fields[key](item, (*path, key), report)
        for name in self.required:
            if value.get(name) is None:
                report.wrong((*path, name), "This field is required.")
        if self.rule is not None and len(report.errors) == before:
            self.rule(value, path, report)


def mapping(
    fields: Mapping[str, Check],
    *,
    required: Iterable[str] = (),
    rule: Check | None = None,
    elsewhere: Mapping[str, str] | None = None,
) -> Check:
    """Accept a mapping with these fields and no others.

    Args:
        fields: The check of each field.
        required: Those that must be there.
        rule: What spans fields; asked only when each of them is well formed.
        elsewhere: Names of other versions of the format, and what to write instead.
    """
    return _Closed(fields, tuple(required), rule, elsewhere or {})


def _unknown(key: Any, fields: Mapping[str, Check], elsewhere: Mapping[str, str]) -> str:
    name = str(key)
    if name in elsewhere:
        return elsewhere[name]
    near = difflib.get_close_matches(name, fields, n=1, cutoff=0.75)
    known = f"did you mean {near[0]}?" if near else f"known here are {', '.join(fields)}."
    return f"There is no such field; {known}"


def open_mapping(each: Check = anything) -> Check:
    """Accept a mapping with any keys, whose values pass a check."""

    def check(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, dict):
            report.wrong(path, f"Expected a mapping, not {noun(value)}.")
            return
        for key, item in value.items():
            each(item, (*path, str(key)), report)

    return check


def either(*checks: tuple[Callable[[Any], bool], Check], otherwise: str) -> Check:
    """Use the check of the first shape that fits."""

    def check(value: Any, path: Path, report: Report) -> None:
        for fits, found in checks:
            if fits(value):
                found(value, path, report)
                return
        report.wrong(path, f"Expected {otherwise}, not {noun(value)}.")

    return check


def moment(value: Any, path: Path, report: Report) -> None:
    """Accept a date with a time, as YAML reads it or as text."""
    if read_moment(value) is None:
        report.wrong(path, "Expected a date with a time, e.g. 2024-01-01 00:00:00.")


def read_moment(value: Any) -> datetime | None:
    """Return the wall-clock time that a field names, or None when it names none."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(value, form)  # noqa: DTZ007 - its zone is a field of its own
        except (TypeError, ValueError):
            continue
    return None

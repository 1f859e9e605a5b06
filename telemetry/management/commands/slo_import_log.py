"""`manage.py slo_import_log FILE… --service SLUG`: count the requests of access logs."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from catalog.models import Service
from core import clock
from telemetry.adapters.log_sources import LogSource, NoSource, sources
from telemetry.domain.access_logs.combined import Unit
from telemetry.domain.access_logs.endpoints import BadPattern, EndpointNames
from telemetry.domain.access_logs.reading import Format
from telemetry.domain.access_logs.tally import Verdict
from telemetry.services import compaction
from telemetry.services.access_logs import How, import_log

AUTO = "auto"
BAR = 24
INTERRUPTED = 130


class Command(BaseCommand):
    """Backfill SLIs from access logs."""

    help = (
        "Count the requests of access logs (nginx or Apache combined with a duration at the end,"
        " or AWS ALB; plain or gzip) for the minutes that nobody reported. A line is counted once,"
        " however often its log is given. Exits 1 when a log was refused or a line was not"
        " understood, 2 on bad usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument(
            "logs", nargs="+", metavar="FILE", help="A file, s3://bucket/key or s3://bucket/prefix."
        )
        parser.add_argument("--service", required=True, metavar="SLUG", help="Whose log it is.")
        parser.add_argument(
            "--format", choices=[AUTO, *Format], default=AUTO, help="Of the lines; auto: found."
        )
        parser.add_argument(
            "--duration-unit",
            choices=[AUTO, *Unit],
            default=AUTO,
            help="Of the duration at the end of combined lines; auto: seconds when they have"
            " decimals ($request_time), else microseconds (%%D).",
        )
        parser.add_argument(
            "--endpoint-pattern",
            action="append",
            default=[],
            metavar="ROUTE",
            help="Count paths like /users/:id or /static/* under this name; may be repeated, the"
            " first that matches wins. Elsewhere, parts that look like identifiers become :id.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Store nothing.")
        parser.add_argument("--json", action="store_true", help="One JSON object a log.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import, and say what became of each log."""
        how = _how(options)
        logs = self._logs(options["logs"])
        try:
            verdicts = [self._import(log, how, as_json=options["json"]) for log in logs]
        except KeyboardInterrupt as error:
            self.stderr.write("\nStopped. Run the same again: it goes on where it was.")
            raise SystemExit(INTERRUPTED) from error
        finally:
            if not how.is_trial:
                compaction.compact_all(now=clock.now)
        self.stderr.write(_summary(verdicts))
        if any(verdict.is_wrong for verdict in verdicts):
            raise SystemExit(1)

    def _logs(self, named: list[str]) -> list[LogSource]:
        found: list[LogSource] = []
        are_missing = False
        for name in named:
            try:
                found += sources(name)
            except NoSource as error:
                are_missing = True
                self.stderr.write(f"{name}: {error}.")
        if are_missing:
            raise CommandError("Nothing was imported.", returncode=2)
        return found

    def _import(self, log: LogSource, how: How, *, as_json: bool) -> Verdict:
        bar = _Bar(self.stderr, log)
        verdict = import_log(
            log, how, now=clock.now(), actor="manage.py slo_import_log", progress=bar.show
        )
        bar.clear()
        if as_json:
            self.stdout.write(json.dumps(verdict.as_dict(), ensure_ascii=False))
        else:
            for sentence in _sentences(verdict):
                self.stdout.write(f"{log.name}: {sentence}")
        self.stdout.flush()
        return verdict


class _Bar:
    """How far a log was read, drawn over itself; nothing unless on a terminal."""

    def __init__(self, out: OutputWrapper, log: LogSource) -> None:
        self.out = out
        self.log = log
        self.is_drawn = False

    def show(self, act: str, lines: int) -> None:
        """Draw it anew."""
        if not self.out.isatty():
            return
        share = min(1.0, self.log.position / self.log.size) if self.log.size else 1.0
        full = int(share * BAR)
        count = f", {lines:,} lines" if lines else ""
        name = self.log.name[-30:]
        text = f"{name} [{'#' * full}{'.' * (BAR - full)}] {share:4.0%} {act}{count}"
        self.out.write(f"\r\x1b[K{text}", ending="")
        self.out.flush()
        self.is_drawn = True

    def clear(self) -> None:
        """Make room for what comes next."""
        if self.is_drawn:
            self.out.write("\r\x1b[K", ending="")


def _how(options: dict[str, Any]) -> How:
    service = Service.objects.filter(slug=options["service"]).first()
    if service is None:
        raise CommandError(
            f"There is no service {options['service']}; make it with"
            f" 'manage.py service create {options['service']}'.",
            returncode=2,
        )
    patterns = tuple(options["endpoint_pattern"])
    try:
        EndpointNames(patterns)
    except BadPattern as error:
        raise CommandError(f"--endpoint-pattern {error}", returncode=2) from error
    told, unit = options["format"], options["duration_unit"]
    return How(
        service,
        patterns,
        format=None if told == AUTO else Format(told),
        unit=None if unit == AUTO else Unit(unit),
        is_trial=options["dry_run"],
    )


def _sentences(verdict: Verdict) -> list[str]:
    """Say what became of a log."""
    said = []
    if verdict.counted_before:
        said.append(f"{verdict.counted_before:,} lines were imported before and are not counted.")
    if verdict.lines:
        said.append(_counted(verdict))
    elif not verdict.refused_because:
        said.append("nothing new." if verdict.counted_before else "is empty.")
    said += [f"line {line}: {reason}." for line, reason in verdict.examples]
    if more := verdict.not_understood - len(verdict.examples):
        said.append(f"{more:,} more lines were not understood.")
    if verdict.too_old:
        said.append(f"{verdict.too_old:,} requests are older than minutes are kept.")
    if verdict.minutes_counted_otherwise:
        said.append(
            f"warning: in {verdict.minutes_counted_otherwise:,} of its minutes requests had been"
            " counted by another sender; those that both saw are counted twice."
        )
    if verdict.refused_because:
        said.append(f"refused: {verdict.refused_because}.")
    return said


def _counted(verdict: Verdict) -> str:
    would = "would be counted" if verdict.is_trial else "counted"
    parts = [f"{verdict.counted:,} of {verdict.lines:,} lines {would}"]
    if verdict.first_minute and verdict.last_minute:
        form = "%Y-%m-%d %H:%M"
        parts.append(
            f"{verdict.first_minute.strftime(form)} to {verdict.last_minute.strftime(form)} UTC"
        )
    if verdict.format:
        unit = (
            f", duration in {verdict.duration_unit.name.lower()}" if verdict.duration_unit else ""
        )
        parts.append(f"format {verdict.format}{unit}")
    if verdict.websockets:
        parts.append(f"{verdict.websockets:,} websockets left out")
    return "; ".join(parts) + "."


def _summary(verdicts: list[Verdict]) -> str:
    counted = sum(verdict.counted for verdict in verdicts)
    wrong = sum(verdict.not_understood for verdict in verdicts)
    refused = sum(bool(verdict.refused_because) for verdict in verdicts)
    return (
        f"{len(verdicts)} logs: {counted:,} requests counted, {wrong:,} lines not understood,"
        f" {refused} logs refused."
    )

"""`manage.py slo_backfill SLI`: fetch the past of an SLI from its source."""

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.clock import floor_minute, now
from core.errors import DomainError
from core.reach import instant_from, is_within_reach
from slo.models import BackfillJob, Sli
from slo.services import backfills

BAR = 24
INTERRUPTED = 130


class Command(BaseCommand):
    """Fetch the past of an SLI from its source."""

    help = (
        "Fetch past minutes of an SLI from its source, Prometheus or CloudWatch. An open backfill of"
        " the SLI goes on where it was. Exits 1 when the source does not answer (the worker then goes"
        " on by itself) or a minute stayed a gap, 2 on bad usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("sli", metavar="SLI", help="Slug of the SLI.")
        parser.add_argument("--days", type=float, default=30, help="How far back (30).")
        parser.add_argument("--from", dest="start", metavar="ISO8601", help="Instead of --days.")
        parser.add_argument("--to", dest="end", metavar="ISO8601", help="End (now).")
        parser.add_argument("--json", action="store_true", help="The result as JSON.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the backfill in this process, drawing how far it is."""
        job = self._job(options)
        try:
            job = self._run(job)
        except KeyboardInterrupt as error:
            self.stderr.write("\nStopped here; the worker goes on.")
            raise SystemExit(INTERRUPTED) from error
        self.stdout.write(json.dumps(_said(job)) if options["json"] else _sentence(job))
        if job.state != BackfillJob.State.DONE or job.gaps:
            raise SystemExit(1)

    def _job(self, options: dict[str, Any]) -> BackfillJob:
        sli = Sli.objects.select_related("source").filter(slug=options["sli"]).first()
        if sli is None:
            raise CommandError(f"There is no SLI {options['sli']}.", returncode=2)
        at = now()
        is_open = BackfillJob.objects.filter(sli=sli, state__in=BackfillJob.OPEN)
        if job := is_open.first():
            self.stderr.write("A backfill of this SLI is open; it goes on where it was.")
            return job
        end = _instant(options["end"], "--to") or at
        start = _instant(options["start"], "--from")
        try:
            start = start or floor_minute(end - timedelta(days=options["days"]))
            return backfills.create(
                sli=sli, start=start, end=end, actor="manage.py slo_backfill", now=at
            )
        except DomainError as error:
            raise CommandError(error.message, returncode=2) from error
        except OverflowError as error:
            raise CommandError("--days: so far back there was nothing.", returncode=2) from error

    def _run(self, job: BackfillJob) -> BackfillJob:
        self._draw(job)
        while job.is_open:
            after = backfills.step(job, now=now())
            if after is None:
                job.refresh_from_db()
                if job.is_open:
                    self.stderr.write("The worker is at it, or waits for the source.")
                break
            job = after
            self._draw(job)
            if job.attempts:
                break
        if self.stderr.isatty():
            self.stderr.write("\r\x1b[K", ending="")
        return job

    def _draw(self, job: BackfillJob) -> None:
        if not self.stderr.isatty():
            return
        share = job.minutes_done / job.minutes
        full = int(share * BAR)
        bar = f"[{'#' * full}{'.' * (BAR - full)}] {share:4.0%}"
        self.stderr.write(f"\r\x1b[K{bar} {job.minutes_done:,} of {job.minutes:,} min", ending="")
        self.stderr.flush()


def _instant(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    at = instant_from(text)
    if at is None or not is_within_reach(at):
        raise CommandError(f"{name}: write it like 2026-05-03T12:00Z.", returncode=2)
    return at


def _said(job: BackfillJob) -> dict[str, object]:
    return {
        "id": job.pk,
        "sli": job.sli.slug,
        "state": job.state,
        "start_at": job.start_at.isoformat(),
        "end_at": job.end_at.isoformat(),
        "done_until": job.done_until.isoformat(),
        "minutes": job.minutes,
        "minutes_done": job.minutes_done,
        "gaps": job.gaps,
        "error": job.error or None,
    }


def _sentence(job: BackfillJob) -> str:
    why = f": {job.error}" if job.error else "."
    return (
        f"{job.sli.slug}: {job.minutes_done:,} of {job.minutes:,} minutes fetched,"
        f" {job.gaps:,} of them gaps; {job.state}{why}"
    )

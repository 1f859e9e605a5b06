"""`manage.py slo_windows --objective 0.999 --period 30d [--json]`: the burn-rate tiers generated."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand

from slo.domain.burn_alerts import Tier, Urgency, tiers_for
from slo.domain.counts import allowed_ratio
from slo.domain.exchange.windows import read_duration


class Command(BaseCommand):
    """Show burn-rate tiers."""

    help = "Show the burn-rate alert tiers that follow from an objective and its period."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--objective", type=objective, required=True, help="E.g. 0.999.")
        parser.add_argument("--period", type=period, default="30d", help="E.g. 30d, 4w, 1h.")
        parser.add_argument("--json", action="store_true", help="One JSON list.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line a tier, or one JSON list."""
        tiers = [as_dict(t) for t in tiers_for(options["objective"], options["period"])]
        if options["json"]:
            self.stdout.write(json.dumps(tiers, ensure_ascii=False))
            return
        for tier in tiers:
            note = f"  ({tier['note']})" if tier["note"] else ""
            self.stdout.write(
                f"{tier['severity']:6}  {tier['long']:>3} and {tier['short']:>3}:"
                f" {tier['budget_share']:.0%} of the budget, burn rate {tier['threshold']:.4g}{note}"
            )


def objective(text: str) -> Decimal:
    """Return an objective strictly between 0 and 1.

    Raises:
        ArgumentTypeError: In words for people.
    """
    try:
        value = Decimal(text)
        allowed_ratio(value)
    except (InvalidOperation, ValueError) as error:
        raise ArgumentTypeError("give a share strictly between 0 and 1, e.g. 0.999") from error
    return value


def period(text: str) -> timedelta:
    """Return a duration.

    Raises:
        ArgumentTypeError: In words for people.
    """
    try:
        found = read_duration(text)
    except OverflowError:
        found = None
    if found is None:
        raise ArgumentTypeError("give a whole number and one of m, h, d, w, e.g. 30d")
    return found.length


def as_dict(tier: Tier) -> dict[str, Any]:
    """Return a tier in the shape that scripts rely on."""
    return {
        "long": spelt(tier.share.long),
        "short": spelt(tier.short),
        "budget_share": float(tier.share.budget_share),
        "threshold": float(tier.threshold),
        "severity": "page" if tier.share.urgency is Urgency.PAGE else "ticket",
        "enabled": tier.enabled,
        "note": tier.note,
    }


def spelt(length: timedelta) -> str:
    """Return a length by its greatest whole unit: 5m, 6h, 3d."""
    minutes = int(length / timedelta(minutes=1))
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"

"""The shape of a budget ledger."""

from typing import Any

from rest_framework import serializers

from slo.domain.counts import Counts
from slo.domain.judging import Judgement
from slo.queries.ledgers import Ledger, Row


class RowSerializer(serializers.Serializer[Row]):
    """What one happening took; `kind` is unattributed for the rest."""

    kind = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    good = serializers.FloatField()
    bad = serializers.FloatField()
    share = serializers.FloatField(
        allow_null=True, help_text="Of the whole budget; null without one."
    )


class LedgerSerializer(serializers.Serializer[Ledger]):
    """What took how much of a budget: the rows add up to the totals."""

    window_start = serializers.DateTimeField()
    window_end = serializers.DateTimeField()
    unit = serializers.ChoiceField(["events", "minutes"])
    good = serializers.FloatField()
    bad = serializers.FloatField()
    allowed = serializers.FloatField()
    budget_remaining = serializers.FloatField(allow_null=True)
    rows = RowSerializer(many=True)


def as_json(found: Ledger) -> dict[str, Any]:
    """Return a ledger in that shape, counts in whole events or minutes where they are."""
    judged = found.judgement
    return {
        "window_start": found.window.start,
        "window_end": found.window.end,
        "unit": found.unit,
        **_counts(Counts(judged.good, judged.total), judged),
        "allowed": float(judged.allowed / judged.unit),
        "budget_remaining": None if judged.remaining is None else float(judged.remaining),
        "rows": [
            {
                "kind": row.kind,
                "title": row.title,
                "url": row.url,
                "starts_at": row.starts_at,
                "ends_at": row.ends_at,
                **_counts(row.entry.counts, judged),
                "share": None if row.entry.share is None else float(row.entry.share),
            }
            for row in found.rows
        ],
    }


def _counts(counts: Counts, judged: Judgement) -> dict[str, float]:
    unit = judged.unit
    return {
        "good": counts.good if unit == 1 else counts.good / unit,
        "bad": counts.bad if unit == 1 else counts.bad / unit,
    }

"""Receipts as the API tells them: why somebody was called, or nobody."""

from rest_framework import serializers

from incidents.domain.receipts import Part, Receipt, Ruling, Verdict


class ReceiptVerdictSerializer(serializers.Serializer[Verdict]):
    """What one rule came to, and what decided it."""

    rule = serializers.CharField(help_text="Which rule, e.g. silence.")
    verdict = serializers.ChoiceField(choices=[(each.value, each.value) for each in Ruling])
    text = serializers.CharField(help_text="In words; times are UTC.")
    at = serializers.DateTimeField(allow_null=True)
    facts = serializers.DictField(help_text="What decided, for programs.")


class ReceiptPartSerializer(serializers.Serializer[Part]):
    """Verdicts that belong together, in the order in which they fell."""

    title = serializers.CharField()
    verdicts = ReceiptVerdictSerializer(many=True)


class ReceiptSerializer(serializers.Serializer[Receipt]):
    """Why somebody was called, or nobody."""

    answer = serializers.CharField(help_text="All of it in one sentence.")
    is_whole = serializers.BooleanField(help_text="False: of very many calls only the newest.")
    parts = ReceiptPartSerializer(many=True)

"""The shape of what the linter says."""

from typing import Any

from rest_framework import serializers


class FindingSerializer(serializers.Serializer[Any]):
    """One thing the linter has to say."""

    code = serializers.CharField(help_text="Stable name of the check.")
    level = serializers.ChoiceField(["error", "warning", "note"])
    field = serializers.CharField(help_text="Which field to look at.")
    message = serializers.CharField()

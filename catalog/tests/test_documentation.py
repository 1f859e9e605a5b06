"""What docs/catalog.md shows works as shown."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from catalog.services.importing import import_sources
from catalog.tests.cast import person
from core.yaml_files import SourceFile

PAGE = Path(settings.BASE_DIR) / "docs" / "catalog.md"


@pytest.mark.django_db
def test_documented_yaml_is_carried_whole() -> None:
    """The example of our own format imports without an error or a loss."""
    person("alice")
    person("bob")
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    verdicts = import_sources([SourceFile("docs", example)], now=datetime(2026, 3, 2, tzinfo=UTC))
    assert [(row.action, row.errors, row.lost) for row in verdicts] == [("created", [], [])] * 3

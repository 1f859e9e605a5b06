"""What the documents say is so."""

import doctest
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.core.management import get_commands

from sreportal.env import SETTINGS
from sreportal.schedule import SCHEDULE

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"manage\.py ([a-z_]+)")
_TARGET = re.compile(r"\bmake ([a-z]+)\b(?=`|\s*(?:#|$)|,)", re.MULTILINE)


def name_of(path: Path) -> str:
    """Return a document's path below the project."""
    return path.relative_to(ROOT).as_posix()


def make_targets() -> set[str]:
    """Return what `make` can be asked for."""
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    """Every link to a file of the project finds it."""
    links = (unquote(link.partition("#")[0]) for link in _LINK.findall(document.read_text()))
    local = [
        link for link in links if link and "://" not in link and not link.startswith("mailto:")
    ]
    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_commands_exist(document: Path) -> None:
    """Whoever types what a document says finds the command."""
    text = document.read_text()
    assert set(_COMMAND.findall(text)) - {"help", *get_commands()} == set()
    assert set(_TARGET.findall(text)) - make_targets() == set()


def test_settings_are_documented() -> None:
    """docs/configuration.md names every value that the portal reads from its environment."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert [setting.name for setting in SETTINGS if f"`{setting.name}`" not in text] == []


def test_scheduled_tasks_are_documented() -> None:
    """docs/operations.md names every task that runs by itself."""
    text = (ROOT / "docs" / "operations.md").read_text()
    assert [tick.task for tick in SCHEDULE if f"`{tick.task}`" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_examples_run(document: Path) -> None:
    """What a document shows at a Python prompt is what Python answers."""
    failed, _ = doctest.testfile(
        str(document), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert failed == 0

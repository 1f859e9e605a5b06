"""Where links lead, for processes that were told and those that were not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sreportal import env

RUNNING = "http://127.0.0.1:9000"


@pytest.fixture(autouse=True)
def beside_a_portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder whose portal runs, and a process that was told nothing else."""
    monkeypatch.setenv("SREPORTAL_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["manage.py", "doctor"])
    for name in ("PORT", "PORTAL_URL"):
        monkeypatch.delenv(name, raising=False)
    env.note_portal_url(RUNNING)


def test_a_command_takes_the_address_of_the_portal_that_runs() -> None:
    assert env.portal_url() == RUNNING


def test_what_it_is_told_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9100")
    assert env.portal_url() == "http://127.0.0.1:9100"
    monkeypatch.setenv("PORTAL_URL", "https://sre.example.org/")
    assert env.portal_url() == "https://sre.example.org"


def test_a_portal_that_starts_believes_no_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of one that was killed may be any process' by now."""
    monkeypatch.setattr(sys, "argv", ["manage.py", "up"])
    assert env.portal_url() == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "left", ["", "7", "x http://127.0.0.1:9000", "1 a b", "0 x", f"{10**30} x"]
)
def test_rubbish_in_its_place_is_nobody(left: str, tmp_path: Path) -> None:
    (tmp_path / "address").write_text(left)
    assert env.portal_url() == "http://127.0.0.1:8000"


def test_one_that_ended_is_not_asked_for(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "address").write_text(f"{ended.pid} {RUNNING}")
    assert env.portal_url() == "http://127.0.0.1:8000"
    env.note_portal_url(RUNNING)
    assert (tmp_path / "address").read_text().startswith(f"{os.getpid()} ")
    env.forget_portal_url()
    assert env.portal_url() == "http://127.0.0.1:8000"

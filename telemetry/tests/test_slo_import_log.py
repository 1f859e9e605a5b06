"""`manage.py slo_import_log`, as scripts and people use it."""

import gzip
import json
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from moto import mock_aws

from core import clock
from telemetry.adapters import log_sources
from telemetry.adapters.log_sources import NoSource, Unreadable, sources
from telemetry.management.commands.slo_import_log import Command
from telemetry.models import ImportedLog, MinuteCount
from telemetry.tests.access_logs import alb, combined, write
from telemetry.tests.builders import NOW, make_service, minute

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service, and a clock that stands still."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    make_service()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an S3 that holds an empty bucket "shop-logs"."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="shop-logs")
        yield client


def run(*args: str | Path, service: str = "users-api") -> tuple[int, str, str]:
    """Return exit status, standard output and standard error of the command."""
    out, err = StringIO(), StringIO()
    status = 0
    try:
        call_command(
            "slo_import_log", *map(str, args), "--service", service, stdout=out, stderr=err
        )
    except SystemExit as end:
        status = int(str(end.code))
    except CommandError as error:
        status = error.returncode
        err.write(str(error))
    return status, out.getvalue(), err.getvalue()


def test_a_log_is_imported_and_can_be_read_of_at_once(tmp_path: Path) -> None:
    """The counts are there when the command ends; format and unit are said."""
    path = write(tmp_path, combined(at=minute(3)), combined(at=minute(1)))
    status, out, err = run(path)
    assert status == 0
    assert out == (
        f"{path}: 2 of 2 lines counted; 2026-11-23 10:02 to 2026-11-23 10:04 UTC;"
        " format combined, duration in seconds.\n"
    )
    assert err == "1 logs: 2 requests counted, 0 lines not understood, 0 logs refused.\n"
    assert MinuteCount.objects.count() == 2


def test_again_is_said(tmp_path: Path) -> None:
    """Nobody has to wonder why nothing was counted."""
    path = write(tmp_path, combined(at=minute(1)))
    run(path)
    status, out, _ = run(path)
    assert status == 0
    assert "1 lines were imported before and are not counted." in out
    assert "nothing new." in out


def test_json_is_an_object_a_log(tmp_path: Path) -> None:
    """For scripts; what is unknown is null."""
    path = write(tmp_path, alb(at=minute(1)), "rubbish")
    status, out, _ = run(path, "--json")
    assert status == 1
    assert json.loads(out) == {
        "file": str(path),
        "service": "users-api",
        "dry_run": False,
        "format": "alb",
        "duration_unit": None,
        "counted_before": 0,
        "lines": 2,
        "counted": 1,
        "websockets": 0,
        "too_old": 0,
        "not_understood": 1,
        "examples": [{"line": 2, "reason": "is not in the format of ALB logs: 'rubbish'"}],
        "minutes_counted_otherwise": 0,
        "first_minute": "2026-11-23T10:04:00+00:00",
        "last_minute": "2026-11-23T10:04:00+00:00",
        "refused_because": None,
    }


def test_an_endpoint_pattern_names_paths(tmp_path: Path) -> None:
    """The option may be repeated."""
    path = write(tmp_path, combined("/u/alice", at=minute(1)), combined("/s/a/b", at=minute(1)))
    run(path, "--endpoint-pattern", "/u/:name", "--endpoint-pattern", "/s/*")
    names = set(MinuteCount.objects.values_list("endpoint", flat=True))
    assert names == {"/u/:name", "/s/*"}


def test_a_told_unit_decides(tmp_path: Path) -> None:
    """Milliseconds cannot be found, only told."""
    run(write(tmp_path, combined(duration="250", at=minute(1))), "--duration-unit", "ms")
    assert MinuteCount.objects.get().sum_ms == 250.0


def test_a_dry_run_stores_nothing(tmp_path: Path) -> None:
    """It says "would be"."""
    status, out, _ = run(write(tmp_path, combined(at=minute(1))), "--dry-run")
    assert status == 0
    assert "1 of 1 lines would be counted" in out
    assert not ImportedLog.objects.exists()
    assert not MinuteCount.objects.exists()


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 0, "is empty"),
        (b"\n\n", 0, "is empty"),
        (gzip.compress(b""), 0, "is empty"),
        (bytes(range(256)) * 40, 1, "refused: is binary data"),
        (b"\xff\xfe\x9d rubbish \xf0\n", 1, "refused: is not in the"),
        (b"\x1f\x8brubbish", 1, "refused: is damaged or cut short (gzip)"),
        (gzip.compress(f"{combined()}\n".encode() * 999)[:-12], 1, "refused: is damaged"),
        (gzip.compress(b"ok" * 99)[:-8] + b"wrongsum", 1, "refused: is damaged"),
    ],
    ids=["empty", "blank", "gzip", "binary", "bytes", "no gzip", "cut gzip", "wrong checksum"],
)
def test_a_log_that_is_none_gets_one_clear_line(
    tmp_path: Path, content: bytes, status: int, said: str
) -> None:
    """Nothing of it is counted, and there is no traceback."""
    path = tmp_path / "access.log"
    path.write_bytes(content)
    found, out, _ = run(path)
    assert found == status
    assert out.startswith(f"{path}: {said}")
    assert out.count("\n") == 1
    assert not MinuteCount.objects.exists()


def test_what_cannot_be_opened_is_bad_usage(tmp_path: Path) -> None:
    """Every one is named before anything is imported."""
    good = write(tmp_path, combined(at=minute(1)))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    status, out, err = run(good, tmp_path, tmp_path / "missing.log", pipe)
    assert (status, out) == (2, "")
    assert f"{tmp_path}: is a directory" in err
    assert f"{tmp_path / 'missing.log'}: does not exist." in err
    assert f"{pipe}: is no regular file" in err
    assert not MinuteCount.objects.exists()


def test_a_log_that_may_not_be_read_is_bad_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever user runs the tests."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, combined(at=minute(1)))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(NoSource, match="permission denied"):
        sources(str(path))


def test_a_disk_that_fails_refuses_the_log(tmp_path: Path) -> None:
    """A file that goes away between being named and being read is one clear line as well."""
    path = write(tmp_path, combined(at=minute(1)))
    (source,) = sources(str(path))
    path.unlink()
    with pytest.raises(Unreadable, match="No such file"), source.open():
        pass


def test_an_unknown_service_is_bad_usage(tmp_path: Path) -> None:
    """The message says how to make it."""
    status, _, err = run(write(tmp_path, combined()), service="nobody")
    assert status == 2
    assert "There is no service nobody; make it with" in err


@pytest.mark.parametrize("args", [["--format", "iis"], ["--duration-unit", "h"], []])
def test_a_wrong_option_is_bad_usage(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown format or unit, and a missing service, are named by the parser."""
    service = ["--service", "users-api"] if args else []
    with pytest.raises(SystemExit) as end:
        Command().run_from_argv(["manage.py", "slo_import_log", "access.log", *service, *args])
    assert end.value.code == 2
    assert (args or ["--service"])[0] in capsys.readouterr().err


def test_a_pattern_that_matches_nothing_is_bad_usage(tmp_path: Path) -> None:
    """Before anything is imported."""
    path = write(tmp_path, combined(at=minute(1)))
    status, _, err = run(path, "--endpoint-pattern", "users")
    assert status == 2
    assert "'users': a pattern begins with /" in err
    assert not MinuteCount.objects.exists()


def test_one_bad_log_does_not_keep_the_others(tmp_path: Path) -> None:
    """The valid rest is counted, the status says that something was wrong."""
    bad = tmp_path / "bad.log"
    bad.write_bytes(b"\x1f\x8brubbish")
    status, _, err = run(bad, write(tmp_path, combined(at=minute(1))))
    assert status == 1
    assert err == "2 logs: 1 requests counted, 0 lines not understood, 1 logs refused.\n"


def test_an_interrupted_import_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control-C is no traceback."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("telemetry.management.commands.slo_import_log.import_log", interrupted)
    status, _, err = run(write(tmp_path, combined()))
    assert status == 130
    assert "Run the same again" in err


def test_a_terminal_sees_a_bar(tmp_path: Path) -> None:
    """Progress goes to standard error, and only when somebody looks."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    path = write(tmp_path, combined(at=minute(1)))
    call_command("slo_import_log", str(path), service="users-api", stdout=StringIO(), stderr=err)
    assert "[########################] 100% counting, 1 lines" in err.getvalue()


def test_an_object_of_s3_is_read(bucket: Any) -> None:
    """s3://bucket/key is that object alone, although others begin like it."""
    packed = gzip.compress(f"{alb(at=minute(1))}\n".encode())
    bucket.put_object(Bucket="shop-logs", Key="alb/a.log", Body=packed)
    bucket.put_object(Bucket="shop-logs", Key="alb/a.log.2", Body=packed)
    status, out, _ = run("s3://shop-logs/alb/a.log")
    assert status == 0
    assert out.startswith("s3://shop-logs/alb/a.log: 1 of 1 lines counted")
    assert MinuteCount.objects.get().count == 1


def test_every_object_under_a_prefix_is_read(bucket: Any) -> None:
    """Load balancers write a file every five minutes; folders' markers hold nothing."""
    bucket.put_object(Bucket="shop-logs", Key="alb/", Body=b"")
    for number in range(1003):
        body = f"{alb(f'/{number}', at=minute(1))}\n".encode() if number % 100 == 0 else b""
        bucket.put_object(Bucket="shop-logs", Key=f"alb/{number:04}.log", Body=body)
    found = [source.name for source in sources("s3://shop-logs/alb/")]
    assert found == [f"s3://shop-logs/alb/{number:04}.log" for number in range(0, 1003, 100)]
    assert run("s3://shop-logs/alb/")[0] == 0
    assert MinuteCount.objects.get().count == 11


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("s3://shop-logs/nothing", "matches no object"),
        ("s3://elsewhere/key", "cannot be listed"),
        ("s3:///key", "names no bucket"),
        ("s3://In Valid/key", "cannot be listed"),
    ],
)
def test_what_s3_does_not_have_is_bad_usage(bucket: Any, name: str, said: str) -> None:
    """One line, without a traceback."""
    assert bucket
    status, _, err = run(name)
    assert status == 2
    assert f"{name}: {said}" in err


def test_an_object_that_changed_meanwhile_is_refused(bucket: Any) -> None:
    """The two looks at a log must be at the same bytes."""
    bucket.put_object(Bucket="shop-logs", Key="a.log", Body=b"one\n")
    (source,) = log_sources.sources("s3://shop-logs/a.log")
    bucket.put_object(Bucket="shop-logs", Key="a.log", Body=b"two\n")
    with pytest.raises(Unreadable, match="could not be read"), source.open():
        pass

"""The copy that stays up without the portal: complete, relative, replaced file by file."""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from django.core.management import CommandError, call_command
from moto import mock_aws

from incidents.domain.communication import PublicState
from slo.tests.world import World
from statuspage import tasks
from statuspage.models import PublicIncident
from statuspage.services import exporting
from statuspage.tests.world import HOUR, NOON, SECRET, component, incident, shop, tell

pytestmark = [pytest.mark.django_db]
_LINK = re.compile(r'(?:href|src|action)="([^"]+)"')
BUCKET = "public-status"


@pytest.fixture(autouse=True)
def _page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill a page: a component with bars, an incident."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    service = shop()
    component(service=service, slo=World().slo("availability"))
    tell(incident(service), "We look into it.")


@pytest.fixture
def bucket() -> Iterator[Any]:
    """Return a client of a simulated S3 with an empty bucket."""
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-1")
        where = {"LocationConstraint": "eu-west-1"}
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        yield client


def test_the_copy_is_whole_and_leads_nowhere_else(tmp_path: Path) -> None:
    """Each link of each page finds a file from its own place, but for what only the portal can do."""
    call_command("statuspage_export", str(tmp_path))
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) == 4
    for page in pages:
        text = page.read_text()
        assert SECRET not in text
        for link in _LINK.findall(text):
            if link in {"data:,", "#main"} or link == "http://127.0.0.1:8000/status/subscribe/":
                continue
            assert (page.parent / link.partition("#")[0]).is_file(), (page, link)
    documents = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")}
    assert "api/v2/incidents/unresolved.json" in documents
    assert (tmp_path / "feed.rss").read_text().startswith("<?xml")


def test_a_copy_replaces_files_whole_and_drops_what_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure in the middle leaves the front page as it was; no draft stays behind."""
    exporting.export(str(tmp_path), now=NOON)
    front = (tmp_path / "index.html").read_bytes()
    row = PublicIncident.objects.get()
    tell(row.incident, "Over.", state=PublicState.RESOLVED, now=NOON)
    real = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if target == tmp_path / "index.html":
            raise OSError(28, "No space left on device")
        return real(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with pytest.raises(exporting.ExportFailed, match="No space left"):
            exporting.export(str(tmp_path), now=NOON)
    assert (tmp_path / "index.html").read_bytes() == front
    assert not list(tmp_path.rglob(".*"))
    assert (tmp_path / "incidents" / row.public_id).exists()
    others = tmp_path / "incidents" / "of-others" / "index.html"
    others.parent.mkdir()
    others.touch()
    exporting.export(str(tmp_path), now=NOON + timedelta(days=400))
    assert not (tmp_path / "incidents" / row.public_id).exists()
    assert others.exists()


def test_what_a_killed_copy_left_is_cleared_away(tmp_path: Path) -> None:
    """Halves of files, on a later copy; what is being written and what others put beside them stays."""
    exporting.export(str(tmp_path), now=NOON)
    page = next((tmp_path / "components").glob("*/index.html")).parent
    halves = [tmp_path / ".index.html.0a1b2c3d", tmp_path / "api/v2/.summary.json.ffffffff",
              page / ".index.html.00000000"]  # fmt: skip
    others = [
        tmp_path / ".htaccess",
        tmp_path / ".other.html.0a1b2c3d",
        tmp_path / ".index.html.bak",
    ]
    for path in [*halves, *others]:
        path.write_text("half")
        os.utime(path, ((NOON - HOUR).timestamp(),) * 2)
    young = tmp_path / ".index.html.abcdef01"
    young.write_text("Another one writes it.")
    os.utime(young, ((NOON - timedelta(minutes=1)).timestamp(),) * 2)
    exporting.export(str(tmp_path), now=NOON)
    assert young.exists()
    assert not any(path.exists() for path in halves)
    assert all(path.exists() for path in others)


def test_a_copy_works_from_a_folder_below(tmp_path: Path, settings: Any) -> None:
    """Of another site, without anything at its root: links are relative, documents say where the copy is."""
    settings.STATUSPAGE_URL = "https://example.org/about/status/"
    exporting.export(str(tmp_path / "about" / "status"), now=NOON)
    for page in (tmp_path / "about").rglob("*.html"):
        assert not re.findall(r'(?:href|src)="/[^"]*"', page.read_text()), page
    summary = json.loads((tmp_path / "about/status/api/v2/summary.json").read_text())
    assert summary["page"]["url"] == "https://example.org/about/status"
    (told,) = summary["incidents"]
    path = told["shortlink"].removeprefix("https://example.org/")
    assert (tmp_path / path / "index.html").is_file()


def test_the_front_page_of_a_bucket_is_written_last(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So where S3 fails in the middle, nothing that it leads to is missing."""
    target = f"s3://{BUCKET}/status"
    exporting.export(target, now=NOON)
    before = bucket.get_object(Bucket=BUCKET, Key="status/index.html")["Body"].read()
    tell(incident(), "Another one.")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session := boto3.Session())

    def fail(params: dict[str, Any], **_: Any) -> None:
        if params["url_path"].endswith("/status/index.html"):
            raise botocore.exceptions.EndpointConnectionError(endpoint_url="s3")

    session.events.register("before-call.s3.PutObject", fail)
    with pytest.raises(exporting.ExportFailed, match="cannot be written"):
        exporting.export(target, now=NOON)
    assert bucket.get_object(Bucket=BUCKET, Key="status/index.html")["Body"].read() == before
    told = {row.public_id for row in PublicIncident.objects.all()}
    listed = bucket.list_objects_v2(Bucket=BUCKET, Prefix="status/incidents/")["Contents"]
    assert {one["Key"].split("/")[2] for one in listed} == told


def test_a_bucket_has_types_and_caching(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a web server would say them; what did not change is not sent again."""
    call_command("statuspage_export", f"s3://{BUCKET}/status")
    front = bucket.get_object(Bucket=BUCKET, Key="status/index.html")
    assert front["ContentType"] == "text/html; charset=utf-8"
    assert front["CacheControl"] == "public, max-age=30, stale-if-error=86400"
    feed = bucket.get_object(Bucket=BUCKET, Key="status/feed.atom")
    assert feed["ContentType"] == "application/atom+xml; charset=utf-8"
    row = PublicIncident.objects.get()
    key = f"status/incidents/{row.public_id}/index.html"
    written: list[str] = []
    event = "before-call.s3.PutObject"
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session := boto3.Session())
    session.events.register(event, lambda params, **_: written.append(params["url_path"]))
    exporting.export(f"s3://{BUCKET}/status", now=NOON)
    assert any(path.endswith("/status/index.html") for path in written)
    assert not any(row.public_id in path for path in written)
    tell(row.incident, "Over.", state=PublicState.RESOLVED)
    others = "status/incidents/index.html"
    bucket.put_object(Bucket=BUCKET, Key=others, Body=b"x")
    exporting.export(f"s3://{BUCKET}/status", now=NOON + timedelta(days=400))
    left = [one["Key"] for one in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert key not in left
    assert others in left


def test_a_bucket_that_is_not_there_is_said(bucket: Any) -> None:
    """In one line, with its name."""
    with pytest.raises(CommandError, match="s3://other-bucket cannot be written"):
        call_command("statuspage_export", "s3://other-bucket")


@pytest.mark.parametrize(
    ("target", "said"),
    [("s3://", "names no bucket"), ("s3://no bucket/x", "Invalid bucket name")],
)
def test_what_is_no_bucket_is_said_in_one_line(target: str, said: str) -> None:
    """Though S3's library takes several."""
    with pytest.raises(CommandError, match=said) as raised:
        call_command("statuspage_export", target)
    assert "\n" not in str(raised.value)


def test_the_tick_copies_where_one_is_wanted(settings: Any, tmp_path: Path) -> None:
    """And does nothing otherwise."""
    tasks.export()
    settings.STATUSPAGE_EXPORT = str(tmp_path)
    tasks.export()
    assert (tmp_path / "index.html").exists()
    with pytest.raises(CommandError, match="where to"):
        call_command("statuspage_export", "")

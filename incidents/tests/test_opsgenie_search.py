"""Opsgenie's searches are answered right or refused, and their pages lead to each other."""

from datetime import timedelta
from urllib.parse import quote, urlsplit

import pytest

from incidents.domain.formats.opsgenie_search import Condition, QueryError, conditions
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.opsgenie_sender import Sender, sender

__all__ = ["portal", "sender"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


# Of what `three` sends.
FOUND: dict[str, list[str]] = {
    "": ["q1", "q2", "r 3"],
    "status: open": ["q1", "q2"],
    "status : open AND priority :P1": ["q1"],
    "status=open": ["q1", "q2"],
    "status = closed": ["r 3"],
    "count=2 AND alias=q*": ["q2"],
    'status:"closed"': ["r 3"],
    'alias:"r 3"': ["r 3"],
    "alias: 'r 3'": ["r 3"],
    'alias: " q1 "': ["q1"],
    "alias:q*": ["q1", "q2"],
    "alias:*3": ["r 3"],
    "alias:q": [],
    'alias:"q*"': [],
    "alias:*": ["q1", "q2", "r 3"],
    "message:*full*": ["q1", "r 3"],
    "message:full": ["q1", "r 3"],
    "message:*full": ["q1"],
    'message:"disk full"': ["q1"],
    'message:"\\"quotes\\" (two)"': ["r 3"],
    "disk": ["q1", "q2"],
    "disk full": ["q1"],
    '"disk is"': ["q2"],
    "slow*": [],
    "tag:disk": ["q1"],
    "tag:disk*": ["q1", "r 3"],
    "tag:*a": ["q1"],
    'tag:"node a"': ["q1"],
    'tag:"grün \\"2\\""': ["r 3"],
    "tag:*grü*": ["r 3"],
    "acknowledged:true": ["q2"],
    "acknowledged: False": ["q1", "r 3"],
    "count:2": ["q2"],
    "count > 1": ["q2"],
    "count<2": ["q1", "r 3"],
    "count >= 1 AND count <= 1": ["q1", "r 3"],
}
REFUSED = [
    "status!=open", "status>open", "status:", "status:op*", "status==open", "acknowledged:maybe",
    "count:many", "count > 1.5", "count:>5", "count != 2", "createdAt:1", "createdAt > yesterday",
    "createdAt > 9e99", "alias:q*1", 'alias:"q1', "alias:'q1", 'alias:""', "message:(a OR b)",
    "(status:open)", "!disk", "-disk", "a && b", "status:open OR status:closed", "NOT disk",
    "message < a", "tag >= a", "owner:ada", "> 5", '"a"b', "disk " * 1200, "x" * 60_000,
]  # fmt: skip


@pytest.fixture
def three(sender: Sender) -> Sender:
    """Return a sender of three alerts, one of them closed, one acknowledged and sent twice."""
    sender.create(alias="q1", message="Disk full", tags=["disk", "node a"], priority="P1")
    sender.create(alias="q2", message="Queue stuck", description="The disk is slow.")
    sender.create(alias="r 3", message='Full of "quotes" (two)', tags=["disks", 'grün "2"'])
    sender.create(alias="q2", message="Queue stuck", description="The disk is slow.")
    sender.send("POST", "/v2/alerts/q2/acknowledge?identifierType=alias", {})
    sender.send("POST", "/v2/alerts/r%203/close?identifierType=alias", {})
    return sender


def test_a_search_finds_what_it_asks_for(three: Sender) -> None:
    assert {query: three.found(query) for query in FOUND} == FOUND


def test_what_is_not_understood_is_refused(three: Sender) -> None:
    for path in ("alerts", "alerts/count"):
        for query in REFUSED:
            said = three.send("GET", f"/v2/{path}?query={quote(query)}", status=422)
            assert "not understood" in said["message"]
            assert said["requestId"]


def test_a_saved_search_is_never_taken_for_none(three: Sender) -> None:
    """Whoever closes what a saved search finds must not be given everything."""
    for path in ("alerts", "alerts/count"):
        asked = "searchIdentifier=stale&searchIdentifierType=name"
        said = three.send("GET", f"/v2/{path}?{asked}", status=422)
        assert "no saved searches" in said["message"]
        three.send("GET", f"/v2/{path}?searchIdentifierType=name", status=200)


def test_as_many_conditions_as_are_taken_are_answered(three: Sender) -> None:
    assert three.found("disk " * 100) == ["q1", "q2"]


def test_instants_are_compared_as_they_are_told(sender: Sender, portal: Portal) -> None:
    """Whoever asks for what came after the newest alert that it knows gets no alert twice."""
    portal.now += timedelta(microseconds=123_456)
    sender.create(alias="a")
    portal.fast_forward(minutes=1)
    sender.create(alias="b")
    told = sender.shown("a")["createdAt"]
    millis = 1_772_420_400_123
    for written in (str(millis), told, f'"{told}"'):
        assert sender.found(f"createdAt > {written}") == ["b"]
        assert sender.found(f"createdAt >= {written}") == ["a", "b"]
        assert sender.found(f"createdAt<{written}") == []
        assert sender.found(f"createdAt <= {written} AND lastOccurredAt <= {written}") == ["a"]
    assert sender.found("updatedAt >= 2026-03-02T03:01:00+00:00") == ["b"]
    assert sender.found("createdAt < 9999-12-31T23:59:59.999999Z") == ["a", "b"]


def test_pages_lead_to_each_other(sender: Sender) -> None:
    for number in range(5):
        sender.create(alias=f"disk {number}")
    asked = "limit=2&sort=tinyId&order=asc&query=status%3A%20open"
    page, seen = sender.send("GET", f"/v2/alerts?{asked}", status=200), []
    first = page["paging"]["first"]
    assert "prev" not in page["paging"]
    while True:
        seen += [alert["alias"] for alert in page["data"]]
        if "next" not in page["paging"]:
            break
        page = sender.follow(page["paging"]["next"])
    assert seen == [f"disk {number}" for number in range(5)]
    assert sender.follow(page["paging"]["last"])["data"] == page["data"]
    before = sender.follow(page["paging"]["prev"])
    assert [alert["alias"] for alert in before["data"]] == ["disk 2", "disk 3"]
    assert sender.follow(first)["paging"]["first"] == first
    assert urlsplit(first).netloc == "testserver"
    empty = sender.send("GET", "/v2/alerts?query=status:closed", status=200)["paging"]
    assert set(empty) == {"first", "last"}
    sender.send("GET", "/v2/alerts?limit=0", status=422)
    many = sender.send("GET", "/v2/alerts?limit=1000", status=200)["paging"]
    assert "limit=100" in many["first"]


def test_a_search_is_read() -> None:
    assert conditions('status: open AND count > 5 "disk full" *a') == [
        Condition("status", ":", "open"),
        Condition("count", ">", "5"),
        Condition("", ":", "disk full"),
        Condition("", ":", "a", "iendswith"),
    ]
    with pytest.raises(QueryError, match="middle"):
        conditions("a*b")

"""What a setting must look like: rubbish is one line that names it, and shows no secret."""

import re
from pathlib import Path

import pytest

from core.addresses import networks_by_feature
from sreportal import env
from sreportal.setting_rules import FEATURES, InvalidSetting

WRONG = [
    ("OUTBOUND_ALLOW", "rubbish", "feature=network"),
    ("OUTBOUND_ALLOW", "probe=10.0.0.0/8,prometheus=rubbish", "'prometheus=rubbish'"),
    ("OUTBOUND_ALLOW", "probe=10.0.0.1/8", "host bits"),
    ("OUTBOUND_ALLOW", "probes=10.0.0.0/8", "one of prometheus, probe, notifications"),
    ("OUTBOUND_ALLOW", "probe", "feature=network"),
    ("OUTBOUND_PORTS", "9090,abc", "not 'abc'"),
    ("OUTBOUND_PORTS", "0", "between 1 and 65535"),
    ("OUTBOUND_PORTS", "65536", "between 1 and 65535"),
    ("OUTBOUND_PORTS", "-1", "between 1 and 65535"),
    ("OUTBOUND_PORTS", "9" * 5000, "between 1 and 65535"),
    ("OUTBOUND_PORTS", "²", "between 1 and 65535"),
    ("REDIS_URL", "redis://:secret@host:6379/abc", "a number at its end"),
    ("PORTAL_URL", "https://user:secret@host", "without user and password"),
    ("STATUSPAGE_URL", "status.example.org", "https://status.example.org"),
    ("STATUSPAGE_EXPORT", "public", "an absolute folder"),
    ("STATUSPAGE_EXPORT", "s3://[Bucket]/x", "s3://bucket/prefix"),
]
RIGHT = [
    ("OUTBOUND_ALLOW", "probe=10.1.0.0/16, notifications=fd00::/8,dead_man=127.0.0.1"),
    ("OUTBOUND_PORTS", "9090, 1,65535"),
    ("REDIS_URL", "redis://:secret@host:6379/15"),
    ("REDIS_URL", "rediss://host/"),
    ("REDIS_URL", "redis+socket:///run/redis.sock?virtual_host=1"),
    ("PORTAL_URL", "https://sre.example.org/portal"),
    ("STATUSPAGE_EXPORT", "/srv/status"),
    ("STATUSPAGE_EXPORT", "s3://acme-status/page"),
]


@pytest.mark.parametrize(("name", "value", "says"), WRONG)
def test_rubbish_is_one_line_that_names_the_setting(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSetting, match=f"^{name} must be .*{re.escape(says)}") as refused:
        env.read(name)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_what_is_right_is_taken(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert env.read(name)


def test_whatever_is_granted_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_ALLOW", ",".join(f"{each}=10.0.0.0/8" for each in FEATURES))
    assert set(networks_by_feature(env.read("OUTBOUND_ALLOW"))) == set(FEATURES)


def test_each_feature_that_asks_may_be_granted_a_network() -> None:
    """And is named where people look for it."""
    asks = re.compile(r'(?:FEATURE = |feature=)"(\w+)"')
    used = {
        feature
        for path in env.BASE_DIR.glob("*/**/*.py")
        if "tests" not in path.parts and ".venv" not in path.parts
        for feature in asks.findall(path.read_text())
    }
    assert used == set(FEATURES)
    documented = Path(env.BASE_DIR / "docs/configuration.md").read_text()
    assert all(f"| `{each}` |" in documented for each in FEATURES)

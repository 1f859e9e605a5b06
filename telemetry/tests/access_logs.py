"""Builders of access logs."""

from datetime import datetime, timedelta
from pathlib import Path

from telemetry.tests.builders import NOW

ALB_TIMES = "0.001 0.120 0.004"


def combined(
    path: str = "/users/42",
    *,
    status: int | str = 200,
    duration: str = "0.012",
    at: datetime = NOW,
    request: str | None = None,
) -> str:
    """Return a line as nginx and Apache write it."""
    time = at.strftime("%d/%b/%Y:%H:%M:%S +0000")
    asked = f"GET {path} HTTP/1.1" if request is None else request
    return f'203.0.113.7 - - [{time}] "{asked}" {status} 512 "-" "curl/8.5 (a \\"b\\")" {duration}'


def alb(
    path: str = "/users/42",
    *,
    kind: str = "https",
    status: str = "200",
    times: str = ALB_TIMES,
    at: datetime = NOW,
    waited: timedelta = timedelta(seconds=60),
) -> str:
    """Return a line with every field that AWS documents."""
    stamp, created = (each.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for each in (at, at - waited))
    target = "-" if "-1" in times else "10.0.0.66:9000"
    return (
        f"{kind} {stamp} app/shop/24d3c6 192.168.131.39:2817 {target} {times} {status} {status}"
        f' 34 366 "GET https://shop.example:443{path} HTTP/2.0" "curl/7.46.0"'
        " ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2"
        " arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/shop/943f"
        ' "Root=1-58337364-23a8c76965a2ef7629b185e3" "shop.example" "-" 1'
        f' {created} "forward" "-" "-" "{target}" "{status}" "-" "-" TID_1234abcd5678ef90'
        ' "-" "-" "-"'
    )


def write(folder: Path, *lines: str, name: str = "access.log") -> Path:
    """Return a file of these lines."""
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path

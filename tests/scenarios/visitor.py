"""Somebody who uses the Users API, keeps count of every answer, and reads the dashboard."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from http.cookiejar import CookieJar
from typing import Any

Figures = dict[str, Any]


class Visitor:
    """Sends requests one after the other and remembers each status."""

    def __init__(self, base: str, token: str) -> None:
        self.base = base
        self._token = token
        self.answers: Counter[int] = Counter()
        self._made = 0

    def request(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        """Return status and decoded body."""
        request = urllib.request.Request(
            self.base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            text, status = error.read(), error.code
        return status, json.loads(text) if text else None

    def use(self, *, good: int, missing: int = 0, failing: int = 0) -> None:
        """Use the Users API: answers that succeed, 404s, and 503s."""
        for number in range(good):
            if number % 10 == 0:
                self._made += 1
                person = {"name": "Ann", "email": f"ann.{self._made}@example.org"}
                self._count(201, "POST", "/api/users", person)
            else:
                self._count(200, "GET", "/api/users?page_size=5")
        for _ in range(missing):
            self._count(404, "GET", "/api/users/999999999")
        for _ in range(failing):
            self._count(503, "GET", "/api/users", **{"X-Demo-Fault": "error"})

    def _count(self, expected: int, method: str, path: str, *body: object, **headers: str) -> None:
        status, answer = self.request(method, path, *body, **headers)
        assert status == expected, (method, path, status, answer)
        self.answers[status] += 1

    @property
    def total(self) -> int:
        """Requests answered so far."""
        return sum(self.answers.values())

    def good_below(self, status: int) -> int:
        """Requests answered with a status below `status`."""
        return sum(count for code, count in self.answers.items() if code < status)

    def dashboard(self) -> Figures:
        """Return `/sre/dashboard`."""
        status, body = self.request("GET", "/sre/dashboard")
        assert status == 200, body
        return dict(body)

    def slo(self, kind: str) -> Figures:
        """Return one of the Users API's SLOs from the dashboard."""
        slug = f"users-api-{kind}"
        return next(row for row in self.dashboard()["slos"] if row["slug"] == slug)

    def await_total(self, *, within_s: float) -> Figures:
        """Return the availability SLO once it has counted every request; fail when it does not."""
        return await_figures(
            lambda: self.slo("availability"),
            lambda slo: slo["total"] == self.total,
            within_s=within_s,
        )


class Admin:
    """A person with the password, in a browser without JavaScript."""

    def __init__(self, base: str, password: str) -> None:
        self._base = base
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        form = self._form("/accounts/login/")
        self._post("/accounts/login/", form | {"login": "admin", "password": password})

    def page(self, path: str) -> str:
        """Return a page's HTML."""
        with self._opener.open(self._base + path, timeout=30) as answer:
            return str(answer.read().decode())

    def set_target(self, slo: str, objective: str) -> None:
        """Edit an SLO's target on its admin page, leaving the other fields as they are."""
        found = re.search(r'href="(/admin/slo/slo/\d+/change/)', self.page(f"/slo/{slo}/"))
        assert found, "the page of an SLO links to its admin form"
        form = self._form(found[1])
        self._post(found[1], form | {"objective": objective, "reason": "scenario"})

    def _form(self, path: str) -> dict[str, str]:
        """Return the fields of the page's forms as a browser would send them."""
        html = self.page(path)
        fields = {}
        for tag in re.findall(r"<input[^>]*>", html):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            is_off = attributes.get("type") in {"checkbox", "radio"} and " checked" not in tag
            if "name" in attributes and not is_off and attributes.get("type") != "submit":
                fields[attributes["name"]] = attributes.get("value", "on")
        for name, options in re.findall(
            r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', html, re.DOTALL
        ):
            chosen = re.search(r'value="([^"]*)"[^>]*selected', options)
            fields[name] = chosen[1] if chosen else ""
        for name, text in re.findall(
            r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', html, re.DOTALL
        ):
            fields[name] = text.strip()
        fields.pop("_addanother", None)
        return fields

    def _post(self, path: str, fields: dict[str, str]) -> None:
        request = urllib.request.Request(
            self._base + path,
            data=urllib.parse.urlencode(fields).encode(),
            headers={"Referer": self._base + path},
        )
        with self._opener.open(request, timeout=30) as answer:
            assert answer.url != self._base + path, "the form came back with errors"


def await_figures(
    read: Callable[[], Figures], holds: Callable[[Figures], bool], *, within_s: float
) -> Figures:
    """Return what `read` gives once `holds` says yes; fail with the last of it when it never does."""
    deadline = time.monotonic() + within_s
    while True:
        figures = read()
        if holds(figures):
            return figures
        assert time.monotonic() < deadline, f"after {within_s} s: {figures}"
        time.sleep(1)


def remaining(*, bad: int, allowed: Fraction) -> float:
    """Return the share of a budget that is left, by hand."""
    return float(1 - bad / allowed)

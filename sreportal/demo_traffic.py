"""Demonstration traffic: uses the Users API over HTTP, as a small application would.

    python -I -S sreportal/demo_traffic.py HOST PORT SWITCH

Standard library only and run by itself, because a generator should cost a few megabytes. It ends
with status 0 when the file SWITCH is removed. `DEMO_TOKEN` in the environment is sent as the API
token. About three requests a second, more at noon than at midnight (UTC); every 15 to 20 minutes a
share of them asks to fail or to be slow for a minute or two, so that budgets and alerts move.
"""

import contextlib
import http.client
import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

MEAN_PER_S = 3.0
DAILY_SWING = 0.3
FIRST_FAULT_AFTER_S = 180.0
FAULT_EVERY_S = (900.0, 1200.0)
FAULT_LASTS_S = (60.0, 120.0)
# The share of requests that carry the fault, by kind: enough to burn a budget fast, not all of it.
FAULT_SHARE = {"error": 0.3, "slow": 0.5}
MOST_PERSONS = 40
FIRST_NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Radia")
LAST_NAMES = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Thompson")

rng = random.Random()  # noqa: S311 traffic, not secrets


def rate_per_s(epoch_s: float) -> float:
    """Return the mean rate at a time of day (requests per second, between 2.1 and 3.9)."""
    day = 2 * math.pi * (epoch_s % 86400) / 86400
    return MEAN_PER_S * (1 - DAILY_SWING * math.cos(day))


@dataclass
class FaultPlan:
    """When requests ask to be harmed, and how."""

    begins: float
    ends: float = 0.0
    kind: str = "error"

    def at(self, clock_s: float) -> str | None:
        """Return the fault for a request sent at `clock_s` (monotonic seconds), or None."""
        if clock_s < self.begins:
            return None
        if self.ends < self.begins:
            self.ends = self.begins + rng.uniform(*FAULT_LASTS_S)
        if clock_s > self.ends:
            self.begins = clock_s + rng.uniform(*FAULT_EVERY_S)
            self.kind = "slow" if self.kind == "error" else "error"
            return None
        return self.kind if rng.random() < FAULT_SHARE[self.kind] else None


@dataclass
class Client:
    """The Users API, on one kept connection."""

    host: str
    port: int
    token: str = ""
    fault: str | None = None
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=10)

    def send(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        """Send one request and return its status and decoded body; 0 when nothing answered."""
        headers = {"Content-Type": "application/json", "User-Agent": "sreportal-demo"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.fault:
            headers["X-Demo-Fault"] = self.fault
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, None
        with contextlib.suppress(ValueError):
            return response.status, json.loads(text)
        return response.status, None


class Visitor:
    """Does what users of such an API do, mistakes included."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ids: list[object] = []
        self._email = ""

    def act(self) -> int:
        """Send one request and return its status."""
        acts: dict[Callable[[], int], int] = {
            self.list: 400,
            self.get: 300,
            self.create: 100,
            self.rename: 100,
            self.delete: 60,
            # Callers' own mistakes: four in a thousand, less than the success objective allows.
            self.ask_for_nobody: 2,
            self.create_badly: 1,
            self.create_twice: 1,
        }
        (act,) = rng.choices(list(acts), weights=list(acts.values()))
        return act()

    def list(self) -> int:
        """Read the first page, and learn who is there."""
        status, body = self._client.send("GET", "/api/users?page_size=20")
        if isinstance(body, dict) and not self._ids:
            found = body.get("results", [])
            self._ids = [p["id"] for p in found if str(p.get("email")).endswith("@demo.example")]
        return status

    def get(self) -> int:
        """Read one person."""
        if not self._ids:
            return self.create()
        return self._client.send("GET", f"/api/users/{rng.choice(self._ids)}")[0]

    def create(self) -> int:
        """Make a person, or let one go when there are many."""
        if len(self._ids) >= MOST_PERSONS:
            return self.delete()
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        email = f"{first}.{last}.{rng.randrange(10**8)}@demo.example".lower()
        person = {"name": f"{first} {last}", "email": email}
        status, body = self._client.send("POST", "/api/users", person)
        if status == 201 and isinstance(body, dict):
            self._ids.append(body["id"])
            self._email = email
        return status

    def rename(self) -> int:
        """Change a person's name."""
        if not self._ids:
            return self.create()
        name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        return self._client.send("PATCH", f"/api/users/{rng.choice(self._ids)}", {"name": name})[0]

    def delete(self) -> int:
        """Delete one of the persons made here."""
        if not self._ids:
            return self.create()
        gone = self._ids.pop(rng.randrange(len(self._ids)))
        return self._client.send("DELETE", f"/api/users/{gone}")[0]

    def ask_for_nobody(self) -> int:
        """Ask for a person that does not exist (404)."""
        return self._client.send("GET", "/api/users/999999999")[0]

    def create_badly(self) -> int:
        """Send a person without a usable email (400)."""
        return self._client.send("POST", "/api/users", {"name": "Nobody", "email": "nowhere"})[0]

    def create_twice(self) -> int:
        """Send an email that is taken (409)."""
        if not self._email:
            return self.create()
        person = {"name": "Twice", "email": self._email}
        return self._client.send("POST", "/api/users", person)[0]


def run(client: Client, switch: Path) -> None:
    """Send traffic until `switch` is gone."""
    visitor = Visitor(client)
    plan = FaultPlan(begins=time.monotonic() + FIRST_FAULT_AFTER_S)
    while switch.exists():
        client.fault = plan.at(time.monotonic())
        answered = visitor.act()
        time.sleep(min(2.0, rng.expovariate(rate_per_s(time.time()))) if answered else 2.0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _, host_given, port_given, switch_given = sys.argv
    token_given = os.environ.get("DEMO_TOKEN", "")
    run(Client(host_given, int(port_given), token_given), Path(switch_given))

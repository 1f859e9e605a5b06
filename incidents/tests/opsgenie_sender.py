"""A program that speaks Opsgenie's API to a portal with people on call, for tests."""

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client

from incidents.models import Incident, Integration
from incidents.services.integrations import save_integration
from incidents.tests.oncall_portal import Portal

__all__ = ["Sender", "sender"]


class Sender:
    """A program with the key of an integration."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        integration = Integration()
        fields = {"kind": "opsgenie", "name": "Opsgenie", "service": portal.service}
        self.key = save_integration(integration, fields=fields, actor="test", now=portal.now)

    def send(self, method: str, path: str, body: Any = None, status: int = 202) -> Any:
        """Send a request as gunicorn hands it on; returns the decoded answer."""
        answer = Client(headers={"Authorization": f"GenieKey {self.key}"}).generic(
            method,
            path,
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            RAW_URI=path,
        )
        assert answer.status_code == status, answer.content
        return answer.json()

    def create(self, **fields: Any) -> Incident:
        """Create an alert, and let the pager look; returns its incident."""
        said = {"message": "Disk full", "alias": "disk", "priority": "P2", **fields}
        self.send("POST", "/v2/alerts", said)
        self.portal.settle()
        return Incident.objects.latest("pk")

    def do(self, action: str, body: Any = None, method: str = "POST") -> Any:
        """Do something with the alert, let the pager look; returns what became of the request."""
        action, _, query = action.partition("?")
        path = f"/v2/alerts/disk/{action}?identifierType=alias&{query}"
        said = self.send(method, path, body)
        self.portal.settle()
        return self.became_of(said)

    def became_of(self, said: Any) -> Any:
        """Return what became of a request, by the answer to it."""
        return self.send("GET", f"/v2/alerts/requests/{said['requestId']}", status=200)["data"]

    def notes(self, path: str) -> list[str]:
        """Return the notes of the alert of an address, the oldest first."""
        identifier, _, query = path.partition("?")
        told = self.send("GET", f"{identifier}/notes?{query}&order=asc", status=200)["data"]
        return [note["note"] for note in told]

    def found(self, query: str) -> list[str]:
        """Return the aliases of what a search finds, in their order; both answers tell the same."""
        asked = urlencode({"query": query, "sort": "alias", "order": "asc", "limit": 100})
        listed = self.send("GET", f"/v2/alerts?{asked}", status=200)["data"]
        counted = self.send("GET", f"/v2/alerts/count?{asked}", status=200)["data"]["count"]
        assert counted == len(listed)
        return [alert["alias"] for alert in listed]

    def follow(self, link: str) -> Any:
        """Return what a link of an answer leads to."""
        address = urlsplit(link)
        return self.send("GET", f"{address.path}?{address.query}", status=200)

    def shown(self, alias: str = "disk") -> Any:
        """Return an alert as it is told."""
        return self.send("GET", f"/v2/alerts/{alias}?identifierType=alias", status=200)["data"]


@pytest.fixture
def sender(portal: Portal) -> Sender:
    """Return a program that alerts about the portal's service."""
    return Sender(portal)

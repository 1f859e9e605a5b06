"""Systems that send alerts to the portal, for tests."""

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.test import Client

from catalog.models import Service
from core import clock
from incidents.domain.formats.amazon_sns import signed_text
from incidents.models import Integration
from incidents.services.integrations import save_integration

PATIENCE_S = 60


def integration_of(
    kind: str, *, secret: str | None = None, **fields: Any
) -> tuple[Integration, str]:
    """Make an integration of a service named shop; returns it and its key."""
    service, _ = Service.objects.get_or_create(slug="shop", defaults={"name": "Shop"})
    integration = Integration()
    values = {"kind": kind, "name": f"{kind} of shop", "service": service, **fields}
    key = save_integration(
        integration, fields=values, actor="test", now=clock.now(), signing_secret=secret
    )
    return integration, key


def post(path: str, body: object, content_type: str = "application/json", **headers: str) -> Any:
    """Send a body without any session, as a program does."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    return client.post(path, data, content_type=content_type, headers=headers)


class Amazon:
    """Signs as SNS does, with a certificate of its own."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        start = datetime(2026, 1, 1, tzinfo=UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=3650))
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def signed(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the message with a signature that fits it."""
        algorithm = hashes.SHA1() if message["SignatureVersion"] == "1" else hashes.SHA256()
        signature = self._key.sign(signed_text(message), padding.PKCS1v15(), algorithm)
        return {**message, "Signature": base64.b64encode(signature).decode()}


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "did not come to hold"
        time.sleep(0.05)

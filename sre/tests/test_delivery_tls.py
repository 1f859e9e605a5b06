"""Delivery over TLS: the certificate decides who gets the token."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sre.delivery import HttpDelivery, UndeliveredError


def write_certificate(folder: Path) -> Path:
    """Write a key and a certificate of 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "portal.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return pem


class Portal(BaseHTTPRequestHandler):
    """Accepts everything and leaves three rows out."""

    tokens: list[str]

    def do_POST(self) -> None:
        """Note the token and accept."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.tokens.append(self.headers["Authorization"])
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b'{"rejected_count": 3}')

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """URL, certificate and received tokens of a portal that speaks TLS."""
    pem = write_certificate(tmp_path)
    tokens: list[str] = []
    handler = type("Handler", (Portal,), {"tokens": tokens})
    server = HTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", pem, tokens
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_portal_with_a_trusted_certificate_gets_the_report(
    portal: tuple[str, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is checked against what this machine trusts."""
    url, pem, tokens = portal
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    assert HttpDelivery(url, "token").deliver(b"{}", key="k", timeout_s=10) == 3
    assert tokens == ["Bearer token"]


def test_a_portal_with_an_unknown_certificate_gets_no_token(
    portal: tuple[str, Path, list[str]],
) -> None:
    """Somebody in between learns nothing."""
    url, _, tokens = portal
    with pytest.raises(UndeliveredError, match="certificate verify failed"):
        HttpDelivery(url, "token").deliver(b"{}", key="k", timeout_s=10)
    assert tokens == []

"""A small OpenID Connect issuer on loopback: discovery, authorize, token, keys, userinfo.

It keeps to the specification and refuses a client that does not, so that a test which signs in has
also shown that the portal asks correctly. What a test wants it to do wrong is said in `faults`.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID = "sreportal"
CLIENT_SECRET = "a secret: with signs & spaces"


def new_key() -> rsa.RSAPrivateKey:
    """Return a key that signs ID tokens."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


KEY, OTHER_KEY = new_key(), new_key()


def unchanged(claims: dict[str, Any]) -> dict[str, Any]:
    """Return claims as they are."""
    return claims


@dataclass
class Faults:
    """What the issuer does wrong; nothing, unless a test says so.

    Attributes:
        error: Sent back from authorize instead of a code.
        claims: Changes the claims of ID tokens before they are signed.
        userinfo: Changes the answer of userinfo.
        description: Replaces members of the discovery document.
        sign: Makes the ID token of claims.
        answers: Status and raw body by path, instead of the right answer.
        trickle: Path whose answer comes byte by byte, without end.
    """

    error: str = ""
    claims: Callable[[dict[str, Any]], dict[str, Any]] = unchanged
    userinfo: Callable[[dict[str, Any]], dict[str, Any]] = unchanged
    description: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    trickle: str = ""


@dataclass
class Issuer:
    """The issuer's side of things.

    Attributes:
        address: Its name and base address.
        person: Claims of whoever is signed in at the issuer.
        faults: What it does wrong.
        asked: Paths that were asked for, in order.
        authorized: Parameters of the last request to authorize.
    """

    address: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    asked: list[str] = field(default_factory=list)
    authorized: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _access: dict[str, dict[str, Any]] = field(default_factory=dict)

    def description(self) -> dict[str, Any]:
        """Return the discovery document."""
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "userinfo_endpoint": f"{self.address}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        } | self.faults.description

    def keys(self) -> dict[str, Any]:
        """Return the key set: one for encryption, which is no use here, and one that signs."""
        signing = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        other = jwt.algorithms.RSAAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True)
        return {
            "keys": [
                {**other, "use": "enc", "kid": "encrypts"},
                {**signing, "use": "sig", "kid": "signs", "alg": "RS256"},
            ]
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Return where the browser is sent: back to the client, with a code or an error.

        Raises:
            ValueError: The client asked wrongly.
        """
        self.authorized = query
        wanted = {"client_id": CLIENT_ID, "response_type": "code", "code_challenge_method": "S256"}
        if any(query.get(name) != value for name, value in wanted.items()):
            raise ValueError(f"wrong request: {query}")
        if "openid" not in query["scope"].split() or not (query["state"] and query["nonce"]):
            raise ValueError(f"no scope openid, state or nonce: {query}")
        answer = {"state": query["state"]}
        if self.faults.error:
            answer |= {"error": self.faults.error, "error_description": "<b>as asked</b>"}
        else:
            code = answer["code"] = secrets.token_urlsafe(16)
            self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def tokens(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """Exchange a code, once, for tokens.

        Raises:
            ValueError: Unknown client or code, another redirect address, or a wrong verifier.
        """
        client, _, secret = (
            base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        )
        if (unquote_plus(client), unquote_plus(secret)) != (CLIENT_ID, CLIENT_SECRET):
            raise ValueError("invalid_client")
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            raise ValueError("invalid_grant")
        access = secrets.token_urlsafe(24)
        self._access[access] = dict(self.person)
        now = int(time.time())
        claims = {
            "iss": self.address,
            "sub": self.person["sub"],
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        sign = self.faults.sign or signed
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": sign(self.faults.claims(claims)),
        }

    def userinfo(self, authorization: str) -> dict[str, Any]:
        """Return the claims of whoever an access token stands for.

        Raises:
            KeyError: Unknown access token.
        """
        return self.faults.userinfo(self._access[authorization.removeprefix("Bearer ")])


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "RS256", **headers: Any) -> str:
    """Return an ID token."""
    return jwt.encode(claims, key, algorithm, headers={"kid": "signs", **headers})


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        """Answer discovery, authorize, keys and userinfo."""
        parts = urlsplit(self.path)
        if self._goes_wrong(parts.path):
            return
        try:
            match parts.path:
                case "/.well-known/openid-configuration":
                    self._answer(200, self.issuer.description())
                case "/authorize":
                    place = self.issuer.authorize(dict(parse_qsl(parts.query)))
                    self.send_response(302)
                    self.send_header("Location", place)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                case "/jwks":
                    self._answer(200, self.issuer.keys())
                case "/userinfo":
                    self._answer(200, self.issuer.userinfo(self.headers["Authorization"]))
                case _:
                    self._answer(404, {})
        except (KeyError, ValueError) as error:
            self._answer(400, {"error": str(error)})

    def do_POST(self) -> None:
        """Answer token."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self._goes_wrong(self.path):
            return
        try:
            given = self.headers.get("Authorization", "")
            self._answer(200, self.issuer.tokens(dict(parse_qsl(body)), given))
        except (KeyError, ValueError) as error:
            self._answer(400, {"error": str(error)})

    def _goes_wrong(self, path: str) -> bool:
        self.issuer.asked.append(path)
        if path == self.issuer.faults.trickle:
            self._trickle()
            return True
        if path in self.issuer.faults.answers:
            status, body = self.issuer.faults.answers[path]
            self._write(status, body)
            return True
        return False

    def _trickle(self) -> None:
        # Each byte comes well within any timeout that counts from byte to byte.
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        try:
            while not self.issuer.ended:
                self.wfile.write(b"z")
                time.sleep(0.05)
        except OSError:
            self.close_connection = True

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        self._write(status, json.dumps(content).encode())

    def _write(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Keep test output clean."""


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Serve an issuer on a free port of loopback until the block ends."""
    issuer = Issuer()
    handler = type("Handler", (_Handler,), {"issuer": issuer})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    issuer.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.ended = True
        server.shutdown()
        server.server_close()
        thread.join()

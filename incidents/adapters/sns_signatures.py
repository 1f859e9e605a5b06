"""Whether a message was signed by Amazon, and confirming a subscription."""

from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from core import http_client
from core.http_client import Deadline, OutboundError
from incidents.domain.formats.amazon_sns import is_amazons, signed_text

__all__ = ["NotVerified", "confirm", "verify"]

FEATURE = "amazon_sns"
_PATIENCE_S = 5.0


class NotVerified(Exception):
    """The message may not be believed; `later` when only the certificate could not be had."""

    def __init__(self, message: str, *, later: bool = False) -> None:
        super().__init__(message)
        self.later = later


def verify(message: Mapping[str, str]) -> None:
    """Return when Amazon signed a message, which asks for nothing but what is Amazon's.

    Raises:
        NotVerified: It did not, or its certificate cannot be had now.
    """
    address = message["SigningCertURL"]
    if not is_amazons(address, is_certificate=True):
        raise NotVerified("SigningCertURL: not an address of Amazon SNS")
    try:
        key = _public_key(address)
        signature = b64decode(message["Signature"], validate=True)
    except OutboundError as error:
        raise NotVerified(f"SigningCertURL: {error}", later=True) from error
    except (TypeError, ValueError) as error:
        raise NotVerified(f"Signature: {error}") from error
    algorithm = hashes.SHA1() if message["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303 Amazon's choice
    try:
        key.verify(signature, signed_text(message), padding.PKCS1v15(), algorithm)
    except InvalidSignature as error:
        raise NotVerified("Signature: does not fit the message") from error
    if message["Type"] == "SubscriptionConfirmation":
        _subscription(message)


def confirm(message: Mapping[str, str]) -> None:
    """Confirm a subscription by asking the address that the message names.

    Raises:
        NotVerified: The address is not Amazon's, or did not say yes.
    """
    address = _subscription(message)
    try:
        answer = http_client.request(address, feature=FEATURE, deadline=Deadline(_PATIENCE_S))
    except OutboundError as error:
        raise NotVerified(f"SubscribeURL: {error}", later=True) from error
    if answer.status != 200:
        raise NotVerified(f"SubscribeURL: answered {answer.status}", later=True)


def _subscription(message: Mapping[str, str]) -> str:
    address = message.get("SubscribeURL", "")
    if not is_amazons(address):
        raise NotVerified("SubscribeURL: not an address of Amazon SNS")
    return address


@lru_cache(maxsize=16)
def _public_key(address: str) -> rsa.RSAPublicKey:
    answer = http_client.request(address, feature=FEATURE, deadline=Deadline(_PATIENCE_S))
    if answer.status != 200:
        raise http_client.BadAnswer(f"answered {answer.status}")
    key = x509.load_pem_x509_certificate(answer.body).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("the certificate holds no RSA key")
    return key

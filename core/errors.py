"""What can go wrong by the caller's doing, and how it is said.

    DomainError            400  something in the request cannot be done
    ├── InvalidInput       400  a field has a wrong value
    ├── NotAuthenticated   401  who is asking is unknown
    ├── Forbidden          403  known, but not allowed
    ├── NotFound           404  no such thing, or none the caller may see
    ├── Conflict           409  the present state does not allow it
    ├── TooLarge           413  more bytes or elements than accepted
    ├── UnsupportedMedia   415  a content type or encoding that is not read
    └── Unavailable        503  try again later; nothing was stored

`core.problems` turns each into an RFC 9457 problem document; nothing else maps errors to HTTP.
"""

__all__ = [
    "Conflict",
    "DomainError",
    "Forbidden",
    "InvalidInput",
    "NotAuthenticated",
    "NotFound",
    "TooLarge",
    "Unavailable",
    "UnsupportedMedia",
]


class DomainError(Exception):
    """A refusal with a message for people.

    Args:
        message: One sentence that says what is wrong and what to do.
        field: Path of the offending field (`email`, `requests[3].status`), when there is one.
        fields: Messages by field, when several are wrong; overrides `field`.
    """

    status = 400
    code = "refused"
    retry_after_s: int | None = None

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        fields: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields or ({field: [message]} if field else {})


class InvalidInput(DomainError):
    """A field has a value that cannot be used."""

    code = "invalid"


class NotAuthenticated(DomainError):
    """No credentials, or ones that are expired, revoked or unknown."""

    status = 401
    code = "not_authenticated"


class Forbidden(DomainError):
    """The caller is known but lacks the role or scope."""

    status = 403
    code = "forbidden"


class NotFound(DomainError):
    """No such object, or none that the caller may know of: both answer the same bytes."""

    status = 404
    code = "not_found"


class Conflict(DomainError):
    """The present state of the object does not allow the change."""

    status = 409
    code = "conflict"


class TooLarge(DomainError):
    """The body is larger than what is read."""

    status = 413
    code = "too_large"


class UnsupportedMedia(DomainError):
    """The content type or encoding is not one that is read here."""

    status = 415
    code = "unsupported_media_type"


class Unavailable(DomainError):
    """A dependency is down; nothing was stored and a retry is safe."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

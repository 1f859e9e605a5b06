"""Email by SMTP within one time limit, and without guessing what became of a message.

Django's backend limits each wait, so a slow server may take many times the limit, and one that drips
for ever. It also fails where only the goodbye did, after the server had taken the message.
"""

import smtplib
import socket
from contextlib import suppress
from threading import Timer
from typing import Any

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend

from core.http_client import Deadline, OutboundError, resolve_within

__all__ = ["MayHaveArrived", "TimedEmailBackend", "is_only_printed"]

_GO_AHEAD = 354
_NO_WORD = "The mail server did not say what it did with it."


def is_only_printed() -> bool:
    """Return whether email reaches nobody: without a mail server it is printed by the process."""
    return bool(settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend")


class MayHaveArrived(smtplib.SMTPException):
    """The server was given a message and did not say what it did with it."""


class _TimedSMTP(smtplib.SMTP):
    """A session that is cut when its time is over, whatever it waits for.

    `timeout` is for all of it. What waits then finds that the server has gone.
    """

    _watchdog: Timer | None = None
    _line: socket.socket | None = None
    _last_code = 0
    _is_cut = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        deadline = Deadline(timeout)
        connected = _connect(host, port, deadline)
        # TLS takes the socket over; its copy is the same connection.
        self._line = connected.dup()
        self._watchdog = Timer(deadline.left(), self._cut)
        self._watchdog.daemon = True
        self._watchdog.start()
        return connected

    def _cut(self) -> None:
        self._is_cut = True
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._line is not None:
            self._line.close()

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()
        self._last_code = code
        return code, text

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Hand over the message.

        Raises:
            MayHaveArrived: All of it may have been there when the connection broke or time was over.
        """
        try:
            reply = super().data(msg)
        except smtplib.SMTPResponseException:
            raise
        except OSError as error:
            if self._last_code == _GO_AHEAD:
                raise MayHaveArrived(_NO_WORD) from error
            raise
        if self._is_cut:
            # Half a line, which may have become anything.
            raise MayHaveArrived(_NO_WORD)
        return reply


class _TimedSMTPOverTLS(smtplib.SMTP_SSL, _TimedSMTP):
    """The same, encrypted from the beginning."""


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    failed: OSError = OSError("The name has no address.")
    try:
        for address in resolve_within(host, port, deadline):
            try:
                return socket.create_connection((address, port), deadline.left())
            except OSError as error:
                failed = error
    except OutboundError as error:
        raise OSError(str(error)) from error
    raise failed


class TimedEmailBackend(EmailBackend):
    """Django's backend for SMTP, where `EMAIL_TIMEOUT` is for a connection and all that is sent on it.

    A message counts as sent once the server has taken it, however the connection ends.
    """

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """The kind of session that is opened."""
        return _TimedSMTPOverTLS if self.use_ssl else _TimedSMTP

    def _close_connection(self, connection: smtplib.SMTP) -> None:
        with suppress(OSError):
            super()._close_connection(connection)  # type: ignore[misc]  # not in its stubs
        connection.close()

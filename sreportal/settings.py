"""The portal's one settings file. Every value from outside comes through `env.py`."""

import sqlite3
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from csp.constants import NONE, SELF

from accounts import oidc
from core.logs import logging_config
from sreportal import env

# `ModelAdmin[Slo]` names its model to readers and checkers; Django itself cannot subscript it yet.
django_stubs_ext.monkeypatch()

BASE_DIR = env.BASE_DIR
DATA_DIR = env.data_dir()

DEBUG = env.read("DEBUG")
SECRET_KEY = env.private_value("SECRET_KEY", "secret_key")
TOKEN_PEPPER = env.private_value("TOKEN_PEPPER", "token_pepper")
ENCRYPTION_KEYS = env.read("ENCRYPTION_KEYS") or [
    env.private_value("ENCRYPTION_KEYS", "encryption_key")
]

PORT = env.read("PORT")
BIND = env.read("BIND")
PORTAL_URL = env.portal_url()
_portal = urlsplit(PORTAL_URL)
HTTPS = _portal.scheme == "https"
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    _portal.hostname or "localhost",
    *env.read("ALLOWED_HOSTS"),
]
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
NUM_PROXIES = env.read("NUM_PROXIES")

EMBEDDED_DATABASE = not env.read("DATABASE_URL")
EMBEDDED_BROKER = not env.read("REDIS_URL")
EMBEDDED = EMBEDDED_DATABASE and EMBEDDED_BROKER
DEMO = env.read("DEMO")
# The generator of demonstration traffic ends when this file is gone.
DEMO_SWITCH = DATA_DIR / "run" / "demo-traffic"
USERS_API_ANONYMOUS = env.read("USERS_API_ANONYMOUS") == "1" or (
    env.read("USERS_API_ANONYMOUS") == "auto" and EMBEDDED
)
WEB_THREADS = env.read("WEB_THREADS")
WEB_WORKERS = env.read("WEB_WORKERS")
WORKER_CONCURRENCY = env.read("WORKER_CONCURRENCY")
TELEMETRY_RETENTION = timedelta(days=env.read("TELEMETRY_RETENTION_DAYS"))
INTAKE_RETENTION = timedelta(days=env.read("INTAKE_RETENTION_DAYS"))
STATUSPAGE_NAME = env.read("STATUSPAGE_NAME")
STATUSPAGE_URL = env.read("STATUSPAGE_URL")
STATUSPAGE_EXPORT = env.read("STATUSPAGE_EXPORT")
STATUSPAGE_ANNOUNCE_HOURS = env.read("STATUSPAGE_ANNOUNCE_HOURS")
STATUSPAGE_REMIND_HOURS = env.read("STATUSPAGE_REMIND_HOURS")
AWS_REGION = env.read("AWS_REGION")
AWS_ENDPOINT_URL = env.read("AWS_ENDPOINT_URL")
OUTBOUND_ALLOW = env.read("OUTBOUND_ALLOW")
OUTBOUND_PORTS = [int(port) for port in env.read("OUTBOUND_PORTS")]

INSTALLED_APPS = [
    "dashboard",
    "statuspage",
    "capacity",
    "chaos",
    "slo",
    "incidents",
    "oncall",
    "notifications",
    "telemetry",
    "catalog",
    "accounts",
    "core",
    "users_api",
    "sreportal",
    "sreportal.admin_app.PortalAdminConfig",
    "accounts.authentication_app.AuthConfig",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "accounts.oidc",
    "django_celery_beat",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "lucide",
    "rest_framework",
    "template_partials",
    # Widgets from the project's templates first: FORM_RENDERER.
    "django.forms",
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

MIDDLEWARE = [
    "core.middleware.RequestIdMiddleware",
    "incidents.middleware.IntakeMiddleware",
    "users_api.middleware.SliMiddleware",
    "users_api.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "telemetry.middleware.IngestMiddleware",
    "core.middleware.AddressMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "core.middleware.DomainErrorMiddleware",
    "core.idempotency.IdempotencyMiddleware",
]

ROOT_URLCONF = "sreportal.urls"
WSGI_APPLICATION = "sreportal.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "core.context.portal",
            ],
            "builtins": ["core.templatetags.portal", "core.templatetags.components"],
        },
    }
]

# WAL only where SQLite no longer has the WAL-reset corruption bug with several writers.
SQLITE_JOURNAL_MODE = "WAL" if sqlite3.sqlite_version_info >= (3, 51, 3) else "DELETE"
SQLITE_PRAGMAS = "synchronous=FULL; foreign_keys=ON; busy_timeout=20000; temp_store=MEMORY"


def _database() -> dict[str, object]:
    if EMBEDDED_DATABASE:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "sreportal.sqlite3",
            "CONN_MAX_AGE": 600,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": f"PRAGMA {SQLITE_PRAGMAS.replace('; ', '; PRAGMA ')};",
            },
        }
    config = environ.Env.db_url_config(env.read("DATABASE_URL"))
    config.update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)
    config.setdefault("OPTIONS", {}).update(
        connect_timeout=5,
        keepalives_idle=10,
        options="-c statement_timeout=30000 -c lock_timeout=5000"
        " -c idle_in_transaction_session_timeout=30000"
        # Of what is prepared (`core.prepared`); not by SET, which a rollback takes back.
        " -c plan_cache_mode=force_generic_plan",
    )
    return dict(config)


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis is the broker and nothing else: a stopped Redis must not break sign-in limits.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "core_cache",
        # Beyond this, entries are dropped that still count: a flood of names would lift lock-outs.
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "accounts.backends.RoleBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "accounts.oidc.adapters.SocialAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[SRE Portal] "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
# Per address, and per account: five wrong passwords lock an account for five minutes.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    # Subscribing to the status page: forms by network, questions by the address that is asked.
    "status_subscribe": "20/h/ip",
    "status_question": "3/h/key",
}
ALLAUTH_TRUSTED_PROXY_COUNT = NUM_PROXIES
# Admins make the accounts, so addresses are theirs to vouch for.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_ADAPTER = "accounts.adapters.SecondFactorAdapter"
MFA_TOTP_ISSUER = "SRE Portal"
# One step of 30 s to either side, for phones whose clock is off.
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "authenticate": "accounts.forms.SignInCodeForm",
    "reauthenticate": "accounts.forms.ConfirmationCodeForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_REQUIRED_ROLES = env.read("MFA_REQUIRED_ROLES")
OIDC_ISSUER = env.read("OIDC_ISSUER")
SOCIALACCOUNT_PROVIDERS = oidc.providers(
    issuer=OIDC_ISSUER,
    name=env.read("OIDC_NAME"),
    client_id=env.read("OIDC_CLIENT_ID"),
    secret=env.read("OIDC_CLIENT_SECRET"),
)

SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health", r"^sre/health$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if NUM_PROXIES else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

_email = environ.Env.email_url_config(env.read("EMAIL_URL"))
EMAIL_BACKEND = _email.get("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
if EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend":
    EMAIL_BACKEND = "core.mail.TimedEmailBackend"
EMAIL_HOST = _email.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _email.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _email.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _email.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_email.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_email.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.read("DEFAULT_FROM_EMAIL")
TWILIO_ACCOUNT_SID = env.read("TWILIO_ACCOUNT_SID")
TWILIO_AUTH_TOKEN = env.read("TWILIO_AUTH_TOKEN")
TWILIO_FROM = env.read("TWILIO_FROM")
TWILIO_URL = env.read("TWILIO_URL").rstrip("/")
SLACK_BOT_TOKEN = env.read("SLACK_BOT_TOKEN")
SLACK_SIGNING_SECRET = env.read("SLACK_SIGNING_SECRET")
SLACK_API_URL = env.read("SLACK_API_URL").rstrip("/")
SLACK_CHANNELS = env.read("SLACK_CHANNELS")
PAGER_SENDERS = env.read("PAGER_SENDERS")
PAGE_EVERY_S = env.read("PAGE_EVERY_S")
DEAD_MAN_URL = env.read("DEAD_MAN_URL")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "accounts.authentication.PortalSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.RoleAndScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "core.pagination.CursorPagination",
    "DEFAULT_FILTER_BACKENDS": [
        "core.listing.ListFilter",
        "core.listing.ListSearch",
        "core.listing.ListOrdering",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "core.problems.exception_handler",
    "NUM_PROXIES": NUM_PROXIES,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "sreportal",
    "DESCRIPTION": "SLOs, incidents, chaos and capacity of your services.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "core.openapi.describe_refusals",
        "core.openapi.describe_blanks",
    ],
    "ENUM_NAME_OVERRIDES": {
        "PostmortemStatusEnum": "incidents.models.postmortems.STATUSES",
        "IntegrationKindEnum": "incidents.models.Integration.Kind",
        "AlertLogKindEnum": "incidents.models.AlertLogEntry.Kind",
        "StandingEnum": "incidents.models.incidents.STANDINGS",
        "RoleEnum": "accounts.roles.Role",
        "TargetRoleEnum": "oncall.models.policies.TARGET_ROLES",
        "LevelModeEnum": "oncall.models.PolicyLevel.Mode",
        "IncidentRoleEnum": "incidents.models.communication.ROLES",
        "PublicStateEnum": "incidents.models.communication.PUBLIC_STATES",
        "CommunicationKindEnum": "incidents.models.communication.KINDS",
        "ContactKindEnum": "notifications.models.KINDS",
        "CorrectionModeEnum": "slo.models.Correction.Mode",
        "CapacityStatusEnum": "capacity.models.VERDICTS",
        "SystemStatusEnum": ["healthy", "degraded", "critical", "unknown"],
    },
    "SERVE_PERMISSIONS": ["accounts.permissions.RoleAndScope"],
}

# Without a broker's program, messages are files: a kill may lose some, and ticks make up for it.
FILE_BROKER = EMBEDDED_BROKER and env.broker_binary() is None
CELERY_BROKER_URL = env.read("REDIS_URL") or (
    "filesystem://" if FILE_BROKER else f"redis+socket://{env.broker_socket()}?virtual_host=0"
)
CELERY_BEAT_SCHEDULER = "sreportal.beat:PortalScheduler"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 60
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A dead broker must not hang a web request: one quick retry, then the row waits for its next tick.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    "visibility_timeout": 120,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "unacked_restore_throttle": 1,
    "unacked_restore_interval": 10,
}
if FILE_BROKER:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA_DIR / "queue"),
        "data_folder_out": str(DATA_DIR / "queue"),
        "control_folder": str(DATA_DIR / "queue" / "control"),
    }
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = CELERY_BEAT_ENABLE_REMOTE_CONTROL = False

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING: dict[str, Any] = logging_config(level=env.read("LOG_LEVEL"), style=env.read("LOG_FORMAT"))
if env.read("LOG_LEVEL") == "INFO":
    # A line per tick, every few seconds for ever, hides the lines that matter.
    for _name in ("celery.beat", "celery.worker.strategy", "celery.app.trace"):
        LOGGING["loggers"][_name] = {"level": "WARNING"}
    # Nor is a caller's mistake ours: it is counted, and answered with what is wrong.
    LOGGING["loggers"]["django.request"] = {"level": "ERROR"}

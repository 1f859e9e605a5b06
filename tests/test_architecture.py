"""The rules of the architecture that a reader can rely on, because these tests hold them."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
APPS = (
    *("accounts", "capacity", "catalog", "chaos", "core", "dashboard", "incidents"),
    *("oncall", "slo", "sre", "sreportal", "statuspage", "telemetry", "users_api"),
)
VAGUE = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py", "manager.py"}
HTTP_LIBRARIES = {"httpx", "requests", "urllib3", "urllib.request", "http.client", "aiohttp"}
# Takes a receiver of Django's away that follows each migration.
SIGNAL_OF_COMMANDS = "accounts/authentication_app.py"
MODEL_SIGNALS = "django.db.models.signals"
# Beyond this a file has more than one reason to change; the few that may say why.
LONGEST = 450
LONGER_FOR_A_REASON: dict[str, str] = {}
CLOCKS = {"now", "utcnow", "today", "localtime", "gmtime", "time", "time_ns"}


@cache
def product_files() -> tuple[Path, ...]:
    """Return every source file of the product, without tests and migrations."""
    found = (path for app in APPS for path in (ROOT / app).rglob("*.py"))
    return tuple(sorted(p for p in found if not {"tests", "migrations"} & set(p.parts)))


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(), filename=str(path))


def name_of(path: Path) -> str:
    """Return a file's path below the project."""
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything a file imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(rule: Callable[[Path], bool]) -> list[str]:
    """Return the files that break a rule."""
    return [name_of(path) for path in product_files() if rule(path)]


def is_pure(path: Path) -> bool:
    """Return whether a file belongs to the arithmetic or to an app's policy."""
    return "domain" in path.parts or path.relative_to(ROOT).parts[0] == "sre"


def test_apps_know_only_what_is_below_them() -> None:
    """The contracts in pyproject.toml hold: layers, pure policy, a lone Users API."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_files_are_named_for_what_is_in_them() -> None:
    """No drawer for odds and ends."""
    assert offenders(lambda path: path.name in VAGUE) == []


def test_state_changes_are_calls_not_model_signals() -> None:
    """Reading a service shows all it does: no save hooks elsewhere."""
    found = offenders(lambda path: any(n.startswith(MODEL_SIGNALS) for n in imported(path)))
    assert found == [SIGNAL_OF_COMMANDS]


def test_one_module_talks_http() -> None:
    """Outbound requests pass the checks of `core.http_client`; nothing else opens connections.

    The SDK and the probes of chaos run outside the portal, demonstration traffic goes to the portal
    itself, and the issuer of single sign-on is the operator's own choice, often at a private address.
    """
    speakers = offenders(lambda path: bool(HTTP_LIBRARIES & set(imported(path))))
    assert set(speakers) <= {
        "accounts/oidc/transport.py",
        "chaos/probe.py",
        "core/http_client.py",
        "sre/delivery.py",
        "sreportal/demo_traffic.py",
    }


def test_time_is_an_argument_of_arithmetic_and_policy() -> None:
    """What `sre` and each `domain` answer depends on their arguments alone."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in product_files()
        if is_pure(path)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time", "timezone"}
        and node.func.attr in CLOCKS
    ]
    assert found == []


def test_services_are_told_the_time_by_name() -> None:
    """`now` is a keyword-only argument of services: nobody mixes it up with another time."""
    found = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in product_files()
        if "services" in {*path.parts, path.stem}
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and "now" in {argument.arg for argument in node.args.args}
    ]
    assert found == []


def test_services_read_no_clock() -> None:
    """No service reads the clock; whoever calls it does, once."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in product_files()
        if {"services", "domain"} & {*path.parts, path.stem}
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"clock.now", "timezone.now"}
    ]
    assert found == []


def test_files_have_one_reason_to_change() -> None:
    """No file outgrows what can be read in one sitting."""
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in product_files()}
    longest = {name: count for name, count in lengths.items() if count > LONGEST}
    assert longest.keys() <= LONGER_FOR_A_REASON.keys(), longest


def modules_without_django() -> list[str]:
    """Return what outsiders import without a configured portal."""
    files = [path for path in (ROOT / "sre").rglob("*.py") if "tests" not in path.parts]
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in files
    ]
    if (ROOT / "chaos" / "chaos_engineering.py").exists():
        names.append("chaos.chaos_engineering")
    return sorted(names)


@pytest.mark.parametrize("module", modules_without_django())
def test_sdk_imports_without_a_portal(module: str) -> None:
    """`import sre.…` works in any program: no settings, no Django loaded by it."""
    program = (
        "import importlib, sys; "
        f"importlib.import_module({module!r}); "
        "print(*sorted({'django', 'celery', 'rest_framework', 'boto3'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr

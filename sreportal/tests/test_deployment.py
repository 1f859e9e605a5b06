"""The files that operators start from, held to their rules without any container engine."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from sreportal.env import BASE_DIR, SETTINGS
from sreportal.schedule import SCHEDULE
from sreportal.tests.running_portal import plain_environment

DECLARED = {setting.name for setting in SETTINGS}
# Read by the database's own image, not by the portal.
OF_POSTGRES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
# The image decides these; `DEBUG` has no place on a machine that others reach.
OF_THE_IMAGE = {"SREPORTAL_DATA", "BIND", "PORT", "LOG_FORMAT", "DEBUG"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The parsed `docker-compose.yml`."""
    parsed: dict[str, Any] = yaml.safe_load((BASE_DIR / "docker-compose.yml").read_text())
    return parsed


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its services by name."""
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with its arguments."""
    text = (BASE_DIR / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(words[0], words[2]) for line in lines if (words := line.strip().partition(" "))[0]]


def portal_services(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return those that run the portal's image."""
    return {name: s for name, s in services.items() if s["image"].startswith("sreportal:")}


def test_images_are_pinned(
    services: dict[str, dict[str, Any]], dockerfile: list[tuple[str, str]]
) -> None:
    """No image floats: each has a full version, none is `latest`."""
    bases = [rest.split()[0] for name, rest in dockerfile if name == "FROM"]
    images = [service["image"] for service in services.values()]
    assert len(bases) == 2
    for image in bases + images:
        assert re.search(r":\d+\.\d+", image), image


def test_image_runs_as_nobody_special(dockerfile: list[tuple[str, str]]) -> None:
    """The last user is a numbered one, set before the command; nothing is added from the net."""
    names = [name for name, _ in dockerfile]
    assert [rest for name, rest in dockerfile if name == "USER"] == ["10001:10001"]
    assert names.index("USER") < names.index("CMD")
    assert "HEALTHCHECK" in names
    assert "ADD" not in names
    assert any("--require-hashes" in rest for name, rest in dockerfile if name == "RUN")


def test_portal_cannot_change_its_own_code(services: dict[str, dict[str, Any]]) -> None:
    """Read-only root, no capabilities, no new privileges, data on a volume."""
    portal = portal_services(services)
    assert set(portal) == {"prepare", "web", "pager", "worker", "beat"}
    for service in portal.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "data:/data" in service["volumes"]


def test_everything_that_stays_up_is_watched(services: dict[str, dict[str, Any]]) -> None:
    """Each service has a health check of its own; the web server has the image's."""
    for name in set(services) - {"web", "prepare"}:
        assert services[name]["healthcheck"]["test"], name


def test_start_order_waits_for_conditions(services: dict[str, dict[str, Any]]) -> None:
    """Nothing starts on a database that does not answer or is not migrated."""
    for name in ("web", "worker", "beat"):
        conditions = {k: v["condition"] for k, v in services[name]["depends_on"].items()}
        assert conditions == {
            "postgres": "service_healthy",
            "redis": "service_healthy",
            "prepare": "service_completed_successfully",
        }


def test_redis_keeps_the_queue(services: dict[str, dict[str, Any]]) -> None:
    """The queue outlives a restart and refuses rather than forgets."""
    command = services["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_every_setting_reaches_the_portal(services: dict[str, dict[str, Any]]) -> None:
    """What `.env` sets arrives: neither a misspelt nor a missing variable is ignored silently."""
    for name, service in portal_services(services).items():
        assert set(service["environment"]) == DECLARED - OF_THE_IMAGE, name
    text = (BASE_DIR / "docker-compose.yml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    assert used <= DECLARED | OF_POSTGRES


def test_secrets_have_no_default(services: dict[str, dict[str, Any]]) -> None:
    """Compose refuses to start rather than use a secret that everybody can read."""
    environment = services["web"]["environment"]
    for name in ("SECRET_KEY", "TOKEN_PEPPER", "PORTAL_URL"):
        assert environment[name].startswith(f"${{{name}:?")
    assert ":?" in environment["DATABASE_URL"]


def words_of(command: list[str] | str) -> list[list[str]]:
    """Return the programs that a command starts, each with its arguments."""
    given = shlex.split(command) if isinstance(command, str) else command
    if given[:2] != ["sh", "-ec"]:
        return [given]
    return [shlex.split(line.removeprefix("exec ")) for line in given[2].splitlines() if line]


def commands_of(
    services: dict[str, dict[str, Any]], dockerfile: list[tuple[str, str]]
) -> list[list[str]]:
    """Return every program that a container of the portal's image starts or is asked with."""
    found = []
    for service in portal_services(services).values():
        found += words_of(service["command"]) if "command" in service else []
        probe = service.get("healthcheck", {}).get("test")
        found += words_of(probe[1:]) if probe else []
    texts = [rest for name, rest in dockerfile if name == "CMD"]
    probes = [rest.partition("CMD ")[2] for name, rest in dockerfile if name == "HEALTHCHECK"]
    return [*found, *(json.loads(text) for text in texts + probes)]


def test_every_command_exists(
    services: dict[str, dict[str, Any]], dockerfile: list[tuple[str, str]]
) -> None:
    """What a container starts or is asked with is a program and, of Django's, a command we have."""
    commands = commands_of(services, dockerfile)
    assert {words[0] for words in commands} == {"python", "gunicorn", "celery"}
    for program in ("gunicorn", "celery"):
        assert (Path(sys.executable).parent / program).exists()
    ours = {words[2] for words in commands if words[1] == "manage.py"}
    assert ours == {"migrate", "createcachetable", "bootstrap", "collectstatic", "doctor", "pager"}
    assert ours <= set(get_commands())
    celery = {word for words in commands if words[0] == "celery" for word in words}
    assert {"sreportal", "worker", "beat"} <= celery


def test_variables_of_commands_are_passed(services: dict[str, dict[str, Any]]) -> None:
    """A shell in a container expands only what the container was given."""
    for name, service in portal_services(services).items():
        used = set(re.findall(r"\$\$\{?(\w+)", json.dumps(service.get("command", ""))))
        assert used <= set(service["environment"]), name


def test_what_must_last_is_on_a_named_volume(compose: dict[str, Any]) -> None:
    """Data, database and queue outlive their containers; no volume is declared for nothing."""
    mounts = [
        volume for service in compose["services"].values() for volume in service.get("volumes", [])
    ]
    assert {mount.partition(":")[0] for mount in mounts} == set(compose["volumes"])
    assert {"data:/data", "postgres:/var/lib/postgresql/data", "redis:/data"} == set(mounts)


def test_no_file_holds_a_secret(
    services: dict[str, dict[str, Any]], dockerfile: list[tuple[str, str]]
) -> None:
    """What is secret comes from outside: never a literal, never part of the image."""
    secret = re.compile(r"SECRET|PASSWORD|PEPPER|KEY|TOKEN")
    for name, service in services.items():
        for variable, value in service["environment"].items() if "environment" in service else ():
            assert not secret.search(variable) or value.startswith("${"), (name, variable)
    set_in_image = [rest for name, rest in dockerfile if name in {"ENV", "ARG"}]
    assert not any(secret.search(rest) for rest in set_in_image)
    lines = (BASE_DIR / ".env.example").read_text().splitlines()
    given = [line for line in lines if re.match(r"#\w*(SECRET|PASSWORD|PEPPER|KEYS)\w*=.", line)]
    assert given == []


def test_published_ports_are_loopback(services: dict[str, dict[str, Any]]) -> None:
    """The proxy with TLS is the only way in from outside."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_image_has_no_data_and_no_secrets() -> None:
    """The build context is a list of what is let in, and every package of the portal is in it."""
    lines = (BASE_DIR / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    packages = {path.parent.name for path in BASE_DIR.glob("*/apps.py")} | {"sre", "templates"}
    assert packages <= let_in
    assert not let_in & {"data", ".env", ".git", "tests"}


def test_example_has_every_setting_commented() -> None:
    """Copying `.env.example` changes nothing; each line shows the default."""
    lines = (BASE_DIR / ".env.example").read_text().splitlines()
    assert all(line.startswith("#") or not line for line in lines)
    shown = dict(line[1:].split("=", 1) for line in lines if re.match(r"#\w+=", line))
    assert set(shown) == DECLARED | {"POSTGRES_PASSWORD"}
    for setting in SETTINGS:
        default = setting.default
        written = str(int(default) if isinstance(default, bool) else default or "")
        assert shown[setting.name] == (written if default else shown[setting.name]), setting.name


def test_configuration_page_has_every_setting() -> None:
    """The table lists each setting once, with the meaning that the code gives it."""
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| (.+) \|$",
        (BASE_DIR / "docs/configuration.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(setting.name, setting.meaning) for setting in SETTINGS]


def test_operations_page_has_every_tick() -> None:
    """The table of what runs when is the schedule."""
    text = (BASE_DIR / "docs/operations.md").read_text()
    for tick in SCHEDULE:
        assert f"| {tick.name} | `{tick.task}` | {tick.every_s} s | {tick.reason} |" in text


def test_web_server_reads_its_configuration(tmp_path: Path) -> None:
    """The command of image, unit and Procfile starts from a bare environment."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--check-config",
            "-c",
            "python:sreportal.gunicorn_conf",
            "sreportal.wsgi",
        ],
        cwd=BASE_DIR,
        env=plain_environment(SREPORTAL_DATA=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

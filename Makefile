# `make run` starts the portal, `make test` proves it; `make help` lists the rest.
.DEFAULT_GOAL := help
.NOTPARALLEL:
# Each of the many processes of a start or a test run would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 3
# Tests on SQLite wait for no server, so a worker a core is enough; each takes seconds to begin.
SQLITE_WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The locks name every package, so there is nothing to resolve.
PIP_INSTALL := $(PIP) install --quiet --no-compile --no-deps --require-hashes
# Half of all that is installed, and hardly any of it is ever imported.
SELDOM := /(pip|setuptools|pkg_resources|moto/(?!auto|core|ec2|ecs|iam|rds|s3)[a-z_0-9]+|mypyc?|holidays/countries|apprise/plugins|pygments/lexers|tests?)/
APT := DEBIAN_FRONTEND=noninteractive apt-get --yes
TEMPLATES := find templates */templates -name '*.html' 2>/dev/null
DJADE := $(BIN)/djade --target-version 5.2
DJHTML := $(BIN)/djhtml --tabwidth 2 --extra-block partialdef,endpartialdef
# Tools that read the settings must neither write to `data` nor need a server.
AWAY := SREPORTAL_DATA=$(VENV)/check DATABASE_URL= REDIS_URL=

# $(call step,NAME,COMMAND): name it, run it, stop at a failure, tell the seconds.
step = @printf '\n== %s\n' '$(1)'; begin=$$(date +%s); $(2) && printf '   %s s\n' $$(($$(date +%s) - begin))

# $(call install,LOCK): by uv, in a fifth of pip's time. It knows nothing of pip's settings: whoever
# named an index there keeps pip, and so does whoever uv fails for.
install = @if $(PIP) config list | grep -qE '[.](index-url|no-index)=' \
	|| ! $(PIP_INSTALL) --only-binary :all: -r requirements-uv.txt \
	|| ! $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r $(1); \
	then $(PIP_INSTALL) -r $(1); fi

.PHONY: help run test programs scenarios check lint types contracts templates migrations suite sqlite browser pictures fuzz coverage format lock clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "sreportal needs Python 3.11 or newer: install it, or name it with 'make PYTHON=python3.12 run'." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing: on Debian or Ubuntu run 'apt install python3-venv'." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt requirements-uv.txt | $(BIN)/python
	@echo "Installing the locked dependencies (once)…" >&2
	@# Python compiles what it imports; all that is installed would take longer than the start.
	$(call install,requirements.txt)
	@touch $@

# The development lock names what the portal needs as well.
$(VENV)/.dev: requirements.txt requirements-dev.txt requirements-uv.txt | $(BIN)/python
	@echo "Installing the locked development tools (once)…" >&2
	$(call install,requirements-dev.txt)
	@# Compiled once on all cores, before many processes would each do it. Some of it is no Python of ours.
	@$(BIN)/python -m compileall -q -j 0 -x '$(SELDOM)' $(VENV)/lib $(dir $(wildcard */__init__.py)) > /dev/null || true
	@# As an editable install would: `pytest` finds the packages from wherever it is started.
	@pwd > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sreportal.pth"
	@touch $(VENV)/.run $@

run: $(VENV)/.run ## Start the portal: broker, web, worker, beat; prints the address
	@exec $(BIN)/python manage.py up

# Scenarios wait for minutes to pass, and what checks uses one core: each runs beside the tests.
test: ## Prove it all: check, then every test
	@$(MAKE) --no-print-directory programs & programs=$$!; \
	$(MAKE) --no-print-directory $(VENV)/.dev || exit 1; wait $$programs; \
	$(MAKE) --no-print-directory scenarios > $(VENV)/scenarios.log 2>&1 & scenarios=$$!; \
	$(MAKE) --no-print-directory check browser > $(VENV)/check.log 2>&1 & check=$$!; code=0; \
	$(MAKE) --no-print-directory sqlite suite || code=1; \
	wait $$check || code=1; cat $(VENV)/check.log; \
	wait $$scenarios || code=1; cat $(VENV)/scenarios.log; exit $$code

programs: ## Install the programs that tests ask for, where apt can; without them, fewer tests run
	@for name in chromium prometheus prometheus-alertmanager; do \
		command -v $$name > /dev/null && continue; \
		echo "Installing $$name for the tests…" >&2; \
		$(APT) update -qq > /dev/null 2>&1 && $(APT) install -qq --no-install-recommends $$name > /dev/null 2>&1 \
			|| echo "$$name could not be installed: the tests that need it are left out." >&2; \
	done

check: $(VENV)/.dev lint types contracts templates migrations ## What needs no test run: style, types, layers

lint: $(VENV)/.dev ## Style and spelling
	$(call step,style,$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .)
	$(call step,spelling,$(BIN)/codespell)

types: $(VENV)/.dev ## Static types, strict
	$(call step,types,$(AWAY) $(BIN)/mypy .)

contracts: $(VENV)/.dev ## Which app may know which
	$(call step,layers,$(BIN)/lint-imports --no-logo)

templates: $(VENV)/.dev ## Style of the templates
	$(call step,templates,$(TEMPLATES) | xargs -r $(DJADE) --check && $(TEMPLATES) | xargs -r $(DJHTML) --check)

migrations: $(VENV)/.dev ## Models match their migrations
	$(call step,migrations,$(AWAY) $(BIN)/python manage.py makemigrations --check --dry-run)

suite: $(VENV)/.dev ## The tests, on PostgreSQL
	@printf '\n== tests on PostgreSQL\n'
	@$(BIN)/python -m pytest --quiet -n $(WORKERS) -m 'not browser and not scenario'

sqlite: $(VENV)/.dev ## The part of the tests that also holds on SQLite
	@printf '\n== tests on SQLite\n'
	@$(BIN)/python -m pytest --quiet -n $(SQLITE_WORKERS) --database=sqlite -m both_databases

scenarios: $(VENV)/.dev ## Real processes on a real clock; about eight minutes
	@printf '\n== scenarios: real processes, real minutes\n'
	@$(BIN)/python -m pytest --quiet -n 3 -o faulthandler_timeout=0 -m scenario tests/scenarios

browser: $(VENV)/.dev ## The tests in a real browser; pictures go to test-results
	@printf '\n== tests in the browser\n'
	@$(BIN)/python -m pytest --quiet -m browser tests/browser

pictures: $(VENV)/.dev ## Take the README's pictures anew
	@$(BIN)/python -m pytest --quiet -m browser tests/browser/test_readme_picture.py
	@for scheme in light dark; do cp test-results/test_readme_picture-$$scheme.png docs/images/overview-$$scheme.png; done

fuzz: $(VENV)/.dev ## Send each operation, form and row what nobody expects; read every page of the admin
	@FUZZ_EXAMPLES=200 $(BIN)/python -m pytest --quiet -n 2 tests/test_openapi.py
	@FUZZ_EXAMPLES=20 $(BIN)/python -m pytest --quiet tests/test_forms.py
	@FUZZ_EXAMPLES=1 $(BIN)/python -m pytest --quiet -o faulthandler_timeout=0 tests/test_changes.py
	@FUZZ_EXAMPLES=1 $(BIN)/python -m pytest --quiet -o faulthandler_timeout=0 tests/test_admin_forms.py
	@FUZZ_EXAMPLES=1 $(BIN)/python -m pytest --quiet -m browser tests/browser/test_barriers.py

coverage: $(VENV)/.dev ## Branch coverage of the arithmetic and the policy
	@$(BIN)/coverage run -m pytest --quiet -m 'not browser and not scenario'
	@$(BIN)/coverage report

format: $(VENV)/.dev ## Rewrite code and templates in the house style
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .
	@$(TEMPLATES) | xargs -r $(DJADE) ; $(TEMPLATES) | xargs -r $(DJHTML)

clean: ## Remove what tools leave behind; data and the virtual environment stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov test-results
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

lock: | $(BIN)/python ## Resolve requirements.in, requirements-dev.in and requirements-uv.in again
	@$(PIP) install --quiet uv
	@for name in requirements requirements-dev requirements-uv; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url $$name.in -o $$name.txt; done

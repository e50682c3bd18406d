# Thin on purpose: each target is one command, run from a virtual environment that make
# builds itself from any Python 3.11 or later (PYTHON=/path/to/python chooses one).

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
JOBS ?= 2
# What runs through a transaction pooler and on PostgreSQL 15 too: the adapters but the embedded
# server, and daemons.
POOLED := tests/adapters --ignore-glob='*/test_embedded*' tests/e2e/test_daemon_requests.py \
  tests/e2e/test_daemon_fetch.py tests/e2e/test_daemon_stopping.py
PYTHON ?= python3.11 python3.12 python3.13 python3.14 python3 python

.DELETE_ON_ERROR:
.PHONY: demo serve test conditions corpus check docs bench lock clean

demo: $(STAMP)
	$(VENV)/bin/busctl demo $(ARGS)

serve: $(STAMP)
	$(VENV)/bin/busctl serve $(ARGS)

test: $(STAMP)
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder \
	  --ignore=tests/bench --ignore=tests/conditions $(ARGS)

# Slower tests that need more of the machine: poolers, certificates, other people's command lines.
conditions: $(STAMP)
	$(PY) -m pytest -n $(JOBS) --dist loadfile tests/conditions $(ARGS)
	$(PY) -m pytest -n $(JOBS) --dist loadfile --through pgbouncer --on 15 $(POOLED) $(ARGS)

# The rules on silent failures against every label; `conditions` takes the larger packages alone.
corpus: $(STAMP)
	$(PY) -m pytest -s --whole-corpus tests/conditions/corpus $(ARGS)

check: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/squawk --pg-version 15 --assume-in-transaction sql/migrations/*.sql
	$(VENV)/bin/busctl audit busctl audits
	$(PY) -m pytest -q tests/docs/test_reference.py tests/docs/test_observability.py tests/docs/test_links.py \
	  tests/audits/test_rule_pages.py

docs: $(STAMP)
	$(PY) -m tests.docs.reference
	$(PY) -m tests.docs.metrics_table
	$(PY) -m tests.audits.rule_pages

# Compares with other systems, which the lock leaves out; not part of the tests.
bench: $(STAMP)
	$(PY) -m pip install -qq --disable-pip-version-check --editable '.[bench]'
	$(PY) -m pytest -q -s -m bench tests/bench $(ARGS)

# uv's own lock format would write index hosts into the repository; this one carries hashes only.
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv on PATH: python3 -m pip install uv" >&2; exit 1; }
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	  --no-strip-extras \
	  --no-annotate --custom-compile-command "make lock" --quiet $(ARGS) \
	  pyproject.toml --extra dev --output-file requirements.lock
	$(PY) -m tests.packaging.lock_extras

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip, not uv: pip is there in every Python and obeys the pip configuration of the machine
# (mirrors, proxies, certificates). hatchling is in the lock, so nothing unpinned is fetched.
$(STAMP): pyproject.toml requirements.lock | $(PY)
	$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# A name on PATH may be a shim of a Python that is not active, or lack venv: try each, use the first
# that really works.
$(PY):
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	      >/dev/null 2>&1; then \
	    echo "creating $(VENV) with $$("$$python" --version)"; \
	    exec "$$python" -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo "No Python 3.11 or later with venv and ensurepip among: $(PYTHON)." >&2; \
	echo "Install one (Debian: apt-get install python3 python3-venv), or say PYTHON=/path/to/python." >&2; \
	exit 1

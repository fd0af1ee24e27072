# Everything runs in .venv, which `setup` makes; a newcomer needs only `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Installed when the lock file changed, by version and hash, without asking an index for anything else.
STAMP := $(VENV)/.installed

.PHONY: setup demo test test-tools check format lint types bench lock clean

setup: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: setup
	$(BIN)/oxbridge-sim demo $(DEMO)

test: setup
	$(BIN)/python -m pytest

# Debian packages that some tests use; without them those tests are skipped and say so.
test-tools:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		chromium microsocks prometheus prosody squid-openssl systemd tinyproxy

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest
	$(BIN)/oxbridge-sim demo --once --json --pbx oxo
	$(BIN)/oxbridge-sim demo --once --json --pbx oxe

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

# The peers that we are measured against are installed only here.
bench: setup
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	$(BIN)/python -m bench $(BENCH)

# Writes the lock files anew; they name packages, versions and hashes, and no index.
lock: setup
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	for set in "agent:" "agent-ntlm:--extra proxy-ntlm" "dev:--extra dev --extra serial --extra o2g" \
		"bench:--extra dev --extra serial --extra o2g --extra bench"; do \
		$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
			--no-emit-index-url --no-emit-find-links --no-header --no-annotate $${set#*:} \
			pyproject.toml -o requirements/$${set%%:*}.txt; \
	done

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache

# Every target stands alone, in any order, as root or not. What needs root or a Debian package that is
# not there is skipped aloud. The package index is the one this machine's pip is configured for.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

.DEFAULT_GOAL := check
.PHONY: demo test ordinary quick coverage unmeasured search check style bench cost-record bench-scrape bench-page bench-scale soak docs lock wheelhouse clean

demo: $(VENV)/.runtime  ## Sweep a simulated Azure with faults, on loopback, and show the report
	@scripts/demo $(BIN)/egressd

test: $(VENV)/.dev  ## Run the tests
	$(BIN)/python -m pytest $(ARGS)

QUICK := tests/planning tests/attribution tests/standing tests/alerting tests/catalog tests/documents tests/report tests/metrics \
	tests/config tests/notify/content tests/manual tests/test_yamlfile.py tests/test_proofs.py tests/test_house.py
MEASURED := $(QUICK) tests/fleet tests/prometheus_room tests/repositories tests/engine tests/state tests/probe tests/net_room tests/web
PLAIN := not servers and not machine and not alone

quick: $(VENV)/.dev  ## Run the tests of the rooms without I/O, and the house test: about a minute
	$(BIN)/python -m pytest -q -m '$(PLAIN)' $(QUICK) $(ARGS)

coverage: $(VENV)/.dev  ## Report line and branch coverage of each room whose tests run in one process
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -q -n 2 -m '$(PLAIN)' $(MEASURED) $(ARGS)
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m coverage json -q -o - | $(BIN)/python scripts/room_coverage.py

unmeasured: $(VENV)/.dev  ## The tests that `make coverage` leaves out
	$(BIN)/python -m pytest $(addprefix --ignore=,$(MEASURED)) $(ARGS)

ROUNDS ?= 5
search: $(VENV)/.dev  ## Hold every property to examples it has not seen: ROUNDS=20 for longer
	for round in $$(seq $(ROUNDS)); do TEST_EXAMPLES=search $(BIN)/python -m pytest -q -m hypothesis $(ARGS) || exit; done

check: style test  ## Everything a change must pass

style: $(VENV)/.dev  ## Format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev  ## What it costs beside blackbox_exporter, a bare client, curl and openssl, with the goals: 10 minutes
	$(BIN)/python -m bench $(ARGS)

cost-record: $(VENV)/.dev  ## Record what a healthy target takes in calls and memory, which the tests hold it to
	$(BIN)/python -m tests.cost.record

bench-scrape: $(VENV)/.dev  ## What a scrape of 500 targets x 3 sources costs, and how long it holds up the loop
	$(BIN)/python -m bench.scrape $(ARGS)

bench-page: $(VENV)/.dev  ## What the status page of 1,000 targets with 90 days of changes costs
	$(BIN)/python -m bench.page $(ARGS)

bench-scale: $(VENV)/.dev  ## What 1,000, 5,000 and 20,000 targets cost in one process: is it linear?
	$(BIN)/python -m bench.scale $(ARGS)

soak: $(VENV)/.dev  ## Thousands of sweeps of the lab at full speed: does anything grow? Then a day of bad days
	$(BIN)/python -m bench.soak $(ARGS)
	TEST_SOAK_SWEEPS=1440 TEST_SOAK_KILLS=50 $(BIN)/python -m pytest -q -o timeout=0 tests/soak

ORDINARY := tests/config tests/repositories tests/state tests/web tests/cli/test_files.py tests/cli/test_output.py \
	tests/cli/test_config_check.py tests/cli/test_history.py tests/cli/test_maintenance.py \
	tests/daemon/test_reload_errors.py tests/daemon/test_stale_file.py
ordinary: $(VENV)/.dev  ## The tests in which permissions matter; as root, on a copy, by a user without rights
	@scripts/ordinary $(BIN)/python -m pytest -q -m '$(PLAIN)' -p no:cacheprovider $(wildcard $(ORDINARY)) $(ARGS)

docs: $(VENV)/.dev  ## Write the generated pages again
	PYTHONPATH=. $(BIN)/python scripts/docs.py

lock: $(VENV)/.dev  ## Pin every dependency again; ARGS=--upgrade takes newer versions
	UV=$(BIN)/uv scripts/lock $(ARGS)

wheelhouse: $(VENV)/.dev  ## Pack all that a host without an Internet needs into dist/; ARGS=3.13 for another Python
	@scripts/wheelhouse $(BIN)/python dist $(ARGS)

clean:  ## Remove what the other targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(BIN)/python:
	@scripts/venv "$(PYTHON)" "$(VENV)"

$(VENV)/.build: requirements/build.txt requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.build
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

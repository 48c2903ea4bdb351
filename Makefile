PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_DISABLE_TELEMETRY ?= 1

.DEFAULT_GOAL := help
.PHONY: help run test lint bench shots demo clean

help: ## List the commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-6s %s\n", $$1, $$2}'

run: $(VENV)/run.stamp ## Install what the app needs and open it on http://127.0.0.1:8501
	@echo "Opening on http://127.0.0.1:8501 (stop with Ctrl-C)"
	@$(BIN)/streamlit run app.py

test: $(VENV)/dev.stamp ## Install what tests need and run them all
	@tests/need_chromium.sh
	@tests/need_slurm.sh
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/dev.stamp ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: $(VENV)/run.stamp ## Measure the speed of extraction and measures as ratios within one run
	@$(BIN)/python -m benchmarks.run

shots: $(VENV)/dev.stamp ## Take pictures of every page into .ci/artefacts/screenshots
	@$(BIN)/python -m tests.shots

demo: $(VENV)/run.stamp ## Train the bundled runs again and compute their results (about two hours on two cores)
	@demo/rebuild.sh $(BIN)/python

clean: ## Remove the environment and everything computed; the demo stays
	@rm -rf $(VENV) && find cache -mindepth 1 ! -name README.md -delete

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/python
	@echo "Installing the app's packages (once; about 2 GB on disk) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	@echo "Installing what the tests need (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

# make run: serves the app on 127.0.0.1:7860.   make test: runs every test.
# Both make .venv on the first call and again when a requirements file has changed.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: run test lint

run: .venv/run-installed
	$(BIN)/python app.py

test: .venv/test-installed
	sh tests/install_chromium.sh
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

lint: .venv/test-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/run-installed: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/test-installed: requirements-dev.txt requirements-train.txt requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	touch .venv/run-installed $@

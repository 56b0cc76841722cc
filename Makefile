# The two commands of the README, and what developers add. Each works from a clean clone.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run test endurance check bench gallery

run: $(VENV)/installed
	$(BIN)/cavendish run

test: $(VENV)/installed-dev
	$(BIN)/pytest

# Twenty kills, forty resumes: the same bits every time.
endurance: $(VENV)/installed-dev
	$(BIN)/pytest -m endurance

# What is to be green before a commit.
check: $(VENV)/installed-dev
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest
	$(BIN)/pytest -m endurance

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/pictures.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/splits.py
	$(BIN)/python benchmarks/export.py
	$(BIN)/python benchmarks/training.py

# Every scene, moving, on one page.
gallery: $(VENV)/installed-dev
	$(BIN)/cavendish scenes --gallery docs/gallery.html

$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@ $(VENV)/installed

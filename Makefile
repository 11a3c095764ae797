# make demo   draw birds, fine-tune with CRL and with cross-entropy, print one table
# make test   lint, type check, all tests
# make test-slow  the second looks that `make test` leaves out
# make mutants  put hundreds of faults into a copy, one at a time: do the tests notice? (slow; ARGS="--room metrics -n 4")
# make kills  interrupt runs of every method at random moments: do they end in the same bytes? (slow; ARGS="--kills 150")
# make fuzz   malformed inputs of every kind: does each end in a result or one line? (slow; ARGS="--cases 50000 --seed 0")
# make docs   the pages of docs/ as a site in site/
# Each makes .venv on first use; Python >= 3.11 and make are all that is needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Compiled code is kept for the other test process, for the commands that tests start, and for the next time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow mutants kills fuzz lint docs clean

demo: $(STAMP)
	$(BIN)/python tools/demo.py

test: $(STAMP) lint
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow -n auto --dist loadfile --no-loadscope-reorder

mutants: $(STAMP)
	$(BIN)/python tests/mutants/run.py $(ARGS)

kills: $(STAMP)
	$(BIN)/python tests/attacks/kills.py $(ARGS)

fuzz: $(STAMP)
	$(BIN)/python tests/attacks/fuzz.py $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/mkdocs build --strict

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "finegrained-crl needs Python 3.11 or newer; say make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) demo site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# make course | test | lab: everything happens in .venv, which is made on first use and renewed only when
# pyproject.toml or constraints.txt change.

ifeq ($(OS),Windows_NT)
PYTHON ?= python
PY := .venv/Scripts/python.exe
else
PYTHON ?= python3
PY := .venv/bin/python
endif
STAMP := .venv/installed
JOBS ?= 2
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with notebooks/nbval_sanitize.cfg --nbval-cell-timeout 900
PYTEST := $(PY) -m pytest -n $(JOBS) --dist loadfile

# In tests several kernels share few cores: threads that wait give theirs away instead of spinning. A single kernel, as in
# make course, is up to twice as fast with threads that spin.
test unit nbval: export OMP_WAIT_POLICY ?= passive

.PHONY: help course book release test lint unit nbval train mutants lab clean

help:
	@echo "make course   execute all notebooks, write copies and browsable pages to build/"
	@echo "make book     notebooks, equation index, glossary, claims and package as one book; to build/book/"
	@echo "make release  editions for teaching: students' (nbgrader), instructor's, slides; to build/release/"
	@echo "make test     lint, unit tests, and every notebook's stored outputs"
	@echo "make mutants  every wrong answer to an exercise with the message its check gives; to build/mutants.md"
	@echo "make train    train every checkpoint and measure the scoreboard (ARGS=--dry-run: say what there is to do)"
	@echo "make lab      open the first notebook in JupyterLab"
	@echo "make lint, make unit, make nbval   the three parts of make test"
	@echo "make clean    remove build/ and the caches (.venv stays)"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed and $(PYTHON) is %d.%d: try make PYTHON=python3.12' % sys.version_info[:2])"
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --disable-pip-version-check -c constraints.txt -e ".[test]"
	@$(PY) -c "open('$(STAMP)', 'w').close()"

course: $(STAMP)
	$(PY) -m rcnn_lite.course

book: $(STAMP)
	$(PY) -m book

release: $(STAMP)
	$(PY) -m rcnn_lite.teaching

lab: $(STAMP)
	$(PY) -m jupyterlab $(firstword $(sort $(NOTEBOOKS)) notebooks)

test: $(STAMP) lint
	$(PYTEST) tests rcnn_lite $(if $(NOTEBOOKS),$(NBVAL) $(NOTEBOOKS))

lint: $(STAMP)
	$(PY) -m ruff check .

unit: $(STAMP)
	$(PYTEST) tests rcnn_lite

train: $(STAMP)
	$(PY) benchmarks/train_all.py $(ARGS)

nbval: $(STAMP)
	$(if $(NOTEBOOKS),$(PYTEST) $(NBVAL) $(NOTEBOOKS),@echo "no notebooks yet")

mutants: $(STAMP)
	$(PY) tests/mutants_listing.py

clean:
	rm -rf build .pytest_cache .ruff_cache .hypothesis

# Needs CPython 3.11 and make; everything else lands in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export OMP_WAIT_POLICY := PASSIVE
# hundreds of commands are started: modules are compiled once, not by each of them
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-install test-long test-openfhe bench clean

setup: .venv/setup

.venv/setup: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "privis needs CPython 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[cnn,faces,sklearn,demo,mpc,he,serve,tiff,dicom,slides,video,postgresql,lancedb,registry]'
	touch $@

# torch first and exactly: any other spelling brings gigabytes of CUDA
.venv/setup-test: .venv/setup
	$(BIN)/pip install --quiet --constraint constraints.txt 'torch==2.13.0'
	$(BIN)/pip install --quiet --constraint constraints.txt --group test
	touch $@

demo: .venv/setup
	$(BIN)/privis demo --output demo

# three processes for two cores, as parties of a test wait for each other
test: .venv/setup-test
	$(BIN)/lint-imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -m "not long" --numprocesses 3 --dist worksteal

# What users install: the wheel without constraints, in a fresh environment of every CPython here, and of the oldest
# dependencies; ENVIRONMENTS="3.13 3.11-oldest" chooses some, TRAIN=1 adds torch
test-install:
	$(PYTHON) -m tests.install.environments $(if $(TRAIN),--train) $(if $(ENVIRONMENTS),--only $(ENVIRONMENTS))

# What only many tries can show: before a release
test-long: .venv/setup-test
	$(BIN)/python -m pytest -m long --numprocesses 2 --dist worksteal

# The second library behind the port of homomorphic encryption: its wheel imports on CPython 3.10 (or 3.12 with glibc 2.38)
OPENFHE_PYTHON ?= python3.10

test-openfhe: .venv/openfhe/setup
	PYTHONPATH=src .venv/openfhe/bin/python -m pytest tests/run/he/backends/test_engines.py

.venv/openfhe/setup:
	$(OPENFHE_PYTHON) -m venv .venv/openfhe
	.venv/openfhe/bin/pip install --quiet 'openfhe==1.6.1.0.22.4' 'numpy==1.26.4' 'scipy==1.15.3' pytest hypothesis
	touch $@

bench: .venv/setup-test
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv demo

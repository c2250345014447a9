# The two commands a newcomer needs are `make demo` and `make test`; each sets up what it needs in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FILES ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test forensic fuzz lint docs screens raid-card words reader stick bench bench-scale bench-searching clean

demo: $(VENV)/.runtime
	$(BIN)/python demo/demo.py $(FILES)

# On all cores. A part, or all of it on one core: README.md, "Tests".
test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal

# As root on Linux: raw images searched, and 200 interruptions of each kind instead of 25. About a quarter of an hour.
forensic: $(VENV)/.development
	$(BIN)/python -m pytest tests/forensic --runs 200 -rs

# Looks for bytes that break a parser: a minute for each, or as long as one says.
FUZZ_SECONDS ?= 60
fuzz: $(VENV)/.development
	$(PIP) --require-hashes -r requirements-fuzz.lock
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.development
	$(BIN)/python -m tests.support.cli_docs
	$(BIN)/python tools/make_man.py

# The texts for translators, and the catalogues that are compiled from their work (docs/translating.md).
words: $(VENV)/.development
	$(BIN)/python tools/words.py

# The pictures of the screen in the guide. The same screens give the same bytes.
screens: $(VENV)/.development
	$(BIN)/python -m tools.make_screens

raid-card: $(VENV)/.development
	$(BIN)/python tools/make_raid_card.py

# Needs node and npm. The same sources give the same bytes, which a test holds.
reader: reader/node_modules
	cd reader && npm run --silent check && npm run --silent build

reader/node_modules: reader/package-lock.json
	cd reader && npm ci --no-audit --no-fund --ignore-scripts
	touch $@

# Needs a network, so that whoever gets the folder needs none. About 250 MB.
STICK ?= dist/stick
stick: $(VENV)/.runtime
	$(BIN)/python tools/make_stick.py $(STICK)

bench: $(VENV)/.runtime
	$(BIN)/python -m bench --write docs/performance.md

# A case of a million documents, 200 GB of them: about ten minutes.
bench-scale: $(VENV)/.runtime
	$(BIN)/python -m bench.scale --write docs/performance.md --plot docs/scale.svg

# A case of 100,000 documents that were read: about five minutes. Needs the tests' libraries too.
bench-searching: $(VENV)/.development
	$(BIN)/python -m bench.searching --write docs/performance.md

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-build-isolation --no-deps --editable .
	touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/interop/node_modules reader/node_modules

# Every target sets up .venv/ first, from pyproject.toml and the versions in requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
# Tests that run at the same time; most of them wait for processes of their own.
WORKERS ?= 3
export PATH := $(CURDIR)/$(BIN):$(PATH)

# The demo's own settings: second candles, a quick cross, a short throttle, so that a minute has something to see.
DEMO := LAP_DURATION=1 LAP_SEED=0 LAP_INTERVAL=1s LAP_STRATEGY_PARAMS=fast=3,slow=8 \
	LAP_MIN_TRADE_INTERVAL_SEC=3 LAP_STOP_BPS=12 LAP_TP_R=3 LAP_MAX_CONSECUTIVE_LOSSES=50

.PHONY: help demo run test gates format lock clean
.PHONY: chaos soak suspend fuzz compressed-day parity
.PHONY: bench bench-recovery bench-feed bench-sweep
.PHONY: pictures pages docs

help:
	@echo "make demo   a one-minute session against the simulated exchange"
	@echo "make run    a session on Bitunix's live public data (honcho start)"
	@echo "make test   all gates and tests"
	@echo "make chaos  kills real processes for a quarter of an hour, at every named point and at random"
	@echo "make bench  every bench, into bench/RESULTS.md (twenty minutes; ONLY=live_start for one of them)"
	@echo "make chaos SECONDS=n  the nemesis alone: every kind of harm at random, for so long"
	@echo "make soak MINUTES=60  200 ticks a second, a kill every 30 s; memory, handles, nothing lost or doubled"
	@echo "make suspend SECONDS=30  a session whose lid is closed for so long"
	@echo "make peers  installs what bench compares with, in a place of its own (2 GB)"
	@echo "make bench-recovery  how long restarts and stops take, p50, p99, max"
	@echo "make bench-feed  a minute of 5,000 trades a second: lag, losses, memory"
	@echo "make bench-sweep  what a sweep costs beside its replays, and what a second worker brings"
	@echo "make fuzz   a million mangled frames through the feed"
	@echo "make compressed-day  a day of the exchange in seven minutes, a fault every ten minutes of it"
	@echo "make parity candle mode against backtesting.py, trade by trade"
	@echo "make pictures  the pictures of the documents, from a real demo session"
	@echo "make pages  the parts of the documents that the program writes: settings, commands"
	@echo "make docs   the site of the documents, into site/"
	@echo "make gates  ruff, mypy, import contracts"
	@echo "make format let ruff format the code"
	@echo "make lock   write the installed versions to requirements.lock"

.venv/.ready: pyproject.toml requirements.lock
	@echo "setting up .venv/: a minute or two, once"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $(PYTHON) is older: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable . --group dev
	touch $@

demo: .venv/.ready
	$(DEMO) $(BIN)/honcho start -f Procfile.demo

run: .venv/.ready
	$(BIN)/honcho start

# A file's tests share their sessions, so they run in one worker; the long files come first.
test: gates
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

chaos: .venv/.ready
	$(BIN)/python -m pytest $(if $(SECONDS),tests/chaos/test_nemesis.py,-m chaos)

soak: .venv/.ready
	PYTHONPATH=tests $(BIN)/python bench/soak.py

suspend: .venv/.ready
	SLEEP_SEC=$(or $(SECONDS),30) $(BIN)/python -m pytest tests/e2e/test_disasters.py -k lid

bench: .venv/.ready
	PYTHONPATH=tests $(BIN)/python bench/all_benches.py $(ONLY)

.venv-peers/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-peers/bin/python -m pip install --quiet --group bench-peers
	touch $@

peers: .venv-peers/.ready

bench-recovery: .venv/.ready
	PYTHONPATH=tests $(BIN)/python bench/recovery.py

bench-feed: .venv/.ready
	PYTHONPATH=tests $(BIN)/python bench/feed_flood.py

bench-sweep: .venv/.ready
	$(BIN)/python bench/sweep.py

.venv-fuzz/.ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-fuzz/bin/python -m pip install --quiet --constraint requirements.lock --editable . --group fuzz
	touch $@

fuzz: .venv-fuzz/.ready
	PYTHONPATH=tests .venv-fuzz/bin/python bench/fuzz_frames.py

compressed-day: .venv/.ready
	PYTHONPATH=tests $(BIN)/python bench/compressed_day.py

.venv-parity/.ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv-parity
	.venv-parity/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-parity/bin/python -m pip install --quiet --constraint requirements.lock --editable . --group parity
	touch $@

parity: .venv-parity/.ready
	.venv-parity/bin/python bench/parity/backtesting_py.py

pictures: .venv/.ready
	PYTHONPATH=tests $(BIN)/python bench/pictures.py

pages: .venv/.ready
	$(BIN)/python tests/pages.py

.venv-docs/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-docs/bin/python -m pip install --quiet --group docs
	touch $@

docs: pages .venv-docs/.ready
	.venv-docs/bin/mkdocs build --strict

gates: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/.ready
	$(BIN)/python -m pip freeze --exclude-editable > requirements.lock

clean:
	rm -rf .venv .venv-parity .venv-peers .venv-fuzz .venv-docs site dist build runs logs .lap

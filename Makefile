# Everything a newcomer needs: `make demo`, `make test`. Each sets up what it uses.
PYTHON ?= python3.11
VENV := .venv
LAVA := .venv-lava
BENCH := .venv-bench
BIN := $(VENV)/bin
# In the order of the files, of which the slow ones come first (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

.PHONY: demo test nightly lint lava lava-dl lava-if-possible bench fuzz pretrained landmarks68 clean

demo: $(VENV)/installed lava-if-possible
	$(BIN)/snnface demo --out runs/demo --overwrite

test: $(VENV)/developed lint lava-if-possible
	$(PYTEST)

# Everything, also the large sweeps, with ten times the examples of each property.
nightly: $(VENV)/developed lava-if-possible
	$(PYTEST) -m "" --hypothesis-profile nightly

# Compiled code is kept: the tests start many processes, and each would compile the packages anew.
test nightly: export PYTHONDONTWRITEBYTECODE =

lint: $(VENV)/developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Lava needs Python 3.10; any one on the machine will do.
lava: $(LAVA)/installed

lava-dl: $(LAVA)/netx-installed

# The referees are wanted, not needed: without a Python 3.10 all else works and says that they were not run.
lava-if-possible:
	@$(MAKE) --no-print-directory lava-dl || echo "Going on without Lava or netx; the cross-check is reported as not run."

# The peers live apart: what they want is not what the project wants.
bench: $(BENCH)/installed
	$(BENCH)/bin/python benchmarks/run.py

# Coverage-guided, each binary format in turn; findings are written to crash-*.
FUZZ_SECONDS ?= 300

fuzz: $(VENV)/developed
	$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[fuzz]'
	for format in evt3 evt2 evt21 dat aedat4 aedat3 aedat2 ecf dsec v2e npy npz csv txt; do \
	  $(BIN)/python tests/fuzz/fuzz_readers.py $$format -max_total_time=$(FUZZ_SECONDS) -timeout=20 || exit 1; done

# The models that ship with the package; a new one is a reviewed change.
landmarks68: $(VENV)/installed
	$(BIN)/python -m snnface.app.landmark_training

pretrained: $(VENV)/installed
	$(BIN)/python -m snnface.app.pretrained

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable .
	@touch $@

# norse and spikingjelly declare torchvision without needing it here, and torchvision breaks torchmetrics beside
# a CPU torch. tonic declares more than it imports.
define install_development
	$(1)/bin/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[dev]'
	$(1)/bin/python $(PIP_INSTALL) --constraint constraints.txt --no-deps norse spikingjelly loguru
	$(1)/bin/python $(PIP_INSTALL) --constraint constraints.txt --no-deps tonic importRosbag scipy tqdm requests urllib3 certifi charset-normalizer
endef

$(VENV)/developed: $(VENV)/installed
	$(call install_development,$(VENV))
	@touch $@

$(BENCH)/installed: pyproject.toml constraints.txt benchmarks/requirements-events.txt
	$(PYTHON) -m venv $(BENCH)
	$(call install_development,$(BENCH))
	$(BENCH)/bin/python $(PIP_INSTALL) --no-deps --requirement benchmarks/requirements-events.txt
	@touch $@

$(LAVA)/installed: hardware/lava_worker/requirements.txt
	@python="$$( \
	  for candidate in python3.10 "$$(pyenv prefix $$(pyenv versions --bare 2>/dev/null | grep '^3\.10' | tail -n 1) 2>/dev/null)/bin/python3.10" "$$(uv python find 3.10 2>/dev/null)"; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null; then echo "$$candidate"; break; fi; \
	  done)"; \
	if [ -z "$$python" ]; then echo "Lava needs a Python 3.10 (python3.10 on the path, pyenv, or uv); none was found." >&2; exit 1; fi; \
	"$$python" -m venv $(LAVA)
	$(LAVA)/bin/python $(PIP_INSTALL) -r hardware/lava_worker/requirements.txt
	@touch $@

$(LAVA)/netx-installed: $(LAVA)/installed hardware/lava_worker/requirements-dl.txt
	$(LAVA)/bin/python $(PIP_INSTALL) --no-deps -r hardware/lava_worker/requirements-dl.txt
	@touch $@

clean:
	rm -rf $(VENV) $(LAVA) $(BENCH) runs .mypy_cache .pytest_cache .ruff_cache .hypothesis

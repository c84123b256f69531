# fdwire: every target works on a machine with python3, g++, make and perl; no root.
# Variables: WAVES=<µs>|last:<µs>|all|off (sim), SEED=<n>, PYTEST_ARGS=…; SEEDS=, ONLY=, SCHEDULER=, JOBS= (regress)

PYTHON ?= python3
WAVES ?= 200
SEED ?= 1
SEEDS ?= 1-4
# A slow test is in one of these files, or has icarus in its name, or else `make rest` runs it.
LINKS := $(wildcard $(addprefix tests/e2e/test_,tap.py tap_rtl.py vhost_*.py run_programs.py linux_guest.py))
SHOWN := $(addprefix tests/e2e/test_,docs.py waves.py trace.py report.py failures.py examples.py foreign_nic.py terminal.py compiled_stack.py)
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help env sim fast test test-all icarus regress links docs-test rest lint waves bench memory area formal mutants coverage docs regs clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment: what running needs, and what testing needs beside it. Both pinned in pyproject.toml.
$(VENV)/run: pyproject.toml
	@$(PYTHON) tb/toolchain.py
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || \
	  { echo "fdwire: python3 cannot make a virtual environment: install python3-venv (Debian/Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "fdwire: installing the pinned packages into $(VENV) (once)"
	@$(BIN)/pip install -q -e .
	@touch $@

EXTRA_dev := test packages
EXTRA_bench := plotting packages
EXTRA_fast := compiler for the host stack
EXTRA_formal := formal tools
EXTRA_docs := packages for the pages
NOTE_formal := ; their first start compiles for a minute or two

$(addprefix $(VENV)/,dev bench fast formal docs): $(VENV)/%: $(VENV)/run
	@echo "fdwire: installing the pinned $(EXTRA_$*) into $(VENV) (once$(NOTE_$*))"
	@$(BIN)/pip install -q -e '.[$*]'
	@touch $@

env: $(VENV)/dev ## Make the environment in .venv/ with everything for testing

sim: $(VENV)/run ## Run the main job: HTTP over sockets, TCP/IP, driver and rings through the RTL NIC
	@$(BIN)/fdwire sim --waves $(WAVES) --seed $(SEED)

fast: $(VENV)/fast ## Compile simulator (by a profile of itself) and host stack; each is used until its sources change
	@$(BIN)/python -m tb.fast

test: $(VENV)/dev ## Run all tests that fit into ten minutes
	@$(BIN)/pytest -n 2 --dist worksteal $(PYTEST_ARGS)

test-all: $(VENV)/dev ## Run every test, the long ones too
	@FDWIRE_WHOLE=1 $(BIN)/pytest -n 2 --dist worksteal -m "slow or not slow" $(PYTEST_ARGS)

icarus: $(VENV)/dev ## Run block and conformance tests in four-state Icarus, registers beginning as X and at random
	@FDWIRE_WHOLE=1 $(BIN)/pytest -n 2 --dist worksteal -m slow -k icarus $(PYTEST_ARGS)

regress: $(VENV)/dev ## Many seeds: SEEDS=1-20 [ONLY=campaign] [SCHEDULER=tcp://host:8786] [JOBS=4]; results and coverage in one table
	@$(BIN)/fdwire regress --seeds $(SEEDS) $(foreach one,$(ONLY),--only $(one)) $(SCHEDULER:%=--scheduler %) $(JOBS:%=--jobs %)

links: $(VENV)/dev ## Run the tests with real programs: the kernel's TCP through a TAP (curl, ping, nc, tshark), DPDK, a Linux guest, others preloaded (redis)
	@$(BIN)/pytest -m "slow or not slow" $(LINKS) $(PYTEST_ARGS)

docs-test: $(VENV)/dev $(VENV)/docs $(VENV)/fast ## Run what README.md and docs/ show, waves in a real GTKWave, bundles of failures, the compiled stack
	@$(BIN)/pytest -n 2 --dist worksteal -m slow $(SHOWN) $(PYTEST_ARGS)

rest: $(VENV)/dev ## Run the long tests that icarus, links and docs-test do not, every sweep whole
	@FDWIRE_WHOLE=1 $(BIN)/pytest -n 2 --dist worksteal -m slow -k "not icarus" $(addprefix --ignore=,$(LINKS) $(SHOWN)) $(PYTEST_ARGS)

lint: $(VENV)/dev ## Check RTL (verilator -Wall), Python (ruff, mypy strict), layers, generated files
	@$(BIN)/python -m tb.lint

waves: $(VENV)/run ## Run the main job with all waves and open them in GTKWave if it is there
	@$(BIN)/fdwire sim --waves all --seed $(SEED)
	@$(BIN)/fdwire waves

bench: $(VENV)/bench $(VENV)/fast ## Measure the NIC's rate, latency and bus use, the co-simulation against a bare loop, the host stack
	@$(BIN)/python -m tb.fast stack
	@$(BIN)/fdwire bench

memory: $(VENV)/run ## Does memory stay flat? 10 million frames between golden NICs (an hour), 1 million through the RTL
	@$(BIN)/python -m tb.bench.memory
	@$(BIN)/python -m tb.bench.memory --rtl

formal: $(VENV)/formal ## Prove the RTL's cells; a table of what is proven, covered, and caught when broken
	@$(BIN)/python -m tb.formal

area: $(VENV)/formal ## What the NIC and each feature take of an FPGA (Yosys, Xilinx 7 series); half an hour
	@$(BIN)/python -m tb.bench.area

mutants: $(VENV)/dev ## Plant bugs in the RTL, each of which a named test must notice; a table
	@$(BIN)/python tests/mutants/run.py

coverage: $(VENV)/dev ## Measure which lines, branches and toggles of the RTL the tests reach
	@$(BIN)/python tests/coverage/measure.py

docs: $(VENV)/docs ## Build docs/ as pages into build/docs (index.html); dead links fail
	@$(BIN)/mkdocs build --quiet

regs: $(VENV)/dev ## Regenerate what comes from rtl/regs/fdwire.rdl
	@$(BIN)/python -m tb.regsgen

clean: ## Remove what was built and measured
	@rm -rf build

distclean: clean ## Remove the environment too
	@rm -rf $(VENV) *.egg-info

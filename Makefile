# Two commands matter: `make demo` and `make test`. Both set everything up; Python >= 3.11 and make suffice.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
MUTATION_STAMP := $(VENV)/.installed-mutation

# For an environment that is made of stated versions: make CONSTRAINTS=constraints/ci.txt test
CONSTRAINTS ?=
CONSTRAIN := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

# pip comes with Python; with `make UV=path/to/uv …` the same takes a third of the time.
UV ?=
install_in = $(if $(UV),$(UV) pip install --quiet --python $(1)/bin/python,$(1)/bin/python -m pip install --quiet \
  --disable-pip-version-check)
INSTALL := $(call install_in,$(VENV)) $(CONSTRAIN)

.PHONY: help demo test frontend test-ci test-kills test-long test-hosts test-wheel test-lowest fuzz coverage mutate constraints lab lint bench clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 18

demo: $(STAMP)  ## the whole path once: findings, proofs, 10,000 orders, SQL, pictures, one real run
	@$(BIN)/wfsim demo

# They start processes or a browser and wait for these more than they compute, and need nothing compiled.
WAITING := tests/browser tests/runtime_kill
# What `make test-hosts` runs, as it installs more.
HOSTS := tests/hosts

# Loading nbval takes some seconds in every process, for grammars that only notebooks need.
PYTEST := $(BIN)/python -m pytest -p no:nbval

# Where the surroundings forbid it, every process would compile every module anew, those of the tests twice.
test test-ci coverage: export PYTHONDONTWRITEBYTECODE :=

# One lane compiles the kernels, if their cache is empty, while the other is at what does not need them.
compile = mkdir -p build; $(BIN)/python -m tests.compiled > build/compiled.log 2>&1 & compiling=$$!; \
  trap "kill $$compiling 2>/dev/null || true" EXIT; set -ex
compiled = wait $$compiling || { cat build/compiled.log; exit 1; }

test: frontend  ## style, types and the quick tests of every room and layer: five minutes
	@$(compile); \
	$(MAKE) --no-print-directory lint; \
	$(PYTEST) -n 2 --dist loadfile --doctest-modules --ignore wfsim/runtime/schema/env.py wfsim $(WAITING); \
	$(compiled); \
	$(BIN)/python -m pytest -n 2 --dist loadfile --nbval notebooks; \
	$(PYTEST) -n 2 --dist worksteal $(addprefix --ignore=,$(WAITING) $(HOSTS)) tests

# Those of killed processes are in test-kills. In a browser three at a time, as each waits most of the time.
test-ci: frontend  ## what continuous integration runs beside `make test` (tests/ci.txt): another six minutes
	@$(compile); \
	$(PYTEST) -n 3 --dist loadfile -m ci tests/browser; \
	$(compiled); \
	$(PYTEST) -n 2 --dist worksteal -m ci $(addprefix --ignore=,$(WAITING) $(HOSTS)) tests

frontend: $(TEST_STAMP)  ## build the live widgets anew if their sources have changed
	@$(BIN)/python hatch_build.py tools

test-kills: frontend  ## processes are killed while orders run (KILLS=400), and 200 simulated days of an engine
	WFSIM_KILLS=$(or $(KILLS),100) $(BIN)/python -m pytest -n 2 --dist worksteal -m '' \
	  tests/runtime_kill tests/property/test_simulated_engine.py::test_nothing_is_lost_and_nothing_happens_twice

test-long: test-ci test-kills  ## all that `make test` leaves out (tests/ci.txt, tests/long.txt): half an hour
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long tests --ignore=tests/browser --ignore=tests/runtime_kill
	$(PYTEST) -n 2 --dist loadfile -m long tests/browser

test-hosts: frontend  ## live widgets in Notebook 7, Voila and marimo, in Chromium; installs these
	@$(INSTALL) -e '.[hosts]'
	$(PYTEST) -n 0 $(HOSTS)

test-wheel: $(VENV)/bin/python  ## build the wheel, install it in an empty environment, run the demo there
	@rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/venv
	$(call install_in,build/wheel/venv) $(CONSTRAIN) build/wheel/wfsim-*.whl
	cd build/wheel && venv/bin/wfsim demo --cases 1000
	cd build/wheel && venv/bin/python -c \
	  "from importlib.resources import files; (files('wfsim.widgets') / 'static/bundle.js').read_bytes()"

# What a dependency does: its files, tables, pictures, solvers, command line; and what numba makes of each kind of root.
# Left out is what only counts on in our own code: the rules of the meaning, histories of whole families, limits.
LOWEST := $(addprefix tests/unit/, analytics cli drawing model net test_public_names.py test_readme.py \
  $(addprefix history/test_, history_questions.py history_store.py history_views.py history_writer.py \
    hostile_questions.py) \
  runtime/test_schedules.py runtime/test_shipped_order.py simulation/test_scenarios.py \
  verification/structure verification/test_conditions.py verification/test_diagrams.py \
  $(addprefix widgets/test_, live.py picture_of.py stepper.py token_game.py wire.py))
LOWEST_COMPILED := $(addprefix tests/, unit/simulation/test_golden_digests.py \
  unit/verification/test_explore_markings.py unit/verification/test_workflow_space.py \
  $(addprefix differential/test_, compiled_search.py::test_auto_goes_over_from_python_without_a_seam \
    two_speeds.py::test_what_is_kept_is_loaded_without_compiling_what_it_is_made_of \
    two_speeds.py::test_draws_are_philox two_speeds.py::test_integers_at_the_edges_of_64_bits_are_exact_or_overflow))

# Older versions load more of each other, which is not ours to say.
NOT_LOWEST := --ignore tests/unit/analytics/test_compare.py --ignore tests/unit/cli/test_service_commands.py --deselect \
  tests/unit/cli/test_command_line.py::test_a_simulation_from_the_command_line_loads_no_library_that_it_does_without

# uv, as pip has no way to ask for the lowest versions. One lane compiles, the other does without.
test-lowest:  ## the tests of what dependencies do, with the lowest versions that pyproject.toml allows
	@rm -rf build/lowest && mkdir -p build/lowest
	$(PYTHON) -m venv build/lowest/venv
	$(if $(UV),,build/lowest/venv/bin/python -m pip install --quiet --disable-pip-version-check uv)
	$(or $(UV),build/lowest/venv/bin/uv) pip install --quiet --resolution lowest-direct \
	  --python build/lowest/venv/bin/python -e '.[test-core]'
	@build/lowest/venv/bin/python -m pytest -m 'not long' $(LOWEST_COMPILED) > build/lowest/compiled.log 2>&1 & compiling=$$!; \
	trap "kill $$compiling 2>/dev/null || true" EXIT; set -e; \
	build/lowest/venv/bin/python -m pytest -m 'not long' $(LOWEST) $(NOT_LOWEST); \
	wait $$compiling || { cat build/lowest/compiled.log; exit 1; }; \
	tail -n 1 build/lowest/compiled.log

fuzz: $(TEST_STAMP)  ## random tests with fifteen times as many cases, new ones every time; takes an hour or more
	WFSIM_FUZZ=$(or $(TIMES),15) $(BIN)/python -m pytest -n 2 --dist worksteal -m '' \
	  tests/property tests/differential tests/unit

coverage: frontend  ## which lines the tests reach, and which they do not
	$(BIN)/python -m coverage erase
	$(PYTEST) -n 2 --dist worksteal -m '' --cov --cov-report= --ignore=$(HOSTS) tests
	$(BIN)/python -m coverage report
	$(BIN)/python -m coverage html

mutate: $(MUTATION_STAMP)  ## change the code in one place at a time: does a test notice? GROUP=step SAMPLE=20
	$(BIN)/python -m tests.mutation $(or $(GROUP),step) $(if $(SAMPLE),--sample $(SAMPLE))

constraints: $(MUTATION_STAMP)  ## note the versions that this environment has, for continuous integration
	$(BIN)/python -m pip list --format=freeze --exclude wfsim --exclude pip --exclude setuptools > constraints/ci.txt

lint: $(TEST_STAMP)  ## style, types and the order of the rooms; of the front end, its unit tests too
	$(BIN)/python hatch_build.py check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: frontend  ## measure, as ratios in one run
	@$(INSTALL) -e '.[bench]'
	$(BIN)/python -m tests.benchmarks

lab: $(VENV)/.installed-lab  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "wfsim needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# Installing builds the live widgets, so what was pulled since then is installed again; tests have `frontend` for that.
FRONTEND := $(wildcard wfsim/widgets/frontend/src/*)

$(STAMP): $(VENV)/bin/python pyproject.toml $(FRONTEND)
	@echo "Installing wfsim and what it needs (a minute or two, once) ..."
	@$(INSTALL) -e .
	@touch $@

$(TEST_STAMP): $(VENV)/bin/python pyproject.toml
	@echo "Installing wfsim and its test tools (a minute or two, once) ..."
	@$(INSTALL) -e '.[test]'
	@touch $@ $(STAMP)

$(MUTATION_STAMP): $(TEST_STAMP)
	@$(INSTALL) -e '.[mutation]'
	@touch $@

$(VENV)/.installed-lab: $(VENV)/bin/python pyproject.toml $(FRONTEND)
	@echo "Installing JupyterLab beside wfsim (a minute or two, once) ..."
	@$(INSTALL) -e '.[lab]'
	@touch $@ $(STAMP)

clean:  ## remove the environment and results
	rm -rf $(VENV) results

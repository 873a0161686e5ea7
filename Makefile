# `make demo` and `make test` work on a fresh machine with python3 >= 3.11, pip, venv and make.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := cpu,demo,dev,slurm

.PHONY: demo test check docs pins clean

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python too old in $(PYTHON): $$($(PYTHON) -V); use 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[$(EXTRAS)]'
	@# on all cores, which pip can't; without the packages' own tests; some packages have files of Python 2
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true
	@touch $(STAMP)

demo: $(STAMP) ## the whole pipeline on synthetic data; ends with what it found
	$(BIN)/snakemake --profile profiles/demo
	$(BIN)/faithful-pairs show results/demo

test: $(STAMP) ## all tests, with coverage
	$(BIN)/python -m slipcover --json --out .coverage -m pytest -n 2 --dist loadscope --no-loadscope-reorder
	@$(BIN)/python -m slipcover --fail-under 85 --out .coverage --merge .coverage

check: $(STAMP) ## style, types, imports, generated documentation and size
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m workflow_scripts.study.reference --check
	$(BIN)/python -m tests.budget
	$(BIN)/snakemake --lint

docs: $(STAMP) ## regenerate the tables and the schema in docs/, and write the reference pages into docs/generated/
	$(BIN)/python -m workflow_scripts.commands.reference
	$(BIN)/python -m workflow_scripts.study.reference
	$(BIN)/python -m tests.provenance.why_page

# Packages of CUDA, and suffixes such as +cpu, are those of one machine's build of torch.
define PINS
import json, re, sys
from packaging.specifiers import SpecifierSet
packages = [package["metadata"] for package in json.load(sys.stdin)["install"]]
print("# Versions that the tests ran with, for all Pythons that pyproject.toml allows; `make pins` brings newer ones.")
for package in sorted(packages, key=lambda package: package["name"].lower()):
    if not re.match("cuda-|nvidia-|triton$$|faithful-pairs$$", package["name"]):
        needs, pin = package.get("requires_python", ""), f'{package["name"]}=={package["version"].split("+")[0]}'
        if "3.11" not in SpecifierSet(needs):
            sys.exit(f"error: {pin} needs Python {needs}; make the environment with an older Python: 3.11.2, say")
        print(pin)
endef
export PINS

pins: $(STAMP) ## the newest versions that pyproject.toml allows, as constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --dry-run --ignore-installed \
		--report .venv/pins.json '.[$(EXTRAS)]'
	@$(BIN)/python -c "$$PINS" <.venv/pins.json >.venv/pins.txt
	@mv .venv/pins.txt constraints.txt
	@touch $(STAMP)

clean: ## remove results, caches and the environment
	rm -rf .venv .snakemake results/* .mypy_cache .pytest_cache .ruff_cache

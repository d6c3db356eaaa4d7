# Two commands do everything on a fresh machine:
#   make demo    the main job with an embedded Label Studio: three rounds on generated street scenes
#   make test    installs what the tests need and runs all of them
#
# make demo KEEP=1            stays up afterwards, for a person to answer regions
# make demo DATA=<folder>     takes your data set (see docs/data.md)

SHELL := /bin/bash
PIP := pip install --quiet --disable-pip-version-check
OURS := .venv
THEIRS := .venv-label-studio
KEEP ?=
DATA ?=

# The training is beside Label Studio, the backend and whatever else runs here: threads of OpenMP that wait for
# each other sleep instead of spinning (benchmarks/spinning_threads.py).
BESIDE := GOMP_SPINCOUNT=1000

# Several processes share the tests; threads of one would only be in the way of the others.
WORKERS := -n logical --maxprocesses 4 --dist loadgroup
EACH := OMP_NUM_THREADS=1

export PIP_NO_INPUT := 1
# A variable that leaks in from somebody's shell must not decide which packages we see.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: demo test fast-test lint install clean

demo: $(OURS)/.installed $(THEIRS)/.installed
	$(BESIDE) $(OURS)/bin/python -m demo $(if $(DATA),--data "$(DATA)") $(if $(filter-out 0,$(KEEP)),--keep) --label-studio $(THEIRS)/bin/label-studio

test: prerequisites-browser
	@$(MAKE) --no-print-directory -j2 $(OURS)/.installed $(THEIRS)/.installed
	$(OURS)/bin/ruff check .
	$(OURS)/bin/ruff format --check .
	$(OURS)/bin/mypy
	$(EACH) TENTH_LABEL_STUDIO="$(CURDIR)/$(THEIRS)/bin/label-studio" $(OURS)/bin/python -m pytest $(WORKERS)

fast-test: $(OURS)/.installed
	$(OURS)/bin/python -m pytest -m "not slow and not system"

lint: $(OURS)/.installed
	$(OURS)/bin/ruff check .
	$(OURS)/bin/ruff format --check .
	$(OURS)/bin/mypy

install: prerequisites
	@$(MAKE) --no-print-directory -j2 $(OURS)/.installed $(THEIRS)/.installed

.PHONY: prerequisites prerequisites-browser
prerequisites:
	@sh scripts/prerequisites
prerequisites-browser:
	@sh scripts/prerequisites browser

# torch first and by its exact version: its CPU build must be in place before anything else asks for torch.
$(OURS)/.installed: pyproject.toml constraints.txt | prerequisites
	@echo "Installing Tenth into $(OURS)"
	@python3 -m venv --clear $(OURS)
	@$(OURS)/bin/$(PIP) -c constraints.txt "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	@$(OURS)/bin/$(PIP) -c constraints.txt -e ".[dev]"
	@touch $@

# Label Studio is a separate program in its own environment, installed as its users install it.
$(THEIRS)/.installed: constraints-label-studio.txt | prerequisites
	@echo "Installing Label Studio into $(THEIRS)"
	@python3 -m venv --clear $(THEIRS)
	@$(THEIRS)/bin/$(PIP) -c constraints-label-studio.txt label-studio
	@touch $@

clean:
	rm -rf $(OURS) $(THEIRS) .cache demo/work demo/data

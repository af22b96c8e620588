# Everything that can be done in a checkout; `make help` lists it. PYTHON=... chooses the interpreter.

help:
	@echo "make run              set up, then measure a demonstration job from kernel to HDF5 file"
	@echo "make test             run the tests on every Python from 3.9 to 3.13 found here"
	@echo "make test SYSTEM=1    the same, with the tests that install packages or start system services"
	@echo "make lab              run the tests that want a kernel or hardware of their own, in guests of qemu"
	@echo "make bench            measure the hot paths, Colmet 0.6.10 beside them"
	@echo "make docs             write docs/metrics.rst and docs/options.rst anew"
	@echo "make clean            remove what the other targets made"

run:
	@scripts/run.sh

test:
	@SYSTEM="$(SYSTEM)" scripts/test.sh

lab:
	@scripts/bootstrap.sh && scripts/lab.sh && LAB=1 .venv/bin/python -m pytest -p no:cacheprovider --durations=3 tests/lab

bench:
	@scripts/bench.sh

docs:
	@scripts/bootstrap.sh && .venv/bin/python docs/build.py

clean:
	rm -rf .venv .cache .pytest_cache build dist colmet.egg-info colmet/node/*.so

.PHONY: help run test lab bench docs clean

#!/bin/sh
# Installs the Colmet 0.6.10 of the package index in an environment of its own, for tests and benchmarks.
set -eu
. "$(dirname "$0")/lib.sh"

scripts/venv.sh .venv/bin/python .cache/colmet-0.6.10 colmet==0.6.10 \
    'pyasyncore; python_version >= "3.12"' 'numpy<2; python_version < "3.10"'

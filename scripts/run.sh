#!/bin/sh
# Measures a demonstration job of several processes, from the kernel to an HDF5 file. Ends by itself.
set -eu
. "$(dirname "$0")/lib.sh"
begin

scripts/bootstrap.sh
PATH="$checkout/.venv/bin:$PATH"
rm -f .cache/demo.hdf5
colmet run --live -o .cache/demo.hdf5 -- python -m colmet.view.demo

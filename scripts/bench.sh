#!/bin/sh
# Runs every benchmark, each against the Colmet 0.6.10 of the package index in the same run.
set -eu
. "$(dirname "$0")/lib.sh"
begin

scripts/bootstrap.sh
scripts/peer.sh
# Peers of bench/elasticsearch.py, bench/account.py and bench/hardware.py.
.venv/bin/python -m pip --disable-pip-version-check install --quiet "elasticsearch<9" psutil
for file in bench/node.py bench/account.py bench/hardware.py bench/collector.py bench/elasticsearch.py; do
    say "$file"
    .venv/bin/python "$file"
done

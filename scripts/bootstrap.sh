#!/bin/sh
# Makes this checkout ready: the tools for building, then .venv with Colmet in it.
set -eu
. "$(dirname "$0")/lib.sh"

python=$(scripts/tools.sh)
scripts/venv.sh "$python" .venv -e .

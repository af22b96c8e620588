#!/bin/sh
# venv.sh PYTHON FOLDER REQUIREMENT...: a virtual environment of PYTHON in FOLDER that has the requirements.
# It is made anew only when the Python, the place, a requirement, setup.py or a C source is another.
set -eu
. "$(dirname "$0")/lib.sh"

python=$1
folder=$2
shift 2
state="$checkout $* $("$python" -VV) $(cat setup.py lib_*/*.[ch] lib_*/*.py 2>/dev/null | cksum)"
if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/made-of" 2>/dev/null)" = "$state" ]; then
    exit 0
fi
say "$folder: a virtual environment of $("$python" -V)"
rm -rf "$folder"
"$python" -m venv "$folder"
say "$folder: pip install $*"
"$folder/bin/python" -m pip --disable-pip-version-check install "$@" >&2
echo "$state" > "$folder/made-of"

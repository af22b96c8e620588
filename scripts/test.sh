#!/bin/sh
# Runs the tests on .venv's Python, then what is not slow on every other Python from 3.9 to 3.13 found
# here, on PATH or under ~/.pyenv. Nothing outside the checkout and pip's cache is left changed, save
# with SYSTEM=1, which installs packages that some tests want.
set -eu
. "$(dirname "$0")/lib.sh"
begin
scratch=$(mktemp -d "${TMPDIR:-/tmp}/colmet-test.XXXXXX")
export TMPDIR="$scratch"
chmod 755 "$scratch"

# setuptools and wheel: the tests of the package build it; trustme signs certificates
tools="pytest docutils prometheus-client requests setuptools trustme wheel"

# The path of a Python of minor version $1; nothing where there is none that runs.
find_minor() {
    for name in "python3.$1" "${HOME:-/}"/.pyenv/versions/3."$1"*/bin/python; do
        if [ "$("$name" -c 'import sys; print(sys.version_info[1])' 2>/dev/null)" = "$1" ]; then
            command -v "$name"
            return
        fi
    done
}

# check NAME PYTHON [ARGUMENT...]: one run of the tests; its closing line goes to the summary.
check() {
    name=$1
    python=$2
    shift 2
    say "tests on $name"
    { "$python" -m pytest -p no:cacheprovider --durations=8 tests "$@" 2>&1 || echo $? > .cache/status; } |
        tee .cache/test.log
    if [ -e .cache/status ]; then
        rm .cache/status
        failed="$failed $name"
    fi
    echo "$name: $(tail -n 1 .cache/test.log | tr -d '=')" >> .cache/summary
}

if [ "${SYSTEM:-}" = 1 ]; then
    export SYSTEM
    if [ "$(id -u)" = 0 ] && [ "$(packager)" = apt-get ]; then
        install_packages hdf5-tools strace valgrind maven default-jdk-headless
        command -v prometheus >/dev/null 2>&1 || install_stopped prometheus
    fi
fi
scripts/bootstrap.sh
.venv/bin/python -c "import docutils, prometheus_client, pytest, requests, setuptools, trustme, wheel" 2>/dev/null ||
    .venv/bin/python -m pip --disable-pip-version-check install $tools
scripts/peer.sh || say "no Colmet 0.6.10 to compare with: its tests are skipped"
scripts/servers.sh || say "no Elasticsearch to store in: its tests are skipped"

: > .cache/summary
failed=
main=$(.venv/bin/python -c 'import sys; print(sys.version_info[1])')
check "python3.$main" .venv/bin/python
for minor in 9 10 11 12 13; do
    [ "$minor" != "$main" ] || continue
    python=$(find_minor "$minor")
    if [ -z "$python" ]; then
        echo "skipped: python3.$minor not found" >> .cache/summary
    elif scripts/venv.sh "$python" ".cache/venv-3.$minor" -e . $tools; then
        check "python3.$minor" ".cache/venv-3.$minor/bin/python" -m "not slow"
    else
        echo "python3.$minor: installing Colmet failed" >> .cache/summary
        failed="$failed python3.$minor"
    fi
done

say "summary"
cat .cache/summary
[ -z "$failed" ] || fail "tests failed on:$failed"

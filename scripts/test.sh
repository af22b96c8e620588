#!/bin/sh
# Runs the tests on .venv's Python, and beside them what is not slow on every other Python from 3.9 to 3.13 found
# here, on PATH or under ~/.pyenv. Nothing outside the checkout and pip's cache is left changed, save
# with SYSTEM=1, which installs packages that some tests want.
set -eu
. "$(dirname "$0")/lib.sh"
begin
scratch=$(mktemp -d "${TMPDIR:-/tmp}/colmet-test.XXXXXX")
export TMPDIR="$scratch"
chmod 755 "$scratch"
# setuptools and wheel: the tests of the package build it; trustme signs certificates
# pytest 9.2 keeps the names of tests where pytest-xdist 3.8 does not find them: no group would stay on one worker.
export TEST_TOOLS="pytest<9 pytest-xdist docutils prometheus-client requests setuptools trustme wheel"
unset PYTHONDONTWRITEBYTECODE    # else each program that a test starts would compile all of Colmet again
schema='grafana-foundation-sdk==1769699520!11.4.0'   # of Grafana's dashboards; for Python 3.11 or newer
AT_ONCE=2

if [ "${SYSTEM:-}" = 1 ]; then
    export SYSTEM
    if [ "$(id -u)" = 0 ] && [ "$(packager)" = apt-get ]; then
        install_packages hdf5-tools strace valgrind maven default-jdk-headless clang llvm \
            qemu-system-x86 busybox-static acpica-tools ibsim-utils infiniband-diags \
            qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross
        command -v prometheus >/dev/null 2>&1 || install_stopped prometheus
        install_stopped slurm-wlm slurmctld slurmd munge
        install_stopped oar-server oar-server-pgsql oar-node oar-user oar-user-pgsql postgresql postgresql-common \
            openssh-server cron
    fi
fi
scripts/bootstrap.sh
wanted="import docutils, prometheus_client, pytest, requests, setuptools, trustme, wheel, xdist"
.venv/bin/python -c "$wanted" 2>/dev/null ||
    .venv/bin/python -m pip --disable-pip-version-check install $TEST_TOOLS
.venv/bin/python -c "import sys; sys.version_info < (3, 11) or __import__('grafana_foundation_sdk')" 2>/dev/null ||
    .venv/bin/python -m pip --disable-pip-version-check install "$schema"
scripts/peer.sh || say "no Colmet 0.6.10 to compare with: its tests are skipped"
if command -v qemu-system-x86_64 >/dev/null 2>&1; then
    scripts/lab.sh || say "no kernel for a guest: its tests are skipped"
fi
scripts/servers.sh || say "no Elasticsearch to store in: its tests are skipped"

rm -rf .cache/tests
mkdir .cache/tests
main=$(.venv/bin/python -c 'import sys; print(sys.version_info[1])')
others=$(printf '%s\n' 9 10 11 12 13 | grep -vx "$main")
failed=0
# xargs and what it starts are in the foreground, so that Ctrl-C reaches all of them.
printf '%s\n' $main $others | xargs -n 1 -P $AT_ONCE scripts/test-on.sh || failed=1

say "summary"
for minor in $main $others; do
    cat ".cache/tests/$minor.summary" 2>/dev/null || echo "python3.$minor: not run to its end"
done
[ "$failed" = 0 ] || fail "tests failed"

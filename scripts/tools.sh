#!/bin/sh
# Prints the Python to use, once this machine has what building Colmet takes: Python 3.9 or newer, its
# headers, its venv module, and a C compiler. As root it installs what lacks, else it prints how. libbpf, with
# which colmet-node reads tasks by BPF, is installed too, and done without where it is not to be had.
set -eu
. "$(dirname "$0")/lib.sh"

new_enough='import sys; sys.exit(sys.version_info < (3, 9))'
headers='import os, sysconfig; print(os.path.join(sysconfig.get_paths()["include"], "Python.h"))'
compiler='import sysconfig; print((sysconfig.get_config_var("CC") or "cc").split()[0])'

find_python() {
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 python3.9}; do
        if "$name" -c "$new_enough" 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
}

# compiles PYTHON HEADER: whether programs can be compiled here with this header.
compiles() {
    printf '#include <stdio.h>\n#include <%s>\nint main(void) { return 0; }\n' "$2" |
        "${CC:-$("$1" -c "$compiler")}" -x c -fsyntax-only - 2>/dev/null
}

# What lacks, in words that `packages` knows.
lacks() {
    python=$(find_python)
    if [ -z "$python" ]; then
        echo python headers venv compiler
        return
    fi
    [ -e "$("$python" -c "$headers")" ] || echo headers
    "$python" -c "import ensurepip, venv" 2>/dev/null || echo venv
    compiles "$python" linux/taskstats.h || echo compiler
}

# packages MANAGER WORD...: the names of the packages that bring these.
packages() {
    manager=$1
    shift
    name=${PYTHON:-python3}
    name=${name##*/}
    for word in "$@"; do
        case $manager:$word in
            *:python) echo "$name" ;;
            dnf:headers) echo "$name-devel" ;;
            dnf:venv) echo "$name-pip" ;;
            dnf:compiler) echo gcc glibc-devel kernel-headers ;;
            dnf:libbpf) echo libbpf-devel ;;
            *:headers) echo "$name-dev" ;;
            *:venv) echo "$name-venv" ;;
            *:compiler) echo gcc libc6-dev ;;
            *:libbpf) echo libbpf-dev ;;
        esac
    done | tr '\n' ' '
}

missing=$(lacks | tr '\n' ' ')
if [ -n "$missing" ]; then
    manager=$(packager)
    needed=$(packages "${manager:-apt-get}" $missing)
    say "this machine lacks for building: $missing"
    if [ "$(id -u)" != 0 ]; then
        say "run this, then try again:"
        echo "sudo ${manager:-apt-get} install -y $needed" >&2
        exit 1
    fi
    install_packages $needed
    missing=$(lacks | tr '\n' ' ')
    [ -z "$missing" ] || fail "still lacking after the installation: $missing(PYTHON=... chooses another Python)"
fi
python=$(find_python)
if ! compiles "$python" bpf/libbpf.h; then
    needed=$(packages "$(packager)" libbpf)
    [ "$(id -u)" = 0 ] && ( install_packages $needed ) ||
        say "without" $needed "colmet-node is built to read tasks by netlink, not by BPF"
fi
echo "$python"

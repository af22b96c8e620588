#!/bin/sh
# test-on.sh MINOR [ARGUMENT...]: runs the tests on Python 3.MINOR, with arguments for pytest: the Python of .venv if it
# is that one, else one found on PATH or under ~/.pyenv, in an environment of its own. A closing line goes to
# .cache/tests/MINOR.summary; what the run prints is shown at its end, in one piece, that of .venv while it runs.
set -eu
. "$(dirname "$0")/lib.sh"
minor=$1
shift
name=python3.$minor
notes=.cache/tests/$minor
main=$(.venv/bin/python -c 'import sys; print(sys.version_info[1])')

# The path of this Python; nothing where there is none that runs.
find_minor() {
    for path in "$name" "${HOME:-/}"/.pyenv/versions/3."$minor"*/bin/python; do
        if [ "$("$path" -c 'import sys; print(sys.version_info[1])' 2>/dev/null)" = "$minor" ]; then
            command -v "$path"
            return
        fi
    done
}

end() {
    echo "$name: $1" > "$notes.summary"
    exit "${2:-0}"
}

# check PYTHON ARGUMENT...: one run of the tests.
check() {
    python=$1
    shift
    say "tests on $name"
    code=0
    "$python" -m pytest -p no:cacheprovider --durations=8 tests "$@" 2>&1 || code=$?
    return $code
}

if [ "$minor" = "$main" ]; then
    { check .venv/bin/python -n 3 --dist loadgroup "$@" && touch "$notes.passed"; } | tee "$notes.log"
else
    python=$(find_minor)
    [ -n "$python" ] || end "skipped, not found"
    {
        # One at a time: what is built passes through folders of the checkout.
        flock .cache/tests/building scripts/venv.sh "$python" ".cache/venv-3.$minor" -e . $TEST_TOOLS &&
            check ".cache/venv-3.$minor/bin/python" -m "not slow" "$@" && touch "$notes.passed"
    } > "$notes.log" 2>&1 || :
    flock .cache/tests/showing cat "$notes.log"
fi
[ -e "$notes.passed" ] && failed=0 || failed=1
end "$(tail -n 1 "$notes.log" | tr -d '=')" $failed

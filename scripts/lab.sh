#!/bin/sh
# Fetches the kernel that the guests of tests/lab boot, Debian's for virtual machines, into .cache/lab/kernel: a package
# that is unpacked there and not installed. Takes Debian or a child of it; its release chooses the kernel's.
set -eu
. "$(dirname "$0")/lib.sh"

kernel=$checkout/.cache/lab/kernel
for program in apt-get apt-cache dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 || fail "no $program here: the kernel of the guests is a package of Debian"
done
package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p')
[ -n "$package" ] || fail "no package linux-image-cloud-amd64 is known here; as root: apt-get update"
[ "$(cat "$kernel/made" 2>/dev/null)" != "$package" ] || exit 0

say "fetching $package (27 MB)"
rm -rf "$kernel"
mkdir -p "$kernel"
(cd "$kernel" && apt-get download -qq "$package" 2>/dev/null) ||
    fail "$package could not be fetched; as root: apt-get update"
dpkg-deb -x "$kernel"/*.deb "$kernel"
rm -rf "$kernel"/*.deb "$kernel/usr"
echo "$package" > "$kernel/made"

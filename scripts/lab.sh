#!/bin/sh
# Fetches the kernels that the guests of tests/lab boot, Debian's, into .cache/lab: packages that are unpacked there and
# not installed. "kernel" is the one for virtual machines; "hardware" the one for all machines, which knows BMCs and
# sensors. Takes Debian or a child of it; its release chooses the kernels'.
set -eu
. "$(dirname "$0")/lib.sh"

for program in apt-get apt-cache dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 || fail "no $program here: the kernel of the guests is a package of Debian"
done

# fetch METAPACKAGE FOLDER MEGABYTES
fetch() {
    kernel=$checkout/.cache/lab/$2
    package=$(apt-cache depends "$1" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p')
    [ -n "$package" ] || fail "no package $1 is known here; as root: apt-get update"
    [ "$(cat "$kernel/made" 2>/dev/null)" != "$package" ] || return 0
    say "fetching $package ($3 MB)"
    rm -rf "$kernel"
    mkdir -p "$kernel"
    (cd "$kernel" && apt-get download -qq "$package" 2>/dev/null) ||
        fail "$package could not be fetched; as root: apt-get update"
    dpkg-deb --fsys-tarfile "$kernel"/*.deb | tar -x -C "$kernel" --exclude='./usr' --exclude='*/drivers/gpu' \
        --exclude='*/drivers/media' --exclude='*/net/ethernet' --exclude='*/net/wireless' --exclude='*/kernel/sound'
    rm -f "$kernel"/*.deb
    echo "$package" > "$kernel/made"
}

fetch linux-image-cloud-amd64 kernel 27
fetch linux-image-amd64 hardware 71

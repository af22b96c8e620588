#!/bin/sh
# Fetches the kernels that the guests of tests/lab boot, Debian's, into .cache/lab: packages that are unpacked there and
# not installed. "kernel" is the one for virtual machines; "hardware" the one for all machines, which knows BMCs and
# sensors, and for which a module of ours is made; "arm" one for ARM. Takes Debian or a child of it; its release chooses
# the kernels'.
set -eu
. "$(dirname "$0")/lib.sh"
lab=$checkout/.cache/lab
module=$checkout/tests/lab/energy/energy.c

for program in apt-get apt-cache dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 || fail "no $program here: the kernel of the guests is a package of Debian"
done

# depends PACKAGE START [OPTION...]: the packages whose names start so that it depends on; the options are apt's.
depends() {
    of=$1 start=$2
    shift 2
    apt-cache "$@" depends "$of" 2>/dev/null | sed -n "s/.*Depends: \($start[^ ]*\)$/\1/p"
}

# unpack PACKAGE FOLDER [OPTION...]: fetch a package into FOLDER/package and write it as an archive to stdout.
unpack() {
    package=$1 folder=$2
    shift 2
    rm -rf "$folder/package"
    mkdir -p "$folder/package"
    (cd "$folder/package" && apt-get "$@" download -qq -o Acquire::Retries=3 "$package" 2>/dev/null) ||
        fail "$package could not be fetched; as root: apt-get update"
    dpkg-deb --fsys-tarfile "$folder"/package/*.deb
    rm -rf "$folder/package"
}

# kernel METAPACKAGE FOLDER MEGABYTES [OPTION...]
kernel() {
    metapackage=$1 kernel=$lab/$2 size=$3
    shift 3
    package=$(depends "$metapackage" linux-image- "$@")
    [ -n "$package" ] || fail "no package $metapackage is known here; as root: apt-get update"
    [ "$(cat "$kernel/made" 2>/dev/null)" != "$package" ] || return 0
    say "fetching $package ($size MB)"
    rm -rf "$kernel"
    mkdir -p "$kernel"
    unpack "$package" "$kernel" "$@" | tar -x -C "$kernel" --exclude='./usr' --exclude='*/drivers/gpu' \
        --exclude='*/drivers/media' --exclude='*/net/ethernet' --exclude='*/net/wireless' --exclude='*/kernel/sound'
    echo "$package" > "$kernel/made"
}

# The module of `energy`, made with what Debian has for modules of the kernel "hardware".
energy() {
    release=$(sed 's/linux-image-//' "$lab/hardware/made")
    made=$lab/hardware/lib/modules/$release/extra/energy.ko
    headers=$lab/hardware/headers/usr/src/linux-headers-$release
    ! [ "$made" -nt "$module" ] || return 0
    if [ ! -e "$headers/made" ]; then
        say "fetching linux-headers-$release (14 MB)"
        mkdir -p "$lab/hardware/headers"
        for package in "linux-headers-$release" $(depends "linux-headers-$release" linux-headers-) \
            $(depends "linux-headers-$release" linux-kbuild-); do
            unpack "$package" "$lab/hardware" | tar -x -C "$lab/hardware/headers" --exclude='./usr/share'
        done
        sed -i "s|/usr/src|$lab/hardware/headers&|" "$headers/Makefile"
        : > "$headers/made"
    fi
    build=$lab/hardware/energy
    mkdir -p "$build" "${made%/*}"
    cp "$module" "$build"
    echo 'obj-m := energy.o' > "$build/Makefile"
    make -s -C "$headers" M="$build" CC="${CC:-gcc}" modules >"$build/log" 2>&1 || fail "$module: see $build/log"
    strip --strip-debug -o "$made" "$build/energy.ko"
}

# The kernel for ARM: apt knows packages of other machines by lists of its own.
arm() {
    lists=$lab/arm-lists
    set -- -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::Lists="$lists" \
        -o Dir::State::status=/dev/null -o Dir::Cache="$lists/cache" -o APT::Sandbox::User=
    mkdir -p "$lists/partial" "$lists/cache/archives/partial"
    release=$(sed 's/linux-image-//; s/-amd64//' "$lab/hardware/made")
    [ "$(cat "$lab/arm/made" 2>/dev/null)" != "linux-image-$release-cloud-arm64" ] || return 0
    apt-get "$@" update -qq -o Acquire::Retries=3 2>/dev/null || fail "apt-get knows no packages for arm64"
    kernel linux-image-cloud-arm64 arm 22 "$@"
    rm -rf "$lists"
}

case ${1:-all} in
    energy) energy ;;
    arm) arm ;;
    all)
        kernel linux-image-cloud-amd64 kernel 27
        kernel linux-image-amd64 hardware 71
        "$0" energy || say "no module that counts energy: its tests are skipped"
        command -v qemu-system-aarch64 >/dev/null 2>&1 || exit 0
        "$0" arm || say "no kernel for an ARM guest: its tests are skipped" ;;
esac

# Sourced by the other scripts: where the checkout is, messages, packages, whose files these are.
checkout=$(cd "$(dirname "$0")/.." && pwd)
cd "$checkout"

say() {
    echo "== $*" >&2
}

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# The package manager of this machine: apt-get, dnf, or nothing.
packager() {
    for manager in apt-get dnf; do
        if command -v "$manager" >/dev/null 2>&1; then
            echo "$manager"
            return
        fi
    done
}

# install_packages NAME...: as root, with the machine's own package manager.
install_packages() {
    say "installing $*"
    case $(packager) in
        apt-get)
            apt-get update -qq >&2
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2 ;;
        dnf) dnf install -y "$@" >&2 ;;
        *) fail "neither apt-get nor dnf here; install by other means: $*" ;;
    esac
}

# install_stopped PACKAGE...: those that are not here yet. Services that they bring start neither now nor at the next
# boot.
install_stopped() {
    missing=
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
        [ "$status" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    policy=/usr/sbin/policy-rc.d        # what packages of Debian ask before they start a service
    if [ ! -e "$policy" ]; then
        policy_made=$policy
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod 755 "$policy"
    fi
    install_packages $missing
    remove_policy
    if command -v systemctl >/dev/null 2>&1; then
        dpkg -L $missing | sed -n 's#^/etc/init\.d/##p; s#.*/systemd/system/\([^/@]*\.service\)$#\1#p' |
            xargs -r systemctl --quiet disable >&2 || true
    fi
}

remove_policy() {
    [ -z "${policy_made:-}" ] || rm -f "$policy_made"
    policy_made=
}

# Under sudo what is made here shall belong to who called sudo. `begin` notes the time and `give_back`,
# run however the script ends, hands over every file of root that changed since.
begin() {
    mkdir -p .cache
    : > .cache/started
    trap 'give_back' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

give_back() {
    remove_policy
    if [ -n "${scratch:-}" ]; then
        rm -rf "$scratch"
    fi
    if [ -n "${SUDO_UID:-}" ] && [ "$(id -u)" = 0 ]; then
        chown "$SUDO_UID:$SUDO_GID" .cache .cache/started
        find . -xdev -path ./.git -prune -o -uid 0 -cnewer .cache/started -exec chown -h "$SUDO_UID:$SUDO_GID" {} +
    fi
}

# Sourced by the scripts beside this folder: brings what they need from Debian's packages.
#
# Debian starts the services of what it installs. Here that would occupy ports and leave processes behind, so the
# usual hook against it, policy-rc.d, is in place while packages are installed.

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Installs Debian packages without starting any service.
install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "Please install by hand: $* (this is no Debian, and they are missing)" >&2
        return 1
    fi
    local hook=/usr/sbin/policy-rc.d made_hook=no status=0
    if [ ! -e "$hook" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$hook" >/dev/null
        as_root chmod 755 "$hook"
        made_hook=yes
    fi
    echo "Installing from Debian: $*"
    {
        as_root apt-get update -qq &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    } >/tmp/sentineld-packages.$$ 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        tail -n 20 /tmp/sentineld-packages.$$ >&2
    fi
    rm -f /tmp/sentineld-packages.$$
    if [ "$made_hook" = yes ]; then
        as_root rm -f "$hook"
    fi
    return "$status"
}

# Makes sure of redis-server and redis-cli, of redis-sentinel if called with `with-sentinel`, of a linker, and of
# the small tools of util-linux; installs only what is missing.
need_redis() {
    local missing=()
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v redis-cli >/dev/null || missing+=(redis-tools)
    if [ "${1:-}" = with-sentinel ]; then
        command -v redis-sentinel >/dev/null || missing+=(redis-sentinel)
        # One test watches system calls with it, and says so when it cannot.
        command -v strace >/dev/null || install_packages strace || true
    fi
    command -v setpriv >/dev/null || missing+=(util-linux)
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v openssl >/dev/null || missing+=(openssl)
    if [ "${#missing[@]}" -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
    if ! command -v cargo >/dev/null; then
        [ ! -r "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
    fi
    if ! command -v cargo >/dev/null; then
        echo "A Rust toolchain is needed: cargo is not in PATH" >&2
        return 1
    fi
}

# Makes sure of what only tests use: the languages and tools of real clients, of monitoring, and of Debian's services.
# What is there already is taken as it is, wherever it comes from.
need_test_tools() {
    local missing=()
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' 2>/dev/null; then
        missing+=(nodejs npm)
    elif ! command -v npm >/dev/null; then
        missing+=(npm)
    fi
    command -v prometheus-redis-exporter >/dev/null || missing+=(prometheus-redis-exporter)
    command -v systemd-analyze >/dev/null || missing+=(systemd)
    command -v logrotate >/dev/null || missing+=(logrotate)
    command -v ip >/dev/null || missing+=(iproute2)
    command -v ps >/dev/null || missing+=(procps)
    command -v script >/dev/null || missing+=(bsdutils)
    [ -e /lib/lsb/init-functions ] || missing+=(lsb-base)
    if [ "${#missing[@]}" -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
}

# Brings what the chaos suite makes networks and disks of. Without it, that suite says so, and does what it can on loopback.
need_chaos_tools() {
    local missing=()
    command -v ip >/dev/null || missing+=(iproute2)
    command -v iptables >/dev/null || missing+=(iptables)
    command -v mkfs.ext2 >/dev/null || missing+=(e2fsprogs)
    if [ "${#missing[@]}" -gt 0 ]; then
        install_packages "${missing[@]}" || true
    fi
}

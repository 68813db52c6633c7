# shellcheck shell=bash
# cmake/setup.sh: the packages and the build, shared by run, test and .ci/run, which source it.
# Sets: root (the checkout), build (where builds go), jobs. Exit status 4: this machine lacks something.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 1)
export DEBIAN_FRONTEND=noninteractive

build_packages=(build-essential cmake ninja-build "pkgconf|pkg-config" libuv1-dev libc-ares-dev libssl-dev
    libyaml-dev "libcurl4-openssl-dev|libcurl4-gnutls-dev" libmicrohttpd-dev libjansson-dev
    libmaxminddb-dev)
test_packages=(libcmocka-dev python3 ca-certificates)
# Other people's tools that some tests ask for a second opinion; those tests skip without them.
witness_packages=(bind9-dnsutils bind9-utils knot-dnsutils knot-dnssecutils python3-dnspython
    nsd knot unbound iproute2 faketime mmdb-bin
    gdnsd knot-module-geoip pdns-server pdns-backend-geoip pdns-backend-bind)
# Of these packages, with the unit where its name is another; tests start the programs themselves.
witness_services=(nsd knot unbound gdnsd pdns-server:pdns)
ci_packages=(clang clang-format clang-tidy cppcheck gcovr valgrind)

# A checkout that belongs to somebody else (root built it, or it is read-only) is built in the user's cache.
build=$root/build
setup_build_dir() {
    if { [ -d "$build" ] || mkdir "$build" 2>/dev/null; } && [ -w "$build" ] &&
        { [ ! -e "$build/CMakeCache.txt" ] || [ -w "$build/CMakeCache.txt" ]; }; then
        return 0
    fi
    local cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/waypost
    build=$cache/build-$(printf %s "$root" | cksum | cut -d' ' -f1)
    mkdir -p "$build" || exit 4
    say "build" "in $build ($root/build is not writable)"
}

say() { printf '  %-10s %s\n' "$1" "$2"; }

# fail_with_log LOG TEXT: the end of a log, for the reader who has nothing else.
fail_with_log() {
    tail -n 40 "$1" >&2
    printf 'waypost: %s; all of it is in %s\n' "$2" "$1" >&2
}

# seconds_since START: START and the result in seconds with one decimal.
seconds_since() {
    local ms=$(( (${EPOCHREALTIME/[.,]/} - ${1/[.,]/}) / 100000 ))
    printf '%d.%d' $((ms / 10)) $((ms % 10))
}

# missing_packages NAME...: those that dpkg does not list as installed, on one line. NAME may be "a|b": either will
# do, and a is what gets installed.
missing_packages() {
    command -v dpkg-query >/dev/null || return 0 # not a Debian: CMake says what it does not find
    local name
    for name in "$@"; do
        # shellcheck disable=SC2086 # the alternatives are words
        case " $(dpkg-query -W -f='${db:Status-Status} ' ${name//|/ } 2>/dev/null)" in
        *' installed '*) ;;
        *) printf '%s ' "${name%%|*}" ;;
        esac
    done
}

# can_be_root: by being root, by sudo without a password, or by a sudo that can ask for one (it asks on the terminal).
can_be_root() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }
}

# as_root COMMAND...: only after can_be_root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@" </dev/null
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
    fi
}

apt_get() {
    as_root apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -y -q "$@"
}

# install_quietly NAME: like apt_get install, but a server that comes with it is started neither now (that is what a
# policy-rc.d that says 101 means to Debian's packages) nor at the next boot. A subshell, for its trap.
install_quietly() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy" || exit 1
    fi
    apt_get install --no-install-recommends "$1" || exit 1
    for unit in "${witness_services[@]}"; do
        [ "${unit%%:*}" != "$1" ] || ! command -v systemctl >/dev/null || as_root systemctl disable "${unit#*:}"
    done
    exit 0
)

apt_updated=
apt_update_once() {
    [ -z "$apt_updated" ] || return 0
    apt_updated=yes
    apt_get update >>"$build/packages.log" 2>&1 # stale lists are judged by the install that follows
    return 0
}

# need_packages NAME...: all installed on return; otherwise the one line that would do it, and status 4.
need_packages() {
    local missing line
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    line="apt-get update && apt-get install -y --no-install-recommends ${missing% }"
    if ! can_be_root; then
        printf 'waypost: packages are missing; as root:\n%s\n' "$line" >&2
        exit 4
    fi
    say "packages" "installing ${missing% }"
    apt_update_once
    # shellcheck disable=SC2086 # a list of words
    if ! apt_get install --no-install-recommends $missing >>"$build/packages.log" 2>&1; then
        fail_with_log "$build/packages.log" "packages could not be installed"
        printf '%s\n' "$line" >&2
        exit 4
    fi
}

# want_packages NAME...: installed one by one where that is possible; only said where it is not.
want_packages() {
    local missing name absent=
    missing=$(missing_packages "$@")
    for name in $missing; do
        if can_be_root && apt_update_once && install_quietly "$name" >>"$build/packages.log" 2>&1; then
            continue
        fi
        absent="$absent $name"
    done
    [ -z "$absent" ] || say "packages" "doing without$absent (what needs them is skipped)"
}

# configure PRESET DIRECTORY: also after the checkout was moved or the compiler replaced. configure_options is added.
configure_options=()
configure() {
    (cd "$root" &&
        { cmake --preset "$1" -B "$2" "${configure_options[@]}" ||
            cmake --fresh --preset "$1" -B "$2" "${configure_options[@]}"; })
}

# build_preset PRESET DIRECTORY LOG TARGET...: quiet; returns 1 with the end of the log when it fails.
build_preset() {
    local preset=$1 directory=$2 log=$3 start=$EPOCHREALTIME
    shift 3
    mkdir -p "$directory"
    [ ! -t 1 ] || printf '  %-10s %s, %s jobs ...\r' build "$preset" "$jobs"
    if ! { configure "$preset" "$directory" &&
        cmake --build "$directory" -j "$jobs" --target "$@"; } >"$log" 2>&1; then
        fail_with_log "$log" "the $preset build failed"
        return 1
    fi
    say "build" "$(printf 'ok          %-36s %6s s' "$preset, $jobs jobs" "$(seconds_since "$start")")"
}

#!/usr/bin/env bash
# The wall clock jumps (libfaketime moves it, and nothing else): TTLs follow it where resolver.cache.wall-clock says so,
# and never grow; without the option, and for timers, it is of no concern. Skipped without libfaketime and dig.
set -u
fail() { echo "clock: $*" >&2; [ ! -f "$dir/resolver.log" ] || cat "$dir/resolver.log" >&2; exit 1; }
dir=$(mktemp -d)
pids=()
trap '[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
for library in /usr/lib/*/faketime/libfaketime.so.1; do :; done
[ -e "$library" ] || { echo "libfaketime (package faketime) is not installed: skipped"; exit 77; }

# The sanitizer's runtime has to come first, when the executable uses one that is shared.
runtime=$(ldd "$WAYPOST" | sed -n 's/.*=> \(.*lib[at]san[^ ]*\) .*/\1/p')
faked() { # faked COMMAND...: its wall clock is moved by what the file says, in seconds
    exec env LD_PRELOAD="${runtime:+$runtime }$library" FAKETIME_TIMESTAMP_FILE="$dir/offset" \
        FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 "$@"
}
move() { echo "$1" >"$dir/offset.new" && mv "$dir/offset.new" "$dir/offset"; }
move +864000
LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$dir/offset timeout 20 date +%s >"$dir/out" 2>&1
[ "$(cat "$dir/out")" -gt $(($(date +%s) + 800000)) ] || { echo "libfaketime does not move the clock: skipped"; exit 77; }
# Some sanitizers' runtimes and libfaketime wait for each other in their constructors: it is tried first.
(faked "$WAYPOST" version) >"$dir/out" 2>&1 & probe=$!
for _ in $(seq 100); do kill -0 $probe 2>/dev/null || break; sleep 0.1; done
kill -KILL $probe 2>/dev/null
wait $probe 2>/dev/null || { cat "$dir/out" && echo "this build does not run under libfaketime: skipped"; exit 77; }

# start LOG COMMAND...: waits for it, and sets $port to where it listens.
start() {
    local log=$1 pid; shift
    : >"$log"
    "$@" >"$log" 2>&1 & pid=$!
    pids+=("$pid")
    for _ in $(seq 600); do
        grep -q 'server: ready' "$log" && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.1
    done
    grep -q 'server: ready' "$log" || { cat "$log" >&2; fail "no start: $*"; }
    port=$(sed -n 's/^listening *127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$log")
}
cat >"$dir/zone" <<'Z'
$TTL 300
@ SOA ns h 1 1 1 1 60
@ NS ns
ns A 127.0.0.1
www A 192.0.2.1
Z
cat >"$dir/authority.yaml" <<C
server: { control: "$dir/authority.control" }
listen: [ { address: 127.0.0.1, port: 0, role: authority } ]
zones: [ { name: clock.test, file: zone } ]
C
start "$dir/authority.log" "$WAYPOST" run -c "$dir/authority.yaml"
authority=$port

counter() { "$WAYPOST" stats -s "$dir/$1.control" | sed -n "s/^waypost_$2_total //p"; }
# Without those asked again because the authority had no processor for a while.
asked() { echo $(($(counter authority route_queries) - $(counter resolver resolver_timeouts))); }
ttl() { dig "@127.0.0.1" -p "$port" "$1" +noall +answer +authority +time=10 +tries=1 | awk '{ print $2; exit }'; }
since() { echo $((${EPOCHREALTIME%[.,]*} - began)); }

# expect TEXT NAME TTL UPSTREAM: the TTL is at most that, and less by no more than the real seconds since $began;
# UPSTREAM more questions went to the authority.
expect() {
    local before got after
    before=$(asked)
    got=$(ttl "$2")
    after=$(asked)
    [ -n "$got" ] || fail "$1: $2 is not answered"
    [ "$got" -le "$3" ] || fail "$1: TTL $got, at most $3 expected"
    [ "$got" -ge $(($3 - $(since) - 1)) ] || fail "$1: TTL $got, about $3 expected"
    [ $((after - before)) = "$4" ] || fail "$1: $((after - before)) questions went upstream, $4 expected"
}

# serve WALL: a resolver that forwards to the authority; its clock starts at +0.
serve() {
    cat >"$dir/resolver.yaml" <<C
server: { control: "$dir/resolver.control" }
listen: [ { address: 127.0.0.1, port: 0, role: resolver } ]
resolver:
  ask-loopback: yes
  priming: no
  special-zones: no
  cache: { wall-clock: $1 }
  forward: [ { zone: clock.test, to: "127.0.0.1:$authority" } ]
C
    move +0
    start "$dir/resolver.log" faked "$WAYPOST" run -c "$dir/resolver.yaml"
    began=${EPOCHREALTIME%[.,]*}
}
finish() {
    local uptime pid=${pids[-1]}
    uptime=$("$WAYPOST" status -s "$dir/resolver.control" --json |
        sed -n 's/.*"uptime_s": *\(-\{0,1\}[0-9]*\).*/\1/p')
    [ "${uptime:--1}" -ge 0 ] || fail "up for \"$uptime\" seconds"
    [ "$uptime" -le $(($(since) + 30)) ] || fail "up for $uptime seconds already"
    kill "$pid"; wait "$pid" || fail "the end was not status 0"
    unset 'pids[-1]'
}

serve yes
expect "first" www.clock.test 300 1
expect "again" www.clock.test 300 0
expect "no such name" no.clock.test 60 1
move +30
expect "no such name, 30 s later" no.clock.test 30 0
move +100
expect "100 s later" www.clock.test 200 0
expect "no such name, expired" no.clock.test 60 1
move +3700
expect "an hour later" www.clock.test 300 1
move +3690
expect "10 s back: never more than it was" www.clock.test 300 0
move -82700
expect "a day back: of no known age" www.clock.test 300 1
expect "a day back, again" www.clock.test 300 0
expect "a day back, no such name" no.clock.test 60 1
"$WAYPOST" cache show www.clock.test -s "$dir/resolver.control" | grep -q 'www.clock.test' || fail "cache show after the jump"
move -82300
expect "400 s after that" www.clock.test 300 1
move +3700
expect "forth again" www.clock.test 300 1
finish

serve no
expect "monotonic" www.clock.test 300 1
move +3600
expect "monotonic, an hour later" www.clock.test 300 0
move -86400
expect "monotonic, a day back" www.clock.test 300 0
expect "monotonic, a day back, another name" ns.clock.test 300 1
finish
exit 0

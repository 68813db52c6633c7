#!/usr/bin/env bash
# Thousands of zones (COUNT of them): how long a start takes, one that is broken, and a reload that changes two.
set -u
count=${COUNT:-2000}
fail() { echo "zones: $*" >&2; [ ! -f "$dir/log" ] || tail -n 20 "$dir/log" >&2; exit 1; }
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
python3 - "$dir" "$count" <<'P' || fail "the zones could not be written"
import os, sys
folder, count = sys.argv[1], int(sys.argv[2])
os.mkdir(folder + "/zones")
with open(folder + "/conf.yaml", "w") as conf:
    conf.write(f"server: {{ control: {folder}/control }}\n"
               "listen: [ { address: 127.0.0.1, port: 0, role: authority } ]\nzones:\n")
    for i in range(count):
        conf.write(f"  - {{ name: zone{i}.test, file: zones/{i}.zone }}\n")
        with open(f"{folder}/zones/{i}.zone", "w") as f:
            f.write(f"$TTL 300\n@ SOA ns1 h 1 3600 600 86400 60\n@ NS ns1\n@ NS ns2\n@ MX 10 mail\n"
                    f"ns1 A 192.0.2.1\nns2 AAAA 2001:db8::2\nmail A 192.0.2.25\n@ TXT \"zone {i}\"\n"
                    f"www A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n*.wild CNAME www\n")
P
address() { echo "10.$(($1 >> 16)).$(($1 >> 8 & 255)).$(($1 & 255))"; }
seconds() { # seconds START: since then, with three decimals
    local ms=$(((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}) / 1000))
    printf '%d.%03d' $((ms / 1000)) $((ms % 1000))
}
broken=$((count / 3)) changed=$((count / 2)) spoilt=$((count - 1))
echo 'bad A 192.0.2.300' >>"$dir/zones/$broken.zone"

start=$EPOCHREALTIME
: >"$dir/log"
"$WAYPOST" run -c "$dir/conf.yaml" >"$dir/log" 2>&1 & pid=$!
for _ in $(seq 1200); do
    grep -q 'server: ready' "$dir/log" && break
    kill -0 $pid 2>/dev/null || fail "it ended"
    sleep 0.05
done
grep -q 'server: ready' "$dir/log" || fail "not ready after a minute"
echo "$count zones: ready after $(seconds "$start") s, $(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$pid/status") MB at most"
grep -q "zones/$broken.zone:12:7: error: not an IPv4 address" "$dir/log" || fail "the broken zone is not named"
port=$(sed -n 's/^listening *127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$dir/log")

ask() { dig "@127.0.0.1" -p "$port" "$1" +norec +noall +answer +comments +time=10 +tries=2; }
expect() { # expect NUMBER ADDRESS
    ask "www.zone$1.test" | grep -q "IN[[:space:]]A[[:space:]]$2\$" || fail "www.zone$1.test is not $2"
}
for n in $(python3 -c "
import random
seed = random.randrange(1 << 32)
print('seed', seed, file=__import__('sys').stderr)
print(*random.Random(seed).sample(range($count), 50))"); do
    [ "$n" = $broken ] || expect "$n" "$(address "$n")"
done
ask "www.zone$broken.test" | grep -q 'status: SERVFAIL' || fail "the broken zone is not SERVFAIL"
ask "a.wild.zone$changed.test" | grep -q "IN[[:space:]]A[[:space:]]$(address $changed)\$" || fail "the wildcard"
ask "www.zone$count.test" | grep -q 'status: REFUSED' || fail "a zone that is not there is not REFUSED"

# Two zones change: the good one is taken, the bad one keeps its old version; the others do not notice.
sed -i 's/ SOA ns1 h 1 / SOA ns1 h 2 /; s/^www A .*/www A 192.0.2.200/' "$dir/zones/$changed.zone"
sed -i 's/ SOA ns1 h 1 / SOA ns1 h 2 /; s/^www A .*/www A 192.0.2/' "$dir/zones/$spoilt.zone"
start=$EPOCHREALTIME
"$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1
code=$?
echo "$count zones: reloaded after $(seconds "$start") s"
[ $code = 3 ] || { cat "$dir/out"; fail "reload: exit $code, expected 3"; }
grep -q "zones/$spoilt.zone:10:7: error: not an IPv4 address" "$dir/out" || { cat "$dir/out"; fail "the spoilt zone is not named"; }
expect $changed 192.0.2.200
expect $spoilt "$(address $spoilt)"
expect 0 "$(address 0)"
ask "www.zone$broken.test" | grep -q 'status: SERVFAIL' || fail "the broken zone after the reload"
dig "@127.0.0.1" -p "$port" "zone$spoilt.test" SOA +norec +short +time=10 | grep -q ' 1 3600 ' || fail "the spoilt zone's serial"
dig "@127.0.0.1" -p "$port" "zone$changed.test" SOA +norec +short +time=10 | grep -q ' 2 3600 ' || fail "the changed zone's serial"

# Mended, all of them.
sed -i 's/^www A .*/www A 192.0.2.201/' "$dir/zones/$spoilt.zone"
sed -i '/^bad /d' "$dir/zones/$broken.zone"
"$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1 || { cat "$dir/out"; fail "reload of what was mended"; }
expect $spoilt 192.0.2.201
expect $broken "$(address $broken)"

# Reloads give back what they replaced. A sanitizer keeps freed memory on purpose, so only in other builds.
resident() { awk '/VmRSS/ { print $2 }' "/proc/$pid/status"; }
if ! grep -q -e __asan_init -e __tsan_init "$WAYPOST"; then
    first=$(resident)
    for _ in 1 2 3 4 5 6 7 8; do
        "$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1 || { cat "$dir/out"; fail "one of many reloads"; }
    done
    for _ in $(seq 600); do # it is given back at idle priority
        [ "$(resident)" -gt $((first * 3 / 2)) ] || break
        sleep 0.1
    done
    [ "$(resident)" -le $((first * 3 / 2)) ] || fail "eight reloads: from $first to $(resident) KB"
    echo "$count zones: $((first / 1024)) MB, after eight reloads $(($(resident) / 1024)) MB"
fi
kill $pid; wait $pid || fail "the end was not status 0"
pid=
exit 0

#!/usr/bin/env bash
# Our answers from signed zones, validated by a client that others wrote (delv); skipped without it.
set -u
source_dir=$(cd "${WAYPOST_SOURCE_DIR:-.}" && pwd)
fail() { echo "validated: $*" >&2; exit 1; }
command -v delv >/dev/null || { echo "delv is not installed: skipped"; exit 77; }
out=$(mktemp -d)
pid=
trap '[ -n "$pid" ] && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$out"' EXIT
port=$(python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
{
    echo "listen: [ { address: 127.0.0.1, port: $port, role: authority } ]"
    echo "zones:"
    for zone in nsec nsec3 optout; do
        echo "  - { name: $zone.test, file: $source_dir/tests/data/$zone.test.zone }"
    done
} >"$out/conf.yaml"
"$WAYPOST" run -c "$out/conf.yaml" >"$out/log" 2>&1 &
pid=$!
ask() { # ask ZONE NAME TYPE
    delv @127.0.0.1 -p "$port" -a "$out/$1.anchor" "+root=$1.test" "$2.$1.test" "$3" 2>&1
}
for zone in nsec nsec3 optout; do
    key=$(sed -n "s/^$zone.test. [0-9]* IN DNSKEY 257 3 13 //p" "$source_dir/tests/data/$zone.test.zone" | tr -d ' ')
    echo "trust-anchors { \"$zone.test.\" static-key 257 3 13 \"$key\"; };" >"$out/$zone.anchor"
done
for _ in $(seq 100); do
    ask nsec www A | grep -q '192.0.2.80' && break
    sleep 0.1
done
count=0
while read -r name type expected; do
    for zone in nsec nsec3 optout; do
        got=$(ask $zone "$name" "$type")
        # A wildcard's answer below an opt-out span is insecure (RFC 5155 9.2): the closer name could be a delegation.
        [ "$zone $expected ${name%%.*}" = "optout ; fully validated a" ] && want="; unsigned answer" || want=$expected
        grep -qF -- "$want" <<<"$got" || { echo "$got"; cat "$out/log"; fail "$name.$zone.test $type: no \"$want\""; }
        count=$((count + 1))
    done
done <<'ROWS'
www A ; fully validated
www MX ; negative response, fully validated
no A ; negative response, fully validated
a.b.no A ; negative response, fully validated
x.www A ; negative response, fully validated
ent A ; negative response, fully validated
x.ent A ; negative response, fully validated
a.wild TXT ; fully validated
a.b.wild TXT ; fully validated
a.wild A ; negative response, fully validated
x.sub.wild TXT ; negative response, fully validated
alias A ; fully validated
a.walias A ; fully validated
safe DS ; fully validated
ROWS
# No DS at a delegation: proven with NSEC and NSEC3; with opt-out it is not even said to exist.
for zone in nsec nsec3; do
    ask $zone child DS | grep -qF '; negative response, fully validated' || fail "child.$zone.test DS"
done
ask optout child DS | grep -qE '; negative response, (fully validated|unsigned answer)' || fail "child.optout.test DS"
echo "$count answers validated"

#!/usr/bin/env bash
# Our answers from signed zones, validated by a client that others wrote (delv): from the authority, and through our
# resolver, which passes on what it does not check, from the network and from its record cache; skipped without delv.
set -u
source_dir=$(cd "${WAYPOST_SOURCE_DIR:-.}" && pwd)
fail() { echo "validated: $*" >&2; exit 1; }
command -v delv >/dev/null || { echo "delv is not installed: skipped"; exit 77; }
out=$(mktemp -d)
pid=
trap '[ -n "$pid" ] && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$out"' EXIT
port=$(python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$out/root.zone" <<'ZONE'
$TTL 300
@ SOA a.root. h. 1 1 1 1 60
@ NS a.root.
a.root. A 127.77.0.1
nsec.test. NS ns.nsec.test.
ns.nsec.test. A 127.77.0.2
nsec3.test. NS ns.nsec3.test.
ns.nsec3.test. A 127.77.0.2
optout.test. NS ns.optout.test.
ns.optout.test. A 127.77.0.2
ZONE
printf '. 300 IN NS a.root.\na.root. 300 IN A 127.77.0.1\n' >"$out/hints"
{
    echo "server: { control: none }"
    echo "listen:"
    echo "  - { name: root, address: 127.77.0.1, port: $port, role: authority }"
    echo "  - { name: zones, address: 127.77.0.2, port: $port, role: authority }"
    echo "  - { address: 127.77.0.3, port: $port, role: resolver }"
    echo "resolver: { root-hints: hints, upstream-port: $port, ask-loopback: yes, special-zones: no }"
    echo "zones:"
    echo "  - { name: ., file: root.zone, on: [root] }"
    for zone in nsec nsec3 optout; do
        echo "  - { name: $zone.test, file: $source_dir/tests/data/$zone.test.zone, on: [zones] }"
    done
} >"$out/conf.yaml"
"$WAYPOST" run -c "$out/conf.yaml" >"$out/log" 2>&1 &
pid=$!
ask() { # ask SERVER ZONE NAME TYPE
    delv "@$1" -p "$port" -a "$out/$2.anchor" "+root=$2.test" "$3.$2.test" "$4" 2>&1
}
for zone in nsec nsec3 optout; do
    key=$(sed -n "s/^$zone.test. [0-9]* IN DNSKEY 257 3 13 //p" "$source_dir/tests/data/$zone.test.zone" | tr -d ' ')
    echo "trust-anchors { \"$zone.test.\" static-key 257 3 13 \"$key\"; };" >"$out/$zone.anchor"
done
for _ in $(seq 100); do
    ask 127.77.0.2 nsec www A | grep -q '192.0.2.80' && break
    sleep 0.1
done
count=0
check() { # check SERVER ZONE NAME TYPE EXPECTED
    local got
    got=$(ask "$1" "$2" "$3" "$4")
    grep -qF -- "$5" <<<"$got" || { echo "$got"; cat "$out/log"; fail "$3.$2.test $4 at $1: no \"$5\""; }
    count=$((count + 1))
}
while read -r name type expected; do
    for zone in nsec nsec3 optout; do
        # A wildcard's answer below an opt-out span is insecure (RFC 5155 9.2): the closer name could be a delegation.
        [ "$zone $expected ${name%%.*}" = "optout ; fully validated a" ] && want="; unsigned answer" || want=$expected
        check 127.77.0.2 $zone "$name" "$type" "$want"
        # Without DO first: then the record cache answers the one who validates.
        "$WAYPOST" query "@127.77.0.3:$port" "$name.$zone.test" "$type" >/dev/null 2>&1
        check 127.77.0.3 $zone "$name" "$type" "$want"
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
for server in 127.77.0.2 127.77.0.3; do
    for zone in nsec nsec3; do
        check $server $zone child DS '; negative response, fully validated'
    done
    ask $server optout child DS | grep -qE '; negative response, (fully validated|unsigned answer)' || fail "child.optout.test DS at $server"
done
echo "$count answers validated"

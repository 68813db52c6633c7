#!/usr/bin/env bash
# Our answers from signed zones, validated by a client that others wrote (delv); skipped without it. First those of the
# authority, then what resolvers say that forward to it: one is asked for the first time, the other has it all in its
# record cache, and nobody left to ask.
set -u
source_dir=$(cd "${WAYPOST_SOURCE_DIR:-.}" && pwd)
fail() { echo "validated: $*" >&2; exit 1; }
command -v delv >/dev/null || { echo "delv is not installed: skipped"; exit 77; }
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
out=$(mktemp -d)
pids=()
trap '[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$out"' EXIT
zones="nsec nsec3 optout"
read -r authority first cached < <(python3 tests/support/ports.py 3)
start() { # start PORT, with its configuration on the standard input
    { echo "server: { control: none }"; cat; } >"$out/$1.yaml"
    "$WAYPOST" run -c "$out/$1.yaml" >"$out/$1.log" 2>&1 &
    pids+=($!)
    for _ in $(seq 600); do grep -qs ready "$out/$1.log" && return; sleep 0.1; done
    cat "$out/$1.log"
    fail "does not start"
}
ask() { # ask PORT ZONE NAME TYPE
    delv @127.0.0.1 -p "$1" -a "$out/$2.anchor" "+root=$2.test" "$3.$2.test" "$4" 2>&1
}
start "$authority" <<END
listen: [ { address: 127.0.0.1, port: $authority, role: authority } ]
zones:
$(for zone in $zones; do echo "  - { name: $zone.test, file: $source_dir/tests/data/$zone.test.zone }"; done)
END
for port in "$first" "$cached"; do
    start "$port" <<END
listen: [ { address: 127.0.0.1, port: $port, role: resolver } ]
resolver:
  allow: [127.0.0.0/8]
  forward:
$(for zone in $zones; do echo "    - { zone: $zone.test, to: [ '127.0.0.1:$authority' ] }"; done)
END
done
for zone in $zones; do
    key=$(sed -n "s/^$zone.test. [0-9]* IN DNSKEY 257 3 13 //p" "$source_dir/tests/data/$zone.test.zone" | tr -d ' ')
    echo "trust-anchors { \"$zone.test.\" static-key 257 3 13 \"$key\"; };" >"$out/$zone.anchor"
done
cat >"$out/rows" <<'ROWS'
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
alias MX ; fully validated
a.walias A ; fully validated
a.walias MX ; fully validated
x.old A ; fully validated
safe DS ; fully validated
ROWS
count=0
all() { # all PORT
    while read -r name type expected; do
        for zone in $zones; do
            got=$(ask "$1" "$zone" "$name" "$type")
            want=$expected
            # A wildcard's answer below an opt-out span is insecure (RFC 5155 9.2): the closer name could be a
            # delegation.
            [ "$zone $expected ${name%%.*}" = "optout ; fully validated a" ] && want="; unsigned answer"
            grep -qF -- "$want" <<<"$got" || { echo "$got"; cat "$out/$1.log"; fail "$name.$zone.test $type: no \"$want\""; }
            count=$((count + 1))
        done
    done <"$out/rows"
    # No DS at a delegation: proven with NSEC and NSEC3; with opt-out it is not even said to exist.
    for zone in nsec nsec3; do
        ask "$1" $zone child DS | grep -qF '; negative response, fully validated' || fail "child.$zone.test DS"
    done
    ask "$1" optout child DS | grep -qE '; negative response, (fully validated|unsigned answer)' || fail "child.optout.test DS"
}
all "$authority"
all "$first"
# Without DO, so that the answers that delv gets are made anew from the record cache.
while read -r name type _; do
    for zone in $zones; do
        for kind in $type DS; do
            got=$(dig -p "$cached" @127.0.0.1 "$name.$zone.test" "$kind" +time=8 +tries=1)
            grep -qE 'status: (NOERROR|NXDOMAIN),' <<<"$got" || { echo "$got"; fail "$name.$zone.test $kind"; }
            grep -qE '[[:space:]](RRSIG|NSEC3?)[[:space:]]' <<<"$got" && { echo "$got"; fail "a proof nobody asked for"; }
        done
    done
done < <(cat "$out/rows"; echo child DS)
for zone in $zones; do dig -p "$cached" @127.0.0.1 "$zone.test" DNSKEY >/dev/null; done
kill "${pids[0]}"
wait "${pids[0]}"
unset 'pids[0]'
all "$cached"
echo "$count answers validated"

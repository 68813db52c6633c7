#!/usr/bin/env bash
# Every exhibit asked by clients that others wrote; skipped without them.
set -u
source_dir=${WAYPOST_SOURCE_DIR:-.}
fail() { echo "witness: $*" >&2; exit 1; }
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
out=$(mktemp -d)
"$WAYPOST" lab up --zones "$source_dir/zones/lab" >"$out/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null; rm -rf "$out"' EXIT
# The tour breaks and mends something in between, so it comes first.
for _ in $(seq 600); do grep -q claims "$out/log" && break; sleep 0.1; done
grep -q 'claims hold' "$out/log" || { cat "$out/log"; fail "the lab does not start"; }

count=0
while IFS=$'\x1f' read -r name type rcode answer server ede code from; do
    at=${server:-127.0.0.1}
    case $from in # a network is named, an address is asked from
    '') as=() ;;
    */*) as=("+subnet=$from") ;;
    *) as=(-b "$from") ;;
    esac
    dig -p 5300 "@$at" "$name" "$type" "${as[@]}" +time=8 +tries=1 >"$out/dig"
    got=$(sed -n 's/.*status: \([A-Z]*\),.*/\1/p' "$out/dig")
    [ "$got" = "$rcode" ] || fail "dig: $name $type: $got, expected $rcode"
    # An old dig shows the option without its name.
    [ -z "$ede" ] || grep -qE "EDE: $code .*\($ede|OPT=15: 00 0?$(printf %x "$code")" "$out/dig" ||
        { cat "$out/dig"; fail "dig: $name $type: not EDE $code $ede"; }
    if [ -n "$answer" ]; then
        dig -p 5300 "@$at" "$name" "$type" "${as[@]}" +short +time=8 | grep -qxE "$answer" || fail "dig: $name $type: no $answer"
    fi
    if command -v kdig >/dev/null; then
        kdig -p 5300 "@$at" "$name" "$type" "${as[@]}" +time=8 >"$out/kdig" 2>&1
        grep -q "status: $rcode;" "$out/kdig" || { cat "$out/kdig"; fail "kdig: $name $type: not $rcode"; }
        [ -z "$answer" ] || grep -qwE "$answer" "$out/kdig" || fail "kdig: $name $type: no $answer"
    fi
    count=$((count + 1))
done < <("$WAYPOST" lab list --json | python3 -c '
import json, sys
for e in json.load(sys.stdin):
    if "before" in e:
        continue
    e["answer"] = "|".join(a.replace(".", "[.]") for a in e["answers"])
    print("\x1f".join("" if e[k] is None else str(e[k]) for k in ("name", "type", "rcode", "answer", "server", "ede", "ede_code", "from")))')
[ "$count" -ge 45 ] || fail "only $count exhibits"
# Authority, without recursion: a referral and an authoritative answer; TCP; a question that is not ours.
dig -p 5300 @127.53.0.1 www.shop.test +norec | grep -q 'test\..*NS.*ns1.nic.test' || fail "no referral from the root"
dig -p 5300 @127.53.2.1 www.shop.test +norec | grep -q 'flags: qr aa;' || fail "no AA"
dig -p 5300 @127.53.2.1 www.shop.test +norec +tcp | grep -q 203.0.113.10 || fail "no answer over TCP"
dig -p 5300 @127.53.2.1 www.elsewhere.test +norec | grep -q REFUSED || fail "not refused"
dig -p 5300 @127.0.0.1 www.shop.test +cookie | grep -q 'COOKIE:.*(good)' || fail "no cookie"
dig -p 5300 @127.0.0.1 www.shop.test +ednsopt=8:000118000a | grep -q 'FORMERR' || fail "a malformed ECS option is not FORMERR"
dig -p 5300 @127.0.0.1 +opcode=status www.shop.test | grep -q NOTIMP || fail "not NOTIMP"
dig -p 5300 @127.0.0.1 +edns=1 +noednsneg www.shop.test | grep -q BADVERS || fail "not BADVERS"
dig -p 5300 @127.0.0.1 www.shop.test +nsid | grep -q 'NSID.*lab' || fail "no NSID"
if command -v named-checkzone >/dev/null; then
    for zone in shop.test alias.test big.test chain.test cdn.example atlas.geo steer.geo; do
        named-checkzone "$zone" "$source_dir/zones/lab/$zone.zone" >/dev/null || fail "named-checkzone $zone"
        "$WAYPOST" zone check "$zone" "$source_dir/zones/lab/$zone.zone" >/dev/null || fail "zone check $zone"
    done
fi
exit 0

#!/usr/bin/env bash
# Every exhibit asked by clients that others wrote; skipped without them.
set -u
source_dir=${WAYPOST_SOURCE_DIR:-.}
fail() { echo "witness: $*" >&2; exit 1; }
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
out=$(mktemp -d)
"$WAYPOST" run -c "$source_dir/zones/lab/lab.yaml" >"$out/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null; rm -rf "$out"' EXIT
for _ in $(seq 100); do grep -q ready "$out/log" && break; sleep 0.1; done

count=0
while IFS='|' read -r name type rcode answer; do
    got=$(dig -p 5300 @127.0.0.1 "$name" "$type" +time=8 +tries=1 | sed -n 's/.*status: \([A-Z]*\),.*/\1/p')
    [ "$got" = "$rcode" ] || fail "dig: $name $type: $got, expected $rcode"
    if [ "$answer" != - ]; then
        dig -p 5300 @127.0.0.1 "$name" "$type" +short +time=8 | grep -qxF "$answer" || fail "dig: $name $type: no $answer"
        if command -v kdig >/dev/null; then
            kdig -p 5300 @127.0.0.1 "$name" "$type" +short | grep -qxF "$answer" || fail "kdig: $name $type: no $answer"
        fi
    fi
    count=$((count + 1))
done < <("$WAYPOST" lab list --json | sed -n 's/.*"name":"\([^"]*\)","type":"\([^"]*\)","rcode":"\([^"]*\)","answer":\(null\|"[^"]*"\).*/\1|\2|\3|\4/p' | sed 's/|null$/|-/; s/|"\(.*\)"$/|\1/')
[ "$count" -ge 15 ] || fail "only $count exhibits"
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
    for zone in shop.test alias.test big.test chain.test cdn.example; do
        named-checkzone "$zone" "$source_dir/zones/lab/$zone.zone" >/dev/null || fail "named-checkzone $zone"
        "$WAYPOST" zone check "$zone" "$source_dir/zones/lab/$zone.zone" >/dev/null || fail "zone check $zone"
    done
fi
exit 0

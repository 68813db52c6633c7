#!/usr/bin/env bash
# A query with EDNS option 65100 is told why it gets this answer, where gslb.explain lets it know; policy tests that do
# not hold refuse a reload.
set -u
fail() { echo "inband: $*" >&2; [ ! -f "$dir/log" ] || tail -n 20 "$dir/log" >&2; exit 1; }
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT

printf '@ 300 SOA ns1 h 1 3600 600 86400 60\n@ 300 NS ns1\nns1 300 A 192.0.2.1\nplain 300 A 192.0.2.9\n' >"$dir/a.zone"
printf 'tests:\n  - { name: www.example.test, ecs: 10.1.0.0/16, site: b, scope: 16 }\n' >"$dir/tests.yaml"
configuration() { # configuration NETWORK SITE: of 10.1.0.0/16
    cat <<Z
server: { control: $dir/control, workers: 1 }
listen: [ { address: 127.0.0.1, port: 0, role: authority } ]
zones: [ { name: example.test, file: a.zone } ]
gslb:
  explain: [$1]
  tests: tests.yaml
  sites: { a: , b: }
  maps:
    nets:
      networks: { n: 10.1.0.0/16 }
      rules: [ { network: n, prefer: [$2] } ]
      otherwise: [a]
  pools: { pa: { site: a, members: { x: 192.0.2.10 } }, pb: { site: b, members: { x: 192.0.2.20 } } }
  names: { www.example.test: { map: nets, pools: [pa, pb], ttl: { normal: 30s, degraded: 30s } } }
Z
}
configuration 127.0.0.0/8 b >"$dir/conf.yaml"
: >"$dir/log"
"$WAYPOST" run -c "$dir/conf.yaml" >"$dir/log" 2>&1 & pid=$!
for _ in $(seq 600); do
    grep -q 'server: ready' "$dir/log" && break
    kill -0 $pid 2>/dev/null || fail "it ended"
    sleep 0.05
done
port=$(sed -n 's/^listening *127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$dir/log")
[ -n "$port" ] || fail "not listening"
ask() { dig "@127.0.0.1" -p "$port" +norec +time=10 +tries=2 "$@"; }

why='client subnet; map nets rule 1 -> b,a; pool pb 1/1; ttl 30; scope 16'
ask www.example.test A +subnet=10.1.2.0/24 +ednsopt=65100 >"$dir/out"
grep -qF "EDE: 0 (Other): ($why)" "$dir/out" || fail "no reason: $(cat "$dir/out")"
grep -q 'ANSWER: 1,' "$dir/out" || fail "no answer beside the reason"
ask www.example.test A +subnet=10.1.2.0/24 | grep -q 'EDE' && fail "told without being asked"
ask plain.example.test A +ednsopt=65100 | grep -q 'EDE' && fail "a static answer has no reason"

configuration 192.0.2.0/24 b >"$dir/conf.yaml"
"$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1 || fail "reload: $(cat "$dir/out")"
ask www.example.test A +subnet=10.1.2.0/24 +ednsopt=65100 | grep -q 'EDE' && fail "told, and may not know"

configuration 127.0.0.0/8 a >"$dir/conf.yaml"
"$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1 && fail "a reload against its policy tests went through"
grep -q 'want site b, got a' "$dir/out" "$dir/log" || fail "the failing row is not said: $(cat "$dir/out")"
[ "$(ask www.example.test A +short +subnet=10.1.2.0/24)" = 192.0.2.20 ] || fail "the old policy does not serve on"
"$WAYPOST" gslb simulate --config "$dir/conf.yaml" --base "$dir/conf.yaml" >"$dir/out" 2>&1 || fail "simulate: $(cat "$dir/out")"
echo "inband: all as expected"

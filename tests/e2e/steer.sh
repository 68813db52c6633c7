#!/usr/bin/env bash
# threads
# The server steers: by operator networks and by a database, with the scope that holds for all its clients; wildcards,
# CNAME pools, other types, weights; a reload that changes the policy, and one that is broken and changes nothing.
set -u
fail() { echo "steer: $*" >&2; [ ! -f "$dir/log" ] || tail -n 20 "$dir/log" >&2; exit 1; }
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT

cat >"$dir/a.zone" <<'Z'
$TTL 300
@ SOA ns1 h 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.1
static A 192.0.2.9
*.cdn TXT "the zone's own"
Z
cat >"$dir/places.csv" <<'Z'
network,continent,country,latitude,longitude
198.51.100.0/24,EU,DE,50.1,8.7
203.0.113.0/25,NA,US,39.0,-77.5
Z
"$WAYPOST" geo build "$dir/places.csv" -o "$dir/places.mmdb" >"$dir/out" 2>&1 || fail "geo build: $(cat "$dir/out")"

configuration() { # configuration SITES: of everyone else
    cat <<Z
server: { control: $dir/control, workers: 2 }
listen: [ { address: 127.0.0.1, port: 0, role: authority } ]
zones: [ { name: example.test, file: a.zone } ]
gslb:
  sites: { a: { at: [50, 8] }, b: { at: [38, -77] }, d: }
  maps:
    nets:
      networks: { a: [10.0.0.0/8], b: [10.1.0.0/16] }
      rules:
        - { network: a, prefer: [a] }
        - { network: b, prefer: [b] }
      otherwise: $1
    world: { database: places.mmdb, rules: [ { country: DE, prefer: [a], fence: yes } ], otherwise: nearest }
    deaf: { networks: { a: [10.0.0.0/8] }, rules: [ { network: a, prefer: [a] } ], otherwise: [d], client-subnet: ignore }
  pools:
    pa: { site: a, members: { x: 192.0.2.10 }, records: ['TXT "site a"'] }
    pb: { site: b, members: { x: 192.0.2.20 } }
    pd: { site: d, members: { x: [192.0.2.30, "2001:db8::30"] } }
    w: { choose: weighted, members: { x: { address: 192.0.2.41, weight: 3 }, y: 192.0.2.42 } }
    h: { choose: hash, members: { x: 192.0.2.41, y: 192.0.2.42, z: 192.0.2.43 } }
    near: { choose: { by: nearest, map: world }, members: { e: { address: 192.0.2.51, at: [48, 2] }, w: { address: 192.0.2.52, at: [40, -74] } } }
    c: { members: { t: { cname: static.example.test } } }
  names:
    www.example.test: { map: nets, pools: [pa, pb, pd] }
    "*.cdn.example.test": { map: nets, pools: [pa, pb, pd] }
    geo.example.test: { map: world, pools: [pa, pb] }
    deaf.example.test: { map: deaf, pools: [pa, pd] }
    weighted.example.test: { pool: w }
    hashed.example.test: { pool: h }
    near.example.test: { pool: near }
    alias.example.test: { pool: c }
Z
}
configuration "[d]" >"$dir/conf.yaml"
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
# steered NAME TYPE SUBNET DATA SCOPE: what is answered ("" NODATA) and for whom else.
steered() {
    local out data scope
    out=$(ask "$1" "$2" +subnet="$3")
    data=$(sed -n "s/^$1\.[[:space:]]*[0-9]*[[:space:]]*IN[[:space:]]*[A-Z]*[[:space:]]*//p" <<<"$out" | sort | paste -sd' ')
    scope=$(sed -n 's|^; CLIENT-SUBNET: .*/[0-9]*/||p' <<<"$out")
    [ "$data/$scope" = "$4/$5" ] || fail "$1 $2 for $3: \"$data\" for /$scope, expected \"$4\" for /$5
$out"
}
# 10.0.0.0/8 -> a, inside it 10.1.0.0/16 -> b, everyone else -> d: the narrowest scopes that are right.
steered www.example.test A 10.200.0.0/24 192.0.2.10 9
steered www.example.test A 10.1.2.0/24 192.0.2.20 16
steered www.example.test A 192.0.2.0/24 192.0.2.30 1
steered www.example.test A 0.0.0.0/0 192.0.2.30 0
steered www.example.test A 0 192.0.2.30 0
steered static.example.test A 10.200.0.0/24 192.0.2.9 0
steered www.example.test AAAA 10.200.0.0/24 "" 9
steered www.example.test AAAA 192.0.2.0/24 2001:db8::30 1
# Beside Teredo and 6to4 (2001::/32, 2002::/16), whose addresses stand for IPv4 ones.
steered www.example.test A 2001:db8::/48 192.0.2.30 21
steered www.example.test A 2600:db8::/48 192.0.2.30 6
steered www.example.test A 2002:a01:200::/48 192.0.2.20 32
# A source shorter than the leaf: the scope says that a longer one is needed.
steered www.example.test A 10.0.0.0/7 192.0.2.10 16
steered x.y.cdn.example.test A 10.1.2.0/24 192.0.2.20 16
steered x.cdn.example.test TXT 10.200.0.0/24 '"site a"' 9
steered www.example.test TXT 10.200.0.0/24 '"site a"' 9
steered www.example.test TXT 10.1.2.0/24 "" 16
steered deaf.example.test A 10.200.0.0/24 192.0.2.30 0
steered alias.example.test CNAME 10.200.0.0/24 static.example.test. 0
# By country, and by distance where no rule matches; members by distance.
steered geo.example.test A 198.51.100.0/24 192.0.2.10 24
steered geo.example.test A 203.0.113.0/24 192.0.2.20 25
steered near.example.test A 198.51.100.0/24 192.0.2.51 5
steered near.example.test A 203.0.113.0/24 192.0.2.52 25
# The client's network is the key of a hash: all of it gets the same, and the scope is its length.
first=$(ask hashed.example.test A +short +subnet=10.5.5.0/24)
steered hashed.example.test A 10.5.5.0/24 "$first" 24
steered hashed.example.test A 10.5.5.200/32 "$first" 24
ask nothing.example.test A | grep -q 'status: NXDOMAIN' || fail "a name that is not there"
ask cdn.example.test A | grep -q 'status: NOERROR' || fail "an empty non-terminal is there"

# Our own client sees the same.
"$WAYPOST" query "@127.0.0.1:$port" www.example.test A +short +norec >"$dir/out" 2>&1 || fail "waypost query: $(cat "$dir/out")"
grep -qx 192.0.2.30 "$dir/out" || fail "waypost query: $(cat "$dir/out")"

# 3:1 of 400 draws: 300 within 4.6 standard deviations.
yes weighted.example.test | head -n 400 >"$dir/names"
heavy=$(dig "@127.0.0.1" -p "$port" +norec +short +time=10 -f "$dir/names" | grep -c '^192\.0\.2\.41$')
[ "$heavy" -ge 260 ] && [ "$heavy" -le 340 ] || fail "3:1 gave $heavy of 400"

# A policy that changes, one that is broken, one whose database is spoilt.
configuration "[b, d]" >"$dir/conf.yaml"
"$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1 || fail "reload: $(cat "$dir/out")"
steered www.example.test A 192.0.2.0/24 192.0.2.20 1
steered www.example.test A 10.200.0.0/24 192.0.2.10 9
configuration "[b, c]" >"$dir/conf.yaml"
"$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1 && fail "a reload with an unknown site went through"
grep -q 'conf.yaml:[0-9]*:[0-9]*: error: there is no site "c"' "$dir/out" || fail "the unknown site: $(cat "$dir/out")"
steered www.example.test A 192.0.2.0/24 192.0.2.20 1
configuration "[d]" >"$dir/conf.yaml"
echo spoilt >"$dir/places.mmdb"
"$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1
[ $? = 3 ] || fail "reload with a spoilt database: $(cat "$dir/out")"
steered www.example.test A 192.0.2.0/24 192.0.2.30 1
steered geo.example.test A 198.51.100.0/24 192.0.2.10 24

kill $pid; wait $pid || fail "the end was not status 0"
pid=
exit 0

#!/usr/bin/env bash
# gslb explain, simulate, test and geo test, from a configuration file alone: no server runs.
set -u
fail() { echo "explain: $*" >&2; exit 1; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export NO_COLOR=1

cat >places.csv <<'C'
network,continent,country,city,latitude,longitude
127.20.0.0/16,NA,US,Ashburn,38.95,-77.45
127.10.0.0/16,EU,DE,Frankfurt,50.11,8.68
127.30.0.0/15,AS,SG,Singapore,1.36,103.99
C
sed 's/127\.30\.0\.0\/15,AS,SG,Singapore/127.30.0.0\/15,EU,FR,Paris/' places.csv >moved.csv
"$WAYPOST" geo build places.csv -o places.mmdb >/dev/null || fail "geo build"
"$WAYPOST" geo build moved.csv -o moved.mmdb >/dev/null || fail "geo build"
printf '@ 60 SOA ns.b. host 1 1 1 1 1\n@ 60 NS ns.b.\n' >geo.test.zone

cat >conf.yaml <<'C'
zones: [ { name: geo.test, file: geo.test.zone } ]
gslb:
  sites: { fra: { at: [50.11, 8.68] }, iad: { at: [38.95, -77.45] }, sin: { at: [1.36, 103.99] } }
  maps:
    world:
      database: places.mmdb
      rules:
        - { continent: EU, prefer: [fra, iad, sin] }
        - { continent: NA, prefer: [iad, fra, sin] }
        - { country: SG, prefer: [sin, iad, fra] }
      otherwise: [fra, iad, sin]
  pools:
    www-fra: { site: fra, choose: weighted, members: { a: { address: 127.80.1.1, weight: 3 }, b: 127.80.1.2 } }
    www-iad: { site: iad, choose: weighted, members: { a: { address: 127.80.2.1, weight: 3 }, b: 127.80.2.2 } }
    www-sin: { site: sin, choose: weighted, enough: 50.0%, members: { a: { address: 127.80.3.1, weight: 3 }, b: 127.80.3.2 } }
  names:
    www.geo.test: { map: world, pools: [www-fra, www-iad, www-sin], when-all-down: all }
    "*.cdn.geo.test": { pool: www-fra }
C

# expect CODE ARGUMENT...: the exit code of waypost; its output is in out and err.
expect() {
    local want=$1 got
    shift
    "$WAYPOST" "$@" >out 2>err
    got=$?
    [ $got = "$want" ] || { cat out err >&2; fail "$*: exit code $got instead of $want"; }
}
has() { grep -qF -- "$1" out || { cat out err >&2; fail "no \"$1\""; }; }

# ---- explain
expect 0 gslb explain www.geo.test --from 127.20.0.1 --config conf.yaml
has 'client     127.20.0.1 (source address; no client subnet)'
has 'location   Ashburn, US, NA   38.95,-77.45   waypost-City'
has 'map world  rule 2 "continent NA" → iad, fra, sin   network 127.20.0.0/16'
has 'pool www-iad (iad)   2 of 2 up: weight 4 of 4, needed 0.0 %   usable'
has '● a  127.80.2.1  up       weight 3  odds 75 %'
has 'ttl 30 (normal)'
has 'scope      /0   holds for 127.20.0.0/16   below: 127.16.0.0/14 → fra, iad, sin   above: 127.21.0.0/16 → fra, iad, sin'
has 'if iad fails: fra    if iad and fra fail: sin    if all fail: all'
expect 0 gslb explain www.geo.test A --from 127.30.0.0/24 --ecs --config conf.yaml --json
python3 - out <<'P' || fail "the document"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["client"]["from"] == "subnet" and d["client"]["place"]["country"] == "SG", d["client"]
assert d["answer"]["scope"] == 15 and d["answer"]["network"] == "127.30.0.0/15", d["answer"]
assert [s["site"] for s in d["map"]["sites"]] == ["sin", "iad", "fra"], d["map"]
assert abs(sum(m["odds"] for m in d["pools"][0]["members"]) - 1) < 1e-6, d["pools"]
assert [s["step"] for s in d["steps"]] == ["client", "map", "sites", "pool", "pick", "ttl", "answer"], d["steps"]
P
expect 0 gslb explain deep.er.cdn.geo.test --from 127.20.0.1 --config conf.yaml
expect 1 gslb explain other.test --from 127.20.0.1 --config conf.yaml
expect 0 gslb explain www.geo.test AAAA --from 127.20.0.1 --config conf.yaml
has "answer     the zone's own records"
expect 2 gslb explain www.geo.test --from 127.20.0.0/24 --config conf.yaml
expect 2 gslb explain www.geo.test --config conf.yaml
expect 4 gslb explain www.geo.test --from 127.20.0.1 --config absent.yaml

# ---- simulate: 2 of the 4 known /16 are Singapore's, one each the others'
expect 1 gslb simulate --down fra --base conf.yaml --name www.geo.test
has 'www.geo.test. A   changes:  IPv4 25.00 %'
grep -qE '^ +fra +25\.00 → +0\.00 %$' out || { cat out >&2; fail "fra's share"; }
grep -qE '^ +iad +25\.00 → +50\.00 %$' out || { cat out >&2; fail "iad's share"; }
expect 1 gslb simulate --down www-sin/a --base conf.yaml --name www.geo.test --json
python3 - out <<'P' || fail "less than enough is left at sin: iad takes all of it"
import json, sys
n = json.load(open(sys.argv[1]))["names"][0]
sites = {s["what"]: (s["before"]["ipv4"], s["after"]["ipv4"]) for s in n["sites"]}
assert sites == {"fra": (.25, .25), "iad": (.25, .75), "sin": (.5, 0)} and n["changed"]["ipv4"] == .5, n
P
expect 1 gslb simulate --weight www-iad/a=1 --base conf.yaml
has 'www.geo.test. A   changes:  IPv4 6.25 %'
has '1 of 2 names change'
expect 1 gslb simulate --geo world=moved.mmdb --base conf.yaml --name www.geo.test
has 'www.geo.test. A   changes:  IPv4 50.00 %'
sed 's/prefer: \[iad, fra, sin\]/prefer: [sin]/' conf.yaml >other.yaml
expect 1 gslb simulate --config other.yaml --base conf.yaml --name www.geo.test
has 'www.geo.test. A   changes:  IPv4 25.00 %'
expect 0 gslb simulate --base conf.yaml
has '0 of 2 names change'
expect 2 gslb simulate --down nowhere --base conf.yaml
expect 2 gslb simulate --weight www-iad/a --base conf.yaml
expect 2 gslb simulate --geo nowhere=moved.mmdb --base conf.yaml
expect 1 gslb simulate --down fra --name other.test --base conf.yaml

# ---- policy tests, by themselves and as a gate
cat >tests.yaml <<'C'
tests:
  - { name: www.geo.test, from: 127.20.0.1, site: iad, share: { a: 75%, b: 25% }, ttl: 30 }
  - { name: www.geo.test, ecs: 127.30.5.0/24, site: sin, scope: 15 }
  - { name: www.geo.test, from: 127.30.0.1, down: www-sin/a, site: iad }
C
expect 0 gslb test tests.yaml --config conf.yaml
has 'tests.yaml: 3 rows, 0 fail'
printf '  - { name: www.geo.test, from: 127.10.0.1, site: sin }\n' >>tests.yaml
expect 1 gslb test tests.yaml --config conf.yaml
has 'tests.yaml: 4 rows, 1 fail'
grep -q 'tests.yaml:5:51: error: www.geo.test. want site sin, got fra' err || { cat err >&2; fail "the failing row"; }
expect 1 gslb test tests.yaml --config conf.yaml --json
has '"failed": 1'
expect 0 check conf.yaml
printf '  tests: [tests.yaml]\n' >>conf.yaml
expect 3 check conf.yaml
grep -q 'policy tests: 1 of 4 rows fail' err || { cat err >&2; fail "the gate"; }
expect 4 gslb test absent.yaml --config conf.yaml

# ---- geo test
expect 0 geo test world 127.20.0.1 --config conf.yaml 192.0.2.1
has '127.20.0.1  127.20.0.0/16  rule 2 "continent NA" → iad, fra, sin  scope /16'
has '192.0.2.1  128.0.0.0/1  rule 4 "any" → fra, iad, sin  scope /1'
expect 2 geo test nowhere 127.20.0.1 --config conf.yaml
expect 2 geo test world --config conf.yaml
expect 2 gslb
[ "$("$WAYPOST" completion bash | grep -c 'explain simulate test')" = 1 ] || fail "completion"
echo "explain: all as expected"

#!/usr/bin/env bash
# threads
# A server is ended at any moment of a reload that brings a new member, other lists of networks and a larger zone: while they
# are read, while the member's first probe is waited for, and behind it. It ends with status 0 each time.
set -u
fail() { echo "ends: $*" >&2; tail -n 40 "$dir/log" >&2; exit 1; }
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
files() { # files NUMBER
    printf '$TTL 300\n@ SOA ns1 h %s 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\n$GENERATE 1-%s n$ A 192.0.2.9\n' "$1" $(($1 * 2000)) >"$dir/a.zone"
    echo "10.$1.0.0/16" >"$dir/nets.txt"
    cat >"$dir/conf.yaml" <<Z
server: { control: $dir/control, workers: 2 }
listen: [ { address: 127.0.0.1, port: 0, role: authority } ]
zones: [ { name: example.test, file: a.zone } ]
gslb:
  warm-up: 300ms
  checks: { c: { type: tcp, port: 9, every: 5s, timeout: 4s } }
  sites: { a: , b: }
  maps: { world: { networks: { n: { file: nets.txt } }, rules: [ { network: n, prefer: [b] } ], otherwise: [a] } }
  pools: { pa: { check: c, site: a, members: { x: 192.0.2.$1 } }, pb: { site: b, members: { x: 192.0.2.20 } } }
  names: { geo.example.test: { map: world, pools: [pa, pb] } }
Z
}
for i in $(seq 16); do
    files 10
    "$WAYPOST" run -c "$dir/conf.yaml" >"$dir/log" 2>&1 & pid=$!
    for _ in $(seq 600); do
        grep -q 'server: ready' "$dir/log" && break
        kill -0 $pid 2>/dev/null || fail "it ended"
        sleep 0.05
    done
    files $((10 + i))
    kill -HUP $pid
    sleep "0.$(printf %03d $((i * 20 - 20)))"
    kill $pid
    wait $pid || fail "ended $((i * 20 - 20)) ms behind a reload: status $?"
    pid=
done

#!/usr/bin/env bash
# An alias at the apex and members given by host name, followed by servers and by our own resolver: a second server of ours is
# where they lie. What changes there arrives, a dead address is noticed, what was fetched stays while the other side is gone.
# threads
set -u
fail() { echo "alias: $*" >&2; [ ! -f "$dir/log" ] || cat "$dir/log" >&2; exit 1; }
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT

# serve NAME: waypost with $dir/NAME.yaml; sets port, last.
serve() {
    : >"$dir/log" # what the last one said is not this one's
    "$WAYPOST" run -c "$dir/$1.yaml" >"$dir/log" 2>&1 &
    last=$!
    pids+=("$last")
    for _ in $(seq 600); do
        grep -q 'server: ready' "$dir/log" && grep -q '^listening' "$dir/log" && break
        kill -0 "$last" 2>/dev/null || fail "$1 ended"
        sleep 0.05
    done
    port=$(sed -n 's/^listening *127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$dir/log" | head -n 1)
    [ -n "$port" ] || fail "$1 is not listening"
}
# becomes WHAT COMMAND...: its output is that, within a minute.
becomes() {
    local want=$1 got
    shift
    for _ in $(seq 600); do
        got=$("$@" 2>/dev/null | sort | paste -sd' ')
        [ "$got" = "$want" ] && return 0
        sleep 0.1
    done
    fail "$*: \"$got\", expected \"$want\""
}

soa='@ 60 SOA ns host 1 1 1 1 60
@ 60 NS ns
ns 60 A 127.0.0.1'
printf '%s\nweb 2 A 127.0.0.1\nweb 2 A 127.0.0.2\nweb 2 AAAA 2001:db8::1\nfour 2 A 192.0.2.4\nchain 2 CNAME four\n' "$soa" >"$dir/up.zone"
cat >"$dir/up.yaml" <<Y
server: { workers: 1, control: up.sock }
listen: [ { address: 127.0.0.1, port: 0, role: authority } ]
zones: [ { name: up.test, file: up.zone } ]
Y
serve up
up_port=$port up=$last

# An origin that listens at both addresses, until one of them goes.
origin() {
    python3 - "$1" "$2" <<'P' &
import http.server, socketserver, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header('Content-Length', '0'); self.end_headers()
    def log_message(self, *a): pass
socketserver.TCPServer.allow_reuse_address = True
s = socketserver.TCPServer((sys.argv[1], int(sys.argv[2])), H)
s.serve_forever()
P
    last=$!
    pids+=("$last")
}
web_port=$(python3 tests/support/ports.py 1 127.0.0.1 127.0.0.2)
origin 127.0.0.1 "$web_port"
origin 127.0.0.2 "$web_port"
second=$last

printf '%s\n%s\n' "$soa" 'own 60 A 192.0.2.77' >"$dir/zone"
# config WITH: how names that are not ours are looked up.
config() {
    cat <<Y
server: { workers: 1, control: ctl.sock }
listen: [ { address: 127.0.0.1, port: 0, role: authority } ]
zones: [ { name: x.test, file: zone } ]
resolver: { forward: [ { zone: up.test, to: ["127.0.0.1:$up_port"] } ], special-zones: no, ask-loopback: yes }
gslb:
  resolve-hosts-with: $1
  checks: { web: { type: http, port: $web_port, path: /, every: 200ms, timeout: 150ms, fail-after: 2, pass-after: 1 } }
  pools:
    chain: { choose: all, members: { one: { host: chain.up.test } } }
    spare: { members: { only: 192.0.2.9 } }
    live: { check: web, choose: all, members: { w: { host: v4.up.test } } }
  names:
    x.test: { alias: web.up.test }
    own.x.test: { alias: nothing.up.test }
    gone.x.test: { alias: nothing.up.test }
    chain.x.test: { pools: [chain] }
    www.x.test: { pools: [live, spare], ttl: { normal: 9s, degraded: 1s } }
Y
}
sed -i 's/^four/v4 2 A 127.0.0.1\nv4 2 A 127.0.0.2\nfour/' "$dir/up.zone"
"$WAYPOST" reload -s "$dir/up.sock" >/dev/null || fail "up does not reload"

for with in "[\"127.0.0.1:$up_port\"]" self; do
    config "$with" >"$dir/conf.yaml"
    serve conf
    ask() { dig "@127.0.0.1" -p "$port" +norec +time=5 +tries=1 "$@"; }
    explained() { "$WAYPOST" gslb explain x.test --from 10.0.0.1 -s "$dir/ctl.sock" | grep '^alias ' | tr -s ' '; }
    becomes '127.0.0.1 127.0.0.2' ask x.test A +short
    becomes '2001:db8::1' ask x.test AAAA +short
    becomes '192.0.2.4' ask chain.x.test A +short
    [ "$(ask x.test SOA +short | wc -l)" = 1 ] || fail "the apex has lost its SOA"
    [ -z "$(ask x.test TXT +short)" ] || fail "an alias gives TXT"
    ttl=$(ask x.test A +noall +answer | awk '{print $2}' | head -n 1)
    [ "$ttl" -le 2 ] || fail "a TTL of $ttl: more than is left"
    ask gone.x.test A | grep -q SERVFAIL || fail "an alias of nothing is not SERVFAIL"
    becomes '192.0.2.77' ask own.x.test A +short
    becomes '127.0.0.1 127.0.0.2' ask www.x.test A +short
    # For a moment in every two seconds it may be old: it is asked for again.
    becomes 'alias web.up.test. (fetched)' explained
    "$WAYPOST" gslb status -s "$dir/ctl.sock" | grep -q '127.0.0.1 127.0.0.2' || fail "status does not show the addresses"
    # One of its addresses dies: the member is down. It comes back.
    kill "$second"; wait "$second" 2>/dev/null
    becomes '192.0.2.9' ask www.x.test A +short
    origin 127.0.0.2 "$web_port"
    second=$last
    becomes '127.0.0.1 127.0.0.2' ask www.x.test A +short
    # What changes there arrives here, and is watched at once.
    sed -i 's/^web 2 A 127.0.0.2/web 2 A 127.0.0.3/; s/^v4 2 A 127.0.0.2/;&/; s/ns host 1 / ns host 2 /' "$dir/up.zone"
    "$WAYPOST" reload -s "$dir/up.sock" >/dev/null
    becomes '127.0.0.1 127.0.0.3' ask x.test A +short
    becomes '127.0.0.1' ask www.x.test A +short
    # The other side is gone: what was fetched stays.
    kill -STOP "$up"
    sleep 3
    [ "$(ask x.test A +short | sort | paste -sd' ')" = '127.0.0.1 127.0.0.3' ] || fail "nothing is left when the other side is gone"
    kill -CONT "$up"
    sed -i 's/^web 2 A 127.0.0.3/web 2 A 127.0.0.2/; s/^;v4/v4/' "$dir/up.zone"
    "$WAYPOST" reload -s "$dir/up.sock" >/dev/null
    "$WAYPOST" stop -s "$dir/ctl.sock" >/dev/null || fail "it does not stop"
done
exit 0

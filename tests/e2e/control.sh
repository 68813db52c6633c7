#!/usr/bin/env bash
# threads
# A running server through its control socket: every verb, its exit code, text and JSON; reload with mistakes; rights.
set -u
source_dir=${WAYPOST_SOURCE_DIR:-.}
fail() { echo "control: $*" >&2; exit 1; }
dir=$(mktemp -d)
pid=
trap '[ -n "$pid" ] && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR=$dir
wp() { "$WAYPOST" "$@" 2>"$dir/err"; }
expect() { # expect CODE TEXT VERB...
    local code=$1 text=$2; shift 2
    "$WAYPOST" "$@" >"$dir/out" 2>&1; local got=$?
    [ $got = "$code" ] || { cat "$dir/out"; fail "exit $got, expected $code: $*"; }
    grep -qF -- "$text" "$dir/out" || { cat "$dir/out"; fail "no \"$text\": $*"; }
}
json() { python3 -c "import json, sys
d = json.load(sys.stdin)
assert $1, d"; }

expect 4 'no server of yours is running here' status
expect 4 'no server answers there' status -s "$dir/nothing"
cp -r "$source_dir/zones/lab" "$dir/lab"
"$WAYPOST" run -c "$dir/lab/lab.yaml" >"$dir/log" 2>&1 & pid=$!
for _ in $(seq 600); do grep -q ready "$dir/log" && break; sleep 0.1; done
[ "$(stat -c %a "$dir/waypost/control")" = 600 ] || fail "the socket is not for its owner alone"

# Ask and look.
expect 0 203.0.113.10 query @127.0.0.1:5300 www.shop.test
expect 0 203.0.113.10 query @127.0.0.1 -p 5300 www.shop.test A +short
expect 0 198.51.100.120 query @127.0.0.1#5300 many.big.test +short
expect 0 203.0.113.10 query @127.0.0.1:5300 +tcp www.shop.test
expect 1 NXDOMAIN query @127.0.0.1:5300 nothing.shop.test
expect 5 SERVFAIL query @127.0.0.1:5300 www.lame.test
expect 2 'not a record type' query @127.0.0.1:5300 www.shop.test NOTYPE
expect 2 'an address is wanted' query @nowhere www.shop.test
wp query @127.0.0.1:5300 www.shop.test --json | json 'd["RCODE"] == 0 and d["answerRRs"]' || fail "query --json"
expect 1 'members are down' status # the web servers of the lab are not there
wp status --json | json 'd["zones"]["loaded"] == 19 and d["counters"]["waypost_route_queries_total"] > 4' || fail "status --json"
expect 0 'waypost_route_cached_total' stats
expect 0 '127.53.0.' servers
expect 0 'www.shop.test.' cache show www.shop.test
expect 0 'ns1.shop.test.' cache show shop.test --subtree

# The walk of the running server: cached now, after a flush asked again, and recorded.
expect 0 '0 queries' trace --server www.shop.test
expect 0 'forgotten' cache flush shop.test --subtree
expect 1 '0 answers and 0 record sets' cache flush shop.test --subtree
expect 0 '127.53.2.' trace --server www.shop.test A
wp trace --server www.shop.test --ndjson >"$dir/lines" || fail "trace --ndjson"
python3 -c "
import json, sys
rows = [json.loads(l) for l in open('$dir/lines')]
assert rows[0]['kind'] == 'question' and rows[-1]['kind'] == 'result' and rows[-1]['rcode'] == 'NOERROR', rows" || fail "ndjson"
expect 0 'lame delegation' trace --last www.lame.test
expect 0 'www.lame.test' trace --last 5
wp trace --last www.lame.test --json | json 'd["traces"][0]["rcode"] == "SERVFAIL"' || fail "trace --last --json"
expect 1 'nothing was recorded' trace --last never.asked.test
expect 1 NXDOMAIN trace --server nothing.shop.test
wp trace www.glueless.test -c "$dir/lab/lab.yaml" --json |
    json 'abs(sum(s["ms"] for s in d["critical_path"]) - d["took_ms"]) < 1' || fail "the critical path does not add up"
curl_path() { python3 - "$dir/waypost/control" "$1" "$2" <<'P'
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(f"{sys.argv[2]} {sys.argv[3]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
b = b""
while chunk := s.recv(65536): b += chunk
print(b.split(b" ")[1].decode())
P
}
expect 2 'not a domain name' cache show a..b
expect 2 'not a record type' cache flush a.test NOTYPE
[ "$(curl_path GET /v1/nothing)" = 404 ] || fail "not 404"
[ "$(curl_path GET /v1/stop)" = 405 ] || fail "GET must not stop"
[ "$(curl_path GET '/v1/cache?name=a..b')" = 400 ] || fail "not 400"

# Reload: wholly, with a bad zone, with a bad configuration, with a serial that went back.
expect 0 reloaded reload
sed -i 's/2026112101/2026112102/; s/203.0.113.12/203.0.113.13/' "$dir/lab/shop.test.zone"
expect 0 reloaded reload
expect 0 203.0.113.13 query @127.53.2.1:5300 victim.shop.test +norec +short
echo 'bad A 1.2.3' >>"$dir/lab/shop.test.zone"
sed -i 's/203.0.113.50/203.0.113.51/; s/2026112101/2026112102/' "$dir/lab/glueless.test.zone"
expect 3 'shop.test.zone:' reload
expect 0 203.0.113.13 query @127.53.2.1:5300 victim.shop.test +norec +short
expect 0 203.0.113.51 query @127.53.2.3:5300 www.glueless.test +norec +short
expect 1 'the last reload failed' status
cp "$source_dir/zones/lab/shop.test.zone" "$dir/lab/shop.test.zone"
expect 0 'reloaded' reload
grep -q 'serial went back from 2026112102 to 2026112101' "$dir/log" || fail "nothing said of the serial"
cp "$dir/lab/lab.yaml" "$dir/good.yaml"
echo 'nonsense: 1' >>"$dir/lab/lab.yaml"
expect 3 'nothing was changed' reload
sed 's/127.53.2.3, *port/127.53.2.4, port/' "$dir/good.yaml" >"$dir/lab/lab.yaml"
expect 3 'cannot change at a reload' reload
cp "$dir/good.yaml" "$dir/lab/lab.yaml"
expect 0 reloaded reload
for _ in 1 2 3 4 5 6 7 8; do wp reload >>"$dir/many" & done
for job in $(jobs -p); do [ "$job" = "$pid" ] || wait "$job" || fail "one of many reloads failed"; done
[ "$(grep -c reloaded "$dir/many")" = 8 ] || fail "a reload got no answer"

# A second server takes another address: the socket is the first one's; the server goes on without.
printf 'listen: [ { address: 127.0.0.1, port: 5397 } ]\n' >"$dir/second.yaml"
"$WAYPOST" run -c "$dir/second.yaml" >"$dir/log2" 2>&1 & second=$!
for _ in $(seq 600); do grep -q ready "$dir/log2" && break; sleep 0.1; done
grep -q 'no control socket at .*address in use' "$dir/log2" || { cat "$dir/log2"; fail "two servers on one socket"; }
kill $second; wait $second || fail "the second server's end"
expect 0 stopping stop
wait $pid || { cat "$dir/log"; fail "the end was not status 0"; }
[ ! -e "$dir/waypost/control" ] || fail "the socket is still there"
pid=

# Rights: bound as root, then another user; nothing can be regained. The service manager is told.
[ "$(id -u)" = 0 ] || exit 0
python3 - "$dir/notify" >"$dir/told" <<'P' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); s.settimeout(20)
for _ in range(2):
    print(s.recv(200).decode(), flush=True)
P
for _ in $(seq 300); do [ -S "$dir/notify" ] && break; sleep 0.1; done
chmod 777 "$dir/notify"; chmod 755 "$dir"
printf 'server: { user: nobody, control: "%s/second" }\nlisten: [ { address: 127.0.0.1, port: 1021 } ]\n' "$dir" >"$dir/user.yaml"
NOTIFY_SOCKET=$dir/notify "$WAYPOST" run -c "$dir/user.yaml" >"$dir/log3" 2>&1 & pid=$!
for _ in $(seq 600); do grep -q ready "$dir/log3" && break; sleep 0.1; done
grep -q ready "$dir/log3" || { cat "$dir/log3"; fail "no start with server.user"; }
for _ in $(seq 300); do grep -q READY=1 "$dir/told" && break; sleep 0.1; done
grep -q READY=1 "$dir/told" || fail "the service manager was not told"
nobody=$(id -u nobody)
grep -q "^Uid:[[:space:]]$nobody[[:space:]]$nobody[[:space:]]$nobody" "/proc/$pid/status" || fail "still root"
grep -q '^NoNewPrivs:[[:space:]]1' "/proc/$pid/status" || fail "no_new_privs is not set"
expect 0 'up 0 m' status -s "$dir/second"
kill $pid; wait $pid || fail "the end was not status 0"
pid=
for _ in $(seq 300); do grep -q STOPPING=1 "$dir/told" && break; sleep 0.1; done
grep -q STOPPING=1 "$dir/told" || fail "the service manager was not told of the end"
printf 'server: { user: no-such-user }\nlisten: [ { address: 127.0.0.1, port: 1021 } ]\n' >"$dir/user.yaml"
expect 3 'there is no user "no-such-user"' run -c "$dir/user.yaml"
exit 0

#!/usr/bin/env bash
# threads
# A database is replaced while the server answers: renamed over, overwritten in place, taken away and brought back; the
# answers change within seconds and no query is lost. Every bad one put in its place, of a corpus and made by mutation,
# is said with its path, and the tables read before serve on. So for lists of networks. Zones are not read then.
set -u
fail() { echo "geo_reload: $*" >&2; [ ! -f "$dir/log" ] || tail -n 20 "$dir/log" >&2; exit 1; }
command -v dig >/dev/null || { echo "dig is not installed: skipped"; exit 77; }
dir=$(mktemp -d)
pid= stream=
trap '[ -z "$stream" ] || kill $stream 2>/dev/null; [ -z "$pid" ] || kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
mkdir "$dir/geo" "$dir/made"

zone() { printf '$TTL 300\n@ SOA ns1 h %s 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\n' "$1"; }
database() { # database COUNTRY FILE: of 198.51.100.0/24
    printf 'network,continent,country\n198.51.100.0/24,EU,%s\n2001:db8::/32,EU,%s\n' "$1" "$1" >"$dir/places.csv"
    "$WAYPOST" geo build "$dir/places.csv" -o "$2" >"$dir/out" 2>&1 || fail "geo build: $(cat "$dir/out")"
}
zone 1 >"$dir/a.zone"
database DE "$dir/de.mmdb"
database FR "$dir/fr.mmdb"
cp "$dir/de.mmdb" "$dir/geo/places.mmdb"
echo 10.0.0.0/8 >"$dir/nets.txt"
cat >"$dir/conf.yaml" <<Z
server: { control: $dir/control, workers: 2 }
listen: [ { address: 127.0.0.1, port: 0, role: authority } ]
zones: [ { name: example.test, file: a.zone } ]
gslb:
  sites: { a: , b: , d: }
  maps:
    world: { database: geo/places.mmdb, networks: { n: { file: nets.txt } }, rules: [ { network: n, prefer: [b] }, { country: DE, prefer: [a] }, { country: FR, prefer: [b] } ], otherwise: [d] }
  pools:
    pa: { site: a, members: { x: 192.0.2.10 } }
    pb: { site: b, members: { x: 192.0.2.20 } }
    pd: { site: d, members: { x: 192.0.2.30 } }
  names: { geo.example.test: { map: world, pools: [pa, pb, pd] } }
Z
"$WAYPOST" run -c "$dir/conf.yaml" >"$dir/log" 2>&1 & pid=$!
for _ in $(seq 600); do
    grep -q 'server: ready' "$dir/log" && break
    kill -0 $pid 2>/dev/null || fail "it ended"
    sleep 0.05
done
port=$(sed -n 's/^listening *127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$dir/log")
[ -n "$port" ] || fail "not listening"

answer() { dig "@127.0.0.1" -p "$port" +norec +time=10 +tries=1 +short +subnet="$1" geo.example.test A; }
is() { # is LABEL SUBNET ADDRESS
    local got
    got=$(answer "$2")
    [ "$got" = "$3" ] || fail "$1: \"$got\" for $2, expected $3"
}
becomes() { # becomes LABEL SUBNET ADDRESS: within a minute, for files are read at idle priority
    for _ in $(seq 600); do
        [ "$(answer "$2")" = "$3" ] && return
        kill -0 $pid 2>/dev/null || fail "$1: it ended"
        sleep 0.1
    done
    is "$@"
}
reads() { grep -c 'files: \(read;\|nothing was changed\)' "$dir/log"; }
settles() { # settles LABEL COUNT: so many reads have ended
    for _ in $(seq 600); do
        [ "$(reads)" -ge "$2" ] && return
        kill -0 $pid 2>/dev/null || fail "$1: it ended"
        sleep 0.1
    done
    fail "$1: not read within a minute"
}
says() { grep -q "$2" "$dir/log" || fail "$1: the log does not say \"$2\""; }

is "at first" 198.51.100.0/24 192.0.2.10
is "others" 203.0.113.0/24 192.0.2.30
# A stream of queries meanwhile, one at a time and without a second try: each must be answered by one of the two sites.
cat >"$dir/stream.py" <<'P'
import signal, socket, struct, sys, time
port, go, asked, lost = int(sys.argv[1]), True, 0, 0
def stop(*_):
    global go
    go = False
signal.signal(signal.SIGTERM, stop)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", port))
s.settimeout(10)
name = b"".join(bytes([len(l)]) + l for l in (b"geo", b"example", b"test")) + b"\0"
subnet = struct.pack("!HHHBB", 8, 7, 1, 24, 0) + bytes((198, 51, 100))
while go:
    asked += 1
    time.sleep(0.0005)
    query = struct.pack("!6H", asked & 65535, 0, 1, 0, 0, 1) + name + struct.pack("!2H", 1, 1)
    s.send(query + b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(subnet)) + subnet)
    try:
        while (answer := s.recv(4096))[:2] != query[:2]:
            pass
        lost += answer[3] & 15 != 0 or not any(bytes((192, 0, 2, n)) in answer for n in (10, 20))
    except socket.timeout:
        lost += 1
print(asked, lost)
P
python3 "$dir/stream.py" "$port" >"$dir/stream" & stream=$!
zone 2 >"$dir/a.zone"

cp "$dir/fr.mmdb" "$dir/geo/.new" && mv "$dir/geo/.new" "$dir/geo/places.mmdb"
becomes "renamed over" 198.51.100.0/24 192.0.2.20
settles "renamed over" 1
says "renamed over" 'map world: 2 networks change site (below 0.01 % of the IPv4 addresses)'
cat "$dir/de.mmdb" >"$dir/geo/places.mmdb"
becomes "overwritten in place" 198.51.100.0/24 192.0.2.10
settles "overwritten" 2
rm "$dir/geo/places.mmdb"
settles "taken away" 3
is "taken away" 198.51.100.0/24 192.0.2.10
"$WAYPOST" status -s "$dir/control" >"$dir/out" 2>&1 && fail "status is content without the database"
grep -q 'attention *geo database .*geo/places.mmdb could not be read: .*; the tables read at .* serve on' "$dir/out" || fail "attention: $(cat "$dir/out")"
mv "$dir/geo" "$dir/other"; mkdir "$dir/geo"; cp "$dir/fr.mmdb" "$dir/geo/places.mmdb"
becomes "back in another folder" 198.51.100.0/24 192.0.2.20
settles "back" 4
"$WAYPOST" status -s "$dir/control" >"$dir/out" 2>&1 || fail "status: $(cat "$dir/out")"
echo 198.51.100.0/23 >"$dir/nets.new" && mv "$dir/nets.new" "$dir/nets.txt"
becomes "another list" 198.51.101.0/24 192.0.2.20
settles "another list" 5
echo 'no network' >"$dir/nets.txt"
settles "a spoilt list" 6
says "a spoilt list" 'nets.txt:1:1: error: not a network'
is "a spoilt list" 198.51.101.0/24 192.0.2.20
"$WAYPOST" status -s "$dir/control" >"$dir/out" 2>&1 && fail "status is content with a spoilt list"
grep -q 'attention *files changed and nothing was taken .*nets.txt' "$dir/out" || fail "attention: $(cat "$dir/out")"
echo 10.0.0.0/8 >"$dir/nets.txt"
becomes "a good list" 198.51.101.0/24 192.0.2.30
settles "a good list" 7
dig "@127.0.0.1" -p "$port" +norec +short example.test SOA | grep -q ' 1 3600 ' || fail "a zone was read with a database"

kill $stream; wait $stream
read -r asked lost <"$dir/stream"; stream=
[ "$asked" -gt 1000 ] && [ "$lost" = 0 ] || fail "$lost of $asked queries were lost"

# The corpus and what a mutator makes of a good one, one after the other; after each the tables before must serve.
corpus=$WAYPOST_SOURCE_DIR/../shared/data/mmdb/bad
[ -d "$corpus" ] || corpus=$WAYPOST_SOURCE_DIR/tests/data/mmdb/bad
python3 "$WAYPOST_SOURCE_DIR/tests/support/mutate_mmdb.py" "$dir/fr.mmdb" "$dir/made" || fail "the mutator"
ulimit -c 0
step=1 number=0 checked=0 kept=0
! grep -q __tsan_init "$WAYPOST" || step=8 # what is bad is seen by other builds, and a reload is slow in that one
for bad in "$corpus"/*.mmdb "$dir/made"/*.mmdb; do
    number=$((number + 1))
    [ $((number % step)) = 0 ] || continue
    label=$(basename "$bad" .mmdb)
    "$WAYPOST" geo info "$bad" >"$dir/out" 2>&1
    whole=$?
    lines=$(wc -l <"$dir/log")
    cp "$bad" "$dir/geo/.new" && mv "$dir/geo/.new" "$dir/geo/places.mmdb"
    "$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1
    code=$?
    kill -0 $pid 2>/dev/null || fail "$label: the server fell"
    checked=$((checked + 1))
    if [ $whole = 0 ]; then # what was spoilt was nothing that matters
        [ $code = 0 ] || fail "$label: a database that geo info takes: $(cat "$dir/out")"
        cp "$dir/fr.mmdb" "$dir/geo/.new" && mv "$dir/geo/.new" "$dir/geo/places.mmdb"
        "$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1 || fail "back after $label: $(cat "$dir/out")"
    else
        [ $code = 3 ] || fail "$label: reload ended with $code: $(cat "$dir/out")"
        tail -n "+$((lines + 1))" "$dir/log" | grep -q 'geo/places.mmdb.*: error: .' || fail "$label: no error with the path"
        kept=$((kept + 1))
    fi
    is "$label" 198.51.100.0/24 192.0.2.20
done
[ "$kept" -gt $((150 / step)) ] || fail "only $kept of $checked were refused"
# The last one by watching alone, and a whole one after it.
before=$(reads)
head -c 1000 "$dir/de.mmdb" >"$dir/geo/places.mmdb"
settles "half a database" $((before + 1))
is "half a database" 198.51.100.0/24 192.0.2.20
"$WAYPOST" reload -s "$dir/control" >"$dir/out" 2>&1
[ $? = 3 ] || fail "reload with half a database: $(cat "$dir/out")"
"$WAYPOST" status -s "$dir/control" >"$dir/out" 2>&1 && fail "status is content with half a database"
cat "$dir/de.mmdb" >"$dir/geo/places.mmdb"
becomes "the whole of it" 198.51.100.0/24 192.0.2.10
"$WAYPOST" status -s "$dir/control" >"$dir/out" 2>&1 || fail "status after it: $(cat "$dir/out")"
# One that is whole and old.
cp "$WAYPOST_SOURCE_DIR/tests/data/mmdb/GeoIP2-Country-Test.mmdb" "$dir/geo/places.mmdb"
becomes "an old one" 198.51.100.0/24 192.0.2.30
"$WAYPOST" geo info "$dir/geo/places.mmdb" 2>&1 | grep -q 'warning: it was made [0-9]* days ago' || fail "geo info of an old one"
"$WAYPOST" geo info "$dir/fr.mmdb" 2>&1 | grep -q 'warning' && fail "geo info of a new one"
"$WAYPOST" status -s "$dir/control" >"$dir/out" 2>&1 && fail "status is content with an old database"
grep -q 'attention *geo database .*geo/places.mmdb is old: it was made [0-9]* days ago' "$dir/out" || fail "attention: $(cat "$dir/out")"
echo "$checked bad databases, $kept refused; $asked queries, $lost lost"

# Ended while it reads all of it again: what comes of that finds the files not watched any more.
{ zone 3; echo '$GENERATE 1-20000 n$ A 192.0.2.9'; } >"$dir/a.zone"
kill -HUP $pid; kill $pid; wait $pid || fail "the end was not status 0"
pid=
exit 0

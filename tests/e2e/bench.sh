#!/usr/bin/env bash
# bench against our own server: closed and open loop, UDP and TCP, text and JSON; what it counts, its exit codes, and whom
# it does not load.
set -u
fail() { echo "bench: $*" >&2; [ ! -f "$dir/out" ] || cat "$dir/out" "$dir/err" >&2; exit 1; }
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
printf '$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.1\n' >"$dir/zone"
cat >"$dir/conf.yaml" <<C
server: { control: $dir/control, workers: 1 }
listen: [ { address: 127.0.0.1, port: 0, role: authority } ]
zones: [ { name: bench.test, file: zone } ]
C
: >"$dir/log"
"$WAYPOST" run -c "$dir/conf.yaml" >"$dir/log" 2>&1 & pid=$!
for _ in $(seq 1200); do grep -q 'server: ready' "$dir/log" && break; sleep 0.05; done
port=$(sed -n 's/^listening *127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$dir/log")
[ -n "$port" ] || { cat "$dir/log" >&2; fail "it does not listen"; }

# expect CODE ARGUMENT...: the exit code of waypost bench; its output is in $dir/out and $dir/err.
expect() {
    local want=$1 got
    shift
    timeout 60 "$WAYPOST" bench "$@" >"$dir/out" 2>"$dir/err"
    got=$?
    [ $got = "$want" ] || fail "bench $*: exit code $got instead of $want"
}
# said TEXT: on either stream.
said() { grep -qF -- "$1" "$dir/out" "$dir/err" || fail "no \"$1\""; }
# holds PYTHON: of the document d.
holds() {
    python3 -c "
import json, sys
d = json.load(open('$dir/out'))
c, l = d['counts'], d['latency_us']
sys.exit(not ($1))" || fail "not so: $1"
}
printf '# the questions\nwww.bench.test A\n\n; none\nnope.bench.test AAAA\nns.bench.test\n' >"$dir/queries"
whole="c['sent'] == c['answered'] > 0 == c['lost'] == c['late'] == c['duplicate'] == c['unmatched']"
ordered="0 < l['min'] <= l['p50'] <= l['p90'] <= l['p99'] <= l['p99_9'] <= l['max'] and l['min'] <= l['mean'] <= l['max']"

# Closed loop.
expect 0 "@127.0.0.1:$port" www.bench.test --seconds 1 --pid $pid
for line in "server     127.0.0.1:$port  udp  8 sockets" 'closed loop, 100 unanswered' '(100 %)   0 lost' 'rate ' 'p99.9 ' \
    'rcodes     NOERROR' 'us CPU per query' "us CPU per answer"; do said "$line"; done
for proto in '' --tcp; do
    expect 0 "@127.0.0.1" -p "$port" --file "$dir/queries" --count 3000 --window 30 --clients 3 $proto --pid $pid --json
    holds "$whole and c['sent'] == 3000 and $ordered and d['asked']['loop'] == 'closed'"
    [ -n "$proto" ] || proto=--udp
    holds "'--' + d['asked']['proto'] == '$proto'"
    holds "d['rcodes'] == {'NOERROR': 2000, 'NXDOMAIN': 1000} and d['server_cpu']['us_per_answer'] > 0 < d['generator']['cpu_us_per_query']"
    holds "d['rate']['mean'] * d['elapsed_s'] * .99 < 3000 < d['rate']['mean'] * d['elapsed_s'] * 1.01"
done
expect 0 "@127.0.0.1:$port" -f "$dir/queries" --once --json
holds "c['sent'] == 3 and $whole"
expect 0 "@127.0.0.1:$port" -f - --once --json --random-prefix <"$dir/queries"
holds "c['sent'] == 3 and d['rcodes'] == {'NXDOMAIN': 3}"

# Open loop: the rate that was asked for, in either spacing; what fell behind is said.
for spacing in even poisson; do
    expect 0 "@127.0.0.1#$port" www.bench.test A ns.bench.test --rate 2k/s --spacing $spacing --seconds 1.5 --warm 0.2 --json \
        --dnssec --subnet 192.0.2.0/24,2001:db8::/48
    holds "$whole and $ordered and d['asked']['loop'] == 'open' and d['asked']['spacing'] == '$spacing' and d['asked']['questions'] == 2"
    holds "2600 < c['sent'] + d['behind'] < 3400 and 1.5 <= d['seconds'] < 5 and d['left_late_us']['p50'] >= 0"
done
expect 0 "@127.0.0.1:$port" www.bench.test --rate 1000 --seconds 600ms --interval 200ms
[ "$(grep -c '/s sent .*/s answered .* p99 ' "$dir/out")" = 3 ] || fail "no line per interval"
said 'open loop, 1000/s, spacing even'
said 'left late'
expect 0 "@127.0.0.1:$port" www.bench.test --rate 10M --seconds 500ms
said 'note: fell behind'

# Ctrl-C: the report of what was measured so far.
timeout -s INT 3 "$WAYPOST" bench "@127.0.0.1:$port" www.bench.test --seconds 60 --rate 100 --json >"$dir/out" 2>"$dir/err"
holds "d['stopped'] and $whole and d['seconds'] < 30"

# A server that is not there, and one that is silent.
kill $pid; wait $pid 2>/dev/null; pid=
for proto in '' --tcp; do
    expect 5 "@127.0.0.1:$port" www.bench.test $proto
    said 'nobody listens there'
done
python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(60)' >"$dir/silent" & pid=$!
for _ in $(seq 1200); do [ -s "$dir/silent" ] && break; sleep 0.05; done
expect 5 "@127.0.0.1:$(cat "$dir/silent")" www.bench.test --count 50 --timeout 100
said 'no answer from 127.0.0.1'
said '50 sent   0 answered (0 %)   50 lost (100 %)'

# Whom it does not load: nothing leaves this machine, every one of these ends before a packet is sent.
for words in '' '--rate 1001' '--tcp'; do
    expect 2 @192.0.2.1 www.bench.test $words
    said 'neither on this machine nor in a private network'
    said 'Take --rate 1000 or less, or say --yes'
done
expect 2 @224.0.0.1 www.bench.test --yes
said "is no server's address"

# Mistakes.
printf 'a.test A\nb..test A\nc.test FOO\n' >"$dir/queries"
expect 3 "@127.0.0.1:$port" --file "$dir/queries"
said "$dir/queries:2:1: error: empty label"
said "$dir/queries:3:8: error: not a record type"
printf '# none\n' >"$dir/queries"
expect 3 "@127.0.0.1:$port" --file "$dir/queries"
said 'has no query'
expect 4 "@127.0.0.1:$port" --file "$dir/nothing"
said 'cannot be read: not found'
expect 4 "@127.0.0.1:$port" --file "$dir"
while IFS='|' read -r text words; do
    # shellcheck disable=SC2086
    expect 2 "@127.0.0.1:$port" $words
    said "$text"
done <<'ROWS'
what is to be asked?|
empty label|a..test
one of them|a.test --rate 10 --window 10
a number from 1 to 10000000|a.test --rate 0
a number from 1 to 4096|a.test --clients many
a time is wanted|a.test --seconds 1y
a time is wanted|a.test --timeout -5
even or poisson|a.test --rate 1 --spacing odd
only a --rate has it|a.test --spacing even
said by EDNS|a.test --no-edns --dnssec
networks with commas between|a.test --subnet 192.0.2.1/24
there is no such process|a.test --pid 4194304
there is no +fast|a.test +fast
there is no option|a.test --fast
an address is wanted|@localhost a.test
ROWS
echo "bench: counts, loops, exit codes and manners hold"

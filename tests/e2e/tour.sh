#!/usr/bin/env bash
# threads
# The lab's tour holds, twice in a row; a second server on the same addresses is refused and names the first.
set -u
source_dir=${WAYPOST_SOURCE_DIR:-.}
fail() { echo "tour: $*" >&2; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for turn in 1 2; do
    "$WAYPOST" lab tour --zones "$source_dir/zones/lab" >"$out/tour" 2>"$out/err" || { cat "$out/tour" "$out/err"; fail "turn $turn failed"; }
    grep -q '^all [0-9]* claims hold$' "$out/tour" || fail "turn $turn says nothing of its claims"
done

"$WAYPOST" run -c "$source_dir/zones/lab/lab.yaml" >"$out/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; rm -rf "$out"' EXIT
for _ in $(seq 100); do grep -q ready "$out/log" && break; sleep 0.1; done
grep -q ready "$out/log" || { cat "$out/log"; fail "the server did not become ready"; }

"$WAYPOST" run -c "$source_dir/zones/lab/lab.yaml" >"$out/second" 2>&1
[ $? = 4 ] || fail "a second server did not end with 4"
grep -q "held by waypost (pid $pid)" "$out/second" || { cat "$out/second"; fail "the first server is not named"; }

"$WAYPOST" trace www.shop.test -c "$source_dir/zones/lab/lab.yaml" >"$out/trace" 2>&1 || fail "trace"
[ "$(grep -c '●' "$out/trace")" = 3 ] || { cat "$out/trace"; fail "the walk has not three hops"; }
grep -q '203.0.113.10' "$out/trace" || fail "the walk has no answer"
"$WAYPOST" trace many.big.test -c "$source_dir/zones/lab/lab.yaml" | grep -q 'tcp  127.53.2.1:5300' || fail "no TCP in the walk"
"$WAYPOST" trace nothing.shop.test -c "$source_dir/zones/lab/lab.yaml" >/dev/null
[ $? = 1 ] || fail "NXDOMAIN is exit 1"
"$WAYPOST" trace c12-1.chain.test -c "$source_dir/zones/lab/lab.yaml" | grep -q 'alias limit 11/11' || fail "no alias limit"

kill -HUP "$pid"; sleep 0.5
grep -q 'reload: done' "$out/log" || { cat "$out/log"; fail "no reload"; }
kill -TERM "$pid"; wait "$pid"
[ $? = 0 ] || { cat "$out/log"; fail "the end was not status 0"; }
exit 0

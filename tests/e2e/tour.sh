#!/usr/bin/env bash
# threads
# The lab's tour holds, twice in a row; a running lab is told what to break and heal; a second server on the same addresses is refused and names the first.
set -u
source_dir=${WAYPOST_SOURCE_DIR:-.}
fail() { echo "tour: $*" >&2; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for turn in 1 2; do
    "$WAYPOST" lab tour --zones "$source_dir/zones/lab" >"$out/tour" 2>"$out/err" || { cat "$out/tour" "$out/err"; fail "turn $turn failed"; }
    grep -q '^all [0-9]* claims hold$' "$out/tour" || fail "turn $turn says nothing of its claims"
    grep -q 'Frankfurt stops .* 127[.]80[.]2[.][12] .* after [0-9.]* s (fail-after 2 x 1 s)$' "$out/tour" || fail "turn $turn: no measured failover"
done

# Words for a running lab, from another process.
export XDG_RUNTIME_DIR=$out
"$WAYPOST" lab break fra >"$out/said" 2>&1
[ $? = 5 ] && grep -q 'no lab runs here' "$out/said" || fail "break without a lab"
"$WAYPOST" lab up --zones "$source_dir/zones/lab" >"$out/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; rm -rf "$out"' EXIT
for _ in $(seq 300); do grep -q 'claims' "$out/log" && break; sleep 0.1; done
says() { # CODE WORDS VERB...
    local code=$1 words=$2
    shift 2
    "$WAYPOST" lab "$@" >"$out/said" 2>&1
    [ $? = "$code" ] && grep -q "$words" "$out/said" || { cat "$out/said" >&2; fail "lab $*"; }
}
health() { # the status of one web server, by a plain socket; nothing when nobody is there
    { exec 3<>"/dev/tcp/$1/5380"; } 2>/dev/null || return
    printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
    head -n 1 <&3 | cut -d ' ' -f 2
    exec 3>&-
}
[ "$(health 127.80.2.1)" = 200 ] || fail "a web server that is well"
says 0 'iad answers 503' break iad 503
[ "$(health 127.80.2.1)" = 503 ] || fail "break iad 503"
says 0 'iad-1 is well' heal iad-1
[ "$(health 127.80.2.1) $(health 127.80.2.2)" = '200 503' ] || fail "heal iad-1"
says 0 'all refuses' break all
[ -z "$(health 127.80.3.2)" ] || fail "break all"
says 0 'all is well' heal all
[ "$(health 127.80.3.2)" = 200 ] || fail "heal all"
says 2 'did you mean "fra"' break far
says 2 'no way to break' break fra explode
says 2 'usage' heal
says 2 'usage' break fra hang twice
kill -TERM "$pid"; wait "$pid"
[ $? = 0 ] || { cat "$out/log"; fail "the lab's end was not status 0"; }
[ -z "$(ls "$out/waypost")" ] || fail "the lab left something behind"

: >"$out/log" # what the lab said is not this one's
"$WAYPOST" run -c "$source_dir/zones/lab/lab.yaml" >"$out/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; rm -rf "$out"' EXIT
for _ in $(seq 600); do grep -q ready "$out/log" && break; sleep 0.1; done
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

kill -HUP "$pid" # the reload is done when nobody else wants the processor
for _ in $(seq 600); do grep -q 'reload: done' "$out/log" && break; sleep 0.1; done
grep -q 'reload: done' "$out/log" || { cat "$out/log"; fail "no reload"; }
kill -TERM "$pid"; wait "$pid"
[ $? = 0 ] || { cat "$out/log"; fail "the end was not status 0"; }
exit 0

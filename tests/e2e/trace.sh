#!/usr/bin/env bash
# What a trace says of each hop, cold and by the running server, as one document and as lines, is complete, without a key
# twice in one object, and its critical path adds up to the whole time.
set -u
fail() { echo "trace: $*" >&2; exit 1; }
out=$(mktemp -d)
pid=
trap '[ -n "$pid" ] && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$out"' EXIT
export XDG_RUNTIME_DIR=$out
port=$(python3 tests/support/ports.py 1 127.78.0.{1,2,3,4,5})
cat >"$out/root.zone" <<'ZONE'
$TTL 300
@ SOA a.root. h. 1 1 1 1 60
@ NS a.root.
a.root. A 127.78.0.1
test. NS ns.test.
ns.test. A 127.78.0.2
org. NS ns.org.
ns.org. A 127.78.0.3
ZONE
cat >"$out/test.zone" <<'ZONE'
$TTL 300
@ SOA ns h 1 1 1 1 60
@ NS ns
ns A 127.78.0.2
www A 192.0.2.80
alias CNAME www.far.test.
half.test. NS ns1.half.test.
half.test. NS ns2.half.test.
ns1.half.test. A 127.78.0.9
ns2.half.test. A 127.78.0.5
far.test. NS ns1.host.org.
far.test. NS ns2.host.org.
$GENERATE 1-120 many A 192.0.2.$
ZONE
cat >"$out/far.zone" <<'ZONE'
$TTL 300
@ SOA ns1.host.org. h 1 1 1 1 60
@ NS ns1.host.org.
@ NS ns2.host.org.
www A 192.0.2.81
ZONE
cat >"$out/half.zone" <<'ZONE'
$TTL 300
@ SOA ns1 h 1 1 1 1 60
@ NS ns1
@ NS ns2
ns1 A 127.78.0.9
ns2 A 127.78.0.5
www A 192.0.2.82
ZONE
cat >"$out/org.zone" <<'ZONE'
$TTL 300
@ SOA ns h 1 1 1 1 60
@ NS ns
ns A 127.78.0.3
ns1.host A 127.78.0.5
ns2.host A 127.78.0.3
ZONE
printf '. 300 IN NS a.root.\na.root. 300 IN A 127.78.0.1\n' >"$out/hints"
cat >"$out/conf.yaml" <<C
server: { control: "$out/control" }
listen:
  - { name: root, address: 127.78.0.1, port: $port, role: authority }
  - { name: one, address: 127.78.0.2, port: $port, role: authority }
  - { name: two, address: 127.78.0.3, port: $port, role: authority }
  - { name: three, address: 127.78.0.5, port: $port, role: authority }
  - { address: 127.78.0.4, port: $port, role: resolver }
zones:
  - { name: ., file: root.zone, on: [root] }
  - { name: test, file: test.zone, on: [one] }
  - { name: half.test, file: half.zone, on: [three] }
  - { name: far.test, file: far.zone, on: [two, three] }
  - { name: org, file: org.zone, on: [two] }
resolver:
  { root-hints: hints, upstream-port: $port, ask-loopback: yes, special-zones: no, limits: { query-time: 5s } }
C
"$WAYPOST" run -c "$out/conf.yaml" >"$out/log" 2>&1 & pid=$!
for _ in $(seq 600); do grep -q ready "$out/log" && break; sleep 0.1; done
cat >"$out/look.py" <<'P'
import json, sys
def pairs(p):
    d = {}
    for k, v in p:
        assert k not in d, ("twice", k, p)
        d[k] = v
    return d
HOP = """seq zone cut_from qname qtype minimised labels of_labels ns addr origin why candidates cost_ms considered attempts
 transport class rcode flags edns edns_size glue tc_to_tcp budget critical cache_reads cache_writes""".split()
TRY = "n transport server local_port rto_ms case_mixed edns_sent reused outcome rtt_ms size class flags".split()
def look(d, rule):
    hops = d["hops"]
    for h in hops:
        replied = "class" in h
        for k in HOP:
            assert k in h or not replied, ("no", k, h)
        for a in h["attempts"]:
            for k in TRY:
                assert k in a or a.get("outcome") != "reply", ("no", k, a)
        assert any(c["verdict"] == "eligible" and c["addr"] == h["addr"] for c in h["considered"]), h
        for e in h["cache_reads"] + h["cache_writes"]:
            assert {"entry", "name", "type", "ttl", "rank", "result"} <= e.keys(), e
    total = sum(s["ms"] for s in d["critical_path"])
    assert abs(total - d["took_ms"]) < 1, (total, d["took_ms"])
    assert d["counts"]["queries"] == sum(len(h["attempts"]) for h in hops)
    assert not hops or d["budget"]["total"] == max(h["budget"]["total_used"] for h in hops), (d["budget"], hops)
    assert eval(rule, {"d": d, "hops": hops}), (rule, hops)
if sys.argv[1] == "lines":
    rows = [json.loads(l, object_pairs_hook=pairs) for l in sys.stdin]
    kinds = [r["kind"] for r in rows]
    assert kinds[0] == "question" and kinds[-1] == "result" and set(kinds) == {"question", "event", "hop", "result"}, kinds
    assert all("entry" in r for r in rows if r.get("event") in ("cache_probe", "cache_write")), rows
    assert {"hop", "considered", "choice", "send", "outcome", "class", "cache_write", "budget"} <= {r.get("event") for r in rows}
else:
    d = json.load(sys.stdin, object_pairs_hook=pairs)
    look(d["traces"][0] if sys.argv[1] == "last" else d, sys.argv[2])
P
look() { # look RULE WORDS...
    local rule=$1; shift
    "$WAYPOST" trace "$@" --json 2>"$out/err" | python3 "$out/look.py" one "$rule" || { cat "$out/err"; fail "$*"; }
}
cold=(-c "$out/conf.yaml")
look 'hops[-1]["class"] == "answer" and hops[0]["minimised"] and hops[0]["labels"] == 1 and hops[0]["of_labels"] == 2' www.test "${cold[@]}"
look 'hops[-1]["tc_to_tcp"] and [a["class"] for a in hops[-1]["attempts"] if "class" in a] == ["truncated", "answer"]' many.test "${cold[@]}"
look 'len(d["ede"]) == 0 and d["budget"]["ns_addr"] > 0 and any(c["origin"] == "resolved" for h in hops for c in h["considered"])' www.far.test "${cold[@]}"
look 'd["budget"]["aliases"] == 1 and any(r["entry"] == "delegation" and r["rank"] == "referral" for h in hops for r in h["cache_reads"])' alias.test "${cold[@]}"
look 'd["rcode"] == "NXDOMAIN" and any(w["entry"] == "nxdomain" and w["type"] == "*" for w in hops[-1]["cache_writes"])' none.test "${cold[@]}"
for _ in 1 2 3 4; do look 'len(hops[-1]["considered"]) == 2' www.half.test "${cold[@]}"; done
look 'hops' www.test --server -s "$out/control"
look 'not hops and any(r["entry"] == "data" and r["result"] == "hit" for r in d["cache_reads"])' www.test --server -s "$out/control"
"$WAYPOST" query "@127.78.0.4:$port" www.half.test >/dev/null || fail "query"
"$WAYPOST" trace --last www.half.test -s "$out/control" --json 2>/dev/null | python3 "$out/look.py" last 'hops[-1]["qname"] == "www.half.test."' || fail "--last"
"$WAYPOST" trace www.far.test "${cold[@]}" --ndjson | python3 "$out/look.py" lines || fail "--ndjson"
"$WAYPOST" trace many.test "${cold[@]}" >"$out/text" || fail "text"
echo 'resolver: { local: [ { name: no.test, action: refuse } ] }' >"$out/refuse.yaml"
"$WAYPOST" trace no.test -c "$out/refuse.yaml" >/dev/null
[ $? = 5 ] || fail "REFUSED is no answer (5), as query has it"
for word in 'truncated (aa tc), edns 1232' 'delegation test. NS 300 s (referral)' 'rto ' ' octets' 'budget ' 'time '; do
    grep -qF -- "$word" "$out/text" || { cat "$out/text"; fail "no \"$word\" in the text"; }
done
kill $pid; wait $pid || fail "the end was not status 0"
pid=
exit 0

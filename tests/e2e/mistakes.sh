#!/usr/bin/env bash
# Bad input: one clear message, the right exit code, and nothing lost.
set -u
fail() { echo "mistakes: $*" >&2; exit 1; }
dir=$(mktemp -d)
pid=
trap '[ -n "$pid" ] && kill $pid 2>/dev/null; rm -rf "$dir"' EXIT
expect() { # expect CODE TEXT COMMAND...
    local code=$1 text=$2; shift 2
    "$@" >"$dir/out" 2>&1; local got=$?
    [ $got = "$code" ] || { cat "$dir/out"; fail "exit $got, expected $code: $*"; }
    grep -qF -- "$text" "$dir/out" || { cat "$dir/out"; fail "no \"$text\": $*"; }
}
zone='$TTL 60
@ SOA ns h 1 1 1 1 1
@ NS ns
ns A 127.0.0.1
a A 192.0.2.1'
printf '%s\n' "$zone" >"$dir/good.zone"
printf '%s\nb A 192.0.2.x\n' "$zone" >"$dir/bad.zone"
conf() { cat <<C
listen: [ { address: 127.0.0.1, port: $1, role: authority } ]
zones: [ { name: good.test, file: good.zone }, { name: bad.test, file: $2 } ]
C
}
expect 2 'there is no verb' "$WAYPOST" fly
expect 2 'usage' "$WAYPOST" trace
expect 4 'cannot be read: not found' "$WAYPOST" run -c "$dir/nothing.yaml"
# Right one by one, wrong together: found by check, not only by run.
while IFS='|' read -r text yaml; do
    printf '%s\n' "$yaml" >"$dir/together.yaml"
    expect 3 "$text" "$WAYPOST" check "$dir/together.yaml"
done <<'ROWS'
is not an IPv4 address|resolver: { local: [ { name: a.lan, a: "::1" } ] }
is not an IPv6 address|resolver: { local: [ { name: a.lan, aaaa: 192.0.2.1 } ] }
is not an IPv4 address|resolver: { local: [ { name: a.lan, a: 192.0.2.1@80 } ] }
one per family is taken|resolver: { source: [127.0.0.1, 127.0.0.2] }
the ports are drawn at random|resolver: { source: 127.0.0.1@55 }
this zone is forwarded already|resolver: { forward: [ { zone: corp, to: 192.0.2.1 }, { zone: CORP., to: 192.0.2.2 } ] }
listener on this address and port already|listen: [ { address: 127.0.0.1, port: 5399 }, { address: 127.0.0.1, port: 5399 } ]
another listener is named "x"|listen: [ { address: 127.0.0.1, port: 5399, name: x }, { address: 127.0.0.2, port: 5399, name: x } ]
no server can be asked|resolver: { ipv4: no, ipv6: no }
the least TTL is above the greatest|resolver: { cache: { ttl: { min: 1d, max: 1h } } }
ROWS
printf 'garbage here\n' >"$dir/garbage"
printf 'resolver: { root-hints: garbage }\n' >"$dir/hints.yaml"
expect 3 'is no file of root hints' "$WAYPOST" check "$dir/hints.yaml"
printf 'listen: [ { address: 127.0.0.1, port: 5399, proto: udp }, { address: 127.0.0.1, port: 5399, proto: tcp } ]\n' >"$dir/apart.yaml"
expect 0 ok "$WAYPOST" check "$dir/apart.yaml"
expect 4 'is the path right?' "$WAYPOST" check "$dir/nothing.yaml"
expect 4 'not a regular file' "$WAYPOST" check "$dir"
expect 4 'cannot be read' "$WAYPOST" zone check a.test "$dir/nothing.zone"
printf 'resolver: { root-hints: nothing }\n' >"$dir/hints.yaml"
expect 4 'nothing cannot be read: not found' "$WAYPOST" run -c "$dir/hints.yaml"
printf 'server: { control: %0120d }\nlisten: [ { address: 127.0.0.1, port: 0 } ]\n' 0 >"$dir/long.yaml"
expect 4 'at most 107 octets' "$WAYPOST" run -c "$dir/long.yaml"
expect 0 'usage: waypost query' "$WAYPOST" query --help
expect 0 'trace --last' "$WAYPOST" help trace
expect 2 'there is no verb' "$WAYPOST" help fly
expect 0 '"version":"' "$WAYPOST" version --json
expect 0 '"default": "64M"' "$WAYPOST" config explain resolver.cache.size --json
expect 5 'no answer from 127.0.0.1:1' "$WAYPOST" query @127.0.0.1:1 a.test
# A full disk: what could not be written is not done. A reader that went away is no error.
for verb in "config new" "lab list --json" version; do
    # shellcheck disable=SC2086
    "$WAYPOST" $verb >/dev/full 2>"$dir/out"
    [ $? = 4 ] || fail "$verb: a full disk went unseen"
    grep -q 'No space left' "$dir/out" || fail "$verb: the full disk is not named"
done
"$WAYPOST" config schema | head -c 1 >/dev/null
[ "${PIPESTATUS[0]}" = 0 ] || fail "a closed pipe is an error"
printf 'resolver: { cach: {} }\n' >"$dir/typo.yaml"
expect 3 'did you mean "cache"?' "$WAYPOST" check "$dir/typo.yaml"
printf 'listen: [ { address: 0.0.0.0, port: 5399 } ]\n' >"$dir/open.yaml"
expect 3 'open resolver' "$WAYPOST" check "$dir/open.yaml"
printf 'resolver: { validate: yes }\n' >"$dir/unbuilt.yaml"
expect 3 'not in this version' "$WAYPOST" check "$dir/unbuilt.yaml"
printf 'listen: [ { address: 192.0.2.77, port: 5399 } ]\n' >"$dir/foreign.yaml"
expect 4 'is this address on this machine?' "$WAYPOST" run -c "$dir/foreign.yaml"
expect 3 'bad.zone:6:5: error: not an IPv4 address' "$WAYPOST" zone check bad.test "$dir/bad.zone"
port=$(python3 "${WAYPOST_SOURCE_DIR:-.}/tests/support/ports.py" 1)
conf "$port" bad.zone >"$dir/conf.yaml"
expect 3 'bad.zone:6:5' "$WAYPOST" check "$dir/conf.yaml"
expect 0 'default: 64M' "$WAYPOST" config explain resolver.cache.size
expect 0 'read at start: a reload that changes it is refused' "$WAYPOST" config explain server.workers

# The schema is one, knows what is required, and takes the lab's configuration (where there is something to check with).
"$WAYPOST" config schema >"$dir/schema.json"
python3 - "$dir/schema.json" "${WAYPOST_SOURCE_DIR:-.}/zones/lab/lab.yaml" <<'P' || fail "the schema"
import json, sys
schema = json.load(open(sys.argv[1]))
item = schema["properties"]["listen"]["allOf"][0]["items"]
assert item["required"] == ["address"], item
assert schema["properties"]["zones"]["allOf"][0]["items"]["required"] == ["name", "file"]
assert "required" not in schema
try:
    import jsonschema, yaml
except ImportError:
    sys.exit(0)
lab = yaml.safe_load(open(sys.argv[2]))
lab["zones"] = [{"on" if k is True else k: v for k, v in z.items()} for z in lab["zones"]]  # YAML 1.1: on is a truth
jsonschema.validate(lab, schema)
for wrong in ({"resolver": {"cach": {}}}, {"listen": [{"port": 53}]}, {"server": {"drain": 5}}, {"gslb": {"sites": {"a": {"att": [1, 2]}}}}, {"cluster": {}}):
    try:
        jsonschema.validate(wrong, schema)
    except jsonschema.ValidationError:
        continue
    raise AssertionError(wrong)
P

# Without standard streams.
printf 'server: { control: none }\nlisten: [ { address: 127.0.0.1, port: 0 } ]\n' >"$dir/streams.yaml"
"$WAYPOST" run -c "$dir/streams.yaml" 0<&- 1>&- 2>&- & pid=$!
for _ in $(seq 600); do # until it minds SIGTERM
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' /proc/$pid/status 2>/dev/null)
    [ $((0x${caught:-0} & 0x4000)) != 0 ] && break
    sleep 0.1
done
kill $pid; wait $pid || fail "closed standard streams"
pid=

# A bad zone is answered SERVFAIL, the others are served; a reload with a bad configuration changes nothing.
command -v dig >/dev/null || exit 0
"$WAYPOST" run -c "$dir/conf.yaml" >"$dir/log" 2>&1 & pid=$!
for _ in $(seq 600); do grep -q ready "$dir/log" && break; sleep 0.1; done
ask() { dig -p "$port" @127.0.0.1 "$1" +norec +time=10 +tries=1; }
reloads=0
reload() { # until the end of it is said: it is done when nobody else wants the processor
    reloads=$((reloads + 1))
    kill -HUP $pid
    for _ in $(seq 600); do [ "$(grep -c 'reload: [dn]o' "$dir/log")" = $reloads ] && return; sleep 0.1; done
    cat "$dir/log"
    fail "no end of reload $reloads"
}
ask a.good.test | grep -q 192.0.2.1 || fail "the good zone is not served"
ask a.bad.test | grep -q SERVFAIL || fail "the bad zone is not SERVFAIL"
cp "$dir/good.zone" "$dir/bad.zone"
reload
ask a.bad.test | grep -q 192.0.2.1 || fail "the mended zone is not served"
printf 'b A 192.0.2.x\n' >>"$dir/bad.zone"
reload
ask a.bad.test | grep -q 192.0.2.1 || fail "the old version was not kept"
printf 'nonsense: 1\n' >>"$dir/conf.yaml"
reload
grep -q 'nothing was changed' "$dir/log" || fail "a bad configuration is not reported"
ask a.good.test | grep -q 192.0.2.1 || fail "a bad configuration changed something"
kill -TERM $pid; wait $pid || fail "the end was not status 0"
pid=
exit 0

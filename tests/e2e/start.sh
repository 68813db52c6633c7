#!/usr/bin/env bash
# Without any configuration a resolver on loopback, with IPv6 or without; who holds port 53 is said once per address; one
# who may not bind it is told what to do. In network namespaces of its own; skipped where there are none.
set -u
fail() { echo "start: $*" >&2; tail -n 20 "$out"/log* "$out"/second "$out"/rights >&2 2>/dev/null; exit 1; }
unshare -n true 2>/dev/null || { echo "no network namespaces here: skipped"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export out XDG_RUNTIME_DIR=$out
inside() { unshare -n bash -c "ip link set lo up 2>/dev/null || ifconfig lo up; $1"; }
inside '
    "$WAYPOST" run 2>"$out/log" & pid=$!
    for _ in $(seq 600); do grep -qs ready "$out/log" && break; sleep 0.1; done
    "$WAYPOST" query @127.0.0.1 localhost +short >"$out/four"
    [ ! -e /proc/net/if_inet6 ] || "$WAYPOST" query @::1 localhost AAAA +short >"$out/six"
    "$WAYPOST" query @127.0.0.1 www.test >"$out/test"; echo $? >"$out/test_code"
    "$WAYPOST" query @127.0.0.1 printer.local >"$out/local"; echo $? >"$out/local_code"
    timeout 20 "$WAYPOST" run 2>"$out/second"; echo $? >"$out/second_code"
    kill $pid; wait $pid; echo $? >"$out/code"'
grep -q '^127.0.0.1$' "$out/four" || fail "no answer on 127.0.0.1"
[ ! -e "$out/six" ] || grep -q '^::1$' "$out/six" || fail "no answer on ::1"
for name in test local; do # beside the real root these do not exist
    grep -q NXDOMAIN "$out/$name" && [ "$(cat "$out/${name}_code")" = 1 ] || fail "$name. is not NXDOMAIN"
done
[ "$(cat "$out/code")" = 0 ] || fail "the end was not status 0"
[ "$(cat "$out/second_code")" = 4 ] || fail "a second server did not end with 4"
[ "$(grep -c 'cannot listen on 127.0.0.1:53 (udp, tcp): address in use, held by waypost' "$out/second")" = 1 ] || fail "the holder is not named once"
# Without a listener written: authority with zones alone, both roles with a resolver's options beside them.
printf '$TTL 60\n@ SOA a. h. 1 1 1 1 1\n@ NS a.\n' >"$out/zone"
for roles in authority authority+resolver; do
    printf 'zones: [ { name: zone.example, file: zone } ]\n' >"$out/roles.yaml"
    [ $roles = authority ] || echo 'resolver: { priming: no }' >>"$out/roles.yaml"
    : >"$out/log" # what the last one said is not this one's
    inside '"$WAYPOST" run -c "$out/roles.yaml" 2>"$out/log" & pid=$!
        for _ in $(seq 600); do grep -qs ready "$out/log" && break; sleep 0.1; done
        kill $pid; wait $pid'
    grep -q "127.0.0.1:53 udp tcp $roles\$" "$out/log" || fail "the role is not $roles"
done
# A machine without IPv6.
if inside 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1' 2>/dev/null; then
    inside '
        sysctl -qw net.ipv6.conf.all.disable_ipv6=1
        "$WAYPOST" run 2>"$out/log4" & pid=$!
        for _ in $(seq 600); do grep -qs ready "$out/log4" && break; sleep 0.1; done
        "$WAYPOST" query @127.0.0.1 localhost +short >"$out/four"
        "$WAYPOST" config new >"$out/new.yaml"; "$WAYPOST" check "$out/new.yaml" >"$out/check"; echo $? >"$out/check_code"
        kill $pid; wait $pid; echo $? >"$out/code"'
    grep -q '^127.0.0.1$' "$out/four" || fail "no start without IPv6"
    [ "$(cat "$out/code")" = 0 ] || fail "the end was not status 0"
    ! grep -q '"::1", *port' "$out/new.yaml" || fail "config new writes a listener that is not there"
    [ "$(cat "$out/check_code")" = 0 ] || fail "config new is not accepted"
fi
# Without an access list the directly connected networks of the listener's interface may ask, also when its address has a
# label of its own; others may not.
if command -v dig >/dev/null && inside 'ip address add 10.9.0.1/24 dev lo label lo:dns' 2>/dev/null; then
    printf 'listen: [ { address: 10.9.0.1, role: resolver } ]\n' >"$out/label.yaml"
    inside '
        ip address add 10.9.0.1/24 dev lo label lo:dns
        ip address add 10.8.0.1/24 dev lo
        ip address add 192.0.2.1/24 dev lo
        "$WAYPOST" run -c "$out/label.yaml" 2>"$out/log5" & pid=$!
        for _ in $(seq 600); do grep -qs ready "$out/log5" && break; sleep 0.1; done
        for from in 10.9.0.1 10.8.0.1 192.0.2.1; do dig -b $from @10.9.0.1 localhost | grep status; done >"$out/label"
        kill $pid; wait $pid'
    [ "$(grep -o 'status: [A-Z]*' "$out/label" | tr '\n' ' ')" = "status: NOERROR status: NOERROR status: REFUSED " ] ||
        { cat "$out/label" >&2; fail "the default access list"; }
fi
# Nobody may not bind port 53.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    cp "$WAYPOST" "$out/program"; chmod 755 "$out" "$out/program"
    inside 'setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all "$out/program" run 2>"$out/rights"; echo $? >"$out/code"'
    [ "$(cat "$out/code")" = 4 ] || fail "no right to bind is not exit 4"
    grep -q 'permission denied' "$out/rights" && grep -q 'setcap' "$out/rights" || fail "no cause, no remedy"
    rm -f "$out/program"
fi
exit 0

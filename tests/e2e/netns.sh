#!/usr/bin/env bash
# The resolver walks from the real addresses of the root servers through servers that others wrote, in a network of
# its own; unbound walks beside it, and both must say the same. Skipped without namespaces or those servers.
# shellcheck disable=SC2317 # finish is called by the trap, start_nsd and start_knotd by the names in servers.txt
set -u
source_dir=$(realpath "${WAYPOST_SOURCE_DIR:-.}")
data=$source_dir/tests/data/netns
export PATH=$PATH:/usr/sbin:/sbin
fail() { echo "netns: $*" >&2; exit 1; }
skip() { echo "netns: skipped: $*"; exit 77; }
helper() { python3 "$source_dir/tests/support/netns.py" "$@"; }

if [ -z "${WAYPOST_NETNS:-}" ]; then
    missing=
    for tool in nsd knotd unbound dig ip unshare python3; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    [ -z "$missing" ] || skip "not installed:$missing"
    into=(unshare -n)
    [ "$(id -u)" = 0 ] || into=(unshare -Urn)
    "${into[@]}" ip link set lo up 2>/dev/null || skip "no network namespaces for this user"
    WAYPOST_NETNS=1 exec "${into[@]}" bash "${BASH_SOURCE[0]}"
fi

out=$(mktemp -d)
pids=()
finish() {
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
    wait
    rm -rf "$out"
}
trap finish EXIT
trap 'exit 1' INT TERM

ip link set lo up
for address in $(helper addresses) $(awk '!/^#/ && $3 != "ROOT" { gsub(",", " ", $3); print $3 }' "$data/servers.txt") \
    203.0.113.98; do
    case $address in
    *:*) ip -6 address add "$address/128" dev lo 2>/dev/null || skip "no IPv6" ;;
    *) ip address add "$address/32" dev lo || fail "$address cannot be added" ;;
    esac
done

zone_file() { case $1 in .) echo "$out/root.zone" ;; *) echo "$out/$1.zone" ;; esac; }

# start_nsd NAME ADDRESSES ZONE...
start_nsd() {
    local name=$1 addresses=$2 zone
    shift 2
    {
        echo "server:"
        for address in ${addresses//,/ }; do echo "  ip-address: $address"; done
        printf '  %s\n' 'port: 53' 'username: ""' 'chroot: ""' 'zonesdir: ""' 'database: ""' 'server-count: 1' \
            'rrl-ratelimit: 0' 'rrl-whitelist-ratelimit: 0' "pidfile: \"$out/$name.pid\"" \
            "xfrdfile: \"$out/$name.xfrd\"" "xfrdir: \"$out\"" "zonelistfile: \"$out/$name.zones\""
        printf 'remote-control:\n  control-enable: no\n'
        for zone in "$@"; do printf 'zone:\n  name: %s\n  zonefile: "%s"\n' "$zone" "$(zone_file "$zone")"; done
    } >"$out/$name.conf"
    nsd -d -c "$out/$name.conf" >"$out/$name.log" 2>&1 &
    pids+=($!)
}

# start_knotd NAME ADDRESSES ZONE...
start_knotd() {
    local name=$1 addresses=$2 zone
    shift 2
    mkdir "$out/$name"
    {
        printf '%s\n' "server:" "  rundir: $out/$name" "  udp-workers: 1" "  tcp-workers: 1" "  background-workers: 1"
        for address in ${addresses//,/ }; do echo "  listen: $address@53"; done
        printf '%s\n' "database:" "  storage: $out/$name" "log:" "  - target: stderr" "    any: warning" \
            "policy:" "  - id: nsec3" "    nsec3: on" "    nsec3-iterations: 0" "zone:"
        for zone in "$@"; do
            printf '  - domain: %s\n    file: %s\n' "$zone" "$(zone_file "$zone")"
            printf '    zonefile-sync: -1\n    journal-content: none\n'
            case $zone in
            signed.*) printf '    dnssec-signing: on\n' ;;
            signed3.*) printf '    dnssec-signing: on\n    dnssec-policy: nsec3\n' ;;
            esac
        done
    } >"$out/$name.conf"
    knotd -c "$out/$name.conf" >"$out/$name.log" 2>&1 &
    pids+=($!)
}

helper zones "$data" "$out" || fail "no zones"
while read -r name program addresses zones; do
    case $name in '#') continue ;; esac
    [ "$addresses" != ROOT ] || addresses=$(helper addresses | paste -sd,)
    # shellcheck disable=SC2086 # the zones are words
    "start_$program" "$name" "$addresses" $zones
done <"$data/servers.txt"
helper ready "$data/servers.txt" || { tail -n 5 "$out"/*.log; fail "a name server is not there"; }

# start_waypost PORT OPTION...
start_waypost() {
    {
        printf '%s\n' "server: { workers: 2, control: none }" \
            "listen: [{ address: 127.0.0.1, port: $1, role: resolver }]" "resolver:" "  allow: [127.0.0.0/8]"
        [ $# = 1 ] || printf '  %s\n' "${@:2}"
    } >"$out/waypost-$1.yaml"
    "$WAYPOST" run -c "$out/waypost-$1.yaml" >"$out/waypost-$1.log" 2>&1 &
    pids+=($!)
    waypost+=($!)
}
waypost=()
start_waypost 5301
start_waypost 5303 "qname-minimisation: no" "case-randomisation: no" "priming: no"
# Through a pipe, because a confined unbound (AppArmor) may not read files here.
unbound -d -p -c <(cat <<END
server:
  interface: 127.0.0.1@5302
  username: ""
  chroot: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  qname-minimisation: yes
  edns-buffer-size: 1232
remote-control:
  control-enable: no
END
) >"$out/unbound.log" 2>&1 &
pids+=($!)
for log in waypost-5301 waypost-5303 unbound; do
    for _ in $(seq 600); do grep -Eqs 'ready|start of service' "$out/$log.log" && break; sleep 0.1; done
    grep -Eqs 'ready|start of service' "$out/$log.log" || { cat "$out/$log.log"; fail "$log does not start"; }
done

helper compare "$out" 5301 5303 5302 >"$out/compare" || {
    cat "$out/compare"
    tail -n 20 "$out"/waypost-*.log
    fail "not the same"
}

# A third opinion, and what is meant by the zones: both could be wrong in the same way.
while read -r name type rcode answer; do
    got=$(dig -p 5301 @127.0.0.1 "$name" "$type" +time=8 +tries=1)
    grep -q "status: $rcode," <<<"$got" || { echo "$got"; fail "dig: $name $type: not $rcode"; }
    [ -z "$answer" ] || grep -qF "$answer" <<<"$got" || { echo "$got"; fail "dig: $name $type: no $answer"; }
done <<'END'
www.plain.alpha A NOERROR 192.0.2.101
c1.alias.alpha A NOERROR 192.0.2.211
www.old.dname.beta A NOERROR 198.51.100.103
www.six.gamma AAAA NOERROR 2001:db8::6105
www.glueless.gamma A NOERROR 203.0.113.101
www.lame.gamma A NOERROR 203.0.113.103
www.dead.gamma A NOERROR 203.0.113.104
www.looping.gamma A NOERROR 203.0.113.106
www.child.gamma A NOERROR 203.0.113.102
plain.alpha DS NOERROR 12345
nothing.plain.alpha A NXDOMAIN ns1.plain.alpha.
d.e.f.plain.alpha A NOERROR ns1.plain.alpha.
www.lost.gamma A SERVFAIL EDE
a300.big.beta A NOERROR 10.0.1.43
END
for pid in "${waypost[@]}"; do
    kill -TERM "$pid"
    wait "$pid" || { cat "$out"/waypost-*.log; fail "waypost did not end with 0"; }
done
grep '^exception' "$out/compare"
tail -n 1 "$out/compare"
exit 0

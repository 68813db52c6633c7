#!/usr/bin/env bash
# Every yaml block of the manual that configures something passes `waypost check`, and so does what `config new gslb` prints.
# A name that is not there is refused with the place to write it. What a block leaves to its surroundings (the zone, a list of networks) is made here.
set -u
fail() { echo "docs: $*" >&2; exit 1; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

printf '192.0.2.0/24\n' >"$dir/labs.txt"
cat >"$dir/example.com.zone" <<'ZONE'
$ORIGIN example.com.
$TTL 300
@ SOA ns hostmaster 1 3600 900 604800 300
@ NS ns
ns A 203.0.113.1
ZONE

# holds LABEL FILE: `waypost check` takes it.
holds() {
    "$WAYPOST" check -c "$2" >"$dir/said" 2>&1 || { cat "$dir/said" >&2; fail "$1 does not pass waypost check"; }
}

checked=0
for page in docs/*.md README.md; do
    rm -f "$dir"/block.*
    awk -v stem="$dir/block." '/^```yaml/ { n++; open = 1; next } /^```/ { open = 0 } open { print > (stem n) }' "$page"
    for block in "$dir"/block.*; do
        [ -f "$block" ] || continue
        grep -q '^tests:' "$block" && continue # a file of policy tests, not a configuration
        grep -q '^zones:' "$block" || printf 'zones:\n  - { name: example.com, file: example.com.zone }\n' >>"$block"
        holds "$page, yaml block ${block##*.}," "$block"
        checked=$((checked + 1))
    done
done
[ "$checked" -ge 2 ] || fail "only $checked yaml blocks found: does the search still fit the pages?"

"$WAYPOST" config new gslb >"$dir/new.yaml" || fail "config new gslb"
holds "config new gslb" "$dir/new.yaml"
grep -q ': ok, 1 listener, 1 zone$' "$dir/said" || fail "check said: $(cat "$dir/said")"
said=$("$WAYPOST" gslb explain nope.example.com --from 192.0.2.1 --config "$dir/new.yaml" 2>&1)
[ $? = 1 ] && [[ $said == *'write it under gslb.names'* ]] || fail "a name that is not steered: $said"
echo "docs: $checked blocks"

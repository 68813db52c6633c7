#!/usr/bin/env bash
# geo build, lookup and info: a database of our own, read by us and by mmdblookup; others' databases by both.
set -u
fail() { echo "geo: $*" >&2; exit 1; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$WAYPOST_SOURCE_DIR" || exit 1
data=tests/data/mmdb

python3 - "$dir/rows.csv" <<'P' || fail "the rows could not be written"
import random, sys
random.seed(3)
with open(sys.argv[1], "w") as f:
    f.write("network,continent,country,subdivision,city,asn,organisation,latitude,longitude,radius\n")
    f.write("10.0.0.0/8,EU,DE,,,,,,,\n2a00::/12,EU,FR,,,,,,,\n")
    for i in range(400):
        where = f"10.{i // 2}.{i % 2 * 128}.0/{random.choice((17, 20, 24))}" if i < 300 else f"2a00:{i:x}::/32"
        f.write(f"{where},NA,US,CA/{i % 10},\"City, {i % 50}\",{64512 + i % 20},Org {i % 20},"
                f"{random.uniform(-90, 90):.4f},{random.uniform(-180, 180):.4f},{random.randrange(1, 500)}\n")
P

# expect CODE ARGUMENT...: the exit code of waypost geo; its output is in $dir/out and $dir/err.
expect() {
    local want=$1 got
    shift
    "$WAYPOST" geo "$@" >"$dir/out" 2>"$dir/err"
    got=$?
    [ $got = "$want" ] || { cat "$dir/out" "$dir/err" >&2; fail "geo $*: exit code $got instead of $want"; }
}
expect 0 build "$dir/rows.csv" -o "$dir/own.mmdb" --description 'for a test'
grep -q 'waypost-City-ASN' "$dir/out" || fail "build does not say the type"
expect 0 info "$dir/own.mmdb" --json
python3 - "$dir/out" <<'P' || fail "info"
import json, sys
i = json.load(open(sys.argv[1]))
assert i["description"] == "for a test" and i["ip_version"] == 6 and all(i["says"].values()), i
P
expect 0 lookup -d "$dir/own.mmdb" 10.0.0.1 10.200.0.1
grep -q '^10\.200\.0\.1 .*EU  DE$' "$dir/out" || fail "the wider network"
expect 1 lookup -d "$dir/own.mmdb" 10.0.0.1 192.0.2.1
grep -q '^192\.0\.2\.1 .* unknown$' "$dir/out" || fail "an unknown address"
expect 0 lookup -d "$dir/own.mmdb" -d $data/GeoLite2-ASN-Test.mmdb 1.128.0.1
[ "$(wc -l <"$dir/out")" = 2 ] || fail "two databases are two lines"
expect 0 lookup -d zones/lab/places.csv 127.20.0.1 2001:db8:24::1
[ "$(grep -c 'Ashburn\|Tokyo' "$dir/out")" = 2 ] || fail "rows are not looked up as they are"
expect 2 lookup -d "$dir/own.mmdb" not-an-address
expect 2 lookup 10.0.0.1
expect 2 lookup -d "$dir/own.mmdb"
expect 2 build "$dir/rows.csv"
expect 2 unheard-of
expect 2
expect 4 info "$dir/absent.mmdb"
expect 3 info $data/bad/unexpected-bytes.mmdb
grep -q 'unexpected-bytes.mmdb: error: ' "$dir/err" || fail "a bad file is not named"
printf 'network,asn\n10.0.0.0/8,x\n' >"$dir/bad.csv"
expect 3 build "$dir/bad.csv" -o "$dir/own.mmdb"
grep -q 'bad.csv:2:12: error: ' "$dir/err" || fail "a bad row has no place"
expect 0 info "$dir/own.mmdb"
expect 4 build "$dir/rows.csv" -o "$dir/absent/own.mmdb"
(cd "$dir" && [ "$(echo *)" = 'bad.csv err out own.mmdb rows.csv' ]) || fail "something was left behind"
[ "$("$WAYPOST" completion bash | grep -c 'build lookup info test')" = 1 ] || fail "completion"

command -v mmdblookup >/dev/null || { echo "mmdblookup is not installed: compared with nobody"; exit 0; }
python3 - "$dir" "$data" <<'P' || fail "mmdblookup says something else"
import functools, json, os, random, re, subprocess, sys
folder, data = sys.argv[1:]
seed = random.randrange(1 << 32)
print("seed", seed, file=sys.stderr)
r = random.Random(seed)
own = [f"10.{r.randrange(200)}.{r.randrange(256)}.{r.randrange(256)}" for _ in range(60)]
own += [f"2a00:{r.randrange(280, 420):x}::{r.randrange(65536):x}" for _ in range(30)]
own += [f"2002:a{r.randrange(200):02x}:{r.randrange(65536):x}::1" for _ in range(10)]
own += [f"64:ff9b::10.{r.randrange(200)}.0.1" for _ in range(10)]
city = ["2.125.160.216", "216.160.83.56", "89.160.20.112", "81.2.69.160", "2001:218::", "2001:480:10::1", "1.1.1.1",
        "2a02:d300::1", "2002:5102:45a0::1", "67.43.156.1", "175.16.199.1", "202.196.224.1"]
cases = [(folder + "/own.mmdb", own), (data + "/GeoIP2-City-Test.mmdb", city), (data + "/GeoLite2-City-Test.mmdb", city),
         (data + "/GeoIP2-Country-Test.mmdb", city), (data + "/GeoIP2-Precision-Enterprise-Test.mmdb", city),
         (data + "/GeoIP2-ISP-Test.mmdb", city + ["1.128.0.1", "2600:7000::1"]),
         (data + "/GeoLite2-ASN-Test.mmdb", city + ["1.128.0.1", "2600:7000::1"])]

def witness(path, ip):
    """mmdblookup's output is JSON but for the types and the commas."""
    p = subprocess.run(["mmdblookup", "--file", path, "--ip", ip], capture_output=True, text=True)
    if "Could not find an entry" in p.stdout + p.stderr:
        return None
    text = re.sub(r" <(?:utf8_string|double|float|uint16|uint32|uint64|int32|boolean)>\n", ",\n", p.stdout)
    text = re.sub(r"([}\]])\n", r"\1,\n", text).strip().rstrip(",")
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", text))

def expected(w):
    get = lambda *k: functools.reduce(lambda a, b: (a or {}).get(b), k, w)
    country, where, at = get("country", "iso_code"), get("location") or {}, get("traits") or {}
    e = {"continent": get("continent", "code"), "country": country or get("registered_country", "iso_code"),
         "subdivisions": [s["iso_code"] for s in w.get("subdivisions", []) if "iso_code" in s][:3] or None,
         "city": get("city", "names", "en")}
    if e["country"]:
        e["registered"] = not country
    if "latitude" in where and "longitude" in where:
        e.update(latitude=where["latitude"], longitude=where["longitude"], radius_km=where.get("accuracy_radius"))
    for source in (at, w):
        e["asn"] = source.get("autonomous_system_number") or e.get("asn")
        e["organisation"] = (source.get("autonomous_system_organization") or source.get("organization") or
                             source.get("isp") or e.get("organisation"))
    return {k: v for k, v in e.items() if v is not None}

seen = wrong = 0
for path, ips in cases:
    p = subprocess.run([os.environ["WAYPOST"], "geo", "lookup", "--json", "-d", path, *ips], capture_output=True, text=True)
    for ip, answer in zip(ips, json.loads(p.stdout)["addresses"]):
        w, ours = witness(path, ip), answer["databases"][0]["place"]
        theirs = expected(w) if w else None
        near = lambda a, b: a == b or isinstance(a, float) and isinstance(b, (int, float)) and abs(a - b) < 2e-5
        same = (ours is None) == (theirs is None) and (
            ours is None or ours.keys() == theirs.keys() and all(near(ours[k], theirs[k]) for k in ours))
        seen += 1
        if not same:
            wrong += 1
            print(path, ip, ours, theirs, file=sys.stderr)
print(seen, "addresses compared,", wrong, "differ")
sys.exit(wrong > 0 or seen < 150)
P

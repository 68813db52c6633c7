#!/usr/bin/env python3
"""Every record type, read and served the way software that others wrote reads it.

tests/data/types.zone holds each type in several notations. named-checkzone, kzonecheck and dnspython read the same
file; dig, kdig and a bare socket ask for every set; all must come to the same octets and the same text. Then records
that are wrong: waypost and named-checkzone refuse the same ones, or a row says why not.
Skipped without dnspython and dig; parts whose tool is absent are said."""
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

try:
    import dns.name
    import dns.rdata
    import dns.rdatatype
    import dns.zone
except ImportError:
    system = "/usr/bin/python3"  # Debian's packages are seen by Debian's interpreter alone
    if os.access(system, os.X_OK) and os.path.realpath(sys.executable) != os.path.realpath(system):
        os.execv(system, [system, *sys.argv])
    print("dnspython is not installed: skipped")
    sys.exit(77)

WAYPOST = os.environ["WAYPOST"]
DATA = os.path.join(os.environ.get("WAYPOST_SOURCE_DIR", "."), "tests/data")
ORIGIN = dns.name.from_text("types.test.")
NSEC3 = dns.rdatatype.NSEC3
EVERY_TYPE = """A NS CNAME SOA PTR HINFO MX TXT RP AFSDB AAAA LOC SRV NAPTR KX CERT DNAME APL DS SSHFP IPSECKEY RRSIG
NSEC DNSKEY DHCID NSEC3 NSEC3PARAM TLSA SMIMEA HIP CDS CDNSKEY OPENPGPKEY CSYNC ZONEMD SVCB HTTPS SPF EUI48 EUI64 URI CAA
TYPE261 TYPE65280""".split()

# What a witness does not know is given to it as octets, made here from the texts or by another witness.
RESINFO = {
    'resinfo RESINFO qnamemin exterr=15,16,17 "infourl=https://resolver.example.com/guide"':
        [b"qnamemin", b"exterr=15,16,17", b"infourl=https://resolver.example.com/guide"],
    'resinfo2 RESINFO "a=\\001;b"': [b"a=\x01;b"],
}

failures = []


def fail(text):
    failures.append(text)
    print("rdata:", text, file=sys.stderr)


def have(tool):
    if shutil.which(tool):
        return True
    print(tool, "is not installed: what it would say is left out")
    return False


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def generic(wire):
    return "\\# %d %s" % (len(wire), wire.hex())


def swap(text, old, new):
    if old not in text:
        fail(f"types.zone no longer holds {old!r}")
    return text.replace(old, new)


def without_resinfo(text):
    for line, strings in RESINFO.items():
        owner = line.split("RESINFO")[0]
        text = swap(text, line, owner + "TYPE261 " + generic(b"".join(bytes([len(s)]) + s for s in strings)))
    return text


def for_dnspython(text):
    return swap(without_resinfo(text), "dohpath=", "key7=")  # RFC 9461 came later


def for_knot(text, zone):
    text = swap(without_resinfo(text), "FwCfQdW\n         L3b", "FwCfQdWL3b\n         ")  # base64 in fours per word
    text = swap(text, "alpn=f\\\\\\092oo\\092,bar,h2", 'alpn="f\\\\\\\\oo\\\\,bar,h2" key65400=x')
    text = swap(text, "dohpath=", "key7=")
    text = swap(text, "      DS 0 252 254 0102\n", "")  # an algorithm it does not know
    text = re.sub(r"(?ms)^hip .*?(?=^\S)", "", text)
    for rd in zone.get_rdataset("hip.types.test.", "HIP"):
        text += f"hip TYPE55 {generic(rd.to_wire())}\n"
    return text


# ---- asking ----

def skip_name(msg, at):
    while msg[at]:
        if msg[at] >= 0xC0:
            return at + 2
        at += 1 + msg[at]
    return at + 1


def plain_name(msg, at):
    out = b""
    while msg[at]:
        if msg[at] >= 0xC0:
            at = (msg[at] & 0x3F) << 8 | msg[at + 1]
            continue
        out += msg[at:at + 1 + msg[at]]
        at += 1 + msg[at]
    return out + b"\0"


def flat(msg, rtype, at, length):
    """RDATA with its names written out; only the types of RFC 1035 may have been compressed (RFC 3597 4)."""
    if rtype in (2, 5, 12):
        return plain_name(msg, at)
    if rtype == 15:
        return msg[at:at + 2] + plain_name(msg, at + 2)
    if rtype == 6:
        second = skip_name(msg, at)
        return plain_name(msg, at) + plain_name(msg, second) + msg[skip_name(msg, second):at + length]
    return msg[at:at + length]


def ask(port, name, rtype, dnssec=False):
    """(rcode, sections): each section maps (lower-case owner, type) to a sorted list of (TTL, octets)."""
    opt = b"\0" + struct.pack(">HHIH", 41, 4096, 0x8000, 0) if dnssec else b""
    query = struct.pack(">6H", 4711, 0, 1, 0, 0, len(opt) > 0) + name.to_wire() + struct.pack(">HH", rtype, 1) + opt
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(struct.pack(">H", len(query)) + query)
        f = s.makefile("rb")
        msg = f.read(struct.unpack(">H", f.read(2))[0])
    _, flags, questions, *counts = struct.unpack(">6H", msg[:12])
    at, sections = 12, []
    for _ in range(questions):
        at = skip_name(msg, at) + 4
    for count in counts:
        sets = {}
        for _ in range(count):
            owner = plain_name(msg, at).lower()
            at = skip_name(msg, at)
            rrtype, _, ttl, length = struct.unpack(">HHIH", msg[at:at + 10])
            at += 10
            sets.setdefault((owner, rrtype), []).append((ttl, flat(msg, rrtype, at, length)))
            at += length
        sections.append({key: sorted(value) for key, value in sets.items()})
    if at != len(msg):
        fail(f"{name} {rtype}: {len(msg) - at} octets behind the records")
    return flags & 15, sections


def section_of(name, rtype):
    """Where an answer stands: at a cut the records are the referral's."""
    if name.to_text() == "child.types.test." and rtype == dns.rdatatype.NS:
        return 1
    return 2 if name.to_text() == "ns.child.types.test." else 0


def squeeze(text):
    return re.sub(r"\s", "", text)


def lines_of_dump(text):
    """named-checkzone -D, or dig: {(owner, type): {rdata, ...}}, blanks left out (they part long base64)."""
    sets = {}
    for line in text.splitlines():
        if line and line[0] not in ";\t ":
            part = line.split(None, 4)
            if len(part) >= 4 and part[2] == "IN":
                key = (part[0].lower(), part[3])
                sets.setdefault(key, set()).add(squeeze(part[4] if len(part) > 4 else ""))
    return sets


def compare_wire(port, zone):
    asked = 0
    for name, rdataset in zone.iterate_rdatasets():
        rtype, label = rdataset.rdtype, f"{name} {dns.rdatatype.to_text(rdataset.rdtype)}"
        expected = sorted((rdataset.ttl, rd.to_wire(origin=ORIGIN)) for rd in rdataset)
        if rtype == dns.rdatatype.RRSIG and rdataset.covers == NSEC3:
            continue
        rcode, sections = ask(port, name, rtype)
        got = sections[section_of(name, rtype)].get((name.to_wire().lower(), rtype), [])
        asked += 1
        if rtype == NSEC3:  # RFC 5155 7.2.8: such an owner name does not exist
            if rcode != 3 or got:
                fail(f"{label}: not a name error")
        elif got != expected:
            fail(f"{label}:\n  expected {expected}\n  received {got}")
    return asked


def compare_text(port, zone, dump):
    """dig's text of our answers is what named-checkzone makes of the file; kdig's reads back as the same octets."""
    asked, kdig = 0, have("kdig")
    for name, rdataset in zone.iterate_rdatasets():
        rtype = dns.rdatatype.to_text(rdataset.rdtype)
        if rtype == "NSEC3" or section_of(name, rdataset.rdtype):
            continue
        asked += 1
        here = ["@127.0.0.1", "-p", str(port), "-q", name.to_text(), "+norec", "+noall", "+answer", "+time=10"]
        out = run("dig", *here, "-t", rtype, "+tries=1").stdout
        # dig shares ports (SO_REUSEPORT), as we do: now and then it is given the server's, and hears itself.
        if "query response not set" in out:
            out = run("dig", *here, "-t", rtype, "+tries=1").stdout
        got = {key: value for key, value in lines_of_dump(out).items() if key[0] == name.to_text().lower()}
        expected = {key: value for key, value in dump.items() if key in got}
        if not got or got != expected:
            fail(f"dig {name} {rtype}:\n{out}  expected {expected}")
        if not kdig:
            continue
        out = run("kdig", *here, "-t", f"TYPE{rdataset.rdtype:d}").stdout
        read = set()
        for line in out.splitlines():
            part = line.split(None, 4)
            if len(part) > 3 and part[0].lower() == name.to_text().lower():
                text = part[4] if len(part) > 4 else ""
                read.add(dns.rdata.from_text("IN", rdataset.rdtype, text.replace("dohpath=", "key7=")).to_wire())
        if read != {rd.to_wire(origin=ORIGIN) for rd in rdataset}:
            fail(f"kdig {name} {rtype}:\n{out}")
    return asked


def compare_proofs(port):
    """NSEC and NSEC3 cannot be asked for at a hashed name: they are seen as proofs, in zones that BIND signed."""
    seen = set()
    for which in ("nsec", "nsec3", "optout"):
        zone = dns.zone.from_file(f"{DATA}/{which}.test.zone", f"{which}.test.", relativize=False)
        known = {(name.to_wire().lower(), rd.rdtype, rd.to_wire(origin=zone.origin))
                 for name, _, rd in zone.iterate_rdatas()}
        for label in "no a.b.no x.www www ent x.ent child a.child x.wild x.sub.wild zz 0".split():
            for rtype in (1, 16, 43):
                _, sections = ask(port, dns.name.from_text(f"{label}.{which}.test."), rtype, dnssec=True)
                for (owner, rrtype), records in sections[1].items():
                    for _, wire in records:
                        seen.add((owner, rrtype, wire))
                        if (owner, rrtype, wire) not in known:
                            fail(f"{label}.{which}.test: not in the zone: {owner} {rrtype} {wire.hex()}")
    count = sum(1 for _, rrtype, _ in seen if rrtype in (47, 50))
    if count < 20:
        fail(f"only {count} NSEC and NSEC3 records seen")
    return count


def serve(folder):
    conf = os.path.join(folder, "conf.yaml")
    with open(conf, "w", encoding="utf-8") as f:
        f.write("server: { control: none }\nlisten: [ { address: 127.0.0.1, port: 0, role: authority } ]\nzones:\n")
        for name, path in [("types.test", "types")] + [(z + ".test", z + ".test") for z in ("nsec", "nsec3", "optout")]:
            f.write(f"  - {{ name: {name}, file: {os.path.abspath(DATA)}/{path}.zone }}\n")
    server = subprocess.Popen([WAYPOST, "run", "-c", conf], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    port, seen = None, []
    for line in server.stdout:
        seen.append(line)
        found = re.match(r"listening +127\.0\.0\.1:(\d+)", line)
        port = int(found.group(1)) if found else port
        if "ready" in line:
            return server, port
    server.wait()
    print("".join(seen), file=sys.stderr)
    raise SystemExit("rdata: waypost does not start")


# ---- what is wrong ----

LONG = "x" * 256
# type, text, and why named-checkzone thinks otherwise ("" when it agrees).
BROKEN = [
    ("A", "192.0.2", ""),
    ("A", "192.0.2.1 192.0.2.2", ""),
    ("A", "192.0.2.256", ""),
    ("AAAA", "192.0.2.1", ""),
    ("AAAA", "2001:db8:::1", ""),
    ("NS", "a..b.", ""),
    ("CNAME", "", ""),
    ("PTR", "x" * 64 + ".", ""),
    ("DNAME", "a b", ""),
    ("HINFO", '"one"', ""),
    ("HINFO", '"one" "two" "three"', ""),
    ("MX", "65536 a", ""),
    ("MX", "ten a", ""),
    ("TXT", "", ""),
    ("TXT", f'"{LONG}"', ""),
    ("TXT", '"\\256"', ""),
    ("RP", "a", ""),
    ("AFSDB", "-1 a", ""),
    ("LOC", "91 0 0 N 0 0 0 E 0m", ""),
    ("LOC", "42 60 0 N 71 6 18 W 0m", ""),
    ("LOC", "42 21 54 W 71 6 18 N 0m", ""),
    ("LOC", "42 21 54 N 71 6 18 W 0m 1m 1m 1m 1m", ""),
    ("SRV", "0 5 5060", ""),
    ("SRV", "0 5 65536 a", ""),
    ("NAPTR", '100 10 "u" "E2U+sip" .', ""),
    ("NAPTR", '100 x "u" "E2U+sip" "" .', ""),
    ("KX", "a", ""),
    ("CERT", "PKIXX 1 1 AQID", ""),
    ("CERT", "1 1 256 AQID", ""),
    ("CERT", "1 1 1 AQI", ""),
    ("APL", "1:192.0.2.0", ""),
    ("APL", "1:192.0.2.0/33", ""),
    ("APL", "3:192.0.2.0/24", ""),
    ("APL", "2:192.0.2.0/24", ""),
    ("DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A29211", ""),
    ("DS", "60485 RSASHA3 1 2BB183AF5F22588179A53B0A98631FAD1A292118", ""),
    ("DS", "65536 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", ""),
    ("DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A2921", ""),
    ("DS", "60485 5 2 2BB183AF5F22588179A53B0A98631FAD1A292118", ""),
    ("CDS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A2921", ""),
    ("CDS", "0 0 0", ""),
    ("DNSKEY", "257 3 13 !!!!", ""),
    ("DNSKEY", "65536 3 13 AQID", ""),
    ("DNSKEY", "257 3 13", ""),
    ("CDNSKEY", "0 3 0 A", ""),
    ("CDNSKEY", "257 256 13 AQID", ""),
    ("SSHFP", "1 1 xyz", ""),
    ("SSHFP", "256 1 123456789abcdef67890123456789abcdef67890", ""),
    ("SSHFP", "1 1 1234", ""),
    ("IPSECKEY", "10 1 2 2001:db8::1 AQID", ""),
    ("IPSECKEY", "10 0 2 gateway.example. AQID", ""),
    ("IPSECKEY", "10 4 2 . AQID", ""),
    ("RRSIG", "A 13 3 3600 20601301000000 20260101000000 1 types.test. AQID", ""),
    ("RRSIG", "A 13 3 3600 20600230000000 20260101000000 1 types.test. AQID", ""),
    ("RRSIG", "NOTYPE 13 3 3600 20600101000000 20260101000000 1 types.test. AQID", ""),
    ("RRSIG", "A 13 3 3600 20600101000000 20260101000000 1 types.test.", ""),
    ("NSEC", "a NOTYPE", ""),
    ("NSEC", "a TYPE65536", ""),
    ("NSEC3", "1 0 1 - 2t7b4g4vsa5smi47k61mv5bv1a22boj! A", ""),
    ("NSEC3", "1 0 65536 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", ""),
    ("NSEC3", "1 0 1 ABC 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", ""),
    ("NSEC3PARAM", "1 0 1", ""),
    ("NSEC3PARAM", "1 0 1 xx", ""),
    ("DHCID", "AAIB!", ""),
    ("DHCID", "", ""),
    ("TLSA", "3 1 1 0a0", ""),
    ("TLSA", "256 1 1 0a0b", ""),
    ("TLSA", "3 1 1", ""),
    ("SMIMEA", "3 1 0g 00", ""),
    ("SMIMEA", "3 1", ""),
    ("HIP", "2 ABC AQID", ""),
    ("HIP", "2 200100107B1A74DF365639CC39F1D578", ""),
    ("HIP", "256 200100107B1A74DF365639CC39F1D578 AQID", ""),
    ("OPENPGPKEY", "AQI", ""),
    ("OPENPGPKEY", "", ""),
    ("CSYNC", "66 65536 A", ""),
    ("CSYNC", "66 3 NOTYPE", ""),
    ("ZONEMD", "2026112101 1 1 c68090", ""),
    ("ZONEMD", "2026112101 1 2 xx", ""),
    ("SVCB", "1 a port=65536", ""),
    ("SVCB", "1 a alpn=h2 alpn=h3", ""),
    ("SVCB", "1 a no-default-alpn=x alpn=h2", ""),
    ("SVCB", "1 a mandatory=port", ""),
    ("SVCB", "1 a mandatory=mandatory", ""),
    ("SVCB", "1 a mandatory=port,port port=1", ""),
    ("SVCB", "1 a ipv4hint=2001:db8::1", ""),
    ("SVCB", "1 a nokey=1", ""),
    ("HTTPS", "1 a key00001=x", ""),
    ("HTTPS", "1 a key65536=x", ""),
    ("HTTPS", "1 a ipv6hint=192.0.2.1", ""),
    ("HTTPS", "1 a alpn=", ""),
    ("HTTPS", "1 a ech=!", ""),
    ("HTTPS", "1 a no-default-alpn", ""),
    ("SPF", "", ""),
    ("EUI48", "00-00-5e-00-53", ""),
    ("EUI48", "00:00:5e:00:53:2a", ""),
    ("EUI64", "00-00-5e-ef-10-00-00", ""),
    ("EUI64", "00-00-5e-ef-10-00-00-2g", "RFC 7043 4.2: eight two-digit hexadecimal numbers"),
    ("URI", '10 1 ""', "RFC 7553 4.5: the length of the Target field MUST be greater than zero"),
    ("URI", '10 65536 "ftp://a/"', ""),
    ("CAA", '256 issue "a"', ""),
    ("CAA", '0 is-sue "a"', ""),
    ("CAA", '0 "" "a"', ""),
    ("TYPE65280", "\\# 3 abcd", ""),
    ("TYPE65280", "abcdef", ""),
    ("A", "\\# 3 c00002", ""),
    ("MX", "\\# 3 000a c0", ""),
]


def compare_broken(folder):
    head = "$TTL 60\n@ SOA a h 1 1 1 1 1\n@ NS a\na A 192.0.2.1\n@ RP a a\n"
    path = os.path.join(folder, "broken.zone")
    named = have("named-checkzone")
    with open(path, "w", encoding="utf-8") as f:
        f.write(head)
    if run(WAYPOST, "zone", "check", "types.test", path).returncode:
        fail("the zone without a broken record is refused")
    for rtype, text, otherwise in BROKEN:
        label, line = f"{rtype} {text[:60]}", f"x {rtype} {text}".rstrip()
        with open(path, "w", encoding="utf-8") as f:
            f.write(head + line + "\nlast A 192.0.2.9\n")
        got = run(WAYPOST, "zone", "check", "types.test", path)
        place = re.search(rf"^{re.escape(path)}:(\d+):(\d+): error: ", got.stdout, re.M)
        if got.returncode != 3 or not place:
            fail(f"accepted: {label}\n{got.stdout}")
        elif place.group(1) != "6" or not len(f"x {rtype}") <= int(place.group(2)) <= len(line) + 1:
            fail(f"{label}: the place is wrong: {place.group(0)}")
        if named and (run("named-checkzone", "-i", "none", "types.test", path).returncode == 0) != bool(otherwise):
            fail(f"named-checkzone {'refuses' if otherwise else 'accepts'}: {label}")
    return len(BROKEN)


def main():
    if not have("dig"):
        sys.exit(77)
    with open(f"{DATA}/types.zone", encoding="ascii") as f:
        text = f.read()
    zone = dns.zone.from_text(for_dnspython(text), ORIGIN, relativize=False)
    types = {dns.rdatatype.to_text(rds.rdtype) for _, rds in zone.iterate_rdatasets()}
    for missing in sorted(set(EVERY_TYPE) - types):
        fail(f"types.zone has no {missing}")
    got = run(WAYPOST, "zone", "check", "types.test", f"{DATA}/types.zone")
    if got.returncode:
        fail("waypost refuses types.zone:\n" + got.stdout)
    with tempfile.TemporaryDirectory() as folder:
        path, dump = os.path.join(folder, "types.zone"), None
        if have("named-checkzone"):
            with open(path, "w", encoding="ascii") as f:
                f.write(without_resinfo(text))
            got = subprocess.run(
                ["named-checkzone", "-i", "none", "-q", "-D", "-o", "-", "-s", "full", "types.test", path],
                capture_output=True, text=True, check=False)
            dump = lines_of_dump(got.stdout)
            if got.returncode or len(dump) < 50:
                fail("named-checkzone refuses types.zone:\n" + run("named-checkzone", "types.test", path).stdout)
        if have("kzonecheck"):
            with open(path, "w", encoding="ascii") as f:
                f.write(for_knot(text, zone))
            got = run("kzonecheck", "-v", "-d", "off", "-o", "types.test", path)
            if got.returncode:
                fail("kzonecheck refuses types.zone:\n" + got.stdout)
        server, port = serve(folder)
        try:
            said = f"{compare_wire(port, zone)} sets equal on the wire"
            said += f", {compare_text(port, zone, dump)} as text" if dump else ""
            said += f", {compare_proofs(port)} proofs"
        finally:
            server.terminate()
            if server.wait():
                fail("the end was not status 0")
        print(f"{said}, {compare_broken(folder)} broken records; {len(types)} types")
    sys.exit(1 if failures else 0)


main()

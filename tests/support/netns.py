#!/usr/bin/env python3
"""The parts of tests/e2e/netns.sh that a shell is no good at. Standard library only.

netns.py addresses               the addresses of the root servers, one per line
netns.py zones SOURCE OUT        the zones of tests/data/netns, completed with what is generated
netns.py ready SERVERS           waits until every server answers with authority for its zones
netns.py compare ZONES A B C     asks 127.0.0.1 port A (waypost) and port C (unbound) everything, twice, and then
                                 port B (another waypost) and C
"""
import os
import random
import socket
import struct
import sys
import threading
import time

ROOTS = [line.split() for line in """
a 198.41.0.4 2001:503:ba3e::2:30
b 170.247.170.2 2801:1b8:10::b
c 192.33.4.12 2001:500:2::c
d 199.7.91.13 2001:500:2d::d
e 192.203.230.10 2001:500:a8::e
f 192.5.5.241 2001:500:2f::f
g 192.112.36.4 2001:500:12::d0d
h 198.97.190.53 2001:500:1::53
i 192.36.148.17 2001:7fe::53
j 192.58.128.30 2001:503:c27::2:30
k 193.0.14.129 2001:7fd::1
l 199.7.83.42 2001:500:9f::42
m 202.12.27.33 2001:dc3::35
""".split("\n") if line]

TYPES = {name: int(number) for name, number in (pair.split("=") for pair in """
A=1 NS=2 CNAME=5 SOA=6 WKS=11 PTR=12 HINFO=13 MINFO=14 MX=15 TXT=16 RP=17 AFSDB=18 X25=19 ISDN=20 RT=21 AAAA=28 LOC=29
SRV=33 NAPTR=35 KX=36 CERT=37 DNAME=39 APL=42 DS=43 SSHFP=44 RRSIG=46 NSEC=47 DNSKEY=48 DHCID=49 NSEC3=50 NSEC3PARAM=51 TLSA=52
SMIMEA=53 CDS=59 CDNSKEY=60 OPENPGPKEY=61 CSYNC=62 SVCB=64 HTTPS=65 SPF=99 NID=104 L32=105 L64=106 LP=107 EUI48=108
EUI64=109 URI=256 CAA=257 TYPE65280=65280 TYPE65534=65534
""".split())}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN"]

# What every owner is asked for, besides the types it has.
EVERY = ["A", "AAAA", "TXT"]

# Beyond the owners in the zones: what is not there, what a wildcard or a DNAME makes, what cannot be had.
SPECIAL = """
. NS SOA A DS DNSKEY
net. A NS SOA
nosuchtld. A NS SOA
www.nosuchtld. A
alpha. DS DNSKEY MX
beta. DS
gamma. DS
nothing.alpha. A NS DS
deep.nothing.beta. A
nic.alpha. A NS DS
nothing.plain.alpha. A AAAA MX DS
very.deep.nothing.plain.alpha. A
f.plain.alpha. A MX SOA DS
e.f.plain.alpha. A TXT
d.e.f.plain.alpha. A NS
c.d.e.f.plain.alpha. A
nothing.d.e.f.plain.alpha. A
20.plain.alpha. A
10.11.12.13.14.15.16.17.18.19.20.plain.alpha. A TXT
0.1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.plain.alpha. A
wild.plain.alpha. A MX
any.wild.plain.alpha. A MX TXT
any.thing.below.wild.plain.alpha. A AAAA
below.here.wild.plain.alpha. A MX
any.walias.plain.alpha. A AAAA CNAME TXT
any.out.plain.alpha. A AAAA TXT
any.star.plain.alpha. A
one.any.star.plain.alpha. A
WwW.pLaIn.AlPhA. A AAAA
mixed.case.plain.alpha. A CNAME
www.plain.alpha. MX SRV CNAME SOA NS HTTPS CAA
nothing.same.plain.alpha. A
same.plain.alpha. MX DNSKEY
cut.plain.alpha. A NS
deep.cut.plain.alpha. A NS DS
other.deep.cut.plain.alpha. A
nothing.sub.deep.cut.plain.alpha. A
b.www.sub.deep.cut.plain.alpha. A
away.alpha. A NS
nothing.far.away.alpha. A
all.types.alpha. HINFO SRV HTTPS
in.alias.alpha. CNAME MX
tld.alias.alpha. CNAME MX
there.alias.alpha. MX
tonx.alias.alpha. CNAME MX
c1.alias.alpha. CNAME TXT MX
self.alias.alpha. CNAME
loopa.alias.alpha. CNAME
www.old.dname.beta. A AAAA CNAME DNAME
a.b.old.dname.beta. A TXT
b.old.dname.beta. A
old.dname.beta. MX CNAME
al.old.dname.beta. A
nothing.old.dname.beta. A CNAME
any.wild.dname.beta. A TXT
www.in.dname.beta. A AAAA
www.twice.dname.beta. A
any.tonx.dname.beta. A
www.toapex.dname.beta. A
c1.toapex.dname.beta. A
x.self.dname.beta. A
abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij.long.dname.beta. A
abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij.abcde.long.dname.beta. A
x.long.dname.beta. A
www.zero.dname.beta. A
nothing.big.beta. A
www.glueless.gamma. MX
nothing.glueless.gamma. A
nothing.lame.gamma. A
nothing.dead.gamma. A
nothing.six.gamma. A
www.lost.gamma. A
www.gone.gamma. A
www.noname.gamma. A
www.noaddr.gamma. A
www.loop1.alpha. A
www.loop2.beta. A
www.deaf. A
signed.beta. DNSKEY DS MX NSEC CDS
www.signed.beta. MX CAA NSEC
nothing.signed.beta. A DS
very.deep.nothing.signed.beta. A
c.signed.beta. A
b.c.signed.beta. A TXT
any.wild.signed.beta. A TXT
any.walias.signed.beta. A CNAME TXT
www.old.signed.beta. TXT A
nothing.old.signed.beta. A
signed3.beta. DNSKEY DS MX NSEC3PARAM
www.signed3.beta. MX CAA
nothing.signed3.beta. A DS
very.deep.nothing.signed3.beta. A
c.signed3.beta. A
b.c.signed3.beta. A TXT
any.wild.signed3.beta. A TXT
any.walias.signed3.beta. A CNAME TXT
www.old.signed3.beta. TXT A
nothing.old.signed3.beta. A
""".strip().split("\n")

# Where the two rightly differ: (name, type): (reason, rcode of waypost, its answer as `show` prints it).
# unbound is not asked then.
OLD = ["old.dname.beta. DNAME new.target.beta.", "www.old.dname.beta. CNAME www.new.target.beta."]
SIXTY = "abcdefghij" * 6
EXCEPTIONS = {
    (SIXTY + ".abcde.long.dname.beta.", "A"): (
        "too long a name: unbound gives the DNAME twice, when it comes from the network", "YXDOMAIN",
        ["long.dname.beta. DNAME %s.%s.%s.alpha." % (SIXTY, SIXTY, SIXTY)]),
    ("www.old.dname.beta.", "DNAME"): (
        "the alias is followed and its target has no DNAME: unbound leaves out the SOA that says so", "NOERROR", OLD),
    ("www.old.dname.beta.", "CNAME"): ("see nothing.old.dname.beta.", "NOERROR", OLD),
    ("nothing.old.dname.beta.", "CNAME"): (
        "NSD and Knot stop at the CNAME, too; unbound follows it when the DNAME is in its cache", "NOERROR",
        ["nothing.old.dname.beta. CNAME nothing.new.target.beta.", OLD[0]]),
    ("x.self.dname.beta.", "A"): (
        "an alias to itself is a failure; unbound gives it as an answer when a DNAME made it", "SERVFAIL", []),
    ("a1100.big.beta.", "A"): ("more than 1024 records in a reply are too many", "SERVFAIL", []),
    ("www.deaf.", "A"): (
        "nobody ever says a word: unbound takes half a minute to give up", "SERVFAIL", []),
}
# Knot puts the owner's own NSEC or NSEC3 beside an answer behind a DNAME: it proves nothing, and is passed on by unbound
# alone.
NOTHING_TO_PROVE = [("www.old.signed.beta.", "TXT"), ("www.old.signed3.beta.", "TXT")]


def parse_name(text):
    """Wire form of a name in text form, with its escapes."""
    labels, label, i = [], bytearray(), 0
    while i < len(text):
        c = text[i]
        if c == "\\" and text[i + 1].isdigit():
            label.append(int(text[i + 1:i + 4]))
            i += 3
        elif c == "\\":
            label.append(ord(text[i + 1]))
            i += 1
        elif c == ".":
            labels.append(bytes(label))
            label = bytearray()
        else:
            label.append(ord(c))
        i += 1
    assert not label, text + " does not end with a dot"
    return b"".join(bytes([len(x)]) + x for x in labels if x) + b"\0"


def absolute(owner, origin):
    if owner == "@":
        return origin
    if owner.endswith(".") and not owner.endswith("\\."):
        return owner
    return owner + "." + (origin if origin != "." else "")


def print_name(wire):
    out, i = "", 0
    while wire[i]:
        for c in wire[i + 1:i + 1 + wire[i]]:
            out += chr(c) if 33 <= c < 127 and chr(c) not in '."\\();@$' else "\\%03d" % c
        out += "."
        i += 1 + wire[i]
    return out or "."


# Zones


def origin_of(file):
    return "." if file == "root.zone" else file[:-len("zone")]


def big_records():
    for name, count in (("t1300", 6), ("t5k", 21), ("t20k", 80), ("t60k", 240)):
        for i in range(count):
            yield '%s TXT "%03d %s"' % (name, i, "x" * 230)
    for name, count in (("a150", 150), ("a300", 300), ("a1000", 1000), ("a1100", 1100)):
        for i in range(count):
            yield "%s A 10.0.%d.%d" % (name, i >> 8, i & 255)
    for i in range(120):
        yield "mx120 MX %d host-%d.with.names.that.compress.target.beta." % (i % 7, i)
    yield 'long TXT %s' % " ".join('"%03d %s"' % (i, "y" * 250) for i in range(30))


def generated(file):
    if file == "big.beta.zone":
        yield from big_records()
    for letter, v4, v6 in ROOTS:
        name = letter + ".root-servers.net."
        if file == "root.zone":
            yield ". NS " + name
        if file == "net.zone":
            yield "root-servers NS " + name
        if file == "root-servers.net.zone":
            yield "@ NS " + name
        if file in ("root.zone", "net.zone", "root-servers.net.zone"):
            yield "%s A %s" % (name, v4)
            yield "%s AAAA %s" % (name, v6)


def write_zones(source, out):
    for file in sorted(os.listdir(source)):
        if file.endswith(".zone"):
            with open(os.path.join(source, file)) as f:
                lines = [f.read().rstrip("\n")] + list(generated(file))
            with open(os.path.join(out, file), "w") as f:
                f.write("\n".join(lines) + "\n")


def pairs(zones):
    """Every owner with its types and those of EVERY, then SPECIAL; each pair once."""
    seen = {}
    for file in sorted(os.listdir(zones)):
        if not file.endswith(".zone"):
            continue
        owners = {}
        with open(os.path.join(zones, file)) as f:
            for line in f:
                words = line.split()
                if not words or words[0] in (";", "$ORIGIN", "$TTL") or line.startswith(";") or \
                        line.endswith("; not asked\n"):
                    continue
                kind = words[2] if words[1].isdigit() else words[1]
                owners.setdefault(absolute(words[0], origin_of(file)), []).append(kind)
        for owner, kinds in owners.items():
            for kind in kinds + EVERY:
                seen[(owner, kind)] = True
    for line in SPECIAL:
        owner, *kinds = line.split()
        for kind in kinds:
            seen[(owner, kind)] = True
    return list(seen)


# Asking


def is_signed(name):
    return name.endswith((".signed.beta.", ".signed3.beta.")) or name in ("signed.beta.", "signed3.beta.")


def query(name, kind, flags=0x0100):
    ident = random.randrange(65536)
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0x8000 if is_signed(name) else 0, 0)
    return struct.pack("!6H", ident, flags, 1, 0, 0, 1) + parse_name(name) + struct.pack("!HH", TYPES[kind], 1) + opt


def ask_tcp(server, question, timeout):
    def read(s, n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data
    with socket.create_connection(server, timeout) as s:
        s.sendall(struct.pack("!H", len(question)) + question)
        return read(s, struct.unpack("!H", read(s, 2))[0])


def ask(server, name, kind, flags=0x0100, timeout=8.0, tries=3):
    """The reply as (message, over TCP); None when there is none."""
    question = query(name, kind, flags)
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    for _ in range(tries):
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            try:
                s.settimeout(timeout)
                s.connect(server)
                s.send(question)
                reply = s.recv(65535)
                while reply[:2] != question[:2]:
                    reply = s.recv(65535)
                if reply[2] & 2:
                    return ask_tcp(server, question, timeout), True
                return reply, False
            except OSError:
                continue
    return None, False


def is_of(record, *kinds):
    """Of one of the types, or a signature over it."""
    return record[1] in kinds or (record[1] == "RRSIG" and record[2][:4] in ["%04x" % TYPES[k] for k in kinds])


class Message:
    """Header, answer section, and of the authority section the SOA, NSEC and NSEC3 records with their signatures."""

    def __init__(self, wire):
        self.wire = wire
        self.ident, self.flags, qd, an, ns, _ = struct.unpack("!6H", wire[:12])
        self.at = 12
        for _ in range(qd):
            self.name()
            self.at += 4
        self.answer = sorted(self.record() for _ in range(an))
        beside = sorted(self.record() for _ in range(ns))
        self.soa = [r for r in beside if is_of(r, "SOA")]
        self.proof = [r for r in beside if is_of(r, "NSEC", "NSEC3")]
        self.rcode = self.flags & 15
        self.rcode = RCODES[self.rcode] if self.rcode < len(RCODES) else str(self.rcode)

    def name_at(self, at):
        out, end, hops = b"", None, 0
        while True:
            n = self.wire[at]
            if n >= 192:
                end = at + 2 if end is None else end
                at = struct.unpack("!H", self.wire[at:at + 2])[0] & 0x3FFF
                hops += 1
                assert hops < 128, "pointer loop"
            elif n == 0:
                return out + b"\0", at + 1 if end is None else end
            else:
                out += self.wire[at:at + 1 + n]
                at += 1 + n

    def name(self):
        wire, self.at = self.name_at(self.at)
        return print_name(wire).lower()

    def record(self):
        owner = self.name()
        kind, cls, ttl, length = struct.unpack("!HHIH", self.wire[self.at:self.at + 10])
        self.at += 10
        end = self.at + length
        # RFC 3597 4: names in these may come compressed; DNAME and SRV are only made equal in case.
        if kind in (2, 5, 12, 39):
            data = self.name()
        elif kind in (15, 21, 18):
            data = "%d " % struct.unpack("!H", self.wire[self.at:self.at + 2])
            self.at += 2
            data += self.name()
        elif kind in (14, 17):
            data = self.name() + " " + self.name()
        elif kind == 6:
            data = self.name() + " " + self.name() + " %d %d %d %d %d" % struct.unpack("!5I", self.wire[self.at:end])
            self.at = end
        else:
            data = self.wire[self.at:end].hex()
            self.at = end
        assert self.at == end, "rdata of another length than its record says"
        return owner, TYPE_NAMES.get(kind, str(kind)), data + ("" if cls == 1 else " class %d" % cls)


def show(message):
    return [" ".join(r) for r in message.answer]


def shorten(lines):
    lines = [x if len(x) < 150 else x[:140] + "..." for x in lines]
    return lines if len(lines) < 14 else lines[:12] + ["... %d records" % len(lines)]


# The first two in opposite orders, so that the cache is filled from either end.
TURNS = ["walked", "cached", "not minimised"]


class Compare:
    def __init__(self, all_pairs, ports):
        self.pairs, self.ports = all_pairs, ports
        self.lock = threading.Lock()
        self.wrong, self.compared, self.tcp, self.next = [], set(), 0, 0
        self.slowest = [(0, None), (0, None)]
        self.rcodes = {}
        self.proven = set()

    def one(self, pair, turn):
        replies = []
        ports = [self.ports[turn == 2]]
        if pair not in EXCEPTIONS:
            ports.append(self.ports[2])
        for i, port in enumerate(ports):
            start = time.monotonic()
            wire, tcp = ask(("127.0.0.1", port), *pair)
            took = time.monotonic() - start
            with self.lock:
                self.slowest[i] = max(self.slowest[i], (took, pair[0] + " " + pair[1]))
                self.tcp += tcp and i == 0
            if wire is None:
                return "%s gives no answer" % ("waypost", "unbound")[i]
            replies.append(Message(wire))
        ours, theirs = replies[0], replies[-1]
        with self.lock:
            self.rcodes.setdefault(ours.rcode, set()).add(pair)
            if ours.proof:
                self.proven.add(pair)
        if not ours.flags & 0x80 or not ours.flags & 0x8000 or ours.flags & 0x0620:
            return "flags %04x" % ours.flags
        if pair in EXCEPTIONS:
            _, rcode, answer = EXCEPTIONS[pair]
            if (ours.rcode, show(ours)) == (rcode, answer):
                return None
        elif ours.rcode == theirs.rcode == "SERVFAIL":
            # The part of a chain that unbound sometimes leaves in means nothing.
            if not ours.answer and not ours.soa and not ours.proof:
                return None
        elif (ours.rcode, ours.answer, ours.soa) == (theirs.rcode, theirs.answer, theirs.soa) and \
                ours.proof == ([] if pair in NOTHING_TO_PROVE else theirs.proof):
            return None
        return "\n".join(["%s, waypost %s, unbound %s" % (TURNS[turn], ours.rcode, theirs.rcode)] +
                         ["    waypost  " + x for x in shorten(show(ours))] +
                         ["    unbound  " + x for x in shorten(show(theirs))] +
                         ["    SOA of waypost  " + " ".join(r) for r in ours.soa] +
                         ["    SOA of unbound  " + " ".join(r) for r in theirs.soa] +
                         ["    proof of waypost  " + " ".join(r)[:150] for r in ours.proof] +
                         ["    proof of unbound  " + " ".join(r)[:150] for r in theirs.proof])

    def work(self, turn):
        while True:
            with self.lock:
                if self.next == len(self.pairs):
                    return
                pair = self.pairs[self.next]
                self.next += 1
            try:
                wrong = self.one(pair, turn)
            except Exception as e:  # a message that cannot be read is a finding, not the end of a thread
                wrong = "%s: %s" % (type(e).__name__, e)
            with self.lock:
                self.compared.add(pair)
                if wrong:
                    self.wrong.append("%s %s: %s" % (pair[0], pair[1], wrong))

    def run(self, turn, threads):
        self.next = 0
        workers = [threading.Thread(target=self.work, args=(turn,)) for _ in range(threads)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        self.pairs.reverse()


def compare(zones, ports):
    silent = [socket.socket(socket.AF_INET, k) for k in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
    for s in silent: # takes questions and never says a word
        s.bind(("203.0.113.98", 53))
    silent[1].listen(8)
    c = Compare(pairs(zones), ports)
    for turn in range(len(TURNS)):
        c.run(turn, 16)
    for line in c.wrong:
        print(line)
    for pair, (reason, _, _) in EXCEPTIONS.items():
        print("exception %s %s: %s" % (pair + (reason,)))
        if pair not in c.compared:
            c.wrong.append("exception for %s %s, which nobody asks" % pair)
    for name, (took, pair) in zip(("waypost", "unbound"), c.slowest):
        print("slowest of %s: %.1f s, %s" % (name, took, pair))
    for rcode in sorted(c.rcodes):
        few = " ".join(sorted("%s %s" % p for p in c.rcodes[rcode])) if len(c.rcodes[rcode]) < 60 else ""
        print("%s: %d %s" % (rcode, len(c.rcodes[rcode]), few))
    print("with a proof: %d" % len(c.proven))
    if len(c.proven) < 40:
        c.wrong.append("few proofs")
        print(c.wrong[-1])
    if not c.tcp:
        c.wrong.append("nothing came over TCP")
        print(c.wrong[-1])
    print("%d pairs compared three times, %d exceptions, %d differ" % (len(c.compared), len(EXCEPTIONS), len(c.wrong)))
    return len(c.wrong) == 0 and len(c.compared) >= 120


# Servers


def servers(file):
    with open(file) as f:
        for line in f:
            if not line.startswith("#"):
                name, program, addresses, *zones = line.split()
                if addresses == "ROOT":
                    addresses = ",".join(a for r in ROOTS for a in r[1:])
                yield name, program, addresses.split(","), zones


def ready(file):
    deadline = time.monotonic() + 20
    for name, _, addresses, zones in servers(file):
        for address in addresses:
            for zone in zones:
                zone = zone.rstrip(".") + "."
                while True:
                    wire, _ = ask((address, 53), zone, "SOA", 0, 0.3, 1)
                    if wire and Message(wire).flags & 0x040F == 0x0400:
                        break
                    if time.monotonic() > deadline:
                        print("%s does not answer for %s on %s" % (name, zone, address))
                        return False
                    time.sleep(0.05)
    return True


def main(verb, *args):
    if verb == "addresses":
        print("\n".join(a for r in ROOTS for a in r[1:]))
    elif verb == "zones":
        write_zones(*args)
    elif verb == "ready":
        return ready(args[0])
    elif verb == "compare":
        return compare(args[0], [int(p) for p in args[1:]])
    return True


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)

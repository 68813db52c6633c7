#!/usr/bin/env python3
"""A name server that lies in every section, and what our resolver believes of it: nothing but its own names.

A root, a TLD and a good zone are served honestly by this script, a zone per lie by a liar. After each lie the good zone has to be as it was, and the liar's accomplice must not have been
asked. Then what goes up and what comes down: DO, RD, CD, AD, signatures, TTLs, forward zones with a dead server.
Skipped without dnspython."""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

try:
    import dns.edns
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdatatype
    import dns.rrset
except ImportError:
    system = "/usr/bin/python3"
    if os.access(system, os.X_OK) and os.path.realpath(sys.executable) != os.path.realpath(system):
        os.execv(system, [system, *sys.argv])
    print("dnspython is not installed: skipped")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ports import free_port  # noqa: E402

WAYPOST = os.environ["WAYPOST"]
NET = "127.79.0."
ROOT, TLD, GOOD, RESOLVER, LIVE, DEAD, EVIL, ACCOMPLICE, SOURCE = (NET + n for n in ("1", "2", "3", "4", "9", "8", "66", "67", "5"))
SERVERS = ROOT, TLD, GOOD, LIVE, EVIL, ACCOMPLICE
SOA = "a. h. 1 1 1 1 60"
SIG = "A 13 3 300 20300101000000 20200101000000 1 {} AAAA"


def rr(text):
    owner, ttl, kind, data = text.split(None, 3)
    return dns.rrset.from_text(owner, int(ttl), "IN", kind, data)


HONEST = {
    ROOT: (".", [f". 300 NS a.", f"a. 300 A {ROOT}"],
           {"test.": ([f"test. 300 NS ns.test."], [f"ns.test. 300 A {TLD}"])}),
    TLD: ("test.", [f"ns.test. 300 A {TLD}", "test. 300 NS ns.test."],
          {"good.test.": (["good.test. 300 NS ns.good.test."], [f"ns.good.test. 300 A {GOOD}"])}),
    GOOD: ("good.test.", ["good.test. 300 NS ns.good.test.", f"ns.good.test. 300 A {GOOD}",
                          "victim.good.test. 300 A 192.0.2.1", "other.good.test. 300 A 192.0.2.2",
                          "signed.good.test. 300 A 192.0.2.3",
                          "signed.good.test. 300 RRSIG " + SIG.format("good.test."),
                          "huge.good.test. 300 A 192.0.2.6", "zero.good.test. 0 A 192.0.2.4"], {}),
    LIVE: ("corp.", ["www.corp. 300 A 192.0.2.5"], {}),
}
# Lie: (records for answer, authority, additional); SELF is the name asked, ZONE the liar's, lie.test.
LIES = {
    "additional": (["SELF 300 A 192.0.2.9"], [], ["victim.good.test. 300 A 192.0.2.66"]),
    "glue": (["SELF 300 A 192.0.2.9"], ["ZONE 300 NS ns.good.test."], [f"ns.good.test. 300 A {ACCOMPLICE}"]),
    "answer": (["SELF 300 A 192.0.2.9", "victim.good.test. 300 A 192.0.2.66"], [], []),
    "cname": (["SELF 300 CNAME victim.good.test.", "victim.good.test. 300 A 192.0.2.66"], [], []),
    "cname-and-more": (["SELF 300 CNAME victim.good.test.", "SELF 300 A 192.0.2.9", "victim.good.test. 300 A 192.0.2.66"],
                       [], []),
    "dname": (["ZONE 300 DNAME good.test."], [], []),
    "dname-above": (["test. 300 DNAME ZONE", "SELF 300 CNAME x.ZONE"], [], []),
    "parent": (["SELF 300 A 192.0.2.9"], ["test. 300 NS ns.ZONE"], [f"ns.ZONE 300 A {ACCOMPLICE}"]),
    "root": (["SELF 300 A 192.0.2.9"], [". 300 NS ns.ZONE"], [f"ns.ZONE 300 A {ACCOMPLICE}"]),
    "sibling": (["SELF 300 A 192.0.2.9"], ["good.test. 300 NS ns.ZONE"], [f"ns.ZONE 300 A {ACCOMPLICE}"]),
    "referral-sibling": ([], ["good.test. 300 NS ns.ZONE"], [f"ns.ZONE 300 A {ACCOMPLICE}"]),
    "referral-up": ([], ["test. 300 NS ns.ZONE"], [f"ns.ZONE 300 A {ACCOMPLICE}"]),
    "referral-root": ([], [". 300 NS ns.ZONE"], [f"ns.ZONE 300 A {ACCOMPLICE}"]),
    "referral-down": ([], ["SELF 300 NS ns.good.test."], [f"ns.good.test. 300 A {ACCOMPLICE}"]),
    "nxdomain-soa": ([], ["test. 300 SOA " + SOA], []),
    "nodata-soa": ([], [". 300 SOA " + SOA], []),
    "ds": (["SELF 300 A 192.0.2.9"], ["good.test. 300 DS 1 13 2 " + "00" * 32], []),
    "soa": (["SELF 300 A 192.0.2.9"], ["good.test. 300 SOA " + SOA], []),
}
NXDOMAIN = {"nxdomain-soa"}
for word in LIES:
    HONEST[TLD][2][f"{word}.test."] = ([f"{word}.test. 300 NS ns.{word}.test."], [f"ns.{word}.test. 300 A {EVIL}"])
REFERRAL = {k for k in LIES if k.startswith("referral")}
seen = []  # (server, message)
peers = set()


def honest(server, q):
    origin, records, cuts = HONEST[server]
    name, kind = q.question[0].name, q.question[0].rdtype
    r = dns.message.make_response(q)
    for cut, (ns, glue) in cuts.items():
        if name.is_subdomain(dns.name.from_text(cut)):
            r.authority += [rr(x) for x in ns]
            r.additional += [rr(x) for x in glue]
            return r
    r.flags |= dns.flags.AA | dns.flags.AD  # AD is a lie here: it must not come through
    sets = [rr(x) for x in records]
    r.answer += [s for s in sets if s.name == name and (s.rdtype == kind or s.rdtype == dns.rdatatype.RRSIG)]
    if not r.answer:
        if not any(s.name == name or s.name.is_subdomain(name) for s in sets):
            r.set_rcode(dns.rcode.NXDOMAIN)
        r.authority.append(rr(f"{origin} 60 SOA {SOA}"))
    return r


def lie(q):
    name = q.question[0].name
    zone = dns.name.Name(name.labels[-3:])
    word = zone.labels[0].decode().lower()
    r = dns.message.make_response(q)
    if word not in REFERRAL:
        r.flags |= dns.flags.AA
    if word in NXDOMAIN:
        r.set_rcode(dns.rcode.NXDOMAIN)
    for section, texts in zip((r.answer, r.authority, r.additional), LIES[word]):
        section += [rr(t.replace("SELF", str(name)).replace("ZONE", str(zone))) for t in texts]
    return r


def reply(server, wire):
    q = dns.message.from_wire(wire)
    seen.append((server, q))
    if server == ACCOMPLICE:
        r = dns.message.make_response(q)
        r.flags |= dns.flags.AA
        r.answer.append(rr(f"{q.question[0].name} 300 A 192.0.2.66"))
        return r.to_wire()
    if q.question[0].name.labels[0].lower() == b"huge":
        w = bytearray(honest(server, q).to_wire())
        at = w.rindex(b"\x00\x00\x01\x2c\x00\x04") if server == GOOD else -1
        if at > 0:
            w[at:at + 4] = b"\x80\x00\x00\x01"  # RFC 2181 8: the highest bit set is zero seconds
        return bytes(w)
    return (lie(q) if server == EVIL else honest(server, q)).to_wire()


def serve_udp(server, s):
    while True:
        wire, peer = s.recvfrom(65535)
        peers.add(peer[0])
        s.sendto(reply(server, wire), peer)


def serve_tcp(server, listener):
    while True:
        s, peer = listener.accept()
        peers.add(peer[0])
        try:
            while head := s.recv(2, socket.MSG_WAITALL):
                out = reply(server, s.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL))
                s.sendall(struct.pack("!H", len(out)) + out)
        except OSError:
            pass
        s.close()


def listen(server, port):
    u, t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    u.bind((server, port))
    t.bind((server, port))
    t.listen()
    threading.Thread(target=serve_udp, args=(server, u), daemon=True).start()
    threading.Thread(target=serve_tcp, args=(server, t), daemon=True).start()


failures = []


def check(ok, what, *more):
    if not ok:
        failures.append(what)
        print("hostile:", what, *more)


def main():
    out = tempfile.mkdtemp()
    port = free_port(*SERVERS, RESOLVER)
    for server in SERVERS:
        listen(server, port)
    with open(f"{out}/hints", "w") as f:
        f.write(f". 300 IN NS a.\na. 300 IN A {ROOT}\n")
    with open(f"{out}/conf.yaml", "w") as f:
        f.write(f"""
server: {{ control: "{out}/control", workers: 1 }}
listen: [ {{ address: {RESOLVER}, port: {port} }} ]
resolver:
  {{ root-hints: hints, upstream-port: {port}, ask-loopback: yes, priming: no, special-zones: no, source: {SOURCE},
    forward: [ {{ zone: corp, to: ["{DEAD}@{port}", "{LIVE}@{port}"] }} ] }}
""")
    log = open(f"{out}/log", "w")
    server = subprocess.Popen([WAYPOST, "run", "-c", f"{out}/conf.yaml"], stderr=log, stdout=log)
    for _ in range(1200):
        if "ready" in open(f"{out}/log").read():
            break
        time.sleep(0.05)

    def ask(name, kind="A", do=False, flags=dns.flags.RD):
        q = dns.message.make_query(name, kind, want_dnssec=do, use_edns=True)
        q.flags = flags
        return dns.query.udp(q, RESOLVER, port=port, timeout=10)

    def texts(r):
        return [f"{s.name} {dns.rdatatype.to_text(s.rdtype)} {d}" for s in r.answer for d in s]

    def flush():
        subprocess.run([WAYPOST, "cache", "flush", ".", "--subtree", "-s", f"{out}/control"], capture_output=True)

    for word in LIES:
        flush()
        seen.clear()
        r = ask(f"www.{word}.test.")
        check(any(s == EVIL for s, _ in seen), f"{word}: the liar was not asked")
        check("192.0.2.66" not in r.to_text(), f"{word}: the lie is in the answer", r.to_text())
        for name, kind, want in (("victim.good.test.", "A", "victim.good.test. A 192.0.2.1"),
                                 ("other.good.test.", "A", "other.good.test. A 192.0.2.2"),
                                 ("good.test.", "NS", "good.test. NS ns.good.test."),
                                 ("ns.good.test.", "A", f"ns.good.test. A {GOOD}"),
                                 ("test.", "NS", "test. NS ns.test."),
                                 (".", "NS", ". NS a.")):
            r = ask(name, kind)
            check(texts(r) == [want], f"{word}: {name} {kind} is {texts(r)}")
        check(ask("no.good.test.").rcode() == dns.rcode.NXDOMAIN, f"{word}: no.good.test")
        check(ask("good.test.", "DS").answer == [], f"{word}: good.test DS")
        check(not any(s == ACCOMPLICE for s, _ in seen), f"{word}: the accomplice was asked")

    # What goes up.
    flush()
    seen.clear()
    ask("signed.good.test.", flags=dns.flags.RD | dns.flags.CD | dns.flags.AD)
    check(seen, "nobody was asked")
    for s, q in seen:
        check(q.edns == 0 and q.ednsflags & dns.flags.DO and q.payload == 1232, f"to {s}: EDNS, DO, 1232")
        check(not q.flags & (dns.flags.RD | dns.flags.AD | dns.flags.RA | dns.flags.AA), f"to {s}: flags {q.flags:x}")
    ids = {q.id for _, q in seen}  # drawn: two of a handful are the same once in thousands of runs
    check(len(ids) > 1 and len(ids) >= len(seen) - 1, "ids repeat")
    # What comes down: from the network, the record cache and the answers cache.
    for turn in range(3):
        for do in (False, True):
            for flags in (dns.flags.RD, dns.flags.RD | dns.flags.CD, dns.flags.RD | dns.flags.AD, 0):
                r = ask("signed.good.test.", do=do, flags=flags)
                label = f"signed, turn {turn}, DO {do}, flags {flags:x}"
                kinds = {s.rdtype for s in r.answer}
                check(dns.rdatatype.A in kinds and (dns.rdatatype.RRSIG in kinds) == do, f"{label}: {texts(r)}")
                check(not r.flags & (dns.flags.AD | dns.flags.AA) and r.flags & dns.flags.RA, f"{label}: {r.flags:x}")
                check(r.flags & (dns.flags.RD | dns.flags.CD) == flags & (dns.flags.RD | dns.flags.CD), f"{label}: RD, CD")
        if turn == 1:
            flush()
            ask("signed.good.test.")
    # TTL 0 is answered and not kept; neither is one with the highest bit set (RFC 2181 8).
    for name in ("zero.good.test.", "huge.good.test."):
        seen.clear()
        for _ in range(2):
            r = ask(name)
            check(r.answer and r.answer[0].ttl == 0, f"{name}: {r.to_text()}")
        asked = [q for _, q in seen if str(q.question[0].name).lower() == name]
        check(len(asked) >= 2, f"{name}: was kept")
    # A forward zone whose first server is dead; its servers are asked with RD.
    seen.clear()
    for _ in range(4):
        check(texts(ask("www.corp.")) == ["www.corp. A 192.0.2.5"], "the forward zone")
        flush()
    up = [q for s, q in seen if s == LIVE]
    check(up and all(q.flags & dns.flags.RD for q in up), "a forwarder without RD")
    check(not any(s == ROOT and "corp" in str(q.question[0].name) for s, q in seen), "the root was told of a forward zone")
    # Without RD nothing is asked of anybody.
    seen.clear()
    r = ask("never.good.test.", flags=0)
    check(not seen and not r.answer, f"without RD: {r.to_text()}")

    check(peers == {SOURCE}, f"questions came from {peers}")

    server.terminate()
    check(server.wait(20) == 0, "the end was not status 0")
    if failures:
        sys.stdout.write(open(f"{out}/log").read())
    print(f"{len(LIES)} lies, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

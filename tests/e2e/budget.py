#!/usr/bin/env python3
"""Instructions per query of the release build, counted by callgrind, against the budgets in tests/bench/budget.txt.

Time is not looked at, so a busy machine changes nothing: the server stands still (SIGSTOP) while a burst is sent, so it
always finds the same batch, and what it executes until the answers are there is counted, in all its threads.
Heap and locks per query are counted by test_hotpath; here they would only cost instructions.
With --set the table is written anew: what was measured and a tenth. Skipped without valgrind, and in instrumented builds."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ports import free_port  # noqa: E402
from steered import WAYPOST  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TABLE = os.path.join(ROOT, "tests", "bench", "budget.txt")
DATABASE = os.path.join(ROOT, "tests", "data", "mmdb", "GeoIP2-Country-Test.mmdb")
BURST, BURSTS, NAMES = 64, 80, 512
WARM = 3  # times that a name is asked before it counts: what is asked again is kept as a whole answer
HEAD_ROOM = 1.10  # other compilers and C libraries
FAR_BELOW = 0.80  # a budget that nobody would notice to be used up

POOLS = "\n    ".join(f"{s}: {{ site: {s}, members: {{ x: 192.0.2.{i + 1} }} }}" for i, s in enumerate("abcd"))
CONFIG = """server: {{ workers: 1, control: none, log: info }}
listen:
  - {{ address: 127.0.0.1, port: {authority}, role: authority }}
  - {{ address: 127.0.0.1, port: {resolver}, role: resolver }}
zones: [ {{ name: ., file: root.zone }}, {{ name: example.test, file: example.zone }} ]
resolver: {{ root-hints: hints, upstream-port: {authority}, ask-loopback: yes, special-zones: no }}
gslb:
  sites: {{ a: {{}}, b: {{}}, c: {{}}, d: {{}} }}
  maps:
    m:
      database: {database}
      rules:
        - {{ country: [GB, FR], prefer: [a, d], limit: 2 }}
        - {{ country: [US, CN], prefer: [b, d], limit: 2 }}
        - {{ country: [SE, JP], prefer: [c, d], limit: 2 }}
      otherwise: [d]
  pools:
    weights: {{ choose: weighted, members: {{ {members} }} }}
    all: {{ choose: all, members: {{ {members} }} }}
    {pools}
  names:
    "*.geo.example.test": {{ map: m, pools: [a, b, c, d] }}
{names}
"""
STEERED = {"g": "map: m, pools: [a, b, c, d]", "w": "pool: weights", "a": "pool: all"}
NAMED = "\n".join(f"    {k}{i}.example.test: {{ {v} }}" for i in range(NAMES) for k, v in STEERED.items())
ROOT_ZONE = """$TTL 3600
@ SOA a.root. h. 1 3600 600 604800 3600
@ NS a.root.
a.root. A 127.0.0.1
example.test. NS ns.example.test.
ns.example.test. A 127.0.0.1
"""
ZONE = f"""$TTL 3600
@ SOA ns h 1 3600 600 604800 3600
@ NS ns
ns A 127.0.0.1
*.wild A 192.0.2.1
$GENERATE 0-{NAMES - 1} n$ A 192.0.2.1
$GENERATE 0-{NAMES - 1} n$ AAAA 2001:db8::1
"""
# Networks of the database, one of them in no country.
CLIENTS = ("2.125.160.0", "81.2.69.0", "216.160.83.0", "89.160.20.0", "175.16.199.0", "10.9.8.0")


def query(name, ident, kind=1, client=None):
    """With EDNS, as nearly all clients ask; `client`: its /24 as RFC 7871 sends it."""
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    option = struct.pack(">HHHBB", 8, 7, 1, 24, 0) + socket.inet_aton(client)[:3] if client else b""
    head = struct.pack(">6H", ident, 0x0100, 1, 0, 0, 1)
    return head + labels + struct.pack(">BHH", 0, kind, 1) + struct.pack(">BHHIH", 0, 41, 1232, 0, len(option)) + option


def questions(form, clients=(None,), rcode=0):
    return [query(form.format(i), i, (1, 28)[i & 1] if form[0] == "n" and not rcode else 1, clients[i % len(clients)])
            for i in range(NAMES)], rcode


HITS = questions("n{}.example.test")
# Name of the row: where it is asked, over what, and which questions.
ROWS = {
    "authority-hit": ("authority", "udp", HITS),
    "authority-nxdomain": ("authority", "udp", questions("none{}.example.test", rcode=3)),
    "authority-nx-0x20": ("authority", "udp", questions("nOne{}.eXamPle.tEst", rcode=3)),
    "authority-wildcard": ("authority", "udp", questions("x{}.wild.example.test")),
    "authority-tcp": ("authority", "tcp", HITS),
    "steered-weighted": ("authority", "udp", questions("w{}.example.test")),
    "steered-all": ("authority", "udp", questions("a{}.example.test")),
    "steered-geo": ("authority", "udp", questions("g{}.example.test", CLIENTS)),
    "steered-wildcard": ("authority", "udp", questions("x{}.geo.example.test", CLIENTS)),
    "cached-hit": ("resolver", "udp", HITS),
    "cached-tcp": ("resolver", "tcp", HITS),
}


def instrumented():
    """By a sanitizer or for coverage: neither runs under valgrind as what is released does."""
    with open(WAYPOST, "rb") as f:
        image = f.read()
    return any(mark in image for mark in (b"__asan_init", b"__tsan_init", b"__gcov_"))


class Counted:
    """The server under callgrind."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {"authority": free_port(), "resolver": free_port()}
        for name, text in (("root.zone", ROOT_ZONE), ("example.zone", ZONE), ("hints", ". 3600 NS a.root.\na.root. 3600 A 127.0.0.1\n"),
                           ("conf.yaml", CONFIG.format(database=DATABASE, pools=POOLS, names=NAMED, members=", ".join(
                               f"m{i}: {{ address: 192.0.2.{10 + i}, weight: {10 * i} }}" for i in range(1, 5)), **self.ports))):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        self.out, self.dumps, self.log = os.path.join(folder, "out"), 0, os.path.join(folder, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=" + self.out, "--vgdb-prefix=" + os.path.join(folder, "vgdb"),
                 WAYPOST, "run", "-c", os.path.join(folder, "conf.yaml")], stdout=log, stderr=log)

    def wait(self):
        """Until it says that it serves, however long that takes here; ctest bounds it."""
        while True:
            with open(self.log, "rb") as f:
                text = f.read()
            if b"server: ready" in text:
                return
            if self.process.poll() is not None:
                sys.exit("budget: no start: " + text.decode(errors="replace"))
            time.sleep(0.05)

    def control(self, *words):
        r = subprocess.run(["callgrind_control", "--vgdb-prefix=" + os.path.join(self.folder, "vgdb"), *words, str(self.process.pid)],
                           capture_output=True, text=True)
        if r.returncode or "error" in r.stderr.lower():
            print("callgrind cannot be controlled here (it needs ptrace): skipped\n" + r.stdout + r.stderr)
            self.end()
            sys.exit(77)

    def counted(self):
        """Instructions since the last call, in all threads."""
        self.control("-d")
        self.dumps += 1
        with open(f"{self.out}.{self.dumps}") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("totals:"))

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def stand_still(self):
        os.kill(self.process.pid, signal.SIGSTOP)
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            raise SystemExit(f"budget: the server ended, status {status}")

    def udp(self, s, burst):
        self.stand_still()
        for m in burst:
            s.send(m)
        os.kill(self.process.pid, signal.SIGCONT)
        return [self.receive(s, 4096) for _ in burst]

    def tcp(self, s, burst):
        self.stand_still()
        s.sendall(b"".join(struct.pack(">H", len(m)) + m for m in burst))
        os.kill(self.process.pid, signal.SIGCONT)
        return [self.exactly(s, struct.unpack(">H", self.exactly(s, 2))[0]) for _ in burst]

    def receive(self, s, n):
        """What callgrind_control left of its ptrace may stop the server once more."""
        for _ in range(30):
            try:
                return s.recv(n)
            except socket.timeout:
                os.kill(self.process.pid, signal.SIGCONT)
        raise SystemExit("budget: no answer for a minute")

    def exactly(self, s, n):
        got = b""
        while len(got) < n:
            part = self.receive(s, n - len(got))
            if not part:
                raise SystemExit("budget: the connection ended")
            got += part
        return got

    def ask(self, s, over, asked, bursts):
        messages, rcode = asked
        for b in range(bursts):
            at = b * BURST % NAMES
            for m in getattr(self, over)(s, messages[at:at + BURST]):
                if m[3] & 15 != rcode or m[6:8] == b"\0\0" and not rcode:
                    raise SystemExit(f"budget: an answer is wrong: {m.hex()}")

    def per_query(self, where, over, asked):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if over == "tcp" else socket.SOCK_DGRAM)
        s.settimeout(2)
        s.connect(("127.0.0.1", self.ports[where]))
        self.ask(s, over, asked, WARM * NAMES // BURST)
        self.counted()
        self.ask(s, over, asked, BURSTS)
        s.close()
        return self.counted() / (BURST * BURSTS)


def budgets():
    with open(TABLE) as f:
        lines = f.readlines()
    return [line for line in lines if line.startswith("#")], dict(line.split() for line in lines if not line.startswith("#"))


def judge(measured):
    """The table; the rows that are above their budgets."""
    _, table = budgets()
    above = []
    print(f"{'instructions per query':<24} {'measured':>9} {'budget':>7}")
    for name, n in measured.items():
        budget = int(table[name])
        says = "ABOVE" if n > budget else "ok"
        if n < FAR_BELOW * budget:
            says = "ok, and far below: lower the budget (tests/e2e/budget.py --set)"
        print(f"{name:<24} {n:>9.0f} {budget:>7} {n / budget:>6.0%}  {says}")
        if n > budget:
            above.append(name)
    return above


def main():
    if not shutil.which("valgrind") or not shutil.which("callgrind_control"):
        print("valgrind is not installed: skipped")
        sys.exit(77)
    if instrumented():
        print("instructions are counted in the release build: skipped")
        sys.exit(77)
    folder = tempfile.mkdtemp()
    server = Counted(folder)
    try:
        server.wait()
        server.control("-i", "on")
        measured = {name: server.per_query(*row) for name, row in ROWS.items()}
    finally:
        server.end()
        shutil.rmtree(folder)
    if sys.argv[1:] == ["--set"]:
        comments, _ = budgets()
        with open(TABLE, "w") as f:
            f.writelines(comments + [f"{name:<20} {n * HEAD_ROOM:>6.0f}\n" for name, n in measured.items()])
    above = judge(measured)
    if above:
        sys.exit(f"budget: more instructions than allowed: {', '.join(above)}; see tests/bench/budget.txt")


main()

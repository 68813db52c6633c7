"""p99 of hits at half load while something else goes on, against p99 without it: in turns."""
import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
import time

from _serve import BURST_S, SOA, WAYPOST, Folder, Server, ask, finish_load, half_load, load, message, moved, says
from _upstream import Upstream, steady

LIMIT = 2.0
AUTHORITY = "server: {{ workers: 1, control: CONTROL, log: notice }}\nlisten: [ {{ address: 127.0.0.1, port: {port}, role: authority }} ]\n{rest}"
PORT = 7353


class Case:
    """server, queries, port: what is measured; disturbed: a context that is entered for every second burst, or says in `going`
    that it takes several."""
    port, lost_allowed = PORT, True

    def __init__(self, folder):
        self.folder, self.stack = folder, contextlib.ExitStack()

    def small_zone(self):
        names = [f"n{i}.example.test" for i in range(1000)]
        self.folder.write("small.zone", SOA + "$GENERATE 0-999 n$ A 192.0.2.1\n")
        self.queries = self.folder.queries("hits", [(n, "A") for n in names])
        return "zones:\n  - { name: example.test, file: small.zone }\n"

    def start(self, rest):
        self.server = self.stack.enter_context(Server(self.folder, AUTHORITY.format(port=PORT, rest=rest)))

    def going(self):
        return False

    def settle(self):
        pass


class SlowClient(Case):
    """20 connections that send an octet at a time, and 5 that ask for much and never read."""

    def __init__(self, folder):
        super().__init__(folder)
        self.start(self.small_zone())

    @contextlib.contextmanager
    def disturbed(self):
        going = threading.Event()
        held = [self.connection() for _ in range(25)]

        def drip():
            frame, at = message("n1.example.test"), 0
            frame = len(frame).to_bytes(2, "big") + frame
            while not going.wait(0.02):
                for i, s in enumerate(held):
                    try:
                        s.send(frame[at % len(frame):][:1] if i < 20 else frame * 200)
                    except OSError:  # full, or closed by a server that had enough
                        pass
                at += 1
        thread = threading.Thread(target=drip)
        thread.start()
        time.sleep(0.1)
        yield
        going.set()
        thread.join()
        for s in held:
            s.close()

    @staticmethod
    def connection():
        s = socket.create_connection(("127.0.0.1", PORT))
        s.setblocking(False)
        return s


class Reload(Case):
    """A zone of a million records is read again; the hits are names of that zone."""
    lost_allowed = False

    def __init__(self, folder, records=1000000):
        super().__init__(folder)
        with open(os.path.join(folder.path, "big.zone"), "w") as f:
            f.write(SOA + "".join(f"n{i} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(records)))
        rng = random.Random(1)
        self.queries = folder.queries("hits", [(f"n{rng.randrange(records)}.example.test", "A") for _ in range(50000)])
        self.start("zones: [ { name: example.test, file: big.zone } ]\n")

    def change(self):
        os.utime(os.path.join(self.folder.path, "big.zone"))

    @contextlib.contextmanager
    def disturbed(self):
        self.change()
        self.reload = self.server.verb("reload")
        yield
        if self.reload.wait():
            sys.exit("reload: " + self.reload.stderr.read().decode())

    def going(self):
        return self.reload.poll() is None


class MapCompile(Reload):
    """A map is compiled from a database of 300,000 networks; the hits are names steered by it."""
    lost_allowed = True
    NETWORKS, SITES = 300000, 16

    def __init__(self, folder):
        Case.__init__(self, folder)
        self.made, self.turn = [self.database(i) for i in range(2)], 0
        self.change()
        sites = [f"s{i}" for i in range(self.SITES)]
        where = ", ".join(f"{s}: {{ at: [{-50 + 7 * i}, {-170 + 22 * i}] }}" for i, s in enumerate(sites))
        pools = ", ".join(f"{s}: {{ site: {s}, members: {{ x: 192.0.2.{i + 1} }} }}" for i, s in enumerate(sites))
        names = ", ".join(f"w{i}.example.test: {{ map: m, pools: [{', '.join(sites)}] }}" for i in range(100))
        zone = self.small_zone()
        self.queries = folder.queries("steered", [(f"w{i}.example.test", "A") for i in range(100)])
        self.start(zone + f"gslb:\n  sites: {{ {where} }}\n  maps: {{ m: {{ database: geo.mmdb, otherwise: nearest }} }}\n"
                   f"  pools: {{ {pools} }}\n  names: {{ {names} }}\n")

    def database(self, seed):
        rng = random.Random(seed)
        rows = ["network,country,latitude,longitude"]
        for i in range(self.NETWORKS):
            at = 0x0B000000 + i * 2048
            rows.append(f"{at >> 24}.{at >> 16 & 255}.{at >> 8 & 255}.0/{21 + i % 3},DE,{rng.randrange(-80, 80)},{rng.randrange(-179, 179)}")
        out = os.path.join(self.folder.path, f"made{seed}.mmdb")
        subprocess.run([WAYPOST, "geo", "build", self.folder.write("rows.csv", "\n".join(rows) + "\n"), "-o", out], check=True, stdout=subprocess.DEVNULL)
        return out

    def change(self):
        with open(self.made[self.turn % 2], "rb") as f, open(os.path.join(self.folder.path, "geo.new"), "wb") as g:
            g.write(f.read())
        os.replace(os.path.join(self.folder.path, "geo.new"), os.path.join(self.folder.path, "geo.mmdb"))
        self.turn += 1


class Pending(Case):
    """300 resolutions wait for servers that never answer; the hits are cached."""

    def __init__(self, folder):
        super().__init__(folder)
        self.upstream = self.stack.enter_context(Upstream(folder))
        self.server, self.port = self.upstream.resolver(self.stack, "256M")
        self.queries, self.asked = steady(folder), 0
        load(self.server, self.port, self.queries, window=20)

    @contextlib.contextmanager
    def disturbed(self):
        s = ask(self.port, [f"x.d{self.asked + i}.test" for i in range(300)])
        self.asked += 300
        time.sleep(0.1)
        yield
        s.close()

    def settle(self):
        """Until none of them waits any more."""
        time.sleep(4)


class Eviction(Case):
    """2,000 new names a second come into a cache that is full; the hits are cached."""

    def __init__(self, folder):
        super().__init__(folder)
        self.upstream = self.stack.enter_context(Upstream(folder))
        self.server, self.port = self.upstream.resolver(self.stack, "4M")
        self.queries = steady(folder)
        load(self.server, self.port, self.queries, window=20)
        finish_load(self.upstream.flood(self.port, 10, 6000))

    @contextlib.contextmanager
    def disturbed(self):
        p = self.upstream.flood(self.port, BURST_S + 0.2, 2000)
        time.sleep(0.1)
        yield
        finish_load(p)


CASES = {"slow-client": SlowClient, "reload": Reload, "map": MapCompile, "pending": Pending, "eviction": Eviction}


def one(name, make, rounds):
    with Folder() as folder:
        case = make(folder)
        with case.stack:
            rate, calm, beside = half_load(case.server, case.port, case.queries), [], []
            for _ in range(rounds):
                calm.append(load(case.server, case.port, case.queries, rate=rate))
                with case.disturbed():
                    bursts = [load(case.server, case.port, case.queries, rate=rate)]
                    while case.going():
                        bursts.append(load(case.server, case.port, case.queries, rate=rate))
                beside.append({"p99": max(d["p99"] for d in bursts), "lost": sum(d["lost"] for d in bursts), "answered": sum(d["answered"] for d in bursts)})
                case.settle()
    lost = sum(d["lost"] for d in beside)
    moved(f"{name}, {rate} queries/s", calm, beside, LIMIT)
    if not case.lost_allowed or lost:
        says(f"{name}: lost, of {sum(d['answered'] for d in beside)}", str(lost), "0", lost == 0)


def run(a):
    for name in a.cases or CASES:
        if name not in CASES:
            sys.exit(f"no case {name}; there are {' '.join(CASES)}")
        print(f"# {CASES[name].__doc__}", flush=True)
        one(name, CASES[name], a.rounds or 6)
    return 0

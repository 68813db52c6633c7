"""A server of ours on a processor of its own, and the load on it from another."""
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

WAYPOST = os.environ["WAYPOST"]
SERVER_CPU, CLIENT_CPU = os.environ.get("BENCH_SERVER_CPU", "0"), os.environ.get("BENCH_CLIENT_CPU", "1")
SOA = "$TTL 3600\n@ SOA ns h 1 3600 600 604800 300\n@ NS ns\nns A 127.0.0.1\n"


def ahead_of_others():
    """Other work on this machine disturbs little; needs to be root, and goes without."""
    try:
        with open("/proc/self/autogroup", "w") as f:
            f.write("-20")
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except OSError:
        pass


class Folder:
    """A temporary one."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="waypost-bench-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def write(self, name, text):
        path = os.path.join(self.path, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.replace(path + ".new", path)
        return path

    def queries(self, name, questions):
        """(name, type) each, as the load generator reads them."""
        return self.write(name, "".join(f"{n} {t}\n" for n, t in questions))


class Server:
    def __init__(self, folder, config, name="server", cpus=SERVER_CPU, ready_within=120):
        self.control, self.log = os.path.join(folder.path, name + ".ctl"), os.path.join(folder.path, name + ".log")
        conf = folder.write(name + ".yaml", config.replace("CONTROL", self.control))
        began = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["taskset", "-c", cpus, WAYPOST, "run", "-c", conf],
                                            stdout=log, stderr=log, start_new_session=True, preexec_fn=ahead_of_others)
        while b"server: ready" not in self.said():
            if self.process.poll() is not None or time.monotonic() - began > ready_within:
                self.end()
                sys.exit("no start: " + self.said().decode(errors="replace")[-2000:])
            time.sleep(0.005)
        self.ready_s = time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def said(self):
        with open(self.log, "rb") as f:
            return f.read()

    def end(self):
        self.process.kill()
        self.process.wait()

    def cpu_s(self):
        """Of all its threads: the process's own clock."""
        return time.clock_gettime((~self.process.pid) << 3 | 2)

    def memory_mb(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1e3

    def verb(self, *words):
        return subprocess.Popen([WAYPOST, *words, "-s", self.control], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def stats(self):
        r = subprocess.run([WAYPOST, "stats", "--json", "-s", self.control], capture_output=True, text=True, check=True)
        return json.loads(r.stdout)


def load(server, port, queries, secs=1.0, rate=None, window=None, clients=4, address="127.0.0.1"):
    """What came of it: answered, lost, p50 and p99 in microseconds, the server's processor time per answer."""
    began = server.cpu_s()
    r = start_load(port, queries, secs, rate, window, clients, address)
    d = finish_load(r)
    d["cpu_us"] = (server.cpu_s() - began) * 1e6 / max(d["answered"], 1)
    return d


BLAST = os.environ.get("BENCH_ROOT", "/var/tmp/dnsbench") + "/bin/dnsblast"


def wire(text, out):
    types = {"A": 1, "AAAA": 28}
    with open(text) as f, open(out, "wb") as g:
        for line in f:
            name, kind = line.split()
            m = struct.pack(">6H", 0, 0x100, 1, 0, 0, 1) + b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + struct.pack(
                ">BHH", 0, types[kind], 1) + struct.pack(">BHHIH", 0, 41, 1232, 0, 0)
            g.write(struct.pack(">H", len(m)) + m)


def start_load(port, queries, secs, rate=None, window=None, clients=4, address="127.0.0.1", fresh=False):
    if not os.path.exists(queries + ".bin"):
        wire(queries, queries + ".bin")
    a = ["taskset", "-c", CLIENT_CPU, BLAST, "-s", address, "-p", str(port), "-f", queries + ".bin", "-t", str(secs), "-c", str(clients)]
    a += ["-r", str(rate)] if rate else ["-w", str(window or 128)]
    return subprocess.Popen(a + (["-B"] if fresh else []), stdout=subprocess.PIPE, text=True, preexec_fn=ahead_of_others)


def finish_load(process):
    out, _ = process.communicate()
    d = json.loads(out)
    return {"answered": d["rcvd"], "lost": d["lost"], "servfail": d["servfail"], "p50": d["lat_us"]["p50"], "p99": d["lat_us"]["p99"]}


def half_load(server, port, queries, **where):
    """Queries a second that take half of the server's processor."""
    load(server, port, queries, 0.3, **where)
    return round(0.5e6 / statistics.median(load(server, port, queries, 0.3, **where)["cpu_us"] for _ in range(3)))


def ask(port, names, kind=1, address="127.0.0.1"):
    """A message for each name, sent one by one; no answer is waited for. The socket, for who wants them."""
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((address, port))
    for i, n in enumerate(names):
        s.send(message(n, i & 0xFFFF, kind))
    return s


def message(name, ident=0, kind=1):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack(">6H", ident, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, 1)


def moved(what, calm, beside, limit):
    """p99 of two lists of runs. The least of each is judged, since a foreign time slice must not decide it, and every run of
    the second had what disturbs; the medians are told as well."""
    least, median = ([f(d["p99"] for d in runs) for runs in (calm, beside)] for f in (min, statistics.median))
    says(what, "p99 {:.0f} -> {:.0f} µs, {:.2f} × (medians {:.0f} -> {:.0f}, {:.2f} ×)".format(
        *least, least[1] / least[0], *median, median[1] / median[0]), f"≤ {limit:g} ×", least[1] <= limit * least[0])


def says(what, found, limit, good):
    """One line of a report: a figure, its limit, and whether it holds."""
    print(f"{what:<56} {found:<66} {limit:<9} {'met' if good else 'MISSED'}", flush=True)

"""A server of ours on a processor of its own, and the load on it from another."""
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

WAYPOST = os.environ["WAYPOST"]
SERVER_CPU, CLIENT_CPU = os.environ.get("BENCH_SERVER_CPU", "0"), os.environ.get("BENCH_CLIENT_CPU", "1")
BURST_S, READY_S = 0.5, 120
SOA = "$TTL 3600\n@ SOA ns h 1 3600 600 604800 300\n@ NS ns\nns A 127.0.0.1\n"


def ahead_of_others(priority=5):
    """Other work on this machine decides nothing: real time in turns, as root. What the server does aside makes itself idle
    work, as ever. Not a second without a pause, or the kernel makes one of 50 ms (sched_rt_runtime_us)."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
    except OSError:
        pass


def behind_the_load():
    """For what shares a processor with the load generator: that one must not be late."""
    ahead_of_others(4)


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
    def __init__(self, folder, config, name="server", cpus=SERVER_CPU, first=ahead_of_others):
        self.control, self.log = os.path.join(folder.path, name + ".ctl"), os.path.join(folder.path, name + ".log")
        conf = folder.write(name + ".yaml", config.replace("CONTROL", self.control))
        began = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["taskset", "-c", cpus, WAYPOST, "run", "-c", conf],
                                            stdout=log, stderr=log, start_new_session=True, preexec_fn=first)
        while b"server: ready" not in self.said():
            if self.process.poll() is not None or time.monotonic() - began > READY_S:
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


def load(server, port, queries, secs=BURST_S, rate=None, window=None, clients=4):
    """What came of it: answered, lost, p50 and p99 in microseconds, the server's processor time per answer."""
    d = finish_load(start_load(port, ["--file", queries, "--pid", str(server.process.pid)], secs, rate, window, clients))
    time.sleep(0.3 * secs)
    return d


def start_load(port, what, secs, rate=None, window=None, clients=4, first=ahead_of_others):
    how = ["--rate", f"{rate}/s"] if rate else ["--window", str(window or 128)]
    return subprocess.Popen(["taskset", "-c", CLIENT_CPU, WAYPOST, "bench", f"@127.0.0.1:{port}", *what, *how, "--seconds", str(secs),
                             "--clients", str(clients), "--json"], stdout=subprocess.PIPE, text=True, preexec_fn=first)


def finish_load(process):
    out, _ = process.communicate()
    if not out:
        sys.exit("no load: waypost bench says why above")
    d = json.loads(out)
    return {"answered": d["counts"]["answered"], "lost": d["counts"]["lost"], "servfail": d["rcodes"].get("SERVFAIL", 0),
            "p50": d["latency_us"].get("p50", 0), "p99": d["latency_us"].get("p99", 0),
            "cpu_us": d.get("server_cpu", {}).get("us_per_answer", 0)}


def half_load(server, port, queries):
    """Queries a second that take half of the server's processor."""
    load(server, port, queries)
    return round(0.5e6 / statistics.median(load(server, port, queries)["cpu_us"] for _ in range(3)))


def ask(port, names):
    """A message for each name, sent one by one; no answer is waited for. The socket, for who wants them."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("127.0.0.1", port))
    for i, n in enumerate(names):
        s.send(message(n, i))
    return s


def message(name, ident=0):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack(">6H", ident, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, 1, 1)


def moved(what, calm, beside, limit):
    """p99 of two lists of runs. The least of each is judged, since a foreign time slice must not decide it, and every run of
    the second had what disturbs; the medians are told as well."""
    least, median = ([f(d["p99"] for d in runs) for runs in (calm, beside)] for f in (min, statistics.median))
    says(what, "p99 {:.0f} -> {:.0f} µs, {:.2f} × (medians {:.0f} -> {:.0f}, {:.2f} ×)".format(
        *least, least[1] / least[0], *median, median[1] / median[0]), f"≤ {limit:g} ×", least[1] <= limit * least[0])


def says(what, found, limit, good):
    """One line of a report: a figure, its limit, and whether it holds."""
    print(f"{what:<56} {found:<66} {limit:<9} {'met' if good else 'MISSED'}", flush=True)

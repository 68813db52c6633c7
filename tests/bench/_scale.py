"""What more of everything costs: workers, names, zones, connections. Two servers side by side, asked in turns."""
import contextlib
import os
import random
import resource
import socket
import statistics
import sys
import time

from _serve import CLIENT_CPU, SERVER_CPU, SOA, Folder, Server, load, message, says

PORT, FLAT = 7356, 1.10
CONFIG = "server: {{ workers: {workers}, control: CONTROL, log: notice{more} }}\nlisten: [ {{ address: 127.0.0.1, port: {port}, role: authority }} ]\nzones:\n{zones}"


def zone_line(name, path):
    return f"  - {{ name: {name}, file: {path} }}\n"


def serve(folder, name, port, zones, workers=1, cpus=SERVER_CPU, more=""):
    return Server(folder, CONFIG.format(workers=workers, port=port, zones=zones, more=more), name, cpus)


def in_turns(pairs, rounds, **how):
    """Processor time per query of each (server, port, queries), and the ratio of the second to the first."""
    found = [[] for _ in pairs]
    for r in range(rounds + 1):
        for into, (server, port, queries) in zip(found, pairs):
            d = load(server, port, queries, **how)
            if r:  # the first finds cold memory
                into.append(d["cpu_us"])
    return [statistics.median(f) for f in found] + [statistics.median(b / a for a, b in zip(*found))]


def numbered(folder, file, count):
    path = os.path.join(folder.path, file)
    with open(path, "w") as f:
        f.write(SOA + "".join(f"n{i} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(count)))
    return path


def asked(folder, file, names):
    rng = random.Random(1)
    return folder.queries(file, [(rng.choice(names), "A") for _ in range(50000)])


def workers(folder, stack, rounds):
    """Two workers against one, both on the processors that the load comes from as well."""
    zone = zone_line("example.test", numbered(folder, "a.zone", 100000))
    queries = asked(folder, "hits", [f"n{i}.example.test" for i in range(100000)])
    both = f"{SERVER_CPU},{CLIENT_CPU}"
    pairs = [(stack.enter_context(serve(folder, f"w{n}", PORT + n, zone, n, both)), PORT + n, queries) for n in (1, 2)]
    a, b, times = in_turns(pairs, rounds, window=128, clients=16)
    says("2 workers against 1, CPU µs/query", f"{a:.2f} -> {b:.2f}, {times:.2f} ×", f"≤ {FLAT} ×", times <= FLAT)


def names(folder, stack, rounds):
    """A zone of a thousand names, of 100,000 and of a million."""
    pairs, memory = [], {}
    for i, count in enumerate((1000, 100000, 1000000)):
        queries = asked(folder, f"hits{i}", [f"n{k}.example.test" for k in random.Random(2).sample(range(count), min(count, 50000))])
        s = stack.enter_context(serve(folder, f"n{i}", PORT + i, zone_line("example.test", numbered(folder, f"{i}.zone", count))))
        memory[count] = s.memory_mb()
        pairs.append((s, PORT + i, queries))
    a, b, times = in_turns([pairs[0], pairs[2]], rounds)
    says("1k -> 1M names, CPU µs/query", f"{a:.2f} -> {b:.2f}, {times:.2f} ×", f"≤ {FLAT} ×", times <= FLAT)
    few, many = ((memory[n] - memory[m]) * 1e6 / (n - m) for m, n in ((1000, 100000), (100000, 1000000)))
    says("1k -> 1M names, bytes per further name", f"{few:.0f} -> {many:.0f}, {many / few:.2f} ×", f"≤ {FLAT} ×", many <= few * FLAT)


def zones(folder, stack, rounds):
    """100,000 names in one zone, and in a thousand."""
    one = zone_line("example.test", numbered(folder, "one.zone", 100000))
    part = numbered(folder, "part.zone", 100)
    split = "".join(zone_line(f"z{i}.test", part) for i in range(1000))
    pairs = [(stack.enter_context(serve(folder, "one", PORT, one)), PORT, asked(folder, "one", [f"n{i}.example.test" for i in range(100000)])),
             (stack.enter_context(serve(folder, "many", PORT + 1, split)), PORT + 1,
              asked(folder, "many", [f"n{i % 100}.z{i // 100}.test" for i in range(100000)]))]
    a, b, times = in_turns(pairs, rounds)
    says("1 -> 1,000 zones, CPU µs/query", f"{a:.2f} -> {b:.2f}, {times:.2f} ×", f"≤ {FLAT} ×", times <= FLAT)
    a, b = (s.memory_mb() for s, _, _ in pairs)
    says("1 -> 1,000 zones, MB resident", f"{a:.0f} -> {b:.0f}, {b / a:.2f} ×", f"≤ {FLAT} ×", b <= a * FLAT)


def start(folder, stack, rounds):
    """10,000 zones until the first is served."""
    path = numbered(folder, "part.zone", 1)
    config = "".join(zone_line(f"z{i}.test", path) for i in range(10000))
    took, cpu = [], []
    for i in range(3):
        with serve(folder, f"s{i}", PORT, config) as s:
            took.append(s.ready_s)
            cpu.append(s.cpu_s())
    says("10,000 zones, seconds to start", f"{min(took):.2f} (CPU {min(cpu):.2f})", "< 2", min(took) < 2)


def connections(folder, stack, rounds):
    """10,000 idle TCP connections, of 200 clients, to one worker."""
    count = 10000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 1000:
        print(f"connections: {hard} open files are allowed here: left out")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    zone = zone_line("example.test", numbered(folder, "a.zone", 1000))
    queries = asked(folder, "hits", [f"n{i}.example.test" for i in range(1000)])
    server = stack.enter_context(serve(folder, "c", PORT, zone, more=f", tcp: {{ connections: {count}, idle-timeout: 1m }}"))
    load(server, PORT, queries, clients=64)
    frame = message("n1.example.test")
    frame = len(frame).to_bytes(2, "big") + frame
    before, grown, calm, beside, kept = server.memory_mb(), [], [], [], []
    for _ in range(min(rounds, 4)):
        calm += [load(server, PORT, queries, clients=64)["cpu_us"] for _ in range(4)]
        held = [one_connection(i, frame) for i in range(count)]
        grown.append(server.memory_mb() - before)
        beside += [load(server, PORT, queries, clients=64)["cpu_us"] for _ in range(4)]
        kept.append(sum(is_open(s) for s in held))
        for s in held:
            s.close()
        time.sleep(0.5)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    a, b = statistics.median(calm), statistics.median(beside)
    says(f"10,000 idle connections, MB resident ({min(kept)} held)", f"{max(grown):.1f}", "< 40", max(grown) < 40 and min(kept) == count)
    says("10,000 idle connections, CPU µs/query (UDP)", f"{a:.2f} -> {b:.2f}, {b / a:.2f} ×", "≤ 1.05 ×", b <= a * 1.05)


def one_connection(i, frame):
    """It has asked once, and is idle."""
    s = socket.create_connection(("127.0.0.1", PORT), source_address=(f"127.3.0.{i % 200 + 1}", 0), timeout=10)
    s.send(frame)
    if not s.recv(4096):
        sys.exit(f"connections: number {i} is closed")
    s.setblocking(False)
    return s


def is_open(s):
    try:
        return s.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


CASES = {f.__name__: f for f in (workers, names, zones, start, connections)}


def run(a):
    for name in a.cases or CASES:
        if name not in CASES:
            sys.exit(f"no case {name}; there are {' '.join(CASES)}")
        print(f"# {CASES[name].__doc__}", flush=True)
        with Folder() as folder, contextlib.ExitStack() as stack:
            CASES[name](folder, stack, a.rounds or 8)
    return 0

"""The table: what is measured side by side, with which peers, and what waypost has to reach."""
import json
import os
import re
import statistics
import subprocess
import sys
import time

from _serve import ahead_of_others

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = "waypost"
EQUAL = 1.05  # what is closer than this cannot be told apart on the reference machine

# Scenario of the harness: the servers that run in it ("": all that it has).
AUTHORITIES = ["gdnsd", "knotd", "nsd", "pdns", "named"]
RESOLVERS = ["kresd", "unbound", "pdns-recursor", "named"]
SERVERS = {
    "S8": [], "S1": AUTHORITIES, "S1nx": AUTHORITIES, "S2": ["gdnsd", "knotd", "pdns"],
    "S3": ["gdnsd", "knotd", "pdns-luashared"], "S3f": ["gdnsd", "pdns-luashared"],
    "S4": RESOLVERS, "S5": RESOLVERS, "S5L": ["kresd", "unbound"], "S5t": ["kresd", "pdns-recursor", "named"],
    "S6": AUTHORITIES, "S6r": RESOLVERS, "S7z": AUTHORITIES, "S7c": RESOLVERS,
}
STEADY = ("S8", "S1", "S1nx", "S2", "S3", "S3f", "S4", "S6", "S6r")
COLD = ("S5", "S5L", "S5t")
HALF_LOAD = ("S1", "S4")  # latency is measured as well

CPU = "CPU µs/query"
# Figure: how a run's result has it, one number for each round; how it is printed.
FIGURES = {
    CPU: (lambda r: [d["cpu_us"] for d in r.get("max") or r.get("cold", [])], "{:.2f}"),
    "p50 µs at half load": (lambda r: [d["lat_us"]["p50"] for d in r.get("half", [])], "{:.0f}"),
    "p99 µs at half load": (lambda r: [d["lat_us"]["p99"] for d in r.get("half", [])], "{:.0f}"),
    "p99 ms": (lambda r: [d["lat_us"]["p99"] / 1e3 for d in r.get("cold", [])], "{:.1f}"),
    "upstream queries": (lambda r: [d["up_per_q"] for d in r.get("cold", [])], "{:.2f}"),
    "clients unanswered": (lambda r: [d["sent"] - d["rcvd"] + d["servfail"] for d in r.get("cold", [])], "{:.0f}"),
    "seconds to load": (lambda r: [d["load_s"] for d in r.get("zone", [])], "{:.2f}"),
    "bytes per record": (lambda r: [d["pss_kb"] * 1024 / 1e6 for d in r.get("zone", [])], "{:.0f}"),
    "bytes per name": (lambda r: [d["bytes_per_name"] for d in r.get("cache", [])], "{:.0f}"),
    "idle MiB resident": (lambda r: [d["mem0"]["rss_kb"] / 1024 for d in r.get("cold", [])], "{:.1f}"),
}
# A latency's least value over the rounds: a foreign time slice must not decide it. Otherwise the median.
LEAST = ("p50 µs at half load", "p99 µs at half load")

# (scenario, figure, peer, at most so many times the peer's, stretch). No peer: the limit is the figure itself.
TARGETS = [
    ("S1", CPU, "gdnsd", 0.92, 0.86), ("S1", CPU, "nsd", 0.60, None), ("S1", CPU, "knotd", 0.60, None),
    ("S1", "p50 µs at half load", "best", 1.00, None), ("S1", "p99 µs at half load", "best", 1.00, None),
    ("S1nx", CPU, "gdnsd", 1.00, 0.95),
    ("S2", CPU, "gdnsd", 1.00, 0.95), ("S2", CPU, "knotd", 0.50, None),
    ("S3", CPU, "gdnsd", 1.00, 0.95), ("S3f", CPU, "gdnsd", 1.00, 0.95),
    ("S4", CPU, "unbound", 0.58, 0.50),
    ("S4", "p50 µs at half load", "best", 1.00, None), ("S4", "p99 µs at half load", "best", 1.00, None),
    ("S5", CPU, "kresd", 0.60, 0.45), ("S5", "upstream queries", None, 2.10, None), ("S5", "p99 ms", "kresd", 1.00, None),
    ("S5L", CPU, "kresd", 0.60, None), ("S5L", "p99 ms", "kresd", 1.00, 0.80), ("S5L", "clients unanswered", None, 0, None),
    ("S5t", CPU, "kresd", 0.60, 0.45), ("S5t", "clients unanswered", None, 0, None),
    ("S6", CPU, "gdnsd", 0.70, 0.50), ("S6r", CPU, "kresd", 0.40, 0.30),
    ("S7z", "seconds to load", "gdnsd", 0.50, 0.33), ("S7z", "bytes per record", "gdnsd", 1.00, None),
    ("S7c", "bytes per name", None, 300, 200),
    ("S5", "idle MiB resident", None, 14, None),
]
PACKAGES = {"gdnsd": "gdnsd", "knotd": "knot", "nsd": "nsd", "pdns": "pdns-server", "pdns-luashared": "pdns-server", "named": "bind9",
            "unbound": "unbound", "kresd": "knot-resolver", "pdns-recursor": "pdns-recursor"}


def value(figure, result):
    numbers = FIGURES[figure][0](result)
    if not numbers:
        return None
    return min(numbers) if figure in LEAST else statistics.median(numbers)


def ratio(figure, ours, peer):
    """Of the same rounds, where both have them: what disturbs a round disturbs both."""
    get = FIGURES[figure][0]
    a, b = get(ours), get(peer)
    if figure in LEAST or len(a) != len(b):
        return value(figure, ours) / value(figure, peer)
    return statistics.median(x / y for x, y in zip(a, b))


def verdict(found, limit, stretch):
    if stretch is not None and found <= stretch:
        return "stretch met"
    if found <= limit:
        return "met"
    if limit and found <= limit * EQUAL:
        return "within 5 %"
    return f"missed by {found / limit - 1:.0%}" if limit else "missed"


def row(target, results):
    scenario, figure, against, limit, stretch = target
    text = FIGURES[figure][1].format
    servers = {n: r for n, r in results.get(scenario, {}).items() if not n.startswith("echo-") and value(figure, r) is not None}
    if OURS not in servers:
        return [scenario, figure, "not measured"] + [""] * 4
    ours, echo = value(figure, servers[OURS]), value(CPU, results[scenario].get("echo-mmsg", {}))
    peers = {n: value(figure, r) for n, r in servers.items() if n in PACKAGES}
    best = min(peers, key=peers.get) if peers else None
    bound = f"≤ {limit:g}" + (f" ({stretch:g})" if stretch else "")
    if against is None:
        shown = f"{text(peers[best])} {best}" if best else ""
        return [scenario, figure, text(ours), shown, "", bound, verdict(round(ours, 2), limit, stretch)]
    peer = best if against == "best" else against
    if peer not in peers:
        return [scenario, figure, text(ours), f"{peer}: not measured", "", bound + " ×", ""]
    found = ratio(figure, servers[OURS], servers[peer])
    above = [f" ({n / echo:.2f})" if echo and figure == CPU else "" for n in (ours, peers[peer])]
    return [scenario, figure, text(ours) + above[0], f"{text(peers[peer])}{above[1]} {peer}", f"{found:.2f}", bound + " ×", verdict(found, limit, stretch)]


def ceiling(results):
    """What a server would cost that only echoes, in batches as ours."""
    echo = value(CPU, results.get("S8", {}).get("echo-mmsg", {}))
    return [["S8 (echo)", CPU, f"{echo:.2f}" if echo else "not measured", "", "", "", "the ceiling"]]


def grid(head, rows, markdown):
    if markdown:
        for r in [head, ["---"] * len(head)] + rows:
            print("| " + " | ".join(r) + " |")
        return
    wide = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    for r in [head] + rows:
        print("  ".join(c.ljust(w) for c, w in zip(r, wide)).rstrip())


def versions(servers):
    """Of those packages that a package manager here knows."""
    found = []
    for n in sorted({PACKAGES[s] for s in servers if s in PACKAGES}):
        try:
            r = subprocess.run(["dpkg-query", "-W", "-f=${Version}", n], capture_output=True, text=True)
            found.append(f"{n} {r.stdout if r.returncode == 0 else '?'}")
        except OSError:
            found.append(n)
    return ", ".join(found)


def revision():
    r = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return r.stdout.strip() if r.returncode == 0 else "?"


def report(a):
    results, env, dates = {}, {}, []
    for scenario in SERVERS:
        path = os.path.join(a.out, scenario + ".json")
        if os.path.exists(path):
            with open(path) as f:
                d = json.load(f)
            results[scenario], env = d["results"], d["env"]
            dates.append((d["env"]["date"], d.get("revision", "?"), d.get("rounds")))
    if not results:
        sys.exit(f"nothing is kept in {a.out}: run `table` first")
    dates.sort()
    servers = {n for r in results.values() for n in r}
    print(f"{env['cpu']}, {env['ncpu']} virtual processors, Linux {env['kernel']}; measured {dates[0][0]} to {dates[-1][0]}, "
          f"waypost {', '.join(sorted({d[1] for d in dates}))}; rounds: {', '.join(sorted({str(d[2]) for d in dates}, key=len))}.")
    print(f"Peers: {versions(servers)}. In brackets: times the echo ceiling of the same rounds.\n")
    grid(["scenario", "figure", "waypost", "peer", "ratio", "target (stretch)", ""],
         ceiling(results) + [row(t, results) for t in TARGETS], a.markdown)
    return 0


def harness():
    bench = os.environ.get("BENCH")
    if not bench or not os.access(os.path.join(bench, "run"), os.X_OK):
        sys.exit("BENCH is to name the folder of the harness that runs the peers (its executable `run` is looked for there): "
                 "BENCH=/path/to/bench tests/bench/run table")
    return os.path.join(bench, "run")


def measure(run, scenario, a):
    rounds = (a.rounds or 12) if scenario in STEADY else 1 if scenario == "S7c" else a.cold_rounds
    args = [run, scenario] + ([OURS] + SERVERS[scenario] if SERVERS[scenario] else []) + ["--rounds", str(rounds)]
    if scenario not in HALF_LOAD:
        args.append("--nolat")
    env = dict(os.environ, BENCH_ADAPTERS=":".join([HERE] + [d for d in os.environ.get("BENCH_ADAPTERS", "").split(":") if d and d != HERE]))
    # Short bursts can run in real time, all servers alike; long ones would be throttled for it.
    r = subprocess.run(args, env=env, stdout=subprocess.PIPE, text=True, preexec_fn=ahead_of_others if scenario in STEADY else None)
    saved = re.search(r"saved (\S+)$", r.stdout, re.M)
    if r.returncode or not saved:
        print(f"{scenario}: the harness failed, status {r.returncode}\n{r.stdout}", file=sys.stderr)
        return False
    kept = os.path.join(a.out, scenario + ".json")
    with open(saved[1]) as f:
        d = json.load(f)
    with open(kept, "w") as f:
        json.dump(dict(d, rounds=rounds, revision=revision()), f)
    return True


def table(a):
    run = harness()
    unknown = [s for s in a.cases if s not in SERVERS]
    if unknown:
        sys.exit(f"no scenario {', '.join(unknown)}; there are {' '.join(SERVERS)}")
    os.makedirs(a.out, exist_ok=True)
    failed = []
    for scenario in a.cases or SERVERS:
        began = time.time()
        if not measure(run, scenario, a):
            failed.append(scenario)
        print(f"{scenario}: {time.time() - began:.0f} s", file=sys.stderr)
    report(a)
    return 1 if failed else 0

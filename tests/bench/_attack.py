"""2,000 queries a second of cached names, beside 10,000 a second of names that nobody asked for before; and 200 a second of new
names, beside those of zones whose servers never answer."""
import contextlib
import statistics
import time

from _serve import BURST_S, Folder, behind_the_load, finish_load, load, moved, says, start_load
from _upstream import DEAD, RESOLVER, Upstream, steady

STEADY, FLOOD, SECS = 2000, 10000, 6
NEW, UNKNOWN_S = 200, 2  # what every silent server costs until it is known lasts about as long
SMALL, LARGE = "16M", "1G"


def misses(upstream):
    """Of the steady names: their server is asked for nothing else."""
    return upstream.asked.stats()["waypost_route_queries_total"]


def beside_flood(upstream, stack, rounds):
    server, port = upstream.resolver(stack, SMALL)
    queries = steady(upstream.folder)
    load(server, port, queries, 1, STEADY)
    calm, beside, missed = [], [], 0
    answered = servfail = 0
    for _ in range(rounds):
        calm.append(load(server, port, queries, 1, STEADY))
        flood = upstream.flood(port, SECS + 0.5, FLOOD)
        before = misses(upstream)
        beside.append(load(server, port, queries, SECS, STEADY))
        missed += misses(upstream) - before
        d = finish_load(flood)
        answered += d["answered"]
        servfail += d["servfail"]
    print(f"# of the flood {answered} names were answered, {servfail} of them with SERVFAIL; the cache has {SMALL}")
    asked = sum(d["answered"] + d["lost"] for d in beside)
    share = (sum(d["answered"] for d in beside) - missed) / asked
    says("attack, hit ratio of the steady set", f"{share:.2%} of {asked}", "≥ 95 %", share >= 0.95)
    moved("attack, the steady set", calm, beside, 2)
    return server


def full(upstream, stack, small, rounds):
    """What a new name costs in a cache that is full, and in one that has room."""
    large, port = upstream.resolver(stack, LARGE, RESOLVER + 1)
    cost = [[], []]
    for _ in range(rounds * 2):
        for into, server, at in zip(cost, (large, small), (port, RESOLVER)):
            into.append(finish_load(upstream.flood(at, BURST_S, FLOOD // 2, "--pid", str(server.process.pid)))["cpu_us"])
    room, none = (statistics.median(c) for c in cost)
    times = statistics.median(b / a for a, b in zip(*cost))
    says("attack, CPU µs per new name: with room -> cache is full", f"{room:.1f} -> {none:.1f}, {times:.2f} ×", "≤ 1.1 ×", times <= 1.1)


def silent(upstream, stack, rate):
    """Others' new names, while the questions in flight are more and more such that nobody answers."""
    server, port = upstream.resolver(stack, SMALL, RESOLVER + 2)
    dead = upstream.folder.queries("silent", [(f"www.d{i}.test", "A") for i in range(DEAD)])
    calm = finish_load(upstream.flood(port, SECS, NEW))
    flood = start_load(port, ["--file", dead], SECS + UNKNOWN_S + 1, rate, first=behind_the_load)
    time.sleep(UNKNOWN_S)
    beside = finish_load(upstream.flood(port, SECS, NEW))
    finish_load(flood)
    server.end()
    good = 1 - (beside["lost"] + beside["servfail"]) / (beside["lost"] + beside["answered"])
    says(f"attack, {rate:,}/s to silent servers: others' new names", f"{good:.2%} answered", "≥ 95 %", good >= 0.95)
    moved("attack, those names", [calm], [beside], 2)


def run(a):
    rounds = a.rounds or 4
    with Folder() as folder, contextlib.ExitStack() as stack:
        upstream = stack.enter_context(Upstream(folder))
        small = beside_flood(upstream, stack, rounds)
        full(upstream, stack, small, rounds)
        for rate in FLOOD // 5, FLOOD:
            silent(upstream, stack, rate)
    return 0

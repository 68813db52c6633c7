"""2,000 queries a second of cached names, beside 10,000 a second of names that nobody asked for before."""
import contextlib

from _serve import Folder, finish_load, load, moved, says
from _upstream import Upstream, steady

STEADY, FLOOD, CACHE, SECS = 2000, 10000, "16M", 6


def misses(upstream):
    """Of the steady names: their server is asked for nothing else."""
    return upstream.asked.stats()["waypost_route_queries_total"]


def run(a):
    with Folder() as folder, contextlib.ExitStack() as stack:
        upstream = stack.enter_context(Upstream(folder))
        server, port = upstream.resolver(stack, CACHE)
        queries = steady(folder)
        load(server, port, queries, 1, STEADY)
        calm, beside, cost = [], [], []
        hits = asked = answered = servfail = 0
        for _ in range(a.rounds or 4):
            calm.append(load(server, port, queries, 1, STEADY))
            flood = upstream.flood(port, SECS + 1, FLOOD)
            before, missed = server.cpu_s(), misses(upstream)
            beside.append(load(server, port, queries, SECS, STEADY))
            missed = misses(upstream) - missed
            cost.append((server.cpu_s() - before) / SECS)
            asked += beside[-1]["answered"] + beside[-1]["lost"]
            hits += beside[-1]["answered"] - missed
            d = finish_load(flood)
            answered += d["answered"]
            servfail += d["servfail"]
        u = server.stats()
        print(f"# cache of {CACHE}; {answered} of the flood answered, {servfail} with SERVFAIL; a processor is busy to "
              + ", ".join(f"{c:.0%}" for c in cost) + f"; {u['waypost_route_cached_total']} answers from the cache in all")
        share = hits / asked
        says("attack: hit ratio of the steady set", f"{share:.2%} of {asked}", "≥ 95 %", share >= 0.95)
        moved("attack: the steady set", calm, beside, 2)
        says("attack: eviction, CPU of the first and the last round", f"{cost[0]:.0%} -> {cost[-1]:.0%}", "≤ 1.1 ×", cost[-1] <= 1.1 * cost[0])
    return 0

#!/usr/bin/env python3
"""What a server that is killed has acknowledged, and what it serves at once when it is there again.

SIGKILL at random moments while orders are given and a client asks: every acknowledged order holds afterwards, and the
first answers are those of before. States keep their age over SIGTERM and SIGKILL. On a full disk orders are refused,
serving goes on, and status says that nothing is kept (as root, where mount namespaces are; else that part is left out)."""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ports import free_port  # noqa: E402
from steered import Client, Origin, Server  # noqa: E402

ROUNDS, MEMBERS, NET = 10, 8, "127.64.0."
FULL = "full"  # this script again, inside its own mount namespace


def fail(server, what):
    print("health_kept:", what, file=sys.stderr)
    print(server.log().decode()[-3000:], file=sys.stderr)
    if server.process and server.process.poll() is None:
        server.kill()
    sys.exit(1)


def configure(server, port, state="state"):
    members = ", ".join(f"m{i}: 192.0.2.{10 + i}" for i in range(MEMBERS))
    server.configure(f"""gslb:
  doubt: {{ share: 0.0% }}
  warm-up: 50ms
  state: {state}
  checks:
    web: {{ type: http, port: {port}, every: 200ms, timeout: 150ms, fail-after: 2, pass-after: 2 }}
  pools:
    orders: {{ choose: all, members: {{ {members} }} }}
    up: {{ check: web, members: {{ a: {NET}1 }} }}
    down: {{ check: web, members: {{ a: {NET}2 }} }}
    spare: {{ members: {{ b: 192.0.2.1 }} }}
  names:
    all.example.test: {{ pool: orders }}
    up.example.test: {{ pools: [up, spare] }}
    down.example.test: {{ pools: [down, spare] }}
""")


def order(server, rng, said):
    """One order; said[member] is what holds, None while that is not known. False: the server is gone."""
    i, verb = rng.randrange(MEMBERS), rng.choice(("up", "down", "weight", "clear"))
    permille = rng.randrange(1000) if verb == "weight" else 1000
    if verb == "clear" and said.get(i) is None:
        verb = "down"
    before, said[i] = said.get(i), ("?", said.get(i), None if verb == "clear" else (verb, permille))
    try:
        status, _ = server.call("POST", f"/v1/gslb/force?what=orders/m{i}&to={verb}&permille={permille}")
    except OSError:
        return False
    except Exception:  # half an answer
        return False
    if status != 200:
        said[i] = before
        return verb == "clear" and status == 404
    said[i] = said[i][2]
    return True


def check_orders(server, said, round_):
    held = {o["what"]: (o["force"], o["permille"] if o["force"] == "weight" else 1000) for o in server.call("GET", "/v1/gslb/orders")[1]["orders"]}
    for i in range(MEMBERS):
        is_, want = held.get(f"orders/m{i}"), said.get(i)
        options = want[1:] if want and want[0] == "?" else (want,)
        if is_ not in options:
            fail(server, f"round {round_}: m{i} has {is_}, acknowledged was {want}")
        said[i] = is_
    given = set()
    for i in range(MEMBERS):
        up = server.member(f"orders/m{i}")["up"]
        if up != (said[i] is None or said[i][0] == "up" or said[i][0] == "weight" and said[i][1] > 0):
            fail(server, f"round {round_}: m{i} is {'up' if up else 'down'}, ordered {said[i]}")
        if up:
            given.add(f"192.0.2.{10 + i}")
    return given


def killed(server, rng):
    said, count, worst = {}, 0, 0.0
    client = Client(server.port, 200, ["all.example.test", "up.example.test", "down.example.test"])
    server.start()
    until_down(server)
    since = {m: server.member(m)["since"] for m in ("up/a", "down/a")}
    until(server, "the states are not kept", lambda: kept_ms(server) > max(since.values()))  # a kill may cost a second of them
    for n in range(ROUNDS):
        stop = threading.Timer(0.02 + rng.random() * 0.4, server.process.kill)
        stop.start()
        while order(server, rng, said):
            count += 1
        server.process.wait()
        begun = time.time()
        server.start()
        ready = time.time()
        worst = max(worst, ready - begun)
        given = check_orders(server, said, n)
        until(server, f"round {n}: no answers", lambda: all(client.of(name, ready) for name in client.names))
        for name, right in (("up", [NET + "1"]), ("down", ["192.0.2.1"])):
            wrong = [a for a in client.of(f"{name}.example.test", begun) if a[4] != right]
            if wrong:
                fail(server, f"round {n}: {len(wrong)} answers of {name} are {wrong[0][4]}, the first {wrong[0][1] - begun:.3f} s after the start")
        got = client.of("all.example.test", begun)
        if not got or any(set(a[4]) != (given or set(a[4])) for a in got):
            fail(server, f"round {n}: {got[:1]} is answered, ordered is {sorted(given)}")
        for m, was in since.items():
            if abs(server.member(m)["since"] - was) > 50:
                fail(server, f"round {n}: {m} is said to be so since {server.member(m)['since'] - was} ms later")
    client.end()
    print(f"{ROUNDS} kills, {count} orders acknowledged, none lost; {len(client.answers)} answers; ready again after at most {worst * 1000:.0f} ms")
    if count < ROUNDS:
        fail(server, f"only {count} orders")
    if server.stop() != 0:
        fail(server, "the end was not status 0")
    server.start()
    for m, was in since.items():
        if abs(server.member(m)["since"] - was) > 50:
            fail(server, f"after SIGTERM {m} is said to be so since {server.member(m)['since'] - was} ms later")
    check_orders(server, said, "SIGTERM")
    if server.stop() != 0:
        fail(server, "the end was not status 0")


def until(server, what, condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    fail(server, what)


def until_down(server):
    until(server, "the states do not settle", lambda: not server.member("down/a")["up"] and server.member("up/a")["checks"][0]["state"] == "up")


def kept_ms(server):
    state = os.path.join(server.folder, "state")
    return os.stat(state).st_mtime_ns // 1000000 if os.path.exists(state) else 0


def full(folder):
    """In a mount namespace: the state lies on a disk of 64 KiB that is then filled."""
    disk = os.path.join(folder, "disk")
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).returncode:
        return 77
    up = Origin(NET + "1", free_port(NET + "1"))
    server = Server(folder)
    configure(server, up.port, "disk/state")
    server.start()
    until_down(server)
    server.say("gslb", "force", "orders/m1", "down")
    with open(os.path.join(disk, "filler"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    said = server.say("gslb", "force", "orders/m2", "down", code=4)
    if "no space" not in said.lower() and "full" not in said.lower():
        fail(server, f"a full disk, and the order is answered: {said}")
    if not server.member("orders/m2")["up"] or server.member("orders/m1")["up"]:
        fail(server, "a refused order holds, or the one before does not")
    up.turn("refuse")  # a change of state that cannot be kept
    client = Client(server.port, 100, ["up.example.test"])
    if not client.first("up.example.test", time.time(), [("192.0.2.1",)], 10):
        fail(server, "no failover on a full disk")
    until(server, "status does not say that nothing is kept", lambda: server.call("GET", "/v1/gslb/status")[1]["saving"] is False)
    os.unlink(os.path.join(disk, "filler"))
    server.say("gslb", "force", "orders/m2", "down")
    until(server, "the disk has room again, and nothing is kept", lambda: server.call("GET", "/v1/gslb/status")[1]["saving"] is True)
    if server.member("orders/m2")["up"]:
        fail(server, "the disk has room again, and an order does not hold")
    client.end()
    print(f"full disk: the order is refused ({said.strip()}), {len(client.answers)} answers meanwhile")
    return 0 if server.stop() == 0 else 1


def main():
    folder = sys.argv[2] if sys.argv[1:2] == [FULL] else tempfile.mkdtemp()
    if sys.argv[1:2] == [FULL]:
        sys.exit(full(folder))
    seed = int(os.environ.get("SEED", "7"))
    server = Server(folder)
    origin = Origin(NET + "1", free_port(NET + "1"))
    configure(server, origin.port)
    try:
        killed(server, random.Random(seed))
        os.mkdir(os.path.join(folder, "second"))
        r = 77
        if os.getuid() == 0 and not subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
            r = subprocess.run(["unshare", "-m", sys.executable, __file__, FULL, os.path.join(folder, "second")], timeout=60).returncode
        if r == 77:
            print("no mount namespaces here: the full disk is left out")
        elif r:
            sys.exit(1)
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        shutil.rmtree(folder)


main()

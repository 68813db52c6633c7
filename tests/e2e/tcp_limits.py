#!/usr/bin/env python3
"""The limits under server.tcp, asked of a running server: how many connections, of how many one client may have, how long they
last, what a reload may not change, and what is said when the process may not open so many files."""
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from steered import Server, query  # noqa: E402

QUERY = struct.pack(">H", 24) + query("a.test", 1)
LONG = "first-timeout: 1m, idle-timeout: 1m"
failed = []


def check(what, good):
    if not good:
        failed.append(what)
        print("tcp_limits: " + what, file=sys.stderr)


class Limited(Server):
    def __init__(self, folder, tcp, files=None, more=""):
        super().__init__(folder)
        self.before = os.path.getsize(self.logname) if os.path.exists(self.logname) else 0
        self.limit(tcp, more)
        self.start(preexec_fn=None if files is None else lambda: resource.setrlimit(resource.RLIMIT_NOFILE, files))

    def limit(self, tcp, more=""):
        with open(self.conf, "w") as f:
            f.write(f"server: {{ workers: 1, control: none, tcp: {{ {tcp} }} }}\n"
                    f"listen: [ {{ address: 127.0.0.1, port: {self.port} }} ]\nzones: [ {{ name: test, file: zone }} ]\n{more}")

    def said(self):
        return self.log(self.before).decode()

    def wait(self, text):
        until = time.monotonic() + 60
        while text not in self.said():
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit(f"tcp_limits: not said: {text}\n" + self.said())
            time.sleep(0.02)

    def __exit__(self, *_):
        check("the end was not status 0", self.stop() == 0)

    def connect(self, client="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), source_address=(client, 0), timeout=30)


def asks(s):
    """Whether it gets an answer."""
    try:
        s.sendall(QUERY)
        return len(s.recv(512)) > 12
    except OSError:
        return False


def ends(s):
    """How long until the server closes it."""
    began = time.monotonic()
    try:
        check("an answer that nobody asked for", s.recv(512) == b"")
    except OSError:
        pass
    return time.monotonic() - began


def counts(folder):
    with Limited(folder, f"connections: 2, {LONG}") as server:
        a, b = server.connect(), server.connect("127.0.0.2")
        check("two connections", asks(a) and asks(b) and asks(a))
        c = server.connect("127.0.0.3")
        check("the third connection", asks(c))
        check("the idlest was not closed", ends(b) < 8)
        check("the other two", asks(a) and asks(c))
        reload_refused(server)
        check("after the reload", asks(a))
    with Limited(folder, f"connections: 3, per-client: 2, {LONG}") as server:
        other, a, b = server.connect("127.0.0.2"), server.connect(), server.connect()
        check("a client's two connections beside another's", asks(other) and asks(a) and asks(b))
        c = server.connect()
        check("a client's third connection", asks(c))
        check("the client's idlest was not closed", ends(a) < 8)
        check("a client closed another's connection", asks(other) and asks(b))


def reload_refused(server):
    server.limit(f"connections: 3, {LONG}")
    server.process.send_signal(signal.SIGHUP)
    server.wait("nothing was changed")
    check("what is refused is not named", "server.tcp.connections: cannot change at a reload" in server.said())


def times(folder):
    with Limited(folder, "first-timeout: 1m, idle-timeout: 300ms") as server:
        silent, a = server.connect(), server.connect()
        check("an answer", asks(a))
        check("an idle connection stays", ends(a) < 8)  # by default 10 s
        check("idle before its first query", asks(silent))
    with Limited(folder, "first-timeout: 1s, idle-timeout: 1m") as server:  # time enough for the one that asks
        a, silent = server.connect(), server.connect()
        check("an answer", asks(a))
        check("a silent connection stays", ends(silent) < 4.5)  # by default 5 s
        check("silent after its first query", asks(a))


def files(folder):
    said = "server.tcp.connections: 1000 at each of 1 workers, for 1 listeners, can need 2400 open files; only {} are allowed"
    with Limited(folder, "connections: 1000", (256, 2399)) as server:
        check("too few files, and nothing is said", said.format(2399) in server.said())
        with open(f"/proc/{server.process.pid}/limits") as f:
            soft = next(line.split()[3] for line in f if line.startswith("Max open files"))
        check(f"the soft limit is {soft}", soft == "2399")
        check("an answer", asks(server.connect()))
    commands(folder)
    for what, tcp, most in ("enough files", "connections: 1000", 2400), ("too few for a default", "", 2399):
        with Limited(folder, tcp, (256, most)) as server:
            check(f"{what}, and something is said", "open files" not in server.said())


def commands(folder):
    """What a check starts may open as many files as the server might before it raised its limit."""
    said = os.path.join(folder, "limit")
    gslb = f"""gslb:
  checks: {{ c: {{ type: exec, command: [/bin/sh, -c, 'ulimit -Sn >{said}.new; mv {said}.new {said}'] }} }}
  pools: {{ p: {{ check: c, members: {{ m: 192.0.2.1 }} }} }}
  names: {{ b.test: {{ pool: p }} }}
"""
    with Limited(folder, LONG, (256, 2400), gslb):
        until = time.monotonic() + 60
        while not os.path.exists(said) and time.monotonic() < until:
            time.sleep(0.02)
        with open(said) as f:
            soft = f.read().strip()
        check(f"a check's command may open {soft} files", soft == "256")


with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "zone"), "w") as f:
        f.write("$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 127.0.0.1\na A 192.0.2.1\n")
    for case in counts, times, files:
        case(folder)
sys.exit(1 if failed else 0)

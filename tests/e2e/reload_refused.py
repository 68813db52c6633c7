#!/usr/bin/env python3
# threads
"""What a reload cannot change is refused, with its place, and nothing is changed; what it can change is taken."""
import os
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ports import free_port  # noqa: E402
from steered import Server  # noqa: E402

SERVER = "server: { workers: 1, control: none }\n"
ZONE = "zones: [ { name: test, file: zone } ]\n"
GSLB = """checks: { c: { type: push } }
  pools: { p: { check: c, members: { a: 192.0.2.1 } } }
  names: { a.test: { pool: p } }
"""
HINT = "restart the server"
failed = []


def check(what, good, said=""):
    if not good:
        failed.append(what)
        print(f"reload_refused: {what}\n{said}", file=sys.stderr)


# What stands instead of the configuration's lines, and what is said; None: it is taken.
AUTHORITY = (
    ("nothing", {}, None),
    ("its workers", {"server": "server: { control: none, workers: 2 }\n"},
     "conf.yaml:1:35: error: server.workers: cannot change at a reload"),
    ("its workers, unwritten", {"server": "server: { control: none }\n"}, "conf.yaml: error: server.workers: cannot change"),
    ("its user", {"server": "server: { workers: 1, control: none, user: nobody }\n"}, "conf.yaml:1:44: error: server.user: cannot"),
    ("its control socket", {"server": "server: { workers: 1, control: other }\n"}, "conf.yaml:1:32: error: server.control: cannot"),
    ("a limit of TCP", {"server": "server: { workers: 1, control: none, tcp: { per-client: 7 } }\n"},
     "error: server.tcp.per-client: cannot change at a reload"),
    ("the port", {"port": 1}, "conf.yaml:2:9: error: the addresses under listen: cannot change at a reload"),
    ("two at once", {"server": "server: { control: none, workers: 2, user: nobody }\n"}, "server.workers: cannot change"),
    ("the cache", {"more": "resolver: { cache: { size: 2M } }\n"}, "error: resolver.cache.size: cannot change at a reload"),
    ("a role without what it needs", {"role": "[authority, resolver]"}, "conf.yaml:2:9: error: listen: needs our own resolver"),
    ("who may ask", {"more": "resolver: { allow: [192.0.2.0/24] }\n"}, None),
    ("the log and the drain", {"server": "server: { workers: 1, control: none, log: debug, drain: 1s }\n"}, None),
    ("the log again", {}, None),
    ("steering", {"gslb": f"gslb:\n  state: state\n  {GSLB}"}, None),
    ("its file", {"gslb": f"gslb:\n  state: other\n  {GSLB}"}, "conf.yaml:6:10: error: gslb.state: cannot change at a reload"),
    ("no file", {"gslb": f"gslb:\n  {GSLB}"}, "conf.yaml: error: gslb.state: cannot change at a reload"),
    ("who looks names up", {"gslb": f"gslb:\n  state: state\n  resolve-hosts-with: 127.0.0.1\n  {GSLB}"},
     "conf.yaml:7:23: error: gslb.resolve-hosts-with: cannot change at a reload"),
    ("no steering", {}, None),
    ("steering again, elsewhere", {"gslb": f"gslb:\n  state: other\n  {GSLB}"}, "gslb.state: cannot change at a reload"),
    ("steering again", {"gslb": f"gslb:\n  state: state\n  {GSLB}"}, None),
)
RESOLVER = (
    ("nothing", {}, None),
    ("a default, written", {"more": "resolver: { priming: no, ipv6: on, limits: { query-time: 6000ms } }\n"}, None),
    ("a limit", {"more": "resolver: { priming: no, limits: { query-time: 5s } }\n"}, "resolver.limits.query-time: cannot change"),
    ("a zone that is forwarded", {"more": "resolver: { priming: no, forward: [ { zone: a, to: 192.0.2.1 } ] }\n"},
     "conf.yaml:4:35: error: resolver.forward: cannot change at a reload"),
    ("a name of its own", {"more": "resolver: { priming: no, local: [ { name: a, action: nodata } ] }\n"},
     "resolver.local: cannot change at a reload"),
)


class Reloaded(Server):
    def write(self, server=SERVER, port=None, role="authority", more="", gslb=""):
        with open(self.conf, "w") as f:
            f.write(f"{server}listen: [ {{ address: 127.0.0.1, port: {port or self.port}, role: {role} }} ]\n{ZONE}{more or '# -' + chr(10)}{gslb}")

    def reload(self):
        """What is said of it."""
        before = os.path.getsize(self.logname)
        self.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 60
        while "reload: " not in self.log(before).decode():
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit("reload_refused: no end of a reload\n" + self.log(before).decode())
            time.sleep(0.02)
        return self.log(before).decode()


def run(folder, rows, base):
    server = Reloaded(folder)
    server.write(**base)
    server.start()
    for label, change, want in rows:
        if change.get("port"):
            change = {"port": free_port()}
        server.write(**{**base, **change})
        said = server.reload()
        taken = "reload: done" in said
        check(f"{label}: refused", taken or want, said)
        check(f"{label}: not refused, or not for {want}", not want or (not taken and want in said and HINT in said), said)
        if label == "two at once":
            check("only one of two is said", "server.user: cannot change" in said, said)
    check("the end was not status 0", server.stop() == 0, server.log().decode())


with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "zone"), "w") as f:
        f.write("$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 127.0.0.1\n")
    run(folder, AUTHORITY, {})
    run(folder, RESOLVER, {"role": "resolver", "more": "resolver: { priming: no }\n"})
sys.exit(bool(failed))

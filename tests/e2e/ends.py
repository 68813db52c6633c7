#!/usr/bin/env python3
# threads
"""A server is ended at any moment of a reload that brings a new member, another list of networks and a larger zone: while
they are read, while the member's first probe is waited for, and behind it. It ends with status 0 each time."""
import os
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from steered import Server  # noqa: E402

STEP, STEPS = 0.02, 16


def configure(server, number):
    with open(os.path.join(server.folder, "nets.txt"), "w") as f:
        f.write(f"10.{number}.0.0/16\n")
    server.configure(f"""gslb:
  warm-up: 300ms
  checks: {{ c: {{ type: tcp, port: 9, every: 5s, timeout: 4s }} }}
  sites: {{ a: , b: }}
  maps: {{ world: {{ networks: {{ n: {{ file: nets.txt }} }}, rules: [ {{ network: n, prefer: [b] }} ], otherwise: [a] }} }}
  pools: {{ pa: {{ check: c, site: a, members: {{ x: 192.0.2.{number} }} }}, pb: {{ site: b, members: {{ x: 192.0.2.20 }} }} }}
  names: {{ geo.example.test: {{ map: world, pools: [pa, pb] }} }}
""", f"$TTL 300\n@ SOA a h {number} 3600 600 86400 60\n@ NS a\na A 192.0.2.2\n$GENERATE 1-{700 * number} n$ A 192.0.2.9\n")


for i in range(STEPS):
    with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
        configure(server, 10)
        server.start()
        configure(server, 11 + i)
        server.process.send_signal(signal.SIGHUP)
        time.sleep(i * STEP)
        status = server.stop()
        if status:
            sys.exit(f"ends: {i * STEP * 1000:.0f} ms behind a reload: status {status}\n" + server.log().decode()[-4000:])

#!/usr/bin/env python3
"""A server that did not run for a while reads what came meanwhile before it takes anything for lost: it is stopped while the
replies to its questions are on their way, for longer than their timers, and has no timeout to tell of afterwards."""
import os
import signal
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from steered import Server, query  # noqa: E402

NAMES = 16  # the window of a server that was never asked
TIMER, HELD = 0.376, 1.0  # its timer, and how long we stand still, in seconds
upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
upstream.bind(("127.0.0.1", 0))
upstream.settimeout(60)


def reply(question):
    at = 12
    while question[at]:
        at += 1 + question[at]
    head = question[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0)
    return head + question[12:at + 5] + struct.pack(">3HIH", 0xc00c, 1, 1, 60, 4) + b"\xc0\0\2\1"


def held_up(server):
    """What the server counted, or None: the machine was too slow to stop it in time."""
    with open(server.conf, "w") as f:
        f.write(f"""server: {{ control: {server.control}, workers: 1 }}
listen: [ {{ address: 127.0.0.1, port: {server.port}, role: resolver }} ]
resolver: {{ ask-loopback: yes, forward: [ {{ zone: ., to: "127.0.0.1@{upstream.getsockname()[1]}" }} ] }}
""")
    server.start()
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", server.port))
    client.settimeout(60)
    began = time.monotonic()
    for i in range(NAMES):
        client.send(query(f"n{i}.held", i, 0x0100))
    asked = [upstream.recvfrom(4096) for _ in range(NAMES)]
    os.kill(server.process.pid, signal.SIGSTOP)
    os.waitpid(server.process.pid, os.WUNTRACED)
    slow = time.monotonic() - began > TIMER / 2
    for question, where in asked:
        upstream.sendto(reply(question), where)
    time.sleep(HELD)
    os.kill(server.process.pid, signal.SIGCONT)
    answers = [client.recv(4096) for _ in range(NAMES)]
    stats = server.call("GET", "/v1/stats")[1]
    if server.stop() != 0:
        sys.exit("held_up: the end was not status 0")
    if slow:
        return None
    bad = [a for a in answers if a[3] & 15 or a[6:8] != b"\0\1"]
    if bad:
        sys.exit(f"held_up: {len(bad)} answers are not right, the first {bad[0].hex()}")
    return [stats[f"waypost_resolver_{k}_total"] for k in ("queries", "timeouts", "late_replies")]


for _ in range(20):
    with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
        counted = held_up(server)
    if counted:
        break
print("queries, timeouts, late replies:", counted)
sys.exit(counted != [NAMES, 0, 0])

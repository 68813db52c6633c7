"""Origins that break in every way, a client that asks all the time, and one server: for tests of steering's health."""
import http.client
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

from ports import free_port

WAYPOST = os.environ.get("WAYPOST", "")
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
BAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def waited(pid):
    """Seconds that a thread of it was ready to run and had no CPU, in all; of the one that waited longest."""
    tasks = f"/proc/{pid}/task"
    times = [0]
    for task in os.listdir(tasks):
        try:
            with open(f"{tasks}/{task}/schedstat") as f:
                times.append(int(f.read().split()[1]) / 1e9)
        except OSError:  # it ended meanwhile
            pass
    return max(times)


class Origin:
    """One address and port, with a mode that may change at any moment."""

    def __init__(self, address, port, mode="good", tls=None):
        self.address, self.port, self.tls = address, port, tls
        self.mode, self.held, self.listener = None, [], None
        self.turn(mode)

    def turn(self, mode):
        """From now on; the connections it holds end."""
        was, self.mode = self.mode, mode
        if mode == "refuse":
            if self.listener:
                self.listener.shutdown(socket.SHUT_RDWR)
                self.listener.close()
            self.listener = None
        elif was in (None, "refuse"):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((self.address, self.port))
            s.listen(64)
            self.listener = s
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()
        for c in self.held:
            c.close()
        self.held = []

    def serve(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            if self.mode == "hang":
                self.held.append(c)
            elif self.mode == "reset":
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                c.close()
            else:
                threading.Thread(target=self.answer, args=(c, self.mode), daemon=True).start()

    def answer(self, c, mode):
        try:
            c.settimeout(2)
            if self.tls:
                c = self.tls[mode if mode in self.tls else "good"].wrap_socket(c, server_side=True)
            c.recv(4096)
            if mode == "slow":
                for b in GOOD:
                    c.sendall(bytes([b]))
                    time.sleep(0.05)
            else:
                c.sendall({"503": BAD, "garbage": os.urandom(200) + b"\r\n\r\n"}.get(mode, GOOD))
        except OSError:
            pass
        finally:
            c.close()


def certificates(folder, name):
    """Contexts by name: good, expired, and one of another name; and the authority's file."""
    def run(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2")
    contexts = {}
    for which, of, days in (("good", name, "2"), ("expired", name, "0"), ("wrong", "other.test", "2")):
        with open(os.path.join(folder, "ext"), "w") as f:
            f.write("subjectAltName=DNS:" + of)
        run("req", *key, "-keyout", which + ".key", "-out", which + ".csr", "-subj", "/CN=" + of)
        run("x509", "-req", "-in", which + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", which + ".pem", "-days", days, "-extfile", "ext")
        contexts[which] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[which].load_cert_chain(os.path.join(folder, which + ".pem"), os.path.join(folder, which + ".key"))
    return contexts, os.path.join(folder, "ca.pem")


def query(name, ident, flags=0):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack(">6H", ident, flags, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def parse(message):
    """(rcode, [addresses], TTL or None) of an answer to query()."""
    _, flags, _, count, _, _ = struct.unpack_from(">6H", message)
    at = 12
    while message[at]:
        at += message[at] + 1
    at += 5
    addresses, ttl = [], None
    for _ in range(count):
        while message[at] and message[at] < 192:
            at += message[at] + 1
        at += 2 if message[at] >= 192 else 1
        kind, _, ttl, size = struct.unpack_from(">HHIH", message, at)
        at += 10
        if kind == 1:
            addresses.append(socket.inet_ntoa(message[at:at + size]))
        at += size
    return flags & 15, addresses, ttl


class Client:
    """Asks for names in turn, `rate` a second; keeps (sent, received, name, rcode, addresses, TTL), times of time.time()."""

    def __init__(self, port, rate, names, address="127.0.0.1"):
        self.names, self.answers, self.asked, self.going = list(names), [], 0, True
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, port))
        self.socket.settimeout(0.3)
        self.sent, self.gap = {}, 1 / rate
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.send, self.receive)]
        for t in self.threads:
            t.start()

    def send(self):
        due, i = time.time(), 0
        while self.going:
            name = self.names[i % len(self.names)]
            self.sent[i & 0xffff] = (time.time(), name)
            try:
                self.socket.send(query(name, i & 0xffff))
                self.asked += 1
            except OSError:  # nobody listens yet, or any more
                pass
            i += 1
            due = max(due + self.gap, time.time() - 0.05)
            time.sleep(max(0, due - time.time()))

    def receive(self):
        while self.going:
            try:
                m = self.socket.recv(4096)
            except OSError:
                continue
            sent = self.sent.pop(struct.unpack(">H", m[:2])[0], None)
            if sent:
                self.answers.append((sent[0], time.time(), sent[1], *parse(m)))

    def of(self, name, since=0, until=1e12):
        """Answers to queries that were sent in that time."""
        return [a for a in list(self.answers) if a[2] == name and since <= a[0] < until]

    def first(self, name, since, addresses, wait):
        """When the first answer after `since` with one of these sets came, None: none until `wait` is over."""
        end = since + wait
        while True:
            for a in self.of(name, since):
                if tuple(a[4]) in addresses:
                    return a[1]
            if time.time() > end:
                return None
            time.sleep(0.01)

    def end(self):
        self.going = False
        for t in self.threads:
            t.join()
        self.socket.close()


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


class Server:
    def __init__(self, folder, port=None):
        self.folder, self.control = folder, os.path.join(folder, "control")
        self.conf, self.logname = os.path.join(folder, "conf.yaml"), os.path.join(folder, "log")
        self.port = port or free_port()
        self.process = None

    def configure(self, gslb, zone="$TTL 300\n@ SOA a h 1 3600 600 86400 60\n@ NS a\na A 192.0.2.2\n"):
        with open(os.path.join(self.folder, "a.zone"), "w") as f:
            f.write(zone)
        with open(self.conf, "w") as f:
            f.write(f"""server: {{ control: {self.control}, workers: 2 }}
listen: [ {{ address: 127.0.0.1, port: {self.port}, role: authority }} ]
zones: [ {{ name: example.test, file: a.zone }} ]
{gslb}""")

    def start(self, wait=60, **how):
        """how: as Popen takes it."""
        log = open(self.logname, "ab")
        before = log.tell()
        self.process = subprocess.Popen([WAYPOST, "run", "-c", self.conf], stdout=log, stderr=log, **how)
        log.close()
        end = time.time() + wait
        while time.time() < end and self.process.poll() is None:
            if b"server: ready" in self.log(before):
                return
            time.sleep(0.01)
        raise SystemExit("no start: " + self.log(before).decode())

    def log(self, since=0):
        with open(self.logname, "rb") as f:
            f.seek(since)
            return f.read()

    def stop(self):
        """Its status. A reload under way comes to its end first, at idle priority: beside two busy loops half a minute was too little."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            return self.process.wait(150)
        return self.process and self.process.returncode

    def waited(self):
        return waited(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def say(self, *words, code=0):
        """A verb of the command; its output."""
        r = subprocess.run([WAYPOST, *words, "-s", self.control], capture_output=True, text=True, timeout=60)
        if r.returncode != code:
            raise SystemExit(f"{' '.join(words)}: {r.returncode} {r.stdout}{r.stderr}")
        return r.stdout + r.stderr

    def call(self, method, path):
        """(status, document) over the control socket."""
        c = UnixHTTP(self.control)
        try:
            c.request(method, path, headers={"Content-Length": "0"} if method == "POST" else {})
            r = c.getresponse()
            return r.status, json.loads(r.read())
        finally:
            c.close()

    def member(self, name):
        pool, member = name.split("/")
        doc = self.call("GET", "/v1/gslb/status")[1]
        return next(m for p in doc["pools"] if p["name"] == pool for m in p["members"] if m["name"] == member)

    def events(self):
        return self.call("GET", "/v1/gslb/events?n=1024")[1]["events"]

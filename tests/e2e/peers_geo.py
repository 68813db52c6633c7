#!/usr/bin/env python3
"""One steering policy in four servers: waypost, gdnsd, Knot DNS (mod-geoip) and PowerDNS (Lua and GeoIP).

Every answer and every ECS scope is compared. What a peer does otherwise is a row of KNOWN, explained in docs/gslb-peers.md;
a difference that is not there, or one that is there and does not happen, fails. Skipped where no peer is installed.
"""
import ipaddress
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from ports import free_port  # noqa: E402

WAYPOST = os.environ['WAYPOST']
A, B, DEFAULT = '192.0.2.1', '192.0.2.2', '192.0.2.9'
ZONE = 'policy.example'
SOA = f'@ 60 SOA ns.{ZONE}. host.{ZONE}. 1 7200 1800 604800 60\n@ 60 NS ns.{ZONE}.\nns 60 A 127.0.0.1\nfixed 60 A {DEFAULT}\n'
TYPES = {'A': 1, 'AAAA': 28, 'SOA': 6}


def fail(text):
    print('peers_geo: ' + text, file=sys.stderr)
    sys.exit(1)


# ---- asking ----

def encode(name, qtype, ecs, number):
    out = struct.pack('>HHHHHH', number, 0, 1, 0, 0, 1)
    for label in name.split('.'):
        out += bytes([len(label)]) + label.encode()
    out += b'\0' + struct.pack('>HH', TYPES[qtype], 1)
    option = b''
    if ecs:
        net = ipaddress.ip_network(ecs)
        data = net.network_address.packed[:(net.prefixlen + 7) // 8]
        option = struct.pack('>HHHBB', 8, 4 + len(data), 1 if net.version == 4 else 2, net.prefixlen, 0) + data
    return out + b'\0' + struct.pack('>HHIH', 41, 1232, 0, len(option)) + option


def skip_name(m, at):
    while m[at] and m[at] < 192:
        at += m[at] + 1
    return at + (2 if m[at] >= 192 else 1)


def decode(m):
    """(rcode, addresses, scope or None)"""
    at = skip_name(m, 12) + 4
    addresses, scope = [], None
    for _ in range(sum(struct.unpack('>HHH', m[6:12]))):
        at = skip_name(m, at)
        rtype, _, _, size = struct.unpack('>HHIH', m[at:at + 10])
        at += 10
        if rtype in (1, 28) and len(addresses) < struct.unpack('>H', m[6:8])[0]:
            addresses.append(str(ipaddress.ip_address(m[at:at + size])))
        option = at
        while rtype == 41 and option < at + size:
            code, length = struct.unpack('>HH', m[option:option + 4])
            if code == 8:
                scope = m[option + 7]
            option += 4 + length
        at += size
    return m[3] & 15, tuple(sorted(addresses)), scope


class Server:
    """A process on one port of 127.0.0.1, in a folder of its own."""

    def __init__(self, name, top):
        self.name, self.dir, self.port = name, os.path.join(top, name), free_port()
        os.makedirs(self.dir)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(1)
        self.socket.connect(('127.0.0.1', self.port))
        self.log = open(os.path.join(self.dir, 'log'), 'w')
        self.number = 0
        os.chmod(self.dir, 0o755)
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, cwd=self.dir)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def ask(self, name, qtype='A', ecs=None):
        for _ in range(5):
            self.number = (self.number + 1) & 0xffff
            try:
                self.socket.send(encode(name, qtype, ecs, self.number))
                while True:
                    reply = self.socket.recv(4096)
                    if struct.unpack('>H', reply[:2])[0] == self.number:
                        return decode(reply)
            except OSError:
                time.sleep(0.05)
        return None

    def ready(self):
        end = time.time() + 20
        while time.time() < end:
            if self.process.poll() is not None:
                break
            reply = self.ask(ZONE, 'SOA')
            if reply and reply[0] == 0:
                return
            time.sleep(0.1)
        print(open(os.path.join(self.dir, 'log')).read(), file=sys.stderr)
        fail(f'{self.name} does not start')

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


# ---- the same policy, four times ----

class Waypost(Server):
    def command(self):
        self.write('zone', SOA)
        return [WAYPOST, 'run', '-c', self.write('waypost.yaml', f'''
server: {{ workers: 1, control: none, log: warning }}
listen:
  - {{ address: 127.0.0.1, port: {self.port}, role: authority }}
zones:
  - {{ name: {ZONE}, file: zone }}
gslb:
  sites: {{ a: {{}}, b: {{}}, other: {{}} }}
  maps:
    nets:
      overlay:
        - {{ networks: [10.0.0.0/8], prefer: [a], fence: yes }}
        - {{ networks: [10.1.0.0/16], prefer: [b], fence: yes }}
      otherwise: [other]
    places:
      database: {DATABASE}
      rules:
        - {{ country: DE, prefer: [a] }}
        - {{ country: US, prefer: [b] }}
      otherwise: [other]
      limit: 1
  pools:
    a: {{ site: a, members: {{ x: {A} }} }}
    b: {{ site: b, members: {{ x: ["{B}", "2001:db8::2"] }} }}
    other: {{ site: other, members: {{ x: {DEFAULT} }} }}
  names:
    net.{ZONE}: {{ map: nets, pools: [a, b, other], ttl: 60s }}
    place.{ZONE}: {{ map: places, pools: [a, b, other], ttl: 60s }}
''')]


class Gdnsd(Server):
    def command(self):
        self.write(f'zones/{ZONE}', f'$TTL 60\n{SOA}net 60 DYNA geoip!net\nplace 60 DYNA geoip!place\n')
        os.makedirs(os.path.join(self.dir, 'run'))
        os.makedirs(os.path.join(self.dir, 'state'))
        self.write('config', f'''options => {{ listen => [ 127.0.0.1:{self.port} ], run_dir => {self.dir}/run, state_dir => {self.dir}/state, udp_threads => 1, tcp_threads => 1 }}
plugins => {{ geoip => {{
  maps => {{
    nets => {{ datacenters => [other, a, b], nets => {{ 10.0.0.0/8 => [a], 10.1.0.0/16 => [b] }} }}
    places => {{ geoip2_db => {DATABASE}, datacenters => [other, a, b],
      map => {{ default => [other], EU => {{ default => [other], DE => [a] }}, NA => {{ default => [other], US => [b] }} }} }}
  }}
  resources => {{
    net => {{ map => nets, service_types => up, dcmap => {{ a => {A}, b => {{ addrs_v4 => {{ x => {B} }}, addrs_v6 => {{ x => 2001:db8::2 }} }}, other => {DEFAULT} }} }}
    place => {{ map => places, service_types => up, dcmap => {{ a => {A}, b => {B}, other => {DEFAULT} }} }}
  }}
}} }}
''')
        return ['gdnsd', '-c', self.dir, 'start']


class Knot(Server):
    def command(self):
        self.write('zone', f'$ORIGIN {ZONE}.\n$TTL 60\n{SOA}net 60 A {DEFAULT}\nplace 60 A {DEFAULT}\n')
        net = self.write('net.conf', f'net.{ZONE}:\n  - net: 10.0.0.0/8\n    A: {A}\n  - net: 10.1.0.0/16\n    A: {B}\n    AAAA: 2001:db8::2\n')
        place = self.write('place.conf', f'place.{ZONE}:\n  - geo: "DE"\n    A: {A}\n  - geo: "US"\n    A: {B}\n')
        return ['knotd', '-c', self.write('knot.conf', f'''server:
  rundir: "{self.dir}"
  user: root:root
  listen: 127.0.0.1@{self.port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  edns-client-subnet: on
database:
  storage: "{self.dir}"
mod-geoip:
  - id: net
    config-file: {net}
    ttl: 60
    mode: subnet
  - id: place
    config-file: {place}
    ttl: 60
    mode: geodb
    geodb-file: {DATABASE}
    geodb-key: country/iso_code
template:
  - id: default
    storage: "{self.dir}"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: {ZONE}
    file: {self.dir}/zone
    module: [mod-geoip/net, mod-geoip/place]
''')]


PDNS = '''local-address=127.0.0.1
local-port={port}
receiver-threads=1
distributor-threads=1
socket-dir={dir}
daemon=no
guardian=no
loglevel=3
edns-subnet-processing=yes
security-poll-suffix=
zone-cache-refresh-interval=0
cache-ttl=0
'''


class PdnsLua(Server):
    def command(self):
        view = f"view({{ {{ {{'10.1.0.0/16'}}, {{'{B}'}} }}, {{ {{'10.0.0.0/8'}}, {{'{A}'}} }}, {{ {{'0.0.0.0/0', '::/0'}}, {{'{DEFAULT}'}} }} }})"
        zone = self.write('zone', f'$ORIGIN {ZONE}.\n$TTL 60\n{SOA}net 60 LUA A "{view}"\n')
        named = self.write('named.conf', f'zone "{ZONE}" {{ type master; file "{zone}"; }};\n')
        self.write('pdns.conf', PDNS.format(port=self.port, dir=self.dir) +
                   f'launch=bind\nbind-config={named}\nenable-lua-records=yes\n')
        return ['pdns_server', '--config-dir=' + self.dir]


class PdnsGeo(Server):
    def command(self):
        zones = self.write('zones.yaml', f'''domains:
- domain: {ZONE}
  ttl: 60
  records:
    {ZONE}:
      - soa: ns.{ZONE} host.{ZONE} 1 7200 1800 604800 60
      - ns: ns.{ZONE}
    fixed.{ZONE}:
      - a: {DEFAULT}
    de.svc.{ZONE}:
      - a: {A}
    us.svc.{ZONE}:
      - a: {B}
    other.svc.{ZONE}:
      - a: {DEFAULT}
  services:
    place.{ZONE}: [ '%cc.svc.{ZONE}', 'other.svc.{ZONE}' ]
''')
        self.write('pdns.conf', PDNS.format(port=self.port, dir=self.dir) +
                   f'launch=geoip\ngeoip-database-files=mmdb:{DATABASE}\ngeoip-zones-file={zones}\n')
        return ['pdns_server', '--config-dir=' + self.dir]


PEERS = [('gdnsd', Gdnsd, 'gdnsd'), ('knot', Knot, 'knotd'), ('pdns-lua', PdnsLua, 'pdns_server'), ('pdns-geo', PdnsGeo, 'pdns_server')]

# ---- what must come ----

# label, name, type, ECS, addresses, scope: the column "right scope"
ROWS = [
    ('inside the wide network', 'net', 'A', '10.200.0.0/24', (A,), 9),
    ('inside the narrow network', 'net', 'A', '10.1.2.0/24', (B,), 16),
    ('everybody else', 'net', 'A', '192.0.2.0/24', (DEFAULT,), 1),
    ('opted out', 'net', 'A', '0.0.0.0/0', (DEFAULT,), 0),
    ('constant', 'fixed', 'A', '10.200.0.0/24', (DEFAULT,), 0),
    ('no data here', 'net', 'AAAA', '10.200.0.0/24', (), 9),
    ('source shorter than the leaf', 'net', 'A', '10.0.0.0/8', (A,), 16),
    ('IPv6 client', 'net', 'A', '2001:db8::/56', (DEFAULT,), 21), # beside 2001::/32, whose addresses carry IPv4 ones
]
# (peer, label): scope where it is another one; the addresses are the same everywhere
KNOWN = {
    # the length of the network that matched, whatever lies inside it; 0 where none matched
    ('knot', 'inside the wide network'): 8,
    ('knot', 'everybody else'): 0,
    ('knot', 'source shorter than the leaf'): 8,
    ('knot', 'no data here'): 0,
    ('knot', 'IPv6 client'): 0,
    # always the source's length: true, and each client network is cached apart
    ('pdns-lua', 'inside the wide network'): 24,
    ('pdns-lua', 'inside the narrow network'): 24,
    ('pdns-lua', 'everybody else'): 24,
    ('pdns-lua', 'source shorter than the leaf'): 8,
    ('pdns-lua', 'no data here'): 0,
    ('pdns-lua', 'IPv6 client'): 56,
}


def compare_rows(servers):
    bad = 0
    for label, owner, qtype, ecs, addresses, scope in ROWS:
        for name, s in servers.items():
            if (name == 'pdns-geo' and owner == 'net'):
                continue
            reply = s.ask(f'{owner}.{ZONE}', qtype, ecs)
            got = reply and (reply[1], reply[2])
            want = (addresses, KNOWN.get((name, label), scope))
            print(f'{label:30} {name:10} {got}' + ('' if got == (addresses, scope) else '   (otherwise)'))
            if got != want:
                print(f'  expected {want}', file=sys.stderr)
                bad += 1
    return bad


COUNTRIES = [('DE', 'EU'), ('FR', 'EU'), ('US', 'NA'), ('CA', 'NA'), ('JP', 'AS'), ('BR', 'SA')]


def make_database(path, top):
    """Random nested networks with one of six countries each; returns them."""
    r = random.Random(7)
    nets = {}
    for _ in range(3000):
        bits = r.randint(9, 24)
        net = ipaddress.ip_network(((r.getrandbits(bits) << (32 - bits)) | 0, bits))
        if 1 <= int(net.network_address) >> 24 < 224:
            nets[net] = r.choice(COUNTRIES)
    csv = os.path.join(top, 'places.csv')
    with open(csv, 'w') as f:
        f.write('network,continent,country\n')
        for net, (country, continent) in nets.items():
            f.write(f'{net},{continent},{country}\n')
    subprocess.run([WAYPOST, 'geo', 'build', csv, '-o', path], check=True, stdout=subprocess.DEVNULL)
    return nets


def right_answer(nets, net):
    """Of the network's first address: the most specific of those around it; and the widest network of one answer, slowly."""
    for bits in range(32, 8, -1):
        around = ipaddress.ip_network((int(net.network_address) >> (32 - bits) << (32 - bits), bits))
        if around in nets:
            return {'DE': A, 'US': B}.get(nets[around][0], DEFAULT)
    return DEFAULT


def compare_places(servers, nets):
    r, bad, scopes = random.Random(8), 0, {name: {'same': 0, 'wider': 0, 'narrower': 0, 'wrong': 0} for name in servers}
    servers = {name: s for name, s in servers.items() if name != 'pdns-lua'}
    starts = sorted(nets, key=int_of)
    for i in range(2000):
        around = r.choice(starts)
        host = int(around.network_address) + r.randrange(-256, around.num_addresses + 256)
        net = ipaddress.ip_network(((host % 2**32) >> 8 << 8, 24))
        want, ours = right_answer(nets, net), None
        for name, s in servers.items():
            reply = s.ask(f'place.{ZONE}', 'A', str(net))
            if not reply or reply[1] != (want,):
                print(f'{net}: {name} says {reply}, not {want}', file=sys.stderr)
                bad += 1
                continue
            scope = reply[2]
            ours = scope if name == 'waypost' else ours
            scopes[name]['same' if scope == ours else 'wider' if scope < ours else 'narrower'] += 1
            clients = ipaddress.ip_network((int(net.network_address) >> (32 - scope) << (32 - scope), scope))
            for _ in range(3): # is the scope true for other clients inside it?
                other = ipaddress.ip_network((int(clients.network_address) + r.randrange(clients.num_addresses) >> 8 << 8, 24))
                if scope < 24 and right_answer(nets, other) != want:
                    scopes[name]['wrong'] += 1
                    bad += name == 'waypost'
                    break
    for name in servers:
        print(f'places, 2000 networks: {name:10} scopes against ours {scopes[name]}')
    if 'gdnsd' in servers and scopes['gdnsd']['same'] != 2000:
        bad += 1 # it computes the widest network of one answer, too
    return bad


def int_of(net):
    return int(net.network_address), net.prefixlen


def main():
    global DATABASE
    peers = [(name, kind) for name, kind, program in PEERS if shutil.which(program) or shutil.which(program, path='/usr/sbin')]
    os.environ['PATH'] += ':/usr/sbin'
    if not peers:
        print('gdnsd, knotd and pdns_server are not installed: skipped')
        sys.exit(77)
    servers = {}
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        DATABASE = os.path.join(top, 'places.mmdb')
        nets = make_database(DATABASE, top)
        try:
            if not os.environ.get('PEERS_ONLY'):
                servers['waypost'] = Waypost('waypost', top)
            for name, kind in peers:
                servers[name] = kind(name, top)
            for s in servers.values():
                s.ready()
            bad = compare_rows(servers)
            bad += compare_places(servers, nets) if 'waypost' in servers else 0
        finally:
            for s in servers.values():
                s.stop()
    if bad:
        fail(f'{bad} differences that are not in tests/data/peers_geo.txt')


main()

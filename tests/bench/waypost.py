"""waypost under a benchmark harness: WAYPOST names the executable (default: the release build).

The harness brings the base class and the context: c.addr, c.port, c.threads, c.data, c.hints, c.write().
"""
import os

from benchlib import Adapter

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Waypost(Adapter):
    name = 'waypost'

    def _run(self, c, role, rest):
        f = c.write('waypost.yaml', f'''server: {{ workers: {c.threads}, control: none, log: warning }}
listen:
  - {{ address: {c.addr}, port: {c.port}, role: {role} }}
{rest}''')
        return [os.environ.get('WAYPOST', ROOT + '/build/waypost'), 'run', '-c', f]

    def _zone(self, c, zone, rest=''):
        return self._run(c, 'authority', f'''zones:
  - {{ name: {zone}, file: {c.data}/{zone}.zone }}
{rest}''')

    def auth_static(self, c):
        return self._zone(c, 'bench.example')

    def auth_big(self, c):
        return self._zone(c, 'big.example')

    def auth_geo(self, c):
        """As the peers' configurations: each country has one of 20 sites; without one: dcdef."""
        codes = [a + b for a in 'ABCDEFGH' for b in 'ABCDEFGHIJKLMNOPQRSTUVWXY']
        sites = [f'dc{d:02d}' for d in range(20)]
        address = {s: f'10.1.{d}.1' for d, s in enumerate(sites)}
        address['dcdef'] = '10.1.99.1'
        rules = ''.join(f'        - {{ country: [{", ".join(codes[d::20])}], prefer: [{s}, dcdef], limit: 2 }}\n'
                        for d, s in enumerate(sites))
        pools = ''.join(f'    {s}: {{ site: {s}, members: {{ a: {a} }} }}\n' for s, a in address.items())
        names = ''.join(f'    w{i}.geo.example: {{ map: m, pools: [{", ".join(address)}], ttl: 60s }}\n' for i in range(1000))
        return self._zone(c, 'geo.example', f'''gslb:
  sites: {{ {', '.join(s + ': {}' for s in address)} }}
  maps:
    m:
      database: {c.data}/geo.mmdb
      rules:
{rules}      otherwise: [dcdef]
  pools:
{pools}  names:
{names}''')

    def auth_weighted(self, c):
        """w0..w999: one of four by weight 10, 20, 30, 40; f0..f999: all four."""
        members = [', '.join(f'a{j}: {{ address: 10.2.{i}.{j + 1}, weight: {10 * (j + 1)} }}' for j in range(4)) for i in range(200)]
        pools = ''.join(f'    w{i}: {{ choose: weighted, members: {{ {m} }} }}\n    f{i}: {{ choose: all, members: {{ {m} }} }}\n'
                        for i, m in enumerate(members))
        names = ''.join(f'    {k}{i}.wt.example: {{ pool: {k}{i % 200}, ttl: 60s }}\n' for i in range(1000) for k in 'wf')
        return self._zone(c, 'wt.example', f'''gslb:
  pools:
{pools}  names:
{names}''')

    auth_failover = auth_weighted

    def resolver(self, c):
        if c.dnssec:
            raise NotImplementedError('validation is not in this version')
        return self._run(c, 'resolver', f'''resolver:
  allow: [0.0.0.0/0]
  root-hints: {c.hints}
  ask-loopback: yes
  ask-private: yes
  special-zones: no
  ipv6: no
  cache: {{ size: 4G }}
''')


class WaypostStatic(Waypost):
    """The zones of the steered scenarios without steering: what a static answer costs for the same queries."""
    name = 'waypost-static'

    def auth_geo(self, c):
        return self._zone(c, 'geo.example')

    def auth_weighted(self, c):
        return self._zone(c, 'wt.example')

    auth_failover = auth_weighted
    auth_static = auth_big = resolver = None

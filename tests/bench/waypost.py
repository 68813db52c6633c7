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

    def _zone(self, c, zone):
        return self._run(c, 'authority', f'''authority: {{ responses: minimal }}
zones:
  - {{ name: {zone}, file: {c.data}/{zone}.zone }}
''')

    def auth_static(self, c):
        return self._zone(c, 'bench.example')

    def auth_big(self, c):
        return self._zone(c, 'big.example')

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

"""The rest of the world for a resolver under load: a root, a zone that is asked again and again, a zone of new names, and
servers that never answer, all on loopback and on the load generator's processor."""
import contextlib
import socket

from _serve import CLIENT_CPU, SOA, Server, behind_the_load, start_load

PORT, RESOLVER, STEADY = 7354, 7355, 500
DEAD = 10000  # zones d0.test ...: each has a server of its own, which says nothing


def steady(folder):
    return folder.queries("steady", [(f"n{i}.steady.test", "A") for i in range(STEADY)])


class Upstream:
    def __init__(self, folder):
        self.folder = folder
        dead = "".join(f"d{i}.test. NS ns.d{i}.test.\nns.d{i}.test. A 127.2.{i >> 8}.{i & 255}\n" for i in range(DEAD))
        folder.write("root.zone", "$TTL 86400\n@ SOA a.root. h. 1 3600 600 604800 3600\n@ NS a.root.\na.root. A 127.0.1.1\n"
                     "steady.test. NS ns.steady.test.\nns.steady.test. A 127.0.1.1\n"
                     "flood.test. NS ns.flood.test.\nns.flood.test. A 127.0.1.2\n" + dead)
        folder.write("steady.zone", SOA.replace("127.0.0.1", "127.0.1.1") + f"$GENERATE 0-{STEADY - 1} n$ A 192.0.2.1\n")
        folder.write("flood.zone", SOA.replace("127.0.0.1", "127.0.1.2"))
        folder.write("hints", ". 3600 NS a.root.\na.root. 3600 A 127.0.1.1\n")

    def serve(self, name, address, zones):
        return Server(self.folder, f"server: {{ workers: 1, control: CONTROL, log: notice }}\n"
                      f"listen: [ {{ address: {address}, port: {PORT}, role: authority }} ]\nzones: [ {zones} ]\n", name, CLIENT_CPU, behind_the_load)

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.asked = self.stack.enter_context(self.serve("steady", "127.0.1.1",
                                                         "{ name: ., file: root.zone }, { name: steady.test, file: steady.zone }"))
        self.flooded = self.stack.enter_context(self.serve("flooded", "127.0.1.2", "{ name: flood.test, file: flood.zone }"))
        silent = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        silent.bind(("0.0.0.0", PORT))
        return self

    def __exit__(self, *_):
        self.stack.close()

    def resolver(self, stack, cache, port=RESOLVER):
        server = stack.enter_context(Server(self.folder, f"""server: {{ workers: 1, control: CONTROL, log: notice }}
listen: [ {{ address: 127.0.0.1, port: {port}, role: resolver }} ]
resolver: {{ root-hints: hints, upstream-port: {PORT}, ask-loopback: yes, special-zones: no, ipv6: no, cache: {{ size: {cache} }} }}
""", f"resolver{port}"))
        return server, port

    @staticmethod
    def flood(port, secs, rate, *more):
        """Names that nobody asked for before."""
        return start_load(port, ["flood.test", "A", "--random-prefix", *more], secs, rate, first=behind_the_load)

#!/usr/bin/env python3
"""Free ports for servers that cannot take port 0 and say which one they got.

ports.py COUNT [ADDRESS...] prints COUNT ports, each free for UDP and TCP on every address (127.0.0.1 where none is given).
They lie below those that the kernel gives to clients: between asking here and the server's bind nobody else gets one."""
import random
import socket
import sys

RANGE = range(10000, 32000)
given = set()


def is_free(port, addresses):
    try:
        for address in addresses:
            for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind((address, port))
    except OSError:
        return False
    return True


def free_port(*addresses):
    while True:
        port = random.SystemRandom().choice(RANGE)
        if port not in given and is_free(port, addresses or ("127.0.0.1",)):
            given.add(port)
            return port


if __name__ == "__main__":
    print(*(free_port(*sys.argv[2:]) for _ in range(int(sys.argv[1]))))

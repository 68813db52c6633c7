#!/usr/bin/env python3
"""mutate_mmdb.py GOOD.mmdb FOLDER: databases that lie, one file each, made of a good one (MaxMind DB file format 2.0).

Every kind of lie is told once or more; the bits to flip are drawn with a fixed seed, so that a failure can be had again.
"""
import random
import sys

MARKER = b"\xab\xcd\xefMaxMind.com"
good = open(sys.argv[1], "rb").read()
meta = good.rindex(MARKER) + len(MARKER)
made = 0


def field(key):
    """Where a value of the metadata begins: its control octet."""
    return good.index(bytes([0x40 | len(key)]) + key, meta) + 1 + len(key)


def number(key):
    at = field(key)
    size, at = good[at] & 31, at + 1 + (good[at] >> 5 == 0)
    return int.from_bytes(good[at:at + size], "big")


nodes, bits = number(b"node_count"), number(b"record_size")
tree = nodes * bits // 4
data = tree + 16
end = meta - len(MARKER)


def keep(label, octets):
    global made
    made += 1
    with open(f"{sys.argv[2]}/{made:03}-{label}.mmdb", "wb") as f:
        f.write(octets)


def put(at, octets, to=good):
    return to[:at] + octets + to[at + len(octets):]


def record(node, right, value, to=good):
    at, size = node * bits // 4, bits // 8
    if bits == 28:
        middle = to[at + 3]
        middle = middle & 0xf0 | value >> 24 if right else middle & 0x0f | value >> 20 & 0xf0
        to = put(at + 3, bytes([middle]), to)
        return put(at + 4 * right, (value & 0xffffff).to_bytes(3, "big"), to)
    return put(at + size * right, value.to_bytes(size, "big"), to)


def with_data(octets, label):
    """More data behind the rest, to which the first node leads."""
    value = nodes + 16 + end - data
    longer = good[:end] + octets + good[end:]
    keep(label, record(0, 0, value, record(0, 1, value, longer)))


# Cut off: within the tree, at its end, within the data, within the metadata; nothing at all.
for at in sorted({0, 1, 2, tree // 3, tree - 1, tree, tree + 15, data, data + 1, (data + end) // 2, end, end + 3, meta, meta + 1,
                  *(len(good) * i // 16 for i in range(1, 16)), len(good) - 1}):
    keep(f"cut-at-{at}", good[:at])
# Metadata: values out of range, and of every other type.
for key, values in ((b"record_size", (0, 1, 12, 23, 25, 30, 33, 64, 255)), (b"ip_version", (0, 1, 5, 255)),
                    (b"binary_format_major_version", (0, 1, 3, 255)), (b"node_count", (0, 255))):
    at = field(key)
    size, to = good[at] & 31, at + 1 + (good[at] >> 5 == 0)
    for value in values:
        keep(f"{key.decode()}-{value}", put(to, bytes([value] * size) if value == 255 else value.to_bytes(size, "big")))
for key in (b"record_size", b"ip_version", b"node_count", b"database_type", b"binary_format_major_version"):
    at = field(key)
    for kind in range(8):
        if kind != good[at] >> 5:
            keep(f"{key.decode()}-type-{kind}", put(at, bytes([kind << 5 | good[at] & 31])))
# Pointers: to themselves, in a ring, behind the end.
keep("pointer-to-itself", put(data, b"\x20\x00"))
keep("pointer-ring", put(data, b"\x20\x02\x20\x00"))
keep("pointer-behind", put(data, b"\x38\xff\xff\xff\xff"))
with_data(b"\xe1\x41a" + b"\x38" + (end - data).to_bytes(4, "big"), "map-within-itself")
# The tree: a ring, records into nowhere.
for node in (0, nodes // 2, nodes - 1):
    keep(f"tree-ring-{node}", record(node, 0, 0, record(node, 1, node)))
    keep(f"record-behind-{node}", record(node, 1, (1 << bits) - 1))
    keep(f"record-between-{node}", record(node, 1, nodes + 8))
# Nests: arrays, maps, pointers to pointers; sizes that are not there.
with_data(b"\x01\x04" * 100000 + b"\x00\x04", "deep-arrays")
with_data(b"\xe1\x41a" * 100000 + b"\xe0", "deep-maps")
with_data(b"".join(b"\x38" + (end - data + 5 * i + 5).to_bytes(4, "big") for i in range(10000)) + b"\xe0", "long-chain")
for kind, control in (("map", b"\xff"), ("string", b"\x5f"), ("bytes", b"\x9f"), ("array", b"\x1f\x04")):
    with_data(control + b"\xff\xff\xff", f"huge-{kind}")
# Records of other types than a map, and maps whose keys are no strings.
for kind, octets in (("string", b"\x42DE"), ("double", b"\x68" + b"\xff" * 8), ("short-double", b"\x64" + b"\0" * 4),
                     ("uint16-of-9", b"\xa9" + b"\xff" * 9), ("key-number", b"\xe1\xa1\x01\x42DE"), ("end-marker", b"\x00\x06"),
                     ("container", b"\x00\x05"), ("reserved", b"\x00\xf9")):
    with_data(octets, f"record-is-{kind}")
# Whatever comes.
draw = random.Random(20260727)
for i in range(60):
    flipped = bytearray(good)
    for _ in range(1 if i < 40 else 20):
        flipped[draw.randrange(len(good))] ^= 1 << draw.randrange(8)
    keep(f"flipped-{i}", bytes(flipped))
print(made)

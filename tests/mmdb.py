"""A small writer of MaxMind's file format, for tests: {network: record} as bytes."""
import ipaddress
import struct


def _control(kind, size):
    head = [kind << 5] if kind < 8 else [0, kind - 7]
    if size < 29:
        head[0] |= size
        return bytes(head)
    assert size < 29 + 256
    head[0] |= 29
    return bytes(head) + bytes([size - 29])


def encode(value):
    if isinstance(value, str):
        data = value.encode()
        return _control(2, len(data)) + data
    if isinstance(value, dict):
        return _control(7, len(value)) + b''.join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return _control(11, len(value)) + b''.join(map(encode, value))
    kind, width = value  # (type number, bytes) of an unsigned integer
    return _control(kind, len(width)) + width


def uint(kind, number):
    return kind, number.to_bytes((number.bit_length() + 7) // 8, 'big')


def build(networks, ip_version=6, aliases=()):
    """24-bit records; aliases: networks of IPv6 that lead to the IPv4 part."""
    nodes, data, places = [[None, None]], b'', {}

    def walk(network, bits, leaf):
        node = 0
        for i in range(bits):
            side = network >> (bits_of - 1 - i) & 1
            if i == bits - 1:
                nodes[node][side] = leaf
            else:
                if not isinstance(nodes[node][side], int):
                    nodes.append([nodes[node][side], nodes[node][side]])
                    nodes[node][side] = len(nodes) - 1
                node = nodes[node][side]

    def node_at(bits):
        node = 0
        for _ in range(bits):
            node = nodes[node][0]
        return node

    bits_of = 128 if ip_version == 6 else 32
    for text, record in sorted(networks.items(), key=lambda n: ipaddress.ip_network(n[0]).prefixlen):
        network = ipaddress.ip_network(text)
        packed = encode(record)
        if packed not in places:
            places[packed] = len(data)
            data += packed
        prefix = network.prefixlen + (96 if ip_version == 6 and network.version == 4 else 0)
        walk(int(network.network_address), prefix, ('data', places[packed]))
    for text in aliases:
        network = ipaddress.ip_network(text)
        walk(int(network.network_address), network.prefixlen, node_at(96))

    def record(r):
        number = len(nodes) if r is None else r if isinstance(r, int) else len(nodes) + 16 + r[1]
        return struct.pack('>I', number)[1:]
    tree = b''.join(record(left) + record(right) for left, right in nodes)
    meta = {'node_count': uint(6, len(nodes)), 'record_size': uint(5, 24), 'ip_version': uint(5, ip_version), 'database_type': 'Test-Country',
            'languages': [], 'binary_format_major_version': uint(5, 2), 'binary_format_minor_version': uint(5, 0), 'build_epoch': uint(9, 1),
            'description': {}}
    return tree + bytes(16) + data + b'\xab\xcd\xefMaxMind.com' + encode(meta)

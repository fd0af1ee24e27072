"""A second, plain BER reader, and writers of the forms that our encoder never makes."""

from dataclasses import dataclass


@dataclass
class Node:
    """One element: identifier octets, and content octets or elements."""

    identifier: bytes
    content: bytes = b""
    children: "list[Node] | None" = None


def parse(data: bytes) -> list[Node]:
    """Elements of `data`; only short, 81 and 82 lengths and one-octet tags, as captures have them."""
    nodes = []
    position = 0
    while position < len(data):
        identifier = data[position : position + 1]
        length = data[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[position : position + count], "big")
            position += count
        content = data[position : position + length]
        position += length
        nodes.append(Node(identifier, content, parse(content) if identifier[0] & 0x20 else None))
    return nodes


def long_form(nodes: list[Node], octets: int) -> bytes:
    """`nodes` with every length in `octets` length octets."""
    out = b""
    for node in nodes:
        content = node.content if node.children is None else long_form(node.children, octets)
        out += node.identifier + bytes((0x80 | octets,)) + len(content).to_bytes(octets, "big") + content
    return out


def indefinite_form(nodes: list[Node]) -> bytes:
    """`nodes` with every constructed element of indefinite length."""
    out = b""
    for node in nodes:
        if node.children is None:
            out += node.identifier + bytes((len(node.content),)) + node.content
        else:
            out += node.identifier + b"\x80" + indefinite_form(node.children) + b"\x00\x00"
    return out


def with_strangers(nodes: list[Node]) -> bytes:
    """`nodes` with an unknown element behind those inside each element of the class APPLICATION or [n]."""
    stranger = bytes.fromhex("9f8101 03 616263")
    out = b""
    for node in nodes:
        content = node.content if node.children is None else with_strangers(node.children) + stranger
        out += node.identifier + b"\x82" + len(content).to_bytes(2, "big") + content
    return out

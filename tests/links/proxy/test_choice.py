"""Which proxy, if any: URLs as people write them, exceptions as they mean them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.links.proxy.choice import DIRECT, Exemption, ProxyRules, ProxyServer, Scheme, parse_url

PROXY = ProxyServer(Scheme.HTTP, "proxy.example.net", 3128)
names = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z][a-z0-9]{0,8}){0,3}", fullmatch=True)
ports = st.integers(1, 65_535)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://proxy.example.net:3128", PROXY),
        ("HTTP://proxy.example.net:3128/", PROXY),
        ("proxy.example.net:3128", PROXY),
        (" http://proxy.example.net:3128 ", PROXY),
        ("https://10.0.0.1:443", ProxyServer(Scheme.HTTPS, "10.0.0.1", 443)),
        ("socks5://[2001:db8::1]:1080", ProxyServer(Scheme.SOCKS5, "2001:db8::1", 1080)),
        ("socks5h://localhost:1080", ProxyServer(Scheme.SOCKS5, "localhost", 1080)),
    ],
)
def test_a_url_is_read(text: str, expected: ProxyServer) -> None:
    assert parse_url(text, may_hold_credentials=False) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://proxy.example.net", "port"),
        ("http://proxy.example.net:0", "port"),
        ("http://proxy.example.net:99999", "port"),
        ("ftp://proxy.example.net:21", "begin with"),
        ("socks4://proxy.example.net:1080", "begin with"),
        ("http://proxy.example.net:3128/path", "end after the port"),
        ("http://proxy.example.net:3128?x", "end after the port"),
        ("http://:3128", "host"),
        ("http://proxy example:3128", "host"),
        ("http://[::1:3128", "no URL"),
        ("http://wpad.example.net:80/wpad.dat", "PAC"),
        ("http://example.net:80/proxy.pac", "PAC"),
        ("pac+http://example.net:80/x", "PAC"),
        ("http://user:canary-9@proxy.example.net:3128", "password_file"),
        ("http://p@ss:w/rd-canary-9@proxy.example.net:3128", "password_file"),
    ],
)
def test_what_names_no_proxy_is_refused_without_repeating_it(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        parse_url(text, may_hold_credentials=False)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_credentials_of_a_variable_are_decoded_and_not_shown() -> None:
    proxy = parse_url("http://CORP%5Cagent:p%40ss%3Aw%2Frd@proxy.example.net:3128", may_hold_credentials=True)
    assert (proxy.user, proxy.password) == ("CORP\\agent", "p@ss:w/rd")
    assert "p@ss" not in repr(proxy)
    assert proxy.place == "proxy proxy.example.net port 3128"


@pytest.mark.parametrize(
    "text", ["http://a%0d%0ab:c@p:1", "http://a:b%0ac@p:1", "http://a%3Ab:c@p:1", f"http://{'a' * 256}:b@p:1"]
)
def test_credentials_that_no_scheme_carries_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"control character|colon|longer"):
        parse_url(text, may_hold_credentials=True)


@given(st.text(max_size=80))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        proxy = parse_url(text, may_hold_credentials=True)
    except ValueError:
        return
    assert proxy.host
    assert 0 < proxy.port <= 65_535


@pytest.mark.parametrize(
    ("entry", "host", "port", "expected"),
    [
        ("*", "gateway.example.net", 443, True),
        ("gateway.example.net", "gateway.example.net", 443, True),
        ("gateway.example.net", "Gateway.Example.NET.", 443, True),
        ("gateway.example.net", "other.gateway.example.net", 443, False),
        (".example.net", "gateway.example.net", 443, True),
        (".example.net", "example.net", 443, True),
        ("*.example.net", "a.b.example.net", 443, True),
        (".example.net", "badexample.net", 443, False),
        ("gateway.example.net:443", "gateway.example.net", 443, True),
        ("gateway.example.net:443", "gateway.example.net", 8443, False),
        ("10.0.0.0/8", "10.20.30.40", 443, True),
        ("10.0.0.0/8", "11.0.0.1", 443, False),
        ("10.0.0.0/8", "gateway.example.net", 443, False),
        ("10.0.0.0/8", "::ffff:a00:1", 443, False),
        ("192.0.2.7", "192.0.2.7", 443, True),
        ("192.0.2.7:443", "192.0.2.7", 443, True),
        ("192.0.2.7:443", "192.0.2.7", 444, False),
        ("2001:db8::/32", "2001:db8::5", 443, True),
        ("[2001:db8::5]:443", "2001:db8::5", 443, True),
        ("2001:db8::5", "2001:DB8:0::5", 443, True),
        ("10.1.2.3/8", "10.200.0.1", 443, True),
    ],
)
def test_an_exception_matches_what_it_says(entry: str, host: str, port: int, expected: bool) -> None:
    assert Exemption.parse(entry).matches(host, port) is expected


@pytest.mark.parametrize("text", ["", "a b", "host:99999", "host:port", "10.0.0.0/99", "a/b", "host:1:2"])
def test_what_is_no_exception_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Exemption.parse(text)


def test_no_rules_are_no_proxy() -> None:
    assert DIRECT.proxy_for("gateway.example.net", 443) is None
    assert ProxyRules(PROXY).proxy_for("gateway.example.net", 443) is PROXY


@given(names, ports, st.lists(names, max_size=5))
def test_the_choice_is_the_exceptions(host: str, port: int, listed: list[str]) -> None:
    """Names, suffixes and ports against the definition: equal, or ending in a dot and the suffix."""
    rules = ProxyRules(PROXY, tuple(Exemption.parse(f".{name}") for name in listed))
    labels = host.split(".")
    tails = {".".join(labels[index:]) for index in range(len(labels))}
    assert (rules.proxy_for(host, port) is None) is bool(tails & set(listed))
    exact = ProxyRules(PROXY, tuple(Exemption.parse(f"{name}:{port}") for name in listed))
    assert (exact.proxy_for(host, port) is None) is (host in listed)
    assert exact.proxy_for(host, port % 65_535 + 1) is PROXY


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_is_its_leading_bits(
    target: ipaddress.IPv4Address, base: ipaddress.IPv4Address, bits: int
) -> None:
    exemption = Exemption.parse(f"{base}/{bits}")
    same = int(target) >> (32 - bits) == int(base) >> (32 - bits)
    assert exemption.matches(str(target), 443) is same

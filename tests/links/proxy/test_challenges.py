"""What proxies ask and what they get: the RFCs' own examples, odd spellings, hostile fields."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.links.proxy import challenges
from connector.links.proxy.challenges import Challenge


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Basic realm="squid"', [Challenge("basic", parameters={"realm": "squid"})]),
        ("NTLM", [Challenge("ntlm")]),
        ("Negotiate, NTLM", [Challenge("negotiate"), Challenge("ntlm")]),
        ("NTLM TlRMTVNTUAACAAAA", [Challenge("ntlm", "TlRMTVNTUAACAAAA")]),
        ("NTLM abc==, Basic realm=x", [Challenge("ntlm", "abc=="), Challenge("basic", "", {"realm": "x"})]),
        (
            'Digest realm="a, \\"b\\"", nonce=n1, qop="auth,auth-int" , stale=FALSE, Basic realm="c"',
            [
                Challenge(
                    "digest",
                    parameters={"realm": 'a, "b"', "nonce": "n1", "qop": "auth,auth-int", "stale": "FALSE"},
                ),
                Challenge("basic", parameters={"realm": "c"}),
            ],
        ),
        ("Basic", [Challenge("basic")]),
        ("", []),
        ('="', []),
    ],
)
def test_a_field_is_read(text: str, expected: list[Challenge]) -> None:
    assert challenges.parse([text]) == expected


def test_several_fields_are_one_list() -> None:
    assert [one.scheme for one in challenges.parse(["Negotiate", "NTLM", 'Basic realm="x"'])] == [
        "negotiate",
        "ntlm",
        "basic",
    ]


@given(st.lists(st.text(max_size=200), max_size=4))
def test_no_field_is_more_than_not_understood(fields: list[str]) -> None:
    assert len(challenges.parse(fields)) <= 16


def test_endless_offers_are_cut() -> None:
    assert len(challenges.parse([", ".join(f'S{number} realm="x"' for number in range(1000))])) == 16


def test_basic_is_that_of_rfc_7617() -> None:
    assert challenges.basic("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    # Section 2.1: UTF-8.
    assert challenges.basic("test", "123\N{POUND SIGN}") == "Basic dGVzdDoxMjPCow=="


def parameters(answer: str) -> dict[str, str]:
    (one,) = challenges.parse([answer])
    return one.parameters


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_is_the_example_of_rfc_7616_3_9_1(algorithm: str, response: str) -> None:
    challenge = Challenge(
        "digest",
        parameters={
            "realm": "http-auth@example.org",
            "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "qop": "auth, auth-int",
            "algorithm": algorithm,
            "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
        },
    )
    request, cnonce = ("GET", "/dir/index.html"), "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    answer = challenges.digest(challenge, request, cnonce, user="Mufasa", password="Circle of Life")
    assert parameters(answer) == {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "algorithm": algorithm,
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "cnonce": cnonce,
        "qop": "auth",
        "response": response,
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }


def test_digest_without_qop_is_the_example_of_rfc_2069() -> None:
    challenge = Challenge(
        "digest",
        parameters={"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"},
    )
    answer = challenges.digest(
        challenge, ("GET", "/dir/index.html"), "", user="Mufasa", password="CircleOfLife"
    )
    # Section 2.4, with the response of its errata 749.
    assert parameters(answer)["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert not {"qop", "cnonce", "nc"} & parameters(answer).keys()


def test_a_quote_in_a_user_or_realm_stays_inside_its_quotes() -> None:
    challenge = Challenge("digest", parameters={"realm": 'a"b\\c', "nonce": "n", "qop": "auth"})
    answer = parameters(challenges.digest(challenge, ("CONNECT", "h:443"), "c", user='u"x', password="p"))
    assert (answer["username"], answer["realm"]) == ('u"x', 'a"b\\c')


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"nonce": "n"}, True),
        ({"nonce": "n", "qop": "auth"}, True),
        ({"nonce": "n", "qop": "auth-int"}, False),
        ({"nonce": "n", "algorithm": "sha-256"}, True),
        ({"nonce": "n", "algorithm": "MD5-sess"}, False),
        ({"nonce": "n", "algorithm": "SHA-512-256"}, False),
        ({"realm": "r"}, False),
    ],
)
def test_only_what_can_be_answered_is(given: dict[str, str], expected: bool) -> None:
    assert challenges.is_answerable(Challenge("digest", parameters=given)) is expected


@given(st.text(min_size=1, max_size=40).filter(lambda text: ":" not in text), st.text(max_size=40))
def test_basic_can_be_read_back(user: str, password: str) -> None:
    try:
        encoded = challenges.basic(user, password).removeprefix("Basic ")
    except UnicodeEncodeError:  # half a surrogate pair is no text
        return
    assert base64.b64decode(encoded).decode() == f"{user}:{password}"

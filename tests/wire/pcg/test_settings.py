"""The content of `<settings>`: written whole, read within bounds."""

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from connector.domain.configuration import MAX_RULES, CloudSettings, RuleText
from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire.pcg import conf
from connector.wire.pcg.names import MAX_PAYLOAD_BYTES
from connector.wire.pcg.settings import read_settings, settings
from connector.wire.xmpp.xml import parse

# The example of docs/protocols/pcg.md, section 2.
DOCUMENTED = r"""<settings xmlns="urn:oxbridge:conf:1" revision="17">
  <dialling country="FR" outbound-prefix="0" national-prefix="0" international-prefix="00" installation-number="+33199000000"/>
  <rules><rule match="^7(.*)$" replace="0033\1" description="…"/></rules>
  <link ping-timeout="120"/>
</settings>"""  # noqa: E501 - verbatim


def read(payload: str) -> CloudSettings:
    command = conf.read_command(parse(payload))
    assert isinstance(command, conf.Settings)
    return read_settings(command)


def test_the_documented_form() -> None:
    assert read(DOCUMENTED) == CloudSettings(
        revision=17,
        country="FR",
        outbound_prefix="0",
        national_prefix="0",
        international_prefix="00",
        installation_number="+33199000000",
        rules=(RuleText("^7(.*)$", r"0033\1", "…"),),
        ping_timeout_seconds=120.0,
    )


def test_what_the_cloud_does_not_say_it_does_not_know() -> None:
    bare = '<settings xmlns="urn:oxbridge:conf:1" revision="3"/>'
    assert read(bare) == CloudSettings(3)
    assert read(settings(CloudSettings(3))) == CloudSettings(3)
    assert read(bare.replace("/>", '><dialling national-prefix=""/><news/></settings>')).national_prefix == ""


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=16)


@examples(max_examples=100, deadline=None)
@given(
    st.builds(
        CloudSettings,
        revision=st.integers(0, 2**63 - 1),
        country=st.none() | TEXT,
        outbound_prefix=st.none() | TEXT,
        uses_outbound_prefix=st.booleans(),
        national_prefix=st.none() | TEXT,
        international_prefix=st.none() | TEXT,
        installation_number=st.none() | TEXT,
        rules=st.lists(st.builds(RuleText, TEXT.filter(bool), TEXT, TEXT), max_size=5).map(tuple),
        ping_timeout_seconds=st.none() | st.integers(0, 86_400).map(float),
    )
)
def test_whatever_is_written_is_read(configured: CloudSettings) -> None:
    assert read(settings(configured)) == configured


def test_the_fullest_set_fits_a_frame() -> None:
    usual = RuleText("^(" * 32, r"\1" * 32, "d" * 128)
    assert len(settings(CloudSettings(1, rules=(usual,) * MAX_RULES))) < MAX_PAYLOAD_BYTES


def test_a_set_that_fits_no_frame_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        settings(CloudSettings(1, rules=(RuleText("&" * 64, "&" * 64),) * MAX_RULES))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('revision="17"', ""),
        ('"120"', '"12.5"'),
        ('"120"', '"99999999"'),
        ("^7(.*)$", "x" * 65),
        ("0033\\1", "x" * 65),
        ('match="^7(.*)$"', ""),
        ('"FR"', f'"{"F" * 17}"'),
        ("+33199000000", "1" * 41),
        ("<rules>", "<rules>" + '<rule match="1"/>' * MAX_RULES),
        ("<link", '<link ping-timeout="60"/><link'),
        ("<dialling", '<dialling use-outbound-prefix="perhaps"'),
    ],
)
def test_what_breaks_a_limit_is_refused_as_a_whole(old: str, new: str) -> None:
    assert old in DOCUMENTED
    with pytest.raises(RemoteProtocolError):
        read(DOCUMENTED.replace(old, new))

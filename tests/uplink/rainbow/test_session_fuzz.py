"""Whatever comes, the session reports it or ends: it never raises, and never outlives its own end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.configuration import CloudSettings
from connector.uplink.rainbow.events import SessionFailed
from connector.wire.pcg import conf, csta, devices, http
from connector.wire.pcg import settings as pcg_settings
from connector.wire.pcg.names import CONF, CSTA, HTTP, RVA
from tests.uplink.rainbow.far_end import DOMAIN, GATEWAY, HELLO, NOON, USER, greeted, logged_in

PAYLOADS = [
    HELLO,
    conf.access(conf.Access("t-1", "9f0c2ab1d3e4")),
    pcg_settings.settings(CloudSettings(17, country="FR")),
    conf.monitors(conf.monitor_pages([conf.Monitor("3001")])[0]),
    conf.disconnect(conf.Disconnect(conf.DisconnectReason.RESET)),
    devices.devices_request(),
    csta.snapshot_request(),
    csta.acknowledgement(csta.Acknowledgement("9f3c", 812)),
    http.request(http.HttpRequest("GET", "/status")),
    "<ping xmlns='urn:xmpp:ping'/>",
    "",
]
SENDERS = ["", DOMAIN, GATEWAY, f"evil@{DOMAIN}/pbxpcg", f"{USER}@{DOMAIN}/pbxagent", "\ud7ff", "@"]
names = st.sampled_from(["hello", "access", "devices", "disconnect", "snapshot", "ack", "req", "invite", "x"])
words = st.text(max_size=20) | st.sampled_from(["1", "-1", "0", "reset", "true", NOON.isoformat(), "9" * 30])
attributes = st.dictionaries(
    st.sampled_from(["version", "time", "system", "code", "transaction", "epoch", "seq", "reason", "page"]),
    words,
)


def quoted(value: str) -> str:
    return "".join(f"&#{ord(one)};" for one in value if one.isprintable())


made_up = st.builds(
    lambda name, space, fields: (
        f'<{name} xmlns="{space}"' + "".join(f' {k}="{quoted(v)}"' for k, v in fields.items()) + "/>"
    ),
    names,
    st.sampled_from([CONF, CSTA, HTTP, RVA, "urn:x"]),
    attributes,
)
stanzas = st.builds(
    lambda name, kind, sender, payload: (
        f'<{name} xmlns="jabber:client" id="f1" type="{kind}" from="{sender}">{payload}</{name}>'
    ),
    st.sampled_from(["iq", "message", "presence"]),
    st.sampled_from(["set", "get", "result", "error", ""]),
    st.sampled_from(SENDERS),
    st.sampled_from(PAYLOADS) | made_up,
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good stanza with a piece cut out, doubled, or replaced by anything."""
    frame = draw(stanzas)
    start = draw(st.integers(0, len(frame)))
    end = draw(st.integers(start, len(frame)))
    return frame[:start] + draw(st.text(max_size=10) | st.just(frame[start:end] * 2)) + frame[end:]


@settings(max_examples=300, deadline=None)
@given(frames=st.lists(stanzas | damaged() | st.text(), max_size=8), is_greeted=st.booleans())
def test_no_frame_gets_an_exception_out_of_the_session(frames: list[str], is_greeted: bool) -> None:
    end = greeted() if is_greeted else logged_in()
    end.events.clear()
    for frame in frames:
        end.throw(frame)
        end.session.to_send()
    assert len(end.told(SessionFailed)) <= 1
    if end.told(SessionFailed):
        assert not end.session.is_open

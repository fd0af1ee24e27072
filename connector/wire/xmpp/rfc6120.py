"""What XMPP says around stanzas: features, SASL elements, bind, stream errors (RFC 6120)."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from connector.wire.xmpp.jid import Jid, parse_jid
from connector.wire.xmpp.xml import MAX_FRAME_BYTES, StreamViolation, escaped

STREAMS = "http://etherx.jabber.org/streams"
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
SM = "urn:xmpp:sm:3"
CHANNEL_BINDING = "urn:xmpp:sasl-cb:0"
# XEP-0478: what we take is told before anything is sent.
STREAM_LIMITS = "urn:xmpp:stream-limits:0"

FEATURES_TAG = f"{{{STREAMS}}}features"
ERROR_TAG = f"{{{STREAMS}}}error"
AUTH_TAG = f"{{{SASL}}}auth"
CHALLENGE_TAG = f"{{{SASL}}}challenge"
RESPONSE_TAG = f"{{{SASL}}}response"
SUCCESS_TAG = f"{{{SASL}}}success"
FAILURE_TAG = f"{{{SASL}}}failure"
ABORT_TAG = f"{{{SASL}}}abort"
BIND_TAG = f"{{{BIND}}}bind"

# A condition is an element's name; the longest registered one has 24 characters.
_MAX_CONDITION_CHARS = 64
# What a peer says about an error is for a log line.
_MAX_TEXT_CHARS = 120


@dataclass(frozen=True, slots=True)
class Features:
    """What the server offers now: SASL mechanisms before authentication, bind and XEP-0198 after it."""

    mechanisms: Sequence[str] = ()
    has_bind: bool = False
    has_stream_management: bool = False
    # Types of channel binding (XEP-0440), empty if the server does not tell.
    channel_bindings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class StreamError:
    """Why a stream ends. `application` is the local name of a condition outside RFC 6120, or empty."""

    condition: str
    text: str = ""
    application: str = ""


def features_frame(features: Features) -> str:
    """The frame that offers `features` and tells our limit."""
    offers = "".join(f"<mechanism>{escaped(name)}</mechanism>" for name in features.mechanisms)
    sasl = f'<mechanisms xmlns="{SASL}">{offers}</mechanisms>' if offers else ""
    types = "".join(f'<channel-binding type="{escaped(name)}"/>' for name in features.channel_bindings)
    sasl += f'<sasl-channel-binding xmlns="{CHANNEL_BINDING}">{types}</sasl-channel-binding>' if types else ""
    bind = f'<bind xmlns="{BIND}"/>' if features.has_bind else ""
    management = f'<sm xmlns="{SM}"/>' if features.has_stream_management else ""
    limits = f'<limits xmlns="{STREAM_LIMITS}"><max-bytes>{MAX_FRAME_BYTES}</max-bytes></limits>'
    return f'<stream:features xmlns:stream="{STREAMS}">{sasl}{bind}{management}{limits}</stream:features>'


def read_features(element: Element) -> Features:
    """The features in `element`. Raises `StreamViolation` if it is something else."""
    if element.tag != FEATURES_TAG:
        raise out_of_place(element, "<features/> was due")
    names = element.findall(f"{{{SASL}}}mechanisms/{{{SASL}}}mechanism")
    types = element.findall(f"{{{CHANNEL_BINDING}}}sasl-channel-binding/{{{CHANNEL_BINDING}}}channel-binding")
    return Features(
        tuple(name.text.strip() for name in names if name.text),
        element.find(BIND_TAG) is not None,
        element.find(f"{{{SM}}}sm") is not None,
        tuple(child.get("type", "") for child in types),
    )


def stream_error_frame(condition: str, text: str = "", application: str = "") -> str:
    """The frame of a stream error; `application` is a complete element of another namespace."""
    words = f'<text xmlns="{STREAM_ERRORS}">{escaped(text)}</text>' if text else ""
    return (
        f'<stream:error xmlns:stream="{STREAMS}"><{condition} xmlns="{STREAM_ERRORS}"/>'
        f"{words}{application}</stream:error>"
    )


def read_stream_error(element: Element) -> StreamError:
    """The error in `element`, whose tag is `ERROR_TAG`. Without a condition it is `undefined-condition`."""
    condition, application, text = "undefined-condition", "", ""
    for child in element:
        namespace, _, name = child.tag.rpartition("}")
        if namespace != f"{{{STREAM_ERRORS}":
            application = name[:_MAX_CONDITION_CHARS]
        elif name == "text":
            text = (child.text or "")[:_MAX_TEXT_CHARS]
        else:
            condition = name[:_MAX_CONDITION_CHARS]
            # RFC 6120, 4.9.3.19: see-other-host holds the host itself.
            text = text or (child.text or "").strip()[:_MAX_TEXT_CHARS]
    return StreamError(condition, text, application)


def sasl_frame(name: str, content: str = "", mechanism: str = "") -> str:
    """`<auth/>`, `<challenge/>`, `<response/>` or `<success/>` around `content`, which is base64 already."""
    chosen = f' mechanism="{mechanism}"' if mechanism else ""
    return f'<{name} xmlns="{SASL}"{chosen}>{content}</{name}>' if content else f'<{name} xmlns="{SASL}"/>'


def sasl_failure_frame(condition: str) -> str:
    """The frame that refuses an authentication."""
    return f'<failure xmlns="{SASL}"><{condition}/></failure>'


def read_sasl_failure(element: Element) -> str:
    """The condition in `element`, whose tag is `FAILURE_TAG`."""
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name != "text":
            return name[:_MAX_CONDITION_CHARS]
    return "not-authorized"


def bind_payload(resource: str) -> str:
    """What a client asks with, in an iq set."""
    return f'<bind xmlns="{BIND}"><resource>{escaped(resource)}</resource></bind>'


def bound_payload(jid: Jid) -> str:
    """What a server answers with, in the iq result."""
    return f'<bind xmlns="{BIND}"><jid>{escaped(str(jid))}</jid></bind>'


def read_bind(payload: Element) -> str:
    """The resource that a client asks for, empty if it leaves the choice to the server."""
    return payload.findtext(f"{{{BIND}}}resource", "").strip()


def read_bound(payload: Element | None) -> Jid:
    """The address that a server gave. Raises `StreamViolation` if there is none."""
    text = "" if payload is None else payload.findtext(f"{{{BIND}}}jid", "").strip()
    jid = parse_jid(text)
    if not jid.resource:
        raise StreamViolation("improper-addressing", "bound without a resource", clause="RFC 6120, 7.6.1")
    return jid


def out_of_place(element: Element, due: str) -> StreamViolation:
    """The violation of sending `element` where something else was due."""
    name = element.tag.rpartition("}")[2][:_MAX_CONDITION_CHARS]
    return StreamViolation("policy-violation", f"<{name}/> is out of place: {due}", clause="RFC 6120, 4.3")

"""What the agent says to its gateway, takes from it, and takes from nobody else; all in virtual time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.call_model import LiveLeg
from connector.domain.calls import ConnectionId, LocalState, Party
from connector.domain.commands import CommandRequest, MakeCall
from connector.domain.configuration import CloudSettings
from connector.domain.errors import LinkClosed, LinkTimeout, LocalProtocolError, RemoteProtocolError
from connector.domain.faults import FaultId
from connector.domain.identifiers import Channel
from connector.uplink.rainbow.events import (
    AccessProposed,
    AllArrived,
    ChannelChanged,
    ChannelsOpened,
    CommandAsked,
    DeviceListWanted,
    DisconnectOrdered,
    EventsAcknowledged,
    HttpRequested,
    LoggedIn,
    MonitorsGiven,
    SessionFailed,
    SessionResumed,
    SettingsGiven,
    SnapshotWanted,
    StrangerIgnored,
)
from connector.wire.pcg import commands, conf, csta, devices, http
from connector.wire.pcg import settings as pcg_settings
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.pcg.names import CONF, CSTA, HTTP, RVA
from connector.wire.xmpp.stanzas import CLIENT, StanzaError
from tests.uplink.rainbow.far_end import (
    DOMAIN,
    GATEWAY,
    HELLO,
    NOON,
    USER,
    greeted,
    logged_in,
    payload_names,
)

OTHER_GATEWAY = f"pbxpcg_{'cd' * 16}@{DOMAIN}/pbxpcg"
ACCESS = conf.access(conf.Access("t-1", "9f0c2ab1d3e4"))
SNAPSHOT = csta.snapshot_request()
GET_STATUS = http.request(http.HttpRequest("GET", "/status"))
RESET = conf.disconnect(conf.Disconnect(DisconnectReason.RESET))


def leg(number: int) -> LiveLeg:
    device = str(3000 + number)
    return LiveLeg(
        f"c-{number}", device, ConnectionId(str(number), device), LocalState.CONNECTED, Party(), Party(), NOON
    )


# -- hello


def test_after_the_login_nothing_but_presence_is_said() -> None:
    end = logged_in()
    assert [stanza.name for stanza in end.heard] == ["presence"]
    assert end.told(LoggedIn) == [LoggedIn(f"{USER}@{DOMAIN}/pbxagent", "SCRAM-SHA-256")]
    assert end.told(ChannelChanged) == [ChannelChanged(Channel.XMPP, is_up=True)]
    assert not end.session.is_open


def test_a_request_before_hello_is_our_own_defect() -> None:
    end = logged_in()
    with pytest.raises(LocalProtocolError):
        end.session.send_pbx_state(is_up=True)


def test_hello_opens_conf_and_tells_the_gateways_clock_and_our_outbox() -> None:
    end = logged_in()
    end.events.clear()
    request = end.ask(HELLO)
    assert end.events == [ChannelChanged(Channel.CONF, is_up=True), ChannelsOpened(GATEWAY, NOON)]
    payload = end.answers[request].payload
    assert payload is not None
    answer = conf.read_hello_response(payload)
    assert (answer.pbx, answer.epoch, answer.last) == ("oxe", "9f3c", 812)


def test_hello_said_twice_is_answered_anew_and_changes_nothing() -> None:
    end = greeted()
    end.last_seq = 813
    request = end.ask(HELLO)
    payload = end.answers[request].payload
    assert payload is not None
    assert conf.read_hello_response(payload).last == 813
    assert end.events == []


@pytest.mark.parametrize("payload", [ACCESS, RESET, SNAPSHOT, GET_STATUS, devices.devices_request()])
def test_before_hello_the_gateway_gets_nothing(payload: str) -> None:
    end = logged_in()
    end.events.clear()
    error = end.error_of(end.ask(payload, "get" if "snapshot" in payload else "set"))
    assert error is not None
    assert error.condition == "unexpected-request"
    assert end.events == []


@pytest.mark.parametrize(
    "sender",
    [
        "pbxpcg_x@evil.example/pbxpcg",
        f"somebody@{DOMAIN}/pbxpcg",
        f"pbxpcg_x@{DOMAIN}/other",
        f"pbxpcg_x@{DOMAIN}",
        "evil.example",
    ],
)
def test_hello_from_anybody_else_opens_nothing(sender: str) -> None:
    end = logged_in()
    request = end.ask(HELLO, sender=sender)
    assert end.told(StrangerIgnored) == [StrangerIgnored(sender)]
    # The answer goes to the stranger; the server machine takes it for its own request.
    error = end.error_of(request)
    assert error is not None
    assert error.condition == "service-unavailable"
    assert not end.session.is_open


def test_the_domain_itself_is_heard_but_can_not_say_hello() -> None:
    end = logged_in()
    error = end.error_of(end.ask(HELLO, sender=DOMAIN))
    assert error is not None
    assert error.condition == "forbidden"
    assert not end.session.is_open
    assert end.told(StrangerIgnored) == []


# -- strangers


@pytest.mark.parametrize(
    "sender", [OTHER_GATEWAY, f"evil@{DOMAIN}/pbxpcg", GATEWAY.replace("/pbxpcg", "/x"), f"{USER}@{DOMAIN}"]
)
def test_after_hello_only_the_bound_gateway_is_heard(sender: str) -> None:
    end = greeted()
    end.say(csta.acknowledgement(csta.Acknowledgement("9f3c", 812)), sender=sender)
    error = end.error_of(end.ask(ACCESS, sender=sender))
    assert error is not None
    assert error.condition == "service-unavailable"
    assert end.events == [StrangerIgnored(sender)] * 2


def test_a_second_gateway_can_not_take_the_session_over() -> None:
    end = greeted()
    end.ask(HELLO, sender=OTHER_GATEWAY)
    end.say(csta.acknowledgement(csta.Acknowledgement("9f3c", 5)))
    assert end.told(ChannelsOpened) == []
    assert end.told(EventsAcknowledged) == [EventsAcknowledged("9f3c", 5)]


def test_the_gateways_address_compares_without_case_in_its_domain() -> None:
    end = greeted()
    end.say(
        csta.acknowledgement(csta.Acknowledgement("9f3c", 5)), sender=GATEWAY.replace(DOMAIN, DOMAIN.upper())
    )
    assert end.told(EventsAcknowledged) == [EventsAcknowledged("9f3c", 5)]


# -- access code


def test_a_proposed_code_is_acknowledged_only_when_the_owner_says_that_it_is_stored() -> None:
    end = greeted()
    request = end.ask(ACCESS)
    (proposed,) = end.told(AccessProposed)
    assert proposed.code == "9f0c2ab1d3e4"
    assert request not in end.answers
    end.session.answer(proposed.stanza)
    end.run()
    assert end.error_of(request) is None


def test_a_code_that_could_not_be_stored_is_refused() -> None:
    end = greeted()
    request = end.ask(ACCESS)
    end.session.refuse(end.told(AccessProposed)[0].stanza, "internal-server-error")
    end.run()
    error = end.error_of(request)
    assert error is not None
    assert error.condition == "internal-server-error"


def test_the_proposal_never_shows_its_code() -> None:
    end = greeted()
    end.ask(ACCESS)
    (proposed,) = end.told(AccessProposed)
    assert "9f0c2ab1d3e4" not in repr(proposed).replace(repr(proposed.stanza), "")


# -- channels


def test_csta_is_open_while_the_gateway_knows_that_the_pbx_can_be_heard() -> None:
    end = greeted()
    end.session.send_pbx_state(is_up=True)
    end.run()
    assert end.events == [], "open only once the gateway has answered"
    end.answer(csta.system_status_response())
    end.session.send_pbx_state(is_up=False)
    end.run()
    end.answer(csta.system_status_response())
    assert end.events == [ChannelChanged(Channel.CSTA, is_up=True), ChannelChanged(Channel.CSTA, is_up=False)]


def test_csta_stays_closed_when_the_gateway_refuses_or_does_not_answer() -> None:
    end = greeted()
    end.session.send_pbx_state(is_up=True)
    end.run()
    end.refuse("internal-server-error")
    end.session.send_pbx_state(is_up=True)
    end.advance(31)
    assert end.events == []


def test_a_read_over_http_is_handed_over_and_opens_http() -> None:
    end = greeted()
    request = end.ask(GET_STATUS)
    (asked,) = end.told(HttpRequested)
    assert (asked.request.method, asked.request.resource) == ("GET", "/status")
    end.session.answer(asked.stanza, http.response(http.HttpResponse(200, body='{"a": 1}')))
    end.run()
    payload = end.answers[request].payload
    assert payload is not None
    assert http.read_response(payload).body == '{"a": 1}'
    assert end.told(ChannelChanged) == [ChannelChanged(Channel.HTTP, is_up=True)]


# -- snapshots


def test_a_snapshot_is_answered_with_its_first_page_and_the_others_follow() -> None:
    end = greeted()
    request = end.ask(SNAPSHOT, "get")
    end.session.answer_snapshot(end.told(SnapshotWanted)[0], [leg(n) for n in range(450)], NOON)
    end.run()
    first = end.answers[request].payload
    assert first is not None
    pages = [csta.read_snapshot(first)]
    while end.asked:
        payload = end.asked[0].payload
        assert payload is not None
        pages.append(csta.read_snapshot(payload))
        end.answer()
    assert [page.page for page in pages] == list(range(1, pages[0].pages + 1))
    told = [entry.snapshot.device for page in pages for entry in page.entries]
    assert told == [str(3000 + n) for n in range(450)]


def test_a_refused_snapshot_costs_nothing() -> None:
    end = greeted()
    end.session.send_snapshot([leg(1)], NOON)
    end.run()
    end.refuse("internal-server-error")
    assert end.session.is_open


# -- orders


@pytest.mark.parametrize("reason", DisconnectReason)
def test_a_disconnect_is_answered_before_the_stream_ends(reason: DisconnectReason) -> None:
    end = greeted()
    request = end.ask(conf.disconnect(conf.Disconnect(reason)))
    assert end.error_of(request) is None
    assert end.told(DisconnectOrdered) == [DisconnectOrdered(reason)]
    assert end.session.is_closed
    assert end.told(SessionFailed) == [], "an orderly end is no failure"


def test_a_request_for_the_list_is_answered_and_told() -> None:
    end = greeted()
    request = end.ask(devices.devices_request(), "get")
    assert end.error_of(request) is None
    assert end.events == [DeviceListWanted()]


@pytest.mark.parametrize(
    ("payload", "condition"),
    [
        (f'<command xmlns="{CSTA}" device="3001"/>', "bad-request"),
        (f'<unheard-of xmlns="{CSTA}"/>', "feature-not-implemented"),
        ('<query xmlns="jabber:iq:roster"/>', "service-unavailable"),
        ("<query/>", "service-unavailable"),
    ],
)
def test_what_this_version_does_not_do_is_refused_by_its_name(payload: str, condition: str) -> None:
    end = greeted()
    error = end.error_of(end.ask(payload))
    assert error is not None
    assert error.condition == condition
    assert end.session.is_open


def test_an_invitation_asked_for_by_the_cloud_is_refused_with_the_protocols_reason() -> None:
    end = greeted()
    error = end.error_of(
        end.ask(f'<invite xmlns="{RVA}" device="3001" call="c-1" deadline="2026-11-20T12:00:00Z"/>')
    )
    assert error is not None
    assert error.application is not None
    assert (error.application.tag, error.application.get("reason")) == (f"{{{RVA}}}refused", "no-expert")


# -- payloads that break the dialect


@pytest.mark.parametrize(
    "payload",
    [
        f'<hello xmlns="{CONF}"/>',
        f'<hello xmlns="{CONF}" version="1" system="s" time="yesterday"/>',
        f'<access xmlns="{CONF}" transaction="t"/>',
        f'<access xmlns="{CONF}" transaction="t" code="two words"/>',
        f'<disconnect xmlns="{CONF}" reason="mood"/>',
        f'<unheard xmlns="{CONF}"/>',
        f'<devices xmlns="{CONF}"><device/></devices>',
        f'<req xmlns="{HTTP}" method="GET" resource="no-slash" version="1.1"/>',
        f'<req xmlns="{HTTP}" method="GET" resource="/status"/>',
        f'<req xmlns="{HTTP}" method="G T" resource="/status" version="1.1"/>',
    ],
)
def test_a_request_that_breaks_the_dialect_is_a_bad_request_and_the_session_lives(payload: str) -> None:
    end = greeted()
    error = end.error_of(end.ask(payload))
    assert error is not None
    assert error.condition == "bad-request"
    assert end.events == []
    assert end.session.is_open


def test_a_bad_request_says_why_in_a_bounded_text() -> None:
    end = greeted()
    error = end.error_of(end.ask(f'<disconnect xmlns="{CONF}" reason="{"x" * 5000}"/>'))
    assert error is not None
    assert 0 < len(error.text) <= 200


@pytest.mark.parametrize(
    "payload",
    [
        f'<ack xmlns="{CSTA}"/>',
        f'<ack xmlns="{CSTA}" epoch="e" seq="-1"/>',
        f'<ack xmlns="{CSTA}" epoch="e" seq="∞"/>',
    ],
)
def test_an_acknowledgement_that_can_not_be_read_ends_the_session(payload: str) -> None:
    end = greeted()
    end.say(payload)
    assert isinstance(end.failure, RemoteProtocolError)
    assert end.session.is_closed
    assert not end.session.is_open


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "garbage",
        "<",
        "\x00\x01\x02",
        f'<message xmlns="{CLIENT}">',
        "<!DOCTYPE x [<!ENTITY a 'b'>]><message xmlns='jabber:client'>&a;</message>",
        f'<message xmlns="{CLIENT}"><!-- comment --></message>',
        f'<?pi?><message xmlns="{CLIENT}"/>',
        f'<message xmlns="{CLIENT}">&unheard;</message>',
        f'<message xmlns="{CLIENT}">' + "x" * 70_000 + "</message>",
        f'<message xmlns="{CLIENT}">' + "<a>" * 40 + "</a>" * 40 + "</message>",
        f'<message xmlns="{CLIENT}"/><message xmlns="{CLIENT}"/>',
        f'<iq xmlns="{CLIENT}" type="set" id=""/>',
        f'<iq xmlns="{CLIENT}" type="mood" id="1"/>',
        '<unheard xmlns="urn:unheard"/>',
        f'<message xmlns="{CLIENT}" from="{"x" * 4000}"/>',
    ],
)
def test_a_frame_that_breaks_the_stream_costs_the_session_and_no_more(frame: str) -> None:
    end = greeted()
    end.throw(frame)
    assert isinstance(end.failure, RemoteProtocolError)
    assert end.failure.fault is FaultId.CLOUD_PROTOCOL
    assert end.session.is_closed
    end.throw(frame)
    assert len(end.told(SessionFailed)) == 1, "what comes after the end is not even looked at"


def test_messages_without_a_meaning_for_us_are_passed_over() -> None:
    end = greeted()
    for payload in ("", "<body>hello</body>", f'<unheard xmlns="{CSTA}"/>'):
        end.say(payload)
    end.throw(f'<message xmlns="{CLIENT}" type="error" from="{GATEWAY}"><ack xmlns="{CSTA}"/></message>')
    end.throw(f'<presence xmlns="{CLIENT}" from="{GATEWAY}"><ack xmlns="{CSTA}"/></presence>')
    assert end.events == []
    assert end.session.is_open


# -- a gateway that acknowledges nothing


def test_requests_without_end_from_a_gateway_that_counts_nothing_end_the_session() -> None:
    end = greeted()
    for number in range(3_000):
        end.now += 0.01
        end.throw(
            f'<iq xmlns="{CLIENT}" type="set" id="h{number}" from="{GATEWAY}"><unheard xmlns="{CONF}"/></iq>'
        )
        end.session.to_send()
        if end.session.is_closed:
            break
    (failed,) = end.told(SessionFailed)
    assert failed.error.fault is FaultId.QUEUE_FULL


# -- time


def test_pings_of_the_gateway_keep_a_silent_session_alive() -> None:
    end = greeted()
    end.advance(3_600)
    assert end.session.is_open


def test_a_whole_timeout_of_silence_is_a_dead_link() -> None:
    end = greeted()
    for _ in range(200):
        end.now += 1
        end.session.tick(end.now)
        end.session.to_send()
    end._collect()
    assert isinstance(end.failure, LinkTimeout)
    assert end.failure.fault is FaultId.CLOUD_SILENT


def test_an_end_without_a_farewell_is_a_closed_link() -> None:
    end = greeted()
    end.session.receive_eof(end.now)
    end._collect()
    assert isinstance(end.failure, LinkClosed)
    assert end.failure.fault is FaultId.CLOUD_CLOSED


def test_our_own_close_is_in_order_and_no_failure() -> None:
    end = greeted()
    end.session.close()
    end.run()
    assert end.session.is_closed
    assert end.told(SessionFailed) == []


# -- what the cloud configures and commands


def test_the_whole_set_of_monitors_is_told_with_its_last_page() -> None:
    end = greeted()
    wanted = [conf.Monitor(str(number), "u" * 100) for number in range(3001, 3401)]
    pages = conf.monitor_pages(wanted)
    assert len(pages) > 1
    requests = [end.ask(conf.monitors(page)) for page in pages]
    (given,) = end.told(MonitorsGiven)
    assert given.monitors == tuple(wanted)
    assert set(requests[:-1]) <= set(end.answers)
    assert requests[-1] not in end.answers, "answered when the set is in force"


def test_a_page_of_monitors_out_of_turn_is_refused_and_the_set_can_begin_again() -> None:
    end = greeted()
    first = conf.monitors(conf.MonitorsPage((conf.Monitor("3001"),), 1, 3))
    third = conf.monitors(conf.MonitorsPage((conf.Monitor("3003"),), 3, 3))
    end.ask(first)
    error = end.error_of(end.ask(third))
    assert error is not None
    assert error.condition == "unexpected-request"
    end.ask(conf.monitors(conf.MonitorsPage((conf.Monitor("3009"),))))
    assert end.told(MonitorsGiven)[0].monitors == (conf.Monitor("3009"),)


def test_settings_are_read_and_told() -> None:
    end = greeted()
    end.ask(pcg_settings.settings(CloudSettings(17, outbound_prefix="9")))
    (given,) = end.told(SettingsGiven)
    assert (given.settings.revision, given.settings.outbound_prefix) == (17, "9")


def test_a_command_is_read_and_told_with_the_id_of_its_stanza() -> None:
    end = greeted()
    asked = CommandRequest("", "3001", "u1", NOON, MakeCall("3001", "3002"))
    request = end.ask(commands.command(asked))
    (told,) = end.told(CommandAsked)
    assert told.request == replace(asked, id=request)
    assert request not in end.answers


# -- a session that goes on


def test_a_resumed_session_knows_its_gateway_and_says_nothing_twice() -> None:
    end = greeted()
    request = end.ask(ACCESS)
    (proposed,) = end.told(AccessProposed)
    end.break_off()
    end.resume()
    assert end.told(SessionResumed) == [SessionResumed()]
    assert end.told(ChannelsOpened) == []
    assert end.session.gateway == GATEWAY
    assert end.session.is_open
    assert [stanza.name for stanza in end.heard] == []
    assert {one.channel for one in end.told(ChannelChanged)} == {Channel.XMPP, Channel.CONF, Channel.HTTP}
    end.session.answer(proposed.stanza.owed)
    end.run()
    assert end.error_of(request) is None


def test_a_session_that_was_not_greeted_waits_for_hello_when_it_goes_on() -> None:
    end = logged_in()
    end.break_off()
    end.resume()
    assert end.told(SessionResumed) == []
    end.ask(HELLO)
    assert len(end.told(ChannelsOpened)) == 1


# -- events and gaps


def test_an_event_goes_to_the_gateway_with_its_number_as_the_stanzas_id() -> None:
    end = greeted()
    head = csta.EventHead(
        "9f3c", 813, True, "3001", "c-1", NOON + timedelta(seconds=1), replayed=True, end="answered"
    )
    end.session.send_event(head, '<x xmlns="urn:x"/>')
    end.session.say(csta.gap(csta.Gap("9f3c", 1, 5, durable=False, count=3, reason="link-down")))
    end.run()
    assert payload_names(end.heard) == ["event", "gap"]
    event, gap = end.heard
    assert (event.id, event.to) == ("e-813", GATEWAY)
    assert event.payload is not None
    assert gap.payload is not None
    told = csta.read_report(event.payload)
    assert isinstance(told, csta.ReceivedEvent)
    assert told.head == head
    assert csta.read_report(gap.payload) == csta.Gap("9f3c", 1, 5, durable=False, count=3, reason="link-down")


def test_a_request_without_an_answer_is_settled_as_an_error_once() -> None:
    end = greeted()
    settled: list[StanzaError | None] = []
    end.session.send_device_page(devices.pages([], 1)[0], settled.append)
    end.advance(29)
    assert settled == []
    end.advance(2)
    assert [error.condition for error in settled if error] == ["remote-server-timeout"]
    late = end.asked.pop(0)
    end.server.answer(late)
    end.run()
    assert len(settled) == 1, "an answer that comes too late changes nothing"


def test_whether_all_arrived_is_asked_once_and_told_once() -> None:
    end = greeted()
    end.session.send_event(csta.EventHead("9f3c", 1, True, "3001", "c-1", NOON, False, None), "<x/>")
    assert not end.session.is_clear()
    assert not end.session.is_clear()
    end.run()
    assert end.told(AllArrived) == [AllArrived()]
    assert end.session.is_clear()


@pytest.mark.parametrize(("condition", "seq"), [("policy-violation", 7), ("system-shutdown", 0)])
def test_the_event_that_was_sent_last_is_blamed_when_the_gateway_is_offended(
    condition: str, seq: int
) -> None:
    end = greeted()
    end.session.send_event(csta.EventHead("9f3c", 7, True, "3001", "c-1", NOON, False, None), "<x/>")
    end.run()
    error = f'<{condition} xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>'
    end.throw(f'<stream:error xmlns:stream="http://etherx.jabber.org/streams">{error}</stream:error>')
    (failed,) = end.told(SessionFailed)
    assert failed.blamed_seq == seq
    assert (failed.blamed is not None) == bool(seq)

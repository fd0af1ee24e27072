"""Which code is tried first, at each step of the activation."""

from connector.domain.credentials import Activation, Code, CodeKind, Credentials


def kinds(credentials: Credentials) -> list[CodeKind]:
    return [code.kind for code in credentials.candidates()]


def test_the_whole_life() -> None:
    none = Credentials.none()
    assert (none.activation, kinds(none)) == (Activation.NOT_ACTIVATED, [])
    typed = none.with_activation_code("1234")
    assert (typed.activation, kinds(typed)) == (Activation.ACTIVATING, [CodeKind.ACTIVATION])
    proposed = typed.proven(CodeKind.ACTIVATION).with_access_code("long")
    assert proposed.activation is Activation.ACTIVATED
    assert kinds(proposed) == [CodeKind.ACCESS, CodeKind.ACTIVATION], "the acknowledgement may be lost"
    proven = proposed.proven(CodeKind.ACCESS)
    assert (proven.activation, kinds(proven)) == (Activation.ACTIVATED, [CodeKind.ACCESS])


def test_a_code_typed_on_an_activated_agent_is_tried_first_and_costs_nothing_if_wrong() -> None:
    proven = Credentials(None, "long", is_proven=True)
    again = proven.with_activation_code("4321")
    assert kinds(again) == [CodeKind.ACTIVATION, CodeKind.ACCESS]
    assert again.without_activation_code() == proven


def test_an_access_code_that_no_login_has_proven_yet_is_kept_behind_a_new_code_too() -> None:
    unproven = Credentials("1234", "long", is_proven=False)
    again = unproven.with_activation_code("4321")
    assert again.candidates() == (Code(CodeKind.ACTIVATION, "4321"), Code(CodeKind.ACCESS, "long"))
    assert kinds(again.without_activation_code()) == [CodeKind.ACCESS]


def test_no_secret_is_shown() -> None:
    shown = repr(Credentials("1234", "s3cret", is_proven=True)) + repr(Code(CodeKind.ACCESS, "s3cret"))
    assert "1234" not in shown
    assert "s3cret" not in shown

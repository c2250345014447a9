# SPDX-License-Identifier: Apache-2.0
"""Keys of the age format: text forms, wrapping, what is refused, what stays hidden."""

from __future__ import annotations

import io
import traceback

import pytest

from keys.age import (
    HybridIdentity,
    HybridRecipient,
    Identity,
    Recipient,
    ScryptIdentity,
    ScryptRecipient,
    Sealer,
    X25519Identity,
    X25519Recipient,
    parse_identity,
    parse_identity_file,
    parse_recipient,
    seal,
    sealed_size,
    unseal,
)
from keys.errors import MalformedAge, NoMatch, WeakCost
from keys.secret import Secret

HYBRID = HybridIdentity.generate()
CLASSIC = X25519Identity.generate()
WORD = Secret(b"correct horse")
PASSPHRASE = ScryptRecipient(WORD, work_factor=2)

SPEC_HYBRID = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
SPEC_HYBRID_RECIPIENT_BEGINS = (
    "age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdxz95paef6caq5aapdmwjjqp"
)
SPEC_HYBRID_RECIPIENT_ENDS = "9508k0c55zfnegrm9efhxpfqdkmhh6gjtqmwze9pyyzk3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k"
SPEC_CLASSIC = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
SPEC_CLASSIC_RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"


def test_the_keys_of_the_specification() -> None:
    """The identities printed in the specification have the recipients printed beside them."""
    text = str(HybridIdentity.parse(SPEC_HYBRID).recipient)
    assert text.startswith(SPEC_HYBRID_RECIPIENT_BEGINS)
    assert text.endswith(SPEC_HYBRID_RECIPIENT_ENDS)
    assert len(text) == 1959
    assert str(X25519Identity.parse(SPEC_CLASSIC).recipient) == SPEC_CLASSIC_RECIPIENT


@pytest.mark.parametrize("identity", [HYBRID, CLASSIC])
def test_text_forms_parse_back(identity: HybridIdentity | X25519Identity) -> None:
    """A key read from its text is the same key, and the kind is told by the text."""
    assert parse_identity(identity.encode().expose().decode()) == identity
    assert parse_recipient(str(identity.recipient)) == identity.recipient


def test_two_new_identities_differ() -> None:
    """Keys come from the system's generator."""
    assert HybridIdentity.generate() != HybridIdentity.generate()
    assert X25519Identity.generate().recipient != X25519Identity.generate().recipient


@pytest.mark.parametrize(
    ("recipient", "identity"),
    [(HYBRID.recipient, HYBRID), (CLASSIC.recipient, CLASSIC), (PASSPHRASE, ScryptIdentity(WORD))],
)
def test_what_is_wrapped_twice_differs(recipient: Recipient, identity: Identity) -> None:
    """Every stanza has a share or salt of its own, and unwraps to the same key."""
    key = b"sixteen bytes ab"
    one, two = recipient.wrap(key), recipient.wrap(key)
    assert one != two
    assert identity.unwrap(one) == identity.unwrap(two) == key
    assert len(one.encode()) == recipient.stanza_size


def test_stanza_sizes_are_those_of_other_implementations() -> None:
    """98 and 1,557 bytes, as measured from files of other programs."""
    assert CLASSIC.recipient.stanza_size == 98
    assert HYBRID.recipient.stanza_size == 1557


@pytest.mark.parametrize("identity", [HYBRID, CLASSIC, ScryptIdentity(WORD)])
def test_stanzas_of_other_kinds_are_not_looked_at(identity: Identity) -> None:
    """An identity leaves alone what is not of its kind."""
    kinds: list[Recipient] = [HYBRID.recipient, CLASSIC.recipient, PASSPHRASE]
    opened = [identity.unwrap(recipient.wrap(bytes(16))) for recipient in kinds]
    assert sorted(map(bool, opened)) == [False, False, True]


@pytest.mark.parametrize(
    "recipients",
    [
        [],
        [HYBRID.recipient, CLASSIC.recipient],
        [PASSPHRASE, PASSPHRASE],
        [PASSPHRASE, CLASSIC.recipient],
        [HYBRID.recipient, PASSPHRASE],
        [CLASSIC.recipient] * 65,
    ],
)
def test_recipients_that_may_not_share_a_file_are_refused(recipients: list[Recipient]) -> None:
    """Nothing is written for nobody, for hybrid with classic, for a passphrase with anybody, or for too many."""
    sink = io.BytesIO()
    with pytest.raises(MalformedAge):
        Sealer(sink, recipients)
    assert sink.getvalue() == b""
    with pytest.raises(MalformedAge):
        sealed_size(0, recipients)


def test_as_many_recipients_as_a_file_may_have() -> None:
    """64 hybrid recipients fit into the header that readers accept."""
    sealed = seal(b"to all", [HYBRID.recipient] * 63 + [HybridIdentity.generate().recipient])
    assert unseal(sealed, [HYBRID], limit=10) == b"to all"


def test_a_passphrase_of_another_opens_nothing() -> None:
    """A wrong passphrase or key is NoMatch, and so is having none."""
    sealed = seal(b"x", [PASSPHRASE])
    groups: list[list[Identity]] = [[ScryptIdentity(Secret(b"correct hors"))], [CLASSIC, HYBRID], []]
    for identities in groups:
        with pytest.raises(NoMatch):
            unseal(sealed, identities, limit=1)


def test_costly_passphrase_files_are_refused_before_the_work() -> None:
    """The work factor is held against the limit even when the passphrase is the right one."""
    sealed = seal(b"x", [ScryptRecipient(WORD, work_factor=3)])
    with pytest.raises(MalformedAge):
        unseal(sealed, [ScryptIdentity(WORD, max_work_factor=2)], limit=1)
    assert unseal(sealed, [ScryptIdentity(WORD, max_work_factor=3)], limit=1) == b"x"


@pytest.mark.parametrize("work_factor", [-1, 0, 23, 64])
def test_absurd_work_factors_are_not_written(work_factor: int) -> None:
    """No file is made that readers refuse."""
    with pytest.raises(WeakCost):
        ScryptRecipient(WORD, work_factor=work_factor)


def test_recipients_of_low_order_are_refused() -> None:
    """A key whose shared secret anybody can compute gets no file."""
    with pytest.raises(MalformedAge):
        X25519Recipient(bytes(32)).wrap(bytes(16))
    with pytest.raises(MalformedAge):
        HybridRecipient(HYBRID.recipient.raw[:1184] + bytes(32)).wrap(bytes(16))


@pytest.mark.parametrize("raw", [b"", bytes(1215), bytes(1217), b"\xff" * 1216])
def test_bytes_that_are_no_hybrid_recipient_are_refused(raw: bytes) -> None:
    """Wrong sizes, and coefficients beyond the modulus."""
    with pytest.raises(MalformedAge):
        HybridRecipient(raw)


def test_keys_of_the_wrong_size_are_refused() -> None:
    """31 and 33 bytes are no key."""
    for size in (0, 31, 33):
        with pytest.raises(MalformedAge):
            X25519Recipient(bytes(size))
        with pytest.raises(MalformedAge):
            X25519Identity(Secret(bytes(size)))
        with pytest.raises(MalformedAge):
            HybridIdentity(Secret(bytes(size)))


def test_a_kind_of_key_cannot_be_passed_as_another() -> None:
    """The prefix decides."""
    with pytest.raises(MalformedAge):
        X25519Recipient.parse(str(HYBRID.recipient))
    with pytest.raises(MalformedAge):
        HybridIdentity.parse(CLASSIC.encode().expose().decode())
    with pytest.raises(MalformedAge):
        parse_recipient(SPEC_CLASSIC)
    with pytest.raises(MalformedAge):
        parse_identity(SPEC_CLASSIC_RECIPIENT)
    with pytest.raises(MalformedAge):
        parse_recipient("age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e")


def test_a_closed_seed_opens_nothing() -> None:
    """Once the secret is closed, nothing of the key is left in its identity."""
    identity = HybridIdentity.generate()
    sealed = seal(b"x", [identity.recipient])
    identity.seed.close()
    with pytest.raises(ValueError, match="closed"):
        unseal(sealed, [identity], limit=1)


def test_nothing_shows_a_secret_key() -> None:
    """Neither an identity's repr nor an error about a mistyped one holds any of its text."""
    for spoilt in (SPEC_CLASSIC[:-1] + "A", SPEC_CLASSIC.lower(), SPEC_CLASSIC + "é", "x" + SPEC_CLASSIC):
        for parse in (parse_identity, lambda text: parse_identity_file(text.encode())):
            with pytest.raises(MalformedAge) as caught:
                parse(spoilt)
            shown = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value.__cause__)
            assert "GFPYYSJZ" not in shown.upper()
    identity = X25519Identity.parse(SPEC_CLASSIC)
    assert "B" * 8 not in repr(identity)
    assert "GFPYY" not in repr(identity).upper()


def test_identity_files_as_age_keygen_writes_them() -> None:
    """Comments in any script, empty lines and both line ends; the order is kept."""
    first, second = CLASSIC.encode().expose(), HYBRID.encode().expose()
    text = b"# public key: \xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\n" + first + b"\r\n\n" + second + b"\n"
    assert parse_identity_file(text) == (CLASSIC, HYBRID)


@pytest.mark.parametrize(
    "spoilt", [b"", b"# nothing\n", b" \n", b"AGE-SECRET-KEY-1\n", b"\xff\xfe\n", b"#" * (1 << 17)]
)
def test_identity_files_without_keys_are_refused(spoilt: bytes) -> None:
    """No identity, no plain text, no endless file."""
    with pytest.raises(MalformedAge):
        parse_identity_file(spoilt)

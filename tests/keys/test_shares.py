# SPDX-License-Identifier: Apache-2.0
"""Shares of a key: what SLIP-39 says of them, what this program takes of it, and what each refusal says."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import shamir_mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic.wordlist import WORDLIST

from keys import shares, words
from keys.errors import KeysError, Malformed, MalformedShare, SharesMissing
from keys.secret import Secret
from keys.shares import WORDS, Share, combine, parse_share, possibilities, split
from tests.support.forged_shares import forged

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "slip39" / "vectors.json").read_text("ascii")
)["vectors"]
SECRET = Secret(bytes(range(32)))
MADE = split(SECRET, threshold=3, count=5)
SIZES = [(threshold, count) for count in range(2, 17) for threshold in range(2, count + 1)]


def text(share: Share) -> str:
    return share.words.expose().decode("ascii")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_the_library_answers_the_vectors_of_the_standard(vector: dict[str, Any]) -> None:
    """What gathers our shares is the standard's, whichever version of the library is installed."""
    if vector["secret"]:
        assert shamir_mnemonic.combine_mnemonics(vector["mnemonics"], b"TREZOR").hex() == vector["secret"]
    else:
        with pytest.raises(shamir_mnemonic.MnemonicError):
            shamir_mnemonic.combine_mnemonics(vector["mnemonics"], b"TREZOR")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_of_the_vectors_we_take_only_the_form_that_we_write(vector: dict[str, Any]) -> None:
    """Number 45: several members of one group, extendable, 256 bits. All others are refused, with our error."""
    if vector["name"].startswith("45."):
        taken = [parse_share(mnemonic) for mnemonic in vector["mnemonics"]]
        assert [(share.index, share.threshold) for share in taken] == [(3, 2), (1, 2)]
        assert taken[0].identifier == taken[1].identifier
        assert combine(taken).expose() == shamir_mnemonic.combine_mnemonics(vector["mnemonics"], b"")
    else:
        with pytest.raises((MalformedShare, SharesMissing)):
            combine([parse_share(mnemonic) for mnemonic in vector["mnemonics"]])


@settings(max_examples=60)
@given(st.sampled_from(SIZES), st.binary(min_size=32, max_size=32), st.randoms(use_true_random=False))
def test_any_threshold_of_shares_give_the_secret_back_in_any_order(
    size: tuple[int, int], secret: bytes, random: Any
) -> None:
    threshold, count = size
    made = split(Secret(secret), threshold=threshold, count=count)
    assert sorted(share.index for share in made) == list(range(1, count + 1))
    assert combine(random.sample(made, threshold)).expose() == secret
    with pytest.raises(SharesMissing, match=f"{threshold - 1} of {threshold} shares are here"):
        combine(random.sample(made, threshold - 1))


def test_every_three_of_five_give_the_same_secret() -> None:
    assert all(combine(three) == SECRET for three in itertools.combinations(MADE, 3))


def test_another_program_of_the_standard_combines_our_shares() -> None:
    assert shamir_mnemonic.combine_mnemonics([text(share) for share in MADE[1:4]]) == SECRET.expose()


def test_two_splits_of_one_secret_have_nothing_in_common() -> None:
    again = split(SECRET, threshold=3, count=5)
    assert not {text(share) for share in MADE} & {text(share) for share in again}


def test_a_share_has_33_words_and_none_shows_in_its_repr() -> None:
    for share in MADE:
        assert len(text(share).split()) == WORDS
        assert not set(text(share).split()) & set(repr(share).replace("(", " ").replace(")", " ").split())


@pytest.mark.parametrize(("threshold", "count"), [(1, 1), (1, 2), (3, 2), (2, 17), (0, 3)])
def test_what_is_no_split_is_a_defect_of_the_caller(threshold: int, count: int) -> None:
    with pytest.raises(ValueError, match="no such split"):
        split(SECRET, threshold=threshold, count=count)


@given(st.lists(st.integers(4, 8), min_size=WORDS, max_size=WORDS), st.booleans())
def test_four_letters_of_each_word_are_enough_in_any_case(letters: list[int], upper: bool) -> None:
    typed = " \n".join(word[:n] for word, n in zip(text(MADE[0]).split(), letters, strict=True))
    assert parse_share(typed.upper() if upper else typed) == MADE[0]


def test_four_letters_tell_the_words_of_the_list_apart() -> None:
    assert len({word[:4] for word in WORDLIST}) == len(WORDLIST) == 1024


@pytest.mark.parametrize("typed", ["aca", "acadamic", "academics", "академик", "", "x" * 9999, "academic\x00"])
def test_a_word_that_is_not_in_the_list_is_named_by_its_place(typed: str) -> None:
    given_words = text(MADE[0]).split()
    given_words[6] = typed or "-"
    with pytest.raises(MalformedShare, match="word 7 is not in the list") as caught:
        parse_share(" ".join(given_words))
    assert caught.value.place == 6


@pytest.mark.parametrize("count", [0, 1, 20, 32, 34, 59])
def test_another_number_of_words_is_refused(count: int) -> None:
    with pytest.raises(MalformedShare, match=f"33 words, and this has {count}"):
        parse_share(" ".join((text(MADE[0]).split() * 2)[:count]))


@given(st.integers(0, WORDS - 1), st.integers(0, 1023))
def test_one_wrong_word_is_noticed_wherever_it_is(place: int, word: int) -> None:
    """RS1024 finds up to three wrong words."""
    changed = text(MADE[0]).split()
    if changed[place] == WORDLIST[word]:
        return
    changed[place] = WORDLIST[word]
    with pytest.raises(MalformedShare, match="do not fit together"):
        parse_share(" ".join(changed))


@given(st.integers(0, WORDS - 2))
def test_two_words_that_changed_places_are_noticed(place: int) -> None:
    changed = text(MADE[0]).split()
    changed[place], changed[place + 1] = changed[place + 1], changed[place]
    if changed != text(MADE[0]).split():
        with pytest.raises(MalformedShare, match="do not fit together"):
            parse_share(" ".join(changed))


@given(st.text(max_size=400))
def test_whatever_is_typed_is_refused_with_our_error(typed: str) -> None:
    with pytest.raises(KeysError):
        parse_share(typed)


@given(st.lists(st.sampled_from(WORDLIST), min_size=WORDS, max_size=WORDS))
def test_words_of_the_list_that_nobody_made_are_refused(listed: list[str]) -> None:
    with pytest.raises(MalformedShare):
        parse_share(" ".join(listed))


def test_no_error_quotes_the_words() -> None:
    """What goes wrong is shown on a screen and may be in a photograph of it."""
    changed = text(MADE[0]).split()
    changed[20] = "academic" if changed[20] != "academic" else "acid"
    for typed in (" ".join(changed), " ".join(changed[:30])):
        with pytest.raises(MalformedShare) as caught:
            parse_share(typed)
        assert not set(str(caught.value).split()) & (set(changed) - {"have", "one", "together"})
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("other", [split(SECRET, threshold=3, count=5), split(SECRET, threshold=2, count=3)])
def test_shares_of_two_splits_are_told_apart(other: tuple[Share, ...]) -> None:
    with pytest.raises(SharesMissing, match="share 2 is of another split"):
        combine([MADE[0], other[1], MADE[2]])


def test_a_share_counts_once() -> None:
    with pytest.raises(SharesMissing, match="share 1 is here already"):
        combine([MADE[0], MADE[1], MADE[0]])


def test_no_share_is_too_few() -> None:
    with pytest.raises(SharesMissing, match="0 of 2 shares"):
        combine([])


def test_shares_that_only_look_like_one_split_give_nothing() -> None:
    """Two splits can have the same 15 random bits: then what SLIP-39 hides among the shares tells."""
    with pytest.raises(MalformedShare, match="together they give nothing"):
        combine([MADE[0], MADE[1], forged(MADE[2])])


@pytest.mark.parametrize("place", range(4))
def test_a_holder_who_lies_keeps_nobody_out_where_enough_others_do_not(place: int) -> None:
    """Their words are a whole share of the same split, with another value. Who it is, the words do not tell."""
    given_shares = list(MADE[:4])
    given_shares[place] = forged(given_shares[place])
    assert combine(given_shares) == SECRET
    given_shares[place - 1] = forged(given_shares[place - 1])
    with pytest.raises(MalformedShare, match="together they give nothing"):
        combine(given_shares)


@pytest.mark.parametrize("place", range(5))
def test_who_lies_is_known_where_enough_others_do_not(place: int) -> None:
    given_shares = list(MADE)
    given_shares[place] = forged(MADE[place])
    (found,) = possibilities(given_shares)
    assert (found.secret, found.others) == (SECRET, (given_shares[place],))
    assert found.used == tuple(share for share in MADE if share.index != place + 1)


def test_one_place_with_two_different_words_does_not_keep_anybody_out() -> None:
    """As when a holder reads something else the first time: both are kept, and one of them belongs."""
    for order in ((forged(MADE[0]), *MADE[:3]), (*MADE[:3], forged(MADE[0]))):
        (found,) = possibilities(order)
        assert (found.secret, found.used, found.others) == (SECRET, MADE[:3], (forged(MADE[0]),))


def test_shares_of_another_split_among_enough_of_one_are_put_aside() -> None:
    other = split(SECRET, threshold=2, count=3)
    (found,) = possibilities([other[0], *MADE[:3]])
    assert (found.used, found.others) == (MADE[:3], other[:1])


def test_as_many_liars_as_are_needed_hide_nothing_from_as_many_who_do_not() -> None:
    """They made a split of their own secret under the same 15 random bits, and stand first."""
    true, other = split(SECRET, threshold=2, count=4), split(Secret(bytes(32)), threshold=2, count=4)
    liars, honest = tuple(forged(share, as_in=true[0]) for share in other[:2]), true[2:]
    found = list(possibilities([*liars, *honest]))
    assert [one.secret for one in found] == [Secret(bytes(32)), SECRET]
    assert [(one.used, one.others) for one in found] == [(liars, honest), (honest, liars)]


def test_more_shares_than_a_split_can_have_are_refused() -> None:
    many = [forged(share, value=bytes([n] * 32)) for n in range(4) for share in MADE[:5]]
    with pytest.raises(SharesMissing, match="than any split has"):
        combine(many)


def test_the_derivations_are_those_of_the_format() -> None:
    """Computed here anew from docs/format.md, with another library's HKDF and HMAC."""
    from cryptography.hazmat.primitives import hashes, hmac
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    def hkdf(secret: bytes, label: bytes, salt: bytes | None = None) -> bytes:
        return HKDF(hashes.SHA256(), 32, salt, label).derive(secret)

    assert shares.slot_passphrase(SECRET).expose() == hkdf(SECRET.expose(), b"sandyk recovery v1")
    key = hkdf(MADE[0].words.expose(), b"sandyk share check v1", b"s" * 16)
    assert shares.check_key(MADE[0], b"s" * 16).expose() == key
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(b"sandyk share answer v1\0abacus abdomen abdominal abide")
    number, listed, expected = int.from_bytes(mac.finalize(), "big"), words._list(), []
    for _ in range(4):
        number, digit = divmod(number, 7776)
        expected.insert(0, listed[digit])
    assert shares.answer(Secret(key), "abacus abdomen abdominal abide") == " ".join(expected)


def test_each_share_and_each_challenge_has_an_answer_of_its_own() -> None:
    keys = [shares.check_key(share, b"s" * 16) for share in MADE]
    asked = {shares.new_challenge() for _ in range(20)}
    assert len(asked) == 20
    assert len({shares.answer(key, challenge) for key in keys for challenge in asked}) == 100


def test_the_check_key_of_another_set_is_another() -> None:
    assert shares.check_key(MADE[0], b"s" * 16) != shares.check_key(MADE[0], b"t" * 16)


def test_nobody_can_type_what_opens_the_slot() -> None:
    """A passphrase is text that was made tidy; this is 32 random bytes, which are no UTF-8 but once in billions."""
    with pytest.raises(UnicodeDecodeError):
        shares.slot_passphrase(SECRET).expose().decode("utf-8")


def test_spoken_words_are_taken_as_they_are_heard() -> None:
    assert words.parse_spoken("  ABACUS\tabdomen ", 2) == ("abacus", "abdomen")
    with pytest.raises(Malformed, match="word 2 is not in the list"):
        words.parse_spoken("abacus xylograph", 2)
    with pytest.raises(Malformed, match="1 words, and 2 are expected"):
        words.parse_spoken("abacus", 2)

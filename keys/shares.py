# SPDX-License-Identifier: Apache-2.0
"""A secret of 256 bits in shares of 33 words each, any ``threshold`` of which give it back (SLIP-39).

Owns what this program takes of the standard: one group, its members' threshold of 2 or more, no passphrase, the
extendable form, 33 words (https://github.com/satoshilabs/slips/blob/master/slip-0039.md). Everything else that
SLIP-39 knows is refused. The arithmetic is that of ``shamir-mnemonic``, by the authors of the standard, which draws
from the operating system's generator; it does not run in constant time, as nothing in Python does.

    slot passphrase = HKDF(secret, "sandyk recovery v1")                   what opens the recovery slot, 32 bytes
    check key       = HKDF(words, "sandyk share check v1", salt = set id)  what the owner keeps of a share, 32 bytes
    answer          = HMAC-SHA-256(check key, "sandyk share answer v1" | NUL | challenge), as four words

Fewer shares than the threshold say nothing of the secret (Shamir, "How to share a secret", CACM 1979), and a check key
says nothing of the words that it was derived from. Pure: whom a share is for is ``keys.share_text``'s.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from gettext import gettext as _
from itertools import combinations

from keys import labels
from keys.errors import MalformedShare, SharesMissing
from keys.primitives import hkdf
from keys.secret import Secret
from keys.words import spoken_words

SECRET_SIZE = 32
WORDS = 33
"""Of a share of 32 bytes: 20 bits of identifier, 20 of index and threshold, 260 of value, 30 of checksum."""
LEAST_THRESHOLD = 2
"""A share that opens something alone would be a second key, not a share."""
MAX_SHARES = 16
PREFIX = 4
"""Letters by which each of the 1,024 words is known."""
ANSWER_WORDS = 4
"""51 bits: an answer cannot be guessed, nor found by asking often."""

EXPONENT = 0
"""SLIP-39 stretches its passphrase 10,000 · 2^e times. There is none here, and the secret is random."""


@dataclass(frozen=True, slots=True)
class Share:
    """One share, with its checksum verified."""

    words: Secret
    """33 words of the list with single spaces between them, ASCII."""
    identifier: int
    """15 random bits, the same in all shares of a split."""
    index: int
    """1 to 16."""
    threshold: int
    """2 to 16."""


def split(secret: Secret, *, threshold: int, count: int) -> tuple[Share, ...]:
    """``count`` shares, of which any ``threshold`` give the secret (32 bytes) back. Tried before it returns.

    ValueError unless 2 <= threshold <= count <= 16.
    """
    if not LEAST_THRESHOLD <= threshold <= count <= MAX_SHARES or len(secret) != SECRET_SIZE:
        raise ValueError("no such split")
    from shamir_mnemonic import generate_mnemonics

    (texts,) = generate_mnemonics(
        1, [(threshold, count)], secret.expose(), extendable=True, iteration_exponent=EXPONENT
    )
    shares = tuple(parse_share(text) for text in texts)
    for tried in (shares[:threshold], shares[-threshold:]):
        if combine(tried) != secret:
            raise RuntimeError("the shares that were made do not give the secret back")
    return shares


def words_in(untrusted: str) -> tuple[str, ...]:
    """The words of the list that a person typed, whole or by four letters or more, in any case.

    Raises MalformedShare for the first that is none of them; its ``place`` is how many words before it were right.
    """
    listed = _by_prefix()
    found: list[str] = []
    for typed in untrusted.casefold().split():
        word = listed.get(typed[:PREFIX])
        if word is None or not word.startswith(typed):
            raise MalformedShare(
                _("word {number} is not in the list of words").format(number=len(found) + 1), len(found)
            )
        found.append(word)
    return tuple(found)


def parse_share(untrusted: str) -> Share:
    """The share of 33 words, each whole or by its first four letters. Raises MalformedShare."""
    words = words_in(untrusted)
    if len(words) != WORDS:
        raise MalformedShare(
            _("a share has {expected} words, and this has {number}").format(expected=WORDS, number=len(words))
        )
    from shamir_mnemonic import MnemonicError
    from shamir_mnemonic.share import Share as Slip39Share

    text = " ".join(words)
    try:
        parsed = Slip39Share.from_mnemonic(text)
    except MnemonicError:  # from None: its text quotes the words
        raise MalformedShare(
            _("these words do not fit together: one is wrong, missing or in the wrong place")
        ) from None
    of_one_group = (parsed.group_index, parsed.group_threshold, parsed.group_count) == (0, 1, 1)
    ours = of_one_group and parsed.extendable and parsed.iteration_exponent == EXPONENT
    if not ours or parsed.member_threshold < LEAST_THRESHOLD:
        raise MalformedShare(_("these words are a share of something else, not of a sandyk vault"))
    return Share(Secret(text.encode("ascii")), parsed.identifier, parsed.index + 1, parsed.member_threshold)


def check_fits(shares: Sequence[Share], another: Share) -> None:
    """Return when a share can be added to these. Raises SharesMissing when it is of another split, or here already."""
    for share in shares:
        if (share.identifier, share.threshold) != (another.identifier, another.threshold):
            raise SharesMissing(
                _("share {number} is of another split than the ones before").format(number=another.index)
            )
        if share.index == another.index:
            raise SharesMissing(_("share {number} is here already: another one is needed").format(number=share.index))


@dataclass(frozen=True, slots=True)
class Combined:
    """A secret that some shares give together."""

    secret: Secret
    used: tuple[Share, ...]
    """All that belong together: any ``threshold`` of them give the secret."""
    others: tuple[Share, ...]
    """Those that do not: false, or of another split."""


def combine(shares: Sequence[Share]) -> Secret:
    """The secret, from exactly as many shares as are needed, or more: then false ones among them do no harm.

    Raises what ``possibilities`` raises.
    """
    return next(possibilities(shares)).secret


def possibilities(shares: Sequence[Share]) -> Iterator[Combined]:
    """Every secret that enough of these shares give, each once; of what was made in one split there is one.

    There are more only where as many liars as are needed agreed on another secret. Raises SharesMissing for too few of
    one split, MalformedShare when no ``threshold`` of them belong together: before anything is given. Of 16 shares that
    is found out after at most 12,870 tries of some milliseconds.
    """
    different = _each_once(shares)
    piles = [pile for pile in by_split(different) if _places(pile) >= pile[0].threshold]
    if not piles:
        for number, share in enumerate(shares):
            check_fits(shares[:number], share)
        needed = shares[0].threshold if shares else LEAST_THRESHOLD
        raise SharesMissing(_("{here} of {needed} shares are here").format(here=len(shares), needed=needed))
    given = False
    for pile in piles:
        for secret, used in _fitting(pile):
            given = True
            yield Combined(secret, used, tuple(share for share in different if share not in used))
    if not given:
        raise MalformedShare(
            _("each of these shares is whole, and together they give nothing: they are not of one split")
        )


def _each_once(shares: Sequence[Share]) -> list[Share]:
    return [share for number, share in enumerate(shares) if share not in shares[:number]]


def by_split(shares: Sequence[Share]) -> list[list[Share]]:
    """The shares of each split that they say they are of. Raises SharesMissing above 16 of one: no split has more."""
    piles: dict[tuple[int, int], list[Share]] = {}
    for share in shares:
        pile = piles.setdefault((share.identifier, share.threshold), [])
        if len(pile) == MAX_SHARES:
            raise SharesMissing(_("more shares are here than any split has: leave some out"))
        pile.append(share)
    return list(piles.values())


def _places(shares: Sequence[Share]) -> int:
    return len({share.index for share in shares})


def _fitting(pile: Sequence[Share]) -> Iterator[tuple[Secret, tuple[Share, ...]]]:
    """Each secret that enough of a pile give, with all of the pile that belong to it."""
    found: list[tuple[Share, ...]] = []
    for some in combinations(pile, pile[0].threshold):
        known = any(all(share in used for share in some) for used in found)
        if known or _places(some) < len(some) or (secret := _tried(some)) is None:
            continue
        used = tuple(share for share in pile if share in some or _belongs(share, some, secret))
        found.append(used)
        yield secret, used


def _belongs(share: Share, some: Sequence[Share], secret: Secret) -> bool:
    """Whether a share, in the place of one of those that give a secret, gives it too."""
    instead = (share, *some[1:])
    return _places(instead) == len(instead) and _tried(instead) == secret


def _tried(shares: Sequence[Share]) -> Secret | None:
    from shamir_mnemonic import MnemonicError, combine_mnemonics

    try:
        return Secret(combine_mnemonics([share.words.expose().decode("ascii") for share in shares]))
    except MnemonicError:  # the digest that SLIP-39 hides among the shares does not fit
        return None


def slot_passphrase(secret: Secret) -> Secret:
    """What opens the recovery slot: 32 bytes that nobody can type, so that no passphrase is ever the same."""
    return Secret(hkdf(secret.expose(), labels.RECOVERY))


def check_key(share: Share, set_id: bytes) -> Secret:
    """What the owner keeps of a share, to check an answer by: 32 bytes, from which the words cannot be had."""
    return Secret(hkdf(share.words.expose(), labels.SHARE_CHECK, salt=set_id))


def new_challenge() -> str:
    """Four random words: a question that was not asked before, so that an answer cannot be an old one."""
    return " ".join(spoken_words(Secret.random().expose(), ANSWER_WORDS))


def answer(key: Secret, challenge: str) -> str:
    """Four words that only somebody with the share, or with the owner's book, can say to this challenge."""
    message = labels.SHARE_ANSWER.encode("ascii") + b"\0" + challenge.encode("utf-8")
    return " ".join(spoken_words(hmac.digest(key.expose(), message, "sha256"), ANSWER_WORDS))


@cache
def _by_prefix() -> dict[str, str]:
    from shamir_mnemonic.wordlist import WORDLIST

    return {word[:PREFIX]: word for word in WORDLIST}

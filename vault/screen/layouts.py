# SPDX-License-Identifier: Apache-2.0
"""The Latin letters on the keys of Cyrillic keyboards, so that nobody has to switch one over to press a key of ours.

By place: of the layouts for Russian, Kyrgyz and Uzbek (xkeyboard-config: symbols/ru, kg and uz), which have the same
letters in the same places but for a few. No I/O.
"""

from __future__ import annotations

_SAME = str.maketrans("йцукенгшщзфывапролдячсмитьбю.,", "qwertyuiopasdfghjklzxcvbnm,./?")
_UZBEK = str.maketrans("ўқ", "os")
_LATIN = _SAME | _UZBEK
_CONTROL = "ctrl+"


def latin(letter: str) -> str:
    """What the same key types on a Latin keyboard, in small letters; anything else as it is.

    A full stop and a comma are taken for ``/`` and ``?``, which they share a key with on a Russian keyboard.
    """
    return letter.lower().translate(_LATIN)


def latin_key(key: str) -> str:
    """The name of a key that is pressed together with Ctrl, as ``ctrl+n`` for ``ctrl+т``; of any other key, its own.

    Terminals that follow the keyboard protocol of kitty send the letter of the layout; others send the same byte for
    either.
    """
    letter = key.removeprefix(_CONTROL)
    return key if letter == key or len(letter) != 1 else _CONTROL + latin(letter)

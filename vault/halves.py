# SPDX-License-Identifier: Apache-2.0
"""Which outside half a word after ``--token`` names, how a new one is made, and the words for what goes wrong.

``tpm:0x01812345`` is an index of this machine's TPM, everything else a file (``./tpm:…`` for a file of that name).
Nothing remembers which half belongs to a vault: a file that did would say that there is one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from gettext import gettext as _

from keys.errors import MalformedKeyring
from keys.keyring import new_token
from keys.outside import FileHalf, OutsideHalf
from keys.secret import Secret
from vault import nv, tpm
from vault.errors import AlreadyThere, BadInput
from vault.names import printable
from vault.nv import NoTpm
from vault.refusals import refusal
from vault.tpm import TpmHalf


def named(word: str) -> OutsideHalf:
    """The half that a word names. Raises BadInput."""
    if not word.startswith(nv.PREFIX):
        return FileHalf(word)
    try:
        return TpmHalf(nv.index_named(word))
    except ValueError:
        raise BadInput(
            _("{word} names no place in the TPM").format(word=printable(word)),
            _("from {first_index} to {last_index}, as `journalist token add --tpm` said").format(
                first_index=TpmHalf(nv.FIRST_INDEX), last_index=TpmHalf(nv.LAST_INDEX)
            ),
        ) from None


def obtain(word: str) -> Secret:
    """The 32 bytes of the half that a word names. Raises BadInput, with hints for whoever holds the stick."""
    half = named(word)
    try:
        return half.obtain()
    except MalformedKeyring as exc:
        raise BadInput(
            _("{word} is no outside half of a sandyk vault: it must be 32 bytes").format(word=printable(word)),
            _("name the file that was made with --new-token or `journalist token add`"),
        ) from exc
    except OSError as exc:
        why = refusal(exc)
        raise BadInput(
            _("the outside half cannot be read: {reason}").format(reason=printable(why)), *_hints(half)
        ) from exc


def _hints(half: OutsideHalf) -> tuple[str, ...]:
    if isinstance(half, TpmHalf):
        return (
            _("the TPM's half is in the machine that it was made on, in no other"),
            _("is tpm2-tools installed, and may you use the TPM (group tss)?"),
        )
    return (
        _("is the stick in, and mounted?"),
        _("if it is lost, a copy of the file is as good; without any, this passphrase opens nothing any more"),
    )


@contextmanager
def making(path: str | None, *, needed: Callable[[str], bool] = lambda _word: False) -> Iterator[tuple[str, Secret]]:
    """A new half, in the new file of this name or (None) in the TPM: the word that names it, and its bytes.

    When what wants it fails, or is interrupted, it is taken away again, unless ``needed``, asked then with the word,
    says that something may hang on it already. Raises AlreadyThere, BadInput.
    """
    half, token = _make_in_tpm() if path is None else _make_file(path)
    word = str(half) if isinstance(half, TpmHalf) else half.path
    try:
        yield word, token
    except BaseException:
        if not needed(word):
            _take_away(half)
        raise


def _take_away(half: FileHalf | TpmHalf) -> None:
    with suppress(OSError):
        if isinstance(half, TpmHalf):
            half.take_away()
        else:
            os.unlink(half.path)


def _make_in_tpm() -> tuple[TpmHalf, Secret]:
    try:
        return tpm.make()
    except NoTpm as exc:
        raise BadInput(
            _("the TPM takes no outside half: {reason}").format(reason=printable(str(exc))),
            _("is tpm2-tools installed, and may you use the TPM (group tss)?"), _("nothing was changed"),
        ) from exc  # fmt: skip


def _make_file(path: str) -> tuple[FileHalf, Secret]:
    if path.startswith(nv.PREFIX):
        raise BadInput(_("a new place in the TPM is chosen by sandyk"), _("`sandyk journalist token add --tpm`"))
    data = new_token()
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(fd, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
    except FileExistsError as exc:
        raise AlreadyThere(_("the file for the outside half is there already"), _("name a new one")) from exc
    except OSError as exc:
        raise BadInput(
            _("the outside half cannot be written: {reason}").format(reason=refusal(exc)),
            _("is the stick in, and mounted?"),
        ) from exc
    return FileHalf(path), Secret(data)

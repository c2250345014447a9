# SPDX-License-Identifier: Apache-2.0
"""Asking an agent, and ending it. Loads no cryptography: `sandyk lock` must be quick.

Whatever an agent answers is untrusted. One that does not answer in time is as good as none, except for ``lock``,
which kills it then.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from gettext import gettext as _

from vault.agent import process, protocol, runtime
from vault.errors import Busy, VaultError
from vault.layout import KEYRING

if sys.platform == "win32":
    from vault.agent.pipes import connect, receive_into
else:
    from vault.agent.local import connect, receive_into

PATIENCE = 1.0
"""Seconds that an agent has for an answer."""


def lock(folder: str) -> bool:
    """End the agent of the vault in ``folder``; whether there was one. Returns when it is gone.

    One that does not answer is killed, as is one that only its process leads to (``vault.agent.process``). Raises Busy
    when even that does not end it, NotAllowed when the runtime folder is not ours alone, so that nobody can tell
    whether an agent runs.
    """
    try:
        # On Windows the one pipe of the vault is found by the mark.
        ended = [_end(place) for place in runtime.places(folder)] if sys.platform != "win32" else []
    finally:
        elsewhere = process.end(process.mark_at(os.path.join(folder, KEYRING)))
    for number, why in elsewhere:
        if why:
            raise Busy(
                _("the agent does not end: {reason}").format(reason=_(why)),
                _how_to_end(number),
            )
    return any(ended) or bool(elsewhere)


def elsewhere(folder: str) -> tuple[int, ...]:
    """The agents of the vault that /proc shows: also those that no runtime folder known here leads to."""
    return process.find(process.mark_at(os.path.join(folder, KEYRING)))


def _end(place: runtime.Place) -> bool:
    if runtime.note_of_holder(place.agent) is None:
        return False
    with suppress(OSError, EOFError, VaultError):
        ask(place, protocol.LOCK)
        if runtime.wait_until_free(place.agent):
            return True
    number = runtime.number_of_holder(place.agent)
    if number is not None and number == runtime.number_of_holder(place.agent):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGKILL)
    if not runtime.wait_until_free(place.agent):
        raise Busy(
            _("the agent does not end"),
            _how_to_end(number),
        )
    return True


def _how_to_end(number: int | None) -> str:
    if sys.platform == "win32":
        return _("taskkill /F /PID {number}, or power the machine off").format(number=number or "PROCESS")
    return _("kill -9 {number}, or power the machine off").format(number=number or "PROCESS")


def standing(folder: str) -> protocol.Standing | None:
    """How long the agent goes on; None when there is none or it does not answer. Raises NotAllowed."""
    place = place_of_agent(folder)
    if place is None:
        return None
    try:
        return protocol.parse_standing(bytes(ask(place, protocol.STATUS)))
    except (OSError, EOFError, VaultError):
        return None


def place_of_agent(folder: str) -> runtime.Place | None:
    """Where the vault's agent is, or a socket that one left; None when there is neither. Raises NotAllowed."""
    left = None
    for place in runtime.places(folder):
        if runtime.note_of_holder(place.agent) is not None:
            return place
        left = place if any(map(os.path.lexists, place.files[:1])) else left
    return left


def ask(place: runtime.Place, operation: int) -> bytearray:
    """The body of the answer. Raises OSError, EOFError, VaultError."""
    with connect(place.socket, timeout=PATIENCE) as connection:
        connection.sendall(protocol.encode_request(operation))
        head = bytearray(protocol.ANSWER_HEAD_SIZE)
        receive_into(connection, memoryview(head))
        body = bytearray(protocol.parse_answer_head(bytes(head)))
        receive_into(connection, memoryview(body))
        return body

# SPDX-License-Identifier: Apache-2.0
"""How commands use the agent: leave the opened slot with a new one, and open the vault with it again.

What the agent says is untrusted until the keyring confirms it: a slot counts only while the file still has the kill
area, the region and the very pair of slots that it was opened from. An agent that cannot be asked is as good as none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from gettext import gettext as _

from keys import keyring
from keys.errors import KeysError, NoMatch
from keys.errors import Wiped as KeysWiped
from keys.held import HeldSlot, decode_held
from vault import layout
from vault.agent import process, protocol, runtime
from vault.agent.asking import ask, lock, place_of_agent
from vault.errors import Busy, DiskFailed, DoesNotOpen, NotAllowed, VaultError, Wiped
from vault.refusals import refusal
from vault.vaults import LockedVault, Vault

MAX_SECONDS = 7 * 24 * 3600


def start(vault: Vault, *, lasts: int, idle: int) -> None:
    """Leave the open vault with a new agent, instead of the one there may be. Times in seconds.

    Raises NotAllowed where there are no agents, Busy when the old one does not end, DiskFailed, Wiped.
    """
    if not runtime.SUPPORTED:
        raise NotAllowed(_("an agent is not built for this system"), _("each command asks for the passphrase here"))
    if not (0 < lasts <= MAX_SECONDS and 0 < idle <= MAX_SECONDS):
        raise ValueError("an agent lasts between a second and a week")
    lock(vault.folder)
    try:
        place = runtime.place_of(vault.folder)
        stamp = runtime.stamp_of(os.path.join(vault.folder, layout.KEYRING))
    except OSError as exc:
        raise DiskFailed(_("the agent cannot be started: {reason}").format(reason=refusal(exc))) from exc
    head = protocol.encode_start(protocol.Start(lasts, idle, stamp, place.folder, place.base))
    try:
        # After the stamp: whoever writes to the keyring from here on is noticed.
        blob = keyring.hold(vault.keyring_file, vault.opened).encode()
    except (KeysWiped, OSError) as exc:
        raise Wiped(_("the vault was wiped while it was open")) from exc
    except NoMatch as exc:
        raise DoesNotOpen(_("the passphrase was changed or removed since this vault was opened")) from exc
    try:
        _spawn(head, blob, process.mark_of(stamp.device, stamp.inode))
    finally:
        blob[:] = bytes(len(blob))


def _spawn(head: bytes, blob: bytearray, mark: str) -> None:
    """Run ``python -m vault.agent`` from the folder that this code came from, so that no other ``vault`` is found."""
    from vault.agent.server import READY

    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with subprocess.Popen(
        [sys.executable, "-E", "-s", "-B", *process.arguments(mark)], cwd=source, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
    ) as agent:  # fmt: skip
        assert agent.stdin is not None and agent.stdout is not None
        with suppress(BrokenPipeError):
            for part in (memoryview(head), memoryview(blob)):
                while part:
                    part = part[agent.stdin.write(part) :]
            agent.stdin.close()
        if agent.stdout.read(1) != READY:
            raise Busy(_("the agent did not start"), _("each command still asks for the passphrase"))


def resume(locked: LockedVault) -> Vault | None:
    """The vault, opened with what the agent holds; None without an agent, or when its slot is of no use any more."""
    try:
        place = place_of_agent(locked.folder)
        if place is None:
            return None
        held = _get(place)
    except (OSError, EOFError, VaultError, KeysError):
        return None
    try:
        return locked.resume(held)
    except (VaultError, KeysError, OSError):
        # Wiped, or another passphrase since: what the agent holds is worth nothing now, and must not stay.
        held.close()
        lock(locked.folder)
        return None


def touch(folder: str) -> bool:
    """Tell the agent that its keys are in use, as a command does that asks for them; False when it is gone."""
    try:
        place = place_of_agent(folder)
        if place is None:
            return False
        _get(place).close()
        return True
    except (OSError, EOFError, VaultError, KeysError):
        return False


def _get(place: runtime.Place) -> HeldSlot:
    """The slot that the agent holds. Raises OSError, EOFError, VaultError, KeysError."""
    untrusted_blob = ask(place, protocol.GET)
    try:
        return decode_held(bytes(untrusted_blob))
    finally:
        untrusted_blob[:] = bytes(len(untrusted_blob))

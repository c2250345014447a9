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

if sys.platform == "win32":
    from vault.agent import pipes

    # Without a console nothing that happens to this one reaches it. It inherits three streams, no more.
    _DETACHED = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _DETACHED = 0


def start(vault: Vault, *, lasts: int, idle: int) -> None:
    """Leave the open vault with a new agent, instead of the one there may be. Times in seconds.

    Raises NotAllowed, Busy when the old one does not end, DiskFailed, Wiped.
    """
    if not (0 < lasts <= MAX_SECONDS and 0 < idle <= MAX_SECONDS):
        raise ValueError("an agent lasts between a second and a week")
    lock(vault.folder)
    try:
        place = runtime.place_of(vault.folder)
        stamp = runtime.stamp_of(os.path.join(vault.folder, layout.KEYRING))
    except OSError as exc:
        raise DiskFailed(_("the agent cannot be started: {reason}").format(reason=refusal(exc))) from exc
    if sys.platform == "win32" and pipes.is_there(place.socket):
        raise NotAllowed(
            _("another program has taken the name of the pipe on which an agent would answer"),
            _("each command still asks for the passphrase"),
        )
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
    agent = subprocess.Popen(
        [sys.executable, "-E", "-s", "-B", *process.arguments(mark)], cwd=source, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, creationflags=_DETACHED, start_new_session=True,
    )  # fmt: skip
    assert agent.stdin is not None and agent.stdout is not None
    with agent.stdin, agent.stdout:
        with suppress(BrokenPipeError):
            for part in (memoryview(head), memoryview(blob)):
                while part:
                    part = part[agent.stdin.write(part) :]
            agent.stdin.close()
        ready = agent.stdout.read(1) == READY
    if sys.platform == "win32" and ready:
        agent.returncode = 0  # it is the one that stays, and is not waited for
    else:
        agent.wait()
    if not ready:
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

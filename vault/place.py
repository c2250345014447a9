# SPDX-License-Identifier: Apache-2.0
"""Where a vault lies when nobody says so. Standard library only, because ``panic`` asks it.

``--vault DIR`` comes before ``SANDYK_VAULT``, which comes before the platform's folder for a user's data: the
XDG Base Directory Specification on Linux and the BSDs, ``Library/Application Support`` on macOS, ``LOCALAPPDATA``
on Windows. It looks at nothing on the disk: whether a vault lies there is for others to find out.
"""

from __future__ import annotations

import os
import sys

from vault.language import said as _

VARIABLE = "SANDYK_VAULT"
_NAME = "sandyk"


class NoPlace(Exception):
    """Raised when neither an argument, nor the environment, nor a home folder tells where the vault is."""


def vault_folder(given: str | None = None) -> str:
    """The absolute path of the vault folder. ``given`` is what ``--vault`` said. Raises NoPlace."""
    path = given or os.environ.get(VARIABLE) or default_folder(sys.platform)
    try:
        return os.path.abspath(path)
    except OSError as error:  # a relative path, while the current folder was removed
        raise NoPlace(_("the current folder is gone; give the vault's whole path")) from error


def default_folder(platform: str) -> str:
    """The folder for a ``sys.platform``, from the environment. Raises NoPlace when there is no home folder."""
    if platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        if not local:
            raise NoPlace(_("LOCALAPPDATA is not set"))
        return f"{local}\\{_NAME}"
    if platform == "darwin":
        return os.path.join(_home(), "Library", "Application Support", _NAME)
    data = os.environ.get("XDG_DATA_HOME", "")
    # "All paths set in these environment variables must be absolute. If an implementation encounters a relative
    # path … it should consider the path invalid and ignore it." (XDG Base Directory Specification 0.8)
    return os.path.join(data if os.path.isabs(data) else os.path.join(_home(), ".local", "share"), _NAME)


def _home() -> str:
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        raise NoPlace(_("there is no home folder"))
    return home

# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0 in software (swtpm, over Microsoft's reference implementation), behind a socket in the file system."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.tools import need


@contextmanager
def software_tpm(folder: Path) -> Iterator[str]:
    """A running TPM with its memory in ``folder``; yields what TPM2TOOLS_TCTI must be for the tools to reach it."""
    program = need("swtpm")
    need("tpm2_nvdefine")
    folder.mkdir(exist_ok=True)
    # Short, and apart from the test's folder: a socket's path has at most 107 bytes (unix(7)).
    with tempfile.TemporaryDirectory(prefix="tpm", dir="/tmp") as short:
        # As a daemon: it goes into the background only once its sockets are there.
        subprocess.run(
            [program, "socket", "--tpm2", "--daemon", "--pid", f"file={short}/pid", "--tpmstate", f"dir={folder}",
             "--server", f"type=unixio,path={short}/s", "--ctrl", f"type=unixio,path={short}/s.ctrl",
             "--flags", "not-need-init,startup-clear"],
            check=True, capture_output=True,
        )  # fmt: skip
        try:
            yield f"swtpm:path={short}/s"
        finally:
            os.kill(int(Path(f"{short}/pid").read_text()), signal.SIGTERM)

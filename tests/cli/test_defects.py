# SPDX-License-Identifier: Apache-2.0
"""What a person sees when this program itself is at fault: one line, an exit code, and nothing of theirs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fake_vault import make_fake_vault

BROKEN = """
import sys
sys.modules[sys.argv[1]] = None  # what is imported from here on fails, as in a broken installation
sys.argv = ["sandyk", *sys.argv[2:]]
from vault.entry import main
sys.exit(main())
"""


def broken(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BROKEN, module, *words], capture_output=True, text=True)


@pytest.mark.parametrize("module", ["vault.cli.app", "typer", "keys.errors"])
def test_a_broken_installation_is_one_line_without_a_traceback(module: str) -> None:
    run = broken(module, "list", "Secret case")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith("sandyk: a defect of this program stopped the command: ")
    assert "Secret" not in run.stderr


def test_a_defect_after_the_keys_are_gone_does_not_hide_that_they_are(tmp_path: Path) -> None:
    folder = str(tmp_path / "vault")
    make_fake_vault(folder)
    run = broken("vault.wiping", "panic", "--vault", folder)
    assert run.returncode == 1
    assert run.stdout.startswith("KEYS GONE")
    assert run.stderr.count("\n") == 1 and "unless KEYS GONE was printed, run it again" in run.stderr

# SPDX-License-Identifier: Apache-2.0
"""The processes that read hostile documents, on Windows: what holds there, and that none is left over.

Wine takes a job's limits and does not keep them, except that what is in a job ends with it.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.windows import run_python, windows_path

REPORT = """
import dataclasses, json
from vault.confined.worker import confinement
print(json.dumps(dataclasses.asdict(confinement())))
"""

BACKWARDS = """
import sys
from vault.confined.program import Program, run
from vault.confined.protocol import Limits
code = "import os, sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1] + os.environ['WORD'].encode())"
print(run(Program(sys.executable, ("-c", code), (), ("WORD=w",)), b"a\\nb", Limits()))
"""

HANGS = """
import os, sys
from vault.confined.program import Program, run
from vault.confined.protocol import Limits
from vault.errors import ConfinedFailed
from vault.windows_files import patiently
code = "import sys, time; held = open(sys.argv[1], 'w'); time.sleep(600)"
try:
    run(Program(sys.executable, ("-c", code, sys.argv[1]), ()), b"", Limits(seconds=5))
except ConfinedFailed as error:
    print(error)
assert os.path.exists(sys.argv[1])
patiently(lambda: os.unlink(sys.argv[1]), 30)  # no file goes that a process of Python's has open
"""


def test_a_reader_of_documents_is_in_a_job_with_limits_and_claims_no_more(tmp_path: Path) -> None:
    done = run_python("-c", REPORT, cwd=tmp_path)
    assert json.loads(done.stdout) == {
        "limits": ["NPROC", "CPU", "AS"], "no_new_privileges": False, "landlock": 0, "seccomp": False,
    }, done.stderr  # fmt: skip


def test_another_program_gets_bytes_and_gives_bytes(tmp_path: Path) -> None:
    done = run_python("-c", BACKWARDS, cwd=tmp_path)
    assert done.stdout.strip() == b"b'b\\naw'", done.stderr


def test_a_program_that_hangs_is_ended_with_the_process_that_started_it(tmp_path: Path) -> None:
    done = run_python("-c", HANGS, windows_path(tmp_path / "held"), cwd=tmp_path)
    assert done.returncode == 0 and b"longer than 5 seconds" in done.stdout, done.stderr
    assert not (tmp_path / "held").exists()

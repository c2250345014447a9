# SPDX-License-Identifier: Apache-2.0
"""Nothing that `add` acknowledged is ever lost: real commands killed, starved, run against each other, with a record.

Each test keeps a history of what was started and what was acknowledged, and has ``tests.support.history`` judge what
the case holds in the end. Instants are drawn from a seeded generator; no outcome is demanded of one of them.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from keys.secret import Secret
from tests.support.commands import Desk, desk
from tests.support.history import Attempt, Document, Outcome, Removal, illegal
from tests.support.mounts import mounted
from tests.support.newsroom import DAY, add_paths, clock_from, newsroom, store_of, unlock
from tests.support.stopping import count_steps
from vault.cases import find_case, open_store
from vault.disk import Disk
from vault.errors import VaultError
from vault.rewriting import used_places
from vault.store import CaseStore
from vault.vaults import LockedVault
from vault.verifying import verify

CASE = "Mine"
BUSY = 14
PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Somebody with an empty case."""
    at = desk(tmp_path_factory.mktemp("storms"), passphrase=PASSPHRASE)
    at.run("case", "new", CASE)
    return at


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> int:
    """How many commands are run in each storm."""
    return int(request.config.getoption("--runs", default=None) or 25)


@dataclass(slots=True)
class Storm:
    """A vault in bad weather, and the record of what was asked of it and answered."""

    at: Desk
    chance: random.Random
    history: list[Attempt] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    killed: int = 0

    @classmethod
    def over(cls, base: Path, template: Desk, seed: int) -> Storm:
        """A storm over a copy of the vault."""
        home = base / "home"
        for name in ("tmp", "run"):
            (home / name).mkdir(parents=True)
        shutil.copytree(template.vault, home / "vault")
        return cls(Desk(home, home / "vault", template.passphrase), random.Random(seed))

    def documents(self, *, most: int = 600_000) -> tuple[Path, frozenset[Document]]:
        """A new folder with one to six documents of any size, now and then with the content of earlier ones."""
        folder = self.at.home / f"in-{next(self.numbers)}"
        folder.mkdir()
        given = []
        for n in range(self.chance.randint(1, 6)):
            size = self.chance.choice((0, 10, 5_000, self.chance.randrange(most)))
            content = self.chance.randbytes(size) if self.chance.random() < 0.8 else b"the same again"
            (folder / f"{n}.bin").write_bytes(content)
            given.append((f"{folder.name}/{n}.bin", hashlib.sha256(content).hexdigest()))
        return folder, frozenset(given)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command."""
        return subprocess.Popen(
            self.at.words(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.at.environment(),
            cwd=self.at.home, start_new_session=True,
        )  # fmt: skip

    def finish(
        self, process: subprocess.Popen[bytes], given: frozenset[Document], kill_after: float | None,
        *, codes: tuple[int, ...] = (0,),
    ) -> None:  # fmt: skip
        """Let it end, or kill it at that instant; keep what it acknowledged."""
        out = self._end(process, kill_after, codes)
        said: frozenset[Document] = frozenset()
        if given and out.endswith(b"}\n"):
            said = frozenset((one["name"], one["sha256"]) for one in json.loads(out)["filed"])
        assert process.returncode != 0 or said == given
        self.history.append(Attempt(given, said))

    def _end(self, process: subprocess.Popen[bytes], kill_after: float | None, codes: tuple[int, ...]) -> bytes:
        """What it said on standard output."""
        try:
            out, err = process.communicate(timeout=kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        assert b"Traceback" not in err, err.decode()
        assert b"defect" not in err, err.decode()
        self.killed += process.returncode == -signal.SIGKILL
        assert process.returncode in (*codes, -signal.SIGKILL), (process.args, process.returncode, err.decode())
        return out

    def finish_removing(
        self, process: subprocess.Popen[bytes], doomed: frozenset[Document], kill_after: float | None
    ) -> None:
        """The same for a command that removes; another one may have been in its way."""
        out = self._end(process, kill_after, (0, BUSY))
        self.removals.append(Removal(doomed, doomed if out.endswith(b"}\n") else frozenset()))

    def judged(self) -> Outcome:
        """What the case holds now, which must be legal, and the case whole."""
        outcome = outcome_of(self.at.vault)
        assert illegal(self.history, outcome, self.removals) == []
        return outcome


def outcome_of(folder: Path | str, *, rebuild: bool = False) -> Outcome:
    """What is in the case, read back by the program's own reader. The case must be whole."""
    with (
        LockedVault.at(str(folder), disk=Disk()).unlock(Secret(PASSPHRASE.encode())) as vault,
        open_store(vault, find_case(vault, CASE)) as store,
    ):
        if rebuild:
            store.rebuild()
        return _outcome(store)


def _outcome(store: CaseStore) -> Outcome:
    verdict = verify(store)
    if not verdict.whole and all("made anew from the packs" in one.what for one in verdict.findings):
        verdict = verify(store)  # the index is a cache: that it had to be made anew is said once
    assert verdict.whole, (verdict.findings, verdict.damaged)
    items = list(store.index.items())
    names = {item.id: (os.fsdecode(item.name), item.sha256.hex()) for item in items}
    reads = {names[item.id] for item in items if hashlib.sha256(b"".join(store.read(item))).digest() == item.sha256}
    told = {names[item] for row in store.index.events() for item in row.event.items if item in names}
    return Outcome(tuple(names[item.id] for item in items), frozenset(reads), frozenset(told))


def test_nothing_acknowledged_is_lost_in_a_storm_of_kills(tmp_path: Path, template: Desk, runs: int) -> None:
    """Killed at any instant, one command after the other on what the last one left: nothing is cleaned up between."""
    storm = Storm.over(tmp_path, template, 30)
    outside = tmp_path / "outside"
    outside.mkdir()
    key = storm.at.write("editor.card", template.run("card", "export").stdout)
    storm.at.run("contact", "add", "editor", key)
    others: tuple[Callable[[int], Sequence[str]], ...] = (
        lambda n: ("get", "--all", CASE, "-o", str(outside / f"got-{n}")),
        lambda n: ("export", CASE, "-o", str(outside / f"{n}.age"), "--to", "editor"),
        lambda n: ("verify", CASE),
        lambda n: ("rebuild", CASE),
    )
    folder, given = storm.documents()
    storm.finish(storm.start("add", CASE, str(folder), "--json"), given, None)
    for n in range(runs):
        instant = storm.chance.uniform(0.1, 1.1) if storm.chance.random() < 0.8 else None
        if storm.chance.random() < 0.6:
            folder, given = storm.documents(most=6_000_000)
            storm.finish(storm.start("add", CASE, str(folder), "--json"), given, instant)
        else:
            storm.finish(storm.start(*storm.chance.choice(others)(n)), frozenset(), instant)
        if n % 10 == 9:
            storm.judged()
    storm.judged()
    assert storm.killed, "no command was ever killed: the instants are drawn too late"
    assert illegal(storm.history, outcome_of(storm.at.vault, rebuild=True)) == []
    for path in outside.iterdir():  # what has its name is whole
        if path.suffix == ".age":
            storm.at.run("open", str(path), "-o", str(tmp_path / path.stem), "--vault", str(storm.at.vault))


@pytest.mark.parametrize("seed", [1, 2])
def test_only_what_was_removed_is_gone_when_packs_are_rewritten_in_a_storm(
    tmp_path: Path, template: Desk, runs: int, seed: int
) -> None:
    """Several processes file, remove, put packs together, make parity and read, all at once; many are killed midway."""
    storm = Storm.over(tmp_path, template, seed)
    others = (("compact", CASE), ("compact", CASE), ("parity", CASE), ("verify", CASE))
    for n in range(max(2, runs // 4)):
        doomed = {document for removal in storm.removals for document in removal.documents}
        there = sorted({document for attempt in storm.history for document in attempt.acknowledged} - doomed)
        storm.chance.shuffle(there)
        started: list[Callable[[float | None], None]] = []
        for _turn in range(2):
            folder, given = storm.documents(most=2_000_000)
            filing = storm.start("add", CASE, str(folder), "--json")
            started.append(partial(storm.finish, filing, given, codes=(0, BUSY)))
        if there:
            gone = frozenset(there[: storm.chance.randint(1, 3)])
            names = sorted(name for name, _sha256 in gone)
            removing = storm.start("remove", *names, "--case", CASE, "--yes", "--json")
            started.append(partial(storm.finish_removing, removing, gone))
        for words in storm.chance.sample(others, 2):
            another = storm.start(*words)
            started.append(partial(storm.finish, another, frozenset(), codes=(0, BUSY)))
        storm.chance.shuffle(started)
        for finish in started:
            finish(storm.chance.uniform(0.05, 0.8) if n and storm.chance.random() < 0.5 else None)
        storm.judged()
    assert storm.removals
    assert storm.killed
    storm.at.run("compact", CASE)
    storm.judged()
    assert illegal(storm.history, outcome_of(storm.at.vault, rebuild=True), storm.removals) == []
    nothing_is_left_over(storm.at.vault)


def nothing_is_left_over(folder: Path) -> None:
    """After a last `compact`: no chunk that nobody needs, no pack beside one that stands for it, no stray parity."""
    with (
        LockedVault.at(str(folder), disk=Disk()).unlock(Secret(PASSPHRASE.encode())) as vault,
        open_store(vault, find_case(vault, CASE)) as store,
    ):
        here = store.index.pack_ids()
        assert store.replaced_packs() == set()
        assert store.missing_packs() == set()
        assert store.unread_packs() == set()
        needed = used_places(store, here)
        assert {pack: len(numbers) for pack, numbers in needed.items()} == {
            pack: len(store.index.chunks_of(pack)) for pack in here
        }
        names = {pack.hex() for pack in here}
        assert {path.stem for path in Path(store.folder, "parity").glob("*.par")} <= names


@pytest.mark.parametrize("together", [2, 8])
def test_nothing_acknowledged_is_lost_when_several_file_at_once(
    tmp_path: Path, template: Desk, together: int
) -> None:
    """Into one case; one of the eight is killed midway."""
    storm = Storm.over(tmp_path, template, together)
    batches = [storm.documents() for _ in range(together)]
    processes = [storm.start("add", CASE, str(folder), "--json") for folder, _ in batches]
    doomed = 0 if together == 8 else None
    for n, (process, (_, given)) in enumerate(zip(processes, batches, strict=True)):
        storm.finish(process, given, storm.chance.uniform(0.3, 1.5) if n == doomed else None)
    outcome = storm.judged()
    assert len(outcome.listed) >= sum(len(given) for n, (_, given) in enumerate(batches) if n != doomed)


def test_a_vault_copied_while_it_is_filed_into_has_all_that_was_acknowledged_before(
    tmp_path: Path, template: Desk
) -> None:
    storm = Storm.over(tmp_path, template, 5)
    for n in range(6):
        folder, given = storm.documents(most=9_000_000)
        process = storm.start("add", CASE, str(folder), "--json")
        copy = tmp_path / f"copy-{n}"
        subprocess.run(["cp", "-r", str(storm.at.vault), str(copy)], check=False, capture_output=True)
        before = list(storm.history)
        storm.finish(process, given, None)
        # Of what was filed during the copy there may be all, or some, or nothing.
        assert illegal([*before, Attempt(given)], outcome_of(copy)) == []


# --- a disk that fails ---------------------------------------------------------------------------------------------


class FailingDisk(Disk):
    """A real disk whose ``fails_at``-th change (from 0) is refused; with ``for_good`` every later one too."""

    def __init__(self, fails_at: int, code: int, *, for_good: bool) -> None:
        self._left, self._code, self._for_good = fails_at, code, for_good

    def step(self, operation: str, path: str) -> None:
        """Count the change, or refuse it."""
        self._left -= 1
        if self._left == -1 or (self._for_good and self._left < 0):
            raise OSError(self._code, os.strerror(self._code), path)


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_at_whatever_change_the_disk_fails_the_error_is_ours_and_nothing_is_lost(
    tmp_path: Path, code: int, for_good: bool
) -> None:
    base = newsroom(tmp_path / "base")
    (tmp_path / "in").mkdir()
    for n in range(3):
        (tmp_path / "in" / str(n)).write_bytes(os.urandom(5_000))

    def filing(folder: str, disk: Disk) -> None:
        with unlock(folder, disk=disk) as vault:
            add_paths(vault, tmp_path / "in")

    shutil.copytree(base, tmp_path / "whole")
    steps = count_steps(lambda disk: filing(str(tmp_path / "whole"), disk))
    given = frozenset(
        (f"in/{n}", hashlib.sha256((tmp_path / "in" / str(n)).read_bytes()).hexdigest()) for n in range(3)
    )
    failed = 0
    for n in range(steps):
        folder = str(tmp_path / str(n))
        shutil.copytree(base, folder)
        said = given
        try:
            filing(folder, FailingDisk(n, code, for_good=for_good))
        except VaultError:
            said, failed = frozenset(), failed + 1
        with unlock(folder) as vault, store_of(vault) as store:
            assert illegal([Attempt(given, said)], _outcome(store)) == [], n
        shutil.rmtree(folder)
    assert failed > 3


@pytest.mark.parametrize("room", [0, 20, 60, 150, 400, 900, 2_000, 5_000])
def test_on_a_full_disk_filing_fails_clearly_and_goes_on_when_there_is_room(
    tmp_path: Path, template: Desk, room: int
) -> None:
    """``room`` is what is left, in KiB, when filing begins."""
    storm = Storm.over(tmp_path, template, room)
    real = storm.at.vault
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64m", "none") as small:
        storm.at.vault = Path(small) / "vault"
        shutil.copytree(real, storm.at.vault)
        free = os.statvfs(small)
        with open(Path(small) / "ballast", "wb") as ballast:
            ballast.write(bytes(max(0, free.f_bavail * free.f_frsize - (room << 10))))
        full = 0
        for _ in range(6):
            folder, given = storm.documents(most=2_000_000)
            process = storm.start("add", CASE, str(folder), "--json")
            out, err = process.communicate()
            assert b"Traceback" not in err, err.decode()
            assert process.returncode in (0, 1), err.decode()
            if process.returncode:
                full += 1
                assert b"hint:" in err, err.decode()
            said = frozenset((one["name"], one["sha256"]) for one in json.loads(out)["filed"]) if out else frozenset()
            storm.history.append(Attempt(given, said))
        assert full
        os.unlink(Path(small) / "ballast")
        storm.judged()
        folder, given = storm.documents()
        storm.finish(storm.start("add", CASE, str(folder), "--json"), given, None)
        storm.judged()


# --- clocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jumps", [(0, -400, 400), (400, -800, 1), (-20_000, 20_000, -20_000)], ids=str)
def test_a_clock_that_jumps_by_days_loses_nothing_and_breaks_no_chain(
    tmp_path: Path, jumps: tuple[int, ...]
) -> None:
    folder = newsroom(tmp_path / "vault")
    history, now = [], DAY
    for n, days in enumerate(jumps):
        now += days * 86_400 * 10**9
        path = tmp_path / f"{n}.txt"
        path.write_text(f"day {n}")
        with unlock(folder, clock=clock_from(now)) as vault:
            add_paths(vault, path)
        given = frozenset({(path.name, hashlib.sha256(path.read_bytes()).hexdigest())})
        history.append(Attempt(given, given))
    with unlock(folder) as vault, store_of(vault) as store:
        assert illegal(history, _outcome(store)) == []
        store.rebuild()
        assert illegal(history, _outcome(store)) == []
        assert [row.sequence for row in store.index.packs()] == list(range(1, len(jumps) + 2))

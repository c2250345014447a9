# SPDX-License-Identifier: Apache-2.0
"""Each check of a set-up: which facts make it weak, which are for a person to decide, and which are good."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from keys.primitives import DEFAULT, FLOOR
from keys.secret import Secret
from keys.share_set import Holder, ShareSet
from tests.support.newsroom import CHEAP, add_paths, newsroom, unlock
from vault import view_places, view_sweep
from vault.agent.process import mark_at
from vault.counter import Counter
from vault.doctor import inside, machine, place, probes, use
from vault.doctor.finding import Finding, Level
from vault.doctor.machine import FIRST_DAY_NS, MachineFacts
from vault.doctor.place import PlaceFacts
from vault.doctor.use import UseFacts
from vault.medium import SHARED, Below, Drive, Extents, Medium, Mount, Swap
from vault.surroundings import Surroundings, Synced

WEAK, LOOK, GOOD = Level.WEAK, Level.LOOK, Level.GOOD
SPINNING, FLASH = Drive("sda", True, False), Drive("nvme0n1", False, True)
MOUNT = Mount("/", "ext4", "/dev/sda1", "8:1", ("rw",))
MEDIUM = Medium(Extents(), None, MOUNT, Below((SPINNING,), True), (), False, "")
AROUND = Surroundings((), None, None, MEDIUM, True)
PLACE = PlaceFacts(AROUND, Extents(True), None, 0o700, True, 100 << 30, ())
MACHINE = MachineFacts(
    core_limit=0, core_pattern="core", ptrace_scope=1, memory_lock=-1, root=False, encoding="utf-8",
    now_ns=FIRST_DAY_NS + 10**18, newest_ns=FIRST_DAY_NS, in_memory="/dev/shm", changeable_by_others=False, missing=(),
    tesseract=True,
)  # fmt: skip
USE = UseFacts(
    cost=DEFAULT, agents=0, agent_since=None, guard="a stick", command="/usr/bin/sandyk",
    panic_key="/home/a/.xbindkeysrc", histories=(), drops=0, counter=Counter(), left_over=(),
)  # fmt: skip


def medium(**changes: object) -> PlaceFacts:
    return replace(PLACE, surroundings=replace(AROUND, medium=replace(MEDIUM, **changes)))


def around(**changes: object) -> PlaceFacts:
    return replace(PLACE, surroundings=replace(AROUND, **changes))


def levels(found: object) -> dict[str, Level]:
    return {finding.kind: finding.level for finding in found}  # type: ignore[attr-defined]


def test_a_set_up_without_a_flaw_is_good_throughout_but_for_what_only_the_person_knows() -> None:
    found = [*place.judge(PLACE), *machine.judge(MACHINE), *use.judge(USE)]
    assert {finding.kind for finding in found if finding.level is not GOOD} == {"wipe"}
    assert all(not finding.why and not finding.do for finding in found if finding.level is GOOD)


@pytest.mark.parametrize(
    ("facts", "kind", "level"),
    [
        (around(synced=(Synced("Dropbox", "/home/a/Dropbox", "name"),)), "synced", WEAK),
        (around(network="nfs4"), "network", WEAK),
        (around(snapshots="btrfs"), "snapshots", LOOK),
        (around(known=False), "unknown", LOOK),
        (medium(below=Below((SPINNING,), False)), "encryption", WEAK),
        (medium(below=Below((SPINNING,), None)), "encryption", LOOK),
        (medium(swaps=(Swap("/swapfile", False, False),)), "swap", WEAK),
        (medium(swaps=(Swap("/dev/zram0", True, None),)), "swap", GOOD),
        (medium(swaps=None), "swap", LOOK),
        (medium(hibernation=True), "hibernation", LOOK),
        (medium(hibernation=None), "hibernation", LOOK),
        (medium(below=Below((FLASH,), True)), "drive", LOOK),
        (medium(below=Below((), True)), "drive", LOOK),
        (medium(below=Below((SPINNING, FLASH), True)), "drive", LOOK),
        (medium(mount=replace(MOUNT, options=("rw", "data=journal"))), "journal", WEAK),
        (replace(PLACE, extents=Extents(True, SHARED)), "keyring-shared", WEAK),
        (replace(medium(mount=replace(MOUNT, kind="btrfs")), no_cow=False), "in-place", WEAK),
        (replace(PLACE, mode=0o755), "permissions", WEAK),
        (replace(PLACE, own=False), "permissions", LOOK),
        (replace(PLACE, mode=None, own=None), "permissions", LOOK),
        (replace(PLACE, free=10 << 20), "space", WEAK),
        (replace(PLACE, free=500 << 20), "space", LOOK),
        (replace(PLACE, backups=("Timeshift",)), "backups", LOOK),
    ],
)  # fmt: skip
def test_where_the_vault_lies(facts: PlaceFacts, kind: str, level: Level) -> None:
    assert levels(place.judge(facts))[kind] is level


def test_what_could_not_be_looked_at_is_never_called_good() -> None:
    found = levels(place.judge(around(known=False)))
    assert not {"network", "snapshots", "encryption", "swap", "hibernation"} & set(found)


@pytest.mark.parametrize(
    ("changes", "kind", "level"),
    [
        ({"core_limit": -1}, "crash-dumps", LOOK), ({"core_limit": -1, "core_pattern": ""}, "crash-dumps", GOOD),
        ({"core_pattern": "|/usr/lib/systemd/systemd-coredump"}, "crash-dumps", LOOK),
        ({"core_pattern": None}, "crash-dumps", LOOK),
        ({"ptrace_scope": 0}, "tracing", LOOK), ({"ptrace_scope": None}, "tracing", LOOK),
        ({"memory_lock": 8 << 20}, "memory-lock", LOOK), ({"memory_lock": None}, "memory-lock", LOOK),
        ({"root": True}, "root", LOOK), ({"changeable_by_others": True}, "program", WEAK),
        ({"changeable_by_others": None}, "program", LOOK),
        ({"now_ns": FIRST_DAY_NS - 1}, "clock", WEAK), ({"newest_ns": FIRST_DAY_NS + 2 * 10**18}, "clock", WEAK),
        ({"newest_ns": None}, "clock", GOOD), ({"encoding": "ascii"}, "letters", LOOK),
        ({"encoding": ""}, "letters", LOOK),
        ({"in_memory": None}, "view", LOOK), ({"missing": (("text", "no words"),)}, "extras", LOOK),
        ({"tesseract": False}, "ocr", LOOK),
    ],
)  # fmt: skip
def test_the_machine(changes: dict[str, object], kind: str, level: Level) -> None:
    assert levels(machine.judge(replace(MACHINE, **changes)))[kind] is level  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "kind", "level"),
    [
        ({"cost": FLOOR}, "format", LOOK), ({"agents": 1, "agent_since": "09:00"}, "agent", LOOK),
        ({"agents": None}, "agent", LOOK), ({"guard": None}, "guard", LOOK), ({"command": None}, "wipe", WEAK),
        ({"panic_key": None}, "panic-key", LOOK), ({"histories": (("/home/a/.bash_history", 3),)}, "history", LOOK),
        ({"drops": 2}, "outbox", LOOK), ({"drops": None}, "outbox", LOOK),
        ({"counter": Counter(filed=3, sealed=1)}, "exports", LOOK),
        ({"counter": Counter(filed=3, sealed=3, safe=1)}, "exports", LOOK),
        ({"counter": Counter(filed=3, sealed=3, safe=3)}, "exports", GOOD),
        ({"left_over": ("/tmp/.sandyk-drill-1",)}, "left-over", WEAK),
    ],
)  # fmt: skip
def test_how_it_is_used(changes: dict[str, object], kind: str, level: Level) -> None:
    assert levels(use.judge(replace(USE, **changes)))[kind] is level  # type: ignore[arg-type]


def test_every_finding_that_is_not_good_says_why_it_matters_and_what_to_do() -> None:
    bad = [
        *place.judge(replace(PLACE, mode=0o777, free=1, backups=("restic",))),
        *place.judge(medium(below=Below((FLASH,), False), swaps=(Swap("/s", False, False),), hibernation=True)),
        *place.judge(around(synced=(Synced("MEGA", "/m", "mark"),), network="cifs", snapshots="zfs", known=False)),
        *machine.judge(MachineFacts(-1, None, None, None, True, "", 0, None, None, True, (("repair", "none"),), False)),
        *use.judge(UseFacts(FLOOR, 1, None, None, None, None, (("/h", 1),), 1, Counter(filed=1), ("/v",))),
        inside.judge_contacts(("Aizada",)), inside.judge_outside_half(False), *inside.judge_whereabouts(1, 1, 1),
        *inside.judge_unusable(((b"\1" * 16, "damaged"),)),
    ]  # fmt: skip
    flawed = [finding for finding in bad if finding.level is not GOOD]
    assert len(flawed) > 25
    assert [finding for finding in flawed if not (finding.what and finding.why and finding.do)] == []


def test_nothing_is_over_claimed() -> None:
    words = ("secure", "safe from", "guarantee", "unrecoverable", "military", "cannot be recovered")
    for finding in (*place.judge(PLACE), *machine.judge(MACHINE), *use.judge(USE)):
        assert not any(word in f"{finding.what} {finding.why} {finding.do}".lower() for word in words), finding


# Looking


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home")}


def write(environ: dict[str, str], name: str, text: str) -> str:
    path = Path(environ["HOME"], name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".config/dconf/user", "GVariant\0\0'/home/you/.local/bin/sandyk panic --now'\0<Control>Pause"),
        (".xbindkeysrc", '"/usr/bin/sandyk --vault /v panic"\n  control+alt + Pause\n'),
        (".config/sway/config", "bindsym Pause exec kill -USR1 $(head -1 $XDG_RUNTIME_DIR/sandyk/*.guard)\n"),
        (".local/share/applications/net.local.notes.desktop", "[Desktop Entry]\nExec=sandyk panic --now\n"),
    ],
)
def test_a_key_for_the_wipe_is_found_where_desktops_keep_theirs(home: dict[str, str], name: str, text: str) -> None:
    assert probes.panic_key(home) is None
    path = write(home, name, text)
    assert probes.panic_key(home) == path


def test_keys_that_call_something_else_are_no_key_for_the_wipe(home: dict[str, str]) -> None:
    write(home, ".xbindkeysrc", '"sandyk status"\n  Pause\n"echo do not panic"\n')
    assert probes.panic_key(home) is None


def test_a_pipe_in_the_place_of_settings_stops_nothing(home: dict[str, str]) -> None:
    os.mkfifo(Path(home["HOME"], ".xbindkeysrc"))
    assert probes.panic_key(home) is None


def test_programs_for_backups_are_found_by_their_settings(home: dict[str, str]) -> None:
    before = probes.backups(home)
    write(home, ".config/borgmatic/config.yaml", "")
    Path(home["HOME"], ".cache/restic").mkdir(parents=True)  # empty: it never ran
    assert set(probes.backups(home)) - set(before) == {"borgmatic"}


def test_histories_that_name_the_program_are_counted(home: dict[str, str], tmp_path: Path) -> None:
    path = write(home, ".bash_history", "ls\nsandyk add 'Road works' informant.pdf\nsudo sandyk list\necho sandyk\n")
    facts = probes.use_facts(newsroom(tmp_path / "vault"), home, floor=CHEAP)
    assert facts.histories == ((path, 2),)


def test_what_rehearsals_and_killed_views_left_is_found(tmp_path: Path, home: dict[str, str]) -> None:
    folder = newsroom(tmp_path / "vault")
    (tmp_path / ".sandyk-drill-0123").mkdir()
    living = view_places.make(str(mark_at(f"{folder}/keyring")), on_disk=True)
    dead = view_places.make(str(mark_at(f"{folder}/keyring")), on_disk=True)
    os.close(dead.holder)
    found = probes.use_facts(folder, home, floor=CHEAP).left_over
    view_sweep.sweep(mark_at(f"{folder}/keyring"), stale_only=True)
    view_sweep.clear(living)
    assert found == (str(tmp_path / ".sandyk-drill-0123"), dead.path)


def test_a_program_that_others_may_change_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "lib" / "vault"
    folder.mkdir(parents=True)
    assert probes._changeable(str(folder)) is False
    (tmp_path / "lib").chmod(0o777)
    assert probes._changeable(str(folder)) is True
    (tmp_path / "lib").chmod(0o1777)
    assert probes._changeable(str(folder)) is False


def test_the_open_vault_tells_what_is_only_here_and_who_was_not_compared(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with unlock(newsroom(tmp_path / "vault")) as vault:
        add_paths(vault, tmp_path / "a.txt")
        found = {finding.kind: finding for finding in inside.look_inside(vault)}
    assert found["only-here"] == Finding(
        "only-here", LOOK, "1 document(s) of your cases are only here", found["only-here"].why, found["only-here"].do
    )
    assert found["outside-half"].level is LOOK
    assert found["contacts"].level is GOOD


def test_shares_that_nobody_asked_for_a_year_are_worth_a_look() -> None:
    """And shares that were begun and not finished are weak; that there are none is not mentioned."""
    shares = ShareSet(bytes(16), 0, 2, 9, (Holder("A", bytes(32), Secret(bytes(32))),
                                        Holder("B", bytes(32), Secret(bytes(32)), None, 10)))  # fmt: skip
    assert [f.level for f in inside.judge_shares(shares, inside.ASK_AGAIN_NS, unfinished=False)] == [Level.GOOD]
    (late,) = inside.judge_shares(shares, inside.ASK_AGAIN_NS + 5, unfinished=False)
    assert late.level is Level.LOOK and late.what.endswith(": A")
    assert [f.level for f in inside.judge_shares(None, 0, unfinished=True)] == [Level.WEAK]
    assert not [*inside.judge_shares(None, 0, unfinished=False)]

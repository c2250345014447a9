# SPDX-License-Identifier: Apache-2.0
"""What is found out about the place of a vault, and that nothing is said without a fact."""

from pathlib import Path

import pytest

from vault.medium import Below, Drive, Extents, Medium, Mount, Swap
from vault.surroundings import Surroundings, Synced, look, warnings

PLAIN = Medium(
    Extents(), None, mount=Mount("/", "ext4", "/dev/x", "8:1", ()),
    below=Below((Drive("x", False, True),), True), swaps=(), hibernation=False, core_pattern="",
)  # fmt: skip


def synced(folder: Path, home: Path, **environ: str) -> list[Synced]:
    folder.mkdir(parents=True, exist_ok=True)
    return list(look(str(folder), environ={"HOME": str(home), **environ}).synced)


def test_an_ordinary_folder_is_not_called_synced(tmp_path: Path) -> None:
    for name in (".local/share/sandyk", "dropbox-notes/x", "My Documents", "megafon", "synced", "icloudy"):
        assert synced(tmp_path / name, tmp_path) == []


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("Dropbox", "Dropbox"), ("Dropbox (Personal)", "Dropbox"), ("OneDrive - Kloop", "OneDrive"),
        ("Google Drive", "Google Drive"), ("GoogleDrive-a@b.c", "Google Drive"), ("iCloudDrive", "iCloud"),
        ("Library/Mobile Documents", "iCloud"), ("Nextcloud2", "Nextcloud"), ("Yandex.Disk", "Yandex.Disk"),
        ("Яндекс.Диск", "Yandex.Disk"), ("MEGAsync", "MEGA"),
    ],
)  # fmt: skip
def test_the_names_that_syncing_programs_give_are_known(tmp_path: Path, name: str, program: str) -> None:
    [found] = synced(tmp_path / name / "work" / "vault", tmp_path)
    assert (found.program, found.folder, found.how) == (program, str(tmp_path / name), "name")


@pytest.mark.parametrize(
    ("mark", "program"),
    [
        (".stfolder", "Syncthing"), (".dropbox", "Dropbox"), (".dropbox.cache", "Dropbox"),
        (".sync_0a1b2c.db", "Nextcloud or ownCloud"), ("._sync_0a1b2c.db", "Nextcloud or ownCloud"),
        (".tmp.driveupload", "Google Drive"), (".sync", "Yandex.Disk or Resilio Sync"),
    ],
)  # fmt: skip
def test_their_marks_are_known(tmp_path: Path, mark: str, program: str) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / mark).mkdir()
    [found] = synced(tmp_path / "shared" / "a" / "vault", tmp_path)
    assert (found.program, found.folder, found.how) == (program, str(tmp_path / "shared"), "mark")


@pytest.mark.parametrize(
    ("settings", "text", "program"),
    [
        (".dropbox/info.json", '{"personal": {"path": "%s", "host": 1}}', "Dropbox"),
        (".config/Nextcloud/nextcloud.cfg", "0\\Folders\\1\\localPath=%s\n", "Nextcloud"),
        (".config/yandex-disk/config.cfg", 'dir="%s"\n', "Yandex.Disk"),
        (".local/state/syncthing/config.xml", '<folder id="x" label="y" path="%s" type="z">', "Syncthing"),
    ],
)
def test_their_settings_are_read(tmp_path: Path, settings: str, text: str, program: str) -> None:
    home, where = tmp_path / "home", tmp_path / "anything"
    (home / settings).parent.mkdir(parents=True)
    (home / settings).write_text(text % where)
    assert synced(where / "vault", home) == [Synced(program, str(where), "settings")]
    assert synced(tmp_path / "elsewhere", home) == []


def test_a_folder_that_windows_names_is_known(tmp_path: Path) -> None:
    [found] = synced(tmp_path / "x/vault", tmp_path, OneDriveConsumer=str(tmp_path / "x"))
    assert (found.program, found.how) == ("OneDrive", "settings")


def test_a_link_does_not_hide_a_synced_folder(tmp_path: Path) -> None:
    (tmp_path / "Dropbox/vault").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "Dropbox/vault")
    assert [one.program for one in synced(tmp_path / "link", tmp_path)] == ["Dropbox"]


def kinds(medium: Medium = PLAIN, **facts: object) -> list[str]:
    known = {"synced": (), "network": None, "snapshots": None, "known": True, **facts}
    return [one.kind for one in warnings(Surroundings(medium=medium, **known))]  # type: ignore[arg-type]


def test_an_encrypted_machine_without_swap_and_dumps_gets_no_warning() -> None:
    assert kinds() == []


def test_each_fact_has_its_warning() -> None:
    from dataclasses import replace

    assert kinds(network="nfs4") == ["network"]
    assert kinds(snapshots="btrfs") == ["snapshots"]
    assert kinds(synced=(Synced("Dropbox", "/d", "name"), Synced("Syncthing", "/s", "mark"))) == ["synced", "synced"]
    assert kinds(replace(PLAIN, below=Below((), False))) == ["encryption"]
    assert kinds(replace(PLAIN, below=Below((), None))) == ["encryption"]
    assert kinds(replace(PLAIN, swaps=(Swap("/swap", False, False),))) == ["swap"]
    assert kinds(replace(PLAIN, swaps=(Swap("/zram", True, None), Swap("/dev/dm-1", False, True)))) == []
    assert kinds(replace(PLAIN, hibernation=True)) == ["hibernation"]
    assert kinds(replace(PLAIN, core_pattern="core")) == ["crash-dumps"]
    assert kinds(known=False) == ["unknown"]


def test_kinds_of_file_systems_are_told_apart(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    for kind, expected in (
        ("nfs4", "network"),
        ("fuse.sshfs", "network"),
        ("btrfs", "snapshots"),
        ("zfs", "snapshots"),
    ):
        (proc / "self/mountinfo").write_text(f"1 0 0:1 / / rw - {kind} none rw\n")
        found = look(str(tmp_path), environ={}, proc=str(proc), sys_root=str(tmp_path))
        assert expected in [one.kind for one in warnings(found)]

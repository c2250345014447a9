# SPDX-License-Identifier: Apache-2.0
"""An `open` that was stopped: nothing half-written looks whole, and the next run goes on from what is there.

What was left is a stranger's until it was hashed again: somebody may have put links, pipes or other documents there.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keys import age
from keys.secret import Secret
from tests.support.bundles import CLOCK, EDITOR, ID, in_pieces, items_of, plaintext_of, seal
from tests.support.mounts import image_mounted, make_image, mounted
from tests.support.newsroom import contents, create_case, listing, newsroom, pack_paths, store_of, unlock
from tests.support.partition import found, write
from tests.support.tools import need
from vault.bundle import compose
from vault.cases import find_case
from vault.errors import AlreadyThere, Damaged, DiskFailed
from vault.opening import Opened, open_into_case, open_into_folder
from vault.partial import PartialFolder, may_go_on
from vault.sealed_files import Sealed, Zipped
from vault.store import CaseStore
from vault.zipped import zip_sink

SIZES = (5, 5_000_000, 0, 7_000_000, 4_500_000)
DOCUMENTS = tuple((b"%d.bin" % number, os.urandom(size)) for number, size in enumerate(SIZES))
ROOT = "bundle-00112233"
SEALED = seal(DOCUMENTS)[0]
PASSPHRASE = Secret(b"relay quarterly spoon")


def quiet(documents: int, size: int) -> None:
    """Progress that nobody sees."""


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below, and every link as what it points to."""
    return {
        str(path.relative_to(folder)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def opened(sealed: Sealed, folder: Path, progress: Callable[[int, int], None] = quiet) -> Opened:
    return open_into_folder(sealed, [EDITOR.age], str(folder), None, progress=progress)


@pytest.fixture
def sealed(tmp_path: Path) -> str:
    path = tmp_path / "in.age"
    path.write_bytes(SEALED)
    return str(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run that nobody stops writes."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "in.age").write_bytes(SEALED)
    opened(str(folder / "in.age"), folder / "out")
    return tree(folder / "out")


def kill_after(documents: int, sealed: str, folder: Path) -> Path:
    """Run in a process of its own, killed in the middle of the document after so many; the folder that is left."""
    program = (
        "import os, signal, sys\n"
        "from tests.support.bundles import EDITOR\n"
        "from vault.opening import open_into_folder\n"
        "left = int(sys.argv[1])\n"
        "def progress(documents, size):\n"
        "    global left\n"
        "    left -= documents\n"
        "    if not left and size:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "open_into_folder(sys.argv[2], [EDITOR.age], sys.argv[3], None, progress=progress)\n"
    )
    before = set(folder.iterdir()) if folder.is_dir() else set()
    command = [sys.executable, "-c", program, str(documents), sealed, str(folder)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (left,) = set(folder.iterdir()) - before
    assert left.name.startswith(f"{ROOT}-")
    assert left.name.endswith(".partial")
    return left


@pytest.mark.parametrize("documents", [1, 3, 4])
def test_a_run_that_was_killed_is_gone_on_with(
    sealed: str, whole: dict[str, bytes], tmp_path: Path, documents: int
) -> None:
    out = tmp_path / "out"
    kill_after(documents, sealed, out)
    result = opened(sealed, out)
    assert result.kept == documents
    assert tree(out) == whole
    assert [path.name for path in out.iterdir()] == [ROOT]


def test_nothing_is_taken_out_of_a_folder_that_gets_its_name_at_that_moment(
    sealed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    other = kill_after(4, sealed, out)
    before, usual = tree(other), os.open

    def opens(path: str, *args: object, **more: object) -> int:
        fd: int = usual(path, *args, **more)  # type: ignore[call-overload]
        if path == str(other):
            other.rename(out / ROOT)
        return fd

    monkeypatch.setattr(os, "open", opens)
    with pytest.raises(AlreadyThere):
        opened(sealed, out)
    assert tree(out / ROOT) == before
    assert [path.name for path in out.iterdir()] == [ROOT]


def test_a_run_that_another_one_was_quicker_than_leaves_no_second_copy(
    sealed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, usual = tmp_path / "out", os.rename

    def rename(old: str, new: str, **more: object) -> None:
        if str(new) == str(out / ROOT):
            (out / ROOT).mkdir()
            (out / ROOT / "theirs").write_text("all of it")
        usual(old, new, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(AlreadyThere):
        opened(sealed, out)
    assert tree(out) == {f"{ROOT}/theirs": b"all of it"}


def test_a_run_can_be_killed_again_and_again(sealed: str, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    for documents in (1, 3, 4):
        kill_after(documents, sealed, out)
    assert opened(sealed, out).kept >= 4
    assert tree(out) == whole


def test_what_is_there_is_not_read_from_the_sealed_file_again(
    sealed: str, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """Not even when the sealed file has become unreadable in that place: the documents' hashes are signed."""
    out = tmp_path / "out"
    kill_after(4, sealed, out)
    plain = plaintext_of(SEALED)
    place = len(SEALED) - len(plain) + plain.index(DOCUMENTS[3][1][1_800_000:1_800_100])
    Path(sealed).write_bytes(SEALED[:place] + bytes(16) + SEALED[place + 16 :])
    with pytest.raises(Damaged):
        opened(sealed, tmp_path / "elsewhere")
    assert opened(sealed, out).kept == 4
    assert tree(out) == whole


@pytest.mark.parametrize("carrier", ["armored", "zip", "parts"])
def test_carriers_that_must_be_read_in_one_go_are_gone_on_with_too(tmp_path: Path, carrier: str) -> None:
    path, sink = tmp_path / "in", io.BytesIO()
    if carrier == "zip":
        signed = compose((), items_of(DOCUMENTS), signer=None, clock_ns=CLOCK, bundle_id=ID, by_passphrase=True)
        with zip_sink(sink, PASSPHRASE) as inside:
            signed.write(inside, in_pieces(DOCUMENTS))
        what: Sealed = Zipped(str(path), PASSPHRASE)
    elif carrier == "parts":
        write(tmp_path / "parts", plaintext_of(SEALED), 3)
        what = found(tmp_path / "parts")
    else:
        sealer = age.Sealer(sink, [EDITOR.recipient], armored=True)
        sealer.write(plaintext_of(SEALED))
        sealer.finish()
        what = str(path)
    path.write_bytes(sink.getvalue())
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=8m", "none") as folder:
        with pytest.raises(DiskFailed):
            opened(what, Path(folder))
        subprocess.run(["mount", "-o", "remount,size=40m", folder], check=True)
        assert opened(what, Path(folder)).kept >= 2
        assert {path.read_bytes() for path in Path(folder, ROOT, "data").rglob("*.bin")} == {c for _, c in DOCUMENTS}


def test_a_full_disk_says_where_it_stopped_and_goes_on_when_there_is_room(
    sealed: str, whole: dict[str, bytes], tmp_path: Path
) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=8m", "none") as folder:
        with pytest.raises(DiskFailed, match="no space left") as failed:
            opened(sealed, Path(folder))
        (left,) = Path(folder).iterdir()
        assert any(str(left) in hint and "in clear" in hint for hint in failed.value.hints)
        held = dict(DOCUMENTS)
        assert all(path.read_bytes() == held[path.name.encode()] for path in left.glob("data/*/*.bin")), (
            "only whole ones"
        )
        subprocess.run(["mount", "-o", "remount,size=40m", folder], check=True)
        assert opened(sealed, Path(folder)).kept >= 2
        assert tree(Path(folder)) == whole


def test_a_disk_without_room_for_one_document_keeps_nothing(sealed: str, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "none") as folder:
        with pytest.raises(DiskFailed) as failed:
            opened(sealed, Path(folder))
        assert os.listdir(folder) == []
        assert not any("in clear" in hint for hint in failed.value.hints)


def test_a_medium_that_fails_while_it_is_read_is_gone_on_from_with_another_copy(
    sealed: str, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """A device that ends early, like a stick that dies: reads fail with an I/O error."""
    image = make_image(tmp_path / "image", "ext4", mib=32)
    with image_mounted(image, "ext4", tmp_path / "stick") as stick:
        Path(stick, "in.age").write_bytes(SEALED)
    size = image.stat().st_size
    with image_mounted(image, "ext4", tmp_path / "stick") as stick:
        resize(image, first_byte_of(Path(stick, "in.age")) + len(SEALED) * 3 // 4)
        try:
            with pytest.raises(DiskFailed, match="cannot be read"):
                opened(str(Path(stick, "in.age")), tmp_path / "out")
        finally:
            resize(image, size)
    assert may_go_on(str(tmp_path / "out"))
    assert opened(sealed, tmp_path / "out").kept >= 1
    assert tree(tmp_path / "out") == whole


def first_byte_of(path: Path) -> int:
    """Where a file begins on its device."""
    command = [need("filefrag"), "-e", "-b1", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    first = next(line for line in shown.splitlines() if line.lstrip().startswith("0:"))
    return int(first.split(":")[2].split("..")[0])


def resize(image: Path, size: int) -> None:
    """Give the loop device of an image another size."""
    os.truncate(image, size)
    found = subprocess.run(["losetup", "-j", image], capture_output=True, text=True, check=True).stdout
    subprocess.run(["losetup", "-c", found.partition(":")[0]], check=True)


def test_damage_leaves_nothing_however_much_was_whole_before_it(sealed: str, tmp_path: Path) -> None:
    place = len(SEALED) - 200_000
    Path(sealed).write_bytes(SEALED[:place] + bytes(16) + SEALED[place + 16 :])
    with pytest.raises(Damaged):
        opened(sealed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_nothing(sealed: str, tmp_path: Path) -> None:
    """Whoever stops it by hand may have a reason to leave nothing in clear."""

    def stop(documents: int, size: int) -> None:
        if documents:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(sealed, tmp_path / "out", stop)
    assert not (tmp_path / "out").exists()


# What a leftover may hold


def test_a_second_ctrl_c_while_it_is_taken_away_leaves_nothing_either(tmp_path: Path) -> None:
    """An audit hook presses it where the standard library says that it removes a tree (shutil.rmtree)."""
    pressed: list[str] = []

    def press(event: str, arguments: tuple[object, ...]) -> None:
        if event == "shutil.rmtree" and not pressed and str(arguments[0]).startswith(str(tmp_path)):
            pressed.append(event)
            signal.raise_signal(signal.SIGINT)

    out = PartialFolder(str(tmp_path / "out"))
    out.append("bundle-00112233/data/0001/letter", b"in clear")
    sys.addaudithook(press)
    before = signal.getsignal(signal.SIGINT)
    out.discard()
    assert pressed and not (tmp_path / "out").exists() and signal.getsignal(signal.SIGINT) is before


def test_a_leftover_of_another_bundle_is_not_touched_though_its_name_is_like_ours(
    sealed: str, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """The name has four bytes of the identifier; a hostile sender can choose these."""
    out, other = tmp_path / "out", tmp_path / "other.age"
    other.write_bytes(seal(DOCUMENTS, bundle_id=ID[:4] + bytes(12))[0])
    left = kill_after(3, str(other), out)
    before = tree(left)
    empty = out / f"{ROOT}-00000000.partial"
    empty.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bag-info.txt").write_bytes(whole[f"{ROOT}/bag-info.txt"])
    (out / f"{ROOT}-11111111.partial").symlink_to(elsewhere)
    assert opened(sealed, out).kept == 0
    assert tree(left) == before
    assert empty.is_dir()
    assert (elsewhere / "bag-info.txt").exists()
    assert {name: data for name, data in tree(out).items() if name.startswith(f"{ROOT}/")} == whole


def test_a_leftover_that_another_run_is_filling_is_not_touched(
    sealed: str, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    other = PartialFolder(str(out))
    other.append(f"{ROOT}/bag-info.txt", whole[f"{ROOT}/bag-info.txt"])
    with other.create(f"{ROOT}/data/0002/1.bin") as f:
        f.write(DOCUMENTS[1][1])
    assert opened(sealed, out).kept == 0
    assert os.path.exists(other.path(f"{ROOT}/data/0002/1.bin"))
    with pytest.raises(AlreadyThere):
        other.finish()
    other.discard()
    assert tree(out) == whole


def swap(left: Path, name: str, tmp_path: Path) -> None:
    """Do something to the document 0002/1.bin of a leftover."""
    path, good = left / "data/0002/1.bin", DOCUMENTS[1][1]
    outside = tmp_path / "outside"
    outside.mkdir()
    path.unlink()
    match name:
        case "link":
            (outside / "f").write_bytes(good)
            path.symlink_to(outside / "f")
        case "hard link":
            (outside / "f").write_bytes(good)
            os.link(outside / "f", path)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "other content":
            path.write_bytes(good[:-1] + b"x")
        case "longer":
            path.write_bytes(good + b"x")
        case "linked folder":
            path.parent.rmdir()
            (outside / "1.bin").write_bytes(good)
            path.parent.symlink_to(outside)
        case "unreadable device":
            path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "name",
    ["link", "hard link", "folder", "pipe", "other content", "longer", "linked folder", "unreadable device", "gone"],
)
def test_a_document_that_somebody_swapped_is_written_anew(
    sealed: str, whole: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    left = kill_after(4, sealed, out)
    swap(left, name, tmp_path)
    (left / "data/0009").mkdir()
    (left / "data/0009/evil.desktop").write_text("[Desktop Entry]")
    (left / "index.html").write_text("<script>")
    (left / "metadata/items.json").write_text("{}")
    assert opened(sealed, out).kept == 3
    assert tree(out) == whole
    assert not any(path.is_symlink() for path in out.rglob("*"))
    assert all(path.stat().st_nlink == 1 for path in out.rglob("*") if path.is_file())
    kept = tree(tmp_path / "outside")
    assert kept in ({}, {"f": DOCUMENTS[1][1]}, {"1.bin": DOCUMENTS[1][1]}), "what a link led to is untouched"


def test_what_was_kept_is_for_its_owner_alone(sealed: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    left = kill_after(4, sealed, out)
    for path in left.rglob("*"):
        path.chmod(0o777)
    opened(sealed, out)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (out / ROOT).rglob("*"))


def test_a_bundle_that_was_opened_before_is_not_opened_over(sealed: str, tmp_path: Path) -> None:
    opened(sealed, tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(AlreadyThere):
        opened(sealed, tmp_path / "out")
    assert tree(tmp_path / "out") == before


# Into a case


def test_what_was_killed_on_its_way_into_a_case_is_filed_once_and_stored_once(tmp_path: Path) -> None:
    """The packs that were whole are used again; nothing is filed before all of it was verified."""
    documents = tuple((b"%d.bin" % number, os.urandom(10 << 20)) for number in range(6))
    folder = newsroom(tmp_path / "vault", case=None)
    with unlock(folder) as vault:
        create_case(vault, "Mine")
        (tmp_path / "in.age").write_bytes(seal(documents, recipients=[vault.me.recipient])[0])
    program = (
        "import os, signal, sys\n"
        "from tests.support.newsroom import unlock\n"
        "from vault.cases import find_case\n"
        "from vault.opening import open_into_case\n"
        "seen = 0\n"
        "def progress(documents, size):\n"
        "    global seen\n"
        "    seen += size\n"
        "    if seen > 58 << 20:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "with unlock(sys.argv[1]) as vault:\n"
        "    open_into_case(vault, find_case(vault, 'Mine'), sys.argv[2], progress=progress)\n"
    )
    command = [sys.executable, "-c", program, folder, str(tmp_path / "in.age")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with unlock(folder) as vault:
        with store_of(vault) as store:
            assert listing(store) == []
            assert stored_in(store) > 30 << 20, "a pack was whole when the run was killed"
        result = open_into_case(vault, find_case(vault, "Mine"), str(tmp_path / "in.age"), progress=quiet)
        assert (len(result.documents), result.filed_before) == (6, 0)
        with store_of(vault) as store:
            assert contents(store) == dict(documents)
        again = open_into_case(vault, find_case(vault, "Mine"), str(tmp_path / "in.age"), progress=quiet)
        assert again.filed_before == 6
        with store_of(vault) as store:
            assert stored_in(store) < 1.05 * sum(len(content) for _, content in documents)


def stored_in(store: CaseStore) -> int:
    """Bytes of all packs."""
    return sum(path.stat().st_size for path in pack_paths(store))


def test_what_was_opened_is_on_the_medium_before_its_folder_has_its_name(sealed: str, tmp_path: Path) -> None:
    """Else a power cut could leave a folder that looks whole, with empty files."""
    program = (
        "import sys\n"
        "from tests.support.bundles import EDITOR\n"
        "from vault.opening import open_into_folder\n"
        "open_into_folder(sys.argv[1], [EDITOR.age], sys.argv[2], None, progress=lambda documents, size: None)\n"
    )
    calls = tmp_path / "calls"
    command = [need("strace"), "-f", "-o", str(calls), "-e", "trace=syncfs,rename,close"]
    subprocess.run([*command, sys.executable, "-c", program, sealed, str(tmp_path / "out")], check=True)
    told = calls.read_text()
    assert told.index("syncfs(") < told.index("rename(") == told.rindex("rename(")
    assert ".partial" in told[told.index("rename(") :].splitlines()[0]

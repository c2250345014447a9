# SPDX-License-Identifier: Apache-2.0
"""`export --volume-size` and `open` with the parts: what people at two desks see, type and get."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_stock_tools import stock_age, unseal
from tests.support.commands import LETTER, Desk
from tests.support.tools import need, need_hybrid_age

BIG = os.urandom(3_000_000)


@pytest.fixture
def sent(bundle: tuple[Desk, Desk, str]) -> tuple[Desk, Desk, Path, list[Path]]:
    """Parts of a bundle with a large document, in the editor's folder, in the order of their numbers."""
    one, editor, _ = bundle
    one.run("add", "Road works", one.write("video.mp4", BIG))
    folder = editor.home / "parts"
    words = ("export", "Road works", "-o", str(folder), "--to", "editor", "--volume-size", "1MiB", "--repair", "2")
    files = one.json(*words)["parts"]["files"]
    return one, editor, folder, [Path(file["file"]) for file in sorted(files, key=lambda file: file["number"])]


def test_export_says_how_many_parts_there_are_and_which_suffice(bundle: tuple[Desk, Desk, str]) -> None:
    one, _, _ = bundle
    one.run("add", "Road works", one.write("video.mp4", BIG))
    words = ("export", "Road works", "--to", "editor", "--volume-size", "1MiB")
    said = one.run(*words, "-o", str(one.home / "a"), "--repair", "2").out
    assert re.search(r"in 6 part\(s\) of \d+\.\d KiB each: any 4 of them are enough, in any order", said)
    assert "all of them are needed" in one.run(*words, "-o", str(one.home / "b")).out
    document = one.json(*words, "-o", str(one.home / "c"), "--repair", "1")
    parts = document["parts"]
    assert (document["file"], parts["data"], parts["repair"]) == (None, 4, 1)
    assert {file["number"] for file in parts["files"]} == {1, 2, 3, 4, 5}
    assert {Path(file["file"]).stat().st_size for file in parts["files"]} == {parts["part_bytes"]}
    assert parts["part_bytes"] <= 1 << 20
    assert document["bytes"] == 5 * parts["part_bytes"]
    assert sorted(file["file"] for file in parts["files"]) == sorted(map(str, (one.home / "c").iterdir()))


def test_the_editor_opens_the_folder_one_part_or_all_of_them(sent: tuple[Desk, Desk, Path, list[Path]]) -> None:
    _, editor, folder, files = sent
    files[1].unlink()
    ways = [[str(folder)], [str(files[4])], [*map(str, files[:1]), *map(str, files[2:])]]
    for number, way in enumerate(ways):
        opened = editor.json("open", *way, "-o", str(editor.home / f"out{number}"))
        assert opened["signer"]["trusted"]
        assert opened["parts"]["computed"] == opened["parts"]["missing"] == [2]
        assert opened["parts"]["left_out"] == []
        contents = {item["name"]: Path(item["path"]).read_bytes() for item in opened["items"]}
        assert contents == {"letter.txt": LETTER, "b.txt": b"content\n", "video.mp4": BIG}


def test_too_few_parts_are_named_nothing_is_written_and_more_parts_make_it_work(
    sent: tuple[Desk, Desk, Path, list[Path]],
) -> None:
    one, editor, _, files = sent
    kept = [files[number - 1].rename(one.home / f"{number}.age") for number in (1, 4, 6)]
    files[2].write_bytes(files[2].read_bytes()[:-100])
    said = editor.run("open", str(files[1].parent), "-o", str(editor.home / "out"), code=1).err
    assert "4 of 6 parts are missing: 1, 3, 4, 6" in said
    assert f"left out: {files[2]}: it was changed or cut off" in said
    assert "any 4 of the 6 are enough: put 2 more into the same folder" in said
    assert not list((editor.home / "out").glob("*"))
    for part in kept[:2]:
        part.rename(files[1].parent / part.name)
    opened = editor.run("open", str(files[1]), "-o", str(editor.home / "out"))
    assert "joined from 4 of 6 part(s)" in opened.out
    assert "computed from repair parts: 3" in opened.out


def test_parts_are_taken_into_a_case_also_when_one_turns_out_to_be_bad(
    sent: tuple[Desk, Desk, Path, list[Path]],
) -> None:
    _, editor, folder, files = sent
    editor.run("case", "new", "From home")
    content = bytearray(files[3].read_bytes())
    content[len(content) // 2] ^= 1
    files[3].write_bytes(content)
    taken = editor.json("open", str(folder), "--into", "From home")
    assert [out["file"] for out in taken["parts"]["left_out"]] == [str(files[3])]
    assert taken["parts"]["computed"] == [4]
    assert editor.run("get", "video.mp4", "-o", "-").stdout == BIG
    assert len(editor.json("list")["items"]) == 3
    editor.run("verify")


def test_what_cannot_be_meant_is_refused_before_anything_is_written(bundle: tuple[Desk, Desk, str]) -> None:
    one, _, _ = bundle
    words = ("export", "Road works", "-o", str(one.home / "parts"), "--to", "editor")
    for more in (
        ("--repair", "1"), ("--volume-size", "huge"), ("--volume-size", "10K"), ("--volume-size", "mail", "--force"),
        ("--volume-size", "1MiB", "--repair", "300"),
    ):  # fmt: skip
        one.run(*words, *more, code=2)
        assert not (one.home / "parts").exists()


def test_a_journalist_who_is_no_recipient_cannot_open_what_they_cut(
    sent: tuple[Desk, Desk, Path, list[Path]],
) -> None:
    one, _, folder, files = sent
    one.run("open", str(folder), "-o", str(one.home / "out"), code=2)
    said = one.run("open", str(files[0]), "-o", str(one.home / "out"), code=11).err
    assert "sealed for somebody else" in said


@pytest.mark.parametrize("tool", ["age-encryption", "age"])
def test_an_editor_with_age_and_tar_alone_joins_the_parts_as_the_document_says(
    bundle: tuple[Desk, Desk, str], tmp_path: Path, tool: str
) -> None:
    one, _, _ = bundle
    one.run("add", "Road works", one.write("video.mp4", BIG))
    folder = tmp_path / "parts"
    if tool == "age":
        age = need_hybrid_age()
        subprocess.run([age / "age-keygen", "-pq", "-o", "key.txt"], cwd=tmp_path, check=True, capture_output=True)
        recipient = (tmp_path / "key.txt").read_text().partition("public key: ")[2].split()[0]
    else:
        key = stock_age(generate="hybrid")
        recipient = key["recipient"]
    words = ("export", "Road works", "-o", str(folder), "--recipient", recipient, "--volume-size", "1MiB")
    files = one.json(*words)["parts"]["files"]
    decrypt, which, size, *join, unpack = commands_of_the_document()
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    if tool == "age":
        (folder / "key.txt").write_bytes((tmp_path / "key.txt").read_bytes())
        environment["PATH"] = f"{age}:{environment['PATH']}"
    else:
        decrypt = ":"
        for file in files:
            Path(file["file"]).with_suffix(".part").write_bytes(unseal(Path(file["file"]), key["identity"]))
    names = [Path(file["file"]).with_suffix(".part").name for file in sorted(files, key=lambda f: f["number"])]
    for program in ("tar", "head", "tail", "sed"):
        need(program)
    first, other = join
    script = [decrypt, which, size.replace("0011aabb.part", names[0]), first.replace("<part 1>", names[0])]
    script += [other.replace("<part 2>", name) for name in names[1:]]
    run = subprocess.run(
        ["sh", "-ec", "\n".join([*script, unpack])], cwd=folder, capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    assert sorted(run.stdout.split()[1::2]) == [f"{number:03}" for number in range(1, len(names) + 1)]
    (root,) = folder.glob("bundle-*")
    items = [json.loads(line.rstrip(",")) for line in (root / "metadata/items.json").read_text().splitlines()[1:-1]]
    assert {item["name"]: (root / item["path"]).read_bytes() for item in items}["video.mp4"] == BIG


def commands_of_the_document() -> list[str]:
    """What docs/format-bundle.md §10.4 tells to type."""
    page = (Path(__file__).resolve().parents[2] / "docs/format-bundle.md").read_text("utf-8")
    section = page.partition("### 10.4")[2].partition("### 10.5")[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [*lines, "tar -xf bundle.tar"]

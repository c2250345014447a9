# SPDX-License-Identifier: Apache-2.0
"""`parity` and `verify --repair` at the command line: what is mended, what is lost, and who has it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.cli_docs import documented_fields, fields_of
from tests.support.commands import Desk
from vault import layout


def packs(at: Desk) -> set[Path]:
    """The files of all packs."""
    return set(at.vault.glob(f"{layout.CASES}/*/{layout.PACKS}/*.age"))


def test_rot_is_mended_from_parity_and_what_has_none_is_named_with_who_has_it(
    bundle: tuple[Desk, Desk, str],
) -> None:
    """A case with parity comes back byte for byte; one without loses its document, and says in which bundle it is."""
    one, _, _ = bundle
    one.run("case", "new", "Second")
    before = packs(one)
    one.run("add", "Second", one.write("lost.txt", "lost"))
    one.run("export", "Second", "-o", str(one.home / "second.age"), "--to", "editor")
    (exported,) = [e for e in one.json("log", "Second")["events"] if e["event"] == "exported"]
    made = one.json("parity", "Road works")
    assert made["made"] > 0
    assert set(fields_of(made)) == documented_fields("parity")
    (lost, *_) = sorted(packs(one) - before, key=lambda path: path.stat().st_mtime_ns)
    whole = {path: path.read_bytes() for path in packs(one)}
    harmed = {path: held for path, held in whole.items() if (path.parents[1] / layout.PARITY).exists()}
    for path in [*harmed, lost]:
        path.write_bytes(whole[path][:100] + bytes([whole[path][100] ^ 1]) + whole[path][101:])
    assert "--repair" in one.run("verify", code=12).err
    document = one.json("verify", "--repair", code=12)
    assert {f"cases[].{name}" for name in document["cases"][0]} <= documented_fields("verify")
    assert {f for f in fields_of(document) if ".repair" in f} == {
        f for f in documented_fields("verify") if ".repair" in f
    }
    assert {path: path.read_bytes() for path in harmed} == harmed
    repairs = {case["case"]: case["repair"] for case in document["cases"]}
    assert len(repairs["Road works"]["mended"]) == len(harmed)
    assert repairs["Second"]["put_aside"] == [lost.stem]
    (gone,) = repairs["Second"]["lost"]
    assert gone["name"] == "lost.txt"
    assert exported["detail"].split()[1] in gone["elsewhere"][0]
    assert [name[:32] for name in os.listdir(lost.parents[1] / layout.QUARANTINE)] == [lost.stem]
    after = one.run("verify")
    assert "put aside" in after.out


def test_a_part_of_a_case_cannot_be_repaired(one: Desk) -> None:
    one.run("verify", "--repair", "--sample", "1", code=2)

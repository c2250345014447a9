# SPDX-License-Identifier: Apache-2.0
"""Make the vault that every later version must still read: `python tools/make_golden_vault.py tests/vectors/vault/1`.

To be run once for each version of the formats, and never again for that version: what it made stays as it is
(docs/format.md §11.3). Two journalists, two cases, small documents in blocks, a large one in pieces, a sparse one, one
content under two names, a document removed, packs put together, parity, an export and the receipt for it.

    vault.bin      what cannot be made from a seed: the bytes of all pieces, in the order of expected.json
    expected.json  the files and their pieces, the passphrases, and all that a reader must find

Bytes that mean nothing (the unused parts of the keyring, books and rosters of places that are free) are not kept: they
are SHAKE-256 of the file's path. So the keyring is drawn like that when it is made. The index is not kept either.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from keys import keyring
from keys.book import Contact
from keys.identity import Identity
from keys.layout import KEYRING_SIZE, SLOT_SIZE
from keys.primitives import Cost
from keys.receipt import seal_receipt
from keys.secret import Secret
from vault import abroad
from vault.cases import create_case, find_case, grant, list_cases, open_store
from vault.compacting import compact
from vault.disk import Disk
from vault.exporting import addressees, export
from vault.filing import add
from vault.founding import book_number, book_path, found, roster_path
from vault.opening import open_into_folder
from vault.protecting import protect
from vault.receipts import take
from vault.removing import remove
from vault.sources import About
from vault.vaults import LockedVault, Vault
from vault.version import VERSION
from vault.whereabouts import Where

COST = Cost(8, 1)
FIRST, SECOND = "Айгүл", "Бек"
PASSPHRASES = {FIRST: "correct horse battery", SECOND: "staple in another hand"}
START = 1_763_700_000 * 10**9
LETTERS, LEAK = "Каттар", "Leak 7"


def filler(path: str, size: int) -> bytes:
    """What stands for bytes that mean nothing."""
    return hashlib.shake_256(b"sandyk golden vault\0" + path.encode()).digest(size)


def main() -> int:
    """Make it, below the folder that is named; the exit code."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True)  # never over one that is there
    with tempfile.TemporaryDirectory() as scratch:
        folder = str(Path(scratch) / "vault")
        expected = work(Path(scratch), folder)
        kept, files = pieces_of(folder, expected.pop("in_use"))
        (out / "vault.bin").write_bytes(kept)
    document = {"made_by": VERSION, "sha256": hashlib.sha256(kept).hexdigest(), "files": files, **expected}
    (out / "expected.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def work(scratch: Path, folder: str) -> dict[str, Any]:
    """Found the vault and do in it what leaves each kind of file behind; what a reader must find."""
    keyring.create = lambda: filler("keyring", KEYRING_SIZE)
    disk, ticks = Disk(), itertools.count(START, 10**9)
    passphrases = {label: Secret(text.encode()) for label, text in PASSPHRASES.items()}
    found(folder, passphrases[FIRST], None, disk=disk, label=FIRST, now_ns=next(ticks), cost=COST, floor=COST)

    def unlock(label: str) -> Vault:
        return LockedVault.at(folder, disk=disk, floor=COST).unlock(passphrases[label], clock=lambda: next(ticks))

    sources = documents(scratch / "in")
    with unlock(FIRST) as vault:
        vault.add_journalist(SECOND, passphrases[SECOND])
        colleague = vault.roster().by_label(SECOND)
        assert colleague is not None
        grant(vault, create_case(vault, LETTERS), colleague.card, SECOND)
        file(vault, LETTERS, sources / "letters", About("жазуу\nof the letters", "источник", ("кат", "letter")))
        file(vault, LETTERS, sources / "copy.txt", About())
        case = find_case(vault, LETTERS)
        with open_store(vault, case) as store:
            gone = store.find("letters/taken back.txt")
        remove(vault, case, [gone], reason="the source took it back")
        receipt(vault, scratch)
        compact(vault, case)
        in_use = {book_path(folder, book_number(vault.opened)), roster_path(folder, vault.home[0])}
    with unlock(SECOND) as vault:
        create_case(vault, LEAK)
        file(vault, LEAK, sources / "large.log", About("", "", ("large",)))
        file(vault, LETTERS, sources / "later.bin", About())
        compact(vault, find_case(vault, LEAK))
        with open_store(vault, find_case(vault, LETTERS)) as store:
            protect(store, 5, disk=disk)
        in_use.add(book_path(folder, book_number(vault.opened)))
    seen = {}
    for label in PASSPHRASES:
        with unlock(label) as vault:
            seen[label] = told(vault)
    return {"passphrases": PASSPHRASES, "removed": gone.id.hex(), "journalists": seen, "in_use": in_use}


def documents(folder: Path) -> Path:
    """The files that are filed, each with times that are fixed."""
    lines = "".join(f"2026-03-{n % 28 + 1:02} кирди: 10.0.0.{n % 28}\n" for n in range(60_000))
    contents = {
        "letters/1.txt": "Кат: тинтүү 07:15те башталды\n".encode(),
        "letters/2.txt": "Кат: тинтүү 07:16да бүттү\n".encode() * 40,
        "letters/empty": b"",
        "letters/taken back.txt": b"what the source took back\n" * 20,
        "letters/sparse.img": b"boot" + bytes(3 << 20) + b"end",
        "copy.txt": "Кат: тинтүү 07:16да бүттү\n".encode() * 40,
        "large.log": lines.encode(),
        "later.bin": hashlib.shake_256(b"filed after the packs were put together").digest(2_000),
    }
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(START - 10**15, START - 10**15))
    return folder


def file(vault: Vault, case: str, path: Path, about: About) -> None:
    """What `sandyk add` does."""
    outcome = add(
        vault, case, [os.fsencode(path)], about=about, move=False, stdin=sys.stdin.buffer, stdin_name=b"-",
        progress=lambda documents, size: None,
    )  # fmt: skip
    assert outcome.filed and not outcome.problems


def receipt(vault: Vault, scratch: Path) -> None:
    """Export to an editor, who opens it and signs for it; the receipt is taken."""
    editor = Identity.decode(hashlib.shake_256(b"sandyk golden editor").digest(64))
    contact = Contact("редактор", editor.card(), vault.clock(), vault.clock())
    vault.change_book(lambda book: book.with_contact(contact))
    bundle, answer = str(scratch / "bundle.age"), scratch / "receipt.age"
    sent = ["letters/1.txt", "letters/2.txt"]
    export(vault, find_case(vault, LETTERS), sent, addressees(vault, ["редактор"]), bundle)
    opened = open_into_folder(bundle, [editor.age], str(scratch / "opened"), None, progress=lambda n, size: None)
    assert opened.tags is not None
    answer.write_bytes(
        seal_receipt(
            opened.tags.bundle_id, opened.tags.tag_manifest_sha256, [item.sha256 for item in opened.tags.items],
            vault.clock(), editor=editor, sender=vault.me.recipient,
        )
    )  # fmt: skip
    take(vault, str(answer))


def told(vault: Vault) -> dict[str, Any]:
    """All that a journalist sees."""
    cases = {}
    for case in list_cases(vault)[0]:
        with open_store(vault, case) as store:
            places = abroad.see(case, store).places
            cases[case.name] = {
                "id": case.id.hex(),
                "members": len(case.keys.members),
                "items": [
                    {"id": item.id.hex(), "name": item.name.decode(), "bytes": item.size, "sha256": item.sha256.hex(),
                     "mtime_ns": item.mtime_ns, "filed_ns": item.filed_ns, "note": item.note, "source": item.source,
                     "tags": list(item.tags), "origin": item.origin,
                     "where": places.get(item.id, Where.HERE).value}
                    for item in store.index.items()
                ],
                "custody": [
                    [row.event.at_ns, row.event.kind, [item.hex() for item in row.event.items], row.event.detail,
                     row.pack.author.hex()]
                    for row in store.index.events()
                ],
                "packs": sorted(pack.hex() for pack in store.index.pack_ids()),
                "replaced": sorted(pack.hex() for pack in store.index.replaced_ids()),
            }  # fmt: skip
    book = vault.book()
    return {
        "card": vault.me.card().fingerprint.hex(), "roster": [entry.label for entry in vault.roster().entries],
        "contacts": [[c.name, c.card.fingerprint.hex(), c.verified_ns is not None] for c in book.contacts],
        "cases": cases,
    }  # fmt: skip


def pieces_of(folder: str, in_use: set[str]) -> tuple[bytes, dict[str, Any]]:
    """The bytes to keep, and for each file its size and which of them are its own."""
    kept, files = bytearray(), {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.name.startswith("index"):
            continue
        content = path.read_bytes()
        means_nothing = path.parent.name in ("books", "rosters") and str(path) not in in_use
        stand_in = filler(name, len(content)) if means_nothing or name == "keyring" else b""
        pieces = [[0, len(content)]] if not stand_in else []
        if name == "keyring":
            starts = range(0, len(content), SLOT_SIZE)
            pieces = [[at, SLOT_SIZE] for at in starts if content[at : at + SLOT_SIZE] != stand_in[at : at + SLOT_SIZE]]
        for at, size in pieces:
            kept += content[at : at + size]
        files[name] = {"size": len(content), "pieces": [piece for piece in pieces if piece[1]]}
    return bytes(kept), files


if __name__ == "__main__":
    sys.exit(main())

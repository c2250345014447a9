# SPDX-License-Identifier: Apache-2.0
"""`python -m bench.searching`: how long a search takes in a case of many documents that were read.

Texts are made of word lists with the frequencies of a language (Zipf's law), filed by the program's own code and
remembered by the program's own code; what children would have read is given to it, and how fast they read is measured
on fewer. Beside it, in the same run: SQLite's FTS5 over the same texts, not encrypted and without anything else, and
`grep -r` over them as files. Asserts nothing about time, but that all find the same documents.
"""

from __future__ import annotations

import argparse
import random
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bench.measure import run
from bench.peers import SANDYK
from bench.scale import write_into
from keys.primitives import FLOOR
from keys.secret import Secret
from tests.support.newsroom import file, incoming
from vault.cases import Case, create_case, open_store
from vault.disk import Disk
from vault.extracting.answer import READ
from vault.founding import found
from vault.model import ItemId
from vault.query import parse
from vault.searching import search
from vault.store import CaseStore
from vault.text_files import texts_of
from vault.texts import Document, Text
from vault.vaults import LockedVault, Vault

BEGIN, END = "<!-- begin of figures of searching -->", "<!-- end of figures of searching -->"
DOCUMENTS, WORDS_EACH, READ_HERE, TIMES = 100_000, 300, 2_000, 7
CASE, PASSPHRASE = "Leak", "correct horse battery staple"
SHOWN = 50
"""Documents that a search shows, as the command does."""
_SYLLABLES = ("ба", "ве", "го", "ду", "жи", "зо", "ка", "лы", "ме", "ну", "ор", "пи", "ре", "су", "та", "уч", "фе",
              "ха", "ца", "шо", "эл", "юр", "як", "кы", "бүт", "жол", "өл", "тоң")  # fmt: skip
_BATCH = 2_000
"""Documents remembered in one transaction: here only filling is meant to be quick."""


@dataclass(frozen=True, slots=True)
class Row:
    """A query: what it is, what is typed, in how many documents it is, and seconds (median) by who answered."""

    what: str
    typed: str
    count: int
    seconds: dict[str, float]


def main() -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.searching", description=__doc__)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--words", type=int, default=WORDS_EACH, help="words in each document")
    parser.add_argument("--read", type=int, default=READ_HERE, help="documents that confined children read")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--work", type=Path, help="folder on the disk to measure")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also put the table into this page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sandyk-searching-", dir=arguments.work) as scratch:
        text = measure(Path(scratch), arguments.documents, arguments.words, arguments.read, arguments.times)
    print(text)
    if arguments.write:
        write_into(arguments.write, text, (BEGIN, END))
    return 0


def vocabulary() -> list[str]:
    """Words from frequent to rare: Cyrillic ones made of syllables, and between them the words of passphrases."""
    rng = random.Random(1)
    english = (files("keys") / "data/eff_large_wordlist.txt").read_text().split()[1::2]
    made = {"".join(rng.choices(_SYLLABLES, k=rng.randrange(1, 5))) for _ in range(60_000)}
    mixed = sorted(made) + english
    rng.shuffle(mixed)
    return mixed


def documents(count: int, words_each: int) -> Iterator[str]:
    """Texts in which the n-th word of the vocabulary is as frequent as 1/n; a few hold a word of their own."""
    rng, known = random.Random(2), vocabulary()
    weights = [1 / n for n in range(1, len(known) + 1)]
    for n in range(count):
        words = rng.choices(known, weights, k=words_each)
        if n % 1000 == 7:
            words[n % words_each] = "кашкарбаева"
        yield " ".join(words)


def measure(work: Path, count: int, words_each: int, read: int, times: int) -> str:
    """Fill a vault, a plain index and a folder with the same texts, and ask all of them."""
    folder, secret = str(work / "vault"), Secret(PASSPHRASE.encode())
    found(folder, secret, None, disk=Disk(), label="Leak", now_ns=time.time_ns(), cost=FLOOR)
    (work / "pass").write_text(PASSPHRASE + "\n")
    (work / "plain").mkdir()
    peer = sqlite3.connect(work / "peer.db")
    peer.execute("CREATE VIRTUAL TABLE words USING fts5(body, tokenize='unicode61 remove_diacritics 0')")
    with LockedVault.at(folder, disk=Disk()).unlock(secret) as vault:
        case = create_case(vault, CASE)
        filled = _fill(vault, case, peer, work / "plain", count, words_each)
        rows = _ask(vault, case, peer, work, times)
        sizes = {"texts": _size(work, case), "peer": (work / "peer.db").stat().st_size}
    rate = _read(work, read, words_each) if read else 0.0
    return table(rows, count, filled, sizes, rate)


def _fill(
    vault: Vault, case: Case, peer: sqlite3.Connection, plain: Path, count: int, words_each: int
) -> dict[str, float]:
    """Bytes of text, and the seconds that filing, our texts and the peer's took."""
    taken = {"bytes": 0.0, "filing": 0.0, "texts": 0.0, "peer": 0.0}
    with open_store(vault, case) as store:
        texts = texts_of(store, vault.device_secret, create=True)
        assert texts is not None
        whole = documents(count, words_each)
        for start in range(0, count, _BATCH):
            bodies = [body for _, body in zip(range(min(_BATCH, count - start)), whole, strict=False)]
            taken["bytes"] += sum(len(body.encode()) for body in bodies)
            names = [f"папка/{start + n:06}.txt" for n in range(len(bodies))]
            items = _timed(taken, "filing", lambda names=names, bodies=bodies: _filed(store, names, bodies))
            read = [
                Text(Document(item, READ, "text", "", "bench"), name, body)
                for item, name, body in zip(items, names, bodies, strict=True)
            ]
            _timed(taken, "texts", lambda read=read: texts.remember(read))
            _timed(taken, "peer", lambda bodies=bodies: _remember(peer, bodies))
            for name, body in zip(names, bodies, strict=True):
                path = plain / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(body)
        texts.close()
    return taken


def _filed(store: CaseStore, names: Sequence[str], bodies: Sequence[str]) -> list[ItemId]:
    done = file(store, [incoming(n.encode(), b.encode()) for n, b in zip(names, bodies, strict=True)])
    by_name = {one.incoming.name: one.item for one in done.filed}
    return [ItemId(by_name[name.encode()] or b"") for name in names]


def _remember(peer: sqlite3.Connection, bodies: Sequence[str]) -> None:
    with peer:
        peer.executemany("INSERT INTO words(body) VALUES(?)", [(body,) for body in bodies])


def _timed(taken: dict[str, float], name: str, act: Callable[[], object]) -> object:
    start = time.perf_counter()
    done = act()
    taken[name] += time.perf_counter() - start
    return done


def _queries() -> tuple[tuple[str, list[str]], ...]:
    known = vocabulary()
    return (
        ("a rare word", ["кашкарбаева"]),
        ("a word in some documents", [known[3_000]]),
        ("a common word", [known[2]]),
        ("three common words", [known[1], known[3], known[5]]),
        ("a phrase", [f"{known[0]} {known[1]}"]),
        ("the beginning of many words", [known[40][:3]]),
        ("nothing", ["такогонетнигде"]),
    )


def _ask(vault: Vault, case: Case, peer: sqlite3.Connection, work: Path, times: int) -> list[Row]:
    rows = []
    runtime = tempfile.mkdtemp(prefix="s-")  # the name of a socket has room for a short path only
    environment = {"XDG_RUNTIME_DIR": runtime}
    at_vault = f"--vault {shlex.quote(str(work / 'vault'))}"
    sandyk = shlex.quote(str(SANDYK))
    run(f"{sandyk} unlock {at_vault} --passphrase-file {shlex.quote(str(work / 'pass'))}", environment)
    try:
        for what, typed in _queries():
            query = parse(typed)
            match = query.match
            assert match is not None
            count = sum(1 for _ in peer.execute("SELECT rowid FROM words WHERE words MATCH ?", (match,)))
            words = " ".join(map(shlex.quote, typed))
            whole = f"{sandyk} search {words} {at_vault} --json > /dev/null"
            pattern = "|".join(" ".join(row) for term in query.terms for row in term.spellings)
            answers: dict[str, Callable[[], object]] = {
                "open vault": lambda query=query: search(vault, [case], query, limit=SHOWN),
                "whole command": lambda whole=whole: run(whole, environment),
                "FTS5 alone": lambda match=match: peer.execute(
                    "SELECT rowid, body FROM words WHERE words MATCH ? LIMIT ?", (match, SHOWN)
                ).fetchall(),
                "grep": lambda pattern=pattern: subprocess.run(
                    ["grep", "-rlE", pattern, str(work / "plain")], stdout=subprocess.DEVNULL, check=False
                ),
            }
            seconds: dict[str, list[float]] = {who: [] for who in answers}
            for turn in range(times):
                for who, answer in answers.items():
                    if who == "grep" and turn:
                        continue  # once is enough of what takes seconds
                    start = time.perf_counter()
                    answer()
                    seconds[who].append(time.perf_counter() - start)
            assert len(search(vault, [case], query, limit=count + SHOWN).hits) == count, typed
            rows.append(Row(what, " ".join(typed), count, {who: _median(all_) for who, all_ in seconds.items()}))
    finally:
        run(f"{sandyk} lock {at_vault}", environment)
        shutil.rmtree(runtime)
    return rows


def _read(work: Path, count: int, words_each: int) -> float:
    """Documents in a second that `sandyk index` reads, from their packs to their words; starting it included."""
    folder = work / "fresh"
    folder.mkdir()
    for n, body in enumerate(documents(count, words_each)):
        (folder / f"{n:06}.txt").write_text(body)
    where = f"--vault {shlex.quote(str(work / 'vault'))} --passphrase-file {shlex.quote(str(work / 'pass'))}"
    sandyk = shlex.quote(str(SANDYK))
    run(f"{sandyk} case new Fresh {where} && {sandyk} add Fresh {shlex.quote(str(folder))} {where} > /dev/null")
    return count / run(f"{sandyk} index Fresh {where} > /dev/null").wall


def _size(work: Path, case: Case) -> int:
    return sum(path.stat().st_size for path in (work / "vault/cases" / case.id.hex()).glob("text*"))


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def table(rows: Sequence[Row], count: int, filled: dict[str, float], sizes: dict[str, int], rate: float) -> str:
    """In Markdown."""
    who = list(rows[0].seconds)
    lines = [
        f"{count:,} documents with {filled['bytes'] / 1e6:,.0f} MB of text. Milliseconds, median; the first {SHOWN} "
        "documents of those that have it, with the place in each.",
        "",
        f"| looked for | in documents | {' | '.join(who)} | open vault / FTS5 alone |",
        "|---|" + "--:|" * (len(who) + 2),
    ]
    for row in rows:
        cells = " | ".join(f"{row.seconds[one] * 1000:,.1f}" for one in who)
        ratio = row.seconds["open vault"] / row.seconds["FTS5 alone"]
        lines.append(f"| {row.what} | {row.count:,} | {cells} | {ratio:.1f} |")
    lines += [
        "",
        f"The file of texts takes {sizes['texts'] / 1e6:,.0f} MB, FTS5's with the texts in clear "
        f"{sizes['peer'] / 1e6:,.0f} MB, and {filled['texts'] / filled['peer']:.1f} times as long to fill. "
        f"`sandyk index` read {rate:,.0f} such documents a second.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

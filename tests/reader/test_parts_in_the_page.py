# SPDX-License-Identifier: Apache-2.0
"""Bundles in parts: the page joins what the program joins without repair parts, and says what is missing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys import age
from keys.errors import NoMatch
from tests.reader.test_page import KEY, ONLY_DOWNLOADS
from tests.support import bundles
from tests.support.browser import Browser, everywhere
from tests.support.bundles import EDITOR, OTHER, SENDER
from tests.support.commands import LETTER, desk
from tests.support.partition import a_bundle, forged, found, join, seal_part, terms_of, write
from vault.errors import BadInput, DamagedBundle, PartsMissing

DATA, REPAIR = 3, 2
OPENED = ""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Browser]:
    """One page for all of them."""
    browser.open_page()
    yield browser
    browser.quiet()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The parts of a signed bundle by their numbers, three with data and two for repair."""
    folder = tmp_path_factory.mktemp("set")
    return {part.number: Path(part.path) for part in write(folder, a_bundle(6), DATA, REPAIR).parts}


def refused(page: Browser, reason: str, *paths: Path) -> str:
    """What the page says when it opens none of these."""
    outcome = page.try_files(paths, KEY)
    assert outcome.reason == reason, outcome.text
    assert page.do("count", at="#documents") == 0
    return outcome.text


def opened(page: Browser, *paths: Path) -> str:
    outcome = page.try_files(paths, KEY)
    assert outcome.reason == OPENED, outcome.text
    assert page.do("texts", at="#words li") == list(SENDER.card().words)
    assert page.do("count", at="#documents > li") == len(bundles.DOCUMENTS) + 1
    return outcome.text


@everywhere
@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 5, 1, 4, 3), (1, 1, 2, 3)])
def test_all_data_parts_open_in_any_order(
    page: Browser, written: dict[int, Path], tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Also with repair parts among them, which are not needed, and with one part twice."""
    paths = []
    for place, number in enumerate(order):
        paths.append(tmp_path / f"{place}.age")
        paths[-1].write_bytes(written[number].read_bytes())
    assert "Files that you chose" not in opened(page, *paths)


@everywhere
def test_a_document_out_of_parts_is_saved(browser: Browser, written: dict[int, Path], tmp_path: Path) -> None:
    browser.open_page(before=ONLY_DOWNLOADS)
    opened(browser, written[2], written[3], written[1])
    browser.do("click", at="#documents > li:nth-child(5) button")
    (name,) = browser.do("downloads", folder=str(tmp_path / "saved"))
    assert (tmp_path / "saved" / name).read_bytes() == bundles.DOCUMENTS[4][1]
    browser.do("wait", at="#result [role=status] .good")
    browser.quiet()
    browser.open_page()


@everywhere
def test_a_missing_part_is_named_by_its_number(page: Browser, written: dict[int, Path]) -> None:
    text = refused(page, "parts-missing", written[1], written[3])
    assert "Needed are the parts 1 to 3. Missing: 2." in text
    assert "any 3 of all 5 are enough" in text
    assert "Missing: 1, 3." in refused(page, "parts-missing", written[2])
    assert "Missing: 1, 2, 3." in refused(page, "parts-missing", written[4])


@everywhere
def test_with_enough_repair_parts_it_says_which_program_mends_it(page: Browser, written: dict[int, Path]) -> None:
    text = refused(page, "parts-missing", written[1], written[3], written[5])
    assert "the program sandyk can make up what is missing: sandyk open" in text
    assert join(found(written[1], written[3], written[5]))  # which is true


def test_without_repair_parts_it_does_not_speak_of_mending(page: Browser, tmp_path: Path) -> None:
    parts = write(tmp_path, a_bundle(), 2).parts
    text = refused(page, "parts-missing", Path(parts[1].path))
    assert "Missing: 1." in text
    assert "repair" not in text


def test_a_bundle_in_a_single_part_opens(page: Browser, tmp_path: Path) -> None:
    (part,) = write(tmp_path, a_bundle(), 1).parts
    opened(page, Path(part.path))


@everywhere
@pytest.mark.parametrize("at", [-1, -400, -70_000, 5000])
def test_a_damaged_part_counts_as_missing_unless_it_is_there_twice(
    page: Browser, written: dict[int, Path], tmp_path: Path, at: int
) -> None:
    sealed = bytearray(written[2].read_bytes())
    sealed[at] ^= 1
    bad = tmp_path / "bad.age"
    bad.write_bytes(sealed)
    text = refused(page, "parts-missing", written[1], bad, written[3])
    assert "Missing: 2." in text
    assert "bad.age: was changed or cut off" in text
    for order in ((bad, written[2]), (written[2], bad)):
        opened(page, written[1], *order, written[3])


def test_a_part_with_an_exchanged_content_counts_as_missing(
    page: Browser, written: dict[int, Path], tmp_path: Path
) -> None:
    """By somebody it was sealed to, who kept the trailer: the digest shows it, whatever the content says."""
    for number in (1, 2, 3):
        plaintext = bytearray(age.unseal(written[number].read_bytes(), [EDITOR.age], limit=1 << 24))
        for place in (700, len(plaintext) // 2):  # in the first part: a header of the tar
            other = bytearray(plaintext)
            other[place] ^= 1
            bad = seal_part(tmp_path / "bad.age", bytes(other))
            text = refused(page, "parts-missing", *(bad if n == number else written[n] for n in (1, 2, 3)))
            assert f"Missing: {number}." in text
            assert "bad.age: was changed or cut off, or its content was exchanged" in text


def test_what_is_no_part_is_named_and_left_out(page: Browser, written: dict[int, Path], tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_bytes(b"a letter")
    foreign = tmp_path / "foreign.age"
    foreign.write_bytes(bundles.seal(recipients=[OTHER.recipient])[0])
    text = opened(page, letter, written[1], written[2], foreign, written[3])
    assert "Files that you chose and that were left out" in text
    assert "letter.txt: is no part of a bundle" in text
    assert "foreign.age: is sealed for other keys" in text


def test_several_files_that_are_not_one_bundle_are_refused(
    page: Browser, written: dict[int, Path], tmp_path: Path
) -> None:
    whole = tmp_path / "whole.age"
    whole.write_bytes(bundles.SIGNED)
    assert "whole.age: is no part of a bundle" in refused(page, "no-parts", whole, whole)
    other = Path(write(tmp_path / "other", a_bundle(), 1).parts[0].path)
    assert "parts of more than one bundle" in refused(page, "no-parts", *written.values(), other)


def reason_of_the_program(paths: list[Path]) -> str:
    """What the program says of these files, in the page's words."""
    try:
        bundles.read_all(bundles.TarBundleReader(_Stream(join(found(*paths))), own=[EDITOR.recipient.raw]))
    except PartsMissing:
        return "parts-missing"
    except BadInput:
        return "no-parts"
    except NoMatch:
        return "no-match"
    except DamagedBundle:
        return "damaged"
    return OPENED


class _Stream:
    def __init__(self, content: bytes) -> None:
        self._left = content

    def read(self, size: int, /) -> bytes:
        taken, self._left = self._left[:size], self._left[size:]
        return taken


TAR = a_bundle()
BODY = 2 * 65_536
BODIES = (TAR[:BODY], TAR[BODY:].ljust(BODY, b"\0"))


@pytest.mark.parametrize(
    "changes",
    [{}, {"data": 3}, {"data": 0}, {"repair": 255}, {"repair": 254}, {"body": 65_536}, {"body": BODY + 65_536},
     {"tar": len(TAR) + 1}, {"tar": 1 << 18}, {"tar": 0}, {"number": 0}, {"number": 3}, {"sha256": 1}],
    ids=str,
)  # fmt: skip
def test_a_trailer_whose_numbers_cannot_be_is_judged_as_by_the_program(
    page: Browser, tmp_path: Path, changes: dict[str, int]
) -> None:
    """By a sender who signs it so; alone, and with the other part."""
    terms = terms_of(2, 0, len(TAR))
    numbers = {name: value for name, value in changes.items() if name not in ("number", "sha256")}
    digest = bytes(32) if "sha256" in changes else b""
    one = seal_part(tmp_path / "1.age", forged(terms, changes.get("number", 1), BODIES[0], sha256=digest, **numbers))
    assert page.try_files([one], KEY).reason == reason_of_the_program([one])
    two = seal_part(tmp_path / "2.age", forged(terms, 2, BODIES[1]))
    assert page.try_files([one, two], KEY).reason == reason_of_the_program([one, two])


@pytest.mark.parametrize("at", range(-327, 0, 9))
def test_another_byte_in_a_trailer_is_refused(page: Browser, tmp_path: Path, at: int) -> None:
    plaintext = bytearray(forged(terms_of(1, 0, len(TAR)), 1, TAR))
    plaintext[at] ^= 1
    path = seal_part(tmp_path / "x.age", bytes(plaintext))
    refused(page, "damaged", path)


def test_two_parts_of_one_number_contradict_each_other(page: Browser, tmp_path: Path) -> None:
    terms = terms_of(2, 0, len(TAR))
    one = seal_part(tmp_path / "1.age", forged(terms, 1, BODIES[0]))
    two = seal_part(tmp_path / "2.age", forged(terms, 2, BODIES[1]))
    other = seal_part(tmp_path / "other.age", forged(terms, 2, BODIES[0]))
    opened(page, one, two)
    text = refused(page, "parts-missing", one, two, other)
    assert text.count("has the same number as another part, and another content") == 2


def test_something_hidden_behind_the_tar_is_refused(page: Browser, tmp_path: Path) -> None:
    """In the NULs that fill the last part."""
    tar = a_bundle(5)
    terms = terms_of(2, 0, len(tar))
    assert len(tar) < 2 * terms.body
    body = tar[terms.body :].ljust(terms.body - 1, b"\0") + b"x"
    paths = [seal_part(tmp_path / "1.age", forged(terms, 1, tar[: terms.body])),
             seal_part(tmp_path / "2.age", forged(terms, 2, body))]  # fmt: skip
    assert page.try_files(paths, KEY).reason == reason_of_the_program(paths) == "damaged"


def test_parts_that_hold_no_bundle_are_damaged(page: Browser, tmp_path: Path) -> None:
    junk = b"x" * (1 << 18)
    path = seal_part(tmp_path / "x.age", forged(terms_of(1, 0, len(junk)), 1, junk))
    refused(page, "damaged", path)


DROP = """(contents) => {
  const dropped = new DataTransfer()
  contents.forEach((content, i) => dropped.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))],
    `${i}.age`)))
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }))
  return document.getElementById("file").files.length
}"""


@everywhere
def test_files_can_be_dropped_anywhere_on_the_page(page: Browser, written: dict[int, Path]) -> None:
    contents = [base64.b64encode(written[number].read_bytes()).decode() for number in (3, 2, 1)]
    assert page.do("evaluate", script=f"({DROP})({json.dumps(contents)})") == 3
    page.do("check", at="input[value=paste]")
    page.do("fill", at="#key-text", text=KEY)
    assert page.outcome().reason == OPENED


def test_what_the_command_exports_in_parts_opens_with_the_page(page: Browser, tmp_path: Path) -> None:
    """Signed by the newsroom."""
    one = desk(tmp_path)
    one.run("case", "new", "Road works")
    one.write("letter.txt", LETTER)
    one.write("film.bin", bytes(range(256)) * 10_000)
    one.run("add", "Road works", str(one.home / "letter.txt"), str(one.home / "film.bin"))
    words = ("export", "Road works", "--recipient", str(EDITOR.recipient), "--as", "newsroom")
    one.run(*words, "-o", str(tmp_path / "parts"), "--volume-size", "1MiB", "--repair", "1")
    parts = sorted((tmp_path / "parts").iterdir())
    assert len(parts) == 4
    outcome = page.try_files(parts, KEY)
    assert outcome.reason == OPENED, outcome.text
    assert "letter.txt" in outcome.text
    assert "Any member of the case can sign so" in outcome.text

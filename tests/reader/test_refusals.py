# SPDX-License-Identifier: Apache-2.0
"""What the program's own reader refuses, the page refuses, for the same reason: two judges of one format."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys import age, sshsig
from keys.errors import NoMatch
from tests.support.browser import Browser, everywhere
from tests.support.bundles import (
    DOCUMENTS,
    DROP_PLAIN,
    EDITOR,
    OTHER,
    SENDER,
    SIGNED,
    SIGNED_PLAIN,
    hostile,
    read_all,
    retag,
    rewritten,
    seal,
)
from tests.vault.test_bundle_refusals import CHANGES_BY_A_HOSTILE_SENDER
from vault import bundle_layout as layout
from vault.bundle import BundleReader
from vault.bundle_reader import DamagedSeal, NotABundle
from vault.errors import BrokenSignature, DamagedBundle, NewerFormat, Resealed
from vault.padding import padme
from vault.tar import TarWriter

KEY = EDITOR.age.encode().expose().decode()
OPENED = ""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Browser]:
    """One page for all of them: what it refuses leaves nothing behind that the next would see."""
    browser.open_page()
    yield browser
    browser.quiet()


def reason_of_the_program(sealed: bytes) -> str:
    """What the program's reader says of a file, in the page's words."""
    if not sealed.startswith(b"age-encryption.org/v1\n"):
        return "no-age"
    try:
        read_all(BundleReader(io.BytesIO(sealed), [EDITOR.age]))
    except NoMatch:
        return "no-match"
    except DamagedSeal:
        return "changed"
    except NotABundle:
        return OPENED  # as a file that is no bundle
    except Resealed:
        return "resealed"
    except BrokenSignature:
        return "signature"
    except NewerFormat:
        return "newer"
    except DamagedBundle:
        return "damaged"
    return OPENED


def sealed_for_editor(plaintext: bytes) -> bytes:
    return age.seal(plaintext, [EDITOR.recipient])


def expect(page: Browser, folder: Path, sealed: bytes, reason: str | None = None) -> None:
    """Both judges say the same; of what is refused, the page shows no name and no note."""
    file = folder / "x.age"
    file.write_bytes(sealed)
    outcome = page.try_file(file, KEY)
    assert outcome.reason == reason_of_the_program(sealed), outcome.text
    if reason is not None:
        assert outcome.reason == reason, outcome.text
    if outcome.reason:
        assert "протокол" not in page.do("text", at="body")
        assert page.do("count", at="#documents") == 0


@pytest.mark.parametrize("what", CHANGES_BY_A_HOSTILE_SENDER)
def test_a_sender_who_signs_nonsense_is_refused_for_the_same_reason(page: Browser, tmp_path: Path, what: str) -> None:
    expect(page, tmp_path, sealed_for_editor(hostile(CHANGES_BY_A_HOSTILE_SENDER[what])))


def test_a_bundle_of_a_later_format_is_named_as_that(page: Browser, tmp_path: Path) -> None:
    for number in (b"2", b"10"):

        def of_later(files: dict[str, bytes], number: bytes = number) -> None:
            files["bag-info.txt"] = files["bag-info.txt"].replace(b"Format: 1", b"Format: " + number)

        expect(page, tmp_path, sealed_for_editor(hostile(of_later)), "newer")


@everywhere
def test_what_both_judges_open(page: Browser, tmp_path: Path) -> None:
    """So that the refusals are for what was changed."""
    for plaintext in (SIGNED_PLAIN, DROP_PLAIN, hostile(lambda files: None)):
        expect(page, tmp_path, sealed_for_editor(plaintext), OPENED)
        assert page.do("count", at="#documents > li") == len(DOCUMENTS)
    several = seal(recipients=[EDITOR.recipient, OTHER.recipient, SENDER.recipient])[0]
    expect(page, tmp_path, several, OPENED)
    assert "and 2 more" in page.do("text", at="#result")


def test_a_time_stamp_is_said_to_be_there_and_unchecked(page: Browser, tmp_path: Path) -> None:
    """And without a signature that it could be over, it is refused."""

    def stamp(files: dict[str, bytes]) -> None:
        files[layout.TIMESTAMP] = b"what a server is said to have answered"

    expect(page, tmp_path, sealed_for_editor(hostile(stamp)), OPENED)
    assert "It has a time stamp, which this page does not check." in page.do("text", at="#result")
    expect(page, tmp_path, sealed_for_editor(hostile(lambda files: None)), OPENED)
    assert "time stamp" not in page.do("text", at="#result")
    expect(page, tmp_path, sealed_for_editor(hostile(stamp, DROP_PLAIN, None)), "damaged")


@everywhere
def test_a_zip_is_called_one(page: Browser, tmp_path: Path) -> None:
    file = tmp_path / "00112233.zip"
    file.write_bytes(b"PK\3\4" + bytes(100))
    outcome = page.try_file(file, KEY)
    assert outcome.reason == "zip"
    assert "a program such as 7-Zip opens it" in outcome.text


def with_events(*events: bytes) -> bytes:
    def change(files: dict[str, bytes]) -> None:
        files[layout.CUSTODY] = b"".join(b'{"item":1,"event":%s}\n' % event for event in events)

    return sealed_for_editor(hostile(change))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (b"{}", OPENED),
        (b'{"a":[[[1]]]}', OPENED),
        (b'{"a":[[[[1]]]]}', "damaged"),
        (b'{"a":[%s]}' % b",".join([b"1"] * 198), OPENED),
        (b'{"a":[%s]}' % b",".join([b"1"] * 199), "damaged"),
        (b'{"a":"%s"}' % ("𐍈".encode() * 79_999), OPENED),
        (b'{"a":"%s"}' % ("𐍈".encode() * 80_000), "damaged"),
        (b'{"a":9223372036854775807,"b":-9223372036854775807}', OPENED),
        (b'{"a":9223372036854775808}', "damaged"),
        (b'{"a":-0}', "damaged"),
        (b'{"a":1e3}', "damaged"),
        (b'{"a":true,"a":true}', "damaged"),
        (b'{"__proto__":{"x":null},"constructor":"y"}', OPENED),
        (b'{"2":1,"1":2}', OPENED),
        (b'{"a": 1}', "damaged"),
        (b'{"a":"\\/"}', "damaged"),
        (b'{"a":"\\u00E9"}', "damaged"),
        (b'{"a":"\\u202e\\n"}', OPENED),
        (b"[]", "damaged"),
        (b"null", "damaged"),
    ],
)
def test_a_custody_event_is_judged_alike(page: Browser, tmp_path: Path, event: bytes, reason: str) -> None:
    expect(page, tmp_path, with_events(event), reason)


@everywhere
@pytest.mark.parametrize("at", [0, 30, 200, 1700, -1, -40_000, -70_000, -170_000, -262_000])
def test_a_flipped_byte_is_found_wherever_it_is(page: Browser, tmp_path: Path, at: int) -> None:
    flipped = bytearray(SIGNED)
    flipped[at] ^= 1
    file = tmp_path / "x.age"
    file.write_bytes(flipped)
    outcome = page.try_file(file, KEY)
    assert outcome.reason in ({"changed", "no-match", "no-age"} if 0 <= at < 3500 else {"changed"})


@pytest.mark.parametrize("size", [0, 10, 100, 3000, 66_000, 131_000, len(SIGNED) - 1, len(SIGNED) - 65_552])
def test_a_file_that_was_cut_off_is_refused(page: Browser, tmp_path: Path, size: int) -> None:
    expect(page, tmp_path, SIGNED[:size])


def test_bytes_behind_the_end_are_refused(page: Browser, tmp_path: Path) -> None:
    for more in (b"x", bytes(65_552)):
        expect(page, tmp_path, SIGNED + more, "changed")


@everywhere
def test_a_bundle_for_others_is_told_from_a_damaged_one(page: Browser, tmp_path: Path) -> None:
    expect(page, tmp_path, seal(recipients=[OTHER.recipient])[0], "no-match")


@everywhere
def test_a_bundle_that_somebody_passed_on_is_found_out(page: Browser, tmp_path: Path) -> None:
    """Sealed for another, and sealed again for us by whoever opened it, with the sender's signature whole."""
    for_other = age.unseal(seal(recipients=[OTHER.recipient])[0], [OTHER.age], limit=1 << 24)
    expect(page, tmp_path, sealed_for_editor(for_other), "resealed")


@everywhere
@pytest.mark.parametrize("missing", [*layout.SIGNED_WITH, "Sealed-By"])
def test_a_half_signed_bundle_is_refused(page: Browser, tmp_path: Path, missing: str) -> None:
    """Taking one signature off makes neither a drop nor a bundle that is signed less well."""

    def change(files: dict[str, bytes]) -> None:
        if missing == "Sealed-By":
            lines = files[layout.bagit.INFO_NAME].splitlines(keepends=True)
            files[layout.bagit.INFO_NAME] = b"".join(line for line in lines if not line.startswith(b"Sealed-By"))
        retag(files, SENDER)
        files.pop(missing, None)
        if missing in (layout.CARD, layout.MLDSA_KEY):
            retag(files, SENDER)

    expect(page, tmp_path, sealed_for_editor(rewritten(SIGNED_PLAIN, change)), "damaged")


@everywhere
def test_a_signature_that_is_not_the_named_senders_over_this_bundle_is_refused(page: Browser, tmp_path: Path) -> None:
    def over_something_else(files: dict[str, bytes]) -> None:
        files[layout.SIGNATURE] = sshsig.sign(b"other", layout.NAMESPACE, SENDER.signing_seed).encode()

    def for_another_purpose(files: dict[str, bytes]) -> None:
        signature = sshsig.sign(files[layout.TAG_MANIFEST], "file", SENDER.signing_seed)
        files[layout.SIGNATURE] = signature.encode()

    def in_another_spelling(files: dict[str, bytes]) -> None:
        files[layout.SIGNATURE] = files[layout.SIGNATURE].replace(b"\n", b"\r\n")

    def second_over_something_else(files: dict[str, bytes]) -> None:
        files[layout.MLDSA_SIGNATURE] = SENDER.sign_mldsa(b"other", layout.NAMESPACE)

    def second_flipped(files: dict[str, bytes]) -> None:
        signature = bytearray(files[layout.MLDSA_SIGNATURE])
        signature[100] ^= 1
        files[layout.MLDSA_SIGNATURE] = bytes(signature)

    first = (over_something_else, for_another_purpose, in_another_spelling)
    for change in (*first, second_over_something_else, second_flipped):
        expect(page, tmp_path, sealed_for_editor(rewritten(SIGNED_PLAIN, change)), "signature")
    expect(page, tmp_path, sealed_for_editor(hostile(lambda files: None, signer=OTHER)), "signature")


@everywhere
def test_documents_that_are_not_as_described_are_refused(page: Browser, tmp_path: Path) -> None:
    """The same items and the same signature; another digest, a missing, a surplus, an exchanged document."""
    for change in (
        lambda f: f.update({"data/0005/name.txt": b"TWO"}),
        lambda f: f.update({"data/0005/name.txt": b"two "}),
        lambda f: f.pop("data/0005/name.txt"),
        lambda f: f.update({"data/0006/more": b""}),
        lambda f: f.update({"data/0004/name.txt": f.pop("data/0004/name.txt")}),
        lambda f: f.update({"late.txt": b""}),
        lambda f: [f.pop(name) for name in list(f) if name.startswith("data/")],
    ):
        expect(page, tmp_path, sealed_for_editor(rewritten(SIGNED_PLAIN, change)), "damaged")


def test_padding_that_is_wrong_is_refused(page: Browser, tmp_path: Path) -> None:
    for plaintext in (SIGNED_PLAIN + bytes(512), SIGNED_PLAIN + bytes(1 << 18), SIGNED_PLAIN[:-1] + b"x"):
        expect(page, tmp_path, sealed_for_editor(plaintext), "damaged")


@pytest.mark.parametrize(
    "path", ["data/0003/CON", "data/3/empty_", "data/0009/empty_", "data/0003/a/b", "data/0003/a:b", "data/0003/a.",
             "data/0003/a\u202etxt.exe", "data/0003/com¹", "data/0003/conın$"]
)  # fmt: skip
def test_a_dangerous_path_is_refused_also_when_everything_agrees_on_it(
    page: Browser, tmp_path: Path, path: str
) -> None:
    def change(files: dict[str, bytes]) -> None:
        for name in (layout.ITEMS, layout.MANIFEST):
            files[name] = files[name].replace(b"data/0003/empty_", path.encode())
        if "data/0003/empty_" in files:
            moved = {path if name == "data/0003/empty_" else name: content for name, content in files.items()}
            files.clear()
            files.update(moved)

    expect(page, tmp_path, sealed_for_editor(hostile(change)), "damaged")


def tar_of(*members: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    tar = TarWriter(sink)
    tar._names.add = lambda path: None  # type: ignore[method-assign]  # a writer without scruples
    for path, content in members:
        tar.add(path, len(content))
        tar.write(content)
    tar.finish(lambda size: padme(size, least=layout.LEAST_PLAINTEXT))
    return sink.getvalue()


BAGIT = ("bundle-00112233/bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")


@pytest.mark.parametrize(
    "members",
    [
        (BAGIT, BAGIT),
        (BAGIT, ("bundle-00112233/metadata/a", b""), ("bundle-00112233/metadata/a/b", b"")),
        (BAGIT, ("bundle-00112233/BAGIT.txt", b"")),
        (BAGIT, ("bundle-99999999/bag-info.txt", b"")),
        (BAGIT, ("bundle-00112233/metadata/" + "ы" * 60, b"")),
        (BAGIT, *((f"bundle-00112233/metadata/{number:02}", bytes(1 << 20)) for number in range(65))),
    ],
    ids=["one path twice", "a file that is a folder", "another case", "another folder", "long name", "too much"],
)
def test_tricks_in_the_tar_are_refused(
    page: Browser, tmp_path: Path, members: tuple[tuple[str, bytes], ...]
) -> None:
    expect(page, tmp_path, sealed_for_editor(tar_of(*members)), "damaged")


@pytest.mark.parametrize("at", [0, 100, 108, 124, 135, 136, 148, 156, 157, 257, 263, 265, 329, 345, 500])
def test_another_byte_in_a_header_is_refused(page: Browser, tmp_path: Path, at: int) -> None:
    """Of the second file's header, with a checksum that is right again."""
    start = 1024
    plaintext = bytearray(SIGNED_PLAIN)
    assert plaintext[start : start + 28] == b"bundle-00112233/bag-info.txt"
    plaintext[start + at] ^= 1
    block = plaintext[start : start + 512]
    plaintext[start + 148 : start + 156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32)
    if at == 148:
        plaintext[start + 148] ^= 1
    expect(page, tmp_path, sealed_for_editor(bytes(plaintext)), "damaged")


def test_a_tag_file_beyond_its_limit_is_refused_before_it_is_read(page: Browser, tmp_path: Path) -> None:
    sink = io.BytesIO()
    TarWriter(sink).add("bundle-00112233/bagit.txt", 10**12)
    expect(page, tmp_path, sealed_for_editor(sink.getvalue()), "damaged")


def test_a_header_without_an_end_is_refused(page: Browser, tmp_path: Path) -> None:
    expect(page, tmp_path, b"age-encryption.org/v1\n" + b"-> x y\n" * 100_000, "changed")

# SPDX-License-Identifier: Apache-2.0
"""The page as an editor uses it: opens, shows, saves, makes keys, and never does more than it says."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys import age
from keys.identity import Identity
from keys.secret import Secret
from tests.support.browser import ENDED, IDLE, Browser, Chromium, everywhere
from tests.support.bundles import (
    CLOCK,
    DOCUMENTS,
    DROP_PLAIN,
    EDITOR,
    ID,
    OTHER,
    SENDER,
    SIGNED,
    seal,
)
from tests.support.commands import LETTER, desk
from vault.bundle import BundleItem, IdentitySigner, write_bundle

KEY = EDITOR.age.encode().expose().decode()
ONLY_DOWNLOADS = "delete window.showDirectoryPicker; delete window.showSaveFilePicker"
"""What Firefox and Safari are."""
INTO_OWN_STORAGE = "window.showDirectoryPicker = () => navigator.storage.getDirectory()"
"""A folder that a test can read: the dialog of the system is what is left out."""
SITE = "https://reader.example/reader.html"
FILES = """(async () => {
  const found = {}
  const walk = async (folder, path) => {
    for await (const [name, entry] of folder) {
      if (entry.kind === "directory") await walk(entry, `${path}${name}/`)
      else found[path + name] = await (await entry.getFile()).text()
    }
  }
  await walk(await navigator.storage.getDirectory(), "")
  return found
})()"""


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    path = tmp_path / "00112233.age"
    path.write_bytes(SIGNED)
    return path


def opened(page: Browser, path: Path, key: str = KEY) -> str:
    """The text of the result."""
    outcome = page.try_file(path, key)
    assert outcome.reason == "", outcome.text
    return outcome.text


@everywhere
def test_a_signed_bundle_shows_the_senders_words_and_says_what_they_are_worth(page: Browser, signed: Path) -> None:
    text = opened(page, signed)
    assert page.do("texts", at="#words li") == list(SENDER.card().words)
    assert "Only if all ten are the same do you know whose key it is" in text
    assert "all times are those of the sender’s clocks" in text
    assert "not signed" not in text


@everywhere
def test_the_catalogue_is_what_the_bundle_describes(page: Browser, signed: Path) -> None:
    text = opened(page, signed)
    assert text.startswith("Тинтүүлөр\n")
    names = ["0001 Тинтүү/протокол №1.pdf", r"0002 \xcf\xf0\xe8\xea\xe0\xe7.doc", r"0003 empty\n",
             "0004 same/name.txt", "0005 other/name.txt"]  # fmt: skip
    assert page.do("texts", at="#documents .title > span") == names
    for _, content in DOCUMENTS:
        assert hashlib.sha256(content).hexdigest() in text
    assert "note\nжазуу" in text
    assert "1969-12-31 23:59:59 UTC" in text  # five nanoseconds before 1970
    assert "detail кол менен" in text


@everywhere
def test_a_drop_is_said_to_be_unsigned(page: Browser, tmp_path: Path) -> None:
    path = tmp_path / "x.age"
    path.write_bytes(age.seal(DROP_PLAIN, [EDITOR.recipient]))
    text = opened(page, path)
    assert "It is not signed. Nothing in it shows who sent it." in text
    assert page.do("count", at="#words") == 0
    assert page.do("count", at="#documents > li") == len(DOCUMENTS)


WHOLE = {
    "en": "Whole and unchanged: 5 documents", "ru": "Всё цело и не изменено: 5 документов",
    "ky": "Бүтүн жана өзгөртүлгөн эмес: 5 документ", "uz": "Butun va o‘zgartirilmagan: 5 ta hujjat",
}  # fmt: skip


def test_it_begins_in_the_language_of_the_browser(chromium: Browser, signed: Path) -> None:
    chromium.open_page(language="ky-KG")
    assert WHOLE["ky"] in opened(chromium, signed)
    chromium.quiet()


@everywhere
def test_the_result_can_be_read_in_four_languages_and_switched(page: Browser, signed: Path) -> None:
    opened(page, signed)
    for language, sentence in WHOLE.items():
        page.do("select", at="#language", value=language)
        assert sentence in page.do("text", at="#result")
        assert page.do("evaluate", script="document.documentElement.lang") == language
        labels = page.do("evaluate", script="[...document.querySelectorAll('[data-say]')].map(e => e.textContent)")
        assert all(labels)


@everywhere
def test_documents_are_saved_one_by_one_after_being_checked_again(
    browser: Browser, signed: Path, tmp_path: Path
) -> None:
    browser.open_page(before=ONLY_DOWNLOADS)
    opened(browser, signed)
    for number, (_, content) in enumerate(DOCUMENTS, 1):
        browser.do("click", at=f"#documents > li:nth-child({number}) button")
        (name,) = browser.do("downloads", folder=str(tmp_path / "saved"))
        assert name.startswith(f"{number:04} ")
        assert (tmp_path / "saved" / name).read_bytes() == content
    browser.do("wait", at="#result [role=status] .good")
    browser.quiet()


@everywhere
def test_all_documents_are_saved_as_downloads_where_there_is_no_other_way(
    browser: Browser, signed: Path, tmp_path: Path
) -> None:
    browser.open_page(before=ONLY_DOWNLOADS)
    opened(browser, signed)
    browser.do("click", at="#result > button")
    names = browser.do("downloads", folder=str(tmp_path / "saved"), count=len(DOCUMENTS))
    assert [(tmp_path / "saved" / name).read_bytes() for name in sorted(names)] == [c for _, c in DOCUMENTS]
    assert "Handed to the browser and checked once more: 5 documents" in browser.do("text", at="#result")
    browser.quiet()


def test_all_documents_are_saved_into_a_new_folder(chromium: Browser, signed: Path) -> None:
    chromium.open_page(url=SITE, before=INTO_OWN_STORAGE)
    opened(chromium, signed)
    for folder in ("bundle-00112233", "bundle-00112233-2"):
        chromium.do("click", at="#result > button")
        chromium.do("wait", at=f"#result [role=status] .good:text-matches('{folder}$')")
        chromium.do("wait", at=IDLE)
        found = chromium.do("evaluate", script=FILES)
        names = ["0001 протокол №1.pdf", "0002 ______.doc", "0003 empty_", "0004 name.txt", "0005 name.txt"]
        contents = {f"{folder}/{name}": c.decode() for name, (_, c) in zip(names, DOCUMENTS, strict=True)}
        assert contents.items() <= found.items()
    chromium.quiet()


TAMPER = """
const { slice, arrayBuffer } = Blob.prototype
Blob.prototype.slice = function (from, to) { return Object.assign(slice.call(this, from, to), { from }) }
Blob.prototype.arrayBuffer = async function () {
  const bytes = await arrayBuffer.call(this)
  const at = window.tampered - this.from
  if (0 <= at && at < bytes.byteLength) new Uint8Array(bytes)[at] ^= 1
  return bytes
}
"""


def test_a_document_that_changed_since_it_was_checked_is_not_saved(
    chromium: Browser, tmp_path: Path
) -> None:
    """The disk gives other bytes the second time: what was written until then is thrown away."""
    documents = [(b"first", b"1" * 1000), (b"second", os.urandom(400_000)), (b"third", b"3")]
    path = tmp_path / "x.age"
    path.write_bytes(seal(documents)[0])
    chromium.open_page(url=SITE, before=INTO_OWN_STORAGE + TAMPER)
    opened(chromium, path)
    chromium.do("evaluate", script="window.tampered = 350000")
    chromium.do("click", at="#result > button")
    chromium.do("wait", at="#refusal:not([hidden])")
    assert chromium.do("evaluate", script="document.getElementById('refusal').dataset.reason") == "another"
    assert "Saved before that: 1 document" in chromium.do("text", at="#refusal")
    assert {k: v for k, v in chromium.do("evaluate", script=FILES).items() if v} == {
        "bundle-00112233/0001 first": "1" * 1000
    }
    chromium.quiet()


def test_what_the_command_exports_an_editor_opens_with_nothing_but_the_page(
    chromium: Browser, tmp_path: Path
) -> None:
    """From `sandyk export --recipient` to files on the editor's disk; the words are those of `sandyk card show`."""
    one = desk(tmp_path)
    one.run("case", "new", "Жол иши")
    one.write("Тинтүү/кат №1.txt", LETTER)
    one.write("film.bin", os.urandom(3_000_000))
    one.run("add", "Жол иши", str(one.home / "Тинтүү"), str(one.home / "film.bin"), "--note", "кол менен")
    sealed = tmp_path / "x.age"
    one.run("export", "Жол иши", "-o", str(sealed), "--recipient", str(EDITOR.recipient))
    chromium.open_page(language="ru", before=ONLY_DOWNLOADS)
    text = opened(chromium, sealed)
    assert "Тинтүү/кат №1.txt" in text
    assert "кол менен" in text
    assert " ".join(chromium.do("texts", at="#words li")) == one.json("card", "show")["words"]
    chromium.do("click", at="#result > button")
    names = chromium.do("downloads", folder=str(tmp_path / "saved"), count=2)
    contents = {(tmp_path / "saved" / name).read_bytes() for name in names}
    assert contents == {LETTER, (one.home / "film.bin").read_bytes()}
    chromium.quiet()


FULL_DISK = """
FileSystemWritableFileStream.prototype.write = () => Promise.reject(new DOMException("full", "QuotaExceededError"))
"""


def test_a_disk_that_is_full_is_said_and_nothing_is_called_saved(chromium: Browser, signed: Path) -> None:
    chromium.open_page(url=SITE, before=INTO_OWN_STORAGE + FULL_DISK)
    opened(chromium, signed)
    chromium.do("click", at="#result > button")
    chromium.do("wait", at="#result [role=status] .bad")
    said = chromium.do("text", at="#result [role=status]")
    assert "Not saved: Тинтүү/протокол №1.pdf" in said
    assert "Saved and checked once more: 1 document," in said  # the empty one
    assert all(content == "" for content in chromium.do("evaluate", script=FILES).values())
    chromium.quiet()


HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script><a href="javascript:alert(3)">x</a>'


@everywhere
def test_nothing_that_a_sender_wrote_is_markup_or_runs(page: Browser, tmp_path: Path) -> None:
    """In names, notes, sources, tags, custody and title; nor does it turn the direction of what stands around it."""
    trick = "gpj.\u202eexe\u200b\u0007"
    text = HOSTILE + trick
    content = b"<script>alert(4)</script>"
    item = BundleItem(
        f"{text}.html".encode(), len(content), hashlib.sha256(content).digest(), None, None, text, text, (text[:100],),
        ({"event": text, text: [text, {"x": text}]},),
    )  # fmt: skip
    sink = io.BytesIO()
    write_bundle(sink, [EDITOR.recipient], [item], lambda index: iter([content]), signer=IdentitySigner(SENDER),
                 clock_ns=CLOCK, bundle_id=ID, title=text)  # fmt: skip
    path = tmp_path / "x.age"
    path.write_bytes(sink.getvalue())
    shown = opened(page, path)
    assert HOSTILE in shown
    assert r"gpj.\u202eexe\u200b\x07" in shown
    assert not re.search("[\u202e\u200b\u0007]", shown)
    assert page.do("count", at="#result img, #result script, #result a, #result [style], iframe, object, embed") == 0


ATTACK = """(async () => {
  const address = "https://reader.example/"
  const answered = (target) => new Promise((ok, no) => { target.onload = target.onopen = ok; target.onerror = no })
  const refused = (directive) => new Promise((ok) => document.addEventListener("securitypolicyviolation", (event) =>
    event.violatedDirective === directive && ok()))
  const tries = {
    fetch: () => fetch(address),
    beacon: async () => { if (!navigator.sendBeacon(address)) throw 0 },
    image: () => { const image = new Image(); image.src = address; return answered(image) },
    socket: () => answered(new WebSocket("wss://reader.example/")),
    script: () => {
      const script = document.createElement("script")
      script.src = address
      document.body.append(script)
      return answered(script)
    },
    frame: () => {
      const frame = document.createElement("iframe")
      frame.src = address
      document.body.append(frame)
      return refused("frame-src")
    },
    markup: async () => { document.createElement("div").innerHTML = "<b>x</b>" },
    eval: async () => { window.eval("1") },
    form: () => {
      const form = document.createElement("form")
      form.action = address
      document.body.append(form)
      form.submit()
      return refused("form-action")
    },
  }
  const passed = []
  const violated = []
  document.addEventListener("securitypolicyviolation", (event) => violated.push(event.violatedDirective))
  for (const [name, attempt] of Object.entries(tries)) {
    try { await attempt(); passed.push(name) } catch {}
  }
  return { passed, violated }
})()"""


@everywhere
def test_the_page_forbids_itself_every_connection(browser: Browser) -> None:
    """Even a script that got into the page reaches nobody, because the browser refuses; without the policy it would."""
    browser.open_page()
    found = browser.do("evaluate", script=ATTACK)
    assert set(found["passed"]) <= {"beacon", "frame", "form"}  # which the browser takes at first, and drops
    assert browser.do("events")["requests"] == []
    violations = {"connect-src", "img-src", "frame-src", "form-action", "require-trusted-types-for"}
    assert set(found["violated"]) == violations
    browser.open_page(lawless=True)
    browser.do("evaluate", script='fetch("http://reader.example/").catch(() => 0)')
    (request,) = browser.do("events")["requests"]
    assert "reader.example" in request


@everywhere
def test_a_key_file_and_a_sealed_key_file_open_a_bundle(page: Browser, signed: Path, tmp_path: Path) -> None:
    plain = tmp_path / "key.txt"
    plain.write_text(f"# created: today\r\n\r\n# public key: {EDITOR.recipient}\r\n{KEY}\r\n")
    page.do("choose", at="#file", files=str(signed))
    page.do("choose", at="#key-file", files=str(plain))
    assert page.outcome().reason == ""
    sealed = tmp_path / "key.txt.age"
    words = Secret("сыр сөз сырдуу".encode())
    sealed.write_bytes(age.seal(plain.read_bytes(), [age.ScryptRecipient(words, work_factor=10)]))
    page.do("choose", at="#key-file", files=str(sealed))
    page.do("wait", at="#key-file-sealed:not([hidden])")
    page.do("fill", at="#key-file-passphrase", text="another")
    assert page.outcome().reason == "passphrase"
    page.do("fill", at="#key-file-passphrase", text="сыр сөз сырдуу")
    assert page.outcome().reason == ""


@pytest.mark.parametrize("key", ["nonsense", str(EDITOR.recipient), KEY[:-1] + "Q", f"{KEY}\nmore", KEY.lower()],
                         ids=["nonsense", "the public half", "damaged", "something more", "lower case"])  # fmt: skip
def test_what_is_no_key_is_told_so(page: Browser, signed: Path, key: str) -> None:
    assert page.try_file(signed, key).reason == "no-key"


@everywhere
def test_without_a_file_or_a_key_it_asks_for_them(page: Browser, signed: Path) -> None:
    page.do("click", at="#open")
    assert "Choose a file first" in page.do("text", at="#refusal")
    page.do("choose", at="#file", files=str(signed))
    page.do("click", at="#open")
    assert "key first" in page.do("text", at="#refusal")


def test_one_of_several_keys_is_enough_and_a_classic_key_opens_a_classic_bundle(
    page: Browser, signed: Path, tmp_path: Path
) -> None:
    classic = age.X25519Identity.generate()
    both = f"{OTHER.age.encode().expose().decode()}\n{KEY}\n{classic.encode().expose().decode()}"
    opened(page, signed, both)
    path = tmp_path / "x.age"
    path.write_bytes(seal(recipients=[classic.recipient])[0])
    opened(page, path, both)
    opened(page, path, classic.encode().expose().decode())


@everywhere
@pytest.mark.parametrize("content", [b"", b"just a letter", os.urandom(200_000)], ids=["empty", "short", "long"])
def test_an_age_file_that_is_no_bundle_is_saved_and_nothing_vouches_for_it(
    browser: Browser, tmp_path: Path, content: bytes
) -> None:
    browser.open_page(before=ONLY_DOWNLOADS)
    path = tmp_path / "letter.txt.age"
    path.write_bytes(age.seal(content, [EDITOR.recipient]))
    assert "this is not a bundle" in opened(browser, path)
    assert "it is not signed" in browser.do("text", at="#result")
    browser.do("click", at="#result > button")
    assert browser.do("downloads", folder=str(tmp_path / "saved")) == ["letter.txt"]
    assert (tmp_path / "saved/letter.txt").read_bytes() == content
    path.write_bytes(path.read_bytes()[:-1])
    assert browser.try_file(path, KEY).reason == "changed"
    browser.quiet()


@everywhere
def test_a_file_sealed_with_a_passphrase_opens_with_it(page: Browser, tmp_path: Path) -> None:
    """A bundle in it was not sealed so by any sender: it is called passed on."""
    path = tmp_path / "x.age"
    words = age.ScryptRecipient(Secret(b"some words"), work_factor=10)
    for content, reason in ((b"letter", ""), (DROP_PLAIN, "resealed")):
        path.write_bytes(age.seal(content, [words]))
        page.do("choose", at="#file", files=str(path))
        page.do("check", at="input[value=passphrase]")
        page.do("fill", at="#passphrase", text="other words")
        assert page.outcome().reason == "passphrase"
        page.do("fill", at="#passphrase", text="some words")
        assert page.outcome().reason == reason


@everywhere
def test_an_armored_file_opens_too(page: Browser, tmp_path: Path) -> None:
    import pyrage

    path = tmp_path / "x.age"
    classic = pyrage.x25519.Identity.generate()
    path.write_bytes(pyrage.encrypt(b"letter", [classic.to_public()], armored=True))
    assert "6 bytes" in opened(page, path, str(classic))


@pytest.fixture
def made(page: Browser) -> Iterator[Browser]:
    """The part of the page that makes keys."""
    page.do("click", at="#make summary")
    yield page


@everywhere
def test_a_key_that_the_page_made_opens_what_is_sealed_for_it(made: Browser, tmp_path: Path) -> None:
    """The program seals for the line that the page shows; its own parser reads the key file."""
    made.do("click", at="#make-keys")
    made.do("wait", at="#recipient")
    recipient = age.parse_recipient(made.do("value", at="#recipient"))
    made.do("click", at="#made button.main")
    assert made.do("downloads", folder=str(tmp_path)) == ["key.txt"]
    (identity,) = age.parse_identity_file((tmp_path / "key.txt").read_bytes())
    assert identity.recipient == recipient
    path = tmp_path / "x.age"
    path.write_bytes(seal(recipients=[recipient])[0])
    made.do("choose", at="#file", files=str(path))
    made.do("choose", at="#key-file", files=str(tmp_path / "key.txt"))
    assert made.outcome().reason == ""


@everywhere
def test_a_key_file_can_be_sealed_with_a_suggested_passphrase(made: Browser, tmp_path: Path) -> None:
    made.do("fill", at="#new-passphrase", text="too short")
    made.do("click", at="#make-keys")
    assert "shorter than 12" in made.do("text", at="#refusal")
    made.do("click", at="#suggest")
    words = made.do("value", at="#new-passphrase")
    assert len(words.split()) == 7
    made.do("click", at="#make-keys")
    made.do("wait", at="#recipient", seconds=120)
    made.do("click", at="#made button.main")
    assert made.do("downloads", folder=str(tmp_path)) == ["key.txt.age"]
    sealed = (tmp_path / "key.txt.age").read_bytes()
    plain = age.unseal(sealed, [age.ScryptIdentity(Secret(words.encode()))], limit=1 << 16)
    (identity,) = age.parse_identity_file(plain)
    assert str(identity.recipient) == made.do("value", at="#recipient")


@everywhere
def test_it_can_be_used_with_the_keyboard_alone(page: Browser, signed: Path) -> None:
    """Every control is reached with Tab, has a name, and the result takes the focus."""
    page.do("choose", at="#file", files=str(signed))
    page.do("check", at="input[value=paste]")
    page.do("fill", at="#key-text", text=KEY)
    page.do("press", key="Tab")
    assert page.do("evaluate", script="document.activeElement.id") == "open"
    page.do("press", key="Enter")
    page.do("wait", at="#result:not([hidden])")
    assert page.do("evaluate", script="document.activeElement.id") == "result"
    unnamed = """[...document.querySelectorAll("input, select, textarea, button, progress")]
      .filter((e) => !e.labels?.length && !e.getAttribute("aria-label") && !e.textContent.trim())
      .map((e) => e.id || e.outerHTML)"""
    assert page.do("evaluate", script=unnamed) == []


BIG = 500 << 20
MANY = 24 << 20


class Endless:
    """A document that is never in memory."""

    def __init__(self, size: int) -> None:
        self.piece = os.urandom(1 << 20)
        self.pieces = size >> 20

    def item(self) -> BundleItem:
        digest = hashlib.sha256()
        for _ in range(self.pieces):
            digest.update(self.piece)
        return BundleItem(b"film.mp4", self.pieces << 20, digest.digest(), None, None)

    def content(self, index: int) -> Iterator[bytes]:
        return (self.piece for _ in range(self.pieces))

    def seal(self, path: Path) -> None:
        with path.open("wb") as sink:
            write_bundle(sink, [EDITOR.recipient], [self.item()], self.content, signer=None, clock_ns=CLOCK,
                         bundle_id=ID)  # fmt: skip


@everywhere
def test_a_bundle_of_many_megabytes_is_checked_and_saved(browser: Browser, tmp_path: Path) -> None:
    """In several of the pieces in which a download is handed to the browser."""
    film = Endless(MANY)
    film.seal(tmp_path / "film.age")
    browser.open_page(before=ONLY_DOWNLOADS)
    opened(browser, tmp_path / "film.age")
    browser.do("click", at="#documents button")
    (name,) = browser.do("downloads", folder=str(tmp_path / "saved"))
    with (tmp_path / "saved" / name).open("rb") as saved:
        assert hashlib.file_digest(saved, "sha256").digest() == film.item().sha256
    browser.quiet()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")
def test_a_bundle_of_500_megabytes_is_never_in_memory(chromium: Chromium, tmp_path: Path) -> None:
    """Checked and saved, by the renderer's own peak; then a second pass that is cancelled leaves nothing."""
    path = tmp_path / "film.age"
    Endless(BIG).seal(path)
    chromium.open_page(url=SITE, before=INTO_OWN_STORAGE)
    chromium.do("choose", at="#file", files=str(path))
    chromium.do("check", at="input[value=paste]")
    chromium.do("fill", at="#key-text", text=KEY)
    assert chromium.outcome(seconds=300).reason == ""
    assert chromium.peak_of_renderers() < BIG * 3 // 4  # of which Chromium takes a good part for an empty page
    chromium.do("click", at="#result > button")
    chromium.do("wait", at="#busy:not([hidden])")
    chromium.do("click", at="#cancel")
    chromium.do("wait", at=ENDED)
    chromium.do("wait", at=IDLE)
    assert "Cancelled" in chromium.do("text", at="#refusal")
    assert all(content == "" for content in chromium.do("evaluate", script=FILES).values())
    chromium.quiet()


def test_a_newsrooms_signature_is_called_a_cases(page: Browser, tmp_path: Path) -> None:
    """Its words are those of the case's card, and any member can have signed."""
    card = SENDER.card(case_id=bytes(range(16)), epoch=12)
    path = tmp_path / "x.age"
    path.write_bytes(seal(signer=IdentitySigner(SENDER, card))[0])
    assert "Any member of the case can sign so" in opened(page, path)
    assert page.do("texts", at="#words li") == list(card.words)
    assert card.words != SENDER.card().words


def test_a_new_identity_has_the_same_words_here_and_there(page: Browser, tmp_path: Path) -> None:
    """Of a sender whom nobody has seen before."""
    sender = Identity.generate()
    path = tmp_path / "x.age"
    path.write_bytes(seal(signer=IdentitySigner(sender))[0])
    opened(page, path)
    assert page.do("texts", at="#words li") == list(sender.card().words)

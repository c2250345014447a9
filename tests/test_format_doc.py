# SPDX-License-Identifier: Apache-2.0
"""docs/format.md against the code: neither may say something that the other does not."""

from __future__ import annotations

import hashlib
import importlib
import re
from pathlib import Path

import pytest
from blake3 import blake3

from keys import access, book, card, duress, kdf, labels, layout, receipt, roster, share_set
from keys.access import CaseKeys
from keys.identity import Identity
from keys.preamble import Header
from keys.primitives import DEFAULT, Cost
from keys.secret import Secret
from vault import layout as vault_layout
from vault import manifest, model, pack
from vault.bundle_layout import NAMESPACE
from vault.cases import create_case, open_store
from vault.counter import Counter
from vault.disk import Disk
from vault.founding import found
from vault.model import Chunk, Event, Extent, Item
from vault.padding import padme
from vault.sources import CHUNK_SIZE, FileIncoming
from vault.vaults import LockedVault

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "format.md").read_text("utf-8")
BUNDLES = (ROOT / "docs" / "format-bundle.md").read_text("utf-8")
PROSE = " ".join(DOCUMENT.split())
SOURCES = sorted(p for folder in ("keys", "vault", "tests") for p in (ROOT / folder).rglob("*.py"))

CHEAP = Cost(8, 1)
CONSTANTS = dict(re.findall(r"^\| `((?:keys|vault)\.[\w.]+)` \| ([\d,]+) \|$", DOCUMENT, re.MULTILINE))
PATTERNS = re.findall(r"^\| `([^`]+)` \| ", DOCUMENT.partition("### 1.2")[2].partition("### 1.3")[0], re.MULTILINE)
FIELDS = {
    name: tuple(fields.split(", "))
    for block in re.findall(r"^```fields\n(.*?)^```", DOCUMENT + BUNDLES, re.MULTILINE | re.DOTALL)
    for name, fields in re.findall(r"^(\w+): (.+)$", block, re.MULTILINE)
}
EXAMPLE = {
    name: re.sub(r"\s+", "", value)
    for block in re.findall(r"^```example\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    for name, value in re.findall(r"^(\w[\w ]*?) += ((?:.+\n)(?: {15}.+\n)*)", block, re.MULTILINE)
}

CASE, PACK, ITEM = b"\x11" * 16, b"\x22" * 16, b"\x44" * 16
DOCUMENT_FILED, NOW = b"Hello, Bishkek.\n", 1_700_000_000_000_000_000


def headings(text: str) -> set[str]:
    """The numbers of a document's headings."""
    return {number.rstrip(".") for number in re.findall(r"^#+ (\d+(?:\.\d+)*)", text, re.MULTILINE)}


def value_of(dotted: str) -> object:
    """What a name such as ``keys.layout.SLOTS`` or ``keys.primitives.FLOOR.passes`` stands for."""
    package, module, *names = dotted.split(".")
    value: object = importlib.import_module(f"{package}.{module}")
    for name in names:
        value = getattr(value, name)
    return value


def test_the_tables_were_found() -> None:
    """A table that this test can no longer read must not pass for one that is right."""
    assert len(CONSTANTS) > 60
    assert len(PATTERNS) == 21
    assert len(FIELDS) == 22
    assert set(EXAMPLE) == {
        *("chunk id key", "chunk id", "device id", "author", "manifest", "digest", "signature", "trailer")
    }


@pytest.mark.parametrize("name", CONSTANTS)
def test_each_number_is_the_code_s(name: str) -> None:
    assert value_of(name) == int(CONSTANTS[name].replace(",", ""))


@pytest.mark.parametrize(
    "module", ["keys.layout", "keys.access", "keys.roster", "keys.primitives", "keys.words", "keys.shares"]
)
def test_no_number_of_these_modules_is_left_out(module: str) -> None:
    numbers = {n for n, v in vars(importlib.import_module(module)).items() if n.isupper() and isinstance(v, int)}
    missing = {n for n in numbers if f"{module}.{n}" not in CONSTANTS}
    assert not {n for n in missing if f"{n} = " in (ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8")}


def test_the_keyring_s_table_of_offsets_is_the_code_s() -> None:
    rows = re.findall(r"^\| (0x[0-9a-f]{6}) \| ([\d,]+) \|", DOCUMENT, re.MULTILINE)
    assert [(int(at, 16), int(size.replace(",", ""))) for at, size in rows] == [
        (layout.KILL_AREA_OFFSET, layout.KILL_AREA_SIZE),
        (layout.SLOTS_OFFSET, layout.SLOTS * layout.SLOT_SIZE),
        (layout.REGIONS_OFFSET, layout.COMPARTMENTS * layout.REGION_SIZE),
    ]


def test_the_payload_s_table_covers_every_byte_at_the_code_s_offsets() -> None:
    section = DOCUMENT.partition("### 2.3")[2].partition("### 2.4")[0]
    rows = [(int(a), int(s.replace(",", ""))) for a, s in re.findall(r"^\| (\d+) \| ([\d,]+) \|", section, re.M)]
    assert [at for at, _ in rows] == [0, *(at + size for at, size in rows)][: len(rows)]
    assert sum(rows[-1]) == value_of("keys.slots.PAYLOAD_SIZE")
    code = [value_of(f"keys.slots.{n}") for n in ("_ID_AT", "_IDENTITY_AT", "_DEVICE_AT", "_FILLER_AT", "_USED")]
    assert [at for at, _ in rows][-5:] == code


def test_the_uses_of_the_other_compartments_are_the_code_s() -> None:
    rows = re.findall(r"^\| (\d) \| o_(\d) \| o_(\d) \| o_(\d) \|$", DOCUMENT, re.MULTILINE)
    assert [tuple(map(int, row)) for row in rows] == [(n, *order) for n, order in enumerate(duress._ORDERS)]


def test_every_label_is_in_the_table_of_derivations() -> None:
    table = DOCUMENT.partition("### 1.3")[2].partition("### 1.4")[0]
    said = set(re.findall(r"\| `([^`]+)` \|$", table, re.MULTILINE))
    used = {v if isinstance(v, str) else v.decode() for n, v in vars(labels).items() if n.isupper()}
    assert said == used | {manifest.SIGNATURE_LABEL, NAMESPACE, "kek", "commit"}


def test_no_label_is_spelled_outside_the_table() -> None:
    """A label in the code that the document does not know would be a derivation nobody wrote down."""
    for path in SOURCES:
        if path.is_relative_to(ROOT / "tests"):
            continue
        for label in re.findall(r"""["'](sandyk [a-z ]+ v\d+)["']""", path.read_text("utf-8")):
            assert f"`{label}`" in DOCUMENT, path


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        ("manifest", manifest.Manifest),
        ("chunk", Chunk),
        ("item", Item),
        ("extent", Extent),
        ("event", Event),
        ("replacement", manifest.Replacement),
        ("replaced", model.Replaced),
        ("move", model.Move),
    ],
)
def test_arrays_have_the_fields_in_the_order_of_the_document(name: str, struct: type) -> None:
    assert struct.__struct_config__.array_like  # type: ignore[attr-defined]
    assert FIELDS[name] == struct.__struct_fields__  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        ("access", access._Access),
        ("former", access._Former),
        ("book", book._Book),
        ("contact", book._Contact),
        ("case", book._Case),
        ("colleague", book._Colleague),
        ("book_2", book._BookWithShares),
        ("shares", share_set.ShareSetRecord),
        ("holder", share_set.HolderRecord),
        ("roster", roster._Roster),
        ("roster_2", roster._RosterWithRecovery),
        ("recovery", roster._Recovery),
        ("entry", roster._Entry),
        ("receipt", receipt._Receipt),
    ],
)
def test_maps_have_the_fields_in_the_order_of_the_document(name: str, struct: type) -> None:
    config = struct.__struct_config__  # type: ignore[attr-defined]
    tag = (config.tag_field,) if config.tag_field else ()
    assert FIELDS[name] == tag + struct.__struct_fields__  # type: ignore[attr-defined]
    assert not config.tag or f"| kind | `{config.tag}` |" in DOCUMENT + BUNDLES


def test_kinds_and_origins_are_those_of_the_model() -> None:
    row = {name: v for name, v in vars(model).items() if name.startswith(("EVENT_", "ORIGIN_"))}
    for value in row.values():
        assert f"`{value}`" in DOCUMENT


def test_magic_strings_are_the_code_s() -> None:
    assert f'"{pack.MAGIC.decode()[:-1]}\\n" |' in DOCUMENT
    assert f'"{pack.TRAILER_MAGIC.decode()}" 8' in DOCUMENT
    assert f"the first at offset {len(pack.MAGIC)}" in PROSE
    assert f"{CHUNK_SIZE:,} bytes" in PROSE


def test_the_text_files_of_the_example_are_what_the_code_writes() -> None:
    def indented(data: bytes) -> str:
        return "".join(f"    {line}\n" for line in data.decode().splitlines())

    assert indented(Header(DEFAULT, bytes(range(16))).encode()) in DOCUMENT
    assert indented(Counter(1, 0).encode()) in DOCUMENT
    assert f"{len(Header(DEFAULT, bytes(16)).encode())} bytes, text (§2.1)" in DOCUMENT
    assert f"{len(Counter(1, 0).encode())} bytes, text (§9)" in DOCUMENT


def test_the_pack_of_the_example_is_what_the_code_makes() -> None:
    me = Identity(Secret(b"\x04" * 32), Secret(b"\x02" * 32))
    epoch, device_secret = Identity(Secret(b"\x01" * 32), Secret(b"\x05" * 32)), Secret(b"\x03" * 32)
    keys = CaseKeys(CASE, "x", (epoch,), (me.card(),), (), 0)
    key = kdf.chunk_id_key(keys).expose()
    chunk = Chunk(blake3(DOCUMENT_FILED, key=key).digest(), 16, 16, model.PACKING_NONE)
    item = Item(
        ITEM, b"memo.txt", 16, hashlib.sha256(DOCUMENT_FILED).digest(), None, NOW, "by hand", "", ("memo",),
        model.ORIGIN_FILE, b"", (Extent(b"", 0, 1),),
    )  # fmt: skip
    device = kdf.device_id(device_secret, CASE)
    event = Event(NOW, model.EVENT_FILED, (ITEM,), "")
    encoded = manifest.encode(
        manifest.Manifest(1, CASE, 1, PACK, device, me.signing_public, 1, b"", NOW, (chunk,), (item,), (event,))
    )
    digest = manifest.digest(encoded)
    made = {
        "chunk id key": key.hex(), "chunk id": chunk.id.hex(), "device id": device.hex(),
        "author": me.signing_public.hex(), "manifest": encoded.hex(), "digest": digest.hex(),
        "signature": me.sign(manifest.SIGNATURE_LABEL, digest).hex(),
    }  # fmt: skip
    assert made == {name: value for name, value in EXAMPLE.items() if name != "trailer"}
    start = pack.TRAILER_MAGIC.hex() + (len(pack.MAGIC) + chunk.stored).to_bytes(8, "big").hex()
    assert EXAMPLE["trailer"].startswith(start + "and")
    assert manifest.decode(bytes.fromhex(EXAMPLE["manifest"])).items[0].name == b"memo.txt"


def as_regex(pattern: str) -> re.Pattern[str]:
    """A path of the document's table, with its placeholders."""
    places = {
        "<32 hex>": "[0-9a-f]{32}", "<8 hex>": "[0-9a-f]{8}", "<epoch, 6 digits>": "[0-9]{6}",
        "<0..3>": "[0-3]", "<00..63>": "(?:[0-5][0-9]|6[0-3])",
    }  # fmt: skip
    parts = re.split(r"(<[^>]+>)", pattern)
    return re.compile("".join(places[part] if part in places else re.escape(part) for part in parts))


def an_example_of(pattern: str) -> str:
    """A path that the pattern stands for."""
    places = {"<32 hex>": "0f" * 16, "<8 hex>": "0f" * 4, "<epoch, 6 digits>": "000017"}
    places |= {"<0..3>": "3", "<00..63>": "63"}
    return re.sub(r"<[^>]+>", lambda m: places[m.group()], pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_file_of_the_document_is_one_that_the_wipe_knows(pattern: str) -> None:
    assert vault_layout.is_ours(an_example_of(pattern))
    assert vault_layout.is_ours(an_example_of(pattern) + "-0f0f0f0f.new")


def test_a_real_vault_has_the_files_and_sizes_of_the_document(tmp_path: Path) -> None:
    """Found a vault, file one document, and look at every file that is there."""
    folder, memo = tmp_path / "vault", tmp_path / "memo.txt"
    memo.write_bytes(DOCUMENT_FILED)
    passphrase = Secret(b"a passphrase for this test")
    found(str(folder), passphrase, None, disk=Disk(), label="somebody", now_ns=NOW, cost=CHEAP, floor=CHEAP)
    with LockedVault.at(str(folder), disk=Disk(), floor=CHEAP).unlock(passphrase) as vault:
        case = create_case(vault, "a case")
        with open_store(vault, case) as store:
            store.file([FileIncoming(b"memo.txt", bytes(memo))])
    files = {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    shapes = {pattern: as_regex(pattern) for pattern in PATTERNS}
    for name in files:
        assert any(shape.fullmatch(name) for shape in shapes.values()), name
    seen = {p for p, shape in shapes.items() if any(shape.fullmatch(name) for name in files)}
    # All but the outbox, the copy abroad, parity, quarantine, and what SQLite keeps only while an index is open.
    assert len(seen) == 10
    assert f"{files['keyring']:,} bytes, random-looking" in DOCUMENT
    for name in ("rosters/0.age", "books/63.age"):
        assert f"files of {files[name]:,} bytes" in DOCUMENT
    access_file = next(size for name, size in files.items() if "/access/" in name)
    assert re.search(rf"/access/000001\.age +{access_file:,} bytes", DOCUMENT)
    packs = {size for name, size in files.items() if "/packs/" in name}
    assert packs == {34_427}
    assert "packs/2222…22.age                             34,427 bytes" in DOCUMENT


def test_the_formula_for_padding_gives_what_the_code_gives() -> None:
    for size in [2, 3, 100, 32_769, 262_145, 10**6, 10**9, *range(1000, 5000, 37)]:
        exponent = size.bit_length() - 1
        step = 1 << (exponent - exponent.bit_length())
        assert padme(size) == -(-size // step) * step
        assert padme(size) <= size * 1.12


def test_each_citation_leads_to_a_heading_that_exists() -> None:
    """“docs/format.md §4.2”, also in the forms “§2.2 and §2.3” and “§2 to §4”."""
    cited = 0
    for path in SOURCES:
        if path == Path(__file__):
            continue
        text = re.sub(r"\s*\n\s*(?:#|//)?\s*", " ", path.read_text("utf-8"))
        for document, known in (("format", headings(DOCUMENT)), ("format-bundle", headings(BUNDLES))):
            for rest in re.findall(rf"docs/{document}\.md ((?:(?:,| and| to)? ?§\d+(?:\.\d+)*)+)", text):
                for number in re.findall(r"§(\d+(?:\.\d+)*)", rest):
                    cited += 1
                    assert number in known, f"{path.name} cites docs/{document}.md §{number}"
            assert not re.findall(rf"docs/{document}\.md [\"“]", text), f"{path.name} cites by title, not by number"
    assert cited > 15


def test_references_inside_the_document_lead_somewhere() -> None:
    for number in re.findall(r"§(\d+(?:\.\d+)*)", re.sub(r"RFC \d+ §[\d.]+\d", "", DOCUMENT)):
        assert number in headings(DOCUMENT), number
    for target in re.findall(r"\]\(([^)#:]+)\)", DOCUMENT):
        assert (ROOT / "docs" / target).exists(), target


def test_documents_that_the_code_cites_exist() -> None:
    for path in SOURCES:
        text = path.read_text("utf-8")
        for cited in re.findall(r"docs/(?:decisions/[\w-]+|threat-model|format[\w-]*)\.md", text):
            assert (ROOT / cited).exists(), f"{path.name} cites {cited}"


@pytest.mark.parametrize(
    ("command", "sentences"),
    [
        (
            "duress",
            {
                "docs/format.md": "Duress is reserved and not built.",
                "docs/threat-model.md": "A duress passphrase is reserved in the format and not built.",
                "README.md": "a duress passphrase, ",
                "CHANGELOG.md": "- No duress passphrase",
            },
        ),
        (
            "unlock",
            {
                "docs/threat-model.md": "There is no resident agent yet.",
                "README.md": "an agent that keeps a vault unlocked",
                "CHANGELOG.md": ", no agent",
            },
        ),
        ("replicate", {"README.md": "copies on other media or servers", "CHANGELOG.md": "No replicas"}),
    ],
)
def test_what_the_documents_call_not_built_is_no_command(command: str, sentences: dict[str, str]) -> None:
    """Whoever builds it has to take these sentences out, and may not take them out before."""
    sources = [p for p in SOURCES if p.is_relative_to(ROOT / "vault" / "cli")]
    built = any(f'.command("{command}")' in path.read_text("utf-8") for path in sources)
    for name, sentence in sentences.items():
        text = " ".join((ROOT / name).read_text("utf-8").split())
        assert (sentence in text) != built, f"{name}: {sentence}"


def test_the_card_s_first_line_and_limits() -> None:
    assert f"    {card._FIRST_LINE}\n" in DOCUMENT

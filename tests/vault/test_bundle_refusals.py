# SPDX-License-Identifier: Apache-2.0
"""Sealed bundles that are damaged, forged, passed on or signed by a sender who means harm: none is let through."""

from __future__ import annotations

import hashlib
import io
import tarfile
from itertools import combinations

import pytest

from keys import age, mldsa, sshsig
from keys.card import encode
from keys.errors import NoMatch
from tests.support.bundles import (
    DOCUMENTS,
    DROP_PLAIN,
    EDITOR,
    OTHER,
    SENDER,
    SIGNED,
    SIGNED_PLAIN,
    Change,
    hostile,
    open_plain,
    plaintext_of,
    read_all,
    retag,
    rewritten,
    seal,
)
from vault import bundle_layout as layout
from vault.bundle import (
    BundleReader,
    DamagedSeal,
    IdentitySigner,
    NotABundle,
    TarBundleReader,
    key_digest,
)
from vault.errors import BrokenSignature, DamagedBundle, Resealed, VaultError
from vault.tar import TarReader, TarWriter


def test_the_tests_tools_rebuild_a_bundle_that_is_accepted() -> None:
    """Otherwise every refusal below would prove nothing."""
    assert rewritten(SIGNED_PLAIN, retag) == SIGNED_PLAIN
    assert open_plain(rewritten(SIGNED_PLAIN, lambda files: retag(files, SENDER))) == list(DOCUMENTS)
    assert rewritten(DROP_PLAIN, retag) == DROP_PLAIN
    assert open_plain(SIGNED_PLAIN) == list(DOCUMENTS)


def end_of(plaintext: bytes) -> int:
    """Where the padding begins."""
    reader = TarReader(io.BytesIO(plaintext))
    for _ in reader:
        pass
    return reader.size or 0


def test_every_flipped_byte_of_a_drop_is_our_error() -> None:
    """All of the tar, up to the padding; of the two long texts in it, which only a digest covers, every 50th byte."""
    small = plaintext_of(seal([(b"a", b"content")], signer=None)[0])
    start, stop = small.index(b"ENGLISH"), small.index(b"content")
    places = [*range(start), *range(start, stop, 50), *range(stop, end_of(small)), len(small) - 1]
    for i in places:
        flipped = small[:i] + bytes([small[i] ^ 0x41]) + small[i + 1 :]
        with pytest.raises(VaultError):
            open_plain(flipped)


def test_every_flipped_byte_of_the_signature_is_our_error() -> None:
    start = SIGNED_PLAIN.index(b"-----BEGIN SSH SIGNATURE")
    stop = SIGNED_PLAIN.index(b"-----END SSH SIGNATURE")
    for i in range(start, stop + 20):
        flipped = SIGNED_PLAIN[:i] + bytes([SIGNED_PLAIN[i] ^ 1]) + SIGNED_PLAIN[i + 1 :]
        with pytest.raises(BrokenSignature):
            TarBundleReader(io.BytesIO(flipped))


def test_every_truncation_is_our_error() -> None:
    small = plaintext_of(seal([(b"a", b"content")], signer=None)[0])
    places = [*range(0, end_of(small) + 1024, 7), *range(end_of(small), len(small), 4093), len(small) - 1]
    for n in places:
        with pytest.raises(DamagedBundle):
            open_plain(small[:n])


def test_tampering_with_the_sealed_file_is_our_error() -> None:
    header = SIGNED.index(b"\n---")
    for i in (0, 30, 200, 2000, header + 10, header + 80, header + 200, len(SIGNED) // 2, len(SIGNED) - 1):
        flipped = SIGNED[:i] + bytes([SIGNED[i] ^ 1]) + SIGNED[i + 1 :]
        with pytest.raises((DamagedSeal, NoMatch) if i < header else DamagedSeal):
            read_all(BundleReader(io.BytesIO(flipped), [EDITOR.age]))
    for n in (0, 100, 3000, len(SIGNED) // 2, len(SIGNED) - 1):
        with pytest.raises(DamagedSeal):
            read_all(BundleReader(io.BytesIO(SIGNED[:n]), [EDITOR.age]))
    with pytest.raises(DamagedSeal):
        read_all(BundleReader(io.BytesIO(SIGNED + b"x"), [EDITOR.age]))


def test_somebody_elses_bundle_does_not_open() -> None:
    with pytest.raises(NoMatch):
        BundleReader(io.BytesIO(SIGNED), [OTHER.age])


@pytest.mark.parametrize("content", [b"", b"just a letter", bytes(1024), bytes(1 << 18), b"\x00" * 600 + b"x" * 600])
def test_a_file_sealed_with_another_program_is_told_from_a_damaged_bundle(content: bytes) -> None:
    with pytest.raises(NotABundle):
        BundleReader(io.BytesIO(age.seal(content, [EDITOR.recipient])), [EDITOR.age])


def test_a_tar_in_our_spelling_of_other_files_is_no_bundle() -> None:
    root = "bundle-00112233"
    for name in ("letter.txt", f"{root}/letter.txt", "bundle-0011223/bagit.txt", f"{root}/data/bagit.txt"):
        sink = io.BytesIO()
        tar = TarWriter(sink)
        tar.add(name, 0)
        tar.finish()
        with pytest.raises(NotABundle):
            TarBundleReader(io.BytesIO(sink.getvalue()))


def test_a_tar_made_by_another_program_is_no_bundle() -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("bundle-00112233/bagit.txt"))
    with pytest.raises(NotABundle):
        TarBundleReader(io.BytesIO(sink.getvalue()))


def test_a_bundle_that_was_passed_on_in_the_senders_name_is_found_out() -> None:
    """Surreptitious forwarding: the editor takes the seal off and seals the same signed bag for somebody else."""
    passed_on = age.seal(SIGNED_PLAIN, [OTHER.recipient])
    with pytest.raises(Resealed):
        BundleReader(io.BytesIO(passed_on), [OTHER.age])
    assert BundleReader(io.BytesIO(passed_on), [OTHER.age], own=[EDITOR.recipient.raw]).tags.signer is not None
    assert TarBundleReader(io.BytesIO(SIGNED_PLAIN)).tags.sealed_for == (key_digest(EDITOR.recipient.raw),)


def _replace(name: str, old: bytes, new: bytes) -> Change:
    def change(files: dict[str, bytes]) -> None:
        assert old in files[name], (name, old)
        files[name] = files[name].replace(old, new, 1)

    return change


def _set(name: str, content: bytes) -> Change:
    return lambda files: files.update({name: content})


def _drop(name: str) -> Change:
    return lambda files: files.pop(name) and None  # type: ignore[func-returns-value]


def _both(first: Change, second: Change) -> Change:
    def change(files: dict[str, bytes]) -> None:
        first(files)
        second(files)

    return change


def _without_lines(name: str, start: bytes) -> Change:
    def change(files: dict[str, bytes]) -> None:
        lines = files[name].splitlines(keepends=True)
        files[name] = b"".join(line for line in lines if not line.startswith(start))

    return change


FOR_EDITOR = f"Sealed-For: {key_digest(EDITOR.recipient.raw)}\n".encode()
FOR_OTHER = f"Sealed-For: {key_digest(OTHER.recipient.raw)}\n".encode()
BOTH = (FOR_EDITOR, FOR_OTHER)
ONE = hashlib.sha256(b"one").hexdigest()

CHANGES_BY_A_HOSTILE_SENDER: dict[str, Change] = {
    "old BagIt": _set("bagit.txt", b"BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n"),
    "no such format": _replace("bag-info.txt", b"Format: 1", b"Format: 0"),
    "no format": _replace("bag-info.txt", b"Format: 1\n", b""),
    "surplus line": _replace("bag-info.txt", b"Format", b"Contact-Name: me\nFormat"),
    "other date": _replace("bag-info.txt", b"Bagging-Date: 2025", b"Bagging-Date: 2024"),
    "false oxum": _replace("bag-info.txt", b"Payload-Oxum: 1", b"Payload-Oxum: 2"),
    "crlf": lambda files: files.update({"bag-info.txt": files["bag-info.txt"].replace(b"\n", b"\r\n")}),
    "a recipient twice": _replace("bag-info.txt", FOR_EDITOR, FOR_EDITOR * 2),
    "recipients out of order": _replace("bag-info.txt", FOR_EDITOR, b"".join(sorted(BOTH, reverse=True))),
    "too many recipients": _replace("bag-info.txt", FOR_EDITOR, b"".join(
        f"Sealed-For: {key_digest(bytes([n]))}\n".encode() for n in range(33))),
    "two senders": _replace("bag-info.txt", b"Format", b"Sealed-By: SHA256:" + b"A" * 43 + b"\nFormat"),
    "odd recipient": _replace("bag-info.txt", b"Sealed-For: SHA256:", b"Sealed-For: SHA512:"),
    "no recipient": _without_lines("bag-info.txt", b"Sealed-For"),
    "odd identifier": _replace("bag-info.txt", b"urn:uuid:0011", b"urn:uuid:001g"),
    "upper case identifier": _replace("bag-info.txt", b"aabbccddee", b"AABBCCDDEE"),
    "other bundle's items": _replace("metadata/items.json", b"urn:uuid:00112233", b"urn:uuid:00112234"),
    "other bundle than the folder": _both(
        _replace("metadata/items.json", b"urn:uuid:00112233", b"urn:uuid:00112234"),
        _replace("bag-info.txt", b"urn:uuid:00112233", b"urn:uuid:00112234"),
    ),
    "manifest digest": lambda f: f.update({layout.MANIFEST: b"0" + f[layout.MANIFEST][1:]}),
    "manifest line missing": lambda f: f.update({layout.MANIFEST: b"".join(f[layout.MANIFEST].splitlines(True)[:-1])}),
    "other item format": _replace("metadata/items.json", b"sandyk bundle 1", b"sandyk bundle 2"),
    "key twice": _replace("metadata/items.json", b'"title":', b'"title":"x","title":'),
    "white space": _replace("metadata/items.json", b'"title":', b'"title": '),
    "unknown key": _replace("metadata/items.json", b'"note":', b'"more":1,"note":'),
    "other digest": _replace("metadata/items.json", b'"sha256":"', b'"sha256":"00'),
    "upper case digest": _replace("metadata/items.json", ONE.encode(), ONE.upper().encode()),
    "path out of the bag": _replace("metadata/items.json", b"data/0003/empty_", b"../../0003/empty_"),
    "path of another item": _replace("metadata/items.json", b"data/0003", b"data/0002"),
    "unsafe name": _replace("metadata/items.json", b"data/0003/empty_", b"data/0003/CON"),
    "size as text": _replace("metadata/items.json", b'"size":0', b'"size":"0"'),
    "size below zero": _replace("metadata/items.json", b'"size":0', b'"size":-1'),
    "size too large": _replace("metadata/items.json", b'"size":0', b'"size":99999999999999999999'),
    "fraction": _replace("metadata/items.json", b'"size":0', b'"size":0.0'),
    "no name": _replace("metadata/items.json", b'"name":"same/name.txt",', b""),
    "text as base64": _replace("metadata/items.json", b'"name":"same/name.txt"', b'"name_base64":"c2FtZQ=="'),
    "no items": _set("metadata/items.json", b'{"format":"sandyk bundle 1"}'),
    "not json": _set("metadata/items.json", b"\xff\xfe"),
    "deep json": _set("metadata/items.json", b"[" * 100_000),
    "surrogate": _replace("metadata/items.json", b'"source":"source"', b'"source":"\\ud800"'),
    "raw control": _replace("metadata/items.json", b'"source":"source"', b'"source":"\xc2\x9b"'),
    "event of no item": _replace("metadata/custody.jsonl", b'{"item":1,', b'{"item":9,'),
    "events out of order": lambda f: f.update({layout.CUSTODY: b"".join(reversed(f[layout.CUSTODY].splitlines(True)))}),
    "event with fraction": _replace("metadata/custody.jsonl", b'"at_ns":', b'"x":0.5,"at_ns":'),
    "deep event": _replace("metadata/custody.jsonl", b'"at_ns":', b'"x":' + b"[" * 3000 + b"]" * 3000 + b',"at_ns":'),
    "torn custody": lambda f: f.update({layout.CUSTODY: f[layout.CUSTODY][:-1]}),
    "no custody": _drop(layout.CUSTODY),
    "no items file": _drop(layout.ITEMS),
    "no readme": _drop(layout.README),
    "no catalogue": _drop(layout.CATALOGUE),
    "huge readme": _set(layout.README, bytes((64 << 10) + 1)),
    "unknown tag file": _set("notes.txt", b""),
    "unknown folder": _set("extra/file", b""),
    "fetch": _set("fetch.txt", b"https://example.org/x - data/0001/x\n"),
    "second manifest": _set("manifest-md5.txt", b""),
    "shouting": _set("metadata/OTHER", b""),
    "huge other": _set("metadata/other", bytes((1 << 20) + 1)),
}


def test_more_recipients_in_order_would_be_accepted() -> None:
    """So that the refusals above are for their order and number."""
    changed = hostile(_replace("bag-info.txt", FOR_EDITOR, b"".join(sorted(BOTH))))
    assert len(TarBundleReader(io.BytesIO(changed)).tags.sealed_for) == 2


@pytest.mark.parametrize("what", CHANGES_BY_A_HOSTILE_SENDER)
def test_a_sender_who_signs_nonsense_is_refused(what: str) -> None:
    with pytest.raises(DamagedBundle):
        TarBundleReader(io.BytesIO(hostile(CHANGES_BY_A_HOSTILE_SENDER[what])))


def test_files_of_a_later_version_are_tolerated_and_named() -> None:
    def change(files: dict[str, bytes]) -> None:
        files["metadata/proofs/1.tlog-proof"] = b"proof"

    reader = TarBundleReader(io.BytesIO(hostile(change)))
    assert reader.tags.not_examined == ("metadata/proofs/1.tlog-proof",)
    assert read_all(reader) == list(DOCUMENTS)


def test_a_time_stamp_is_handed_on_unjudged_with_the_signature_that_it_must_be_over() -> None:
    tags = TarBundleReader(io.BytesIO(hostile(_set(layout.TIMESTAMP, b"token")))).tags
    assert tags.untrusted_timestamp == b"token"
    assert tags.signature.startswith(b"-----BEGIN SSH SIGNATURE-----")
    assert TarBundleReader(io.BytesIO(SIGNED_PLAIN)).tags.untrusted_timestamp is None


def test_a_time_stamp_without_a_signature_is_refused() -> None:
    with pytest.raises(DamagedBundle, match="time stamp"):
        TarBundleReader(io.BytesIO(hostile(_set(layout.TIMESTAMP, b"token"), DROP_PLAIN, signer=None)))


MARKS_OF_A_SIGNER = (*layout.SIGNED_WITH, "Sealed-By")


@pytest.mark.parametrize(
    "missing", [taken for n in range(1, 5) for taken in combinations(MARKS_OF_A_SIGNER, n)], ids=" ".join
)
def test_a_half_signed_bundle_is_refused(missing: tuple[str, ...]) -> None:
    """Taking signatures off, one or both, must not make a weaker bundle, or a drop, of a signed one."""

    def change(files: dict[str, bytes]) -> None:
        retag(files, SENDER)
        for name in missing:
            files.pop(name, None)
        if "Sealed-By" in missing:
            lines = files["bag-info.txt"].splitlines(keepends=True)
            files["bag-info.txt"] = b"".join(line for line in lines if not line.startswith(b"Sealed-By"))
        retag(files)

    with pytest.raises(DamagedBundle, match="half signed"):
        TarBundleReader(io.BytesIO(rewritten(SIGNED_PLAIN, change)))


def test_a_signature_by_another_key_than_the_bundle_names_is_refused() -> None:
    """Whichever two of signature, card and Sealed-By agree."""
    others_card = _set(layout.CARD, IdentitySigner(OTHER).card_text.encode())
    others_key = _set(layout.MLDSA_KEY, mldsa.encode_pem(OTHER.mldsa_public))
    names = [sshsig.fingerprint(identity.signing_public).encode() for identity in (SENDER, OTHER)]
    others_name = _replace("bag-info.txt", *names)
    nothing: Change = lambda files: None  # noqa: E731
    for change, signer in ((nothing, OTHER), (others_card, OTHER), (others_card, SENDER), (others_name, SENDER)):
        with pytest.raises(BrokenSignature, match="another key"):
            TarBundleReader(io.BytesIO(hostile(change, signer=signer)))
    forged = hostile(_both(_both(others_card, others_name), others_key), signer=OTHER)  # by somebody else, who says so
    signer_named = TarBundleReader(io.BytesIO(forged)).tags.signer
    assert signer_named is not None
    assert signer_named.public == OTHER.signing_public


def test_a_signature_over_another_bundle_or_for_another_purpose_is_refused() -> None:
    def another(files: dict[str, bytes]) -> None:
        files[layout.SIGNATURE] = sshsig.sign(b"other", layout.NAMESPACE, SENDER.signing_seed).encode()

    def purpose(files: dict[str, bytes]) -> None:
        tag_manifest = files[layout.TAG_MANIFEST]
        files[layout.SIGNATURE] = sshsig.sign(tag_manifest, "file", SENDER.signing_seed).encode()

    for change in (another, purpose):
        with pytest.raises(BrokenSignature):
            TarBundleReader(io.BytesIO(rewritten(SIGNED_PLAIN, change)))


@pytest.mark.parametrize(
    "sign",
    [
        lambda text: SENDER.sign_mldsa(b"other", layout.NAMESPACE),
        lambda text: SENDER.sign_mldsa(text, "file"),
        lambda text: OTHER.sign_mldsa(text, layout.NAMESPACE),
        lambda text: SENDER.sign_mldsa(text, layout.NAMESPACE)[:-1],
        lambda text: SENDER.sign_mldsa(text, layout.NAMESPACE) + b"\0",
        lambda text: bytes(mldsa.SIGNATURE_SIZE),
        lambda text: b"",
    ],
    ids=["another text", "another purpose", "another key", "cut", "longer", "zeros", "empty"],
)
def test_a_second_signature_that_does_not_fit_is_refused_though_the_first_is_good(sign) -> None:
    change = lambda files: files.update({layout.MLDSA_SIGNATURE: sign(files[layout.TAG_MANIFEST])})  # noqa: E731
    with pytest.raises(BrokenSignature, match="ML-DSA-65 signature"):
        TarBundleReader(io.BytesIO(rewritten(SIGNED_PLAIN, change)))


def test_a_second_key_that_the_card_does_not_name_is_refused_though_it_signed() -> None:
    """Whoever forges Ed25519 with a quantum computer cannot add an ML-DSA key of their own."""

    def change(files: dict[str, bytes]) -> None:
        files[layout.MLDSA_KEY] = mldsa.encode_pem(OTHER.mldsa_public)
        retag(files, SENDER)
        files[layout.MLDSA_SIGNATURE] = OTHER.sign_mldsa(files[layout.TAG_MANIFEST], layout.NAMESPACE)

    with pytest.raises(BrokenSignature, match="not the one that the sender's card names"):
        TarBundleReader(io.BytesIO(rewritten(SIGNED_PLAIN, change)))


def test_a_second_key_in_another_spelling_is_refused() -> None:
    pem = mldsa.encode_pem(SENDER.mldsa_public)
    for spelled in (pem + b"\n", pem.replace(b"\n", b"\r\n"), pem[:-1], b"", b"nonsense", SENDER.mldsa_public):
        with pytest.raises(DamagedBundle, match="key is damaged"):
            TarBundleReader(io.BytesIO(hostile(_set(layout.MLDSA_KEY, spelled))))


@pytest.mark.parametrize(
    "card",
    [
        IdentitySigner(OTHER).card_text,
        encode(OTHER.card(case_id=bytes(16), epoch=1)),
        "nonsense",
        IdentitySigner(SENDER).card_text + "\n",
    ],
    ids=["another person's", "another's case's", "none", "another spelling"],
)
def test_a_card_that_is_not_the_signers_own_is_refused(card: str) -> None:
    with pytest.raises((BrokenSignature, DamagedBundle), match=r"card|another key"):
        TarBundleReader(io.BytesIO(hostile(_set(layout.CARD, card.encode()))))


@pytest.mark.parametrize(
    "path", ["data/0003/CON", "data/3/empty_", "data/0009/empty_", "data/0003/a/b", "data/0003/a:b", "data/0003/a."]
)
def test_a_dangerous_path_is_refused_also_when_everything_agrees_on_it(path: str) -> None:
    """Items, manifest, tar and signature all say the same; only the rule for paths can object."""

    def change(files: dict[str, bytes]) -> None:
        for name in (layout.ITEMS, layout.MANIFEST):
            files[name] = files[name].replace(b"data/0003/empty_", path.encode())
        if "data/0003/empty_" in files:
            moved = {path if name == "data/0003/empty_" else name: content for name, content in files.items()}
            files.clear()
            files.update(moved)

    assert open_plain(hostile(lambda files: None)) == list(DOCUMENTS)
    with pytest.raises(DamagedBundle, match="safe name"):
        TarBundleReader(io.BytesIO(hostile(change)))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.pop("data/0005/name.txt"), "missing"),
        (lambda f: f.update({"data/0006/more": b""}), "more documents"),
        (lambda f: f.update({"data/0005/name.txt": b"TWO"}), "not the document"),
        (lambda f: f.update({"data/0005/name.txt": b"two "}), "another size"),
        (lambda f: f.update({"data/0005/name.txt": f.pop("data/0004/name.txt")}), "missing"),
        (lambda f: f.update({"data/0004/name.txt": f.pop("data/0004/name.txt")}), "out of order"),
        (lambda f: f.update({"late.txt": b""}), "more documents"),
        (lambda f: [f.pop(n) for n in list(f) if n.startswith("data/")], "no documents"),
    ],
    ids=["missing", "surplus", "changed", "resized", "swapped away", "out of order", "tag file behind", "none at all"],
)
def test_documents_that_are_not_as_described_are_refused(change: Change, match: str) -> None:
    with pytest.raises(DamagedBundle, match=match):
        open_plain(rewritten(SIGNED_PLAIN, change))


def test_tag_files_out_of_order_or_outside_of_the_folder_are_refused() -> None:
    names = []
    rewritten(SIGNED_PLAIN, names.extend)
    for i in range(1, len([n for n in names if not n.startswith("data/")]) - 1):
        order = [*names[:i], names[i + 1], names[i], *names[i + 2 :]]
        with pytest.raises(DamagedBundle):
            TarBundleReader(io.BytesIO(rewritten(SIGNED_PLAIN, lambda files: None, order=order)))
    with pytest.raises(DamagedBundle, match="outside"):
        elsewhere = "bundle-99999999/README.txt"
        order = [*names[:1], elsewhere, *names[1:]]
        TarBundleReader(io.BytesIO(rewritten(SIGNED_PLAIN, _set(elsewhere, b""), order=order)))


def test_padding_of_another_length_is_refused() -> None:
    for padding in (512, 1 << 18):
        with pytest.raises(DamagedBundle, match="padded"):
            open_plain(SIGNED_PLAIN + bytes(padding))


def test_files_of_a_later_version_are_bounded_together() -> None:
    sink = io.BytesIO()
    tar = TarWriter(sink)
    tar.add("bundle-00112233/bagit.txt", 0)
    for number in range(65):
        tar.add(f"bundle-00112233/metadata/{number:02}", 1 << 20)
        tar.write(bytes(1 << 20))
    with pytest.raises(DamagedBundle, match="64 is larger"):
        TarBundleReader(io.BytesIO(sink.getvalue()))


def test_a_tag_file_beyond_its_limit_is_refused_before_it_is_read() -> None:
    sink = io.BytesIO()
    tar = TarWriter(sink)
    tar.add("bundle-00112233/bagit.txt", 10**12)
    with pytest.raises(DamagedBundle, match="larger"):
        TarBundleReader(io.BytesIO(sink.getvalue()))

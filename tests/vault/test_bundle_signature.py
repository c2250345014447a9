# SPDX-License-Identifier: Apache-2.0
"""What the sender's signatures bind: the documents, the sender, the recipients and the time. Changing one shows."""

from __future__ import annotations

import hashlib
import io
import subprocess
from pathlib import Path

import pytest

from keys import mldsa, sshsig
from keys.card import encode
from tests.support.bundles import DOCUMENTS, EDITOR, OTHER, SENDER, SIGNED_PLAIN, Change, retag, rewritten
from tests.support.openssh import allowed_signer
from tests.support.tools import need
from vault import bundle_layout as layout
from vault.bundle import TarBundleReader, key_digest
from vault.errors import BrokenSignature, DamagedBundle
from vault.tar import TarReader


def in_file(name: str, old: bytes, new: bytes) -> Change:
    """Replace what stands in a file exactly once."""

    def change(files: dict[str, bytes]) -> None:
        assert files[name].count(old) == 1
        files[name] = files[name].replace(old, new)

    return change


def another_document(files: dict[str, bytes]) -> None:
    """The first document, its digest in both lists, all as a careful forger would leave it."""
    content = DOCUMENTS[0][1]
    digests = [hashlib.sha256(c).hexdigest().encode() for c in (content, content[::-1])]
    path = next(name for name in files if name.startswith("data/0001/"))
    files[path] = content[::-1]
    in_file(layout.MANIFEST, *digests)(files)
    in_file(layout.ITEMS, *digests)(files)


def another_sender(files: dict[str, bytes]) -> None:
    names = [sshsig.fingerprint(identity.signing_public).encode() for identity in (SENDER, OTHER)]
    in_file("bag-info.txt", *names)(files)
    files[layout.CARD] = encode(OTHER.card()).encode()
    files[layout.MLDSA_KEY] = mldsa.encode_pem(OTHER.mldsa_public)


BOUND = {
    "documents": another_document,
    "sender": another_sender,
    "recipients": in_file("bag-info.txt", *(key_digest(i.recipient.raw).encode() for i in (EDITOR, OTHER))),
    "time": in_file(layout.ITEMS, b'"sealed_ns":1763700000000000000', b'"sealed_ns":1763700001000000000'),
    "custody": in_file(layout.CUSTODY, b'{"item":1,"event":{"at_ns":1763700000000000001,"kind":"exported"}}\n', b""),
}
each_bound = pytest.mark.parametrize("change", BOUND.values(), ids=BOUND.keys())


def files_of(plaintext: bytes) -> dict[str, bytes]:
    reader, files = TarReader(io.BytesIO(plaintext)), {}
    for member in reader:
        files[member.path.partition("/")[2]] = reader.read(1 << 20)
    return files


def changed(change: Change, *, tag: bool) -> bytes:
    """The bundle with a change made; with ``tag``, its tag manifest says so too. The signatures stay as they were."""

    def apply(files: dict[str, bytes]) -> None:
        change(files)
        if tag:
            retag(files)

    return rewritten(SIGNED_PLAIN, apply)


@each_bound
def test_a_change_is_refused_by_the_tag_manifest(change: Change) -> None:
    with pytest.raises(DamagedBundle, match="was changed, or is not listed"):
        TarBundleReader(io.BytesIO(changed(change, tag=False)))


@each_bound
def test_a_change_of_the_tag_manifest_as_well_is_refused_by_the_signature(change: Change) -> None:
    with pytest.raises(BrokenSignature):
        TarBundleReader(io.BytesIO(changed(change, tag=True)))


@each_bound
def test_either_signature_alone_refuses_it(change: Change) -> None:
    """So somebody who can forge one of the two gains nothing."""
    files = files_of(changed(change, tag=True))
    tag_manifest = files[layout.TAG_MANIFEST]
    forged_one = sshsig.sign(tag_manifest, layout.NAMESPACE, SENDER.signing_seed).encode()
    forged_two = SENDER.sign_mldsa(tag_manifest, layout.NAMESPACE)
    for forged in ({layout.SIGNATURE: forged_one}, {layout.MLDSA_SIGNATURE: forged_two}):
        with pytest.raises(BrokenSignature):
            TarBundleReader(io.BytesIO(rewritten(changed(change, tag=True), lambda files, f=forged: files.update(f))))


@each_bound
def test_ssh_keygen_sees_it_too(change: Change, tmp_path: Path) -> None:
    ssh_keygen = need("ssh-keygen")
    allowed = allowed_signer(SENDER.signing_public, "sender", layout.NAMESPACE)
    (tmp_path / "allowed").write_text(allowed)

    def verify(plaintext: bytes) -> int:
        files = files_of(plaintext)
        (tmp_path / "signature").write_bytes(files[layout.SIGNATURE])
        command = [ssh_keygen, "-Y", "verify", "-f", "allowed", "-I", "sender", "-n", layout.NAMESPACE]
        run = subprocess.run(
            [*command, "-s", "signature"], input=files[layout.TAG_MANIFEST], cwd=tmp_path, capture_output=True
        )
        return run.returncode

    assert verify(SIGNED_PLAIN) == 0
    assert verify(changed(change, tag=True)) != 0

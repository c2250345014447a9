# SPDX-License-Identifier: Apache-2.0
"""A receipt as files that a stranger can check with OpenSSL, without this program. No I/O.

What is signed is binary (docs/format-bundle.md §8), so a text says what is in it. The text itself is signed by nobody:
it says so, and how to compare. It names no document, only hashes.
"""

from __future__ import annotations

import base64

from keys.labels import RECEIPT_SIGNATURE
from keys.receipt import SignedReceipt
from vault.bundle import urn_of
from vault.terminal import plain_time_text

STATEMENT, SIGNATURE, KEY, TEXT = "statement.bin", "signature.bin", "editor.pem", "receipt.txt"
_SPKI = bytes.fromhex("302a300506032b6570032100")
"""What DER puts before the 32 bytes of an Ed25519 public key (RFC 8410, section 4 and its example in 10.1)."""


def files(signed: SignedReceipt) -> dict[str, bytes]:
    """The files' names and contents. Raises nothing: the receipt was verified."""
    return {
        STATEMENT: signed.statement,
        SIGNATURE: signed.signature,
        KEY: _pem(signed.receipt.editor.signing),
        TEXT: _text(signed).encode("utf-8"),
    }


def _pem(public: bytes) -> bytes:
    text = base64.b64encode(_SPKI + public).decode("ascii")
    return f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n".encode("ascii")


def _text(signed: SignedReceipt) -> str:
    receipt = signed.receipt
    lines = [
        "A receipt: somebody states that they decrypted and verified the documents of a sealed bundle.",
        "",
        f"bundle              {urn_of(receipt.bundle_id)}",
        f"its tag manifest    {receipt.tag_manifest_sha256.hex()}  (SHA-256 of tagmanifest-sha256.txt)",
        f"opened              {plain_time_text(receipt.opened_ns)}, by the clock of the one who signed: a claim",
        f"words of their card {' '.join(receipt.editor.words)}",
        f"signing key         {KEY}",
        f"the statement       {signed.digest.hex()}  (SHA-256 of {STATEMENT})",
        "",
        f"Check the signature (OpenSSL 3): it covers {STATEMENT}, not this text.",
        "",
        f"    openssl pkeyutl -verify -pubin -inkey {KEY} -rawin -in {STATEMENT} -sigfile {SIGNATURE}",
        "",
        f"{STATEMENT} is the text “{RECEIPT_SIGNATURE}”, a zero byte, and a MessagePack map. In it stand, as bytes,",
        "the bundle's identifier, its tag manifest's SHA-256, and each document's, in the order of the list below.",
        "",
        "What it shows: the holder of this key signed this statement. What it does not show: who that is (their words",
        "must have been compared another way), when they signed, and whether they still have the documents.",
        "",
        f"SHA-256 of the {len(receipt.documents)} documents, in the bundle's order:",
        *(digest.hex() for digest in receipt.documents),
    ]
    return "".join(f"{line}\n" for line in lines)

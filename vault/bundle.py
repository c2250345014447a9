# SPDX-License-Identifier: Apache-2.0
"""Sealed bundles: the public names. Written by ``bundle_writer``, read by ``bundle_reader``.

The format is docs/format-bundle.md: an age file around a pax tar around a BagIt bag, signed
with SSHSIG, so that nobody needs this program to open and check it.
"""

from vault.bundle_items import BundleItem, SealedItem
from vault.bundle_layout import MAX_ITEMS, MAX_RECIPIENTS, file_name_of, key_digest, new_bundle_id, root_of, urn_of
from vault.bundle_reader import BundleReader, Document, NotABundle, Signer, Tags, TarBundleReader, own_keys
from vault.bundle_writer import (
    BundleSigner,
    BundleSummary,
    Composed,
    ContentChanged,
    IdentitySigner,
    compose,
    write_bundle,
)
from vault.plaintext import DamagedSeal

__all__ = [
    "MAX_ITEMS",
    "MAX_RECIPIENTS",
    "BundleItem",
    "BundleReader",
    "BundleSigner",
    "BundleSummary",
    "Composed",
    "ContentChanged",
    "DamagedSeal",
    "Document",
    "IdentitySigner",
    "NotABundle",
    "SealedItem",
    "Signer",
    "Tags",
    "TarBundleReader",
    "compose",
    "file_name_of",
    "key_digest",
    "new_bundle_id",
    "own_keys",
    "root_of",
    "urn_of",
    "write_bundle",
]

# SPDX-License-Identifier: Apache-2.0
"""The judge of bags: whether files make a complete and valid bag (RFC 8493 section 3).

Knows BagIt 0.93 to 1.0. It sees files only through openers that the caller hands in, keeps
none in memory but tag files, fetches nothing and writes nothing. A bag is valid or ``DamagedBundle`` says why
not; what is lawful but odd comes back as warnings. Stricter than the text of the RFC in
one respect: a manifest that names a file which is not there under this name makes the bag
incomplete, also when some file system would have hidden the difference (``HELLO.txt`` for
``hello.txt``). Only another Unicode normal form of the same name is forgiven, because file
systems change it silently.

Our own bundles are held to a narrower form: ``vault.bundle_reader``.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from gettext import gettext as _

from vault import bagit
from vault.bagit import Declaration
from vault.errors import DamagedBundle
from vault.names import printable

Opener = Callable[[], Iterable[bytes]]
"""Gives the content of one file in pieces, from its beginning at every call: tag files are read twice."""

MAX_TAG_FILE_BYTES = 64 << 20

_MANIFEST_NAME = re.compile(r"(tag)?manifest-([a-z0-9]+)\.txt", re.IGNORECASE)
_OUTSIDE = re.compile(r"[/\\~]|[A-Za-z]:|%[A-Za-z_]+%")
"""How a path may begin that leads out of the bag on some system (RFC 8493 section 5.1)."""
_OXUM = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag that was found valid."""

    declaration: Declaration
    info: tuple[tuple[str, str], ...]
    payload: tuple[tuple[str, int], ...]
    """Path and size of each payload file, sorted by path."""
    algorithms: tuple[str, ...]
    """Of the payload manifests."""
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Listed:
    """What the manifests say: for each file and algorithm the digest, and for each manifest its files."""

    digests: dict[str, dict[str, str]] = field(default_factory=dict)
    files: dict[str, set[str]] = field(default_factory=dict)


def judge_bag(files: Mapping[str, Opener]) -> Bag:
    """The bag made of these files (paths relative to its base folder, with ``/``). Raises DamagedBundle."""
    return _Judge(files).judge()


class _Judge:
    def __init__(self, files: Mapping[str, Opener]) -> None:
        self._files = files
        self._by_form = {unicodedata.normalize("NFC", path): path for path in files}
        self._warnings: list[str] = []
        self._listed = _Listed()
        self._declaration = bagit.parse_declaration(self._read(bagit.DECLARATION_NAME))

    def judge(self) -> Bag:
        """The steps of a validation, in order; the first that fails raises."""
        algorithms = self._read_manifests()
        self._expect_complete()
        self._expect_fetched()
        info_name = bagit.OLD_INFO_NAME if self._declaration.version < (0, 96) else bagit.INFO_NAME
        info = bagit.parse_info(self._text(info_name), self._declaration, info_name) if info_name in self._files else ()
        sizes = self._expect_digests()
        payload = tuple(sorted((path, size) for path, size in sizes.items() if _is_payload(path)))
        _expect_oxum(info, payload)
        return Bag(self._declaration, info, payload, algorithms, tuple(self._warnings))

    def _read_manifests(self) -> tuple[str, ...]:
        algorithms = []
        for name in sorted(self._files):
            match = _MANIFEST_NAME.fullmatch(name)
            if match is None:
                continue
            algorithm = match.group(2).lower()
            if algorithm not in bagit.DIGEST_HEX_CHARS:
                raise DamagedBundle(_("{name} uses an algorithm that cannot be checked").format(name=printable(name)))
            self._read_manifest(name, algorithm)
            if not match.group(1):
                algorithms.append(algorithm)
        if not algorithms:
            raise DamagedBundle(_("the bag has no payload manifest"))
        return tuple(algorithms)

    def _read_manifest(self, name: str, algorithm: str) -> None:
        listed: set[str] = set()
        for entry in bagit.parse_manifest(self._text(name), algorithm, name):
            if entry.marked_binary:
                self._warn(_("{name} was written by md5sum or its like").format(name=name))
            path = self._locate(entry.spelled, name)
            if _is_tag_manifest(name) == _is_payload(path):
                raise DamagedBundle(
                    _("{name} lists {path}, which does not belong there").format(name=name, path=printable(path))
                )
            known = self._listed.digests.setdefault(path, {})
            if known.get(algorithm, entry.digest) != entry.digest:
                raise DamagedBundle(
                    _("{path} has two different digests in {name}").format(path=printable(path), name=name)
                )
            if path in listed:
                self._expect_old_or_warn(_("{name} lists {path} twice").format(name=name, path=printable(path)))
            known[algorithm] = entry.digest
            listed.add(path)
        self._listed.files[name] = listed

    def _locate(self, spelled: str, where: str) -> str:
        """The path of the bag that a manifest or fetch file means."""
        if spelled.startswith("./"):
            self._warn(_("{where} spells paths with a leading ./").format(where=where))
            spelled = spelled[2:]
        if _OUTSIDE.match(spelled) or "\0" in spelled or any(p in ("", ".", "..") for p in spelled.split("/")):
            raise DamagedBundle(
                _("{where} names a path outside of the bag: {spelled}").format(where=where, spelled=printable(spelled))
            )
        decoded = bagit.decode_path(spelled)
        if self._declaration.version < bagit.STRICT and spelled in self._files:
            return spelled  # before 1.0 few programs encoded anything
        if decoded in self._files:
            return decoded
        other_form = self._by_form.get(unicodedata.normalize("NFC", decoded))
        if other_form is not None:
            self._warn(
                _("{where} spells {other_form} in another Unicode normal form").format(
                    where=where, other_form=printable(other_form)
                )
            )
            return other_form
        return decoded

    def _expect_complete(self) -> None:
        for path in self._listed.digests:
            if path not in self._files:
                raise DamagedBundle(_("the bag is incomplete: {path} is missing").format(path=printable(path)))
        payload = {path for path in self._files if _is_payload(path)}
        manifests = {name for name in self._listed.files if not _is_tag_manifest(name)}
        in_any = set().union(*(self._listed.files[name] for name in manifests))
        for name in sorted(manifests):
            unlisted = payload - (self._listed.files[name] if self._is_strict() else in_any)
            if unlisted:
                raise DamagedBundle(
                    _("{path} is not listed in {name}").format(path=printable(min(unlisted)), name=name)
                )
        for name, listed in self._listed.files.items():
            if _is_tag_manifest(name) and not manifests <= listed:
                self._expect_old_or_warn(_("{name} does not list every payload manifest").format(name=name))

    def _expect_fetched(self) -> None:
        """What fetch.txt lists must be listed in the manifests, and so, by now, is there."""
        if bagit.FETCH_NAME not in self._files:
            return
        for entry in bagit.parse_fetch(self._text(bagit.FETCH_NAME)):
            path = self._locate(entry.spelled, bagit.FETCH_NAME)
            if not _is_payload(path):
                raise DamagedBundle(_("fetch.txt names a path outside of the payload"))
            if path not in self._listed.digests:
                raise DamagedBundle(_("fetch.txt lists {path}, which no manifest lists").format(path=printable(path)))

    def _expect_digests(self) -> dict[str, int]:
        """The size of every listed file, after each was read and compared."""
        sizes = {}
        for path, digests in self._listed.digests.items():
            hashes = {name: hashlib.new(name, usedforsecurity=False) for name in digests}
            size = 0
            for piece in self._files[path]():
                size += len(piece)
                for running in hashes.values():
                    running.update(piece)
            for name, digest in digests.items():
                if hashes[name].hexdigest() != digest:
                    raise DamagedBundle(
                        _("{path} was changed: its {name} digest differs").format(path=printable(path), name=name)
                    )
            sizes[path] = size
        return sizes

    def _text(self, name: str) -> str:
        return bagit.decode_text(self._read(name), self._declaration, name)

    def _read(self, name: str) -> bytes:
        if name not in self._files:
            raise DamagedBundle(_("the bag has no {name}").format(name=name))
        content = bytearray()
        for piece in self._files[name]():
            content += piece
            if len(content) > MAX_TAG_FILE_BYTES:
                raise DamagedBundle(_("{name} is too large").format(name=name))
        return bytes(content)

    def _is_strict(self) -> bool:
        return self._declaration.version >= bagit.STRICT

    def _expect_old_or_warn(self, what: str) -> None:
        """Forbidden since 1.0, lawful though odd before."""
        if self._is_strict():
            raise DamagedBundle(what)
        self._warn(what)

    def _warn(self, what: str) -> None:
        if what not in self._warnings:
            self._warnings.append(what)


def _is_payload(path: str) -> bool:
    return path.startswith(bagit.PAYLOAD_FOLDER)


def _is_tag_manifest(name: str) -> bool:
    return name.lower().startswith("tag")


def _expect_oxum(info: tuple[tuple[str, str], ...], payload: tuple[tuple[str, int], ...]) -> None:
    """Payload-Oxum at most once, and true (RFC 8493 section 2.2.2)."""
    oxums = [value for label, value in info if label.lower() == "payload-oxum"]
    if not oxums:
        return
    match = _OXUM.fullmatch(oxums[0])
    if len(oxums) > 1 or match is None:
        raise DamagedBundle(_("Payload-Oxum is written twice, or not as two numbers"))
    if (int(match.group(1)), int(match.group(2))) != (sum(size for __, size in payload), len(payload)):
        raise DamagedBundle(_("the payload is not as large as Payload-Oxum says"))

# SPDX-License-Identifier: Apache-2.0
"""A bundle that the newsroom signs: it names no person who made it, and the receiver knows the newsroom by its card."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys import sshsig
from keys.book import Contact, ForeignCase
from keys.card import Card
from keys.identity import Identity
from keys.secret import Secret
from tests.support.newsroom import DAY, add_paths, files_below, newsroom, store_of, unlock
from tests.support.openssh import allowed_signer
from tests.support.tools import need
from vault.bundle_layout import NAMESPACE
from vault.cases import find_case, grant, revoke
from vault.errors import BadInput
from vault.exporting import Addressee, Exported, addressees, bare_addressees, export
from vault.opening import Opened, identities_of, open_into_folder
from vault.vaults import Vault


def quiet(documents: int, size: int) -> None:
    """Progress that nobody sees."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Vault]:
    """A case with documents that two journalists filed."""
    (tmp_path / "one").write_bytes(b"first")
    (tmp_path / "two").write_bytes(b"second")
    with unlock(newsroom(tmp_path / "here")) as vault:
        add_paths(vault, tmp_path / "one")
        vault.add_journalist("Бакыт", Secret(b"another passphrase"))
        with unlock(vault.folder, "another passphrase") as other:
            colleague = other.me.card()
            grant(vault, find_case(vault, "Mine"), colleague, "Бакыт")
            add_paths(other, tmp_path / "two")
        yield vault


@pytest.fixture
def abroad(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "abroad", label="Редактор", case=None)) as vault:
        yield vault


def knows(vault: Vault, card: Card, *, compared: bool = True) -> None:
    foreign = ForeignCase("Kloop", card, DAY, DAY if compared else None)
    vault.change_book(lambda book: book.with_foreign(foreign))


def sealed_for(here: Vault, abroad: Vault, path: Path, *, as_newsroom: bool = True) -> Exported:
    to = [Addressee("editor", abroad.me.recipient, "editor", True)]
    return export(here, find_case(here, "Mine"), [], to, str(path), as_newsroom=as_newsroom)


def opened(abroad: Vault, path: Path, folder: Path) -> Opened:
    return open_into_folder(str(path), identities_of(abroad), str(folder), abroad, progress=quiet)


def custody(folder: str) -> list[dict[str, object]]:
    lines = (Path(folder) / "metadata" / "custody.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["event"] for line in lines]


def test_nothing_in_it_names_a_person_s_key_or_a_device(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    """And the same search finds all of them in the bundle that a person signs, so it can find something."""
    case = find_case(here, "Mine")
    with store_of(here) as store:
        devices = {row.device for row in store.index.packs()}
    traces = [device.hex() for device in devices]
    for member in case.keys.members:
        traces += [member.signing.hex(), sshsig.fingerprint(member.signing), " ".join(member.words)]
    for as_newsroom in (True, False):
        path = tmp_path / f"{as_newsroom}.age"
        sealed_for(here, abroad, path, as_newsroom=as_newsroom)
        folder = opened(abroad, path, tmp_path / f"out {as_newsroom}").place
        text = b"\n".join(files_below(folder).values()).decode("utf-8", "replace")
        found = {trace for trace in traces if trace in text}
        assert bool(found) is not as_newsroom, found
        if not as_newsroom:
            assert {member.signing.hex() for member in case.keys.members} <= found


def test_ordinals_stand_for_those_who_are_in_it_and_for_nobody_else(
    here: Vault, abroad: Vault, tmp_path: Path
) -> None:
    sealed_for(here, abroad, tmp_path / "all.age")
    events = custody(opened(abroad, tmp_path / "all.age", tmp_path / "all").place)
    assert {str(event["signed_by"]) for event in events} == {"journalist 1", "journalist 2"}
    assert all(set(event) == {"at_ns", "event", "device", "signed_by"} for event in events)
    with store_of(here) as store:
        first = store.find("one")
    to = [Addressee("editor", abroad.me.recipient, "editor", True)]
    export(here, find_case(here, "Mine"), [first.id.hex()], to, str(tmp_path / "one.age"), as_newsroom=True)
    events = custody(opened(abroad, tmp_path / "one.age", tmp_path / "out").place)
    assert {str(event["signed_by"]) for event in events} == {"journalist 1"}


def test_ordinals_are_dealt_anew_for_each_bundle(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    """Were they fixed, all of 40 bundles would agree; by chance they do once in 2^39."""
    seen = set()
    for number in range(40):
        sealed_for(here, abroad, tmp_path / f"{number}.age")
        events = custody(opened(abroad, tmp_path / f"{number}.age", tmp_path / f"out {number}").place)
        seen.add(str(next(event["signed_by"] for event in events if event["event"] == "filed")))
    assert seen == {"journalist 1", "journalist 2"}


def test_stock_ssh_keygen_checks_it_with_the_key_of_the_case(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    ssh_keygen = need("ssh-keygen")
    sealed_for(here, abroad, tmp_path / "out.age")
    folder = Path(opened(abroad, tmp_path / "out.age", tmp_path / "out").place)
    key = find_case(here, "Mine").keys.current.signing_public
    (tmp_path / "allowed").write_text(allowed_signer(key, "newsroom", NAMESPACE))
    command = [ssh_keygen, "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "newsroom", "-n", NAMESPACE]
    manifest = (folder / "tagmanifest-sha256.txt").read_bytes()
    run = subprocess.run(
        [*command, "-s", str(folder / "tagmanifest-sha256.txt.sig")], input=manifest, capture_output=True
    )
    assert run.returncode == 0, run.stderr


def test_whoever_seals_it_cannot_be_among_its_recipients(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    here.change_book(lambda book: book.with_contact(Contact("editor", abroad.me.card(), DAY, DAY)))
    for me in (addressees(here, [here.my_entry().label]), bare_addressees([str(here.me.recipient)])):
        to = [*addressees(here, ["editor"]), *me]
        with pytest.raises(BadInput, match="name your key"):
            export(here, find_case(here, "Mine"), [], to, str(tmp_path / "out.age"), as_newsroom=True)
    assert not (tmp_path / "out.age").exists()


# Who the receiver thinks it is


def test_a_receiver_who_compared_the_words_of_the_case_trusts_it(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    knows(abroad, find_case(here, "Mine").keys.card())
    done = sealed_for(here, abroad, tmp_path / "out.age")
    sender = opened(abroad, tmp_path / "out.age", tmp_path / "out").sender
    assert sender is not None
    assert (sender.name, sender.kind, sender.trusted, sender.words) == ("Kloop", "case", True, done.words)
    assert "any member of the case can sign this way" in sender.remark


@pytest.mark.parametrize("known", [True, False])
def test_without_a_comparison_of_the_words_nobody_is_trusted(
    here: Vault, abroad: Vault, tmp_path: Path, known: bool
) -> None:
    if known:
        knows(abroad, find_case(here, "Mine").keys.card(), compared=False)
    sealed_for(here, abroad, tmp_path / "out.age")
    sender = opened(abroad, tmp_path / "out.age", tmp_path / "out").sender
    assert sender is not None
    assert (sender.name, sender.trusted) == ("Kloop" if known else None, False)


def test_a_new_epoch_s_key_is_not_taken_for_the_one_that_was_compared(
    here: Vault, abroad: Vault, tmp_path: Path
) -> None:
    """Whoever was revoked has the old key, and could say that theirs is the new one."""
    knows(abroad, find_case(here, "Mine").keys.card())
    revoked = next(m for m in find_case(here, "Mine").keys.members if m.signing != here.me.signing_public)
    revoke(here, find_case(here, "Mine"), revoked, "Бакыт")
    sealed_for(here, abroad, tmp_path / "out.age")
    sender = opened(abroad, tmp_path / "out.age", tmp_path / "out").sender
    assert sender is not None
    assert (sender.name, sender.trusted, sender.instead_of) == (None, False, "Kloop")
    assert "epoch 2" in sender.remark and "epoch 1" in sender.remark


def test_a_card_of_the_same_case_by_a_stranger_is_not_taken_for_it(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    from tests.support import bundles
    from vault.bundle import IdentitySigner

    case, stranger = find_case(here, "Mine"), Identity.generate()
    for vault, known in ((abroad, True), (here, False)):
        if known:
            knows(vault, case.keys.card())
        signer = IdentitySigner(stranger, stranger.card(case_id=case.id, epoch=1))
        (tmp_path / "in.age").write_bytes(bundles.seal(recipients=[vault.me.recipient], signer=signer)[0])
        sender = opened(vault, tmp_path / "in.age", tmp_path / f"out {known}").sender
        assert sender is not None
        assert (sender.name, sender.trusted) == (None, False)


def test_a_member_trusts_the_current_key_and_is_told_of_a_former_one(here: Vault, tmp_path: Path) -> None:
    to = [Addressee("a key of one's own", (reader := Identity.generate()).recipient, "x", True)]
    mine = find_case(here, "Mine")
    export(here, mine, [], to, str(tmp_path / "before.age"), as_newsroom=True)
    former = next(m for m in mine.keys.members if m.signing != here.me.signing_public)
    senders = []
    for name in ("before", "before", "after"):
        if len(senders) == 1:
            revoke(here, find_case(here, "Mine"), former, "Бакыт")
            export(here, find_case(here, "Mine"), [], to, str(tmp_path / "after.age"), as_newsroom=True)
        folder = tmp_path / f"out {len(senders)}"
        sender = open_into_folder(
            str(tmp_path / f"{name}.age"), [reader.age], str(folder), here, progress=quiet
        ).sender
        assert sender is not None
        senders.append((sender.name, sender.trusted, "who left since has it too" in sender.remark))
    assert senders == [("Mine", True, False), ("Mine", False, True), ("Mine", True, False)]

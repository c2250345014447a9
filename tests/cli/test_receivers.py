# SPDX-License-Identifier: Apache-2.0
"""Editors who have only an older age, or only 7-Zip: what is sealed for them opens there, and its price is told."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.support import standby
from tests.support.commands import LETTER, SCRIPT, Desk, Done
from tests.support.tools import need, need_hybrid_age


def keygen(folder: Path, program: str) -> tuple[Path, str]:
    """An identity file as age-keygen makes it, and its recipient."""
    key = folder / "key.txt"
    subprocess.run([program, "-o", key], check=True, capture_output=True)
    return key, key.read_text().partition("public key: ")[2].split()[0]


def unpacked(tar: Path) -> Path:
    """The bundle's folder, as `tar` leaves it."""
    subprocess.run([need("tar"), "-xf", tar.name], cwd=tar.parent, check=True, capture_output=True)
    (folder,) = tar.parent.glob("bundle-*")
    return folder


@pytest.fixture
def desk(bundle: tuple[Desk, Desk, str]) -> Desk:
    """A journalist with two documents in a case, and a contact."""
    return bundle[0]


@pytest.mark.parametrize("which", ["installed", "newest"])
def test_an_age_of_any_version_opens_what_was_sealed_classic(desk: Desk, tmp_path: Path, which: str) -> None:
    """The age program that Debian stable has knows no other recipients."""
    programs = need_hybrid_age() if which == "newest" else Path(need("age")).parent
    key, recipient = keygen(tmp_path, str(programs / "age-keygen"))
    sealed = desk.home / "old.age"
    done = desk.run("export", "Road works", "-o", str(sealed), "--classic", "--recipient", recipient)
    assert "quantum" in done.err
    header = sealed.read_bytes().partition(b"\n---")[0]
    assert header.count(b"-> X25519 ") == 2, "one recipient and a dummy"
    assert header.count(b"->") == 2
    command = [programs / "age", "-d", "-i", key, "-o", tmp_path / "bundle.tar", sealed]
    subprocess.run(command, check=True, capture_output=True)
    folder = unpacked(tmp_path / "bundle.tar")
    assert (folder / "data/0001/letter.txt").read_bytes() == LETTER
    readme = (folder / "README.txt").read_text()
    assert "These will do: age, tar," in readme
    assert "1.3" not in readme


def test_what_was_sealed_classic_opens_with_the_key_file_and_says_who_signed(desk: Desk, tmp_path: Path) -> None:
    key, recipient = keygen(tmp_path, need("age-keygen"))
    listed = desk.write("recipients", f"# the editor\n{recipient}\n")
    document = desk.json("export", "Road works", "-o", str(desk.home / "old.age"), "--classic",
                         "--recipients-file", listed)  # fmt: skip
    assert document["passphrase"] is None
    opened = desk.json("open", str(desk.home / "old.age"), "-o", str(tmp_path / "out"), "--identity", str(key), code=13)
    assert opened["signer"]["words"] == document["words"]
    assert [item["name"] for item in opened["items"]] == ["letter.txt", "b.txt"]


def test_recipients_of_two_kinds_are_refused_by_name(desk: Desk, tmp_path: Path) -> None:
    _, old = keygen(tmp_path, need("age-keygen"))
    new = desk.json("card", "show")["recipient"]
    out = ("-o", str(desk.home / "x.age"))
    refused = desk.run("export", "Road works", *out, "--classic", "--recipient", old, "--recipient", new, code=2)
    assert new[:20] in refused.err
    refused = desk.run("export", "Road works", *out, "--classic", "--recipient", old, "--to", "editor", code=2)
    assert "editor" in refused.err
    refused = desk.run("export", "Road works", *out, "--recipient", old, code=2)
    assert old[:20] in refused.err
    assert "--classic" in refused.err
    assert not (desk.home / "x.age").exists()


def test_7zip_opens_the_zip_with_the_passphrase_that_was_told(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    document = desk.json("export", "Road works", "-o", str(path), "--zip")
    words = document["passphrase"]
    assert re.fullmatch(r"[a-z-]+( [a-z-]+){7}", words)
    assert document["to"] == []
    command = [need("7zz"), "x", f"-p{words}", path]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    folder = unpacked(tmp_path / "content.tar")
    assert (folder / "data/0001/letter.txt").read_bytes() == LETTER
    assert "Sealed-For: passphrase\n" in (folder / "bag-info.txt").read_text()
    assert "whoever has the passphrase" in desk.run("log", "Road works").out


def test_into_a_folder_the_zip_gets_a_name_that_tells_nothing(desk: Desk, tmp_path: Path) -> None:
    document = desk.json("export", "Road works", "-o", str(tmp_path), "--zip")
    assert Path(document["file"]).name == f"{document['bundle'][:8]}.zip"


def test_the_passphrase_of_a_zip_is_seen_once_and_is_nowhere_afterwards(desk: Desk, tmp_path: Path) -> None:
    """On the terminal: not on standard output, which may be a file."""
    command = (
        f"exec {SCRIPT} export 'Road works' -o x.zip --zip --vault '{desk.vault}' "
        f"--passphrase-file '{desk.passphrase}' > out.txt 2> err.txt"
    )
    child = pexpect.spawn("/bin/sh", ["-c", command], cwd=str(desk.home), env=desk.environment(), timeout=60)
    seen = child.read().decode()
    child.close()
    assert child.exitstatus == 0, (desk.home / "err.txt").read_text()
    (words,) = re.findall(r"^ {4}([a-z-]+(?: [a-z-]+){7})\r?$", seen, re.MULTILINE)
    subprocess.run([need("7zz"), "t", f"-p{words}", "x.zip"], cwd=desk.home, check=True, capture_output=True)
    assert "weaker than age" in (desk.home / "err.txt").read_text()
    for path in (*desk.home.rglob("*"), *tmp_path.rglob("*")):
        if path.is_file():
            assert words.encode() not in path.read_bytes(), path


def test_a_zip_is_not_made_when_nobody_could_be_told_its_passphrase(desk: Desk) -> None:
    refused = desk.run("export", "Road works", "-o", str(desk.home / "x.zip"), "--zip", code=2)
    assert "terminal" in refused.err
    assert "--json" in refused.err
    assert not list(desk.home.glob("x.zip*"))


@pytest.mark.parametrize("taker", ["full", "gone"])
def test_a_zip_whose_passphrase_nobody_took_does_not_stay_and_does_not_count_as_sent(desk: Desk, taker: str) -> None:
    """The document goes to a disk that is full, or to a program that has ended."""
    before = desk.run("log", "Road works").out
    words = desk.words("export", "Road works", "-o", str(desk.home / "x.zip"), "--zip", "--json")
    if taker == "full":
        out = os.open("/dev/full", os.O_WRONLY)
    else:
        other_end, out = os.pipe()
        os.close(other_end)
    done = subprocess.run(words, stdout=out, stderr=subprocess.PIPE, env=desk.environment(), check=False)
    os.close(out)
    assert done.returncode == 1
    assert b"the ZIP was removed" in done.stderr
    assert b"defect" not in done.stderr
    assert not list(desk.home.glob("x.zip*"))
    assert desk.run("log", "Road works").out == before


@pytest.mark.parametrize(
    "more", [("--to", "editor"), ("--recipient", "age1pq1x"), ("--classic",), ("--volume-size", "20M")]
)
def test_a_zip_is_for_nobody_in_particular_and_one_file(desk: Desk, more: tuple[str, ...]) -> None:
    desk.run("export", "Road works", "-o", str(desk.home / "x.zip"), "--zip", "--json", *more, code=2)


def test_a_zip_can_be_signed_by_the_newsroom(desk: Desk, tmp_path: Path) -> None:
    document = desk.json("export", "Road works", "-o", str(tmp_path / "x.zip"), "--zip", "--as", "newsroom")
    assert document["signed_as"] == "newsroom"


@pytest.fixture
def zipped(bundle: tuple[Desk, Desk, str]) -> tuple[Desk, str, str, str]:
    """An editor, a ZIP that was made for whoever has the passphrase, a file with it, and the passphrase."""
    desk, editor, _ = bundle
    path = editor.home / "x.zip"
    words = desk.json("export", "Road works", "-o", str(path), "--zip")["passphrase"]
    return editor, str(path), editor.write("words", words + "\n"), words


def test_an_editor_with_sandyk_opens_the_zip_and_knows_the_sender(zipped: tuple[Desk, str, str, str]) -> None:
    editor, path, words, _ = zipped
    opened = editor.json("open", path, "-o", str(editor.home / "out"), "--zip-passphrase-file", words)
    assert (opened["kind"], opened["signer"]["name"], opened["signer"]["trusted"]) == ("bundle", "news", True)
    assert Path(opened["items"][0]["path"]).read_bytes() == LETTER
    editor.run("case", "new", "Received")
    editor.run("open", path, "--into", "Received", "--zip-passphrase-file", words)
    assert editor.run("get", "letter.txt", "-o", "-").stdout == LETTER


def test_where_there_is_no_vault_a_zip_is_opened_and_checked_with_its_passphrase_alone(
    zipped: tuple[Desk, str, str, str],
) -> None:
    editor, path, words, _ = zipped

    def run(*command: str, **more: str) -> Done:
        done = standby.run([str(SCRIPT), *command], env=editor.environment() | more, cwd=editor.home)
        return Done(command[0], done.returncode, done.stdout, done.stderr.decode())

    here = ("--zip-passphrase-file", words)
    opened = run("open", path, "-o", "out", *here, "--json")
    assert (opened.code, opened.document["signer"]["trusted"], opened.document["signer"]["name"]) == (13, False, None)
    assert (editor.home / opened.document["items"][0]["path"]).read_bytes() == LETTER
    checked = run("verify", path, *here)
    assert checked.code == 13 and "decrypted as a ZIP with AES-256" in checked.out
    assert run("verify", path, "--zip-passphrase-file", editor.write("other", "other words")).code == 11
    for vault in (("--vault", "none"), ("--passphrase-file", words)):
        for command in (("open", path, "-o", "more"), ("verify", path)):
            refused = run(*command, *here, *vault)
            assert refused.code == 10 and "no vault" in refused.err, "a vault that was named is not done without"
    assert run("verify", path, *here, SANDYK_VAULT="none").code == 10
    assert run("open", path, "--into", "Received", *here).code == 10


def test_another_passphrase_and_a_changed_zip_are_told_apart_and_leave_nothing(
    zipped: tuple[Desk, str, str, str],
) -> None:
    editor, path, words, _ = zipped
    out = ("-o", str(editor.home / "out"))
    editor.run("open", path, *out, "--zip-passphrase-file", editor.write("other", "other words"), code=11)
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 1
    changed = editor.write("changed.zip", bytes(data))
    editor.run("open", changed, *out, "--zip-passphrase-file", words, code=12)
    editor.run(
        "open", editor.write("none.zip", b"PK\x03\x04" + bytes(500)), *out, "--zip-passphrase-file", words, code=12
    )
    assert not list((editor.home / "out").glob("*"))


def test_a_zip_is_not_opened_with_an_identity_nor_both_passphrases_from_one_input(
    zipped: tuple[Desk, str, str, str], tmp_path: Path
) -> None:
    editor, path, _, _ = zipped
    key, _ = keygen(tmp_path, need("age-keygen"))
    out = ("-o", str(editor.home / "out"))
    assert "passphrase" in editor.run("open", path, *out, "--identity", str(key), code=2).err
    editor.run("open", path, *out, "--passphrase-file", "-", "--zip-passphrase-file", "-", code=2)
    assert "--zip-passphrase-file" in editor.run("open", path, *out, code=2).err, "nobody can be asked"


def test_the_passphrase_of_a_zip_is_asked_for_at_the_terminal(zipped: tuple[Desk, str, str, str]) -> None:
    editor, path, _, words = zipped
    command = [*editor.words("open", path, "-o", str(editor.home / "out"))]
    child = pexpect.spawn(command[0], command[1:], cwd=str(editor.home), env=editor.environment(), timeout=60)
    child.expect("Passphrase of the ZIP: ")
    child.sendline(f"  {words.replace(' ', '  ')} ")
    seen = child.read().decode()
    child.close()
    assert child.exitstatus == 0, seen
    assert words not in seen


def test_no_receipt_is_made_for_a_zip(zipped: tuple[Desk, str, str, str]) -> None:
    editor, path, words, _ = zipped
    receipt = editor.home / "receipt"
    out = ("-o", str(editor.home / "out"), "--zip-passphrase-file", words)
    refused = editor.run("open", path, *out, "--receipt", str(receipt), code=3)
    assert "not sealed for your own key" in refused.err
    assert not receipt.exists()


def test_a_receipt_is_asked_of_those_alone_who_can_make_one(desk: Desk, tmp_path: Path) -> None:
    """It takes the key of a vault: who opens a file with an age identity has none, and `open` refuses `--receipt`."""
    _, old = keygen(tmp_path, need("age-keygen"))
    new = desk.json("card", "show")["recipient"]

    def told(name: str, *whom: str) -> str:
        (line,) = re.findall("^on its way, .*$", desk.run("export", "Road works", "-o", name, *whom).out, re.MULTILINE)
        return str(line)

    assert "nobody can make a receipt" in told("old.age", "--classic", "--recipient", old)
    assert "only whoever opens it with the key of a vault" in told("new.age", "--recipient", new)
    assert "--receipt" in told("both.age", "--recipient", new, "--to", "editor")


def test_what_is_no_recipient_is_not_quoted_when_it_may_be_a_secret(desk: Desk, tmp_path: Path) -> None:
    """A file of identities, or one with a passphrase in it, was named by mistake."""
    key, _ = keygen(tmp_path, need("age-keygen"))
    secret = next(line for line in key.read_text().splitlines() if line.startswith("AGE-SECRET-KEY-"))
    for option, value in (("--recipients-file", str(key)), ("--recipient", secret), ("--recipient", secret.lower())):
        refused = desk.run("export", "Road works", "-o", "x.age", option, value, code=2)
        assert "which is secret" in refused.err and "age-keygen -y" in refused.err
        assert secret[15:30].lower() not in refused.err.lower()
    refused = desk.run("export", "Road works", "-o", "x.age", "--recipients-file", str(desk.passphrase), code=2)
    assert "recipient 1 is no age recipient" in refused.err
    assert Path(desk.passphrase).read_text().strip()[:8] not in refused.err


def test_what_is_no_identity_file_is_named_with_what_to_do(desk: Desk, tmp_path: Path) -> None:
    _key, recipient = keygen(tmp_path, need("age-keygen"))
    desk.run("export", "Road works", "-o", "old.age", "--classic", "--recipient", recipient)
    files = {"public.txt": recipient, "empty.txt": "# nothing", "sealed.key": "age-encryption.org/v1"}
    for name, content in files.items():
        refused = desk.run("open", "old.age", "-o", "out", "--identity", desk.write(name, content), code=12)
        assert f"{name} is no file of age identities" in refused.err and "age-keygen" in refused.err

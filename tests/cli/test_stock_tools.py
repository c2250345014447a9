# SPDX-License-Identifier: Apache-2.0
"""An editor who has never heard of `sandyk`: opens, checks and answers with programs of others alone."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import LETTER, Desk
from tests.support.tools import need, need_hybrid_age, need_node_package, need_openssl_mldsa


def stock_age(**request: Any) -> dict[str, str]:
    """What the package age-encryption answers to a request (tests/interop/age.mjs)."""
    run = subprocess.run(
        [need("node"), "age.mjs"], cwd=need_node_package(), input=json.dumps(request).encode(), capture_output=True
    )
    assert run.returncode == 0, run.stderr.decode()
    answer = json.loads(run.stdout)
    assert isinstance(answer, dict)
    return answer


def unseal(path: Path, identity: str) -> bytes:
    """The content of a file that was sealed for an identity."""
    data = base64.b64encode(path.read_bytes()).decode()
    return base64.b64decode(stock_age(seal=False, identities=[identity], data=data)["data"])


def seal(content: bytes, recipient: str, *, armor: bool = False) -> bytes:
    """A file sealed to a recipient."""
    data = base64.b64encode(content).decode()
    return base64.b64decode(stock_age(seal=True, armor=armor, recipients=[recipient], data=data)["data"])


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands as a person would paste them."""
    return subprocess.run(
        ["sh", "-ec", script], cwd=folder, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    )


@pytest.fixture(params=["age-encryption", "age"])
def received(bundle: tuple[Desk, Desk, str], tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Desk, Path]:
    """A bundle for a key that a stock tool made, decrypted by the same and unpacked by `tar`: its folder.

    Once with age for browsers and node, once with the age program.
    """
    one, _, _ = bundle
    sealed = one.home / "stock.age"
    if request.param == "age":
        age = need_hybrid_age()
        subprocess.run([age / "age-keygen", "-pq", "-o", "key.txt"], cwd=tmp_path, check=True, capture_output=True)
        recipient = (tmp_path / "key.txt").read_text().partition("public key: ")[2].split()[0]
        one.run("export", "Road works", "-o", str(sealed), "--recipient", recipient, "--to", "editor")
        command = [age / "age", "-d", "-i", "key.txt", "-o", "bundle.tar", sealed]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    else:
        key = stock_age(generate="hybrid")
        one.run("export", "Road works", "-o", str(sealed), "--recipient", key["recipient"], "--to", "editor")
        (tmp_path / "bundle.tar").write_bytes(unseal(sealed, key["identity"]))
    need("tar")
    run = shell("tar -xf bundle.tar", tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    (folder,) = [path for path in tmp_path.iterdir() if path.name.startswith("bundle-")]
    return one, folder


def commands_of(readme: str) -> list[str]:
    """The indented command lines of the English part of a README, without the one that decrypts and unpacks."""
    english = readme.partition("РУССКИЙ")[0]
    return [line.strip() for line in re.findall(r"^    ((?:sha256sum|echo|ssh-keygen) .*)$", english, re.MULTILINE)]


def test_the_commands_of_the_readme_check_every_file_and_the_signature(received: tuple[Desk, Path]) -> None:
    for tool in ("sha256sum", "ssh-keygen"):
        need(tool)
    _, folder = received
    lines = commands_of((folder / "README.txt").read_text("utf-8"))
    assert [line.split()[0] for line in lines] == ["sha256sum", "sha256sum", "echo", "ssh-keygen"]
    run = shell("\n".join(lines), folder)
    assert run.returncode == 0, run.stderr
    assert "data/0001/letter.txt: OK" in run.stdout
    assert "Good" in run.stdout
    assert (folder / "data/0001/letter.txt").read_bytes() == LETTER
    assert json.loads((folder / "metadata/items.json").read_bytes())


def test_openssl_checks_the_second_signature_with_the_command_of_the_readme(received: tuple[Desk, Path]) -> None:
    openssl = need_openssl_mldsa()
    _, folder = received
    english = (folder / "README.txt").read_text("utf-8").partition("РУССКИЙ")[0]
    (command,) = re.findall(r"^    openssl (.*)$", english, re.MULTILINE)
    good = shell(f"{openssl} {command}", folder)
    assert (good.returncode, good.stdout) == (0, "Signature Verified Successfully\n"), good.stderr
    document = (Path(__file__).resolve().parents[2] / "docs" / "format-bundle.md").read_text("utf-8")
    (digest, named) = re.findall(r"^(openssl pkey .*)\n(grep .*)$", document, re.MULTILINE)[0]
    assert shell(named, folder).stdout == f"mldsa65 {shell(digest.replace('openssl', openssl), folder).stdout}"
    manifest = folder / "tagmanifest-sha256.txt"
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert shell(f"{openssl} {command}", folder).returncode != 0


@pytest.mark.parametrize("path", ["data/0001/letter.txt", "metadata/items.json", "tagmanifest-sha256.txt"])
def test_the_same_commands_notice_a_changed_file(received: tuple[Desk, Path], path: str) -> None:
    for tool in ("sha256sum", "ssh-keygen"):
        need(tool)
    _, folder = received
    changed = folder / path
    changed.write_bytes(changed.read_bytes().replace(b"e", b"f", 1) + b"x")
    run = shell("\n".join(commands_of((folder / "README.txt").read_text("utf-8"))), folder)
    assert run.returncode != 0


def test_another_key_does_not_verify_the_signature(received: tuple[Desk, Path], tmp_path: Path) -> None:
    need("ssh-keygen")
    _, folder = received
    shell(f"ssh-keygen -q -t ed25519 -N '' -f {tmp_path}/other", tmp_path)
    *_, tell, verify = commands_of((folder / "README.txt").read_text("utf-8"))
    other = (tmp_path / "other.pub").read_text().split()[1]
    told = re.sub(r"ssh-ed25519 \S+", f"ssh-ed25519 {other}'", tell.replace("'  >", " >"))
    told = told.replace("''", "'")
    run = shell(f"{told}\n{verify}", folder)
    assert run.returncode != 0
    assert "Good" not in run.stdout


def test_the_editor_with_sandyk_gets_the_same_files_from_the_same_bundle(
    received: tuple[Desk, Path], bundle: tuple[Desk, Desk, str]
) -> None:
    one, folder = received
    _, editor, _ = bundle
    opened = editor.json("open", str(one.home / "stock.age"), "-o", str(editor.home / "out"))
    ours = Path(opened["place"])
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(ours) for path in ours.rglob("*") if path.is_file())
    assert all((folder / name).read_bytes() == (ours / name).read_bytes() for name in names)


@pytest.mark.parametrize("armor", [False, True])
@pytest.mark.parametrize("whose", ["journalist", "case"])
def test_what_stock_age_sealed_is_taken_in_and_marked_unsigned(one: Desk, whose: str, armor: bool) -> None:
    words = ("--case", "Road works") if whose == "case" else ()
    recipient = one.json("card", "show", *words)["recipient"]
    sealed = one.write("справка.pdf.age", seal(LETTER, recipient, armor=armor))
    taken = one.run("open", sealed, "--into", "Road works")
    assert "unsigned: nothing in it shows who made it" in taken.out
    item = one.json("show", "справка.pdf")
    assert (item["origin"], item["signer"]) == ("age", None)
    assert one.run("get", "справка.pdf", "-o", "-").stdout == LETTER
    opened = one.json("open", sealed, "-o", str(one.home / "out"))
    assert (opened["kind"], opened["signer"]) == ("age", None)


def test_a_file_for_somebody_else_and_a_damaged_one_are_told_apart(one: Desk) -> None:
    sealed = seal(LETTER, stock_age(generate="hybrid")["recipient"])
    one.run("open", one.write("other.age", sealed), "--into", "Road works", code=11)
    mine = seal(LETTER, one.json("card", "show")["recipient"])
    one.run("open", one.write("cut.age", mine[:-5]), "--into", "Road works", code=12)
    assert one.json("list")["items"] == []


def test_a_bundle_whose_signature_was_replaced_is_refused_as_not_trusted(
    received: tuple[Desk, Path], tmp_path: Path
) -> None:
    """Somebody who may open a bundle packs it again for the journalist, with a byte of the signature changed."""
    one, folder = received
    shutil.copy(tmp_path / "bundle.tar", tmp_path / "changed.tar")
    data = bytearray((tmp_path / "changed.tar").read_bytes())
    signature = (folder / "tagmanifest-sha256.txt.sig").read_bytes()
    lines = signature.split(b"\n")
    letter = lines[-4][:1]
    lines[-4] = (b"B" if letter != b"B" else b"C") + lines[-4][1:]
    place = data.find(signature)
    data[place : place + len(signature)] = b"\n".join(lines)
    sealed = seal(bytes(data), one.json("card", "show")["recipient"])
    refused = one.run("open", one.write("changed.age", sealed), "-o", str(one.home / "out"), code=13)
    assert "signature" in refused.err
    assert not list((one.home / "out").glob("*"))
    whole = seal((tmp_path / "bundle.tar").read_bytes(), one.json("card", "show")["recipient"])
    passed_on = one.run("open", one.write("passed on.age", whole), "-o", str(one.home / "out"), code=13)
    assert "sealed for others" in passed_on.err

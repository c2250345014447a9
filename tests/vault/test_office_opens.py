# SPDX-License-Identifier: Apache-2.0
"""LibreOffice opens clean copies of office documents as it opens any document, and shows what was visible in them.

Run without anybody at the screen it repairs nothing: a package that would need it is not converted.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pypdfium2
import pytest

from tests.support.telling_documents import CANARY, VISIBLE, canaries_in
from tests.support.tools import need
from vault.cleaning.cleaner import Cleaner

BODIES = {
    "text": "<text:p>{}</text:p>",
    "spreadsheet": '<table:table table:name="one"><table:table-row><table:table-cell office:value-type="string">'
    "<text:p>{}</text:p></table:table-cell></table:table-row></table:table>",
    "presentation": '<draw:page draw:name="one"><draw:frame svg:width="20cm" svg:height="3cm" svg:x="1cm" svg:y="1cm">'
    "<draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame></draw:page>",
}
WRITTEN_FROM = {
    "docx": "text", "odt": "text", "xlsx": "spreadsheet", "ods": "spreadsheet", "pptx": "presentation",
    "odp": "presentation",
}  # fmt: skip


def flat(kind: str) -> str:
    """A document as one XML file (OpenDocument 1.3, part 3, section 3.1.2), by somebody who signs it."""
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{urn}:1.0"'
        for name, urn in (("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"),
                          ("svg", "svg-compatible"), ("meta", "meta"))
    )  # fmt: skip
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document{spaces} xmlns:dc="http://purl.org/dc/elements/1.1/"'
        f' office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.{kind}"><office:meta>'
        f"<meta:initial-creator>{CANARY}</meta:initial-creator><dc:creator>{CANARY}</dc:creator></office:meta>"
        f"<office:body><office:{kind}>{BODIES[kind].format(VISIBLE)}</office:{kind}></office:body></office:document>"
    )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Path]:
    """Converts a document into another form; what it made."""
    program, home = need("soffice"), tmp_path_factory.mktemp("profile")

    def convert(document: Path, form: str) -> Path:
        out = document.parent / form
        subprocess.run(
            [program, "--headless", "--norestore", f"-env:UserInstallation={home.as_uri()}", "--convert-to", form,
             "--outdir", out, document],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        return out / f"{document.stem}.{form}"

    return convert


@pytest.fixture(scope="module")
def cleaner() -> Iterator[Cleaner]:
    with Cleaner() as opened:
        yield opened


def shown(pdf: Path) -> str:
    """The words on all pages."""
    with pypdfium2.PdfDocument(pdf) as document:
        return " ".join(page.get_textpage().get_text_range() for page in document)


@pytest.mark.parametrize("form", WRITTEN_FROM)
def test_a_clean_copy_of_what_libreoffice_wrote_opens_and_shows_the_same(
    office: Callable[[Path, str], Path], cleaner: Cleaner, tmp_path: Path, form: str
) -> None:
    source = tmp_path / "letter.xml"
    source.write_text(flat(WRITTEN_FROM[form]), encoding="utf-8")
    written = office(source, form)
    assert canaries_in(written.read_bytes())
    clean = tmp_path / f"clean.{form}"
    clean.write_bytes(cleaner.clean([written.read_bytes()])[0].content)
    assert not canaries_in(clean.read_bytes())
    words = shown(office(clean, "pdf"))
    assert VISIBLE in words
    assert words == shown(office(written, "pdf"))

# SPDX-License-Identifier: Apache-2.0
"""The README.txt in a bundle: how to open and check it with programs that are not ours.

For an editor who was sent a file and has never heard of us: English, Russian, Kyrgyz. The
commands are tested as they stand here. It promises nothing that the commands do not show.
"""

from __future__ import annotations

from vault.bundle_layout import NAMESPACE, SIGNATURE, TAG_MANIFEST, root_of

_OPEN = """\
    age -d -i KEYFILE -o bundle.tar FILE.age
    tar -xf bundle.tar
    cd {root}
"""
_CHECK = """\
    sha256sum -c {tag_manifest}
    sha256sum -c manifest-sha256.txt
"""
_VERIFY = """\
    echo 'sender namespaces="{namespace}" {key}' > ../allowed_signers
    ssh-keygen -Y verify -f ../allowed_signers -I sender -n {namespace} -s {signature} < {tag_manifest}
"""

_ENGLISH = (
    """\
ENGLISH

This is a bundle of documents, sealed with the program sandyk. Nobody needs that program
to open and check it. These will do: age (1.3 or later), tar, sha256sum, ssh-keygen.

1. Open it. Decrypt first and unpack then, as two commands: tar stops reading before the
   end of the file, so the two do not work together through a pipe.

{open}
   bundle.tar and what you unpack can be read by everybody who gets hold of them. Work on
   an encrypted disk.

2. Check that nothing was changed. Every line must end in OK.
   (On a Mac, say "shasum -a 256" instead of "sha256sum".)

{check}""",
    """\
3. Check who sealed it.

{verify}
   The key in the first command came with the bundle. "Good signature" says that the
   holder of this key sealed these documents, and nothing was changed since. It does not
   say who that is. You know it only if this fingerprint is the one that you were given
   in another way, for example by voice:

    {fingerprint}
""",
    """\
3. This bundle is not signed. Nothing in it shows who sent it.
""",
    """\
{number}. Look inside. index.html is a list of the documents, for any browser, without a network.
   metadata/items.json has their true names, times, notes and sources,
   metadata/custody.jsonl what was done with them. The documents are under data/.
""",
)

_RUSSIAN = (
    """\
РУССКИЙ

Это пакет документов, запечатанный программой sandyk. Чтобы открыть и проверить его, она
не нужна. Достаточно программ age (1.3 или новее), tar, sha256sum, ssh-keygen.

1. Откройте пакет. Сначала расшифруйте, потом распакуйте, двумя командами: tar перестаёт
   читать раньше конца файла, поэтому через канал (|) они вместе не работают.

{open}
   bundle.tar и распакованные файлы прочтёт всякий, к кому они попадут. Работайте на
   зашифрованном диске.

2. Проверьте, что ничего не изменено. Каждая строка должна кончаться на OK (ЦЕЛ).
   (На Маке вместо "sha256sum" пишите "shasum -a 256".)

{check}""",
    """\
3. Проверьте, кто запечатал пакет.

{verify}
   Ключ в первой команде взят из самого пакета. "Good signature" значит, что документы
   запечатал владелец этого ключа и что с тех пор ничего не изменилось. Кто он, отсюда не
   следует. Это известно, только если этот отпечаток совпадает с тем, который вам передали
   другим путём, например голосом:

    {fingerprint}
""",
    """\
3. Пакет не подписан. Ничто в нём не показывает, кто его прислал.
""",
    """\
{number}. Что внутри. index.html: список документов для любого браузера, сеть не нужна.
   metadata/items.json: их настоящие имена, время, заметки и источники;
   metadata/custody.jsonl: что с ними делали. Сами документы лежат в data/.
""",
)

_KYRGYZ = (
    """\
КЫРГЫЗЧА

Бул sandyk программасы менен мөөр басылган документтердин топтому. Аны ачуу жана текшерүү
үчүн ал программанын кереги жок. Булар жетиштүү: age (1.3 же жаңыраак), tar, sha256sum,
ssh-keygen.

1. Топтомду ачыңыз. Адегенде шифрден чыгарып, андан кийин таңгактан чыгарыңыз, эки буйрук
   менен: tar файлдын аягына чейин окубайт, ошондуктан аларды канал (|) аркылуу бириктирүүгө
   болбойт.

{open}
   bundle.tar файлын жана андан чыккан файлдарды колуна тийген ар бир адам окуй алат.
   Шифрленген дискте иштеңиз.

2. Эч нерсе өзгөртүлбөгөнүн текшериңиз. Ар бир сап OK менен бүтүшү керек.
   (Mac компьютеринде "sha256sum" ордуна "shasum -a 256" деп жазыңыз.)

{check}""",
    """\
3. Мөөрдү ким басканын текшериңиз.

{verify}
   Биринчи буйруктагы ачкыч топтомдун өзүнөн алынган. "Good signature" деген жооп
   документтерге ушул ачкычтын ээси мөөр басканын жана андан бери эч нерсе өзгөрбөгөнүн
   билдирет. Анын ким экенин билдирбейт. Аны төмөнкү из сизге башка жол менен, мисалы үн
   аркылуу, берилген изге дал келгенде гана билесиз:

    {fingerprint}
""",
    """\
3. Бул топтомго кол коюлган эмес. Аны ким жөнөткөнүн андагы эч нерсе көрсөтпөйт.
""",
    """\
{number}. Ичинде эмне бар. index.html: документтердин тизмеси, каалаган браузер үчүн, тармак керек
   эмес. metadata/items.json: алардын чыныгы аттары, убактысы, белгилери жана булактары;
   metadata/custody.jsonl: алар менен эмне жасалганы. Документтердин өздөрү data/ ичинде.
""",
)


def render_readme(bundle_id: bytes, public_line: str | None, fingerprint: str | None) -> bytes:
    """The text for a bundle signed by a key (its ``ssh-ed25519 …`` line and ``SHA256:…``), or for a drop (None)."""
    names = {"root": root_of(bundle_id), "tag_manifest": TAG_MANIFEST, "signature": SIGNATURE, "namespace": NAMESPACE}
    values = {
        "open": _OPEN.format(**names),
        "check": _CHECK.format(**names),
        "verify": _VERIFY.format(key=public_line, **names),
        "fingerprint": fingerprint or "",
        "number": "4",
    }
    languages = []
    for start, signed, unsigned, end in (_ENGLISH, _RUSSIAN, _KYRGYZ):
        languages.append("\n".join((start, signed if public_line else unsigned, end)).format(**values))
    return "\n\n".join(languages).encode("utf-8")

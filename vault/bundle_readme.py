# SPDX-License-Identifier: Apache-2.0
"""The README.txt in a bundle: how to open and check it with programs that are not ours.

For an editor who was sent a file and has never heard of us: English, Russian, Kyrgyz, Uzbek. The
commands are tested as they stand here. It promises nothing that the commands do not show.
"""

from __future__ import annotations

from enum import Enum

from vault.bundle_layout import MLDSA_KEY, MLDSA_SIGNATURE, NAMESPACE, SIGNATURE, TAG_MANIFEST, root_of


class Carrier(Enum):
    """What a bundle is sealed in, as far as it matters to whoever opens it with other programs."""

    AGE = "age"
    OLDER_AGE = "older age"
    """With recipients of the kind that age knew before 1.3."""
    ZIP = "zip"


_OPEN_AGE = """\
    age -d -i KEYFILE -o bundle.tar FILE.age
    tar -xf bundle.tar
    cd {root}
"""
_OPEN_ZIP = """\
    7z x FILE.zip
    tar -xf content.tar
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
_VERIFY_MLDSA = """\
    openssl pkeyutl -verify -pubin -inkey {mldsa_key} -rawin -in {tag_manifest} -sigfile {mldsa_signature} -pkeyopt context-string:{namespace}
"""  # noqa: E501  # a command to paste must be one line

_ENGLISH = (
    """\
ENGLISH

This is a bundle of documents, sealed with the program sandyk. Nobody needs that program
to open and check it. These will do: {programs}.

1. Open it. {how}

{open}
   {tar} and what you unpack can be read by everybody who gets hold of them. Work on
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

   A second signature, ML-DSA-65, is made to hold against quantum computers as well. Its key is
   named in metadata/sender.card. OpenSSL 3.5 or later checks it:

{verify_mldsa}""",
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
не нужна. Достаточно программ {programs}.

1. Откройте пакет. {how}

{open}
   {tar} и распакованные файлы прочтёт всякий, к кому они попадут. Работайте на
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

   Вторая подпись, ML-DSA-65, рассчитана и на то, что появятся квантовые компьютеры. Её ключ
   назван в metadata/sender.card. Её проверяет OpenSSL 3.5 или новее:

{verify_mldsa}""",
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
үчүн ал программанын кереги жок. Булар жетиштүү: {programs}.

1. Топтомду ачыңыз. {how}

{open}
   {tar} файлын жана андан чыккан файлдарды колуна тийген ар бир адам окуй алат.
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

   Экинчи кол тамга, ML-DSA-65, кванттык компьютерлер пайда болсо да туруштук берүү үчүн түзүлгөн.
   Анын ачкычы metadata/sender.card ичинде аталган. Аны OpenSSL 3.5 же андан жаңысы текшерет:

{verify_mldsa}""",
    """\
3. Бул топтомго кол коюлган эмес. Аны ким жөнөткөнүн андагы эч нерсе көрсөтпөйт.
""",
    """\
{number}. Ичинде эмне бар. index.html: документтердин тизмеси, каалаган браузер үчүн, тармак керек
   эмес. metadata/items.json: алардын чыныгы аттары, убактысы, эскертмелери жана булактары;
   metadata/custody.jsonl: алар менен эмне жасалганы. Документтердин өздөрү data/ ичинде.
""",
)

_UZBEK = (
    """\
O‘ZBEKCHA

Bu sandyk dasturi bilan muhrlangan hujjatlar to‘plami. Uni ochish va tekshirish uchun o‘sha
dastur kerak emas. Shular yetarli: {programs}.

1. To‘plamni oching. {how}

{open}
   {tar} faylini va undan chiqqan fayllarni ular qo‘liga tushgan har kim o‘qiy oladi.
   Shifrlangan diskda ishlang.

2. Hech narsa o‘zgartirilmaganini tekshiring. Har bir satr OK bilan tugashi kerak.
   (Mac kompyuterida "sha256sum" o‘rniga "shasum -a 256" deb yozing.)

{check}""",
    """\
3. Kim muhrlaganini tekshiring.

{verify}
   Birinchi buyruqdagi kalit to‘plamning o‘zidan olingan. "Good signature" javobi hujjatlarni
   shu kalit egasi muhrlaganini va shundan beri hech narsa o‘zgarmaganini bildiradi. Uning kim
   ekanini bildirmaydi. Buni faqat quyidagi iz sizga boshqa yo‘l bilan, masalan ovoz orqali,
   berilgan izga mos kelsagina bilasiz:

    {fingerprint}

   Ikkinchi imzo, ML-DSA-65, kvant kompyuterlari paydo bo‘lganda ham chidashi uchun yaratilgan.
   Uning kaliti metadata/sender.card ichida aytilgan. Uni OpenSSL 3.5 yoki yangirog‘i tekshiradi:

{verify_mldsa}""",
    """\
3. Bu to‘plam imzolanmagan. Uni kim yuborganini undagi hech narsa ko‘rsatmaydi.
""",
    """\
{number}. Ichida nima bor. index.html: hujjatlar ro‘yxati, istalgan brauzer uchun, tarmoq kerak
   emas. metadata/items.json: ularning haqiqiy nomlari, vaqti, izohlari va manbalari;
   metadata/custody.jsonl: ular bilan nima qilingani. Hujjatlarning o‘zi data/ ichida.
""",
)


_PROGRAMS = {
    Carrier.AGE: (
        "age (1.3 or later), tar, sha256sum, ssh-keygen",
        "age (1.3 или новее), tar, sha256sum, ssh-keygen",
        "age (1.3 же жаңыраак), tar, sha256sum,\nssh-keygen",
        "age (1.3 yoki yangiroq), tar, sha256sum, ssh-keygen",
    ),
    Carrier.OLDER_AGE: ("age, tar, sha256sum, ssh-keygen",) * 4,
    Carrier.ZIP: ("7-Zip, tar, sha256sum, ssh-keygen",) * 4,
}
_HOW_AGE = (
    """\
Decrypt first and unpack then, as two commands: tar stops reading before the
   end of the file, so the two do not work together through a pipe.""",
    """\
Сначала расшифруйте, потом распакуйте, двумя командами: tar перестаёт
   читать раньше конца файла, поэтому через канал (|) они вместе не работают.""",
    """\
Адегенде шифрден чыгарып, андан кийин таңгактан чыгарыңыз, эки буйрук
   менен: tar файлдын аягына чейин окубайт, ошондуктан аларды канал (|) аркылуу бириктирүүгө
   болбойт.""",
    """\
Avval shifrdan chiqaring, keyin oching, ikkita buyruq bilan: tar fayl oxirigacha
   o‘qimaydi, shuning uchun ularni kanal (|) orqali birlashtirib bo‘lmaydi.""",
)
_HOW_ZIP = (
    """\
The ZIP asks for the passphrase. In it is content.tar, to be unpacked by a second
   command. On some systems 7-Zip is called 7zz.""",
    """\
ZIP спросит пароль. Внутри лежит content.tar, его распаковывает вторая команда.
   В некоторых системах программа 7-Zip называется 7zz.""",
    """\
ZIP сырсөздү сурайт. Анын ичинде content.tar бар, аны экинчи буйрук
   таңгактан чыгарат. Кээ бир системаларда 7-Zip программасы 7zz деп аталат.""",
    """\
ZIP parolni so‘raydi. Uning ichida content.tar bor, uni ikkinchi buyruq ochadi.
   Ba’zi tizimlarda 7-Zip dasturi 7zz deb ataladi.""",
)


def render_readme(
    bundle_id: bytes, public_line: str | None, fingerprint: str | None, carrier: Carrier = Carrier.AGE
) -> bytes:
    """The text for a bundle signed by a key (its ``ssh-ed25519 …`` line and ``SHA256:…``), or for a drop (None)."""
    in_zip = carrier is Carrier.ZIP
    names = {
        "root": root_of(bundle_id), "tag_manifest": TAG_MANIFEST, "signature": SIGNATURE, "namespace": NAMESPACE,
        "mldsa_key": MLDSA_KEY, "mldsa_signature": MLDSA_SIGNATURE,
    }  # fmt: skip
    values = {
        "open": (_OPEN_ZIP if in_zip else _OPEN_AGE).format(**names),
        "tar": "content.tar" if in_zip else "bundle.tar",
        "check": _CHECK.format(**names),
        "verify": _VERIFY.format(key=public_line, **names),
        "verify_mldsa": _VERIFY_MLDSA.format(**names),
        "fingerprint": fingerprint or "",
        "number": "4",
    }
    languages = []
    for (start, signed, unsigned, end), programs, how in zip(
        (_ENGLISH, _RUSSIAN, _KYRGYZ, _UZBEK), _PROGRAMS[carrier], _HOW_ZIP if in_zip else _HOW_AGE, strict=True
    ):
        text = "\n".join((start, signed if public_line else unsigned, end))
        languages.append(text.format(programs=programs, how=how, **values))
    return "\n\n".join(languages).encode("utf-8")

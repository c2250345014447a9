# SPDX-License-Identifier: Apache-2.0
"""The words of the catalogue page in English, Russian, Kyrgyz and Uzbek, and its style sheet. Constants and text only.

The page has no script, so the choice of language is a style: the English words stand in the
page, where a reader without styles sees them too; a radio button that is checked hides them
and lets the style sheet show others in their place.
"""

from __future__ import annotations

LANGUAGES = {"en": "English", "ru": "Русский", "ky": "Кыргызча", "uz": "O‘zbekcha"}

WORDS: dict[str, tuple[str, str, str, str]] = {
    "documents": ("Documents", "Документов", "Документтер", "Hujjatlar"),
    "total": ("All together", "Всего", "Баары биригип", "Jami"),
    "sealed": ("Sealed", "Запечатано", "Мөөр басылган", "Muhrlangan"),
    "signed": ("Signed with the key", "Подписано ключом", "Кол коюлган ачкыч", "Imzolagan kalit"),
    "unsigned": (
        "Not signed: nothing here shows who sent it",
        "Не подписано: ничто здесь не показывает, кто это отправил",
        "Кол коюлган эмес: муну ким жөнөткөнүн бул жерде эч нерсе көрсөтпөйт",
        "Imzolanmagan: buni kim yuborganini bu yerda hech narsa ko‘rsatmaydi",
    ),
    "claims": (
        "Times are those of the sender’s clocks. Types are what the names say.",
        "Время указано по часам отправителя. Тип определён по имени файла.",
        "Убакыт жөнөтүүчүнүн саатынан алынган. Түрү файлдын атынан аныкталган.",
        "Vaqt jo‘natuvchining soati bo‘yicha. Turi fayl nomidan olingan.",
    ),
    "size": ("Size", "Размер", "Көлөмү", "Hajmi"),
    "type": ("Type", "Тип", "Түрү", "Turi"),
    "modified": ("Modified", "Изменён", "Өзгөртүлгөн", "O‘zgartirilgan"),
    "filed": ("Filed", "Принят на хранение", "Сактоого алынган", "Saqlashga olingan"),
    "note": ("Note", "Заметка", "Эскертме", "Izoh"),
    "source": ("Source", "Источник", "Булак", "Manba"),
    "tags": ("Tags", "Метки", "Тегдер", "Teglar"),
    "custody": ("Custody", "История хранения", "Сактоо тарыхы", "Saqlash tarixi"),
    "was-filed": ("filed", "принято", "сактоого алынды", "saqlashga olindi"),
    "was-taken-in": ("taken in", "принято из посылки", "жөнөтүүдөн алынды", "jo‘natmadan olindi"),
    "was-copied-out": ("copied out", "скопировано наружу", "сыртка көчүрүлдү", "tashqariga ko‘chirildi"),
    "was-exported": (
        "sealed and exported", "запечатано и экспортировано", "мөөр басылып, экспорттолду", "muhrlab chiqarildi",
    ),
    "original-removed": ("original removed", "оригинал удалён", "түпнускасы өчүрүлдү", "asl nusxasi o‘chirildi"),
    "image": ("image", "изображение", "сүрөт", "rasm"),
    "text": ("text", "текст", "текст", "matn"),
    "table": ("table", "таблица", "таблица", "jadval"),
    "slides": ("slides", "презентация", "слайддар", "slaydlar"),
    "mail": ("e-mail", "электронная почта", "электрондук почта", "elektron pochta"),
    "sound": ("sound", "звук", "үн", "ovoz"),
    "video": ("video", "видео", "видео", "video"),
    "archive": ("archive", "архив", "архив", "arxiv"),
    "page": ("web page", "веб-страница", "веб-баракча", "veb-sahifa"),
    "other": ("file", "файл", "файл", "fayl"),
}
"""For each word its spellings in the order of ``LANGUAGES``. None may hold a quotation mark or a backslash."""

_KINDS = {
    "image": "jpg jpeg png gif webp tif tiff bmp heic heif avif svg",
    "text": "pdf txt md rtf doc docx odt pages djvu epub fb2",
    "table": "xls xlsx ods csv tsv numbers",
    "slides": "ppt pptx odp key",
    "mail": "eml msg mbox pst",
    "sound": "mp3 m4a ogg opus wav flac aac amr wma",
    "video": "mp4 m4v mov avi mkv webm 3gp wmv mts",
    "archive": "zip 7z rar tar gz bz2 xz zst tgz",
    "page": "html htm mht mhtml",
}
_KIND_OF = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()}


def kind_of(name: str) -> tuple[str, str]:
    """What a file's name says of its content: a key of ``WORDS``, and the suffix in capitals, or nothing."""
    stem, dot, suffix = name.rpartition(".")
    suffix = suffix.lower()
    if not (stem and dot and suffix.isascii() and suffix.isalnum() and len(suffix) <= 8):
        return "other", ""
    return _KIND_OF.get(suffix, "other"), suffix.upper()


_LOOKS = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --page: #16181b; } }
body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; max-width: 62rem; margin: 1.5rem auto;
  padding: 0 1rem; background: var(--page); }
body > input { position: absolute; opacity: 0; }
body > label { display: inline-block; padding: .15rem .6rem; border: 1px solid var(--line); border-radius: 1rem;
  font-size: .85rem; cursor: pointer; }
body > input:checked + label { background: CanvasText; color: Canvas; }
body > input:focus-visible + label { outline: 2px solid Highlight; outline-offset: 2px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 1.2rem 0 .6rem; overflow-wrap: anywhere; }
main > ol { list-style: none; padding: 0; }
main > ol > li { border-top: 1px solid var(--line); padding: 1rem 0; break-inside: avoid; display: flow-root; }
h2 { font-size: 1.05rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.no { display: inline-block; min-width: 3rem; opacity: .7; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .1rem 1rem; margin: 0;
  font-size: .92rem; }
main > ol dl { margin-left: 3rem; }
dt { opacity: .75; }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
dd.lines { white-space: pre-wrap; }
dd ol { list-style: none; margin: 0; padding: 0; font-size: .9em; }
dt b, dd b, p b { font-weight: inherit; }
img { float: right; max-width: min(40%, 20rem); height: auto; margin: 0 0 .5rem 1rem; border: 1px solid var(--line);
  background: #fff; }
code { font: .85rem ui-monospace, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.tag { background: var(--soft); border-radius: .3rem; padding: 0 .4rem; margin-right: .3rem; }
p.aside { font-size: .85rem; opacity: .75; }
@media (max-width: 40rem) {
  main > ol dl { margin-left: 0; grid-template-columns: minmax(5rem, 30%) 1fr; }
  img { float: none; display: block; max-width: 100%; margin: 0 0 .6rem; }
}
@media print {
  body { margin: 0; max-width: none; font-size: 10.5pt; } body > input, body > label { display: none; }
  a { color: inherit; text-decoration: none; } img { max-width: 5cm; }
}
"""


def style_sheet() -> str:
    """The page's style sheet, with the words of every language but English."""
    lines = [_LOOKS]
    for place, language in enumerate(LANGUAGES):
        if place:
            lines.append(f"#{language}:checked ~ main .w > b {{ display: none; }}\n")
            lines += [
                f'#{language}:checked ~ main .{word}::before {{ content: "{spellings[place]}"; }}\n'
                for word, spellings in WORDS.items()
            ]
    return "".join(lines)

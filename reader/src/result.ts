// SPDX-License-Identifier: Apache-2.0
/** Shows what was opened: what was proven and what was not, the catalogue, and the buttons that save. */

import type { Tags } from "./bundle.ts"
import { refuse, work } from "./busy.ts"
import { button, byId, make, said } from "./element.ts"
import { hex } from "./encoding.ts"
import { eventOf, type Item } from "./items.ts"
import type { Json } from "./json.ts"
import { type PlainWord, type Say, say } from "./language.ts"
import { numberOf } from "./layout.ts"
import { printable, printableLines } from "./names.ts"
import { type Opened, save, savedName, savePlain } from "./opened.ts"
import { pictureOf } from "./picture.ts"
import { canChooseFile, canChooseFolder, chooseFile, chooseFolder, downloads, MAX_DOWNLOAD_BYTES, type Place } from "./places.ts"

const NANO = 1_000_000_000n
const AT_ONCE = 200
const MAX_SHOWN_CHARS = 80
const MAX_LISTED_FILES = 20

export function clearResult(): void {
  byId("result").hidden = true
  byId("result").replaceChildren()
}

export function showBundle(opened: Opened, tags: Tags): void {
  present([
    said("h2", (words) => printable(tags.title) || words.untitled),
    said("p", (words) => words.whole(words.documents(tags.items.length)), "good"),
    ...proven(tags),
    ...notProven(tags, opened.notUsed),
    make("dl", [
      ...row("sealedAt", make("dd", time(tags.sealedNs))),
      ...row("identifier", make("dd", [make("code", tags.urn)])),
      ...(tags.signer === null ? [] : row("fingerprint", make("dd", [make("code", tags.signer.fingerprint)]))),
    ]),
    said("h3", "listHeading"),
    ...warnings(),
    button(canChooseFolder ? "saveAllFolder" : "saveAll", () => void saveAll(opened, tags)),
    outcome,
    catalogue(opened, tags),
  ])
}

export function showPlain(opened: Opened, name: string): void {
  const content = name.replace(/\.age$/i, "") || "content"
  present([
    said("h2", "plainHeading"),
    said("p", "plainText"),
    make("dl", row("size", bytes(BigInt(opened.size)))),
    ...warnings(),
    button("plainSave", () => void saveContent(opened, content), "main"),
    outcome,
  ])
}

/** Says what was saved. */
const outcome = make("div")
outcome.setAttribute("role", "status")

function present(content: Node[]): void {
  const panel = byId("result")
  outcome.replaceChildren()
  panel.replaceChildren(...content)
  panel.hidden = false
  panel.focus()
  panel.scrollIntoView({ block: "start" })
}

/** What to mind before something is saved. */
function warnings(): Node[] {
  const clear = said("p", "clearWarning", "aside")
  return canChooseFolder && canChooseFile ? [clear] : [clear, said("p", "opensWarning", "aside")]
}

function proven(tags: Tags): Node[] {
  const about = [said("li", "provenBytes"), said("li", (words) => words.provenForYou(tags.recipients))]
  if (tags.signer === null) return [said("p", "unsigned", "bad"), said("h3", "proven"), make("ul", about)]
  const byCase = tags.signer.card.kind === "case"
  const words = make("ol", tags.signer.card.words.map((word) => make("li", word)), "words")
  words.id = "words"
  about.push(make("li", [said("span", byCase ? "provenSignedCase" : "provenSigned"), words, said("span", "compare")]))
  return [said("h3", "proven"), make("ul", about)]
}

function notProven(tags: Tags, notUsed: readonly Say[]): Node[] {
  const items: PlainWord[] = ["notProvenWhen", "notProvenTrue"]
  if (tags.signer !== null) items.unshift(tags.signer.card.kind === "case" ? "notProvenWhoCase" : "notProvenWho")
  if (tags.stamped) items.push("stamped")
  const list = items.map((item) => said("li", item))
  if (notUsed.length > 0) list.push(make("li", [said("span", "notUsed"), ...notUsed.map((file) => said("div", file))]))
  if (tags.notExamined.length > 0) {
    const names = tags.notExamined.slice(0, MAX_LISTED_FILES).map((name) => make("div", [make("code", name)]))
    const more = tags.notExamined.length - names.length
    const rest = more > 0 ? [said("div", (words) => words.notExaminedMore(more))] : []
    list.push(make("li", [said("span", "notExamined"), ...names, ...rest]))
  }
  return [said("h3", "notProven"), make("ul", list)]
}

/** The list, some hundreds at a time: a page with a hundred thousand documents stands still. */
function catalogue(opened: Opened, { items, untrustedThumbnails }: Tags): HTMLElement {
  const list = make("ol", [], "documents")
  list.id = "documents"
  const wrapper = make("div", [list])
  const showMore = (from: number): void => {
    for (const item of items.slice(from, from + AT_ONCE)) {
      list.append(entry(opened, item, untrustedThumbnails.get(numberOf(item.path))))
    }
    const left = items.length - from - AT_ONCE
    if (left <= 0) return
    const next = button((words) => words.more(left), () => {
      next.remove()
      showMore(from + AT_ONCE)
    })
    wrapper.append(next)
  }
  showMore(0)
  return wrapper
}

function entry(opened: Opened, item: Item, untrustedThumbnail: Uint8Array | undefined): HTMLElement {
  const name = printable(item.name)
  const title = make("span", [make("span", `${numberOf(item.path)} `, "number"), document.createTextNode(name)])
  const saver = button("save", () => void saveOne(opened, item))
  say(saver, (words) => words.saveNamed(name), "aria-label")
  const rows = [
    ...row("size", bytes(item.size)),
    ...timeRow("modified", item.modifiedNs),
    ...timeRow("filed", item.filedNs),
    ...[make("dt", "SHA-256"), make("dd", [make("code", hex(item.sha256))])],
    ...textRow("note", printableLines(item.note)),
    ...textRow("source", printableLines(item.source)),
    ...textRow("tags", item.tags.map(printable).join(" · ")),
    ...textRow("custody", item.custody.map(event).join("\n")),
  ]
  const picture = untrustedThumbnail === undefined ? [] : [pictureOf(untrustedThumbnail)]
  return make("li", [make("div", [title, saver], "title"), ...picture, make("dl", rows)])
}

function row(label: PlainWord, content: HTMLElement): HTMLElement[] {
  return [said("dt", label), content]
}

function timeRow(label: PlainWord, ns: bigint | null): HTMLElement[] {
  return ns === null ? [] : row(label, make("dd", time(ns)))
}

function textRow(label: PlainWord, text: string): HTMLElement[] {
  return text === "" ? [] : row(label, make("dd", text))
}

function bytes(size: bigint): HTMLElement {
  const grouped = String(size).replace(/\B(?=(\d{3})+$)/g, "\u00a0")
  return said("dd", (words) => `${grouped} ${words.bytes}`)
}

/** Date and time in UTC, to the second, rounded down also before 1970. */
function time(ns: bigint): string {
  const seconds = ns >= 0n ? ns / NANO : -((NANO - 1n - ns) / NANO)
  const milliseconds = Number(seconds) * 1000
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ")} UTC`
}

/** One line: when, what, and whatever else the sender's record says, by the names it has there. */
function event(line: string): string {
  const rest = new Map(eventOf(line))
  const at = rest.get("at_ns")
  if (typeof at === "bigint") rest.delete("at_ns")
  const what = rest.get("event")
  rest.delete("event")
  const parts = [typeof at === "bigint" ? time(at) : "", short(what ?? "")]
  return [...parts, ...[...rest].map(([key, value]) => `${printable(key)} ${short(value)}`)].filter((part) => part).join(" · ")
}

function short(value: Json): string {
  const text = flat(value)
  return printable(text.length <= MAX_SHOWN_CHARS ? text : `${text.slice(0, MAX_SHOWN_CHARS)}…`)
}

function flat(value: Json): string {
  if (value instanceof Map) return [...value].map(([key, of]) => `${key} ${flat(of)}`).join(", ")
  return Array.isArray(value) ? value.map(flat).join(", ") : String(value)
}

async function saveOne(opened: Opened, item: Item): Promise<void> {
  const place = await placed(() => chooseFile(savedName(item)))
  if (place !== null) await saveInto(opened, [item], place)
}

async function saveAll(opened: Opened, tags: Tags): Promise<void> {
  const place = canChooseFolder ? await placed(() => chooseFolder(tags.root)) : downloads
  if (place !== null) await saveInto(opened, tags.items, place)
}

async function saveContent(opened: Opened, name: string): Promise<void> {
  const place = await placed(() => chooseFile(name))
  if (place === null) return
  await work("saving", opened.sealed.size, async (pass) => {
    outcome.replaceChildren()
    const saved = await savePlain(opened, name, place, pass)
    outcome.replaceChildren(saved ? said("p", "saved", "good") : said("p", "saveFailed", "bad"))
  })
}

async function saveInto(opened: Opened, items: readonly Item[], place: Place): Promise<void> {
  await work("saving", opened.sealed.size, async (pass) => {
    outcome.replaceChildren()
    const { done, failed, ended } = await save(opened, items, place, pass)
    if (ended !== null) {
      refuse(ended, ...(done.length === 0 ? [] : [said("p", (words) => words.savedOnly(words.documents(done.length)))]))
      return
    }
    if (done.length > 0) outcome.append(saidSaved(done.length, items.length, place))
    if (failed.length > 0) {
      const names = failed.map((item) => printable(item.name)).join(", ")
      outcome.append(said("p", (words) => words.savedWithout(names), "bad"))
      outcome.append(said("p", failed.some((item) => item.size > MAX_DOWNLOAD_BYTES) ? "tooLarge" : "saveFailed"))
    }
  })
}

function saidSaved(done: number, wanted: number, place: Place): HTMLElement {
  if (place.label === "") return said("p", (words) => words.savedDownloads(words.documents(done)), "good")
  if (wanted === 1) return said("p", "saved", "good")
  return said("p", (words) => words.savedAll(words.documents(done), place.label), "good")
}

/** Where to, or null. A browser that will not let this page write there says so. */
async function placed(choose: () => Promise<Place | null>): Promise<Place | null> {
  try {
    return await choose()
  } catch (cause) {
    outcome.replaceChildren(said("p", "saveFailed", "bad"), make("p", String(cause), "aside"))
    return null
  }
}

// SPDX-License-Identifier: Apache-2.0
/**
 * The documents of a bundle as metadata/items.json and metadata/custody.jsonl describe them (docs/format-bundle.md §4).
 * Each text has one spelling: what was parsed is written again and compared, so that two readers cannot see two
 * different things in one signed file.
 */

import { fromBase64, fromUtf8, hex, sameBytes, utf8 } from "./encoding.ts"
import { type Json, type JsonObject, parse, render } from "./json.ts"
import { isUrn, MAX_ITEMS } from "./layout.ts"
import { isBagName, isText, jsonString } from "./names.ts"
import { damaged } from "./refusal.ts"

const TEXT_FORMAT = "sandyk bundle 1"
const MAX_NAME_BYTES = 4096
const MAX_TEXT_CHARS = 65_536
const MAX_TITLE_CHARS = 1000
const MAX_TAGS = 100
const MAX_TAG_CHARS = 200
const MAX_EVENT_DEPTH = 4
const MAX_INTEGER = (1n << 63n) - 1n
const HEAD_KEYS = "format bundle title sealed_ns items"
const ITEM_KEYS = "size sha256 modified_ns filed_ns note source tags"

export interface Item {
  /** Where it lies: `data/0001/<name>`. */
  readonly path: string
  /** Its true name as it was filed: any bytes. */
  readonly name: Uint8Array
  readonly size: bigint
  readonly sha256: Uint8Array
  readonly modifiedNs: bigint | null
  readonly filedNs: bigint | null
  readonly note: string
  readonly source: string
  readonly tags: readonly string[]
  readonly custody: readonly JsonObject[]
}

export interface Contents {
  readonly urn: string
  readonly title: string
  readonly sealedNs: bigint
  readonly items: readonly Item[]
}

/** Both texts, checked against every limit and spelling. */
export function parseContents(untrustedItems: Uint8Array, untrustedCustody: Uint8Array): Contents {
  const head = fields(parse(text(untrustedItems), 4), HEAD_KEYS)
  const [format, urn, title, sealedNs, untrustedList] = head
  if (format !== TEXT_FORMAT || typeof urn !== "string" || !isUrn(urn)) throw damaged("an unknown list of items")
  if (!isList(untrustedList) || untrustedList.length < 1 || untrustedList.length > MAX_ITEMS) {
    throw damaged("a bundle holds 1 to 100000 items")
  }
  const custody = parseCustody(text(untrustedCustody), untrustedList.length)
  const digits = Math.max(4, String(untrustedList.length).length)
  const contents: Contents = {
    urn,
    title: limited(title, 0, MAX_TITLE_CHARS),
    sealedNs: integer(sealedNs),
    items: untrustedList.map((untrusted, i) =>
      parseItem(untrusted, String(i + 1).padStart(digits, "0"), custody.get(i + 1) ?? []),
    ),
  }
  if (!sameBytes(utf8(renderItems(contents)), untrustedItems)) {
    throw damaged("the list of items is not spelled as this format wants it")
  }
  return contents
}

function renderItems(contents: Contents): string {
  const head = `{"format":"${TEXT_FORMAT}","bundle":"${contents.urn}","title":${jsonString(contents.title)}`
  const lines = contents.items.map(renderItem)
  return `${head},"sealed_ns":${contents.sealedNs},"items":[\n${lines.join(",\n")}\n]}\n`
}

function renderItem(item: Item): string {
  const asText = fromUtf8(item.name)
  return render(
    new Map<string, Json>([
      ["path", item.path],
      asText === null ? ["name_base64", base64Of(item.name)] : ["name", asText],
      ["size", item.size],
      ["sha256", hex(item.sha256)],
      ["modified_ns", item.modifiedNs],
      ["filed_ns", item.filedNs],
      ["note", item.note],
      ["source", item.source],
      ["tags", item.tags],
    ]),
  )
}

function parseItem(untrusted: Json, number: string, custody: readonly JsonObject[]): Item {
  const keyOfName = untrusted instanceof Map && untrusted.has("name") ? "name" : "name_base64"
  const found = fields(untrusted, `path ${keyOfName} ${ITEM_KEYS}`)
  const [path, name, size, sha256, modifiedNs, filedNs, note, source, tags] = found
  if (!isList(tags) || tags.length > MAX_TAGS) throw damaged("an item has more than 100 tags")
  const bytes = typeof name !== "string" ? null : keyOfName === "name" ? trueName(name) : fromBase64(name)
  if (bytes === null || bytes.length < 1 || bytes.length > MAX_NAME_BYTES) throw damaged("a name is impossible")
  return {
    path: checkedPath(path, number),
    name: bytes,
    size: natural(size),
    sha256: digest(sha256),
    modifiedNs: modifiedNs === null ? null : integer(modifiedNs),
    filedNs: filedNs === null ? null : integer(filedNs),
    note: limited(note, 0, MAX_TEXT_CHARS),
    source: limited(source, 0, MAX_TEXT_CHARS),
    tags: tags.map((tag) => limited(tag, 1, MAX_TAG_CHARS)),
    custody,
  }
}

/** Lines `{"item":n,"event":{…}}`, by item; each is compared with what a writer makes of it. */
function parseCustody(untrusted: string, items: number): Map<number, JsonObject[]> {
  const events = new Map<number, JsonObject[]>()
  const lines = untrusted.split("\n")
  if (lines.pop() !== "") throw damaged("the custody record is cut off")
  let before = 1n
  for (const line of lines) {
    const value = parse(line, MAX_EVENT_DEPTH + 1)
    const [number, event] = fields(value, "item event")
    if (typeof number !== "bigint" || number < before || number > items || !(event instanceof Map)) {
      throw damaged("the custody record speaks of an item that is not there, or is out of order")
    }
    checkEvent(event)
    if (render(value) !== line) throw damaged("the custody record is not spelled as this format wants it")
    before = number
    events.set(Number(number), [...(events.get(Number(number)) ?? []), event])
  }
  return events
}

function checkEvent(value: Json): void {
  if (typeof value === "string") limited(value, 0, MAX_TEXT_CHARS)
  else if (typeof value === "bigint") integer(value)
  else if (isList(value)) value.forEach(checkEvent)
  else if (value instanceof Map) {
    for (const [key, of] of value) {
      if (!isText(key)) throw damaged("a text is no Unicode")
      checkEvent(of)
    }
  }
}

/** The values of an object that has exactly these keys in this order. */
function fields(untrusted: Json, keys: string): Json[] {
  if (!(untrusted instanceof Map) || [...untrusted.keys()].join(" ") !== keys) {
    throw damaged("an entry of the list of items or of the custody record has other fields than it must have")
  }
  return [...untrusted.values()]
}

function text(untrusted: Uint8Array): string {
  const decoded = fromUtf8(untrusted)
  if (decoded === null) throw damaged("a list is not UTF-8")
  return decoded
}

function trueName(name: string): Uint8Array | null {
  return isText(name) ? utf8(name) : null
}

function base64Of(name: Uint8Array): string {
  return btoa(String.fromCharCode(...name))
}

function checkedPath(untrusted: Json | undefined, number: string): string {
  const [, folder, name] = /^data\/([0-9]{4,6})\/([^/]+)$/u.exec(typeof untrusted === "string" ? untrusted : "") ?? []
  if (folder !== number || name === undefined || !isBagName(name)) {
    throw damaged("a path in the bundle is not an item's number and a safe name")
  }
  return `data/${folder}/${name}`
}

function digest(untrusted: Json | undefined): Uint8Array {
  if (typeof untrusted !== "string" || !/^[0-9a-f]{64}$/.test(untrusted)) throw damaged("a digest is impossible")
  return Uint8Array.from(untrusted.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

function natural(untrusted: Json | undefined): bigint {
  const value = integer(untrusted)
  if (value < 0n) throw damaged("a size is below zero")
  return value
}

function integer(untrusted: Json | undefined): bigint {
  if (typeof untrusted !== "bigint" || untrusted > MAX_INTEGER || untrusted < -MAX_INTEGER) {
    throw damaged("a number is impossible")
  }
  return untrusted
}

function limited(untrusted: Json | undefined, least: number, most: number): string {
  if (typeof untrusted !== "string" || !isText(untrusted)) throw damaged("a text is no Unicode")
  const length = untrusted.length > most ? Array.from(untrusted).length : untrusted.length
  if (length < least || length > most) throw damaged("a text is longer than it may be, or empty")
  return untrusted
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

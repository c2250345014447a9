// SPDX-License-Identifier: Apache-2.0
/**
 * The documents of a bundle as metadata/items.json and metadata/custody.jsonl describe them (docs/format-bundle.md §4).
 * Each text has one spelling: what was parsed is written again and compared, so that two readers cannot see two
 * different things in one signed file. Read line by line, each judged before the next: anybody can send a drop.
 */

import { fromBase64, fromUtf8, hex, toBase64, utf8 } from "./encoding.ts"
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
const MAX_EVENT_VALUES = 200
const MAX_EVENT_CHARS = 80_000
const MAX_EVENTS = 500_000
const MAX_LINE = 2 << 20
const MAX_INTEGER = (1n << 63n) - 1n
const LINE_END = 10
const HEAD_KEYS = "format bundle title sealed_ns"
const HEAD_END = ',"items":['
const LIST_END = "]}"
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
  /** Lines of custody.jsonl, each judged: `eventOf` gives what is in one. */
  readonly custody: readonly string[]
}

export interface Contents {
  readonly urn: string
  readonly title: string
  readonly sealedNs: bigint
  readonly items: readonly Item[]
}

/** Both texts, checked against every limit and spelling. */
export function parseContents(untrustedItems: Uint8Array, untrustedCustody: Uint8Array): Contents {
  const contents = parseItems(lines(untrustedItems))
  const custody = parseCustody(lines(untrustedCustody), contents.items.length)
  return { ...contents, items: contents.items.map((item, i) => ({ ...item, custody: custody.get(i + 1) ?? [] })) }
}

/** What a line of the custody record says. */
export function eventOf(line: string): JsonObject {
  const [, event] = fields(parse(line, MAX_EVENT_DEPTH + 1), "item event")
  if (!(event instanceof Map)) throw damaged("a custody event is no object")
  return event
}

/** The lines without their ends, one after the other. */
function* lines(untrusted: Uint8Array): Generator<string> {
  for (let start = 0; start < untrusted.length; ) {
    const end = untrusted.indexOf(LINE_END, start)
    const line = end < 0 || end - start > MAX_LINE ? null : fromUtf8(untrusted.subarray(start, end))
    if (line === null) throw damaged("a line of a list is too long, has no end, or is not UTF-8")
    yield line
    start = end + 1
  }
}

/** All but the custody. */
function parseItems(untrusted: Iterator<string, undefined>): Contents {
  const head = parseHead(untrusted.next().value ?? "")
  const parsed: Item[] = []
  for (let more = true; more; ) {
    const line = untrusted.next().value
    if (line === undefined || parsed.length === MAX_ITEMS) throw damaged("a bundle holds 1 to 100000 items")
    more = line.endsWith(",")
    const item = parseItem(parse(more ? line.slice(0, -1) : line, 2))
    expectSpelling(line, renderItem(item) + (more ? "," : ""))
    parsed.push(item)
  }
  if (untrusted.next().value !== LIST_END || !untrusted.next().done) throw damaged("the list of items has another end")
  const digits = Math.max(4, String(parsed.length).length)
  parsed.forEach((item, i) => checkPath(item.path, String(i + 1).padStart(digits, "0")))
  return { ...head, items: parsed }
}

function parseHead(line: string): Omit<Contents, "items"> {
  const [format, urn, title, sealedNs] = fields(parse(`${line.slice(0, -HEAD_END.length)}}`, 1), HEAD_KEYS)
  if (format !== TEXT_FORMAT || typeof urn !== "string" || !isUrn(urn)) throw damaged("an unknown list of items")
  const head = { urn, title: limited(title, 0, MAX_TITLE_CHARS), sealedNs: integer(sealedNs) }
  const start = `{"format":"${TEXT_FORMAT}","bundle":"${urn}","title":${jsonString(head.title)}`
  expectSpelling(line, `${start},"sealed_ns":${head.sealedNs}${HEAD_END}`)
  return head
}

function expectSpelling(untrustedLine: string, line: string): void {
  if (untrustedLine !== line) throw damaged("a line of a list is not spelled as this format wants it")
}

function renderItem(item: Item): string {
  const asText = fromUtf8(item.name)
  return render(
    new Map<string, Json>([
      ["path", item.path],
      asText === null ? ["name_base64", toBase64(item.name)] : ["name", asText],
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

function parseItem(untrusted: Json): Item {
  const keyOfName = untrusted instanceof Map && untrusted.has("name") ? "name" : "name_base64"
  const found = fields(untrusted, `path ${keyOfName} ${ITEM_KEYS}`)
  const [path, name, size, sha256, modifiedNs, filedNs, note, source, tags] = found
  if (!isList(tags) || tags.length > MAX_TAGS) throw damaged("an item has more than 100 tags")
  const bytes = typeof name !== "string" ? null : keyOfName === "name" ? trueName(name) : fromBase64(name)
  if (bytes === null || bytes.length < 1 || bytes.length > MAX_NAME_BYTES) throw damaged("a name is impossible")
  return {
    path: string(path),
    name: bytes,
    size: natural(size),
    sha256: digest(sha256),
    modifiedNs: modifiedNs === null ? null : integer(modifiedNs),
    filedNs: filedNs === null ? null : integer(filedNs),
    note: limited(note, 0, MAX_TEXT_CHARS),
    source: limited(source, 0, MAX_TEXT_CHARS),
    tags: tags.map((tag) => limited(tag, 1, MAX_TAG_CHARS)),
    custody: [],
  }
}

/** The lines `{"item":n,"event":{…}}` of each item that has any. */
function parseCustody(untrusted: Iterable<string>, items: number): Map<number, string[]> {
  const events = new Map<number, string[]>()
  let last = 1n
  let count = 0
  for (const line of untrusted) {
    const value = parse(line, MAX_EVENT_DEPTH + 1)
    const [number, event] = fields(value, "item event")
    if (typeof number !== "bigint" || number < last || number > items || !(event instanceof Map)) {
      throw damaged("the custody record is out of order, or speaks of an item that is not there")
    }
    checkEvent(event)
    expectSpelling(line, render(value))
    if (++count > MAX_EVENTS) throw damaged("the custody record holds too many events")
    last = number
    const ofItem = events.get(Number(number)) ?? []
    ofItem.push(line)
    events.set(Number(number), ofItem)
  }
  return events
}

/** Plain JSON of limited size; of its depth the parser has taken care. */
function checkEvent(event: JsonObject): void {
  const waiting: Json[] = [event]
  let values = 0
  let chars = 0
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    const inside = value instanceof Map ? [...value.keys(), ...value.values()] : isList(value) ? value : []
    values += inside.length
    if (typeof value === "string") chars += length(limited(value, 0, MAX_EVENT_CHARS))
    if (typeof value === "bigint") integer(value)
    if (values > MAX_EVENT_VALUES || chars > MAX_EVENT_CHARS) throw damaged("a custody event is larger than it may be")
    waiting.push(...inside)
  }
}

/** The values of an object that has exactly these keys in this order. */
function fields(untrusted: Json, keys: string): Json[] {
  if (!(untrusted instanceof Map) || [...untrusted.keys()].join(" ") !== keys) {
    throw damaged("an entry of the list of items or of the custody record has other fields than it must have")
  }
  return [...untrusted.values()]
}

function trueName(name: string): Uint8Array | null {
  return isText(name) ? utf8(name) : null
}

function checkPath(path: string, number: string): void {
  const [, folder, name] = /^data\/([0-9]{4,6})\/([^/]+)$/u.exec(path) ?? []
  if (folder !== number || name === undefined || !isBagName(name)) {
    throw damaged("a path in the bundle is not an item's number and a safe name")
  }
}

function string(untrusted: Json | undefined): string {
  if (typeof untrusted !== "string") throw damaged("a text is something else")
  return untrusted
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
  const text = string(untrusted)
  if (!isText(text) || length(text) < least || length(text) > most) {
    throw damaged("a text is longer than it may be, empty, or no Unicode")
  }
  return text
}

/** In characters: those outside of the first plane are two units of JavaScript's. */
function length(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0)
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

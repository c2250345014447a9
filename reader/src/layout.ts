// SPDX-License-Identifier: Apache-2.0
/** What lies where in a bundle, in which order and how large, and its bag-info.txt (docs/format-bundle.md §4, §5). */

import { sha256 } from "@noble/hashes/sha2.js"
import { fromUtf8, hex, toBase64Unpadded, utf8 } from "./encoding.ts"
import { damaged, Refusal } from "./refusal.ts"

export const NAMESPACE = "bundle.v1@sandyk"
export const LEAST_PLAINTEXT = 256 << 10
export const MAX_ITEMS = 100_000
export const MAX_OTHER_FILES = 200_000
export const MAX_OTHER_BYTES = 1 << 20
export const MAX_OTHER_TOTAL_BYTES = 64 << 20

export const DECLARATION = "bagit.txt"
export const DECLARATION_TEXT = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
export const INFO = "bag-info.txt"
export const MANIFEST = "manifest-sha256.txt"
export const ITEMS = "metadata/items.json"
export const CUSTODY = "metadata/custody.jsonl"
export const CARD = "metadata/sender.card"
export const TAG_MANIFEST = "tagmanifest-sha256.txt"
export const MLDSA_KEY = "metadata/sender.mldsa65.pem"
export const SIGNATURE = "tagmanifest-sha256.txt.sig"
export const MLDSA_SIGNATURE = "tagmanifest-sha256.txt.mldsa65"
export const TIMESTAMP = "tagmanifest-sha256.txt.tsr"
export const README = "README.txt"
export const CATALOGUE = "index.html"
export const PAYLOAD_FOLDER = "data/"

/** Made after the tag manifest, or from it: it cannot list them. */
export const UNLISTED: readonly string[] = [TAG_MANIFEST, SIGNATURE, MLDSA_SIGNATURE, TIMESTAMP]
/** What a signed bundle has, all of it, and a drop has not. */
export const SIGNED_WITH: readonly string[] = [SIGNATURE, MLDSA_SIGNATURE, CARD, MLDSA_KEY]
export const REQUIRED: readonly string[] = [
  DECLARATION, INFO, MANIFEST, ITEMS, CUSTODY, TAG_MANIFEST, README, CATALOGUE,
]
/** Tag files whose content is looked at; of the others only the digest is. */
export const KEPT: readonly string[] = [DECLARATION, INFO, MANIFEST, ITEMS, CUSTODY, TAG_MANIFEST, ...SIGNED_WITH]

export const MAX_BYTES: ReadonlyMap<string, number> = new Map([
  [DECLARATION, 64],
  [INFO, 8 << 10],
  [MANIFEST, 32 << 20],
  [ITEMS, 64 << 20],
  [CUSTODY, 64 << 20],
  [CARD, 16 << 10],
  [MLDSA_KEY, 4 << 10],
  [TAG_MANIFEST, 32 << 20],
  [SIGNATURE, 2 << 10],
  [MLDSA_SIGNATURE, 4 << 10],
  [TIMESTAMP, 64 << 10],
  [README, 64 << 10],
  [CATALOGUE, 256 << 20],
])

const MAX_RECIPIENTS = 32
const PROFILE = "urn:uuid:be0bcdfc-1bbe-4fe4-8efe-9728cf21e564"
const FIRST: readonly string[] = [DECLARATION, INFO, MANIFEST]
const LAST: readonly string[] = [...UNLISTED, README, CATALOGUE]
const OTHER = /^metadata\/[a-z0-9][a-z0-9._-]{0,63}(\/[a-z0-9][a-z0-9._-]{0,63})?$/
/** A format with a higher number than this page's. */
const NEWER = /^Format: (?:[2-9]|[1-9][0-9]{1,17})$/
const URN = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const INFO_TEXT = new RegExp(
  "^External-Identifier: (?<urn>[^\\n]+)\\nBagging-Date: [^\\n]+\\nPayload-Oxum: [^\\n]+\\n" +
    "BagIt-Profile-Identifier: [^\\n]+\\n(?<for>Sealed-For: passphrase\\n|(?:Sealed-For: SHA256:[A-Za-z0-9+/]{43}\\n)+)" +
    "(?:Sealed-By: (?<by>SHA256:[A-Za-z0-9+/]{43})\\n)?Format: 1\\n$",
)
const END_OF_TIME_NS = 253_402_300_800n * 1_000_000_000n // year 10000

/** Whom a bundle is tied to. */
export interface Binding {
  readonly urn: string
  /** Digests of keys; or `passphrase` alone, in a bundle that came out of a ZIP. */
  readonly sealedFor: readonly string[]
  readonly sealedBy: string | null
}

/** `SHA256:` and 43 base64 characters over a recipient's raw key (1216 bytes hybrid, 32 classic). */
export function keyDigest(rawRecipient: Uint8Array): string {
  return `SHA256:${toBase64Unpadded(sha256(rawRecipient))}`
}

/** The folder of the bundle with this identifier. */
export function rootOf(urn: string): string {
  return `bundle-${urn.slice("urn:uuid:".length, "urn:uuid:".length + 8)}`
}

export function isUrn(untrusted: string): boolean {
  return URN.test(untrusted)
}

/** Whom bag-info.txt names. Its other lines are for the caller to compare with `infoText`. */
export function parseBinding(untrusted: Uint8Array): Binding {
  const text = fromUtf8(untrusted) ?? ""
  const formats = text.match(/^Format: .*$/gm) ?? []
  if (formats.some((line) => NEWER.test(line))) {
    throw new Refusal("newer", "this bundle was made by a newer version")
  }
  if (formats.join() !== "Format: 1") {
    throw damaged("this bundle is of a version that never was")
  }
  const found = INFO_TEXT.exec(text)?.groups
  const urn = found?.urn ?? ""
  const sealedFor = (found?.for ?? "").split("\n").slice(0, -1).map((line) => line.slice("Sealed-For: ".length))
  const sorted = sealedFor.every((digest, i) => i === 0 || (sealedFor[i - 1] ?? "") < digest)
  if (!isUrn(urn) || !sorted || sealedFor.length < 1 || sealedFor.length > MAX_RECIPIENTS) {
    throw damaged("bag-info.txt is not spelled as this format wants it")
  }
  return { urn, sealedFor, sealedBy: found?.by ?? null }
}

/** What the writer makes of these values. */
export function infoText(binding: Binding, sealedNs: bigint, payloadSize: bigint, items: number): string {
  const elements = [
    ["External-Identifier", binding.urn],
    ["Bagging-Date", dateOf(sealedNs)],
    ["Payload-Oxum", `${payloadSize}.${items}`],
    ["BagIt-Profile-Identifier", PROFILE],
    ...binding.sealedFor.map((digest) => ["Sealed-For", digest]),
    ...(binding.sealedBy === null ? [] : [["Sealed-By", binding.sealedBy]]),
    ["Format", "1"],
  ]
  return elements.map(([label, value]) => `${label}: ${value}\n`).join("")
}

/** A line with digest and path for each file, sorted by path. Paths of this format need no escapes. */
export function manifestText(digests: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const lines = [...digests].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, digest]) => `${hex(digest)}  ${path}\n`)
  return utf8(lines.join(""))
}

/** The number in a document's path. */
export function numberOf(path: string): string {
  return path.split("/")[1] ?? ""
}

/** The number of the document, as its path spells it, whose small picture this may be; else null. */
export function numberOfThumbnail(name: string): string | null {
  return /^metadata\/thumbnails\/([0-9]{4,6})\.png$/.exec(name)?.[1] ?? null
}

/** Sorts tag files in the order in which they must stand; throws for one that may not be there. */
export function placeOf(name: string): string {
  const place = FIRST.includes(name) ? FIRST.indexOf(name) : LAST.includes(name) ? 100 + LAST.indexOf(name) : 50
  if (place === 50 && !OTHER.test(name)) throw damaged("the bundle holds a file that does not belong into one")
  return `${String(place).padStart(3, "0")} ${name}`
}

function dateOf(ns: bigint): string {
  if (ns < 0n || ns >= END_OF_TIME_NS) throw damaged("a bundle was sealed between the years 1970 and 9999")
  return new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 10)
}

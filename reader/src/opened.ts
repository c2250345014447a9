// SPDX-License-Identifier: Apache-2.0
/** A sealed file that was verified from end to end, and the second pass that saves what is in it. No page here. */

import { BundleReader, type Tags } from "./bundle.ts"
import type { Item } from "./items.ts"
import type { Keys } from "./keys.ts"
import type { Say } from "./language.ts"
import { BadPart, JoinedParts, PartSet } from "./partset.ts"
import { MAX_DOWNLOAD_BYTES, type Place, type Sink } from "./places.ts"
import { damaged, type Reason, Refusal } from "./refusal.ts"
import { type Pass, Plaintext } from "./sealed.ts"
import type { Source } from "./tar.ts"

const PIECE = 1 << 20
/** Reasons that lie in what the parts hold. */
const OF_CONTENT: readonly Reason[] = ["no-bundle", "newer", "damaged", "signature", "resealed"]

/** One file, or a bundle in parts. */
export type Sealed = Blob | PartSet

export interface Opened {
  readonly sealed: Sealed
  readonly keys: Keys
  /** Null for an age file that holds no bundle. */
  readonly tags: Tags | null
  /** Bytes of the content of such a file. */
  readonly size: number
  /** Files that were chosen and belong to no part of what was opened. */
  readonly notUsed: readonly Say[]
}

/** What became of the documents that were to be saved. */
export interface Saved {
  readonly done: readonly Item[]
  readonly failed: readonly Item[]
  /** What ended it before its time; null when it went through. */
  readonly ended: unknown
}

/** The first pass: every rule, every byte. */
export async function verify(sealed: Sealed, keys: Keys, pass: Pass): Promise<Opened> {
  if (sealed instanceof PartSet) return verifyParts(sealed, keys, pass)
  try {
    return { sealed, keys, tags: await read(sealed, keys, pass, wholeBundle(keys)), size: 0, notUsed: [] }
  } catch (cause) {
    if (!(cause instanceof Refusal) || (cause.reason !== "no-bundle" && cause.reason !== "damaged")) throw cause
    const size = await read(sealed, keys, pass, drain) // where cut-off bytes show
    if (cause.reason === "damaged") throw cause
    return { sealed, keys, tags: null, size, notUsed: [] }
  }
}

/** The same for parts, beginning anew without each that turns out to be bad: it may be there twice. */
async function verifyParts(found: PartSet, keys: Keys, pass: Pass): Promise<Opened> {
  for (let set = found; ; ) {
    try {
      return { sealed: set, keys, tags: await verifyJoined(set, keys, pass), size: 0, notUsed: set.notUsed }
    } catch (cause) {
      if (!(cause instanceof BadPart)) throw cause
      set = set.without(cause)
    }
  }
}

/** A broken rule can be one part's fault, which shows when each was read to its end. */
async function verifyJoined(set: PartSet, keys: Keys, pass: Pass): Promise<Tags> {
  try {
    return await read(set, keys, pass, wholeBundle(keys))
  } catch (cause) {
    if (!(cause instanceof Refusal) || cause instanceof BadPart || !OF_CONTENT.includes(cause.reason)) throw cause
    await read(set, keys, pass, drain)
    throw cause.reason === "no-bundle" ? damaged("the parts do not hold a bundle") : cause
  }
}

function wholeBundle(keys: Keys): (plaintext: Source) => Promise<Tags> {
  return async (plaintext) => {
    const reader = await BundleReader.open(plaintext, keys.own)
    for await (const document of reader.documents()) await document.finish()
    return reader.tags
  }
}

/**
 * The second pass: reads and verifies again, from the first byte, and writes the documents that are wanted. Each
 * appears under its name only after its own digest was found right. What was saved before something ended it stays.
 */
export async function save(opened: Opened, wanted: readonly Item[], place: Place, pass: Pass): Promise<Saved> {
  const left = new Set(wanted.map((item) => item.path))
  const done: Item[] = []
  const failed: Item[] = []
  let ended: unknown = null
  try {
    await read(opened.sealed, opened.keys, pass, async (plaintext) => {
      const reader = await BundleReader.open(plaintext, opened.keys.own)
      if (reader.tags.tagManifestSha256 !== opened.tags?.tagManifestSha256) throw new Refusal("another")
      for await (const document of reader.documents()) {
        if (!left.delete(document.item.path)) continue
        const written = await write(document.pieces(), document.item, place)
        ;(written ? done : failed).push(document.item)
        if (left.size === 0) break
      }
    })
  } catch (cause) {
    ended = secondTime(cause)
  }
  return { done, failed, ended }
}

/** The content of an age file that is no bundle. Whether it was saved: a place that fails is not the file's fault. */
export async function savePlain(opened: Opened, name: string, place: Place, pass: Pass): Promise<boolean> {
  try {
    return await read(opened.sealed, opened.keys, pass, (plaintext) =>
      fill(() => place.begin(name), contentOf(plaintext, opened.size)),
    )
  } catch (cause) {
    throw secondTime(cause)
  }
}

/** Do something with the plaintext, and give the file back. */
async function read<T>(sealed: Sealed, keys: Keys, pass: Pass, task: (plaintext: Source) => Promise<T>): Promise<T> {
  const joined = sealed instanceof PartSet
  const plaintext = joined ? new JoinedParts(sealed, keys, pass) : await Plaintext.open(sealed, keys, pass)
  try {
    return await task(plaintext)
  } finally {
    await plaintext.close()
  }
}

/** Read to the end: how many bytes there were. */
async function drain(plaintext: Source): Promise<number> {
  for (let size = 0; ; ) {
    const piece = await plaintext.read(PIECE)
    if (piece.length === 0) return size
    size += piece.length
  }
}

/** All of it; its end means that it is as long as it was the first time. */
async function* contentOf(plaintext: Source, size: number): AsyncGenerator<Uint8Array> {
  let left = size
  for (;;) {
    const piece = await plaintext.read(PIECE)
    left -= piece.length
    if (piece.length > 0) yield piece
    else if (left === 0) return
    else throw new Refusal("another")
  }
}

async function write(pieces: AsyncIterable<Uint8Array>, item: Item, place: Place): Promise<boolean> {
  if (place.label === "" && item.size > MAX_DOWNLOAD_BYTES) return false
  return fill(() => place.begin(savedName(item)), pieces)
}

/** Whether it was saved. A place that fails is no reason to stop; content that is refused is thrown. */
async function fill(begin: () => Promise<Sink>, pieces: AsyncIterable<Uint8Array>): Promise<boolean> {
  let sink: Sink | null = null
  try {
    sink = await begin()
    for await (const piece of pieces) await sink.write(piece)
    await sink.commit()
    return true
  } catch (cause) {
    if (sink !== null) await discard(sink)
    if (cause instanceof Refusal) throw cause
    return false
  }
}

/** The document's number and its safe name: no two are the same. */
export function savedName(item: Item): string {
  const [, number, name] = item.path.split("/")
  return `${number} ${name}`
}

async function discard(sink: Sink): Promise<void> {
  await sink.abort().catch(() => undefined) // a stream that has failed has nothing left to throw away
}

/** The file was found whole a moment ago: whatever rule it breaks now, it is another file. */
function secondTime(cause: unknown): unknown {
  const honest = !(cause instanceof Refusal) || cause.reason === "cancelled" || cause.reason === "unreadable"
  return honest ? cause : new Refusal("another", cause.detail, cause)
}

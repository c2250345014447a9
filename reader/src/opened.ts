// SPDX-License-Identifier: Apache-2.0
/** A sealed file that was verified from end to end, and the second pass that saves what is in it. No page here. */

import { BundleReader, type Tags } from "./bundle.ts"
import { fromUtf8 } from "./encoding.ts"
import type { Item } from "./items.ts"
import type { Keys } from "./keys.ts"
import { MAX_DOWNLOAD_BYTES, type Place, type Sink } from "./places.ts"
import { Refusal } from "./refusal.ts"
import { type Pass, Plaintext } from "./sealed.ts"

/** Of a bundle that was cut into parts (docs/format-bundle.md §10.1). */
const PART_TRAILER_BYTES = 327
const PART_START = "\nsandyk part 1\n"

const PIECE = 1 << 20

export interface Opened {
  readonly sealed: Blob
  readonly keys: Keys
  /** Null for an age file that holds no bundle. */
  readonly tags: Tags | null
  /** Bytes of the content of such a file. */
  readonly size: number
}

/** What became of the documents that were to be saved. */
export interface Saved {
  readonly done: readonly Item[]
  readonly failed: readonly Item[]
  /** What ended it before its time; null when it went through. */
  readonly ended: unknown
}

/** The first pass: every rule, every byte. */
export async function verify(sealed: Blob, keys: Keys, pass: Pass): Promise<Opened> {
  try {
    const tags = await read(sealed, keys, pass, async (plaintext) => {
      const reader = await BundleReader.open(plaintext, keys.own)
      for await (const document of reader.documents()) await document.finish()
      return reader.tags
    })
    return { sealed, keys, tags, size: 0 }
  } catch (cause) {
    if (!(cause instanceof Refusal) || (cause.reason !== "no-bundle" && cause.reason !== "damaged")) throw cause
    const size = await read(sealed, keys, pass, sizeOfOther)
    if (cause.reason === "damaged") throw cause
    return { sealed, keys, tags: null, size }
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
async function read<T>(sealed: Blob, keys: Keys, pass: Pass, task: (plaintext: Plaintext) => Promise<T>): Promise<T> {
  const plaintext = await Plaintext.open(sealed, keys, pass)
  try {
    return await task(plaintext)
  } finally {
    await plaintext.close()
  }
}

/** Of an age file that holds no whole bundle: bytes of its content, to the end. Throws for a part of a bundle. */
async function sizeOfOther(plaintext: Plaintext): Promise<number> {
  const { size, tail } = await plaintext.drain(PART_TRAILER_BYTES)
  if (fromUtf8(tail)?.startsWith(PART_START)) throw new Refusal("part")
  return size
}

/** All of it; its end means that it is as long as it was the first time. */
async function* contentOf(plaintext: Plaintext, size: number): AsyncGenerator<Uint8Array> {
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

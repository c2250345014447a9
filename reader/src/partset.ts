// SPDX-License-Identifier: Apache-2.0
/**
 * Which of the chosen files are parts of one bundle, and the bundle's tar out of them as a stream
 * (docs/format-bundle.md §10.3). All data parts are needed: repair parts are for the program.
 *
 * What a part holds is handed out before its digest was compared, for a reader that shows nothing before the end. A
 * part that lies raises `BadPart`; the reader begins anew without it.
 */

import { sha256 } from "@noble/hashes/sha2.js"
import { hex, sameBytes } from "./encoding.ts"
import type { Keys } from "./keys.ts"
import type { PlainWord, Say } from "./language.ts"
import { printable } from "./names.ts"
import { looksLikeTrailer, parseTrailer, sameTerms, type Terms, type Trailer, TRAILER_SIZE } from "./parts.ts"
import { damaged, Refusal } from "./refusal.ts"
import { endOf, type Pass, Plaintext } from "./sealed.ts"
import type { Source } from "./tar.ts"

const PIECE = 1 << 20
const MAX_NAMED_FILES = 10

interface Part {
  readonly file: File
  readonly trailer: Trailer
}

interface LeftOut {
  readonly file: File
  readonly why: PlainWord
}

/** A part that authenticates, and is not what it must be. */
export class BadPart extends Refusal {
  constructor(
    readonly file: File,
    cause: unknown = null,
  ) {
    super("changed", "a part was changed or cut off, or its content was exchanged", cause)
  }
}

/** Parts of one set. */
export class PartSet {
  constructor(
    readonly terms: Terms,
    private readonly parts: readonly Part[],
    private readonly leftOut: readonly LeftOut[],
  ) {}

  /** Bytes of the sealed files that are read. */
  get size(): number {
    return this.terms.data * (this.parts[0]?.file.size ?? 0)
  }

  /** The data parts in order. Throws when one is missing. */
  dataParts(): Part[] {
    const numbers = Array.from({ length: this.terms.data }, (_, i) => i + 1)
    const found = numbers.map((number) => this.parts.find((part) => part.trailer.number === number))
    const missing = numbers.filter((_, i) => found[i] === undefined)
    if (missing.length > 0) throw this.missing(missing)
    return found.filter((part) => part !== undefined)
  }

  without(bad: BadPart): PartSet {
    const left = this.parts.filter((part) => part.file !== bad.file)
    return new PartSet(this.terms, left, [...this.leftOut, { file: bad.file, why: "leftOutChanged" }])
  }

  /** The chosen files that are not used. */
  get notUsed(): readonly Say[] {
    return saidLeftOut(this.leftOut)
  }

  private missing(numbers: readonly number[]): Refusal {
    const { data, repair } = this.terms
    const notes: Say[] = [(words) => words.partsMissing(data, numbers.join(", "))]
    const here = new Set(this.parts.map((part) => part.trailer.number)).size
    if (here >= data) notes.push((words) => words.partsMend)
    else if (repair > 0) notes.push((words) => words.partsMendWith(data, data + repair))
    return new Refusal("parts-missing", "", undefined, [...notes, ...this.notUsed])
  }
}

/** The parts among the files; null for a single file that is none. */
export async function findParts(files: readonly File[], keys: Keys, signal: AbortSignal): Promise<PartSet | null> {
  const alone = files.length === 1
  if (keys.passphrase !== null) {
    if (alone) return null // no part is sealed so
    throw new Refusal("no-parts")
  }
  const parts: Part[] = []
  const leftOut: LeftOut[] = []
  for (const file of files) {
    if (signal.aborted) throw new Refusal("cancelled")
    const found = await look(file, keys, alone)
    if ("trailer" in found) parts.push(found)
    else leftOut.push(found)
  }
  const terms = parts[0]?.trailer.terms
  if (terms === undefined) {
    if (alone) return null
    throw new Refusal("no-parts", "", undefined, saidLeftOut(leftOut))
  }
  if (!parts.every((part) => sameTerms(part.trailer.terms, terms))) {
    throw new Refusal("no-parts", "", undefined, [(words) => words.partsOfSeveral, ...saidLeftOut(leftOut)])
  }
  return setOf(terms, parts, leftOut)
}

/** Different parts of one number contradict each other, and none of them counts. */
function setOf(terms: Terms, parts: readonly Part[], leftOut: readonly LeftOut[]): PartSet {
  const contradicted = (part: Part): boolean =>
    parts.some(({ trailer }) => trailer.number === part.trailer.number && trailer.sha256 !== part.trailer.sha256)
  const agreed = parts.filter((part) => !contradicted(part))
  const others = parts.filter(contradicted).map(({ file }) => ({ file, why: "leftOutContradicts" as const }))
  return new PartSet(terms, agreed, [...leftOut, ...others])
}

/** One file. What is wrong with a file that stands alone, and is no part, is for another reader to say. */
async function look(file: File, keys: Keys, alone: boolean): Promise<Part | LeftOut> {
  try {
    const { size, block } = await endOf(file, keys)
    const untrusted = block.subarray(-TRAILER_SIZE)
    if (looksLikeTrailer(untrusted)) return { file, trailer: parseTrailer(untrusted, size) }
    return { file, why: "leftOutOther" }
  } catch (cause) {
    if (!(cause instanceof Refusal) || cause.reason === "unreadable") throw cause
    if (alone && cause.reason === "damaged") throw cause
    if (cause.reason === "no-age") return { file, why: "leftOutOther" }
    return { file, why: cause.reason === "no-match" ? "leftOutForeign" : "leftOutChanged" }
  }
}

function saidLeftOut(files: readonly LeftOut[]): Say[] {
  return files.slice(0, MAX_NAMED_FILES).map(({ file, why }) => (words) => `${printable(file.name)}: ${words[why]}`)
}

/** The tar of a bundle out of its parts. */
export class JoinedParts implements Source {
  private readonly pieces: AsyncGenerator<Uint8Array>
  private piece: Uint8Array = new Uint8Array(0)

  constructor(
    private readonly set: PartSet,
    private readonly keys: Keys,
    private readonly pass: Pass,
  ) {
    this.pieces = this.tar(set.dataParts())
  }

  async read(limit: number): Promise<Uint8Array> {
    if (this.piece.length === 0) this.piece = (await this.pieces.next()).value ?? this.piece
    const data = this.piece.subarray(0, limit)
    this.piece = this.piece.subarray(data.length)
    return data
  }

  /** Give the files back. */
  async close(): Promise<void> {
    await this.pieces.return(undefined)
  }

  /** The bodies without the NULs that fill the last of them. */
  private async *tar(parts: readonly Part[]): AsyncGenerator<Uint8Array, undefined> {
    let left = this.set.terms.tar
    let readBefore = 0
    for (const part of parts) {
      for await (const piece of this.body(part, readBefore)) {
        const data = piece.subarray(0, left)
        left -= data.length
        if (data.length > 0) yield data
        if (piece.subarray(data.length).some((byte) => byte !== 0)) {
          throw damaged("something is hidden behind the end of the last part")
        }
      }
      readBefore += part.file.size
    }
  }

  /** The body of one part. That it ends means that it is the one that the trailer tells of. */
  private async *body({ file, trailer }: Part, readBefore: number): AsyncGenerator<Uint8Array> {
    const pass = { signal: this.pass.signal, onRead: (bytes: number) => this.pass.onRead(readBefore + bytes) }
    const hash = sha256.create()
    let plaintext: Plaintext | null = null
    try {
      plaintext = await Plaintext.open(file, this.keys, pass)
      for (let left = trailer.terms.body; left > 0; ) {
        const piece = await plaintext.read(Math.min(PIECE, left))
        if (piece.length === 0) throw new BadPart(file)
        left -= piece.length
        hash.update(piece)
        yield piece
      }
      await expectTrailer(plaintext, trailer, file)
      if (hex(hash.digest()) !== trailer.sha256) throw new BadPart(file)
    } catch (cause) {
      if (cause instanceof Refusal && cause.reason !== "changed") throw cause
      throw cause instanceof BadPart ? cause : new BadPart(file, cause)
    } finally {
      await plaintext?.close()
    }
  }
}

/** The end is still the one that was read first, and it is the end. */
async function expectTrailer(plaintext: Plaintext, trailer: Trailer, file: File): Promise<void> {
  for (let at = 0; ; ) {
    const piece = await plaintext.read(TRAILER_SIZE)
    if (piece.length === 0 && at === TRAILER_SIZE) return
    if (piece.length === 0 || !sameBytes(piece, trailer.bytes.subarray(at, at + piece.length))) throw new BadPart(file)
    at += piece.length
  }
}

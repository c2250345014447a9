// SPDX-License-Identifier: Apache-2.0
/**
 * An age file as a stream of its plaintext: a few hundred kilobytes of it are in memory, whatever its size. Every byte
 * that comes out was authenticated; that it is all of them is known only at the end.
 */

import { chacha20poly1305 } from "@noble/ciphers/chacha.js"
import { hkdf } from "@noble/hashes/hkdf.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { Decrypter } from "age-encryption"
import { fromUtf8, utf8 } from "./encoding.ts"
import type { Keys } from "./keys.ts"
import { Refusal } from "./refusal.ts"
import type { Source } from "./tar.ts"

const MAGIC = "age-encryption.org/v1\n"
/** Of 64 recipients, none of which takes more than 1.6 kB: nobody makes this page buffer a line without an end. */
const MAX_HEADER_BYTES = 128 << 10
const BREATH_MS = 40
const SLICE_SIZE = 1 << 20
const KEY_SIZE = 32
const NONCE_SIZE = 16
const TAG_SIZE = 16
const SEALED_BLOCK_SIZE = (64 << 10) + TAG_SIZE
const NO_MATCH = "no identity matched any of the file's recipients"

/** What a long pass tells the page, and asks it. */
export interface Pass {
  readonly signal: AbortSignal
  /** How many bytes of the sealed file were read. */
  readonly onRead: (bytes: number) => void
}

export class Plaintext implements Source {
  private piece: Uint8Array = new Uint8Array(0)
  private breathed = performance.now()

  private constructor(
    private readonly reader: ReadableStreamDefaultReader<Uint8Array>,
    private readonly file: WatchedFile,
    private readonly signal: AbortSignal,
  ) {}

  static async open(sealed: Blob, keys: Keys, pass: Pass): Promise<Plaintext> {
    await headerOf(sealed)
    const file = new WatchedFile(sealed, pass.onRead)
    try {
      return new Plaintext((await decrypterFor(keys).decrypt(file.stream)).getReader(), file, pass.signal)
    } catch (cause) {
      throw unmatched(cause, keys) ?? file.explain(cause)
    }
  }

  async read(limit: number): Promise<Uint8Array> {
    while (this.piece.length === 0) {
      await this.breathe()
      const { done, value } = await this.next()
      if (done) return new Uint8Array(0)
      this.piece = value
    }
    const data = this.piece.subarray(0, limit)
    this.piece = this.piece.subarray(data.length)
    return data
  }

  /** Give the file back. Says nothing of what was not read. */
  async close(): Promise<void> {
    await this.reader.cancel().catch(() => undefined) // it may have failed, which was said when it did
  }

  private async next(): Promise<ReadableStreamReadResult<Uint8Array>> {
    try {
      return await this.reader.read()
    } catch (cause) {
      throw this.file.explain(cause)
    }
  }

  /** Let the page draw and hear clicks. A message and no timer: timers wait a second in a tab behind others. */
  private async breathe(): Promise<void> {
    if (this.signal.aborted) throw new Refusal("cancelled")
    if (performance.now() - this.breathed < BREATH_MS) return
    await new Promise<void>((resolve) => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => {
        port1.close()
        resolve()
      }
      port2.postMessage(null)
    })
    this.breathed = performance.now()
  }
}

/**
 * The file's bytes, counted; and whether it was the disk or the encryption that failed. In slices, each read when it is
 * wanted: WebKit's own stream of a file runs ahead of its reader and takes the whole of it into memory.
 */
class WatchedFile {
  readonly stream: ReadableStream<Uint8Array>
  private failure: unknown = null

  constructor(sealed: Blob, onRead: (bytes: number) => void) {
    let read = 0
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const slice = sealed.slice(read, read + SLICE_SIZE)
          const bytes = await slice.arrayBuffer().catch((cause: unknown) => {
            this.failure = cause
            throw cause
          })
          if (bytes.byteLength === 0) return controller.close()
          read += bytes.byteLength
          onRead(read)
          controller.enqueue(new Uint8Array(bytes))
        },
      },
      { highWaterMark: 0 },
    )
  }

  explain(cause: unknown): Refusal {
    if (this.failure !== null) return new Refusal("unreadable", "", this.failure)
    return changed(cause)
  }
}

/** The end of a plaintext, read without what is before it. It was authenticated, and so was that it is the end. */
export interface End {
  /** Bytes of the whole plaintext. */
  readonly size: number
  /** The last block, 65536 bytes at most. */
  readonly block: Uint8Array
}

/** A file's last block, opened by itself (https://age-encryption.org/v1, "Payload"). */
export async function endOf(sealed: Blob, keys: Keys): Promise<End> {
  const header = await headerOf(sealed)
  const payload = sealed.size - header.length - NONCE_SIZE
  const blocks = Math.max(1, Math.ceil(payload / SEALED_BLOCK_SIZE))
  const lastSize = payload - (blocks - 1) * SEALED_BLOCK_SIZE
  if (lastSize < TAG_SIZE || (lastSize === TAG_SIZE && blocks > 1)) throw changed(null)
  const nonce = await bytesOf(sealed.slice(header.length, header.length + NONCE_SIZE))
  const last = await bytesOf(sealed.slice(sealed.size - lastSize))
  try {
    const fileKey = await decrypterFor(keys).decryptHeader(header)
    const key = hkdf(sha256, fileKey, nonce, utf8("payload"), KEY_SIZE)
    const block = chacha20poly1305(key, lastNonce(blocks - 1)).decrypt(last)
    return { size: payload - blocks * TAG_SIZE, block }
  } catch (cause) {
    throw unmatched(cause, keys) ?? changed(cause)
  }
}

/** 11 bytes that count blocks, and one that says that it is the last. */
function lastNonce(blocksBefore: number): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(3, BigInt(blocksBefore))
  nonce[11] = 1
  return nonce
}

function decrypterFor(keys: Keys): Decrypter {
  const decrypter = new Decrypter()
  for (const identity of keys.identities) decrypter.addIdentity(identity)
  if (keys.passphrase !== null) decrypter.addPassphrase(keys.passphrase)
  return decrypter
}

function unmatched(cause: unknown, keys: Keys): Refusal | null {
  if (!(cause instanceof Error) || cause.message !== NO_MATCH) return null
  return new Refusal(keys.passphrase === null ? "no-match" : "passphrase", "", cause)
}

function changed(cause: unknown): Refusal {
  return new Refusal("changed", "the sealed file was changed or cut off", cause)
}

export async function bytesOf(file: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.arrayBuffer())
  } catch (cause) {
    throw new Refusal("unreadable", "", cause)
  }
}

/** The header with its last line, unjudged but for its length. */
async function headerOf(sealed: Blob): Promise<Uint8Array> {
  const start = await bytesOf(sealed.slice(0, MAX_HEADER_BYTES))
  if (fromUtf8(start.subarray(0, MAGIC.length)) !== MAGIC) throw new Refusal("no-age")
  const end = /\n--- [^\n]*\n/.exec(new TextDecoder("latin1").decode(start))
  if (end === null) throw new Refusal("changed", "the header of the sealed file is cut off, or longer than it may be")
  return start.subarray(0, end.index + end[0].length)
}

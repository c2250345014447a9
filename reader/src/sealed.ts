// SPDX-License-Identifier: Apache-2.0
/**
 * An age file as a stream of its plaintext: a few hundred kilobytes of it are in memory, whatever its size. Every byte
 * that comes out was authenticated; that it is all of them is known only at the end.
 */

import { Decrypter } from "age-encryption"
import { fromUtf8, joined } from "./encoding.ts"
import type { Keys } from "./keys.ts"
import { Refusal } from "./refusal.ts"
import type { Source } from "./tar.ts"

const MAGIC = "age-encryption.org/v1\n"
/** Of 64 recipients, none of which takes more than 1.6 kB: nobody makes this page buffer a line without an end. */
const MAX_HEADER_BYTES = 128 << 10
const BREATH_MS = 40
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
    await checkHeader(sealed)
    const decrypter = new Decrypter()
    for (const identity of keys.identities) decrypter.addIdentity(identity)
    if (keys.passphrase !== null) decrypter.addPassphrase(keys.passphrase)
    const file = new WatchedFile(sealed, pass.onRead)
    try {
      return new Plaintext((await decrypter.decrypt(file.stream)).getReader(), file, pass.signal)
    } catch (cause) {
      const unmatched = cause instanceof Error && cause.message === NO_MATCH
      if (unmatched) throw new Refusal(keys.passphrase === null ? "no-match" : "passphrase", "", cause)
      throw file.explain(cause)
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

  /** Read to the end, which is where cut-off bytes show: how many bytes there were, and the last of them. */
  async drain(tailSize: number): Promise<{ size: number; tail: Uint8Array }> {
    let size = 0
    let tail: Uint8Array = new Uint8Array(0)
    for (;;) {
      const data = await this.read(Number.MAX_SAFE_INTEGER)
      if (data.length === 0) return { size, tail }
      size += data.length
      tail = joined([tail, data.slice(-tailSize)]).slice(-tailSize)
    }
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

/** The file's bytes, counted; and whether it was the disk or the encryption that failed. */
class WatchedFile {
  readonly stream: ReadableStream<Uint8Array>
  private failure: unknown = null

  constructor(sealed: Blob, onRead: (bytes: number) => void) {
    const reader = sealed.stream().getReader()
    let read = 0
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await reader.read().catch((cause: unknown) => {
            this.failure = cause
            throw cause
          })
          if (done) return controller.close()
          read += value.length
          onRead(read)
          controller.enqueue(value)
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    )
  }

  explain(cause: unknown): Refusal {
    if (this.failure !== null) return new Refusal("unreadable", "", this.failure)
    return new Refusal("changed", "the sealed file was changed or cut off", cause)
  }
}

async function checkHeader(sealed: Blob): Promise<void> {
  let start: Uint8Array
  try {
    start = new Uint8Array(await sealed.slice(0, MAX_HEADER_BYTES).arrayBuffer())
  } catch (cause) {
    throw new Refusal("unreadable", "", cause)
  }
  if (fromUtf8(start.subarray(0, MAGIC.length)) !== MAGIC) throw new Refusal("no-age")
  if (!/\n--- [^\n]*\n/.test(new TextDecoder("latin1").decode(start))) {
    throw new Refusal("changed", "the header of the sealed file is cut off, or longer than it may be")
  }
}

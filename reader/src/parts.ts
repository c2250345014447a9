// SPDX-License-Identifier: Apache-2.0
/**
 * The trailer by which each part of a bundle is known (docs/format-bundle.md §10.1). It is signed with a key that was
 * made for its set and thrown away: it shows that parts belong together, and nothing of who made them. No I/O.
 */

import { hexToBytes } from "@noble/hashes/utils.js"
import { fromBase64, fromUtf8, joined, utf8 } from "./encoding.ts"
import { LEAST_PLAINTEXT } from "./layout.ts"
import { damaged } from "./refusal.ts"
import { isSigned } from "./sshsig.ts"

export const TRAILER_SIZE = 327
const MAX_PARTS = 256
const MAX_TAR_SIZE = 2 ** 49
const BLOCK_SIZE = 64 << 10
const START = "\nsandyk part 1\n"
const SIGNATURE_LABEL = utf8("sandyk part v1\u0000")
const FORM = new RegExp(
  `^(?<signed>${START}set (?<set>[0-9a-f]{64})\\nnumber (?<number>[0-9]{3})\\ndata (?<data>[0-9]{3})\\n` +
    "repair (?<repair>[0-9]{3})\\nbody (?<body>[0-9]{15})\\ntar (?<tar>[0-9]{15})\\n" +
    "sha256 (?<sha256>[0-9a-f]{64})\\n)signature (?<signature>[A-Za-z0-9+/]{86}==)\\n$",
)

/** What all parts of one set say alike. */
export interface Terms {
  /** The set's Ed25519 key, hex. */
  readonly set: string
  readonly data: number
  readonly repair: number
  /** Bytes of each body. */
  readonly body: number
  /** Bytes of the bundle's tar. */
  readonly tar: number
}

/** A verified trailer. That the body is the one it tells of is not yet known. */
export interface Trailer {
  readonly terms: Terms
  /** Data parts from 1, then repair parts. */
  readonly number: number
  /** Of the body, hex. */
  readonly sha256: string
  /** All of it as it stood. */
  readonly bytes: Uint8Array
}

export function looksLikeTrailer(untrusted: Uint8Array): boolean {
  return untrusted.length === TRAILER_SIZE && fromUtf8(untrusted.subarray(0, START.length)) === START
}

/** The trailer at the end of a plaintext of so many bytes. */
export function parseTrailer(untrusted: Uint8Array, plaintextSize: number): Trailer {
  const found = FORM.exec(fromUtf8(untrusted) ?? "")?.groups
  const signature = fromBase64(found?.signature ?? "", 64)
  if (found === undefined || signature === null) throw damaged("the end of the part is not spelled as this format wants it")
  const { signed = "", set = "", sha256 = "" } = found
  if (!isSigned(signature, joined([SIGNATURE_LABEL, utf8(signed)]), hexToBytes(set))) {
    throw damaged("the part was not made together with its set: its signature does not verify")
  }
  const terms = { set, data: Number(found.data), repair: Number(found.repair), body: Number(found.body), tar: Number(found.tar) }
  const trailer = { terms, number: Number(found.number), sha256, bytes: untrusted.slice() }
  expectPossible(trailer, plaintextSize)
  return trailer
}

export function sameTerms(a: Terms, b: Terms): boolean {
  return a.set === b.set && a.data === b.data && a.repair === b.repair && a.body === b.body && a.tar === b.tar
}

/** Whoever sealed a part chose its numbers, and signed them. */
function expectPossible({ terms, number }: Trailer, plaintextSize: number): void {
  const { data, repair, body, tar } = terms
  if (tar < LEAST_PLAINTEXT || tar > MAX_TAR_SIZE || data < 1 || data + repair > MAX_PARTS) {
    throw damaged("the part claims an impossible number of parts, or an impossible size")
  }
  if (body !== Math.ceil(tar / (data * BLOCK_SIZE)) * BLOCK_SIZE || data !== Math.ceil(tar / body)) {
    throw damaged("the numbers that the part claims do not agree")
  }
  if (number < 1 || number > data + repair || body + TRAILER_SIZE !== plaintextSize) {
    throw damaged("the part has another number or size than its set allows")
  }
}

// SPDX-License-Identifier: Apache-2.0
/** Bytes as text, each in exactly one spelling: hex, base64 (RFC 4648 §4), UTF-8. Decoders return null for any other. */

import { bytesToHex } from "@noble/hashes/utils.js"
import { base64, base64nopad } from "@scure/base"

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export const hex = bytesToHex

export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

export function fromUtf8(untrusted: Uint8Array): string | null {
  try {
    return decoder.decode(untrusted)
  } catch {
    return null
  }
}

export function toBase64(raw: Uint8Array): string {
  return base64.encode(raw)
}

export function toBase64Unpadded(raw: Uint8Array): string {
  return base64nopad.encode(raw)
}

export function fromBase64(untrusted: string, size?: number): Uint8Array | null {
  try {
    const raw = base64.decode(untrusted)
    return base64.encode(raw) === untrusted && (size === undefined || raw.length === size) ? raw : null
  } catch {
    return null
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

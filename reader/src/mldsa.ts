// SPDX-License-Identifier: Apache-2.0
/** ML-DSA-65 (FIPS 204, the pure form with a context): the second signature of a bundle, and its key's one PEM (RFC 9881). */

import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js"
import { fromBase64, fromUtf8, toBase64, utf8 } from "./encoding.ts"

const PUBLIC_SIZE = 1952
const SIGNATURE_SIZE = 3309
/** SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.3.18 }, BIT STRING (1952 bytes) }. */
const SPKI_PREFIX = Uint8Array.of(
  0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12, 0x03, 0x82, 0x07,
  0xa1, 0x00,
)
const BEGIN = "-----BEGIN PUBLIC KEY-----"
const END = "-----END PUBLIC KEY-----"
const LINE_WIDTH = 64

/** The public key, 1952 bytes, in a PEM that is spelled as the writer spells it; else null. */
export function parsePem(untrusted: Uint8Array): Uint8Array | null {
  const text = fromUtf8(untrusted) ?? ""
  const der = fromBase64(text.split("\n").slice(1, -2).join(""), SPKI_PREFIX.length + PUBLIC_SIZE)
  if (der === null || !SPKI_PREFIX.every((byte, i) => der[i] === byte)) return null
  const lines = toBase64(der).match(new RegExp(`.{1,${LINE_WIDTH}}`, "g")) ?? []
  return [BEGIN, ...lines, END, ""].join("\n") === text ? der.slice(SPKI_PREFIX.length) : null
}

export function isSigned(signature: Uint8Array, message: Uint8Array, context: string, key: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_SIZE || key.length !== PUBLIC_SIZE) return false
  try {
    return ml_dsa65.verify(signature, message, key, { context: utf8(context) })
  } catch {
    return false // bytes that are no signature
  }
}

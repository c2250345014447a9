// SPDX-License-Identifier: Apache-2.0
/**
 * SSHSIG (OpenSSH PROTOCOL.sshsig) as bundles have it: an ssh-ed25519 key, the hash sha512, an empty reserved field, and
 * the armor exactly as ssh-keygen writes it. Anything else is refused, so that a signature has one spelling.
 */

import { ed25519 } from "@noble/curves/ed25519.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { fromBase64, fromUtf8, joined, toBase64, toBase64Unpadded, utf8 } from "./encoding.ts"
import { Refusal } from "./refusal.ts"

const KEY_TYPE = utf8("ssh-ed25519")
const HASH_NAME = utf8("sha512")
const BEGIN = "-----BEGIN SSH SIGNATURE-----"
const END = "-----END SSH SIGNATURE-----"
const LINE_WIDTH = 70
/** Of key and signature in the blob, behind fields whose lengths are all fixed once the namespace is. */
const KEY_SIZE = 32
const SIGNATURE_SIZE = 64

/** The Ed25519 key, 32 bytes, that signed `message` for `namespace`. */
export function verify(untrusted: Uint8Array, message: Uint8Array, namespace: string): Uint8Array {
  const blob = unarmored(untrusted)
  // All but the key and the signature is fixed: cut these two out, and compare what a writer makes of them.
  const key = blob.subarray(6 + 4 + 4 + 4 + KEY_TYPE.length + 4).slice(0, KEY_SIZE)
  const signature = blob.slice(-SIGNATURE_SIZE)
  if (key.length !== KEY_SIZE || armored(encode(key, signature, namespace)) !== fromUtf8(untrusted)) {
    throw new Refusal("signature", "the sender's signature is damaged, of another kind, or made for another purpose")
  }
  const signed = joined([utf8("SSHSIG"), ...[utf8(namespace), utf8(""), HASH_NAME, sha512(message)].map(string)])
  if (!isSigned(signature, signed, key)) {
    throw new Refusal("signature", "the sender's signature does not belong to this bundle")
  }
  return key
}

/** `SHA256:` and 43 base64 characters, as `ssh-keygen -l` shows a key. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${toBase64Unpadded(sha256(keyBlob(key)))}`
}

/** Ed25519 as RFC 8032 has it: no second spelling of a point or a number, and no key of small order. */
export function isSigned(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, key, { zip215: false })
  } catch {
    return false // a key or a point that is none
  }
}

function encode(key: Uint8Array, signature: Uint8Array, namespace: string): Uint8Array {
  const version = Uint8Array.of(0, 0, 0, 1)
  const signed = joined([string(KEY_TYPE), string(signature)])
  const fields = [keyBlob(key), utf8(namespace), utf8(""), HASH_NAME, signed]
  return joined([utf8("SSHSIG"), version, ...fields.map(string)])
}

function keyBlob(key: Uint8Array): Uint8Array {
  return joined([string(KEY_TYPE), string(key)])
}

/** RFC 4251 section 5: a length of four bytes, big endian, and the bytes. */
function string(value: Uint8Array): Uint8Array {
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, value.length)
  return joined([length, value])
}

function armored(blob: Uint8Array): string {
  return [BEGIN, ...(toBase64(blob).match(new RegExp(`.{1,${LINE_WIDTH}}`, "g")) ?? []), END, ""].join("\n")
}

function unarmored(untrusted: Uint8Array): Uint8Array {
  const lines = (fromUtf8(untrusted) ?? "").split("\n")
  return fromBase64(lines.slice(1, -2).join("")) ?? new Uint8Array(0)
}

// SPDX-License-Identifier: Apache-2.0
/** The sender's card (docs/format.md §3.2): a person's recipient and signing keys, bound by a signature of its own. */

import { sha256 } from "@noble/hashes/sha2.js"
import { fromBase64, fromUtf8, joined, utf8 } from "./encoding.ts"
import { rawRecipient } from "./keys.ts"
import { damaged } from "./refusal.ts"
import { isSigned } from "./sshsig.ts"
import { fingerprintWords } from "./words.ts"

const SIGNATURE_LABEL = utf8("sandyk card v1\u0000")
const FINGERPRINT_LABEL = utf8("sandyk card fingerprint v1\u0000person")
const FORM = /^(sandyk card 1\nkind person\nrecipient (age1pq1[a-z0-9]+)\nsigning (\S+)\nmldsa65 (\S+)\n)signature (\S+)\n$/

export interface Card {
  /** Ed25519, 32 bytes. */
  readonly signing: Uint8Array
  /** SHA-256 of the ML-DSA-65 key, 32 bytes. */
  readonly mldsaDigest: Uint8Array
  /** The fingerprint in ten words, to compare by voice. */
  readonly words: readonly string[]
}

/** The card in a text that is exactly as a writer makes it, with its own signature checked. */
export function parseCard(untrusted: Uint8Array): Card {
  const found = FORM.exec(fromUtf8(untrusted) ?? "") ?? []
  const [, signed, recipient, untrustedSigning, untrustedDigest, untrustedSignature] = found
  const raw = rawRecipient(recipient ?? "")
  const signing = fromBase64(untrustedSigning ?? "", 32)
  const mldsaDigest = fromBase64(untrustedDigest ?? "", 32)
  const signature = fromBase64(untrustedSignature ?? "", 64)
  if (signed === undefined || raw === null || signing === null || mldsaDigest === null || signature === null) {
    throw damaged("the sender's card is damaged, a case's, or not spelled as this format wants it")
  }
  if (!isSigned(signature, joined([SIGNATURE_LABEL, utf8(signed)]), signing)) {
    throw damaged("the sender's card was changed: its signature does not verify")
  }
  const fingerprint = sha256(joined([FINGERPRINT_LABEL, raw, signing, mldsaDigest]))
  return { signing, mldsaDigest, words: fingerprintWords(fingerprint) }
}

// SPDX-License-Identifier: Apache-2.0
/** The sender's card (docs/format.md §3.2): a person's or a case's keys, bound to each other by a signature. */

import { sha256 } from "@noble/hashes/sha2.js"
import { hexToBytes } from "@noble/hashes/utils.js"
import { fromBase64, fromUtf8, joined, utf8 } from "./encoding.ts"
import { rawRecipient } from "./keys.ts"
import { damaged } from "./refusal.ts"
import { isSigned } from "./sshsig.ts"
import { fingerprintWords } from "./words.ts"

const SIGNATURE_LABEL = utf8("sandyk card v1\u0000")
const FINGERPRINT_LABEL = "sandyk card fingerprint v1\u0000"
const FORM = new RegExp(
  "^(?<signed>sandyk card 1\\nkind (?:person|case\\ncase (?<caseId>[0-9a-f]{32})\\nepoch [1-9][0-9]{0,5})\\n" +
    "recipient (?<recipient>\\S+)\\nsigning (?<signing>\\S+)\\nmldsa65 (?<mldsa>\\S+)\\n)signature (?<signature>\\S+)\\n$",
)

export interface Card {
  /** By a case's key any member of the case can sign. */
  readonly kind: "person" | "case"
  /** Ed25519, 32 bytes. */
  readonly signing: Uint8Array
  /** SHA-256 of the ML-DSA-65 key, 32 bytes. */
  readonly mldsaDigest: Uint8Array
  /** The fingerprint in ten words, to compare by voice. */
  readonly words: readonly string[]
}

/** The card in a text that is exactly as a writer makes it, with its own signature checked. */
export function parseCard(untrusted: Uint8Array): Card {
  const found = FORM.exec(fromUtf8(untrusted) ?? "")?.groups ?? {}
  const raw = rawRecipient(found.recipient ?? "")
  const signing = fromBase64(found.signing ?? "", 32)
  const mldsaDigest = fromBase64(found.mldsa ?? "", 32)
  const signature = fromBase64(found.signature ?? "", 64)
  if (raw === null || signing === null || mldsaDigest === null || signature === null) {
    throw damaged("the sender's card is damaged, or not spelled as this format wants it")
  }
  if (!isSigned(signature, joined([SIGNATURE_LABEL, utf8(found.signed ?? "")]), signing)) {
    throw damaged("the sender's card was changed: its signature does not verify")
  }
  const kind = found.caseId === undefined ? "person" : "case"
  const caseId = hexToBytes(found.caseId ?? "")
  const fingerprint = sha256(joined([utf8(FINGERPRINT_LABEL + kind), raw, signing, mldsaDigest, caseId]))
  return { kind, signing, mldsaDigest, words: fingerprintWords(fingerprint) }
}

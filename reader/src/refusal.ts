// SPDX-License-Identifier: Apache-2.0
import type { Say } from "./language.ts"

/** Why something was not opened. One class, so that whatever else is thrown is a defect of this page. */

export type Reason =
  | "unreadable" // the browser could not read the file
  | "no-age" // not an age file at all
  | "no-match" // sealed for other keys
  | "passphrase" // the passphrase does not open it
  | "changed" // the encryption shows that bytes were changed or cut off
  | "no-bundle" // an age file that does not begin like a bundle
  | "parts-missing" // too few parts of a bundle that was cut into parts
  | "no-parts" // several files that are not the parts of one bundle
  | "zip" // a ZIP file: bundles with a passphrase
  | "newer" // a bundle of a later format
  | "damaged" // a bundle that breaks a rule of docs/format-bundle.md §6
  | "signature" // the signature is not by the key that the bundle names, or not over this bundle
  | "resealed" // sealed for others, and passed on by one of them
  | "no-key" // what was given as a key is none
  | "another" // the file is another one than the one that was verified
  | "cancelled"

/** `detail` is English and technical: which rule, for whoever made the file. It quotes nothing of the file's content. */
export class Refusal extends Error {
  readonly reason: Reason
  readonly detail: string
  /** What the reader needs to know besides, in the page's language. */
  readonly notes: readonly Say[]

  constructor(reason: Reason, detail = "", cause?: unknown, notes: readonly Say[] = []) {
    super(`${reason}: ${detail}`, { cause })
    this.reason = reason
    this.detail = detail
    this.notes = notes
  }
}

export function damaged(detail: string): Refusal {
  return new Refusal("damaged", detail)
}

// SPDX-License-Identifier: Apache-2.0
/** Words for people, from the same list as the program's: fingerprints to compare by voice, passphrases to write down. */

import list from "../../keys/data/eff_large_wordlist.txt"

export const FINGERPRINT_WORDS = 10
export const PASSPHRASE_WORDS = 7

const WORDS = list.split("\n").filter((line) => line !== "" && !line.startsWith("#"))

/** Ten words for a digest of 32 bytes: its integer modulo 7776^10 in base 7776, the most significant word first. */
export function fingerprintWords(digest: Uint8Array): string[] {
  let rest = digest.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
  const words: string[] = []
  for (let i = 0; i < FINGERPRINT_WORDS; i++) {
    words.unshift(WORDS[Number(rest % BigInt(WORDS.length))] ?? "")
    rest /= BigInt(WORDS.length)
  }
  return words
}

/** Seven random words, 90 bits. */
export function newPassphrase(): string {
  return Array.from({ length: PASSPHRASE_WORDS }, () => WORDS[uniform(WORDS.length)]).join(" ")
}

/** A random number below `limit`, each as likely as the others. */
function uniform(limit: number): number {
  const whole = 2 ** 32 - (2 ** 32 % limit)
  for (;;) {
    const [drawn = 0] = crypto.getRandomValues(new Uint32Array(1))
    if (drawn < whole) return drawn % limit
  }
}

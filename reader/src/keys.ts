// SPDX-License-Identifier: Apache-2.0
/**
 * The reader's keys: key files as age-keygen writes them, also sealed with a passphrase, and new ones.
 * No key leaves this module but into the page's memory, and into a file that the editor saves.
 */

import { armor, Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption"
import { bech32 } from "@scure/base"
import { fromUtf8, utf8 } from "./encoding.ts"
import { Refusal } from "./refusal.ts"

/** Whatever may open a file. */
export interface Keys {
  readonly identities: readonly string[]
  readonly passphrase: string | null
  /** The raw recipient keys that belong to the identities: what `Sealed-For` may name. */
  readonly own: readonly Uint8Array[]
}

export const MAX_KEY_FILE_BYTES = 64 << 10
export const LEAST_PASSPHRASE = 12
const BINARY = "age-encryption.org/v1\n"
const ARMORED = "-----BEGIN AGE ENCRYPTED FILE-----"
const IDENTITY = /^AGE-SECRET-KEY-(PQ-)?1[A-Z0-9]+$/

/** Keys in a text: one a line, with comments and empty lines. */
export async function parseKeys(untrusted: string): Promise<Keys> {
  const lines = untrusted.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"))
  if (lines.length === 0 || !lines.every((line) => IDENTITY.test(line))) throw new Refusal("no-key")
  const own: Uint8Array[] = []
  for (const line of lines) own.push(await publicOf(line))
  return { identities: lines, passphrase: null, own }
}

export function passphraseOnly(passphrase: string): Keys {
  return { identities: [], passphrase, own: [] }
}

export function isSealed(keyFile: Uint8Array): boolean {
  const start = new TextDecoder().decode(keyFile.subarray(0, 64)).trimStart()
  return start.startsWith(BINARY) || start.startsWith(ARMORED)
}

/** Keys in a file, which may be sealed with a passphrase. */
export async function parseKeyFile(untrusted: Uint8Array, passphrase: string): Promise<Keys> {
  const text = fromUtf8(isSealed(untrusted) ? await unsealed(untrusted, passphrase) : untrusted)
  if (text === null) throw new Refusal("no-key")
  return parseKeys(text)
}

/** Armored age files as the bytes they stand for; null if it is none. */
export function unarmored(untrusted: Uint8Array): Uint8Array | null {
  const text = new TextDecoder().decode(untrusted)
  if (!text.trimStart().startsWith(ARMORED)) return null
  try {
    return armor.decode(text)
  } catch (cause) {
    throw new Refusal("changed", "the armor is damaged", cause)
  }
}

export interface KeyPair {
  /** `age1pq1…`, to be sent. */
  readonly recipient: string
  /** A key file as age-keygen writes it, but for the time, which is nobody's business. */
  readonly keyFile: string
}

export async function newKeyPair(): Promise<KeyPair> {
  const identity = await generateHybridIdentity()
  const recipient = await identityToRecipient(identity)
  return { recipient, keyFile: `# public key: ${recipient}\n${identity}\n` }
}

/** The key file as an age file that a passphrase opens, with age's own cost of a try. */
export async function sealedKeyFile(keyFile: string, passphrase: string): Promise<Uint8Array> {
  const encrypter = new Encrypter()
  encrypter.setPassphrase(passphrase)
  return encrypter.encrypt(utf8(keyFile))
}

/** The 1216 bytes of a post-quantum recipient in its one spelling, or null. */
export function rawRecipient(untrusted: string): Uint8Array | null {
  try {
    const { prefix, words } = bech32.decode(untrusted as `age1pq1${string}`, false)
    const raw = bech32.fromWords(words)
    const respelled = bech32.encode(prefix, bech32.toWords(raw), false)
    return String(prefix) === "age1pq" && raw.length === 1216 && respelled === untrusted ? raw : null
  } catch {
    return null
  }
}

async function publicOf(identity: string): Promise<Uint8Array> {
  try {
    const recipient = await identityToRecipient(identity)
    return bech32.fromWords(bech32.decode(recipient as `age1${string}`, false).words)
  } catch (cause) {
    throw new Refusal("no-key", "a line that begins like a key is damaged", cause)
  }
}

async function unsealed(sealed: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const decrypter = new Decrypter()
  if (passphrase === "") throw new Refusal("passphrase", "the key file is sealed with a passphrase")
  decrypter.addPassphrase(passphrase)
  try {
    return await decrypter.decrypt(unarmored(sealed) ?? sealed)
  } catch (cause) {
    throw cause instanceof Refusal ? cause : new Refusal("passphrase", "", cause)
  }
}

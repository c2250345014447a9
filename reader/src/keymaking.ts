// SPDX-License-Identifier: Apache-2.0
/** Makes a pair of keys for an editor who has none. */

import { ask, clearRefusal, drawn, refuse } from "./busy.ts"
import { button, byId, make, said } from "./element.ts"
import { utf8 } from "./encoding.ts"
import { type KeyPair, LEAST_PASSPHRASE, newKeyPair, sealedKeyFile } from "./keys.ts"
import { say } from "./language.ts"
import { download } from "./places.ts"
import { newPassphrase } from "./words.ts"

export function beginKeyMaking(): void {
  const passphrase = byId<HTMLInputElement>("new-passphrase")
  byId("suggest").addEventListener("click", () => (passphrase.value = newPassphrase()))
  byId("make-keys").addEventListener("click", () => void makeKeys(passphrase.value))
}

async function makeKeys(passphrase: string): Promise<void> {
  clearRefusal()
  if (passphrase !== "" && Array.from(passphrase).length < LEAST_PASSPHRASE) return ask("makeShort")
  const made = byId("made")
  made.replaceChildren(said("p", "deriving", "aside"))
  await drawn()
  try {
    const pair = await newKeyPair()
    const sealed = passphrase === "" ? null : await sealedKeyFile(pair.keyFile, passphrase)
    made.replaceChildren(...secretPart(pair, sealed, passphrase), ...publicPart(pair))
  } catch (cause) {
    made.replaceChildren()
    refuse(cause)
  }
}

function secretPart(pair: KeyPair, sealed: Uint8Array | null, passphrase: string): Node[] {
  const content = sealed ?? utf8(pair.keyFile)
  const name = sealed === null ? "key.txt" : "key.txt.age"
  const aside = sealed === null ? [said("p", "madeClear", "bad")] : [said("p", "madePassphrase"), make("p", [make("code", passphrase)])]
  return [said("p", "madeSecret"), button("saveKey", () => void download(name, content), "main"), ...aside]
}

function publicPart(pair: KeyPair): Node[] {
  const line = make("textarea")
  line.readOnly = true
  line.rows = 6
  line.value = pair.recipient
  line.id = "recipient"
  say(line, (words) => words.publicLabel, "aria-label")
  const copy = button("copy", () => {
    line.select()
    const copied = navigator.clipboard?.writeText(pair.recipient) ?? Promise.reject(new Error("no clipboard"))
    copied.then(() => say(copy, (words) => words.copied), () => undefined) // it is selected: the keyboard can copy it
  })
  const saver = button("savePublic", () => void download("public-key.txt", utf8(`${pair.recipient}\n`)))
  return [said("p", "madePublic"), line, make("div", [copy, saver], "row")]
}

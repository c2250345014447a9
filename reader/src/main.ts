// SPDX-License-Identifier: Apache-2.0
/** The page: asks for a sealed file and a key, has all of it verified, and only then shows what is inside. */

import { ask, clearRefusal, refuse, status, work } from "./busy.ts"
import { byId } from "./element.ts"
import {
  isSealed, type Keys, MAX_KEY_FILE_BYTES, parseKeyFile, parseKeys, passphraseOnly, unarmored,
} from "./keys.ts"
import { beginKeyMaking } from "./keymaking.ts"
import { begin } from "./language.ts"
import { verify } from "./opened.ts"
import { Refusal } from "./refusal.ts"
import { clearResult, showBundle, showPlain } from "./result.ts"

/** An armored file is taken apart in memory. Bundles are never armored. */
const MAX_ARMORED_BYTES = 32 << 20

const file = byId<HTMLInputElement>("file")
const keyFile = byId<HTMLInputElement>("key-file")
const keyFilePassphrase = byId<HTMLInputElement>("key-file-passphrase")
const keyText = byId<HTMLTextAreaElement>("key-text")
const passphrase = byId<HTMLInputElement>("passphrase")

byId("no-script").remove()
begin(byId<HTMLSelectElement>("language"))
beginKeyMaking()
for (const radio of document.querySelectorAll<HTMLInputElement>("input[name=way]")) {
  radio.addEventListener("change", showWay)
}
showWay() // a browser that reloads the page may have kept the choice
file.addEventListener("change", clearAll)
keyFile.addEventListener("change", () => void askForPassphrase())
void askForPassphrase()
byId("open").addEventListener("click", () => void open())
for (const field of [keyFilePassphrase, passphrase]) {
  field.addEventListener("keydown", (event) => event.key === "Enter" && void open())
}

function way(): string {
  return document.querySelector<HTMLInputElement>("input[name=way]:checked")?.value ?? "file"
}

function showWay(): void {
  for (const part of document.querySelectorAll<HTMLElement>("[data-way]")) part.hidden = part.dataset.way !== way()
}

function clearAll(): void {
  clearRefusal()
  clearResult()
}

async function askForPassphrase(): Promise<void> {
  try {
    byId("key-file-sealed").hidden = !isSealed(await contentOfKeyFile())
  } catch (cause) {
    refuse(cause)
  }
}

async function open(): Promise<void> {
  clearAll()
  const sealed = file.files?.[0]
  if (sealed === undefined) return ask("missingFile")
  if (!hasKey()) return ask("missingKey")
  await work(way() === "paste" ? "opening" : "deriving", sealed.size, async (pass) => {
    const keys = await givenKeys()
    status(keys.passphrase === null ? "opening" : "deriving")
    const binary = await binaryOf(sealed)
    const opened = await verify(binary, keys, { ...pass, onRead: (bytes) => (status("opening"), pass.onRead(bytes)) })
    if (opened.tags === null) showPlain(opened, sealed.name)
    else showBundle(opened, opened.tags)
    keyText.value = passphrase.value = keyFilePassphrase.value = ""
  })
}

function hasKey(): boolean {
  const given = { file: keyFile.files?.length, paste: keyText.value.trim(), passphrase: passphrase.value }
  return Boolean(given[way() as keyof typeof given])
}

async function givenKeys(): Promise<Keys> {
  if (way() === "paste") return parseKeys(keyText.value)
  if (way() === "passphrase") return passphraseOnly(passphrase.value)
  return parseKeyFile(await contentOfKeyFile(), keyFilePassphrase.value)
}

async function contentOfKeyFile(): Promise<Uint8Array> {
  const chosen = keyFile.files?.[0]
  if (chosen === undefined) return new Uint8Array(0)
  if (chosen.size > MAX_KEY_FILE_BYTES) throw new Refusal("no-key")
  return bytesOf(chosen)
}

/** The age file itself, also where it was put into text to go through a mail. */
async function binaryOf(sealed: File): Promise<Blob> {
  if (sealed.size > MAX_ARMORED_BYTES) return sealed
  const bytes = unarmored(await bytesOf(sealed))
  return bytes === null ? sealed : new Blob([bytes as Uint8Array<ArrayBuffer>])
}

async function bytesOf(chosen: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await chosen.arrayBuffer())
  } catch (cause) {
    throw new Refusal("unreadable", "", cause)
  }
}

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
import { findParts } from "./partset.ts"
import { Refusal } from "./refusal.ts"
import { clearResult, showBundle, showPlain } from "./result.ts"
import { bytesOf } from "./sealed.ts"

/** An armored file is taken apart in memory. Bundles are never armored. */
const MAX_ARMORED_BYTES = 32 << 20
const ZIP = "PK\u0003\u0004"

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
document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault())
document.addEventListener("drop", takeDropped)
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

/** Files that are dropped anywhere are chosen: the browser would leave the page and show them. */
function takeDropped(event: DragEvent): void {
  if (!hasFiles(event)) return
  event.preventDefault()
  if (byId<HTMLButtonElement>("open").disabled) return // something is being read
  const target = event.target === keyFile ? keyFile : file
  target.files = event.dataTransfer?.files ?? null
  target.dispatchEvent(new Event("change"))
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false
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
  const chosen = [...(file.files ?? [])]
  const [first] = chosen
  if (first === undefined) return ask("missingFile")
  if (!hasKey()) return ask("missingKey")
  const size = chosen.reduce((total, { size }) => total + size, 0)
  await work(way() === "paste" ? "opening" : "deriving", size, async (pass) => {
    const keys = await givenKeys()
    status(keys.passphrase === null ? "opening" : "deriving")
    const sealed = (await findParts(chosen, keys, pass.signal)) ?? (await binaryOf(first))
    const opened = await verify(sealed, keys, { ...pass, onRead: (bytes) => (status("opening"), pass.onRead(bytes)) })
    if (opened.tags === null) showPlain(opened, first.name)
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
  if (new TextDecoder().decode(await bytesOf(sealed.slice(0, ZIP.length))) === ZIP) throw new Refusal("zip")
  if (sealed.size > MAX_ARMORED_BYTES) return sealed
  const bytes = unarmored(await bytesOf(sealed))
  return bytes === null ? sealed : new Blob([bytes as Uint8Array<ArrayBuffer>])
}

// SPDX-License-Identifier: Apache-2.0
/** One long piece of work at a time, with its progress, a way to end it, and one place that says what went wrong. */

import { byId, make, said } from "./element.ts"
import { type PlainWord, say } from "./language.ts"
import { type Reason, Refusal } from "./refusal.ts"
import type { Pass } from "./sealed.ts"

const MESSAGES: Record<Reason, PlainWord> = {
  unreadable: "reasonUnreadable",
  "no-age": "reasonNoAge",
  "no-match": "reasonNoMatch",
  passphrase: "reasonPassphrase",
  changed: "reasonChanged",
  "no-bundle": "plainText",
  "parts-missing": "reasonPartsMissing",
  "no-parts": "reasonNoParts",
  zip: "reasonZip",
  newer: "reasonNewer",
  damaged: "reasonDamaged",
  signature: "reasonSignature",
  resealed: "reasonResealed",
  "no-key": "reasonNoKey",
  another: "reasonAnother",
  cancelled: "reasonCancelled",
}

let working = false

/** Do something long. What it throws is shown; nothing else begins meanwhile. */
export async function work(text: PlainWord, size: number, task: (pass: Pass) => Promise<void>): Promise<void> {
  if (working) return
  working = true
  clearRefusal()
  const abort = new AbortController()
  const progress = byId<HTMLProgressElement>("progress")
  const cancel = byId<HTMLButtonElement>("cancel")
  status(text)
  progress.value = 0
  say(progress, (words) => words.progress, "aria-label")
  cancel.onclick = () => abort.abort()
  show(true)
  try {
    await drawn()
    await task({ signal: abort.signal, onRead: (bytes) => (progress.value = bytes / Math.max(size, 1)) })
  } catch (cause) {
    refuse(cause)
  } finally {
    working = false
    show(false)
  }
}

/** What is being done now. */
export function status(text: PlainWord): void {
  say(byId("busy-text"), (words) => words[text])
}

/** Say why nothing more happens. */
export function refuse(cause: unknown, ...more: readonly Node[]): void {
  const refusal = cause instanceof Refusal ? cause : null
  const panel = byId("refusal")
  panel.dataset.reason = refusal?.reason ?? "defect"
  const message = said("p", refusal === null ? "reasonDefect" : MESSAGES[refusal.reason])
  const detail = refusal === null ? String(cause) : refusal.detail
  const technical = detail === "" ? [] : [make("p", [said("span", "detail"), make("span", ` ${detail}`)], "aside")]
  const notes = (refusal?.notes ?? []).map((note) => said("p", note))
  panel.replaceChildren(said("h2", "refused"), message, ...notes, ...more, ...technical)
  panel.hidden = false
  panel.scrollIntoView({ block: "nearest" })
}

/** Say what is missing before anything can begin. */
export function ask(word: PlainWord): void {
  const panel = byId("refusal")
  panel.dataset.reason = "ask"
  panel.replaceChildren(said("p", word))
  panel.hidden = false
}

export function clearRefusal(): void {
  byId("refusal").hidden = true
}

/** Let the browser draw before something in which it cannot. A timer: frames do not come in a tab behind others. */
export function drawn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 40))
}

function show(busy: boolean): void {
  byId("busy").hidden = !busy
  for (const element of document.querySelectorAll<HTMLButtonElement>("button:not(#cancel)")) element.disabled = busy
}

// SPDX-License-Identifier: Apache-2.0
/** Elements of the page. Text gets into them as text only: nothing here, and nothing elsewhere, parses HTML. */

import { type PlainWord, type Say, say } from "./language.ts"

export function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`no element ${id}`)
  return found as T
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  content: string | readonly Node[] = [],
  css = "",
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  if (typeof content === "string") element.textContent = content
  else element.append(...content)
  if (css !== "") element.className = css
  return element
}

/** An element that says something of the page's own, in the language that is chosen. */
export function said<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  what: PlainWord | Say,
  css = "",
): HTMLElementTagNameMap[K] {
  const element = make(tag, [], css)
  say(element, typeof what === "string" ? (words) => words[what] : what)
  return element
}

export function button(what: PlainWord | Say, onClick: () => void, css = ""): HTMLButtonElement {
  const element = said("button", what, css)
  element.type = "button"
  element.addEventListener("click", onClick)
  return element
}

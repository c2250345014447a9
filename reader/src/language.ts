// SPDX-License-Identifier: Apache-2.0
/** Which language the page speaks. What was said stays tied to its element, so that it can be said again in another. */

import { en, type Words } from "./en.ts"
import { ky } from "./ky.ts"
import { ru } from "./ru.ts"
import { uz } from "./uz.ts"

export type Say = (words: Words) => string
/** The words that take no values. */
export type PlainWord = { [K in keyof Words]: Words[K] extends string ? K : never }[keyof Words]

const LANGUAGES: Record<string, readonly [name: string, words: Words]> = {
  en: ["English", en],
  ru: ["Русский", ru],
  ky: ["Кыргызча", ky],
  uz: ["O‘zbekcha", uz],
}

let current = "en"
const spoken = new Map<Element, Map<string, Say>>()
const TEXT = ""

/** Let an element's text, or one of its attributes, say something, now and after each change of language. */
export function say(element: Element, what: Say, attribute = TEXT): void {
  spoken.set(element, (spoken.get(element) ?? new Map<string, Say>()).set(attribute, what))
  speak(element, attribute, what)
}

/** Prepare the switch, and everything in the page that is marked `data-say`. */
export function begin(select: HTMLSelectElement): void {
  for (const [code, [name]] of Object.entries(LANGUAGES)) select.add(new Option(name, code))
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())
  current = wanted.find((code) => code in LANGUAGES) ?? "en"
  select.value = current
  select.addEventListener("change", () => change(select.value))
  for (const element of document.querySelectorAll<HTMLElement>("[data-say]")) {
    const word = element.dataset.say as PlainWord
    say(element, (words) => words[word])
  }
  change(current)
}

function change(code: string): void {
  current = code
  document.documentElement.lang = code
  document.title = words().title
  for (const [element, attributes] of spoken) {
    if (!element.isConnected) spoken.delete(element)
    else attributes.forEach((what, attribute) => speak(element, attribute, what))
  }
}

function words(): Words {
  return LANGUAGES[current]?.[1] ?? en
}

function speak(element: Element, attribute: string, what: Say): void {
  if (attribute === TEXT) element.textContent = what(words())
  else element.setAttribute(attribute, what(words()))
}

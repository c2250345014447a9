// SPDX-License-Identifier: Apache-2.0
/**
 * Names and texts from evidence: which names a bundle may hold (docs/format-bundle.md §3), how they are spelled in its
 * JSON, and how they are shown. The dangerous characters are written out, as in the format, and not asked of a version
 * of Unicode.
 */

import { fromUtf8, hex, utf8 } from "./encoding.ts"

export const MAX_BAG_NAME_BYTES = 120

const CONTROL = "\\x00-\\x1f\\x7f-\\x9f"
const UNSEEN =
  "\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb" +
  "\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}\\ud800-\\udfff"
// Looks like nothing, like a space, or like whatever a font pleases: allowed in bundles, shown escaped.
const BLANK =
  "\\u00a0\\u034f\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180d\\u180f\\u2000-\\u200a\\u202f\\u205f" +
  "\\u2800\\u3000\\u3164\\ufe00-\\ufe0d\\uffa0\\u200c\\u200d\\ufdd0-\\ufdef\\ufffe\\uffff\\ue000-\\uf8ff"

const NOT_IN_BAGS = new RegExp(`[${CONTROL}${UNSEEN}\\ufdd0-\\ufdef\\ufffe\\uffff<>:"/\\\\|?*%]`, "u")
const NOT_SHOWN = new RegExp(`[${CONTROL}${UNSEEN}${BLANK}\\\\]`, "gu")
const NOT_IN_JSON = new RegExp(`["\\\\${CONTROL}${UNSEEN}]`, "gu")
// Python's IGNORECASE takes the Turkish letters for an i; a name that one reader refuses, the other refuses too.
const WINDOWS_DEVICES = /^(con|prn|aux|nul|con[iİı]n\$|conout\$|clock\$|(com|lpt)[0-9¹²³]) *(\.|$)/iu
const SHORT_ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }
const JSON_ESCAPES: Record<string, string> = { ...SHORT_ESCAPES, '"': '\\"', "\b": "\\b", "\f": "\\f" }

/** Whether a document may have this name in a bundle. */
export function isBagName(name: string): boolean {
  const size = utf8(name).length
  return (
    size > 0 &&
    size <= MAX_BAG_NAME_BYTES &&
    !NOT_IN_BAGS.test(name) &&
    !/^[ .]|[ .]$/.test(name) &&
    !WINDOWS_DEVICES.test(name)
  )
}

/** Whether it can be written as UTF-8: a lone surrogate cannot. */
export function isText(text: string): boolean {
  return !/[\ud800-\udfff]/u.test(text)
}

/** A JSON string as the format spells it. */
export function jsonString(text: string): string {
  return `"${text.replace(NOT_IN_JSON, (char) => JSON_ESCAPES[char] ?? units(char))}"`
}

/** One line in which everything that is not plainly visible is escaped. */
export function printable(name: string | Uint8Array): string {
  return typeof name === "string" ? shown(name) : printableBytes(name)
}

/** Several lines stay several lines; within each, what cannot be seen is escaped. */
export function printableLines(text: string): string {
  return text.replaceAll("\r\n", "\n").split("\n").map(shown).join("\n")
}

function shown(text: string): string {
  return text.replace(NOT_SHOWN, (char) => {
    const code = char.codePointAt(0) ?? 0
    if (code < 0x80) return SHORT_ESCAPES[char] ?? `\\x${code.toString(16).padStart(2, "0")}`
    return code <= 0xffff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`
  })
}

/** Bytes that are no UTF-8 show as `\xNN`, one by one. */
function printableBytes(name: Uint8Array): string {
  const whole = fromUtf8(name)
  if (whole !== null) return shown(whole)
  let text = ""
  for (let at = 0; at < name.length; ) {
    const size = [1, 2, 3, 4].find((n) => at + n <= name.length && fromUtf8(name.subarray(at, at + n)) !== null)
    const character = name.subarray(at, at + (size ?? 1))
    text += size === undefined ? `\\x${hex(character)}` : shown(fromUtf8(character) ?? "")
    at += character.length
  }
  return text
}

function units(char: string): string {
  return Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`).join("")
}

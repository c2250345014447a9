// SPDX-License-Identifier: Apache-2.0
/**
 * JSON as bundles hold it: strings, whole numbers, booleans, nulls, lists and objects. Numbers are kept exactly, as
 * bigint, because times in nanoseconds do not fit into a double. A key that stands twice, a fraction and anything
 * nested deeper than asked are refused here; the one spelling is the caller's to compare, with `render`.
 */

import { jsonString } from "./names.ts"
import { damaged } from "./refusal.ts"

export type Json = string | bigint | boolean | null | readonly Json[] | JsonObject
export type JsonObject = ReadonlyMap<string, Json>

const PLAIN = /[^"\\\u0000-\u001f]*/y
const NUMBER = /-?(?:0|[1-9][0-9]{0,18})(?![0-9.eE])/y
const WORDS: readonly (readonly [string, Json])[] = [["true", true], ["false", false], ["null", null]]
const ESCAPES: Record<string, string> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }

export function parse(untrusted: string, maxDepth: number): Json {
  return new Parser(untrusted, maxDepth).parse()
}

export function render(value: Json): string {
  if (typeof value === "string") return jsonString(value)
  if (Array.isArray(value)) return `[${value.map(render).join(",")}]`
  if (value instanceof Map) return `{${[...value].map(([key, of]) => `${jsonString(key)}:${render(of)}`).join(",")}}`
  return String(value)
}

class Parser {
  private at = 0
  private depth = 0

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  parse(): Json {
    const value = this.value()
    if (this.peek() !== "") throw this.refused()
    return value
  }

  private value(): Json {
    switch (this.peek()) {
      case "{":
        return this.object()
      case "[":
        return this.list()
      case '"':
        return this.string()
    }
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length
        return value
      }
    }
    return BigInt(this.match(NUMBER))
  }

  private object(): JsonObject {
    const found = new Map<string, Json>()
    this.each("{", "}", () => {
      if (this.peek() !== '"') throw this.refused()
      const key = this.string()
      this.expect(":")
      if (found.has(key)) throw this.refused()
      found.set(key, this.value())
    })
    return found
  }

  private list(): Json[] {
    const found: Json[] = []
    this.each("[", "]", () => found.push(this.value()))
    return found
  }

  private each(open: string, close: string, member: () => void): void {
    this.expect(open)
    if (++this.depth > this.maxDepth) throw this.refused()
    if (this.peek() !== close) {
      member()
      while (this.peek() === ",") {
        this.at++
        member()
      }
    }
    this.expect(close)
    this.depth--
  }

  private string(): string {
    const pieces: string[] = []
    this.at++
    for (;;) {
      pieces.push(this.match(PLAIN))
      const char = this.text[this.at++]
      if (char === '"') return pieces.join("")
      if (char !== "\\") throw this.refused()
      pieces.push(this.escaped())
    }
  }

  private escaped(): string {
    const char = this.text[this.at++] ?? ""
    if (char !== "u") {
      const plain = ESCAPES[char]
      if (plain === undefined) throw this.refused()
      return plain
    }
    return String.fromCharCode(Number.parseInt(this.match(/[0-9a-fA-F]{4}/y), 16))
  }

  private expect(char: string): void {
    if (this.peek() !== char) throw this.refused()
    this.at++
  }

  /** The next character that is no white space; "" at the end. */
  private peek(): string {
    while (" \n\r\t".includes(this.text[this.at] ?? "x")) this.at++
    return this.text[this.at] ?? ""
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (found === null) throw this.refused()
    this.at = pattern.lastIndex
    return found[0]
  }

  private refused(): Error {
    return damaged("the list of items or the custody record is damaged")
  }
}

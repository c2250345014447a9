// SPDX-License-Identifier: Apache-2.0
/**
 * The tar inside a bundle (docs/format-bundle.md §2): pax, regular files only, one spelling, read as a stream.
 *
 * It takes only what the writer would have written: each header is made again from the path and size that were read,
 * and compared. So it refuses links, devices, folders, owners, times, absolute paths and `..`, one name twice (also in
 * another case, or as file and folder at once), and anything but NUL after the end.
 */

import { fromUtf8, joined, sameBytes, utf8 } from "./encoding.ts"
import { damaged } from "./refusal.ts"

const BLOCK = 512
const MAX_PATH_BYTES = 512
const MAX_PAX_BYTES = 1024
const USTAR_PATH_BYTES = 100
const USTAR_MAX_SIZE = 8 ** 11 - 1
const FORBIDDEN_IN_PATHS = /[\u0000-\u001f\u007f-\u009f\\\ud800-\udfff]/u

/** Where a tar comes from. `read` gives at most `limit` bytes, and none only at the end. */
export interface Source {
  read(limit: number): Promise<Uint8Array>
}

export interface Member {
  readonly path: string
  readonly size: number
}

export class TarReader {
  /** Bytes taken from the source. */
  consumed = 0
  /** Bytes with the end blocks and without padding, as soon as the end was reached. */
  size: number | null = null
  private readonly names = new Names()
  private members = 0
  private left = 0
  private fill = 0

  constructor(
    private readonly source: Source,
    private readonly maxMembers: number,
  ) {}

  /** The next file, or null when everything up to the end of the source was seen to be NUL. */
  async next(): Promise<Member | null> {
    while (this.left > 0) await this.read(this.left)
    if (!isEmpty(await this.exactly(this.fill))) throw damaged("something stands between two members of the tar")
    this.fill = 0
    const block = await this.exactly(BLOCK)
    if (isEmpty(block)) {
      await this.expectEnd()
      return null
    }
    const member = await this.parse(block)
    if (++this.members > this.maxMembers) throw damaged("the tar holds too many files")
    this.names.add(member.path)
    this.left = member.size
    this.fill = padding(member.size)
    return member
  }

  /** At most `limit` bytes of the current file; none at its end. */
  async read(limit: number): Promise<Uint8Array> {
    if (this.left === 0) return new Uint8Array(0)
    const data = await this.source.read(Math.min(limit, this.left))
    if (data.length === 0) throw damaged("the tar is cut off")
    this.left -= data.length
    this.consumed += data.length
    return data
  }

  private async parse(first: Uint8Array): Promise<Member> {
    const headers = [first]
    let records: Records = {}
    let block = first
    if (typeOf(block) === "x") {
      const untrustedSize = octalSize(block)
      if (untrustedSize > MAX_PAX_BYTES) throw damaged("an extended header of the tar is too large")
      const body = await this.exactly(untrustedSize + padding(untrustedSize))
      records = parseRecords(body.subarray(0, untrustedSize))
      block = await this.exactly(BLOCK)
      headers.push(body, block)
    }
    if (typeOf(block) !== "0") throw damaged("the tar holds something other than a regular file")
    const path = checkPath(records.path ?? asciiName(block))
    const size = records.size ?? octalSize(block)
    // Beyond 2^53 there is no such file, and a double no longer counts its bytes.
    if (!Number.isSafeInteger(size)) throw damaged("a file in the tar claims an impossible size")
    if (!sameBytes(headersOf({ path, size }, this.members), joined(headers))) {
      throw damaged("a header of the tar is not spelled as this format wants it")
    }
    return { path, size }
  }

  private async expectEnd(): Promise<void> {
    if (!isEmpty(await this.exactly(BLOCK))) throw damaged("the tar ends with one empty block instead of two")
    this.size = this.consumed
    for (;;) {
      const data = await this.source.read(Number.MAX_SAFE_INTEGER)
      if (data.length === 0) return
      this.consumed += data.length
      if (!isEmpty(data)) throw damaged("something is hidden behind the end of the tar")
    }
  }

  private async exactly(size: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    for (let left = size; left > 0; ) {
      const data = await this.source.read(left)
      if (data.length === 0) throw damaged("the tar is cut off")
      pieces.push(data)
      left -= data.length
      this.consumed += data.length
    }
    return joined(pieces)
  }
}

/** Every path at most once, in whatever case, and no path both a file and a folder. */
class Names {
  private readonly files = new Set<string>()
  private readonly folders = new Set<string>()

  add(path: string): void {
    const folded = caseless(path)
    if (this.files.has(folded) || this.folders.has(folded)) throw damaged("the tar holds one name twice")
    this.files.add(folded)
    for (let end = folded.lastIndexOf("/"); end > 0; end = folded.lastIndexOf("/", end - 1)) {
      const folder = folded.slice(0, end)
      if (this.folders.has(folder)) return
      if (this.files.has(folder)) throw damaged("the tar uses one name for a file and for a folder")
      this.folders.add(folder)
    }
  }
}

interface Records {
  path?: string
  size?: number
}

function checkPath(path: string): string {
  if (path === "" || utf8(path).length > MAX_PATH_BYTES) throw damaged("a path in the tar is empty or too long")
  if (FORBIDDEN_IN_PATHS.test(path)) throw damaged("a path in the tar holds a control character or a backslash")
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    throw damaged("a path in the tar is absolute, or has an empty, '.' or '..' part")
  }
  return path
}

/** Letter by letter, because the end of a word changes how JavaScript lowers a sigma. */
function caseless(text: string): string {
  return Array.from(text, (char) => Array.from(char.toUpperCase(), (upper) => upper.toLowerCase()).join("")).join("")
}

function headersOf(member: Member, number: number): Uint8Array {
  const records: Uint8Array[] = []
  let name = utf8(member.path)
  let size = member.size
  if (name.length > USTAR_PATH_BYTES || name.length !== member.path.length) {
    records.push(record("path", name))
    name = utf8(Array.from(member.path, (char) => (char > "~" || char === "?" ? "_" : char)).join("")).subarray(0, 100)
  }
  if (size > USTAR_MAX_SIZE) {
    records.push(record("size", utf8(String(size))))
    size = 0
  }
  const plain = header(name, size, "0")
  if (records.length === 0) return plain
  const body = joined(records)
  const extended = header(utf8(`PaxHeaders/${number}`), body.length, "x")
  return joined([extended, body, new Uint8Array(padding(body.length)), plain])
}

function header(name: Uint8Array, size: number, kind: string): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const put = (at: number, text: string): void => block.set(utf8(text), at)
  block.set(name)
  put(100, "0000644")
  put(108, "0000000")
  put(116, "0000000")
  put(124, size.toString(8).padStart(11, "0"))
  put(136, "00000000000")
  put(148, "        ")
  put(156, kind)
  put(257, "ustar\u000000")
  put(329, "0000000")
  put(337, "0000000")
  put(148, `${checksum(block)}\u0000 `)
  return block
}

function checksum(block: Uint8Array): string {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
  return sum.toString(8).padStart(6, "0")
}

/** `length key=value newline`, where the length counts its own digits. */
function record(key: string, value: Uint8Array): Uint8Array {
  const rest = joined([utf8(` ${key}=`), value, utf8("\n")])
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length++
  return joined([utf8(String(length)), rest])
}

function typeOf(block: Uint8Array): string {
  if (latin(block.subarray(257, 265)) !== "ustar\u000000") {
    throw damaged("the tar is damaged, or of another kind than bundles are made of")
  }
  if (latin(block.subarray(148, 156)) !== `${checksum(block)}\u0000 `) throw damaged("a checksum in the tar is wrong")
  return latin(block.subarray(156, 157))
}

function asciiName(block: Uint8Array): string {
  const name = latin(block.subarray(0, 100)).replace(/\u0000+$/, "")
  if (/[^\u0000-\u007f]/.test(name)) throw damaged("a name in the tar is in no known encoding")
  return name
}

function octalSize(block: Uint8Array): number {
  const field = latin(block.subarray(124, 136))
  if (!/^[0-7]{11}\u0000$/.test(field)) throw damaged("a size in the tar is not written in octal")
  return Number.parseInt(field.slice(0, 11), 8)
}

/** `path` and `size` out of an extended header. A key written twice shows when the header is made again. */
function parseRecords(untrusted: Uint8Array): Records {
  const records: Records = {}
  for (let at = 0; at < untrusted.length; ) {
    const digits = /^([0-9]{1,7}) /.exec(latin(untrusted.subarray(at, at + 8)))?.[1]
    const length = Number(digits)
    if (digits === undefined || length <= digits.length + 1 || at + length > untrusted.length) {
      throw damaged("an extended header of the tar is damaged")
    }
    const text = fromUtf8(untrusted.subarray(at + digits.length + 1, at + length))
    const [, key, value] = /^(path|size)=([^]*)\n$/.exec(text ?? "") ?? []
    if (value === undefined || (key === "size" && !/^[0-9]{1,19}$/.test(value))) {
      throw damaged("an extended header of the tar says something this format does not know")
    }
    if (key === "size") records.size = Number(value)
    else records.path = value
    at += length
  }
  return records
}

function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

function isEmpty(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

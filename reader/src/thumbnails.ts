// SPDX-License-Identifier: Apache-2.0
/**
 * The judge of small pictures (docs/format-bundle.md §4), the same as the program's (vault/thumbnails.py): a PNG of
 * header, palette, pixels and end, and of nothing else. What it lets through can say nothing, and the browser's decoder
 * gets nothing unusual to read.
 */

const MAX_SIDE = 320
const MAX_BYTES = 16 << 10
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const CHUNKS = "IHDR PLTE IDAT IEND"
const HEADER_SIZE = 13
const DEPTHS: readonly number[] = [1, 2, 4, 8]
const PALETTE = 3 // PNG (W3C, third edition) §11.2.1: colour type
const FILTERS = 5

interface Chunk {
  readonly kind: string
  readonly data: Uint8Array
}

export async function isPlainThumbnail(untrusted: Uint8Array): Promise<boolean> {
  if (untrusted.length > MAX_BYTES || !SIGNATURE.every((byte, i) => untrusted[i] === byte)) return false
  const chunks = parseChunks(untrusted.subarray(SIGNATURE.length))
  const [header, palette, packed, end] = chunks.map(({ data }) => data)
  if (chunks.map(({ kind }) => kind).join(" ") !== CHUNKS || !header || !palette || !packed || !end) return false
  if (header.length !== HEADER_SIZE || end.length !== 0 || palette.length % 3 !== 0) return false
  return arePixels(packed, header, palette.length / 3)
}

/** Nothing when a length or a checksum is wrong, or something follows the end. */
function parseChunks(untrusted: Uint8Array): Chunk[] {
  const view = new DataView(untrusted.buffer, untrusted.byteOffset, untrusted.length)
  const found: Chunk[] = []
  for (let at = 0; at < untrusted.length; ) {
    const size = at + 12 <= untrusted.length ? view.getUint32(at) : Infinity
    if (at + 12 + size > untrusted.length) return []
    const body = untrusted.subarray(at + 4, at + 8 + size)
    if (crc32(body) !== view.getUint32(at + 8 + size)) return []
    found.push({ kind: String.fromCharCode(...body.subarray(0, 4)), data: body.subarray(4) })
    at += 12 + size
  }
  return found
}

async function arePixels(packed: Uint8Array, header: Uint8Array, colours: number): Promise<boolean> {
  const view = new DataView(header.buffer, header.byteOffset)
  const [width, height] = [view.getUint32(0), view.getUint32(4)]
  const [depth = 0, kind, ...methods] = header.subarray(8)
  if (width < 1 || width > MAX_SIDE || height < 1 || height > MAX_SIDE || methods.some((byte) => byte !== 0)) return false
  if (kind !== PALETTE || !DEPTHS.includes(depth) || colours < 1 || colours > 1 << depth) return false
  const row = 1 + Math.ceil((width * depth) / 8)
  return areRows(packed, row, height)
}

/** Whether it unpacks (zlib, RFC 1950) to exactly so many rows that begin with a filter. */
async function areRows(packed: Uint8Array, row: number, height: number): Promise<boolean> {
  const source = new Blob([packed as Uint8Array<ArrayBuffer>]).stream()
  const reader = source.pipeThrough(new DecompressionStream("deflate")).getReader()
  let size = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return size === row * height
      for (let i = (row - (size % row)) % row; i < value.length; i += row) if ((value[i] ?? 0) >= FILTERS) return false
      size += value.length
      if (size > row * height) return false
    }
  } catch {
    return false // damaged, cut off, or with something behind its end
  } finally {
    await reader.cancel().catch(() => undefined) // it has failed before
  }
}

/** ISO 3309, as PNG has it (§5.5). */
function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

// SPDX-License-Identifier: Apache-2.0
/**
 * Reads a bundle: first judges everything that describes and signs it, then hands out the documents. It is the judge of
 * docs/format-bundle.md §6, in the same order as the program's own (vault/bundle_reader.py), and like there nobody has a
 * bundle in hand before its tag files were read, bounded, compared and verified.
 *
 * It does not decide whether the signer is anybody one knows: that is for people, with the words of the card.
 */

import { sha256 } from "@noble/hashes/sha2.js"
import { type Card, parseCard } from "./card.ts"
import { hex, joined, sameBytes, utf8 } from "./encoding.ts"
import { type Contents, type Item, parseContents } from "./items.ts"
import * as layout from "./layout.ts"
import { isSigned as isMldsaSigned, parsePem } from "./mldsa.ts"
import { padme } from "./padding.ts"
import { damaged, Refusal } from "./refusal.ts"
import { fingerprint, verify } from "./sshsig.ts"
import { type Member, type Source, TarReader } from "./tar.ts"

const ROOT = /^bundle-[0-9a-f]{8}$/
const PIECE = 1 << 20

/** The verified description of a bundle. */
export interface Tags {
  readonly root: string
  readonly urn: string
  readonly title: string
  readonly sealedNs: bigint
  readonly items: readonly Item[]
  readonly recipients: number
  /** Who signed; null for a drop: nothing shows who sent it. */
  readonly signer: { readonly card: Card; readonly fingerprint: string } | null
  readonly tagManifestSha256: string
  /** Whether there is a time stamp. This page cannot check one. */
  readonly stamped: boolean
  /** Small pictures by the document's number as its path spells it. Nobody has judged them yet. */
  readonly untrustedThumbnails: ReadonlyMap<string, Uint8Array>
  /** Names of files that a later version may know; only their digests were checked, if anything. */
  readonly notExamined: readonly string[]
}

interface TagFile {
  readonly digest: Uint8Array
  readonly kept: Uint8Array
}

export class BundleReader {
  private constructor(
    readonly tags: Tags,
    private readonly tar: TarReader,
    private pending: Member | null,
  ) {}

  /** `own` are the raw keys of the reader: a bundle that names none of them was passed on by somebody. */
  static async open(plaintext: Source, own: readonly Uint8Array[]): Promise<BundleReader> {
    const tar = new TarReader(plaintext, layout.MAX_ITEMS + layout.MAX_OTHER_FILES)
    const { root, first } = await readStart(tar)
    const { files, pending } = await readTagFiles(tar, root, first)
    const { tags, sealedFor } = judge(files, root)
    if (!own.some((raw) => sealedFor.includes(layout.keyDigest(raw)))) throw new Refusal("resealed")
    return new BundleReader(tags, tar, pending)
  }

  /**
   * Each document in order, once. What the caller leaves unread is read and checked all the same. The bundle is whole
   * when this ends; who stops early knows nothing of the rest.
   */
  async *documents(): AsyncGenerator<Document> {
    for (const item of this.tags.items) {
      const member = this.pending
      if (member?.path !== `${this.tags.root}/${item.path}` || BigInt(member.size) !== item.size) {
        throw damaged("a document is missing, out of order or of another size")
      }
      const document = new Document(this.tar, item)
      yield document
      await document.finish()
      this.pending = await this.tar.next()
    }
    if (this.pending !== null) throw damaged("the bundle holds more documents than it describes")
    if (this.tar.consumed !== padme(this.tar.size ?? 0, layout.LEAST_PLAINTEXT)) {
      throw damaged("the bundle is padded to another length than it must be")
    }
  }
}

/** The content of one document, until the next is asked for. That `pieces` ended means: size and digest were right. */
export class Document {
  private readonly hash = sha256.create()
  private done = false

  constructor(
    private readonly tar: TarReader,
    readonly item: Item,
  ) {}

  async *pieces(): AsyncGenerator<Uint8Array> {
    while (!this.done) {
      const piece = await this.tar.read(PIECE)
      if (piece.length === 0) {
        if (!sameBytes(this.hash.digest(), this.item.sha256)) {
          throw damaged("a document is not the one that the bundle describes")
        }
        this.done = true
        return
      }
      this.hash.update(piece)
      yield piece
    }
  }

  async finish(): Promise<void> {
    for await (const _ of this.pieces());
  }
}

async function readStart(tar: TarReader): Promise<{ root: string; first: Member }> {
  const first = await tar.next().catch((cause: unknown) => {
    if (cause instanceof Refusal && cause.reason === "damaged") throw new Refusal("no-bundle", cause.detail, cause)
    throw cause
  })
  const { root, name } = split(first?.path ?? "")
  if (first === null || name !== layout.DECLARATION || !ROOT.test(root)) throw new Refusal("no-bundle")
  return { root, first }
}

/** All files before the first document, and that document's member. */
async function readTagFiles(
  tar: TarReader,
  bundleRoot: string,
  first: Member,
): Promise<{ files: Map<string, TagFile>; pending: Member }> {
  const files = new Map<string, TagFile>()
  let before = ""
  let otherLeft = layout.MAX_OTHER_TOTAL_BYTES
  for (let member: Member | null = first; member !== null; member = await tar.next()) {
    const { root, name } = split(member.path)
    if (root !== bundleRoot) throw damaged("the bundle holds a file outside of its folder")
    if (name.startsWith(layout.PAYLOAD_FOLDER)) return { files, pending: member }
    const place = layout.placeOf(name)
    if (place <= before) throw damaged("a file that describes the bundle is out of order")
    before = place
    if (!layout.MAX_BYTES.has(name)) otherLeft -= member.size
    if (otherLeft < 0 || member.size > (layout.MAX_BYTES.get(name) ?? layout.MAX_OTHER_BYTES)) {
      throw damaged("a file that describes the bundle is larger than it may be")
    }
    files.set(name, await readTagFile(tar, layout.KEPT.includes(name) || layout.numberOfThumbnail(name) !== null))
  }
  throw damaged("the bundle holds no documents")
}

async function readTagFile(tar: TarReader, keep: boolean): Promise<TagFile> {
  const hash = sha256.create()
  const kept: Uint8Array[] = []
  for (;;) {
    const piece = await tar.read(PIECE)
    if (piece.length === 0) return { digest: hash.digest(), kept: joined(kept) }
    hash.update(piece)
    if (keep) kept.push(piece)
  }
}

/** Rules 3 to 10. Returns with the tags what rule 11 needs. */
function judge(files: Map<string, TagFile>, root: string): { tags: Tags; sealedFor: readonly string[] } {
  const missing = layout.REQUIRED.find((name) => !files.has(name))
  if (missing !== undefined) throw damaged(`the bundle has no ${missing}`)
  expectListed(files)
  const binding = layout.parseBinding(kept(files, layout.INFO))
  if (layout.rootOf(binding.urn) !== root) throw damaged("the bundle's folder has another name than it must have")
  const signer = verifySigner(files, binding)
  const contents = parseContents(kept(files, layout.ITEMS), kept(files, layout.CUSTODY))
  expectAgreement(files, binding, contents)
  const numbers = new Set(contents.items.map((item) => layout.numberOf(item.path)))
  const isThumbnail = (name: string): boolean => numbers.has(layout.numberOfThumbnail(name) ?? "")
  const thumbnails = [...files].filter(([name]) => isThumbnail(name))
  const tags = {
    ...contents,
    root,
    recipients: binding.sealedFor.length,
    signer,
    tagManifestSha256: hex(files.get(layout.TAG_MANIFEST)?.digest ?? new Uint8Array(0)),
    stamped: files.has(layout.TIMESTAMP),
    untrustedThumbnails: new Map(thumbnails.map(([name, { kept }]) => [layout.numberOfThumbnail(name) ?? "", kept])),
    notExamined: [...files.keys()].filter((name) => !layout.MAX_BYTES.has(name) && !isThumbnail(name)),
  }
  return { tags, sealedFor: binding.sealedFor }
}

function expectListed(files: Map<string, TagFile>): void {
  const listed = [...files].filter(([name]) => !layout.UNLISTED.includes(name))
  const expected = layout.manifestText(listed.map(([name, file]) => [name, file.digest] as const))
  if (!sameBytes(expected, kept(files, layout.TAG_MANIFEST))) {
    throw damaged("a file that describes the bundle was changed, or is not listed")
  }
}

/** bagit.txt, bag-info.txt and the manifest must be what the writer makes of the items. */
function expectAgreement(files: Map<string, TagFile>, binding: layout.Binding, contents: Contents): void {
  const size = contents.items.reduce((total, item) => total + item.size, 0n)
  const expected: [string, Uint8Array][] = [
    [layout.DECLARATION, utf8(layout.DECLARATION_TEXT)],
    [layout.INFO, utf8(layout.infoText(binding, contents.sealedNs, size, contents.items.length))],
    [layout.MANIFEST, layout.manifestText(contents.items.map((item) => [item.path, item.sha256] as const))],
  ]
  for (const [name, text] of expected) {
    if (!sameBytes(kept(files, name), text)) throw damaged(`${name} does not agree with the list of items`)
  }
  if (contents.urn !== binding.urn) throw damaged("the list of items belongs to another bundle")
}

/** The signer whose signatures, keys, card and `Sealed-By` agree; null when there is nothing of all that. */
function verifySigner(files: Map<string, TagFile>, binding: layout.Binding): Tags["signer"] {
  const present = [binding.sealedBy !== null, ...layout.SIGNED_WITH.map((name) => files.has(name))]
  if (new Set(present).size > 1) {
    throw damaged("the bundle is half signed: a signature, a key, the sender's card or Sealed-By is missing")
  }
  if (files.has(layout.TIMESTAMP) && binding.sealedBy === null) {
    throw damaged("the bundle has a time stamp over a signature that it does not have")
  }
  if (binding.sealedBy === null) return null
  const card = parseCard(kept(files, layout.CARD))
  const key = verify(kept(files, layout.SIGNATURE), kept(files, layout.TAG_MANIFEST), layout.NAMESPACE)
  if (fingerprint(key) !== binding.sealedBy || !sameBytes(card.signing, key)) {
    throw new Refusal("signature", "the bundle was signed by another key than it names")
  }
  verifyMldsa(files, card)
  return { card, fingerprint: binding.sealedBy }
}

/** The second signature, over the same text, by the key whose digest the card names. */
function verifyMldsa(files: Map<string, TagFile>, card: Card): void {
  const key = parsePem(kept(files, layout.MLDSA_KEY))
  if (key === null) throw damaged("the sender's ML-DSA-65 key is damaged")
  if (!sameBytes(sha256(key), card.mldsaDigest)) {
    throw new Refusal("signature", "the ML-DSA-65 key is not the one that the sender's card names")
  }
  const signature = kept(files, layout.MLDSA_SIGNATURE)
  if (!isMldsaSigned(signature, kept(files, layout.TAG_MANIFEST), layout.NAMESPACE, key)) {
    throw new Refusal("signature", "the sender's ML-DSA-65 signature does not belong to this bundle")
  }
}

function kept(files: Map<string, TagFile>, name: string): Uint8Array {
  return files.get(name)?.kept ?? new Uint8Array(0)
}

function split(path: string): { root: string; name: string } {
  const slash = path.indexOf("/")
  return slash < 0 ? { root: path, name: "" } : { root: path.slice(0, slash), name: path.slice(slash + 1) }
}

// SPDX-License-Identifier: Apache-2.0
/** The small picture beside a document, where the bundle has one that is plain. */

import { make, said } from "./element.ts"
import { isPlainThumbnail } from "./thumbnails.ts"

/** A place that the picture gets into as soon as it was judged. It says so when it is not shown. */
export function pictureOf(untrusted: Uint8Array): HTMLElement {
  const place = make("div", [], "picture")
  void isPlainThumbnail(untrusted).then((plain) => place.append(plain ? image(untrusted) : said("p", "notPlain", "aside")))
  return place
}

/** Out of memory, by an address that no other page has and that is taken back at once. */
function image(png: Uint8Array): HTMLImageElement {
  const shown = make("img")
  const address = URL.createObjectURL(new Blob([png as Uint8Array<ArrayBuffer>], { type: "image/png" }))
  shown.alt = "" // the document's name stands beside it
  shown.onload = shown.onerror = () => URL.revokeObjectURL(address)
  shown.src = address
  return shown
}

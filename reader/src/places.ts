// SPDX-License-Identifier: Apache-2.0
/**
 * Where saved documents go: a folder or a file that the editor chose, or the browser's downloads. Under its name a
 * document appears only on `commit`, which is for after its digest was found right; `abort` leaves nothing under it.
 */

/** A browser without a way to write files gathers a document in its own storage first; more than this it may not take. */
export const MAX_DOWNLOAD_BYTES = 1 << 30
const GATHERED = 4 << 20
const DOWNLOAD_MS = 60_000
/**
 * Between two downloads. WebKit forgets one that it has not taken over when the next begins, and tells nobody when it
 * has: of 20 at once 19 were lost, on a busy machine one in ten at 100 ms, and none at 250.
 */
const APART_MS = 1000

export interface Sink {
  write(piece: Uint8Array): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
}

export interface Place {
  /** What to call it; "" for downloads. */
  readonly label: string
  begin(name: string): Promise<Sink>
}

export const canChooseFolder = window.showDirectoryPicker !== undefined
export const canChooseFile = window.showSaveFilePicker !== undefined

/** A new folder in one that the editor chooses; null when they choose none. */
export async function chooseFolder(name: string): Promise<Place | null> {
  const parent = await chosen(window.showDirectoryPicker?.({ id: "sandyk", mode: "readwrite" }))
  if (parent === null) return null
  const label = await freeName(parent, name)
  const folder = await parent.getDirectoryHandle(label, { create: true })
  return { label, begin: async (file) => fileSink(await createFile(folder, file)) }
}

/** A file that the editor chooses, or a download where the browser has no such choice; null when they choose none. */
export async function chooseFile(name: string): Promise<Place | null> {
  if (!canChooseFile) return downloads
  const file = await chosen(window.showSaveFilePicker?.({ id: "sandyk", suggestedName: name }))
  return file && { label: file.name, begin: () => fileSink(file) }
}

export const downloads: Place = {
  label: "",
  begin: (name) => Promise.resolve(new Download(name)),
}

/** Small content that is whole already. */
export async function download(name: string, content: Uint8Array): Promise<void> {
  const sink = await downloads.begin(name)
  await sink.write(content)
  await sink.commit()
}

async function chosen<T>(choice: Promise<T> | undefined): Promise<T | null> {
  try {
    return (await choice) ?? null
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") return null
    throw cause
  }
}

async function freeName(parent: FileSystemDirectoryHandle, wanted: string): Promise<string> {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`
    if (!(await exists(parent, name))) return name
  }
}

async function exists(parent: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await parent.getDirectoryHandle(name)
    return true
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "NotFoundError") return false
    if (cause instanceof DOMException && cause.name === "TypeMismatchError") return true
    throw cause
  }
}

/** Browsers refuse some names, such as `.lnk`, which a system would run: those get a harmless end. */
async function createFile(folder: FileSystemDirectoryHandle, name: string): Promise<FileSystemFileHandle> {
  try {
    return await folder.getFileHandle(name, { create: true })
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    return folder.getFileHandle(`${name}_`, { create: true })
  }
}

/** The browser writes beside the file and takes its place on `close`; `abort` throws away what was written. */
async function fileSink(file: FileSystemFileHandle): Promise<Sink> {
  const stream = await file.createWritable()
  return {
    write: (piece) => stream.write(piece as Uint8Array<ArrayBuffer>),
    commit: () => stream.close(),
    abort: () => stream.abort(),
  }
}

let lastDownload = -APART_MS

/** Handed over in parts of some megabytes, which the browser may keep on its disk. */
class Download implements Sink {
  private readonly parts: Blob[] = []
  private gathered: Uint8Array<ArrayBuffer>[] = []
  private size = 0

  constructor(private readonly name: string) {}

  write(piece: Uint8Array): Promise<void> {
    this.gathered.push(piece.slice())
    this.size += piece.length
    if (this.size >= GATHERED) this.hand()
    return Promise.resolve()
  }

  async commit(): Promise<void> {
    this.hand()
    const early = lastDownload + APART_MS - performance.now()
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    lastDownload = performance.now()
    const url = URL.createObjectURL(new Blob(this.parts, { type: "application/octet-stream" }))
    const link = document.createElement("a")
    link.href = url
    link.download = this.name
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_MS)
  }

  abort(): Promise<void> {
    this.parts.length = 0
    this.gathered = []
    return Promise.resolve()
  }

  private hand(): void {
    this.parts.push(new Blob(this.gathered))
    this.gathered = []
    this.size = 0
  }
}

// SPDX-License-Identifier: Apache-2.0
// What TypeScript's own library does not describe yet: only some browsers have it (WICG File System Access).
interface Window {
  showDirectoryPicker?: (options: { id: string; mode: "readwrite" }) => Promise<FileSystemDirectoryHandle>
  showSaveFilePicker?: (options: { id: string; suggestedName: string }) => Promise<FileSystemFileHandle>
}

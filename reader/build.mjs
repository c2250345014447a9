// SPDX-License-Identifier: Apache-2.0
// Makes vault/data/reader.html: one file with the program, its style and the licences of what is in it. The same
// sources and the same packages (package-lock.json) give the same bytes. `node build.mjs FILE` writes it elsewhere.
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { build } from "esbuild"

const here = (path) => new URL(path, import.meta.url)
const read = (path) => readFileSync(here(path), "utf8")
const PACKAGES = [
  "age-encryption", "@noble/ciphers", "@noble/curves", "@noble/hashes", "@noble/post-quantum", "@scure/base",
]

const bundled = await build({
  entryPoints: [here("src/main.ts").pathname],
  bundle: true,
  write: false,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none", // all licences stand below, whole
  metafile: true,
})
const used = new Set(Object.keys(bundled.metafile.inputs).map(packageOf).filter(Boolean))
const unnamed = [...used].filter((name) => !PACKAGES.includes(name))
if (unnamed.length > 0) throw new Error(`licences are missing: ${unnamed.join(", ")}`)

const script = bundled.outputFiles[0].text.trimEnd()
const style = read("src/page.css").trimEnd()
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "img-src blob:", // small pictures, out of the page's own memory
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ")

const page = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandyk reader</title>
<style>${style}</style>
</head>
<body>
${read("src/page.html").trimEnd()}
<script>${script}</script>
</body>
</html>
<!--
Sandyk reader. SPDX-License-Identifier: Apache-2.0
Made from the folder reader/ of Sandyk. It contains a word list and packages of others:

${read("../keys/data/eff_large_wordlist.txt").split("\n").filter((line) => line.startsWith("#")).join("\n")}

${PACKAGES.map(licenceOf).join("\n\n")}
-->
`
if (script.includes("</script") || page.slice(page.lastIndexOf("<!--") + 4, -4).includes("--")) {
  throw new Error("something would end the script or the licences early")
}
writeFileSync(process.argv[2] ?? here("../vault/data/reader.html"), page)

function packageOf(path) {
  return path.split("node_modules/").slice(1).pop()?.match(/^(@[^/]+\/)?[^/]+/)?.[0]
}

function licenceOf(name) {
  const { version } = JSON.parse(read(`node_modules/${name}/package.json`))
  return `${name} ${version}\n\n${read(`node_modules/${name}/LICENSE`).trim()}`
}

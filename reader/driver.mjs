// SPDX-License-Identifier: Apache-2.0
// Lets a test use reader.html in a real Chromium. One JSON request a line on standard input, one JSON answer a line on
// standard output: {"do": NAME, ...} -> {"ok": VALUE} or {"error": TEXT}. It knows nothing of bundles.
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import { chromium } from "playwright-core"

const [, , executablePath, reader] = process.argv
const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
})
let context, page, events, profile

// What must not happen is written down, whatever the test looks for.
async function open({ url, language = "en", before = "", width = 900, height = 900, dark = false, lawless = false }) {
  const wanted = JSON.stringify([url, language, before, width, height, dark, lawless])
  if (!url && wanted === profile) {
    for (const list of Object.values(events)) list.length = 0
    return void (await page.goto(pathToFileURL(reader).href)) // from a file it keeps nothing, so this is as good as a new one
  }
  profile = wanted
  await context?.close()
  events = { requests: [], violations: [], dialogs: [], errors: [], downloads: [] }
  const { requests, violations, dialogs, errors, downloads } = events
  context = await browser.newContext({
    locale: language, viewport: { width, height }, colorScheme: dark ? "dark" : "light", acceptDownloads: true,
    bypassCSP: lawless,
  })
  const own = url ?? pathToFileURL(reader).href
  await context.route("**/*", (route) => {
    if (route.request().url() === own) return url ? route.fulfill({ path: reader }) : route.continue()
    requests.push(route.request().url())
    return route.abort()
  })
  page = await context.newPage()
  page.on("console", (message) => message.text().startsWith("[DOM] ") || errors.push(message.text())) // advice on forms
  page.on("pageerror", (error) => errors.push(String(error)))
  page.on("dialog", (dialog) => (dialogs.push(dialog.message()), dialog.dismiss()))
  page.on("download", (download) => downloads.push(download))
  page.on("popup", (popup) => errors.push(`a window opened: ${popup.url()}`))
  await page.exposeFunction("violated", (directive) => violations.push(directive))
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) => window.violated(event.violatedDirective)),
  )
  if (before) await page.addInitScript(before)
  await page.goto(own)
}

// What an editor does with a sealed file and a pasted key, in one request: the other ways are the actions one by one.
async function attempt({ files, key }) {
  await page.setInputFiles("#file", files)
  return page.evaluate(async (key) => {
    const shown = (id) => !document.getElementById(id).hidden
    document.querySelector("input[value=paste]").click()
    document.getElementById("key-text").value = key
    document.getElementById("open").click()
    const ended = () => !shown("busy") && (shown("result") || shown("refusal"))
    while (!ended()) {
      await new Promise((changed) => {
        const observer = new MutationObserver(() => (observer.disconnect(), changed()))
        observer.observe(document.body, { attributes: true, childList: true, subtree: true })
      })
    }
    const refusal = document.getElementById("refusal")
    return shown("refusal")
      ? { reason: refusal.dataset.reason, text: refusal.innerText }
      : { reason: "", text: document.getElementById("result").innerText }
  }, key)
}

const actions = {
  open,
  attempt,
  choose: ({ at, files }) => page.setInputFiles(at, files),
  fill: ({ at, text }) => page.fill(at, text),
  click: ({ at }) => page.click(at),
  check: ({ at }) => page.check(at),
  select: ({ at, value }) => page.selectOption(at, value),
  press: ({ key }) => page.keyboard.press(key),
  wait: ({ at, seconds = 60 }) => page.waitForSelector(at, { state: "attached", timeout: seconds * 1000 }).then(() => null),
  text: ({ at }) => page.innerText(at),
  texts: ({ at }) => page.locator(at).allInnerTexts(),
  value: ({ at }) => page.inputValue(at),
  count: ({ at }) => page.locator(at).count(),
  evaluate: ({ script }) => page.evaluate(script),
  shot: ({ path }) => page.screenshot({ path, fullPage: true }).then(() => null),
  // Waits until so many downloads began, and saves them into a folder under the names that the page gave them.
  async downloads({ folder, count = 1 }) {
    while (events.downloads.length < count) await page.waitForEvent("download")
    const names = []
    for (const download of events.downloads.splice(0)) {
      await download.saveAs(`${folder}/${download.suggestedFilename()}`)
      names.push(download.suggestedFilename())
    }
    return names
  },
  events: () => ({ ...events, downloads: events.downloads.length }),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...more } = JSON.parse(line)
  let answer
  try {
    answer = { ok: (await actions[name](more)) ?? null }
  } catch (error) {
    answer = { error: String(error.stack ?? error) }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
await browser.close()

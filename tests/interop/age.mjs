// SPDX-License-Identifier: Apache-2.0
// Seals or opens one file with the package age-encryption. A request comes as JSON on
// standard input, the answer leaves as JSON: { seal: bool, armor: bool, recipients: [],
// identities: [], passphrase: string, workFactor: number, data: base64 } -> { data: base64 },
// or { generate: "hybrid" | "x25519" } -> { identity, recipient }.
import * as age from "age-encryption"

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const request = JSON.parse(Buffer.concat(chunks).toString())

async function generate() {
  const make = request.generate === "hybrid" ? age.generateHybridIdentity : age.generateX25519Identity
  const identity = await make()
  return { identity, recipient: await age.identityToRecipient(identity) }
}

async function seal() {
  const encrypter = new age.Encrypter()
  for (const recipient of request.recipients ?? []) encrypter.addRecipient(recipient)
  if (request.passphrase) {
    encrypter.setPassphrase(request.passphrase)
    encrypter.setScryptWorkFactor(request.workFactor)
  }
  const sealed = await encrypter.encrypt(new Uint8Array(Buffer.from(request.data, "base64")))
  return { data: Buffer.from(request.armor ? age.armor.encode(sealed) : sealed).toString("base64") }
}

async function open() {
  const decrypter = new age.Decrypter()
  for (const identity of request.identities ?? []) decrypter.addIdentity(identity)
  if (request.passphrase) decrypter.addPassphrase(request.passphrase)
  const file = Buffer.from(request.data, "base64")
  const sealed = request.armor ? age.armor.decode(file.toString()) : new Uint8Array(file)
  return { data: Buffer.from(await decrypter.decrypt(sealed)).toString("base64") }
}

const answer = request.generate ? await generate() : request.seal ? await seal() : await open()
process.stdout.write(JSON.stringify(answer))

// SPDX-License-Identifier: Apache-2.0
/** Padmé: padded sizes that tell little (Nikitin et al., PETS 2019, "Reducing Metadata Leakage"). */

/** The padded size for `size` bytes, never below `least`. */
export function padme(size: number, least: number): number {
  const wanted = BigInt(Math.max(size, least))
  const exponent = wanted.toString(2).length - 1
  const lowBits = exponent - exponent.toString(2).length
  const mask = (1n << BigInt(Math.max(lowBits, 0))) - 1n
  return Number((wanted + mask) & ~mask)
}

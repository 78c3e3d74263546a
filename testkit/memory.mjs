/** Garbage, and what a process holds. */
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** The garbage collector by the name that the runtime has for it; Node.js and Deno have one with --expose-gc. */
const bun = /** @type {{ gc(force: boolean): void } | undefined} */ (Reflect.get(globalThis, 'Bun'))
export const gc = bun === undefined ? () => void globalThis.gc?.() : () => bun.gc(true)

/** Lets finalizers run. */
export async function collect() {
  for (let turn = 0; turn < 10; turn++) {
    gc()
    await sleep(5)
  }
}

/** How many descriptors this process has open. */
export const openDescriptors = () => readdirSync('/proc/self/fd').length

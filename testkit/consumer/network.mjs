/** The network of the checks, which whoever runs them makes: veth pairs in this namespace, without addresses and IPv6. */
import { addVeth, netnsOf } from '../network.mjs'

/** What is sent out of the first of a pair comes in at the second. */
export const pairs = {
  plain: { ends: ['va', 'vb'] },
  /** The other side of a bridge. */
  second: { ends: ['vc', 'vd'] },
  jumbo: { ends: ['ja', 'jb'], mtu: 9000 },
  /** As much as an XDP program takes on veth where pages have 4 KiB. */
  long: { ends: ['la', 'lb'], mtu: 3498 },
}

/** IPv6 has to be off by then. */
export function makeNetwork() {
  const here = netnsOf()
  for (const { ends, mtu } of Object.values(pairs)) {
    const [a, b] = ends.map((name) => ({ ...here, name }))
    addVeth(a, b, { mtu })
  }
}

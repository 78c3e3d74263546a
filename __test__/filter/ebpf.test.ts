/** eBPF programs as filters. */
import { bpfExec } from '../helpers/bpf.js'
import { runModule } from '../helpers/child.js'
import { ebpf, testThatNeeds } from '../helpers/needs.js'
import { network } from '../helpers/network.js'

testThatNeeds(ebpf, 'eBPF programs filter, cut and replace each other; what is no such program is refused', (t) => {
  const { a, b } = network(t)
  const outcome = runModule(
    `
    const fd = (name) => Number(process.env['BPF_' + name])
    const injector = netring.Injector.open('va', { netns: '${a.netns}' })
    const open = (options) => netring.Capture.open('vb', { ...traffic.smallRing, netns: '${b.netns}', ...options })
    const other = frames.frame(60, 9)
    other.writeUInt16BE(0x88b6, 12)
    const seen = async (capture, count) => {
      await traffic.sendAll(injector, [frames.frame(60, 1), other, frames.frame(100, 2)])
      const packets = await traffic.receiveNoMoreThan(capture, count)
      return packets.map((packet) => [frames.numberOf(packet.data), packet.length, packet.originalLength])
    }
    const code = (call) => {
      try { call() } catch (error) { return [error.name, error.code] }
    }
    const outcome = {}
    const capture = open({ filter: { fd: fd('TYPE') } })
    outcome.type = await seen(capture, 2)
    capture.setFilter({ fd: fd('CUT') })
    outcome.cut = await seen(capture, 3)
    const { packets } = capture.cumulativeStats()
    await traffic.sendAll(injector, [frames.frame(60, 77)])
    await traffic.arrived(capture, packets + 1)
    capture.setFilter({ fd: fd('TYPE') })
    outcome.again = await seen(capture, 2)
    outcome.refused = [0, 9999, fd('XDP')].map((wrong) => code(() => capture.setFilter({ fd: wrong })))
    outcome.kept = await seen(capture, 2)
    outcome.notOpened = [0, 9999, fd('XDP')].map((wrong) => code(() => open({ filter: { fd: wrong } })))
    capture.setFilter({ fd: fd('ALL') })
    outcome.all = await seen(capture, 3)
    outcome.snapLen = await seen(open({ filter: { fd: fd('TYPE') }, snapLen: 30 }), 2)
    capture.detachFilter()
    outcome.detached = await seen(capture, 3)
    console.log(JSON.stringify(outcome))
    process.exit()`,
    [bpfExec(t)],
  )
  const all = [
    [1, 60, 60],
    [9, 60, 60],
    [2, 100, 100],
  ]
  const ours = [all[0], all[2]]
  const refused = Array.from({ length: 3 }, () => ['NetringError', 'ERR_NETRING_FILTER'])
  t.deepEqual(outcome, {
    type: ours,
    cut: [
      [1, 20, 60],
      [9, 20, 60],
      [2, 20, 100],
    ],
    again: ours,
    refused,
    kept: ours,
    notOpened: refused,
    all,
    snapLen: [
      [1, 30, 60],
      [2, 30, 100],
    ],
    detached: all,
  })
})

// netring doing the benchmark's work through a channel: a thread of its own drains the ring, and JavaScript takes owned
// packets out of the queue, many at a time. CPU is that of both threads.
import { ChannelCapture } from '../dist/index.js'
import { Tally, addWithData, receiverOptions } from './tally.mjs'

const options = receiverOptions({ 'block-size': '4194304', 'block-count': '64', 'block-timeout': '60', many: '2048' })
const channel = ChannelCapture.open(options.interface, {
  blockSize: Number(options['block-size']),
  blockCount: Number(options['block-count']),
  blockTimeoutMs: Number(options['block-timeout']),
})
const tally = new Tally('netring-channel', options, () => {
  tally.drops = channel.cumulativeStats().drops
  channel.close()
})

async function receive() {
  const many = Number(options.many)
  tally.ready()
  while (!channel.closed) {
    const packets = await channel.recvMany(many)
    if (tally.packets === 0) tally.firstPacket()
    addWithData(tally, packets)
    if (tally.count > 0 && tally.packets >= tally.count) tally.finish()
  }
}

try {
  await receive()
} catch (error) {
  // The tally closes it while it waits.
  if (error.code !== 'ERR_NETRING_CLOSED') throw error
}

/** Messages of the Rust core as users of JavaScript read them. */
import test from 'ava'
import { advise } from '../../src/errors/advice.js'

test('options have their JavaScript names, and other words in backticks stay', (t) => {
  t.is(advise('`frame_size` 9 is larger than `block_size` 8', ''), 'frameSize 9 is larger than blockSize 8')
  t.is(advise('program: `xsk_map` 7 is no descriptor', ''), 'program: xskMapFd 7 is no descriptor')
  t.is(advise('raise `ulimit -l`; use `fanout`', undefined), 'raise `ulimit -l`; use `fanout`')
  t.is(advise('`receive_buffer_bytes` was refused', ''), 'receiveBufferBytes was refused')
})

test('a missing right comes with the way to get it', (t) => {
  t.regex(
    advise('cannot open', 'packet'),
    /^cannot open\. Packet sockets need CAP_NET_RAW.*setcap cap_net_raw,cap_net_admin\+ep/,
  )
  t.regex(advise('cannot load', 'xdp'), /^cannot load\. XDP needs.*CAP_BPF.*cap_bpf\+ep.*--cap-add=BPF/)
})

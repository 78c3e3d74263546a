/** What a bridge refuses, by name. */
import test from 'ava'
import { Bridge, type BridgeOptions } from '../../src/index.js'
import { testThatNeeds, tun } from '../helpers/needs.js'
import { network } from '../helpers/network.js'

for (const [options, code, message] of [
  [{ c: {} }, 'ERR_INVALID_ARG_VALUE', /options\.c is not an option/],
  [{ a: { speed: 1 } }, 'ERR_INVALID_ARG_VALUE', /options\.a\.speed is not an option/],
  [{ b: { blockSize: '1' } }, 'ERR_INVALID_ARG_TYPE', /options\.b\.blockSize/],
  [{ b: { blockCount: -1 } }, 'ERR_OUT_OF_RANGE', /options\.b\.blockCount/],
  [{ a: { frameCount: 0 } }, 'ERR_OUT_OF_RANGE', /options\.a\.frameCount/],
  [{ a: { fanout: { mode: 'hash' } } }, 'ERR_INVALID_ARG_TYPE', /options\.a\.fanout\.group/],
  [{ a: { snapLen: 96 } }, 'ERR_NETRING_CONFIG', /options\.a\.snapLen 96/],
  [{ a: { ignoreOutgoing: false } }, 'ERR_NETRING_CONFIG', /options\.a\.ignoreOutgoing false/],
  [{ b: { vlan: 'metadata' } }, 'ERR_NETRING_CONFIG', /options\.b\.vlan "metadata"/],
  [{ b: { onMalformed: 'stop' } }, 'ERR_NETRING_CONFIG', /options\.b\.onMalformed "stop"/],
  [{ onPacket: 'drop' }, 'ERR_INVALID_ARG_TYPE', /options\.onPacket must be a function/],
  [{ backend: 'xdp', a: { blockSize: 65_536 } }, 'ERR_NETRING_CONFIG', /options\.a\.blockSize does not go with/],
  [{ backend: 'xdp', b: { frameSize: 3000 } }, 'ERR_NETRING_CONFIG', /options\.b\.frameSize must be/],
  [{ backend: 'dpdk' }, 'ERR_INVALID_ARG_VALUE', /options\.backend/],
] as const) {
  test(`${JSON.stringify(options)} is refused by name`, (t) => {
    t.throws(() => Bridge.open('va', 'vb', options as unknown as BridgeOptions), { code, message })
  })
}

test('names are checked', (t) => {
  t.throws(() => Bridge.open('', 'vb'), { code: 'ERR_INVALID_ARG_VALUE', message: /^a / })
  t.throws(() => Bridge.open('va', undefined as never), { code: 'ERR_INVALID_ARG_TYPE', message: /^b / })
  t.throws(() => Bridge.open('va', 'va'), { code: 'ERR_NETRING_CONFIG', message: /between two/ })
})

for (const backend of ['packet', 'xdp'] as const) {
  for (const hook of [{}, { onPacket: () => 'drop' as const }]) {
    const how = `${backend}${'onPacket' in hook ? ', with a hook' : ''}`
    test.serial(`one interface by two names is refused, and so is one in a namespace by two names: ${how}`, (t) => {
      const { a, b } = network(t)
      a.ip('link', 'property', 'add', 'dev', a.name, 'altname', 'another')
      const path = `/run/netns/${a.netns}`
      const open = (one: string, other: string, ...at: (string | undefined)[]): void => {
        const [first, second] = at.map((netns) => (netns === undefined ? {} : { netns }))
        Bridge.open(one, other, { backend, ...hook, a: first!, b: second! }).close()
      }
      const expected = { code: 'ERR_NETRING_CONFIG', message: /between two/ }
      t.throws(() => {
        open(a.name, a.name, a.netns, path)
      }, expected)
      t.throws(() => {
        open(a.name, 'another', a.netns, a.netns)
      }, expected)
      t.throws(() => {
        open('lo', 'lo', undefined, '/proc/self/ns/net')
      }, expected)
      if (backend === 'packet') {
        t.notThrows(() => {
          open('lo', 'lo', a.netns, b.netns)
        })
      }
    })
  }
}

test.serial('an interface that is not there is named', (t) => {
  const { a } = network(t)
  const sides = { a: { netns: a.netns }, b: { netns: a.netns } }
  const expected = { code: 'ERR_NETRING_INTERFACE_NOT_FOUND', interface: 'nowhere' }
  t.like(
    t.throws(() => Bridge.open(a.name, 'nowhere', sides)),
    expected,
  )
  t.like(
    t.throws(() => Bridge.open('nowhere', a.name, sides)),
    expected,
  )
  t.false(a.ip('-d', 'link', 'show', a.name).includes('promiscuity 1 '), 'and nothing is left open')
})

testThatNeeds(tun, 'interfaces of different link types are refused', (t) => {
  const { a } = network(t)
  a.ip('tuntap', 'add', 'dev', 'tun0', 'mode', 'tun')
  const sides = { a: { netns: a.netns }, b: { netns: a.netns } }
  t.throws(() => Bridge.open(a.name, 'tun0', sides), { code: 'ERR_NETRING_CONFIG', message: /link type/ })
})

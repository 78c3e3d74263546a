/** Importing works everywhere; what is used says why it cannot work there. */
import test from 'ava'
import { execFileSync } from 'node:child_process'

const entry = new URL('../../src/index.ts', import.meta.url).href

interface Said {
  readonly code?: string
  readonly name?: string
  readonly message: string
}

/** What each way to use netring throws in a process that takes itself for one on another system. */
function usedWhere(disguise: string): { readonly said: Record<string, Said>; readonly blockCount: number } {
  const source = `
    ${disguise}
    const netring = await import('${entry}')
    const said = {}
    const note = async (name, use) => {
      try {
        await use()
        said[name] = { message: 'it worked' }
      } catch ({ code, name: kind, message }) {
        said[name] = { code, name: kind, message }
      }
    }
    await note('Capture', () => netring.Capture.open('lo'))
    await note('Injector', () => netring.Injector.open('lo'))
    await note('XdpSocket', () => netring.XdpSocket.open('lo'))
    await note('ChannelCapture', () => netring.ChannelCapture.open('lo'))
    await note('Bridge', () => netring.Bridge.open('lo', 'eth0'))
    await note('a bridge with a hook', () => netring.Bridge.open('lo', 'eth0', { onPacket: () => 'drop' }))
    await note('FanoutPool', () => netring.FanoutPool.start('lo', './nothing.js'))
    await note('a pool on XDP', () => netring.FanoutPool.start('lo', './nothing.js', { backend: 'xdp' }))
    await note('listInterfaces', () => netring.listInterfaces())
    await note('interfaceInfo', () => netring.interfaceInfo('lo'))
    await note('suggestProfile', () => netring.suggestProfile('lo'))
    await note('suggestFanoutThreads', () => netring.suggestFanoutThreads('lo'))
    await note('a wrong option', () => netring.Capture.open('lo', { snaplen: 1 }))
    console.log(JSON.stringify({ said, blockCount: netring.Capture.defaults.blockCount }))`
  const args = ['--import=@oxc-node/core/register', '--input-type=module', '-e', source]
  const printed = execFileSync(process.execPath, args, {
    encoding: 'utf8',
    cwd: new URL('../..', import.meta.url),
    timeout: 60_000,
  })
  return JSON.parse(printed) as ReturnType<typeof usedWhere>
}

const set = (property: string, value: string): string =>
  `Object.defineProperty(process, '${property}', { value: ${value} })`

for (const [where, disguise, words] of [
  ['macOS', set('platform', "'darwin'"), /this is darwin/],
  ['Windows', set('platform', "'win32'"), /this is win32/],
  ['Electron', set('versions', "{ ...process.versions, electron: '42.0.0' }"), /Electron forbids/],
] as const) {
  test(`on ${where} netring is imported, and everything that needs the addon throws ERR_NETRING_UNSUPPORTED`, (t) => {
    const { said, blockCount } = usedWhere(disguise)
    t.is(blockCount, 64)
    const { 'a wrong option': wrong, ...others } = said
    t.like(wrong, { code: 'ERR_INVALID_ARG_VALUE', name: 'TypeError' })
    t.is(Object.keys(others).length, 12)
    for (const [what, error] of Object.entries(others)) {
      t.like(error, { code: 'ERR_NETRING_UNSUPPORTED', name: 'NetringError' }, what)
      t.regex(error.message, words, what)
    }
  })
}

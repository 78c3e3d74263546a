/** dpi recognises what real clients and servers say to each other across a veth pair. */
import test from 'ava'
import { exampleCommand, receiving, start } from '../helpers/example.js'
import { network } from '../helpers/network.js'
import { ethernet, ipv4, tcp } from '../../testkit/headers.mjs'
import { injectorOn, sendAll } from '../helpers/traffic.js'

/** The services that the clients below talk to. TLS is answered by nobody: the ClientHello is what is looked at. */
const services = `
  import { createSocket } from 'node:dgram'
  import { createServer } from 'node:http'
  import { createServer as createTcpServer } from 'node:net'
  const host = '10.7.0.2'
  const listening = (server, port) => new Promise((resolve) => server.listen(port, host, resolve))
  const dns = createSocket('udp4')
  dns.on('message', (query, { port, address }) => {
    const question = query.subarray(12, query.indexOf(0, 12) + 5)
    const head = Buffer.from('000081800001000100000000', 'hex')
    query.copy(head, 0, 0, 2)
    const answer = Buffer.from('c00c00010001000000050004c0000207', 'hex')
    dns.send(Buffer.concat([head, question, answer]), port, address)
  })
  await new Promise((resolve) => dns.bind(53, host, resolve))
  await listening(createServer((request, response) => response.end('netring')), 8080)
  await listening(createTcpServer((socket) => socket.once('data', () => socket.destroy()).on('error', () => {})), 8443)
  await listening(createTcpServer((socket) => socket.end('SSH-2.0-netring_test with a comment\\r\\n')), 2222)
  await listening(createTcpServer((socket) => socket.resume().on('end', () => socket.end())), 443)
  console.log('ready')`

const clients = `
  import { Resolver } from 'node:dns/promises'
  import { once } from 'node:events'
  import { get } from 'node:http'
  import { connect } from 'node:net'
  import { connect as connectTls } from 'node:tls'
  const host = '10.7.0.2'
  const plain = connect(443, host)
  plain.end('what is no protocol that is looked for, on the port of one')
  await once(plain.resume(), 'end')
  const [response] = await once(get({ host, port: 8080, path: '/packets?n=1', headers: { host: 'web.netring.example' } }), 'response')
  await once(response.resume(), 'end')
  const tls = connectTls({ host, port: 8443, servername: 'secret.netring.example' })
  await new Promise((resolve) => tls.on('error', resolve).on('close', resolve))
  const resolver = new Resolver()
  resolver.setServers([host])
  console.log(...(await resolver.resolve4('lookup.netring.example')))
  const ssh = connect(2222, host)
  await once(ssh.resume(), 'end')
  ssh.end()`

const script = (source: string): string[] => [process.execPath, '--input-type=module', '-e', source]

test.serial('HTTP, TLS, DNS and SSH are recognised by what packets carry', async (t) => {
  const { a, b } = network(t)
  a.ip('address', 'add', '10.7.0.1/24', 'dev', a.name)
  b.ip('address', 'add', '10.7.0.2/24', 'dev', b.name)
  await start(t, b, script(services)).line(/^ready$/m)
  const running = await receiving(t, a, 1, exampleCommand('dpi', [a.name, '--count', '6']))
  const talk = await start(t, a, script(clients)).ended()
  t.deepEqual(talk, { status: 0, lines: ['192.0.2.7'], errors: '' })

  const { status, lines, errors } = await running.ended()
  t.is(errors, '')
  t.is(status, 0)
  const without = lines.map((line) => line.replace(/(?<=10\.7\.0\.1:)\d+/, 'PORT'))
  t.deepEqual(without.slice(0, -1), [
    'HTTP 10.7.0.1:PORT > 10.7.0.2:8080 GET web.netring.example/packets?n=1',
    'HTTP 10.7.0.2:8080 > 10.7.0.1:PORT HTTP/1.1 200 OK',
    'TLS 10.7.0.1:PORT > 10.7.0.2:8443 ClientHello for secret.netring.example',
    'DNS 10.7.0.1:PORT > 10.7.0.2:53 lookup.netring.example A?',
    'DNS 10.7.0.2:53 > 10.7.0.1:PORT lookup.netring.example A: 1 answers',
    'SSH 10.7.0.2:2222 > 10.7.0.1:PORT SSH-2.0-netring_test with a comment',
  ])
  t.regex(without.at(-1)!, /^HTTP 2, TLS 1, DNS 2, SSH 1 in \d+ packets, 0 dropped$/)
})

test.serial('what is cut off or forged is no failure, and control characters do not reach the terminal', async (t) => {
  const { a, b } = network(t)
  const running = await receiving(t, b, 1, exampleCommand('dpi', [b.name, '--count', '4']))
  const segment = (payload: Uint8Array): Buffer => ethernet(0x0800, ipv4(6, tcp(0x018, '', payload)))
  const hello = Buffer.concat([Buffer.from('160301ffff010000000303', 'hex'), Buffer.alloc(32)])
  const claims = Buffer.from('ff'.repeat(200), 'hex')
  await sendAll(injectorOn(t, a), [
    segment(hello.subarray(0, 6)),
    segment(Buffer.concat([hello, claims])),
    segment(Buffer.from('160301000501000000010000', 'hex')),
    segment(Buffer.from('SSH-2.0-\u001b]0;owned\u0007')),
  ])
  const { status, lines, errors } = await running.ended()
  t.is(errors, '')
  t.is(status, 0)
  t.deepEqual(
    lines.slice(0, 4).map((line) => line.replace(/^(\w+) \S+ > \S+ /, '$1 ')),
    [
      'TLS ClientHello without a name',
      'TLS ClientHello without a name',
      'TLS ClientHello without a name',
      'SSH SSH-2.0-.]0;owned.',
    ],
  )
})

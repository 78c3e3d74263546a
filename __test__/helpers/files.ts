/** Capture files for tests, and what other programs make of them. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { OwnedPacket, PcapReader } from '../../src/index.js'

/** A folder that is gone when the test is over. */
export function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'netring-file-'))
  t.teardown(() => {
    rmSync(path, { recursive: true })
  })
  return path
}

/** A file of the test's own. */
export function fileOf(t: ExecutionContext, name: string, bytes: Uint8Array): string {
  const path = join(folder(t), name)
  writeFileSync(path, bytes)
  return path
}

const words = (...values: readonly number[]): Buffer<ArrayBuffer> => {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => bytes.writeUInt32LE(value >>> 0, index * 4))
  return bytes
}

/** The header of a pcap file with nanoseconds. */
export const pcapHeader = (linkType = 1): Buffer => words(0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, linkType)

/** A record of a pcap file. */
export const pcapRecord = (data: Uint8Array, seconds = 1, nanoseconds = 2, original = data.length): Buffer =>
  Buffer.concat([words(seconds, nanoseconds, data.length, original), data])

/** A block of pcapng. */
export function block(type: number, ...body: readonly Uint8Array[]): Buffer {
  const inner = Buffer.concat(body)
  const padded = Buffer.concat([inner, Buffer.alloc(-inner.length & 3)])
  const length = padded.length + 12
  return Buffer.concat([words(type, length), padded, words(length)])
}

export const section = (): Buffer => block(0x0a0d_0d0a, words(0x1a2b_3c4d, 1, 0xffff_ffff, 0xffff_ffff))
export const describe = (linkType: number): Buffer => block(1, words(linkType, 0))
/** A packet of an interface, with microseconds, and `options` behind its bytes. */
export const enhanced = (id: number, data: Uint8Array, microseconds = 7, options: Buffer = Buffer.alloc(0)): Buffer =>
  block(6, words(id, 0, microseconds, data.length, data.length), data, Buffer.alloc(-data.length & 3), options)
/** An option of a block, of one word. */
export const option = (code: number, value: number): Buffer => words(code | (4 << 16), value)

/** All packets of a file, and what fails behind them. */
export async function readAll(reader: PcapReader): Promise<{ packets: OwnedPacket[]; error: unknown }> {
  const packets: OwnedPacket[] = []
  try {
    for await (const batch of reader) packets.push(...batch.copy())
    return { packets, error: undefined }
  } catch (error) {
    return { packets, error }
  }
}

/** Fields of each packet as tshark prints them. */
export function tsharkFields(file: string, ...fields: readonly string[]): string[][] {
  const args = ['-n', '-r', file, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])]
  const printed = execFileSync('tshark', args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, HOME: tmpdir() },
  })
  return printed
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'))
}

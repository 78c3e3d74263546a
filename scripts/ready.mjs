/** `npm run ready`: what CI runs. The tests first, as a newcomer would, then what only a contributor has to know. */
import { npm, read, say } from './run.mjs'
import { suite } from './test/suite.mjs'
import { ReportTally, StepTally, Tally } from './test/tally.mjs'

const total = new Tally()

await suite(total, new ReportTally(), 'npm test', npm('test', '--silent'))
if (!read('cargo', 'fmt', '--version') || !read('cargo', 'clippy', '--version')) {
  say('rustfmt or clippy is missing, and so the next check fails. Run:\n  rustup component add rustfmt clippy')
}
for (const script of ['lint:rust', 'lint:ts', 'check:generated']) {
  await suite(total, new StepTally(), script, npm('run', '--silent', script))
}
await suite(total, new ReportTally(), 'check:supply', npm('run', '--silent', 'check:supply'))

await suite(total, new ReportTally(), 'pack:check', npm('run', '--silent', 'pack:check'))

// It takes Rust for another processor and a machine of Debian packages, which not everybody fetches for every change.
total.skipped.push('the arm64 package on an emulated machine: npm run test:arm64; the workflow ci runs it each time')

console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

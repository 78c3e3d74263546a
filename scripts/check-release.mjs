/** `npm run check:release -- v1.2.3`: what has to be so before a release, and is not. Without a tag, all the rest of it. */
import { problems } from './release.mjs'
import { say, stop } from './run.mjs'

const found = problems(process.argv[2])
if (found.length > 0) stop(`not ready for a release:\n${found.map((problem) => `- ${problem}`).join('\n')}`)
say('ready for a release')

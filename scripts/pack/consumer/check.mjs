/** `RUNTIME check.mjs LABEL`: everything that is to work on a runtime, against the installed package. */
import { runChecks } from './tap.mjs'
import './frames.mjs'
import './views.mjs'
import './threads.mjs'

await runChecks(process.argv[2])

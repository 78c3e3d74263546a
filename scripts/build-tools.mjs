/** Runs before `npm run build:native`: installs what compiling takes, or says the line that does. */
import { ensureBuildTools } from './setup.mjs'

ensureBuildTools()

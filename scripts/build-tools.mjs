/** What `npm run build:native` begins with: installs what compiling takes, or says the line that does. */
import { ensureBuildTools } from './setup.mjs'

ensureBuildTools()

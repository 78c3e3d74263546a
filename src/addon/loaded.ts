/** The addon of this process, loaded when netring is imported. */
import { loadAddon, type Loaded } from './load.js'

export const loaded: Loaded = loadAddon()

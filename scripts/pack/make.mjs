/** Packs what a release would publish into a folder, installs it there as a user would, and writes down where: packed.json. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeProjects } from './project.mjs'
import { packAll, packUnbuilt } from './tarballs.mjs'

const [folder] = process.argv.slice(2)
mkdirSync(join(folder, 'tarballs'))
const tarballs = packAll(join(folder, 'tarballs'))
const projects = makeProjects(folder, [...tarballs, ...packUnbuilt(join(folder, 'tarballs'))])
writeFileSync(join(folder, 'packed.json'), JSON.stringify({ tarballs, ...projects }))

/** What a release consists of, and what has to be so before one. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

const manifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/** Manifests of the platform packages, each with the folder that it lies in, from the project's root on. */
export const platformPackages = platformsIn(root)

function platformsIn(project) {
  const names = readdirSync(join(project, 'npm')).sort()
  return names.map((name) => ({ folder: join('npm', name), ...manifest(join(project, 'npm', name)) }))
}

/** Sentences about what is not so, each with how to mend it. `tag` is that of the release, if there is one yet. */
export function problems(tag, project = root) {
  const { version, repository } = manifest(project)
  const platforms = platformsIn(project)
  const elsewhere = [
    ...platforms.map((one) => [one.name, one.version]),
    ['Cargo.toml', found(project, 'Cargo.toml', /^version = "(.+)"/m)],
    ['src/addon/version.ts', found(project, 'src/addon/version.ts', /version = '(.+)'/)],
  ]
  const others = elsewhere.filter(([, other]) => other !== version)
  const headings = [...readFileSync(join(project, 'CHANGELOG.md'), 'utf8').matchAll(/^## (\S+)/gm)]
  return [
    ...(repository?.url === undefined ? [noRepository] : repositories(repository.url, platforms)),
    ...others.map(([what, other]) => `${what} has version ${other}, package.json ${version}: give both the same`),
    ...(tag === undefined || tag === `v${version}`
      ? []
      : [`the tag ${tag} is not that of version ${version}: v${version}`]),
    ...(headings.some(([, heading]) => heading === version)
      ? []
      : [`CHANGELOG.md has no heading "## ${version}": say there what changes for users`]),
  ]
}

function found(project, file, pattern) {
  return pattern.exec(readFileSync(join(project, file), 'utf8'))?.[1]
}

/**
 * What npm is to be told of a version. `npm install netring` gives `latest`, which no prerelease may become: semver marks those by a
 * hyphen. Of the others npm is told nothing, for then it sees to it that no older version becomes the latest.
 */
export function distributionTag(version) {
  return version.split('+')[0].includes('-') ? ['--tag', 'next'] : []
}

const noRepository = [
  'package.json names no repository, and npm refuses to say where a package comes from that does not. Before the first release,',
  'add "repository": { "type": "git", "url": "git+https://HOST/OWNER/NAME.git" } to package.json and to npm/*/package.json',
].join(' ')

function repositories(url, platforms) {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: here } = process.env
  const ours = server && here ? `git+${server}/${here}.git` : url
  return [
    ...(url === ours
      ? []
      : [`package.json names the repository ${url}, and this is ${ours}: npm would refuse its provenance`]),
    ...platforms
      .filter((one) => one.repository?.url !== url)
      .map((one) => `${one.folder}/package.json names another repository than package.json, or none: give it ${url}`),
  ]
}

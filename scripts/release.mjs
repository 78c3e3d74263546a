/** What a release consists of, and what has to be so before one. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { read, root } from './run.mjs'

const platforms = readdirSync(join(root, 'npm')).sort()

const manifest = (folder) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))

export const platformPackages = platforms.map((name) => ({ folder: join('npm', name), ...manifest(join('npm', name)) }))

/** Sentences about what is not so, each with how to mend it. `tag` is that of the release, if there is one yet. */
export function problems(tag) {
  const { version, repository } = manifest('.')
  return [
    ...(repository?.url === undefined ? [noRepository] : repositories(repository.url)),
    ...platformPackages
      .filter((one) => one.version !== version)
      .map((one) => `${one.name} has version ${one.version}, netring ${version}: give both the same`),
    ...(crateVersion() === version
      ? []
      : [`Cargo.toml has version ${crateVersion()}, package.json ${version}: give both the same`]),
    ...(sourceVersion() === version
      ? []
      : [`src/addon/version.ts has version ${sourceVersion()}, package.json ${version}: give both the same`]),
    ...(tag === undefined || tag === `v${version}`
      ? []
      : [`the tag ${tag} is not that of version ${version}: v${version}`]),
    ...(changes().includes(version)
      ? []
      : [`CHANGELOG.md has no heading "## ${version}": say there what changes for users`]),
  ]
}

/** What `npm install netring` gives is `latest`: no version that is a prerelease, which semver marks by a hyphen. */
export function distributionTag(version) {
  return version.split('+')[0].includes('-') ? 'next' : 'latest'
}

const noRepository = [
  'package.json names no repository, and npm refuses to say where a package comes from that does not. Before the first release,',
  'add "repository": { "type": "git", "url": "git+https://HOST/OWNER/NAME.git" } to package.json and to npm/*/package.json',
].join(' ')

function repositories(url) {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: here } = process.env
  const ours = server && here ? `git+${server}/${here}.git` : url
  return [
    ...(url === ours
      ? []
      : [`package.json names the repository ${url}, and this is ${ours}: npm would refuse its provenance`]),
    ...platformPackages
      .filter((one) => one.repository?.url !== url)
      .map((one) => `${one.folder}/package.json names another repository than package.json, or none: give it ${url}`),
  ]
}

function crateVersion() {
  const metadata = JSON.parse(
    read('cargo', 'metadata', '--locked', '--no-deps', '--format-version', '1') ?? '{"packages":[]}',
  )
  return metadata.packages.find(({ name }) => name === 'netring')?.version
}

function sourceVersion() {
  return /version = '(.+)'/.exec(readFileSync(join(root, 'src', 'addon', 'version.ts'), 'utf8'))?.[1]
}

function changes() {
  return [...readFileSync(join(root, 'CHANGELOG.md'), 'utf8').matchAll(/^## (\S+)/gm)].map(([, heading]) => heading)
}

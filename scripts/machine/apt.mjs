/**
 * Debian packages for another processor, from lists of their own: the machine's own apt is told of nothing, and the system need not be
 * Debian.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { read, run, say, stop, which } from '../run.mjs'

export const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
/** Where packages come from on a system that has none of Debian's, and whose signature they have to have. */
const elsewhere = `deb [signed-by=${keyring}] http://deb.debian.org/debian bookworm main`

/**
 * Sees to it that a Debian system knows where its packages come from: lists that were never fetched name no mirror, and
 * the packages would silently come from another one, or from another release. Only root can fetch them.
 */
export function ensureLists() {
  if (!isDebian() || fromDebian(targets()).length > 0) return
  if (process.getuid() !== 0) stop('the lists of Debian packages were never fetched here. Run:\n  sudo apt-get update')
  say('fetching the lists of Debian packages (apt-get update)')
  if (!run(['apt-get', 'update', '--quiet'])) stop('the lists of Debian packages could not be fetched: see above')
}

function isDebian() {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}

/**
 * For packages of the processor that Debian calls `debian`, of this system's release or another one; the lists lie in `folder`, and are
 * fetched once.
 */
export function debianPackages(debian, folder, release) {
  if (!which('apt-get')) stop('the machine is made of Debian packages, and apt-get is not here')
  const own = join(folder, 'apt')
  const configuration = join(own, 'apt.conf')
  const lines = sources(targets(), release)
  for (const part of ['state/lists/partial', 'cache/archives/partial']) mkdirSync(join(own, part), { recursive: true })
  writeFileSync(join(own, 'status'), '')
  writeFileSync(join(own, 'sources.list'), `${lines.join('\n')}\n`)
  writeFileSync(configuration, settings(debian, own))
  // After the system's settings, unlike those of APT_CONFIG: apt.conf(5).
  const withOwn = ['-c', configuration]

  if (!existsSync(join(own, 'updated'))) {
    say(`fetching the lists of ${debian} packages`)
    if (!run(['apt-get', ...withOwn, 'update', '--quiet', '--error-on=any'])) {
      stop(`the lists of ${debian} packages could not be fetched: see above`)
    }
    writeFileSync(join(own, 'updated'), '')
  }

  return {
    /** What apt prints about packages, or undefined where it knows none of that name. */
    ask: (...question) => read('apt-cache', ...withOwn, ...question),
    /** Downloads a package into a folder, from which it is not installed. */
    download(name, into) {
      say(`fetching ${name} for ${debian}`)
      if (run(['apt-get', ...withOwn, 'download', '--quiet', name], { cwd: into })) return
      stop(
        `${name} could not be fetched. Are the lists of packages old? Run:\n  rm ${JSON.stringify(join(own, 'updated'))}`,
      )
    },
  }
}

/** What the system's own apt reads, a line each: whose, from where, which release and component. */
function targets() {
  const format = '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)'
  return (read('apt-get', 'indextargets', '--format', format, 'Created-By: Packages') ?? '').split('\n')
}

/** Lines of a sources.list(5): those of Debian among the targets, or else Debian's own. Of another release its first is enough. */
export function sources(targets, release) {
  const lines = fromDebian(targets)
    // A field that apt does not fill in is printed as it was asked for, this one by apt 2.6 always; a key may stand there
    // as a text of many lines. What Debian signs is signed by Debian, wherever it comes from.
    .map(([, uri, release, , key]) => `deb [signed-by=${key?.startsWith('/') ? key : keyring}] ${uri} ${release} main`)
  const found = lines.length > 0 ? [...new Set(lines)] : [elsewhere]
  return release === undefined ? found : [found[0].replace(/ \S+ main$/, ` ${release} main`)]
}

function fromDebian(targets) {
  return targets
    .map((target) => target.split('|'))
    .filter(([origin, , , component]) => origin === 'Debian' && component === 'main')
}

/** Settings of the system that concern its own packages: what to do after an update, and lists of what desktops show. */
const foreign = [
  'APT::Architectures',
  'APT::Update::Pre-Invoke',
  'APT::Update::Post-Invoke',
  'APT::Update::Post-Invoke-Success',
  'Acquire::IndexTargets::deb::DEP-11',
  'Acquire::IndexTargets::deb::DEP-11-icons',
  'Acquire::IndexTargets::deb::DEP-11-icons-small',
  'Acquire::IndexTargets::deb::DEP-11-icons-hidpi',
  'Acquire::IndexTargets::deb::CNF',
]

/** See apt.conf(5). Proxies and the like are still the system's. */
function settings(debian, own) {
  const values = {
    'APT::Architecture': debian,
    'Dir::State': join(own, 'state'),
    'Dir::State::status': join(own, 'status'),
    'Dir::Cache': join(own, 'cache'),
    'Dir::Etc::sourcelist': join(own, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    // The user _apt, to whom root's apt leaves fetching, may not come into this folder.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  }
  const lines = Object.entries(values).map(([key, value]) => `${key} ${JSON.stringify(value)};`)
  return [
    ...foreign.map((key) => `#clear ${key};`),
    ...lines,
    `APT::Architectures { ${JSON.stringify(debian)}; };`,
    '',
  ].join('\n')
}

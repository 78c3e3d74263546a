/** Programs from PyPI, in environments of their own, by the checksums of the files that PyPI had on the day when they were tried here. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, stop } from './run.mjs'

/** Makes an environment anew; its programs are then in `bin`. */
export function makeEnvironment(folder) {
  rmSync(folder, { recursive: true, force: true })
  if (run(['python3', '-m', 'venv', folder])) return
  stop('python3 cannot make an environment. Run:\n  sudo apt-get install -y python3-venv')
}

/** `pip install` or `pip download` of wheels, each a line `name==version --hash=...`, and of nothing that they ask for. */
export function pip(environment, verb, requirements, ...flags) {
  const list = join(environment, `${verb}.txt`)
  writeFileSync(list, requirements)
  const command = [join(environment, 'bin', 'python3'), '-m', 'pip', verb, '--quiet', '--disable-pip-version-check']
  const wheels = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '--requirement', list]
  if (run([...command, ...flags, ...wheels])) return
  stop(`${requirements.match(/^\S+==\S+/gm).join(' and ')} could not be fetched from PyPI: see above`)
}

/** The machines that can be made: what qemu is told, and what Debian and Node call the processor. */

const common = ['-accel', 'tcg', '-m', '1536', '-nographic', '-no-reboot', '-nic', 'none']

const arm64 = {
  debian: 'arm64',
  kernel: 'linux-image-arm64',
  libraries: 'aarch64-linux-gnu',
  loader: 'lib/ld-linux-aarch64.so.1',
  node: 'arm64',
  binary: 'linux-arm64-gnu',
  // Two processors, which qemu runs on threads of their own: with one, no order of stores could ever be wrong.
  qemu: ['qemu-system-aarch64', '-M', 'virt', '-cpu', 'cortex-a57', '-smp', '2', ...common],
  console: 'ttyAMA0',
}

export const systems = {
  arm64,
  // Pages of 16 KiB, which the Cortex-A57 does not have.
  'arm64-16k': {
    ...arm64,
    kernel: 'linux-image-6.12-arm64-16k',
    qemu: arm64.qemu.map((word) => (word === 'cortex-a57' ? 'max' : word)),
  },
  x64: {
    debian: 'amd64',
    kernel: 'linux-image-amd64',
    libraries: 'x86_64-linux-gnu',
    loader: 'lib64/ld-linux-x86-64.so.2',
    node: 'x64',
    binary: 'linux-x64-gnu',
    qemu: ['qemu-system-x86_64', '-M', 'q35', '-cpu', 'max', '-smp', '2', ...common],
    console: 'ttyS0',
  },
}

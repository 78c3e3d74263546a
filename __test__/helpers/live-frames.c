/*
 * live-frames INTERFACE
 *
 * Makes 60-byte frames arrive at an interface, faster than any sender, until it is ended: the kernel makes them itself
 * (BPF_PROG_TEST_RUN of an XDP program that passes them on, with BPF_F_TEST_XDP_LIVE_FRAMES).
 */
#include <linux/bpf.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *attr) {
  return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr load;
  memset(&load, 0, sizeof(load));
  load.prog_type = BPF_PROG_TYPE_XDP;
  load.insns = (uintptr_t)code;
  load.insn_cnt = 2;
  load.license = (uintptr_t)"GPL";
  int program = bpf(BPF_PROG_LOAD, &load);
  if (program < 0) {
    perror("BPF_PROG_LOAD");
    return 1;
  }
  uint8_t frame[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
  struct xdp_md context = {.data_end = sizeof(frame), .ingress_ifindex = if_nametoindex(argv[1])};
  for (;;) {
    union bpf_attr run;
    memset(&run, 0, sizeof(run));
    run.test.prog_fd = program;
    run.test.data_in = (uintptr_t)frame;
    run.test.data_size_in = sizeof(frame);
    run.test.ctx_in = (uintptr_t)&context;
    run.test.ctx_size_in = sizeof(context);
    run.test.repeat = 200000;
    run.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    if (bpf(BPF_PROG_TEST_RUN, &run) != 0) {
      perror("BPF_PROG_TEST_RUN");
      return 1;
    }
  }
}

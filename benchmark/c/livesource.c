/*
 * A source faster than any sender: the kernel makes the frames itself (BPF_PROG_TEST_RUN with
 * BPF_F_TEST_XDP_LIVE_FRAMES) and puts them into the receive path of the given interface, as if
 * its driver had received them. Run it in the receiver's network namespace. With --redirect the
 * frames leave through the interface instead: given one end of a veth pair, they arrive at the
 * native XDP program of the other. Prints one JSON line.
 *
 * All frames are equal: their sequence number is 0.
 */
#include "common.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel keeps a live frame in one page, beside its own head and tail room. */
enum { LARGEST_FRAME = 3000 };

static long bpf(enum bpf_cmd command, union bpf_attr *attributes) {
  return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static int load_program(const struct bpf_insn *instructions, size_t count) {
  static char log[4096];
  union bpf_attr attributes = {0};
  attributes.prog_type = BPF_PROG_TYPE_XDP;
  attributes.insns = (uintptr_t)instructions;
  attributes.insn_cnt = (uint32_t)count;
  attributes.license = (uintptr_t) "MIT";
  attributes.log_buf = (uintptr_t)log;
  attributes.log_size = sizeof log;
  attributes.log_level = 1;
  long fd = bpf(BPF_PROG_LOAD, &attributes);
  if (fd < 0) fail_errno("BPF_PROG_LOAD: %s", log);
  return (int)fd;
}

/* An XDP program that only says "pass it on to the network stack". */
static int load_pass_program(void) {
  const struct bpf_insn instructions[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT},
  };
  return load_program(instructions, sizeof instructions / sizeof instructions[0]);
}

/* One that says "send it out of this interface": `return bpf_redirect(interface, 0)`. */
static int load_redirect_program(unsigned interface) {
  const struct bpf_insn instructions[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = (int)interface},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0},
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect},
      {.code = BPF_JMP | BPF_EXIT},
  };
  return load_program(instructions, sizeof instructions / sizeof instructions[0]);
}

/* Makes `count` copies of the frame arrive at the interface. */
static void run(int program, unsigned interface, const uint8_t *frame, uint32_t size, uint32_t count) {
  struct xdp_md context = {.data_end = size, .ingress_ifindex = interface};
  union bpf_attr attributes = {0};
  attributes.test.prog_fd = (uint32_t)program;
  attributes.test.data_in = (uintptr_t)frame;
  attributes.test.data_size_in = size;
  attributes.test.ctx_in = (uintptr_t)&context;
  attributes.test.ctx_size_in = sizeof context;
  attributes.test.repeat = count;
  attributes.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  if (bpf(BPF_PROG_TEST_RUN, &attributes) != 0) fail_errno("BPF_PROG_TEST_RUN with live frames");
}

int main(int argument_count, char **arguments) {
  static const struct option flags[] = {{"interface", required_argument, NULL, 'i'},
                                        {"repeat", required_argument, NULL, 'c'},
                                        {"size", required_argument, NULL, 's'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {"redirect", no_argument, NULL, 'x'},
                                        {NULL, 0, NULL, 0}};
  const char *interface = NULL;
  uint64_t count = 1000000, size = 64, rate = 0;
  bool redirect = false;
  int index = 0;
  for (int flag; (flag = getopt_long(argument_count, arguments, "", flags, &index)) != -1;) {
    const char *name = flags[index].name;
    switch (flag) {
      case 'i': interface = optarg; break;
      case 'c': count = parse_number(name, optarg); break;
      case 's': size = parse_number(name, optarg); break;
      case 'r': rate = parse_number(name, optarg); break;
      case 'x': redirect = true; break;
      default: fail("usage: livesource --interface NAME [--repeat N] [--size BYTES] [--rate PPS] [--redirect]");
    }
  }
  if (size > LARGEST_FRAME) fail("a live frame has at most %d bytes", LARGEST_FRAME);

  uint8_t frame[LARGEST_FRAME];
  frame_build(frame, size);
  unsigned interface_number = interface_index(interface);
  int program = redirect ? load_redirect_program(interface_number) : load_pass_program();
  prctl(PR_SET_TIMERSLACK, 1);

  /*
   * Each call costs the kernel about 25 ms of setting up and tearing down, so a rate is held only
   * on average: a burst at full speed every 200 ms.
   */
  uint64_t chunk = rate == 0 ? 1u << 30 : rate / 5 + 1;
  struct cpu_time cpu_start = cpu_now();
  struct pace pace = pace_start(rate);
  for (uint64_t sent = 0; sent < count;) {
    uint64_t now = count - sent < chunk ? count - sent : chunk;
    pace_wait(&pace, sent);
    run(program, interface_number, frame, (uint32_t)size, (uint32_t)now);
    sent += now;
  }
  double seconds = (double)(now_ns() - pace.start_ns) / 1e9;
  struct cpu_time cpu_end = cpu_now();
  double cpu_ns = (double)(cpu_end.user_ns + cpu_end.system_ns - cpu_start.user_ns - cpu_start.system_ns);

  printf("{\"sender\":\"%s\",\"size\":%" PRIu64 ",\"count\":%" PRIu64 ",\"sent\":%" PRIu64
         ",\"seconds\":%.6f,\"pps\":%.0f,\"cpuNsPerPacket\":%.1f}\n",
         redirect ? "live-redirect" : "live", size, count, count, seconds, (double)count / seconds, count > 0 ? cpu_ns / (double)count : 0);
  return 0;
}

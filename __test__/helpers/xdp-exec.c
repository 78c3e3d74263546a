/*
 * xdp-exec INTERFACE|- COMMAND ARGUMENT...
 *
 * Makes an XSKMAP and an XDP program, without clang or libbpf, and runs a command that inherits their descriptors, by
 * number in XSK_MAP and XSK_PROGRAM. The program leads packets of 100 bytes and more to the map's socket of their queue, and
 * passes shorter ones. With an INTERFACE of this network namespace it is attached there for as long as the command lives.
 */
#include <linux/bpf.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})

/* A descriptor that a command inherits: what bpf(2) gives has close-on-exec. */
static int inherited(enum bpf_cmd command, union bpf_attr *attr, const char *name) {
  int made = syscall(SYS_bpf, command, attr, sizeof(*attr));
  int fd = made < 0 ? made : dup(made);
  if (fd < 0) {
    perror(name);
    exit(1);
  }
  char number[16];
  snprintf(number, sizeof(number), "%d", fd);
  setenv(name, number, 1);
  return fd;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4, .max_entries = 4};
  int map_fd = inherited(BPF_MAP_CREATE, &map, "XSK_MAP");
  struct bpf_insn code[] = {
      INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct xdp_md, data), 0),
      INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 1, offsetof(struct xdp_md, data_end), 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS),
      INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, 100),
      INSN(BPF_JMP | BPF_JGT | BPF_X, 2, 3, 5, 0), /* data + 100 > data_end: to the end */
      INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index), 0),
      INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map_fd),
      INSN(0, 0, 0, 0, 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_PASS),
      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
      INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  union bpf_attr program = {.prog_type = BPF_PROG_TYPE_XDP};
  program.insns = (unsigned long)code;
  program.insn_cnt = sizeof(code) / sizeof(code[0]);
  program.license = (unsigned long)"GPL";
  strcpy(program.prog_name, "over_100_bytes");
  int program_fd = inherited(BPF_PROG_LOAD, &program, "XSK_PROGRAM");
  if (strcmp(argv[1], "-") != 0) {
    union bpf_attr link = {0};
    link.link_create.prog_fd = program_fd;
    link.link_create.target_ifindex = if_nametoindex(argv[1]);
    link.link_create.attach_type = BPF_XDP;
    inherited(BPF_LINK_CREATE, &link, "XSK_LINK");
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 1;
}

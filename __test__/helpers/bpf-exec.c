/*
 * bpf-exec COMMAND ARGUMENT...
 *
 * Loads eBPF socket filters, without clang or libbpf, and runs a command that inherits their descriptors:
 *   BPF_ALL     takes every packet whole
 *   BPF_CUT     takes the first 20 bytes
 *   BPF_TYPE    takes frames of ethertype 0x88b5 only
 *   BPF_MEMBER  returns the byte at 3 of what it is given (of a fanout group: behind the Ethernet header)
 *   BPF_SECOND  returns 1
 *   BPF_XDP     is a program of another type
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_REG(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define LD_ABS(size, i) INSN(BPF_LD | BPF_ABS | (size), 0, 0, 0, i) /* r6 is the packet, r0 the outcome */
#define JNE_IMM(d, i, o) INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define LOAD(name, type, ...)                                             \
  do {                                                                    \
    struct bpf_insn code[] = {__VA_ARGS__};                               \
    load(name, type, code, sizeof(code) / sizeof(code[0]));               \
  } while (0)

static void load(const char *name, enum bpf_prog_type type, const struct bpf_insn *code, unsigned count) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_type = type;
  attr.insns = (unsigned long)code;
  attr.insn_cnt = count;
  attr.license = (unsigned long)"GPL";
  int made = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
  int fd = made < 0 ? made : dup(made); /* made has close-on-exec */
  if (fd < 0) {
    perror(name);
    exit(1);
  }
  char number[16];
  snprintf(number, sizeof(number), "%d", fd);
  setenv(name, number, 1);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  const enum bpf_prog_type filter = BPF_PROG_TYPE_SOCKET_FILTER;
  LOAD("BPF_ALL", filter, MOV_IMM(0, 0xffff), EXIT());
  LOAD("BPF_CUT", filter, MOV_IMM(0, 20), EXIT());
  LOAD("BPF_TYPE", filter, MOV_REG(6, 1), LD_ABS(BPF_H, 12), JNE_IMM(0, 0x88b5, 2), MOV_IMM(0, 0xffff), EXIT(),
       MOV_IMM(0, 0), EXIT());
  LOAD("BPF_MEMBER", filter, MOV_REG(6, 1), LD_ABS(BPF_B, 3), EXIT());
  LOAD("BPF_SECOND", filter, MOV_IMM(0, 1), EXIT());
  LOAD("BPF_XDP", BPF_PROG_TYPE_XDP, MOV_IMM(0, 2), EXIT());
  execvp(argv[1], argv + 1);
  perror(argv[1]);
  return 1;
}

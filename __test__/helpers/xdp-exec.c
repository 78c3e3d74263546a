/*
 * xdp-exec INTERFACE|- COMMAND ARGUMENT...
 *
 * Makes an XSKMAP and an XDP program, without clang or libbpf, and runs a command that inherits their descriptors, by
 * number in XSK_MAP and XSK_PROGRAM, and a map of another type in ARRAY_MAP. The program leads packets of 100 bytes and more
 * to the map's socket of their queue, and passes shorter ones. With an INTERFACE of this network namespace it is attached there for as long as the command lives, by
 * the link whose number is in XSK_LINK.
 *
 * xdp-exec --update LINK MAP NAME
 *
 * Gives the link of that descriptor another program in the place of the one it has: the same one, over the map of that
 * descriptor, or over one of its own where MAP is -, or one that calls whatever is in a map of programs where MAP is tail. The
 * program has that name.
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

static int new_map(enum bpf_map_type type, const char *name) {
  union bpf_attr map = {.map_type = type, .key_size = 4, .value_size = 4, .max_entries = 4};
  return inherited(BPF_MAP_CREATE, &map, name);
}

static int load(const struct bpf_insn *code, size_t count, const char *name) {
  union bpf_attr program = {.prog_type = BPF_PROG_TYPE_XDP};
  program.insns = (unsigned long)code;
  program.insn_cnt = count;
  program.license = (unsigned long)"GPL";
  strncpy(program.prog_name, name, sizeof(program.prog_name) - 1);
  return inherited(BPF_PROG_LOAD, &program, "XSK_PROGRAM");
}

static int new_program(int map_fd, const char *name) {
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
  return load(code, sizeof(code) / sizeof(code[0]), name);
}

static int new_caller(int map_fd, const char *name) {
  struct bpf_insn code[] = {
      INSN(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_FD, 0, map_fd),
      INSN(0, 0, 0, 0, 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 0),
      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call),
      INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS),
      INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  return load(code, sizeof(code) / sizeof(code[0]), name);
}

static int update(char **arguments) {
  const char *map = arguments[1], *name = arguments[2];
  int program_fd;
  if (strcmp(map, "tail") == 0) {
    program_fd = new_caller(new_map(BPF_MAP_TYPE_PROG_ARRAY, "PROG_ARRAY"), name);
  } else {
    program_fd = new_program(strcmp(map, "-") == 0 ? new_map(BPF_MAP_TYPE_XSKMAP, "XSK_MAP") : atoi(map), name);
  }
  union bpf_attr change = {0};
  change.link_update.link_fd = atoi(arguments[0]);
  change.link_update.new_prog_fd = program_fd;
  if (syscall(SYS_bpf, BPF_LINK_UPDATE, &change, sizeof(change)) == 0) return 0;
  perror("BPF_LINK_UPDATE");
  return 1;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "--update") == 0) return update(argv + 2);
  if (argc < 3) return 2;
  new_map(BPF_MAP_TYPE_ARRAY, "ARRAY_MAP");
  int program_fd = new_program(new_map(BPF_MAP_TYPE_XSKMAP, "XSK_MAP"), "over_100_bytes");
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

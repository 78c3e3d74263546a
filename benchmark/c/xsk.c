/* See xsk.h. */
#include "xsk.h"

#include "common.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void set(int fd, int option, const char *name, const void *value, socklen_t size) {
  if (setsockopt(fd, SOL_XDP, option, value, size) != 0) fail_errno("%s", name);
}

static struct xsk_ring map_ring(int fd, const struct xdp_ring_offset *offset, uint64_t page_offset,
                                uint32_t size, size_t entry_size) {
  size_t bytes = offset->desc + size * entry_size;
  uint8_t *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)page_offset);
  if (base == MAP_FAILED) fail_errno("mmap of a ring");
  return (struct xsk_ring){(uint32_t *)(void *)(base + offset->producer), (uint32_t *)(void *)(base + offset->consumer),
                           base + offset->desc, size, size - 1};
}

/* A queue stays busy for some 20 to 50 ms after its socket was closed, that of the trial before too. */
static void bind_to_queue(int fd, const struct sockaddr_xdp *address) {
  for (int attempt = 0; bind(fd, (const struct sockaddr *)address, sizeof *address) != 0; attempt++) {
    if (errno != EBUSY || attempt == 200) fail_errno("bind to queue %u", address->sxdp_queue_id);
    usleep(5000);
  }
}

struct xsk xsk_open(const char *interface, uint32_t queue, uint32_t frame_count, uint32_t frame_size) {
  struct xsk xsk = {.frame_size = frame_size, .frame_count = frame_count};
  if (frame_count == 0 || (frame_count & (frame_count - 1)) != 0) fail("--frames is a power of two");
  xsk.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (xsk.fd < 0) fail_errno("socket(AF_XDP)");
  size_t bytes = (size_t)frame_count * frame_size;
  xsk.umem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (xsk.umem == MAP_FAILED) fail_errno("mmap of the UMEM");

  struct xdp_umem_reg umem = {.addr = (uintptr_t)xsk.umem, .len = bytes, .chunk_size = frame_size};
  set(xsk.fd, XDP_UMEM_REG, "XDP_UMEM_REG", &umem, sizeof umem);
  set(xsk.fd, XDP_UMEM_FILL_RING, "XDP_UMEM_FILL_RING", &frame_count, sizeof frame_count);
  set(xsk.fd, XDP_UMEM_COMPLETION_RING, "XDP_UMEM_COMPLETION_RING", &frame_count, sizeof frame_count);
  set(xsk.fd, XDP_RX_RING, "XDP_RX_RING", &frame_count, sizeof frame_count);
  set(xsk.fd, XDP_TX_RING, "XDP_TX_RING", &frame_count, sizeof frame_count);
  struct xdp_mmap_offsets offsets;
  socklen_t length = sizeof offsets;
  if (getsockopt(xsk.fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0) fail_errno("XDP_MMAP_OFFSETS");
  xsk.fill = map_ring(xsk.fd, &offsets.fr, XDP_UMEM_PGOFF_FILL_RING, frame_count, sizeof(uint64_t));
  xsk.completion = map_ring(xsk.fd, &offsets.cr, XDP_UMEM_PGOFF_COMPLETION_RING, frame_count, sizeof(uint64_t));
  xsk.rx = map_ring(xsk.fd, &offsets.rx, XDP_PGOFF_RX_RING, frame_count, sizeof(struct xdp_desc));
  xsk.tx = map_ring(xsk.fd, &offsets.tx, XDP_PGOFF_TX_RING, frame_count, sizeof(struct xdp_desc));

  struct sockaddr_xdp address = {.sxdp_family = AF_XDP,
                                 .sxdp_flags = XDP_USE_NEED_WAKEUP,
                                 .sxdp_ifindex = interface_index(interface),
                                 .sxdp_queue_id = queue};
  bind_to_queue(xsk.fd, &address);
  return xsk;
}

static int bpf(enum bpf_cmd command, union bpf_attr *attributes, const char *name) {
  long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);
  if (result < 0) fail_errno("%s", name);
  return (int)result;
}

void xsk_attach(const struct xsk *xsk, const char *interface, uint32_t queue, bool skb_mode) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4, .max_entries = queue + 1};
  int map_fd = bpf(BPF_MAP_CREATE, &map, "BPF_MAP_CREATE");

  /* return bpf_redirect_map(&map, context->rx_queue_index, XDP_PASS) */
  const struct bpf_insn instructions[] = {
      {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = offsetof(struct xdp_md, rx_queue_index)},
      {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd},
      {.code = 0},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr program = {.prog_type = BPF_PROG_TYPE_XDP,
                            .insn_cnt = sizeof instructions / sizeof instructions[0],
                            .insns = (uintptr_t)instructions,
                            .license = (uintptr_t) "MIT"};
  union bpf_attr link = {0};
  link.link_create.prog_fd = (uint32_t)bpf(BPF_PROG_LOAD, &program, "BPF_PROG_LOAD");
  link.link_create.target_ifindex = interface_index(interface);
  link.link_create.attach_type = BPF_XDP;
  link.link_create.flags = skb_mode ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
  bpf(BPF_LINK_CREATE, &link, "BPF_LINK_CREATE");

  union bpf_attr element = {0};
  element.map_fd = (uint32_t)map_fd;
  element.key = (uintptr_t)&queue;
  element.value = (uintptr_t)&xsk->fd;
  bpf(BPF_MAP_UPDATE_ELEM, &element, "BPF_MAP_UPDATE_ELEM");
}

struct xdp_statistics xsk_statistics(const struct xsk *xsk) {
  struct xdp_statistics statistics = {0};
  socklen_t length = sizeof statistics;
  if (getsockopt(xsk->fd, SOL_XDP, XDP_STATISTICS, &statistics, &length) != 0) fail_errno("XDP_STATISTICS");
  return statistics;
}

/*
 * The least that a bridge can do: two TPACKET_V3 rings with virtio-net headers, each frame sent from where it lies in
 * the ring with sendmmsg, the block given back when its last frame was taken. One thread, both directions. It forwards
 * until --idle-ms of silence and prints one JSON line. VLAN tags are not put back.
 */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VNET_HEADER = 10, BATCH = 256, RESERVE = 4, FRAME_SIZE = 2048 };

struct options {
  const char *a;
  const char *b;
  uint64_t block_size;
  uint64_t block_count;
  uint64_t block_timeout;
  uint64_t idle_ms;
  uint64_t seconds;
};

struct side {
  int receive;
  int send;
  uint8_t *base;
  uint64_t current;
};

struct lane {
  struct iovec vectors[BATCH];
  struct mmsghdr messages[BATCH];
  struct tpacket_hdr_v1 *block; /* under way, or NULL */
  uint8_t *at;
  uint32_t left;
  uint64_t forwarded;
};

static void set(int fd, int level, int name, int value, const char *label) {
  if (setsockopt(fd, level, name, &value, sizeof value) != 0) fail_errno("%s", label);
}

static void bind_to(int fd, const char *interface, uint16_t protocol) {
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)interface_index(interface)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail_errno("bind");
}

static struct side open_side(const char *interface, const struct options *options) {
  struct side side = {.receive = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0),
                      .send = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)};
  if (side.receive < 0 || side.send < 0) fail_errno("socket");
  set(side.receive, SOL_PACKET, PACKET_VERSION, TPACKET_V3, "PACKET_VERSION");
  set(side.receive, SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
  set(side.receive, SOL_PACKET, PACKET_RESERVE, RESERVE, "PACKET_RESERVE");
  set(side.receive, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
  struct tpacket_req3 request = {
      .tp_block_size = (unsigned)options->block_size,
      .tp_block_nr = (unsigned)options->block_count,
      .tp_frame_size = FRAME_SIZE,
      .tp_frame_nr = (unsigned)(options->block_size / FRAME_SIZE * options->block_count),
      .tp_retire_blk_tov = (unsigned)options->block_timeout};
  if (setsockopt(side.receive, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0)
    fail_errno("PACKET_RX_RING");
  size_t size = options->block_size * options->block_count;
  side.base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, side.receive, 0);
  if (side.base == MAP_FAILED) fail_errno("mmap");
  bind_to(side.receive, interface, ETH_P_ALL);
  struct packet_mreq promiscuous = {.mr_ifindex = (int)interface_index(interface), .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(side.receive, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) != 0)
    fail_errno("PACKET_ADD_MEMBERSHIP");
  set(side.send, SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
  set(side.send, SOL_SOCKET, SO_SNDBUFFORCE, 3 << 20, "SO_SNDBUFFORCE");
  bind_to(side.send, interface, 0);
  return side;
}

/* One step of one direction; whether anything moved. */
static bool advance(struct lane *lane, struct side *from, const struct side *to, const struct options *options) {
  if (lane->block == NULL) {
    uint8_t *start = from->base + from->current * options->block_size;
    struct tpacket_hdr_v1 *block = &((struct tpacket_block_desc *)(void *)start)->hdr.bh1;
    if ((__atomic_load_n(&block->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) return false;
    lane->block = block;
    lane->at = start + block->offset_to_first_pkt;
    lane->left = block->num_pkts;
    from->current = (from->current + 1) % options->block_count;
  }
  unsigned count = 0;
  const uint8_t *at = lane->at;
  for (; count < BATCH && count < lane->left; count++) {
    const struct tpacket3_hdr *packet = (const struct tpacket3_hdr *)(const void *)at;
    uint8_t *frame = (uint8_t *)(uintptr_t)at + packet->tp_mac - VNET_HEADER;
    lane->vectors[count] = (struct iovec){frame, packet->tp_snaplen + VNET_HEADER};
    lane->messages[count].msg_hdr.msg_iov = &lane->vectors[count];
    lane->messages[count].msg_hdr.msg_iovlen = 1;
    at += packet->tp_next_offset;
  }
  if (count > 0) {
    int sent = sendmmsg(to->send, lane->messages, count, MSG_DONTWAIT);
    if (sent < 0) {
      if (errno != EAGAIN && errno != ENOBUFS) fail_errno("sendmmsg");
      return false;
    }
    for (int done = 0; done < sent; done++)
      lane->at += ((const struct tpacket3_hdr *)(const void *)lane->at)->tp_next_offset;
    lane->left -= (uint32_t)sent;
    lane->forwarded += (uint64_t)sent;
  }
  if (lane->left == 0) {
    __atomic_store_n(&lane->block->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    lane->block = NULL;
  }
  return true;
}

int main(int argc, char **argv) {
  static const struct option flags[] = {{"a", required_argument, NULL, 'a'},
                                        {"b", required_argument, NULL, 'b'},
                                        {"block-size", required_argument, NULL, 's'},
                                        {"block-count", required_argument, NULL, 'n'},
                                        {"block-timeout", required_argument, NULL, 't'},
                                        {"idle-ms", required_argument, NULL, 'i'},
                                        {"seconds", required_argument, NULL, 'l'},
                                        {NULL, 0, NULL, 0}};
  struct options options = {
      .block_size = 256 << 10, .block_count = 64, .block_timeout = 1, .idle_ms = 500, .seconds = 60};
  for (int flag; (flag = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
    switch (flag) {
      case 'a': options.a = optarg; break;
      case 'b': options.b = optarg; break;
      case 's': options.block_size = parse_number("--block-size", optarg); break;
      case 'n': options.block_count = parse_number("--block-count", optarg); break;
      case 't': options.block_timeout = parse_number("--block-timeout", optarg); break;
      case 'i': options.idle_ms = parse_number("--idle-ms", optarg); break;
      case 'l': options.seconds = parse_number("--seconds", optarg); break;
      default: return 2;
    }
  }
  if (options.a == NULL || options.b == NULL) fail("--a and --b name the two interfaces");

  struct side a = open_side(options.a, &options);
  struct side b = open_side(options.b, &options);
  struct lane *lanes = calloc(2, sizeof *lanes);
  if (lanes == NULL) fail("out of memory");
  fprintf(stderr, "ready\n");

  struct pollfd ready[] = {{.fd = a.receive, .events = POLLIN}, {.fd = b.receive, .events = POLLIN}};
  uint64_t first = 0, last = 0, end = now_ns() + options.seconds * 1000000000u;
  struct cpu_time start_cpu = {0}, end_cpu = {0};
  while (now_ns() < end) {
    bool there = advance(&lanes[0], &a, &b, &options);
    bool back = advance(&lanes[1], &b, &a, &options);
    if (there || back) {
      last = now_ns();
      if (first == 0) {
        first = last;
        start_cpu = cpu_now();
      }
      continue;
    }
    if (first != 0 && now_ns() - last > options.idle_ms * 1000000u) break;
    end_cpu = cpu_now();
    if (poll(ready, 2, 20) < 0) fail_errno("poll");
  }
  uint64_t packets = lanes[0].forwarded + lanes[1].forwarded;
  double seconds = (double)(last - first) / 1e9;
  uint64_t cpu = end_cpu.user_ns - start_cpu.user_ns + end_cpu.system_ns - start_cpu.system_ns;
  printf("{\"bridge\":\"bridge-c\",\"packets\":%" PRIu64 ",\"seconds\":%.3f,\"pps\":%.0f,\"cpuNsPerPacket\":%.1f}\n",
         packets, seconds, (double)packets / seconds, packets == 0 ? 0.0 : (double)cpu / (double)packets);
  return 0;
}

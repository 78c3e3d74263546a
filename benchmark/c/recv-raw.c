/*
 * The floor: a receiver on a plain TPACKET_V3 ring that does the benchmark's work for each packet
 * and nothing else. Prints one JSON line.
 */
#include "common.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct options {
  const char *interface;
  uint64_t block_size;
  uint64_t block_count;
  uint64_t block_timeout;
  struct stop_rule stop;
};

static int open_ring(const struct options *options, uint8_t **base) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_errno("socket");
  int version = TPACKET_V3;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0)
    fail_errno("PACKET_VERSION");
  enum { FRAME_SIZE = 2048 }; /* V3 packs packets tightly; this only has to divide the block */
  struct tpacket_req3 request = {
      .tp_block_size = (unsigned)options->block_size,
      .tp_block_nr = (unsigned)options->block_count,
      .tp_frame_size = FRAME_SIZE,
      .tp_frame_nr = (unsigned)(options->block_size / FRAME_SIZE * options->block_count),
      .tp_retire_blk_tov = (unsigned)options->block_timeout};
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0)
    fail_errno("PACKET_RX_RING");
  size_t size = options->block_size * options->block_count;
  *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (*base == MAP_FAILED) fail_errno("mmap");

  /* Only now does the socket belong to an interface, so no other frame can be in its ring. */
  struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                .sll_protocol = htons(ETH_P_ALL),
                                .sll_ifindex = (int)interface_index(options->interface)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail_errno("bind");
  return fd;
}

static void read_block(struct tally *tally, const struct tpacket_hdr_v1 *block, const uint8_t *start) {
  const uint8_t *at = start + block->offset_to_first_pkt;
  for (uint32_t left = block->num_pkts; left > 0; left--) {
    const struct tpacket3_hdr *packet = (const struct tpacket3_hdr *)(const void *)at;
    uint64_t timestamp = (uint64_t)packet->tp_sec * 1000000000u + packet->tp_nsec;
    tally_packet(tally, at + packet->tp_mac, packet->tp_snaplen, packet->tp_len, timestamp);
    at += packet->tp_next_offset;
  }
}

static void receive(int fd, uint8_t *base, const struct options *options, struct tally *tally) {
  uint64_t current = 0;
  struct pollfd ready = {.fd = fd, .events = POLLIN | POLLERR};
  while (!tally_should_stop(tally, &options->stop)) {
    uint8_t *start = base + current * options->block_size;
    struct tpacket_hdr_v1 *block = &((struct tpacket_block_desc *)(void *)start)->hdr.bh1;
    if ((__atomic_load_n(&block->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) {
      int events = poll(&ready, 1, WAIT_MS);
      if (events < 0) fail_errno("poll");
      if (events == 0) tally_after_silence(tally);
      continue;
    }
    tally_before_batch(tally);
    read_block(tally, block, start);
    __atomic_store_n(&block->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    tally_after_batch(tally);
    current = (current + 1) % options->block_count;
  }
}

int main(int argument_count, char **arguments) {
  static const struct option flags[] = {
      {"interface", required_argument, NULL, 'i'},  {"count", required_argument, NULL, 'c'},
      {"idle-ms", required_argument, NULL, 'm'},    {"seconds", required_argument, NULL, 's'},
      {"block-size", required_argument, NULL, 'b'}, {"block-count", required_argument, NULL, 'n'},
      {"block-timeout", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
  struct options options = {.block_size = 4 << 20, .block_count = 64, .block_timeout = 60, .stop = {0, 500, 60}};
  int index = 0;
  for (int flag; (flag = getopt_long(argument_count, arguments, "", flags, &index)) != -1;) {
    const char *name = flags[index].name;
    switch (flag) {
      case 'i': options.interface = optarg; break;
      case 'c': options.stop.count = parse_number(name, optarg); break;
      case 'm': options.stop.idle_ms = parse_number(name, optarg); break;
      case 's': options.stop.seconds = parse_number(name, optarg); break;
      case 'b': options.block_size = parse_number(name, optarg); break;
      case 'n': options.block_count = parse_number(name, optarg); break;
      case 't': options.block_timeout = parse_number(name, optarg); break;
      default:
        fail("usage: recv-raw --interface NAME [--count N] [--idle-ms MS] [--seconds S]\n"
             "  [--block-size BYTES] [--block-count N] [--block-timeout MS]");
    }
  }

  uint8_t *base;
  int fd = open_ring(&options, &base);
  struct tally tally = {0};
  tally_ready(&tally);
  receive(fd, base, &options, &tally);
  tally_finish(&tally);

  struct tpacket_stats_v3 statistics;
  socklen_t length = sizeof statistics;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) != 0)
    fail_errno("PACKET_STATISTICS");
  tally.drops = statistics.tp_drops;
  tally_print(&tally, "recv-raw");
  close(fd);
  return 0;
}

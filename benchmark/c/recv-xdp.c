/*
 * The floor of AF_XDP: a receiver on one queue that does the benchmark's work for each packet, gives
 * its frame back and does nothing else. Prints one JSON line.
 */
#include "common.h"
#include "xsk.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

struct options {
  const char *interface;
  uint64_t queue;
  uint64_t frames;
  uint64_t batch;
  bool skb_mode;
  struct stop_rule stop;
};

static void receive(struct xsk *xsk, const struct options *options, struct tally *tally) {
  uint32_t taken = 0, filled = xsk->frame_count;
  for (uint32_t i = 0; i < xsk->frame_count; i++) *xsk_address(&xsk->fill, i) = (uint64_t)i * xsk->frame_size;
  xsk_publish(xsk->fill.producer, filled);

  struct pollfd ready = {.fd = xsk->fd, .events = POLLIN};
  while (!tally_should_stop(tally, &options->stop)) {
    uint32_t count = xsk_available(&xsk->rx, taken);
    if (count == 0) {
      int events = poll(&ready, 1, WAIT_MS);
      if (events < 0) fail_errno("poll");
      if (events == 0) tally_after_silence(tally);
      continue;
    }
    if (count > options->batch) count = (uint32_t)options->batch;
    tally_before_batch(tally);
    struct timespec now; /* the kernel gives no time: once a batch, as netring does */
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t timestamp = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    for (uint32_t i = 0; i < count; i++) {
      const struct xdp_desc packet = *xsk_descriptor(&xsk->rx, taken + i);
      tally_packet(tally, xsk->umem + packet.addr, packet.len, packet.len, timestamp);
      /* Every frame is in the fill ring or here, so there is room. */
      *xsk_address(&xsk->fill, filled + i) = packet.addr & ~(uint64_t)(xsk->frame_size - 1);
    }
    xsk_publish(xsk->rx.consumer, taken += count);
    xsk_publish(xsk->fill.producer, filled += count);
    tally_after_batch(tally);
  }
}

int main(int argument_count, char **arguments) {
  static const struct option flags[] = {
      {"interface", required_argument, NULL, 'i'}, {"count", required_argument, NULL, 'c'},
      {"idle-ms", required_argument, NULL, 'm'},   {"seconds", required_argument, NULL, 's'},
      {"queue", required_argument, NULL, 'q'},     {"frames", required_argument, NULL, 'n'},
      {"batch", required_argument, NULL, 'b'},     {"skb", no_argument, NULL, 'k'},
      {NULL, 0, NULL, 0}};
  struct options options = {.frames = 65536, .batch = 4096, .stop = {0, 500, 60}};
  int index = 0;
  for (int flag; (flag = getopt_long(argument_count, arguments, "", flags, &index)) != -1;) {
    const char *name = flags[index].name;
    switch (flag) {
      case 'i': options.interface = optarg; break;
      case 'c': options.stop.count = parse_number(name, optarg); break;
      case 'm': options.stop.idle_ms = parse_number(name, optarg); break;
      case 's': options.stop.seconds = parse_number(name, optarg); break;
      case 'q': options.queue = parse_number(name, optarg); break;
      case 'n': options.frames = parse_number(name, optarg); break;
      case 'b': options.batch = parse_number(name, optarg); break;
      case 'k': options.skb_mode = true; break;
      default:
        fail("usage: recv-xdp --interface NAME [--count N] [--idle-ms MS] [--seconds S]\n"
             "  [--queue N] [--frames N] [--batch PACKETS] [--skb]");
    }
  }
  enum { FRAME_SIZE = 2048 };
  struct xsk xsk = xsk_open(options.interface, (uint32_t)options.queue, (uint32_t)options.frames, FRAME_SIZE);
  xsk_attach(&xsk, options.interface, (uint32_t)options.queue, options.skb_mode);
  struct tally tally = {0};
  tally_ready(&tally);
  receive(&xsk, &options, &tally);
  tally_finish(&tally);
  struct xdp_statistics statistics = xsk_statistics(&xsk);
  tally.drops = statistics.rx_dropped + statistics.rx_ring_full;
  tally_print(&tally, options.skb_mode ? "recv-xdp-skb" : "recv-xdp");
  return 0;
}

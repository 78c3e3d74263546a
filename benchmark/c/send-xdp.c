/*
 * The floor of sending over AF_XDP: frames written in place, and a call that asks the kernel to send
 * them, again and again until it has. Prints one JSON line.
 */
#include "common.h"
#include "xsk.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct options {
  const char *interface;
  uint64_t queue;
  uint64_t count;
  uint64_t size;
  uint64_t frames;
};

struct result {
  uint64_t calls;
  uint64_t refused; /* calls that ended with EAGAIN, EBUSY or ENOBUFS */
};

/* One call that asks the kernel to send what is in the ring, never waiting for it. */
static void kick(const struct xsk *xsk, struct result *result) {
  result->calls++;
  if (sendto(xsk->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) return;
  if (errno != EAGAIN && errno != EBUSY && errno != ENOBUFS) fail_errno("sendto");
  result->refused++;
}

/* Frames are used in turn, as many as have come back; the kernel may complete them in another order. */
static struct result transmit(struct xsk *xsk, const struct options *options) {
  struct result result = {0};
  uint32_t queued = 0, completed = 0, free_count = xsk->frame_count;
  uint64_t *free_frames = (uint64_t *)xsk->fill.entries; /* unused by a sender, and large enough */
  for (uint32_t i = 0; i < free_count; i++) free_frames[i] = (uint64_t)i * xsk->frame_size;
  for (uint64_t sent = 0; sent < options->count;) {
    uint64_t left = options->count - sent;
    uint32_t batch = left < free_count ? (uint32_t)left : free_count;
    for (uint32_t i = 0; i < batch; i++) {
      uint64_t address = free_frames[--free_count];
      /* A user would write the frame here; only the sequence number changes from frame to frame. */
      frame_set_sequence(xsk->umem + address, sent + i);
      *xsk_descriptor(&xsk->tx, queued + i) = (struct xdp_desc){.addr = address, .len = (uint32_t)options->size};
    }
    sent += batch;
    xsk_publish(xsk->tx.producer, queued += batch);
    do {
      kick(xsk, &result);
    } while (__atomic_load_n(xsk->tx.consumer, __ATOMIC_ACQUIRE) != queued);
    uint32_t back = xsk_available(&xsk->completion, completed);
    for (uint32_t i = 0; i < back; i++) free_frames[free_count++] = *xsk_address(&xsk->completion, completed + i);
    xsk_publish(xsk->completion.consumer, completed += back);
    if (free_count == 0) sched_yield();
  }
  while (completed != queued) {
    uint32_t back = xsk_available(&xsk->completion, completed);
    xsk_publish(xsk->completion.consumer, completed += back);
    if (back == 0) sched_yield();
  }
  return result;
}

int main(int argument_count, char **arguments) {
  static const struct option flags[] = {{"interface", required_argument, NULL, 'i'},
                                        {"count", required_argument, NULL, 'c'},
                                        {"size", required_argument, NULL, 's'},
                                        {"queue", required_argument, NULL, 'q'},
                                        {"frames", required_argument, NULL, 'n'},
                                        {NULL, 0, NULL, 0}};
  struct options options = {.count = 1000000, .size = 64, .frames = 4096};
  int index = 0;
  for (int flag; (flag = getopt_long(argument_count, arguments, "", flags, &index)) != -1;) {
    const char *name = flags[index].name;
    switch (flag) {
      case 'i': options.interface = optarg; break;
      case 'c': options.count = parse_number(name, optarg); break;
      case 's': options.size = parse_number(name, optarg); break;
      case 'q': options.queue = parse_number(name, optarg); break;
      case 'n': options.frames = parse_number(name, optarg); break;
      default: fail("usage: send-xdp --interface NAME [--count N] [--size BYTES] [--queue N] [--frames N]");
    }
  }
  enum { FRAME_SIZE = 2048 };
  if (options.size > FRAME_SIZE) fail("a frame has at most %d bytes", FRAME_SIZE);
  struct xsk xsk = xsk_open(options.interface, (uint32_t)options.queue, (uint32_t)options.frames, FRAME_SIZE);
  int bytes = 64 << 20;
  if (setsockopt(xsk.fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0) fail_errno("SO_SNDBUFFORCE");
  for (uint32_t i = 0; i < xsk.frame_count; i++) frame_build(xsk.umem + (size_t)i * FRAME_SIZE, options.size);

  prctl(PR_SET_TIMERSLACK, 1);
  struct cpu_time cpu_start = cpu_now();
  uint64_t start = now_ns();
  struct result result = transmit(&xsk, &options);
  double seconds = (double)(now_ns() - start) / 1e9;
  struct cpu_time cpu_end = cpu_now();
  double cpu_ns = (double)(cpu_end.user_ns + cpu_end.system_ns - cpu_start.user_ns - cpu_start.system_ns);
  printf("{\"sender\":\"xdp\",\"size\":%" PRIu64 ",\"count\":%" PRIu64 ",\"sent\":%" PRIu64
         ",\"seconds\":%.6f,\"pps\":%.0f,\"cpuNsPerPacket\":%.1f,\"calls\":%" PRIu64 ",\"refused\":%" PRIu64 "}\n",
         options.size, options.count, options.count, seconds, (double)options.count / seconds,
         options.count > 0 ? cpu_ns / (double)options.count : 0, result.calls, result.refused);
  return 0;
}

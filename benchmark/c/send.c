/*
 * The plain senders: `send sendmmsg` (batches of frames a system call) and `send txring` (a
 * PACKET_TX_RING of TPACKET_V3 or V2). Prints one JSON line.
 */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct options {
  const char *interface;
  uint64_t count;
  uint64_t size;
  uint64_t rate;
  uint64_t batch;
  uint64_t slots;
  uint64_t slot_size;
  uint64_t send_buffer;
  int version;
  bool qdisc_bypass;
};

struct result {
  uint64_t sent;
  uint64_t calls;
  uint64_t refused; /* calls that ended with EAGAIN or ENOBUFS */

  /* When the first frame was about to be sent: setting up is not part of the measurement. */
  struct pace pace;
  struct cpu_time start_cpu;
};

static void result_start(struct result *result, const struct options *options) {
  result->start_cpu = cpu_now();
  result->pace = pace_start(options->rate);
}

static int open_socket(const struct options *options) {
  /* Protocol 0: this socket sends only, nothing is delivered to it. */
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_errno("socket");
  int one = 1;
  if (options->qdisc_bypass && setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) != 0)
    fail_errno("PACKET_QDISC_BYPASS");
  int bytes = (int)options->send_buffer;
  if (bytes != 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
    fail_errno("SO_SNDBUFFORCE");
  return fd;
}

static void bind_socket(int fd, const struct options *options) {
  struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                .sll_ifindex = (int)interface_index(options->interface)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail_errno("bind");
}

static bool is_busy(int error) { return error == EAGAIN || error == ENOBUFS; }

/* How many packets may be sent at once: small slices when there is a rate to hold. */
static uint64_t slice(const struct options *options, uint64_t left) {
  enum { PACED_SLICE = 64 };
  uint64_t most = options->batch;
  if (options->rate != 0 && most > PACED_SLICE) most = PACED_SLICE;
  return left < most ? left : most;
}

static struct result send_with_sendmmsg(int fd, const struct options *options) {
  struct result result = {0};
  bind_socket(fd, options);

  uint8_t *frames = malloc(options->batch * options->size);
  struct iovec *vectors = calloc(options->batch, sizeof *vectors);
  struct mmsghdr *messages = calloc(options->batch, sizeof *messages);
  if (frames == NULL || vectors == NULL || messages == NULL) fail("out of memory");
  for (uint64_t i = 0; i < options->batch; i++) {
    uint8_t *frame = frames + i * options->size;
    frame_build(frame, options->size);
    vectors[i] = (struct iovec){frame, options->size};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }

  result_start(&result, options);
  while (result.sent < options->count) {
    uint64_t wanted = slice(options, options->count - result.sent);
    for (uint64_t i = 0; i < wanted; i++)
      frame_set_sequence(frames + i * options->size, result.sent + i);
    pace_wait(&result.pace, result.sent);
    for (uint64_t done = 0; done < wanted;) {
      int sent = sendmmsg(fd, messages + done, (unsigned)(wanted - done), MSG_DONTWAIT);
      result.calls++;
      if (sent < 0) {
        if (!is_busy(errno)) fail_errno("sendmmsg");
        result.refused++;
        sched_yield();
        continue;
      }
      done += (uint64_t)sent;
    }
    result.sent += wanted;
  }
  return result;
}

/* --- the transmit ring --------------------------------------------------------------------- */

/* The two layouts differ in where the status, the length and the data of a slot are. */
struct layout {
  size_t status;
  size_t length;
  size_t captured;
  size_t data;
};

static const struct layout layout_v2 = {
    offsetof(struct tpacket2_hdr, tp_status), offsetof(struct tpacket2_hdr, tp_len),
    offsetof(struct tpacket2_hdr, tp_snaplen), TPACKET2_HDRLEN - sizeof(struct sockaddr_ll)};
static const struct layout layout_v3 = {
    offsetof(struct tpacket3_hdr, tp_status), offsetof(struct tpacket3_hdr, tp_len),
    offsetof(struct tpacket3_hdr, tp_snaplen), TPACKET3_HDRLEN - sizeof(struct sockaddr_ll)};

struct ring {
  uint8_t *base;
  size_t slot_size;
  uint64_t slots;
  const struct layout *layout;
};

static uint8_t *ring_slot(const struct ring *ring, uint64_t number) {
  return ring->base + (number % ring->slots) * ring->slot_size;
}

static uint32_t slot_status(const struct ring *ring, const uint8_t *slot) {
  const uint32_t timestamp_bits = TP_STATUS_TS_SOFTWARE | TP_STATUS_TS_SYS_HARDWARE | TP_STATUS_TS_RAW_HARDWARE;
  const uint32_t *status = (const uint32_t *)(const void *)(slot + ring->layout->status);
  return __atomic_load_n(status, __ATOMIC_ACQUIRE) & ~timestamp_bits;
}

static void slot_request(const struct ring *ring, uint8_t *slot) {
  uint32_t *status = (uint32_t *)(void *)(slot + ring->layout->status);
  __atomic_store_n(status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
}

static struct ring ring_open(int fd, const struct options *options) {
  struct ring ring = {.layout = options->version == 3 ? &layout_v3 : &layout_v2};
  int version = options->version == 3 ? TPACKET_V3 : TPACKET_V2;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0)
    fail_errno("PACKET_VERSION");

  /* Powers of two, so that slots fill blocks without a gap and the ring is one plain array. */
  ring.slot_size = options->slot_size;
  while (ring.slot_size < ring.layout->data + options->size) ring.slot_size *= 2;
  size_t block_size = 1 << 16;
  while (block_size < ring.slot_size) block_size *= 2;
  uint64_t blocks = (options->slots * ring.slot_size + block_size - 1) / block_size;
  ring.slots = blocks * (block_size / ring.slot_size);

  /* The first four fields are tpacket_req; V3 wants its remaining fields to be 0 for transmitting. */
  struct tpacket_req3 request = {.tp_block_size = (unsigned)block_size,
                                 .tp_block_nr = (unsigned)blocks,
                                 .tp_frame_size = (unsigned)ring.slot_size,
                                 .tp_frame_nr = (unsigned)ring.slots};
  socklen_t length = version == TPACKET_V3 ? sizeof request : sizeof(struct tpacket_req);
  if (setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &request, length) != 0) fail_errno("PACKET_TX_RING");
  ring.base = mmap(NULL, blocks * block_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (ring.base == MAP_FAILED) fail_errno("mmap");

  for (uint64_t i = 0; i < ring.slots; i++) {
    uint8_t *slot = ring_slot(&ring, i);
    frame_build(slot + ring.layout->data, options->size);
    uint32_t size = (uint32_t)options->size;
    memcpy(slot + ring.layout->length, &size, sizeof size);
    memcpy(slot + ring.layout->captured, &size, sizeof size);
  }
  return ring;
}

/* One call that asks the kernel to send what is requested, never waiting for it. */
static void ring_kick(int fd, struct result *result) {
  result->calls++;
  if (sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) return;
  if (!is_busy(errno)) fail_errno("sendto");
  result->refused++;
  sched_yield();
}

static struct result send_with_ring(int fd, const struct options *options) {
  struct result result = {0};
  struct ring ring = ring_open(fd, options);
  bind_socket(fd, options);

  result_start(&result, options);
  uint64_t queued = 0;
  while (queued < options->count) {
    uint64_t wanted = slice(options, options->count - queued);
    pace_wait(&result.pace, queued);
    uint64_t filled = 0;
    for (; filled < wanted; filled++) {
      uint8_t *slot = ring_slot(&ring, queued + filled);
      if (slot_status(&ring, slot) != TP_STATUS_AVAILABLE) break;
      /* A user would write the frame here; only the sequence number changes from frame to frame. */
      frame_set_sequence(slot + ring.layout->data, queued + filled);
      slot_request(&ring, slot);
    }
    queued += filled;
    ring_kick(fd, &result);
  }

  /* Kick until nothing is requested any more, then wait until the last slot is free again. */
  uint64_t first = queued > ring.slots ? queued - ring.slots : 0;
  for (uint64_t i = first; i < queued; i++) {
    for (;;) {
      uint32_t status = slot_status(&ring, ring_slot(&ring, i));
      if (status == TP_STATUS_AVAILABLE) break;
      if (status == TP_STATUS_WRONG_FORMAT) fail("the kernel does not like slot %" PRIu64, i);
      ring_kick(fd, &result);
    }
  }
  result.sent = queued;
  return result;
}

/* --- the command line ---------------------------------------------------------------------- */

static _Noreturn void usage(void) {
  fail("usage: send sendmmsg|txring --interface NAME [--count N] [--size BYTES] [--rate PPS]\n"
       "  [--batch FRAMES] [--qdisc-bypass] [--sndbuf BYTES]\n"
       "  txring only: [--version 2|3] [--slots N] [--slot-size BYTES]");
}

int main(int argument_count, char **arguments) {
  static const struct option flags[] = {
      {"interface", required_argument, NULL, 'i'}, {"count", required_argument, NULL, 'c'},
      {"size", required_argument, NULL, 's'},      {"rate", required_argument, NULL, 'r'},
      {"batch", required_argument, NULL, 'b'},     {"slots", required_argument, NULL, 'n'},
      {"slot-size", required_argument, NULL, 'z'}, {"sndbuf", required_argument, NULL, 'w'},
      {"version", required_argument, NULL, 'v'},   {"qdisc-bypass", no_argument, NULL, 'q'},
      {NULL, 0, NULL, 0}};
  struct options options = {.count = 1000000, .size = 64, .batch = 1024, .slots = 4096, .slot_size = 2048, .version = 3};
  int index = 0;
  for (int flag; (flag = getopt_long(argument_count, arguments, "", flags, &index)) != -1;) {
    const char *name = flags[index].name;
    switch (flag) {
      case 'i': options.interface = optarg; break;
      case 'c': options.count = parse_number(name, optarg); break;
      case 's': options.size = parse_number(name, optarg); break;
      case 'r': options.rate = parse_number(name, optarg); break;
      case 'b': options.batch = parse_number(name, optarg); break;
      case 'n': options.slots = parse_number(name, optarg); break;
      case 'z': options.slot_size = parse_number(name, optarg); break;
      case 'w': options.send_buffer = parse_number(name, optarg); break;
      case 'v': options.version = (int)parse_number(name, optarg); break;
      case 'q': options.qdisc_bypass = true; break;
      default: usage();
    }
  }
  if (optind != argument_count - 1) usage();
  bool ring = strcmp(arguments[optind], "txring") == 0;
  if (!ring && strcmp(arguments[optind], "sendmmsg") != 0) usage();
  if (options.version != 2 && options.version != 3) fail("--version is 2 or 3");
  if (options.batch == 0 || options.batch > 1024) fail("--batch is 1 to 1024"); /* UIO_MAXIOV */
  if (options.slot_size < 128 || (options.slot_size & (options.slot_size - 1)) != 0)
    fail("--slot-size is a power of two, at least 128");

  prctl(PR_SET_TIMERSLACK, 1);
  int fd = open_socket(&options);
  struct result result = ring ? send_with_ring(fd, &options) : send_with_sendmmsg(fd, &options);
  double seconds = (double)(now_ns() - result.pace.start_ns) / 1e9;
  struct cpu_time cpu_end = cpu_now();
  double cpu_ns = (double)(cpu_end.user_ns + cpu_end.system_ns - result.start_cpu.user_ns - result.start_cpu.system_ns);

  printf("{\"sender\":\"%s%s\",\"qdiscBypass\":%s,\"size\":%" PRIu64 ",\"count\":%" PRIu64
         ",\"sent\":%" PRIu64 ",\"seconds\":%.6f,\"pps\":%.0f,\"cpuNsPerPacket\":%.1f,\"calls\":%" PRIu64
         ",\"refused\":%" PRIu64 "}\n",
         arguments[optind], !ring ? "" : options.version == 3 ? "-v3" : "-v2",
         options.qdisc_bypass ? "true" : "false", options.size, options.count, result.sent, seconds,
         (double)result.sent / seconds, cpu_ns / (double)result.sent, result.calls, result.refused);
  close(fd);
  return 0;
}

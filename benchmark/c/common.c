/* See common.h. */
#include "common.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

void fail_errno(const char *format, ...) {
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, ": %s\n", strerror(error));
  exit(1);
}

uint64_t parse_number(const char *flag, const char *text) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-')
    fail("--%s wants a number, not \"%s\"", flag, text);
  return value;
}

unsigned interface_index(const char *name) {
  if (name == NULL) fail("--interface is missing");
  unsigned index = if_nametoindex(name);
  if (index == 0) fail_errno("interface %s", name);
  return index;
}

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t timeval_ns(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

struct cpu_time cpu_now(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (struct cpu_time){timeval_ns(usage.ru_utime), timeval_ns(usage.ru_stime)};
}

long rss_peak_kib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/* --- the frame ----------------------------------------------------------------------------- */

static void put_u16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static unsigned ipv4_checksum(const uint8_t *header) {
  uint32_t sum = 0;
  for (int i = 0; i < 20; i += 2) sum += (uint32_t)header[i] << 8 | header[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

void frame_build(uint8_t *frame, size_t size) {
  static const uint8_t ethernet[14] = {0x02, 0x6e, 0x72, 0, 0, 0x02, 0x02, 0x6e, 0x72, 0, 0, 0x01, 0x08, 0x00};
  static const uint8_t addresses[8] = {198, 18, 0, 1, 198, 18, 0, 2}; /* RFC 2544: benchmarks */

  if (size < FRAME_MINIMUM) fail("a frame has at least %d bytes", FRAME_MINIMUM);
  if (size > 65535) fail("a frame has at most 65535 bytes");
  memset(frame, 0, size);
  memcpy(frame, ethernet, sizeof ethernet);

  uint8_t *ip = frame + 14;
  ip[0] = 0x45;
  put_u16(ip + 2, (unsigned)size - 14);
  ip[8] = 64; /* time to live */
  ip[9] = 17; /* UDP */
  memcpy(ip + 12, addresses, sizeof addresses);
  put_u16(ip + 10, ipv4_checksum(ip));

  uint8_t *udp = ip + 20;
  put_u16(udp, 5001);
  put_u16(udp + 2, 9); /* discard */
  put_u16(udp + 4, (unsigned)size - 34);
}

/* --- pacing -------------------------------------------------------------------------------- */

struct pace pace_start(uint64_t rate) { return (struct pace){now_ns(), rate}; }

void pace_wait(const struct pace *pace, uint64_t packet_number) {
  enum { SPIN_NS = 150000 }; /* a sleep may be late by about as much */

  if (pace->rate == 0) return;
  uint64_t due = pace->start_ns + (uint64_t)((double)packet_number * 1e9 / (double)pace->rate);
  for (;;) {
    uint64_t now = now_ns();
    if (now >= due) return;
    if (due - now > SPIN_NS) {
      uint64_t sleep_ns = due - now - SPIN_NS;
      struct timespec time = {(time_t)(sleep_ns / 1000000000u), (long)(sleep_ns % 1000000000u)};
      nanosleep(&time, NULL);
    }
  }
}

/* --- the receiver's work and report -------------------------------------------------------- */

void tally_ready(struct tally *tally) {
  tally->started_ns = now_ns();
  fputs("ready\n", stderr);
}

void tally_before_batch(struct tally *tally) {
  if (tally->first_ns != 0) return;
  tally->first_ns = now_ns();
  tally->first_cpu = cpu_now();
}

void tally_after_silence(struct tally *tally) { tally->silent_ms += WAIT_MS; }

bool tally_should_stop(const struct tally *tally, const struct stop_rule *rule) {
  if (rule->count != 0 && tally->packets >= rule->count) return true;
  if (tally->packets != 0 && tally->silent_ms >= rule->idle_ms) return true;
  return now_ns() - tally->started_ns >= rule->seconds * 1000000000u;
}

void tally_finish(struct tally *tally) {
  /* The few idle waits since the last packet are in it too: microseconds. */
  tally->last_cpu = cpu_now();
  if (tally->first_ns == 0) tally->first_cpu = tally->last_cpu;
}

void tally_print(const struct tally *tally, const char *receiver) {
  uint64_t user_ns = tally->last_cpu.user_ns - tally->first_cpu.user_ns;
  uint64_t system_ns = tally->last_cpu.system_ns - tally->first_cpu.system_ns;
  double seconds = (double)(tally->last_ns - tally->first_ns) / 1e9;
  double packets = (double)tally->packets;
  printf("{\"receiver\":\"%s\",\"packets\":%" PRIu64 ",\"drops\":%" PRIu64 ",\"bytes\":%" PRIu64
         ",\"seconds\":%.6f,\"pps\":%.0f,\"cpuNsPerPacket\":%.2f,\"userNs\":%" PRIu64
         ",\"systemNs\":%" PRIu64 ",\"rssKiB\":%ld,\"checksum\":%" PRIu32 "}\n",
         receiver, tally->packets, tally->drops, tally->bytes, seconds,
         seconds > 0 ? packets / seconds : 0,
         packets > 0 ? (double)(user_ns + system_ns) / packets : 0, user_ns, system_ns,
         rss_peak_kib(), tally->checksum);
}

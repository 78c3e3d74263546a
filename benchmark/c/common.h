/*
 * What the benchmark's C programs share: ending with a message, clocks, CPU time, the one
 * test frame that everything sends, and the one amount of work that every receiver does a packet.
 */
#ifndef NETRING_BENCHMARK_COMMON_H
#define NETRING_BENCHMARK_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends the program with the message; fail_errno adds what errno says. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A non-negative decimal integer of the command line; ends the program on anything else. */
uint64_t parse_number(const char *flag, const char *text);

/* The index of a named interface in this network namespace; ends the program when there is none. */
unsigned interface_index(const char *name);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/* CPU time of this process so far. */
struct cpu_time {
  uint64_t user_ns;
  uint64_t system_ns;
};
struct cpu_time cpu_now(void);

/* The largest resident set of this process so far, in KiB. */
long rss_peak_kib(void);

/* --- the frame ----------------------------------------------------------------------------- */

enum {
  FRAME_MINIMUM = 60,
  FRAME_SEQUENCE_OFFSET = 42, /* Ethernet 14 + IPv4 20 + UDP 8 */
};

/*
 * Writes a unicast UDP/IPv4 Ethernet frame of `size` bytes (without the frame check sequence) with
 * sequence number 0. Its destination address belongs to nobody, so that a receiving IP stack drops
 * it at once as another host's.
 */
void frame_build(uint8_t *frame, size_t size);

/* Writes the 64-bit big-endian sequence number at the start of the UDP payload. */
static inline void frame_set_sequence(uint8_t *frame, uint64_t sequence) {
  uint64_t big_endian = __builtin_bswap64(sequence);
  __builtin_memcpy(frame + FRAME_SEQUENCE_OFFSET, &big_endian, sizeof big_endian);
}

/* --- pacing -------------------------------------------------------------------------------- */

/*
 * Holds a sender to a rate: pace_wait returns when the packet with this number is due. It sleeps
 * while the moment is far off and spins for the rest; a rate of 0 never waits.
 */
struct pace {
  uint64_t start_ns;
  uint64_t rate;
};
struct pace pace_start(uint64_t rate);
void pace_wait(const struct pace *pace, uint64_t packet_number);

/* --- the receiver's work and report -------------------------------------------------------- */

/* When a receiver stops: whichever comes first. Silence counts from the first packet on. */
struct stop_rule {
  uint64_t count;
  uint64_t idle_ms;
  uint64_t seconds;
};

/* How long a receiver waits at most before it looks at its stop rule again. */
enum { WAIT_MS = 50 };

struct tally {
  uint64_t packets;
  uint64_t bytes;
  uint64_t drops;
  uint32_t checksum;
  uint64_t newest_timestamp_ns;

  uint64_t started_ns;
  uint64_t silent_ms;
  uint64_t first_ns;
  uint64_t last_ns;
  struct cpu_time first_cpu;
  struct cpu_time last_cpu;
};

/*
 * The work of one packet, the same in every receiver of this benchmark: length, timestamp and four
 * bytes (ethertype, protocol, low byte of the destination port, low byte of the sequence number).
 * The checksum is the sum of the length and those four bytes, modulo 2^32.
 */
static inline void tally_packet(struct tally *tally, const uint8_t *data, uint32_t captured,
                                uint32_t length, uint64_t timestamp_ns) {
  tally->packets += 1;
  tally->bytes += length;
  if (timestamp_ns > tally->newest_timestamp_ns) tally->newest_timestamp_ns = timestamp_ns;
  uint32_t sum = length;
  if (captured > 49) sum += (uint32_t)data[12] + data[23] + data[37] + data[49];
  tally->checksum += sum;
}

/* Marks the moment from which silence and --seconds are counted, and tells the runner "ready". */
void tally_ready(struct tally *tally);

/* To be called when packets are there, before the first of them is read. */
void tally_before_batch(struct tally *tally);

/* To be called after a batch. */
static inline void tally_after_batch(struct tally *tally) {
  tally->last_ns = now_ns();
  tally->silent_ms = 0;
}

/*
 * To be called when a wait of WAIT_MS ended without a packet. Silence is the sum of such waits, not
 * the difference of two clock readings: a machine that stood still for a second was not silent.
 */
void tally_after_silence(struct tally *tally);

bool tally_should_stop(const struct tally *tally, const struct stop_rule *rule);

/* To be called once, right after the loop. */
void tally_finish(struct tally *tally);

/* Prints the JSON line. */
void tally_print(const struct tally *tally, const char *receiver);

#endif

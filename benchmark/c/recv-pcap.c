/*
 * The yardstick: the same work behind libpcap, used the way its manual recommends for throughput
 * (a large buffer, a read timeout, pcap_dispatch). Prints one JSON line.
 */
#include "common.h"

#include <getopt.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

static pcap_t *capture;

static void on_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data) {
  struct tally *tally = (struct tally *)(void *)user;
  if (tally->packets == 0) tally_before_batch(tally);
  uint64_t timestamp = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec;
  tally_packet(tally, data, header->caplen, header->len, timestamp);
}

static void open_capture(const char *interface, uint64_t buffer_mib, uint64_t timeout_ms) {
  char error[PCAP_ERRBUF_SIZE];
  interface_index(interface);
  capture = pcap_create(interface, error);
  if (capture == NULL) fail("pcap_create: %s", error);
  pcap_set_snaplen(capture, 65535);
  pcap_set_buffer_size(capture, (int)(buffer_mib << 20));
  pcap_set_timeout(capture, (int)timeout_ms);
  pcap_set_tstamp_precision(capture, PCAP_TSTAMP_PRECISION_NANO);
  if (pcap_activate(capture) < 0) fail("pcap_activate: %s", pcap_geterr(capture));
}

/* A blocking pcap_dispatch waits for ever on TPACKET_V3; this makes it come back now and then. */
static void on_alarm(int signal) {
  (void)signal;
  pcap_breakloop(capture);
}

static void start_alarm(void) {
  struct sigaction action = {.sa_handler = on_alarm};
  const struct timeval period = {.tv_usec = WAIT_MS * 1000};
  const struct itimerval timer = {period, period};
  if (sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &timer, NULL) != 0)
    fail_errno("alarm");
}

static void receive(const struct stop_rule *stop, struct tally *tally) {
  start_alarm();
  while (!tally_should_stop(tally, stop)) {
    uint64_t before = tally->packets;
    int status = pcap_dispatch(capture, -1, on_packet, (u_char *)tally);
    if (status == PCAP_ERROR) fail("pcap_dispatch: %s", pcap_geterr(capture));
    if (tally->packets != before)
      tally_after_batch(tally);
    else if (status == PCAP_ERROR_BREAK)
      tally_after_silence(tally); /* a mere 0 is a wake-up too early, not a wait of WAIT_MS */
  }
}

int main(int argument_count, char **arguments) {
  static const struct option flags[] = {
      {"interface", required_argument, NULL, 'i'}, {"count", required_argument, NULL, 'c'},
      {"idle-ms", required_argument, NULL, 'm'},   {"seconds", required_argument, NULL, 's'},
      {"buffer-mib", required_argument, NULL, 'b'}, {"timeout", required_argument, NULL, 't'},
      {NULL, 0, NULL, 0}};
  const char *interface = NULL;
  uint64_t buffer_mib = 256, timeout_ms = 60;
  struct stop_rule stop = {0, 500, 60};
  int index = 0;
  for (int flag; (flag = getopt_long(argument_count, arguments, "", flags, &index)) != -1;) {
    const char *name = flags[index].name;
    switch (flag) {
      case 'i': interface = optarg; break;
      case 'c': stop.count = parse_number(name, optarg); break;
      case 'm': stop.idle_ms = parse_number(name, optarg); break;
      case 's': stop.seconds = parse_number(name, optarg); break;
      case 'b': buffer_mib = parse_number(name, optarg); break;
      case 't': timeout_ms = parse_number(name, optarg); break;
      default:
        fail("usage: recv-pcap --interface NAME [--count N] [--idle-ms MS] [--seconds S]\n"
             "  [--buffer-mib MIB] [--timeout MS]");
    }
  }

  open_capture(interface, buffer_mib, timeout_ms);
  struct tally tally = {0};
  tally_ready(&tally);
  receive(&stop, &tally);
  tally_finish(&tally);

  struct pcap_stat statistics;
  if (pcap_stats(capture, &statistics) != 0) fail("pcap_stats: %s", pcap_geterr(capture));
  tally.drops = statistics.ps_drop;
  tally_print(&tally, "recv-pcap");
  pcap_close(capture);
  return 0;
}

/*
 * Asks libpcap: compiles each line of a file of expressions, unoptimised, and runs it over a file of frames.
 *
 *   oracle verdicts LINKTYPE FRAMES EXPRESSIONS
 *     a line an expression: "! message", or the counts of instructions unoptimised and optimised (0 if refused) and a digit a frame
 *   oracle live EXPRESSIONS
 *     on lo in a network namespace of its own, where VLAN tags are in the metadata: a line an expression: "! message", or the count
 *     optimised, the count unoptimised and that program in decimal numbers
 *   oracle time LINKTYPE FRAMES EXPRESSIONS
 *     a line an expression: nanoseconds to compile, optimised, and nanoseconds a frame to run
 *
 * Frames: each has its captured and its original length, 32 bits of this machine, and the captured bytes.
 */
#define _GNU_SOURCE
#include <net/if.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define SNAPLEN 262144
#define NETMASK 0xffffff00 /* 255.255.255.0 in the order in which gen_broadcast() uses it: the host's */

struct frame {
	struct pcap_pkthdr header;
	const u_char *bytes;
};

static struct frame *frames;
static size_t frame_count;

static char *slurp(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	char *data;

	if (!file) {
		perror(path);
		exit(2);
	}
	fseek(file, 0, SEEK_END);
	*length = (size_t)ftell(file);
	rewind(file);
	data = calloc(1, *length + 1);
	if (!data || fread(data, 1, *length, file) != *length) {
		perror(path);
		exit(2);
	}
	fclose(file);
	return data;
}

static void read_frames(const char *path)
{
	size_t length, at = 0, room = 0;
	char *data = slurp(path, &length);
	uint32_t sizes[2];

	while (at + sizeof sizes <= length) {
		if (frame_count == room) {
			room = room ? 2 * room : 64;
			frames = realloc(frames, room * sizeof *frames);
			if (!frames)
				exit(2);
		}
		memcpy(sizes, data + at, sizeof sizes);
		at += sizeof sizes;
		memset(&frames[frame_count], 0, sizeof *frames);
		frames[frame_count].header.caplen = sizes[0];
		frames[frame_count].header.len = sizes[1];
		frames[frame_count].bytes = (const u_char *)data + at;
		at += sizes[0];
		frame_count++;
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void verdicts(pcap_t *handle, const char *expression)
{
	struct bpf_program program, optimised;
	unsigned count = 0;

	if (pcap_compile(handle, &program, expression, 0, NETMASK) < 0) {
		printf("! %s\n", pcap_geterr(handle));
		return;
	}
	/* Its optimizer takes minutes for programs of this size. */
	if (program.bf_len < 3000 && pcap_compile(handle, &optimised, expression, 1, NETMASK) == 0) {
		count = optimised.bf_len;
		pcap_freecode(&optimised);
	}
	printf("%u %u ", program.bf_len, count);
	for (size_t i = 0; i < frame_count; i++)
		putchar(pcap_offline_filter(&program, &frames[i].header, frames[i].bytes) ? '1' : '0');
	putchar('\n');
	pcap_freecode(&program);
}

static void live(pcap_t *handle, const char *expression)
{
	struct bpf_program program, optimised;
	unsigned count = 0;

	if (pcap_compile(handle, &program, expression, 0, NETMASK) < 0) {
		printf("! %s\n", pcap_geterr(handle));
		return;
	}
	if (program.bf_len < 3000 && pcap_compile(handle, &optimised, expression, 1, NETMASK) == 0) {
		count = optimised.bf_len;
		pcap_freecode(&optimised);
	}
	printf("%u %u", count, program.bf_len);
	for (unsigned i = 0; i < program.bf_len; i++) {
		struct bpf_insn *insn = &program.bf_insns[i];
		printf(" %u %u %u %u", insn->code, insn->jt, insn->jf, insn->k);
	}
	putchar('\n');
	pcap_freecode(&program);
}

static void measure(pcap_t *handle, const char *expression)
{
	struct bpf_program program;
	unsigned long hits = 0;
	double begin, start, compile = 1e18, run = 1e18;

	/* The fastest of what half a second allows: others use the machine too. */
	begin = now();
	do {
		start = now();
		if (pcap_compile(handle, &program, expression, 1, NETMASK) < 0) {
			printf("! %s\n", pcap_geterr(handle));
			return;
		}
		if (now() - start < compile)
			compile = now() - start;
		pcap_freecode(&program);
	} while (now() - begin < 2e8);
	if (pcap_compile(handle, &program, expression, 1, NETMASK) < 0)
		return;
	begin = now();
	do {
		start = now();
		hits = 0;
		for (int round = 0; round < 20; round++)
			for (size_t i = 0; i < frame_count; i++)
				hits += bpf_filter(program.bf_insns, frames[i].bytes, frames[i].header.len,
				    frames[i].header.caplen) != 0;
		if (now() - start < run)
			run = now() - start;
	} while (now() - begin < 2e8);
	printf("%.0f %.2f %u %lu\n", compile, run / 20 / (double)frame_count, program.bf_len, hits / 20);
	pcap_freecode(&program);
}

static pcap_t *live_handle(void)
{
	char error[PCAP_ERRBUF_SIZE];
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	pcap_t *handle;
	int fd, status;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 && unshare(CLONE_NEWNET) < 0) {
		perror("unshare");
		exit(3);
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) {
		perror("lo");
		exit(3);
	}
	handle = pcap_create("lo", error);
	if (!handle || pcap_set_snaplen(handle, SNAPLEN) < 0) {
		fprintf(stderr, "%s\n", error);
		exit(3);
	}
	status = pcap_activate(handle);
	if (status < 0) {
		fprintf(stderr, "%s\n", pcap_geterr(handle));
		exit(3);
	}
	return handle;
}

int main(int argc, char **argv)
{
	void (*each)(pcap_t *, const char *) = NULL;
	const char *list = argv[argc - 1];
	pcap_t *handle;
	char *text, *line;
	size_t length;

	if (argc == 3 && !strcmp(argv[1], "live")) {
		each = live;
		handle = live_handle();
	} else if (argc == 5 && (!strcmp(argv[1], "verdicts") || !strcmp(argv[1], "time"))) {
		each = strcmp(argv[1], "time") ? verdicts : measure;
		read_frames(argv[3]);
		handle = pcap_open_dead(atoi(argv[2]), SNAPLEN);
	} else {
		return 2;
	}
	text = slurp(list, &length);
	while ((line = strsep(&text, "\n")) != NULL) {
		if (text == NULL && *line == '\0')
			break;
		each(handle, line);
		fflush(stdout);
	}
	return 0;
}

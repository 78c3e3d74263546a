/* Makes the tun device that is named, and writes the packets into it whose bytes stand in hexadecimal on each line of stdin: they come
   in there. Says "up" once the device is. */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what) {
  perror(what);
  return 1;
}

int main(int argc, char **argv) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  char line[8192];
  int tun = open("/dev/net/tun", O_RDWR);
  int control = socket(AF_INET, SOCK_DGRAM, 0);
  if (argc != 2 || tun < 0 || control < 0) return fail("open");
  strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
  if (ioctl(tun, TUNSETIFF, &request) < 0) return fail("TUNSETIFF");
  request.ifr_flags = IFF_UP;
  if (ioctl(control, SIOCSIFFLAGS, &request) < 0) return fail("SIOCSIFFLAGS");
  puts("up");
  fflush(stdout);
  while (fgets(line, sizeof(line), stdin)) {
    unsigned char bytes[4096];
    size_t length = 0;
    unsigned int byte;
    while (sscanf(line + 2 * length, "%2x", &byte) == 1) bytes[length++] = byte;
    if (write(tun, bytes, length) != (ssize_t)length) return fail("write");
  }
  return 0;
}

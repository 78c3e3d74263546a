/* Locks a megabyte of memory: exits with 0 if it may. */
#include <stdio.h>
#include <sys/mman.h>

int main(void) {
  static char memory[1 << 20];
  if (mlock(memory, sizeof(memory)) == 0) return 0;
  perror("mlock");
  return 1;
}

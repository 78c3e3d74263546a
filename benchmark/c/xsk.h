/*
 * An AF_XDP socket on the kernel's own interface: no libxdp, so that nothing but the kernel and these
 * lines is measured.
 */
#ifndef NETRING_BENCHMARK_XSK_H
#define NETRING_BENCHMARK_XSK_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

/* One of the four rings. */
struct xsk_ring {
  uint32_t *producer;
  uint32_t *consumer;
  void *entries;
  uint32_t size;
  uint32_t mask;
};

struct xsk {
  int fd;
  uint8_t *umem;
  uint32_t frame_size;
  uint32_t frame_count;
  struct xsk_ring fill;
  struct xsk_ring completion;
  struct xsk_ring rx;
  struct xsk_ring tx;
};

/* Ends the program when there is none to be had. The rings have room for all frames, a power of two. */
struct xsk xsk_open(const char *interface, uint32_t queue, uint32_t frame_count, uint32_t frame_size);

/* Leads the packets of `queue` to the socket, natively or behind the driver, until the program ends. */
void xsk_attach(const struct xsk *xsk, const char *interface, uint32_t queue, bool skb_mode);

struct xdp_statistics xsk_statistics(const struct xsk *xsk);

/* Entries that the kernel has put there since `consumer`. */
static inline uint32_t xsk_available(const struct xsk_ring *ring, uint32_t consumer) {
  return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - consumer;
}

static inline void xsk_publish(uint32_t *position, uint32_t value) {
  __atomic_store_n(position, value, __ATOMIC_RELEASE);
}

static inline uint64_t *xsk_address(const struct xsk_ring *ring, uint32_t position) {
  return (uint64_t *)ring->entries + (position & ring->mask);
}

static inline struct xdp_desc *xsk_descriptor(const struct xsk_ring *ring, uint32_t position) {
  return (struct xdp_desc *)ring->entries + (position & ring->mask);
}

#endif

/*
 * The functions of zlib that libbpf and libxdp refer to. They read /proc/config.gz,
 * which netring never does (see build.rs); each says that it failed: 0, NULL.
 */
#define STUB(name)  \
  void *name(void); \
  void *name(void) { return (void *)0; }

STUB(gzclose)
STUB(gzgets)
STUB(gzopen)
STUB(gzopen64)

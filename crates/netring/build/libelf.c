/*
 * The functions of libelf that libbpf and libxdp refer to. They read and write BPF object files,
 * which netring never does (see build.rs); each says that it failed: 0, NULL.
 */
#define STUB(name)  \
  void *name(void); \
  void *name(void) { return (void *)0; }

STUB(elf64_getehdr)
STUB(elf64_getshdr)
STUB(elf64_newehdr)
STUB(elf_begin)
STUB(elf_end)
STUB(elf_errmsg)
STUB(elf_getdata)
STUB(elf_getphdrnum)
STUB(elf_getscn)
STUB(elf_getshdrnum)
STUB(elf_getshdrstrndx)
STUB(elf_kind)
STUB(elf_memory)
STUB(elf_ndxscn)
STUB(elf_newdata)
STUB(elf_newscn)
STUB(elf_nextscn)
STUB(elf_rawdata)
STUB(elf_strptr)
STUB(elf_update)
STUB(elf_version)
STUB(gelf_getclass)
STUB(gelf_getehdr)
STUB(gelf_getnote)
STUB(gelf_getphdr)
STUB(gelf_getshdr)
STUB(gelf_getsym)
STUB(gelf_getverdaux)
STUB(gelf_getverdef)
STUB(gelf_getversym)

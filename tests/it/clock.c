/* A wall clock that can be set for one process: from the system's it differs by as many nanoseconds as stand in the file
   that $CLOCK names. Of the other clocks nothing changes, as when an administrator or NTP sets it.

   libfaketime cannot do that here: it stands before the C library, and the program reads its clocks past that, in the
   kernel's vDSO. So this puts a jump at the beginning of the function there. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *set_by;

static int read_clock(clockid_t id, struct timespec *into) {
    int saved = errno;
    if (syscall(SYS_clock_gettime, id, into) != 0) {
        int error = errno;
        errno = saved;
        return -error;
    }
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        int64_t ns = (int64_t)into->tv_sec * 1000000000 + into->tv_nsec + *set_by;
        into->tv_sec = ns / 1000000000;
        into->tv_nsec = ns % 1000000000;
    }
    return 0;
}

static void fail(const char *what) {
    fprintf(stderr, "clock.c: %s\n", what);
    abort();
}

/* Where the vDSO has its clock_gettime. */
static unsigned char *clock_of(const unsigned char *vdso) {
    const ElfW(Ehdr) *head = (const void *)vdso;
    const ElfW(Shdr) *sections = (const void *)(vdso + head->e_shoff);
    for (int n = 0; n < head->e_shnum; n++) {
        if (sections[n].sh_type != SHT_DYNSYM) continue;
        const ElfW(Sym) *symbols = (const void *)(vdso + sections[n].sh_offset);
        const char *names = (const char *)vdso + sections[sections[n].sh_link].sh_offset;
        for (size_t at = 0; at < sections[n].sh_size / sizeof *symbols; at++) {
            const char *name = names + symbols[at].st_name;
            if (!strcmp(name, "__vdso_clock_gettime") || !strcmp(name, "__kernel_clock_gettime"))
                return (unsigned char *)vdso + symbols[at].st_value;
        }
    }
    fail("the vDSO has no clock");
    return NULL;
}

static void jump_from(unsigned char *from) {
    uint64_t to = (uint64_t)(uintptr_t)read_clock;
#if defined(__x86_64__)
    unsigned char jump[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0}; /* mov rax, to; jmp rax */
    memcpy(jump + 2, &to, sizeof to);
#elif defined(__aarch64__)
    unsigned char jump[] = {0x50, 0, 0, 0x58, 0, 2, 0x1f, 0xd6, 0, 0, 0, 0, 0, 0, 0, 0}; /* ldr x16, to; br x16 */
    memcpy(jump + 8, &to, sizeof to);
#else
#error "no jump is known for this processor"
#endif
    memcpy(from, jump, sizeof jump);
    __builtin___clear_cache((char *)from, (char *)from + sizeof jump);
}

__attribute__((constructor)) static void take_the_clock(void) {
    const char *path = getenv("CLOCK");
    if (!path) return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *set_by, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) fail("$CLOCK cannot be read");
    close(file);
    set_by = mapped;
    unsigned long first = 0, last = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && !last && fgets(line, sizeof line, maps))
        if (strstr(line, "[vdso]")) sscanf(line, "%lx-%lx", &first, &last);
    if (!last) fail("there is no vDSO");
    fclose(maps);
    if (mprotect((void *)first, last - first, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        fail("the vDSO cannot be changed");
    jump_from(clock_of((const unsigned char *)first));
    mprotect((void *)first, last - first, PROT_READ | PROT_EXEC);
}

#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3; not in glibc 2.36 */
#define MFD_NOEXEC_SEAL 8U
#endif

enum { PAGE_BYTES = 4096 };
_Static_assert(sizeof(struct counter_page) <= PAGE_BYTES, "the catalogue fits one page");

#define TOTAL COUNTER_TOTAL
#define GAUGE COUNTER_GAUGE
#define USAGE COUNTER_USAGE
const struct counter_row counter_table[COUNTER_COUNT] = {
#define COUNTER(NAME, CLASS, UNIT, PROMISE, HELP) {#NAME, CLASS, UNIT, PROMISE, HELP},
#include "counters.def"
#undef COUNTER
};

int counters_create(void) {
    int fd = memfd_create("counters", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) fd = memfd_create("counters", MFD_CLOEXEC | MFD_ALLOW_SEALING); /* before Linux 6.3 */
    if (fd < 0) return -1;
    if (ftruncate(fd, PAGE_BYTES) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

struct counter_page *counters_map(int fd, int writable) {
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (fstat(fd, &st) < 0) return NULL;
    if (st.st_size != PAGE_BYTES || seals < 0 || !(seals & F_SEAL_SHRINK)) {
        errno = EINVAL; /* a page that could shrink would fault under our hands */
        return NULL;
    }
    void *page = mmap(NULL, PAGE_BYTES, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

void counters_unmap(struct counter_page *page) {
    if (page) munmap(page, PAGE_BYTES);
}

uint64_t counter_rounded(uint64_t value) {
    uint64_t unit = 1;
    while (value / unit >= 100)
        unit *= 10;
    return value / unit * unit;
}

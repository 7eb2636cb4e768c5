/* A program that memory bounds: memory_bound [MIB [MILLION]]: MILLION dependent reads at random places of MIB mebibytes; prints nanoseconds
 * a read. What it does not run on: huge pages of its own. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    size_t places = (argc > 1 ? strtoul(argv[1], NULL, 10) : 256) << 20 >> 2,
           reads = (argc > 2 ? strtoul(argv[2], NULL, 10) : 20) * 1000000;
    uint32_t *next = mmap(NULL, places * sizeof *next, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (next == MAP_FAILED || places < 2 || places > UINT32_MAX) return 1;
    madvise(next, places * sizeof *next, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < places; i++)
        next[i] = (uint32_t)i;
    uint64_t seed = 1;
    for (size_t i = places - 1; i > 0; i--) { /* one cycle through all places (Sattolo) */
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t j = (size_t)((seed >> 33) % i);
        uint32_t other = next[i];
        next[i] = next[j];
        next[j] = other;
    }
    uint32_t at = 0;
    double start = now();
    for (size_t i = 0; i < reads; i++)
        at = next[at];
    printf("%.3f\n", (now() - start) / (double)reads * 1e9);
    return at == UINT32_MAX;
}

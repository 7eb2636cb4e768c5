#include "posture.h"

#include "../policy/messages.h"
#include "proof.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

uint8_t posture_yama(const char *text) {
    if (!text) return LAYER_UNAVAILABLE;
    return text[0] >= '1' && text[0] <= '3' ? LAYER_ON : LAYER_OFF;
}

uint8_t posture_lockdown(const char *text) {
    if (!text) return LAYER_UNAVAILABLE;
    return strstr(text, "[confidentiality]") ? LAYER_ON : LAYER_OFF; /* [integrity] still lets root read kernel memory */
}

uint8_t posture_no_swap(const char *text) {
    if (!text) return LAYER_ON; /* a kernel without swap */
    const char *rows = strchr(text, '\n');
    return rows && rows[1] ? LAYER_OFF : LAYER_ON;
}

uint8_t posture_no_hibernation(const char *text) {
    if (!text) return LAYER_ON;                               /* a kernel without it */
    return strstr(text, "[disabled]") ? LAYER_ON : LAYER_OFF; /* by nohibernate, lockdown or secret memory in use */
}

uint8_t posture_no_core_pattern(const char *text) {
    if (!text) return LAYER_ON;
    return text[0] == '|' ? LAYER_OFF : LAYER_ON; /* a handler is given memory even where RLIMIT_CORE is 0 */
}

uint8_t posture_no_ksm(const char *text) {
    if (!text) return LAYER_ON; /* a kernel without it */
    return text[0] == '1' ? LAYER_OFF : LAYER_ON;
}

static const struct {
    enum layer layer;
    const char *path;
    uint8_t (*judge)(const char *text);
} files[] = {
    {LAYER_yama, "/proc/sys/kernel/yama/ptrace_scope", posture_yama},
    {LAYER_lockdown, "/sys/kernel/security/lockdown", posture_lockdown},
    {LAYER_no_swap, "/proc/swaps", posture_no_swap},
    {LAYER_no_hibernation, "/sys/power/disk", posture_no_hibernation},
    {LAYER_no_core_pattern, "/proc/sys/kernel/core_pattern", posture_no_core_pattern},
    {LAYER_no_ksm, "/sys/kernel/mm/ksm/run", posture_no_ksm},
};

void posture_observe(uint8_t layer[64], uint64_t *capabilities) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char text[4096];
        int fd = open(files[i].path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0) close(fd);
        if (size >= 0) text[size] = '\0';
        layer[files[i].layer] = files[i].judge(size >= 0 ? text : NULL);
    }
    struct proof own;
    bool read_own = proof_read(getpid(), &own);
    *capabilities = read_own ? own.capabilities | own.bounding : ~0ULL;
    layer[LAYER_supervisor_caps] = *capabilities & ~POSTURE_KEPT ? LAYER_OFF : LAYER_ON;
    struct rlimit core;
    layer[LAYER_supervisor_no_core] = getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 ? LAYER_ON : LAYER_OFF;
    layer[LAYER_supervisor_seccomp] = read_own && own.seccomp == 2 ? LAYER_ON : LAYER_OFF;
}

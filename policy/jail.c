#include "jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_MDWE /* Linux 6.3; not in glibc 2.36 */
#define PR_SET_MDWE              65
#define PR_GET_MDWE              66
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

/* The namespaces a process was born with and lives in now, by inode of /proc/self/ns. */
static const struct {
    const char *path;
    enum layer layer;
    int flag;
} namespaces[] = {
    {"/proc/self/ns/user", LAYER_user_namespace, CLONE_NEWUSER},       {"/proc/self/ns/mnt", LAYER_mount_namespace, CLONE_NEWNS},
    {"/proc/self/ns/pid", LAYER_pid_namespace, CLONE_NEWPID},          {"/proc/self/ns/net", LAYER_net_namespace, CLONE_NEWNET},
    {"/proc/self/ns/ipc", LAYER_ipc_namespace, CLONE_NEWIPC},          {"/proc/self/ns/uts", LAYER_uts_namespace, CLONE_NEWUTS},
    {"/proc/self/ns/cgroup", LAYER_cgroup_namespace, CLONE_NEWCGROUP},
};
enum { NAMESPACES = sizeof namespaces / sizeof *namespaces };
static ino_t born[NAMESPACES], now[NAMESPACES];
static int landlock_version; /* of the ruleset in force, 0 = none */

static void namespaces_read(ino_t inode[NAMESPACES]) {
    for (int i = 0; i < NAMESPACES; i++) {
        struct stat st;
        inode[i] = stat(namespaces[i].path, &st) == 0 ? st.st_ino : 0;
    }
}

int jail_close_from(int first) { return (int)syscall(SYS_close_range, (unsigned)first, ~0U, 0); }

int jail_become(uid_t uid, gid_t gid) {
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) return -1;
    return 0;
}

static int capabilities_set(uint64_t keep) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted = (uint32_t)(keep >> (32 * i));
    return (int)syscall(SYS_capset, &head, data);
}

static uint64_t capabilities_held(void) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &head, data) < 0) return ~0ULL;
    return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

int jail_keep_capabilities(uint64_t keep) {
    uint64_t held = capabilities_held();
    if (held >> CAP_SETPCAP & 1) {
        for (int c = 0; c < 64; c++)
            if (!(keep >> c & 1) && prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) return -1;
        unsigned long bits = SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_NOROOT | SECBIT_NOROOT_LOCKED;
        if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0) return -1;
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return -1;
    return capabilities_set(held & keep);
}

static int write_line(const char *path, const char *line) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t written = write(fd, line, strlen(line));
    int why = errno;
    close(fd);
    errno = why;
    return written == (ssize_t)strlen(line) ? 0 : -1;
}

enum { NETWORKED = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, ALONE = NETWORKED | CLONE_NEWNET };

static int unshare_all(int which) {
    uid_t uid = getuid();
    gid_t gid = getgid();
    char map[64];
    namespaces_read(born);
    if (unshare(which) < 0) return -1;
    if (write_line("/proc/self/setgroups", "deny") < 0) return -1;
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    if (write_line("/proc/self/uid_map", map) < 0) return -1;
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    if (write_line("/proc/self/gid_map", map) < 0) return -1;
    /* systemd's ProtectHostname= refuses it; then the name is there, but uname() is not on the worker's list. */
    return sethostname("", 0) < 0 && errno != EPERM ? -1 : 0;
}

static int unshare_and_see(int which) {
    if (unshare_all(which) < 0) return -1;
    namespaces_read(now);
    return 0;
}

int jail_unshare(void) { return unshare_and_see(ALONE); }
int jail_unshare_networked(void) { return unshare_and_see(NETWORKED); }

/* H1: a worker's namespaces are made by its own uid, after exec */
int jail_unshare_as_init(void) {
    if (unshare_all(ALONE | CLONE_NEWPID) < 0) return -1;
    /* A sibling, so that the supervisor is its parent, reaps it and is the one whose death ends it. glibc's cached thread id of this
     * first thread is stale afterwards; no lock is taken on it (the worker works on threads made later). */
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) return -1;
    if (pid > 0) _exit(0);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return -1;
    namespaces_read(now);
    return 0;
}

/* The current directory, a mount of its own, becomes the whole tree. */
static int pivot_here(unsigned long flags) {
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) return -1;
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC | flags, NULL);
}

int jail_enter_directory(void) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    if (mount(".", ".", NULL, MS_BIND, NULL) < 0) return -1;
    /* The bind mount covers the directory; walk into it by its path. */
    char here[4096];
    if (!getcwd(here, sizeof here) || chdir(here) < 0) return -1;
    return pivot_here(0);
}

/* In "/run", whose place the empty root takes. */
static int enter_tmpfs(void) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    if (mount("none", "/run", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=0755") < 0) return -1;
    return chdir("/run");
}

int jail_enter_empty(void) { return enter_tmpfs() < 0 ? -1 : pivot_here(MS_RDONLY); }

/* Makes every directory of an absolute path, below the current one. */
static int make_path(const char *path) {
    char part[PATH_BYTES_MAX + 1];
    snprintf(part, sizeof part, "%s", path + 1);
    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST) return -1;
        *slash = '/';
    }
    return mkdir(part, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

/* A mount of another user namespace keeps its flags, so they are asked for again. */
static int bind_readable(int source, const char *path) {
    char from[32];
    struct statvfs st;
    snprintf(from, sizeof from, "/proc/self/fd/%d", source);
    if (make_path(path) < 0 || fstatvfs(source, &st) < 0 || mount(from, path + 1, NULL, MS_BIND | MS_REC, NULL) < 0) return -1;
    unsigned long kept = st.f_flag & (ST_NOATIME | ST_NODIRATIME | ST_RELATIME); /* the same bits as MS_ */
    return mount(NULL, path + 1, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | kept, NULL);
}

int jail_enter_only(const char *const path[], size_t count) {
    int source[8];
    if (count > sizeof source / sizeof *source) return errno = EINVAL, -1;
    for (size_t i = 0; i < count; i++) /* before a mount covers one */
        if ((source[i] = open(path[i], O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0 && errno != ENOENT) return -1;
    if (enter_tmpfs() < 0) return -1;
    for (size_t i = 0; i < count; i++) {
        if (source[i] < 0) continue;
        if (bind_readable(source[i], path[i]) < 0) return -1;
        close(source[i]);
    }
    return pivot_here(MS_RDONLY);
}

enum { LANDLOCK_READS = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR };
#define LANDLOCK_NOT_BENEATH                                                                                                               \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK |            \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)

static int landlock_beneath(int ruleset, int directory, uint64_t rights) {
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = directory};
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int landlock_open(int ruleset, const struct jail_opening *o, uint64_t fs, bool net) {
    for (size_t i = 0; i < o->directories; i++)
        if (landlock_beneath(ruleset, o->directory[i], fs & ~(uint64_t)LANDLOCK_NOT_BENEATH) < 0) return -1;
    for (size_t i = 0; i < o->readables; i++) {
        int directory = open(o->readable[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0 && errno == ENOENT) continue;
        if (directory < 0 || landlock_beneath(ruleset, directory, LANDLOCK_READS) < 0) return -1;
        close(directory);
    }
    for (size_t i = 0; net && i < o->ports; i++) {
        struct {
            uint64_t access, port; /* struct landlock_net_port_attr, LANDLOCK_RULE_NET_PORT: Linux 6.7, not in these headers */
        } rule = {.access = 2, .port = o->port[i]};
        if (syscall(SYS_landlock_add_rule, ruleset, 2, &rule, 0) < 0) return -1;
    }
    return 0;
}

/* A ruleset that handles everything and allows nothing but the opening (NULL: nothing): no new file, whatever the mount tree says. */
static int landlock_close(const struct jail_opening *opening) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return 0; /* the kernel has none; jail_observe says so */
    struct {
        uint64_t fs, net, scoped;
    } handled = {.fs = (1ULL << 13) - 1}; /* ABI 1: all 13 rights */
    size_t size = sizeof handled.fs;
    if (abi >= 2) handled.fs |= 1ULL << 13;                      /* REFER */
    if (abi >= 3) handled.fs |= 1ULL << 14;                      /* TRUNCATE */
    if (abi >= 5) handled.fs |= 1ULL << 15;                      /* IOCTL_DEV */
    if (abi >= 4) handled.net = 3, size = 2 * sizeof handled.fs; /* bind and connect TCP */
    if (abi >= 6) handled.scoped = 3, size = sizeof handled;     /* abstract Unix sockets, signals */
    int fd = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
    if (fd < 0) return -1;
    long closed = opening ? landlock_open(fd, opening, handled.fs, abi >= 4) : 0;
    if (closed == 0) closed = syscall(SYS_landlock_restrict_self, fd, 0);
    int why = errno;
    close(fd);
    errno = why;
    if (closed < 0) return -1;
    landlock_version = (int)abi;
    return 0;
}

int jail_limit_files(uint64_t bytes) {
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) return -1;
    return setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, bytes});
}

int jail_drop_rights(void) { return jail_drop_rights_but(NULL); }

int jail_drop_rights_but(const struct jail_opening *opening) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
    if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0 && errno != EINVAL) return -1;
    if (jail_keep_capabilities(0) < 0) return -1;
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0}) < 0) return -1;
    if (landlock_close(opening) < 0) return -1;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return -1;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static uint8_t on(bool holds) { return holds ? LAYER_ON : LAYER_OFF; }

static bool no_capability(void) {
    for (int c = 0; c < 64; c++)
        if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1) return false;
    return capabilities_held() == 0;
}

void jail_observe(uint8_t layer[64], uint32_t *landlock_abi) {
    memset(layer, 0, 64);
    for (int i = 0; i < NAMESPACES; i++)
        layer[namespaces[i].layer] = on(now[i] && now[i] != born[i]);
    layer[LAYER_no_new_privs] = on(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    layer[LAYER_no_capabilities] = on(no_capability());
    layer[LAYER_not_dumpable] = on(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    int mdwe = prctl(PR_GET_MDWE, 0, 0, 0, 0);
    layer[LAYER_mdwe] = mdwe < 0 ? LAYER_UNAVAILABLE : on(mdwe & PR_MDWE_REFUSE_EXEC_GAIN);
    bool has_landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
    layer[LAYER_landlock] = has_landlock ? on(landlock_version > 0) : LAYER_UNAVAILABLE;
    *landlock_abi = (uint32_t)landlock_version;
}

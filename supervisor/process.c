#include "process.h"

#include "proof.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
static int pidfd_kill(int fd) { return (int)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0); }

static void forget(pid_t *pid, int *fd) {
    if (*pid) close(*fd);
    *pid = 0;
    *fd = -1;
}

/* The number of filters we run under ourselves: a child inherits them. */
static uint32_t own_filters(void) {
    struct proof own;
    return proof_read(getpid(), &own) ? own.filters : 0;
}

void process_begin(struct process *p, const struct spawned *spawned, uid_t uid, uint64_t bounding) {
    *p = (struct process){
        .uid = uid, .bounding = bounding, .launcher = spawned->pid, .launcher_fd = spawned->pidfd, .fd = -1, .filters = own_filters()};
}

bool process_exists(const struct process *p) { return p->launcher || p->pid; }
bool process_is(const struct process *p, pid_t pid) { return pid && (pid == p->launcher || pid == p->pid); }

const char *process_adopt(struct process *p, pid_t pid) {
    struct proof proof;
    if (p->pid) return "said ready twice";
    if (pid <= 0) return "did not say who it is";
    if (pid == p->launcher) {
        p->pid = p->launcher;
        p->fd = p->launcher_fd;
        p->launcher = 0;
    } else {
        int fd = pidfd_open(pid);
        if (fd < 0) return "is gone already";
        /* The pidfd first: what /proc says afterwards is about this process, since only we can reap it. */
        if (!proof_read(pid, &proof) || proof.parent != getpid() || proof.uid != p->uid) {
            close(fd);
            return "is not our child";
        }
        p->pid = pid;
        p->fd = fd;
    }
    if (!proof_read(pid, &proof)) return "is not to be seen in /proc (is it mounted with hidepid?)";
    return proof_lacks(&proof, &(struct proof_demand){.parent = getpid(), .uid = p->uid, .filters = p->filters, .bounding = p->bounding});
}

/* Before it said ready the sibling's pid is not known, but it is a child of ours and alone has this uid. Calls visit for each such process
 * that lives; true: there was one. */
static bool each_of_uid(uid_t uid, void (*visit)(int pidfd)) {
    DIR *proc = opendir("/proc");
    bool any = false;
    if (!proc) return true; /* not known: as if there were one */
    for (struct dirent *e; (e = readdir(proc));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        int fd = pid > 0 ? pidfd_open(pid) : -1;
        struct proof proof;
        if (fd < 0) continue;
        if (proof_read(pid, &proof) && proof.parent == getpid() && proof.uid == uid && !proof.dead) {
            any = true;
            visit(fd);
        }
        close(fd);
    }
    closedir(proc);
    return any;
}

static void visit_kill(int pidfd) { pidfd_kill(pidfd); }
static void visit_nothing(int pidfd) { (void)pidfd; }

bool process_kill(struct process *p) {
    if (p->launcher) pidfd_kill(p->launcher_fd);
    if (p->pid)
        pidfd_kill(p->fd);
    else if (p->uid)
        each_of_uid(p->uid, visit_kill);
    return !process_exists(p);
}

static enum process_end launcher_ended(struct process *p, int *status) {
    forget(&p->launcher, &p->launcher_fd);
    if (p->pid) return PROCESS_LAUNCHED;
    if (*status != 0) return PROCESS_GONE;
    if (!p->early || each_of_uid(p->uid, visit_nothing)) return PROCESS_LAUNCHED;
    *status = p->early_status;
    return PROCESS_GONE;
}

enum process_end process_ended(struct process *p, pid_t pid, uid_t uid, int *status) {
    if (p->pid && pid == p->pid) {
        forget(&p->pid, &p->fd);
        forget(&p->launcher, &p->launcher_fd);
        return PROCESS_GONE;
    }
    if (p->launcher && pid == p->launcher) return launcher_ended(p, status);
    if (p->pid || !uid || uid != p->uid) return PROCESS_NOT_MINE;
    if (!p->launcher) return each_of_uid(uid, visit_nothing) ? PROCESS_NOT_MINE : PROCESS_GONE;
    p->early = true; /* the news of the two may come in either order */
    p->early_status = *status;
    return PROCESS_NOT_MINE;
}

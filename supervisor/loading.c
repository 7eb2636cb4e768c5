#include "loading.h"

#include "backups.h"
#include "clock.h"
#include "errand.h"
#include "log.h"
#include "spawn.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = PATH_BYTES_MAX + 64 };

bool loading_may(const struct tenant *t) { return !t->backups.loader && !t->backups.sweeper && !t->backups.job; }

static void drill_folder(const struct tenant *t, char path[PATH_ROOM]) {
    snprintf(path, PATH_ROOM, "%s/drills/%s", t->house->config.state_dir, t->entry->name);
}

/* Where the file is made; a drill's folder is there already when one was cut short: it is emptied first. */
static bool folder_of(struct tenant *t, enum verb verb, char path[PATH_ROOM]) {
    if (verb == VERB_backup_restore) {
        snprintf(path, PATH_ROOM, "%s/tenants/%s", t->house->config.state_dir, t->entry->name);
        return tenant_make_directory(t);
    }
    snprintf(path, PATH_ROOM, "%s/drills", t->house->config.state_dir);
    if ((mkdir(path, 0711) < 0 && errno != EEXIST) || chmod(path, 0711) < 0) return false; /* whatever the umask */
    drill_folder(t, path);
    return spawn_make_directory(t->entry->uid, path) == 0;
}

static void sweep(struct tenant *t) {
    char path[PATH_ROOM];
    drill_folder(t, path);
    t->backups.sweeper = spawn_emptier(t->entry->uid, path);
    if (t->backups.sweeper > 0) return;
    log_errno("tenant %s: what the drill made is still there", t->entry->name);
    t->backups.sweeper = 0;
}

bool loading_clear(struct tenant *t) {
    struct backups *b = &t->backups;
    struct stat st;
    char path[PATH_ROOM];
    drill_folder(t, path);
    if (b->loader || b->sweeper || (b->job && b->task == TASK_GIVE)) return false;
    if (lstat(path, &st) < 0) return errno == ENOENT;
    sweep(t);
    return false;
}

bool loading_begin(struct tenant *t, enum verb verb, struct message_job *job, void (*send)(struct tenant *, struct message_job *, int fd)) {
    char path[PATH_ROOM], binary[PATH_ROOM];
    int end[2];
    snprintf(binary, sizeof binary, "%s/cloison-loader", t->house->config.binaries);
    if (!folder_of(t, verb, path)) {
        log_errno("tenant %s: %s", t->entry->name, path);
        if (verb == VERB_backup_drill && errno == EEXIST) sweep(t); /* of one that was cut short: the next one finds it gone */
        return false;
    }
    if (pipe2(end, O_CLOEXEC) < 0) return false;
    t->backups.verb = verb;
    t->backups.given = false;
    t->backups.loader = spawn_loader(binary, t->entry->uid, path, end[0], t->entry->quota_bytes, verb == VERB_backup_restore);
    if (t->backups.loader > 0)
        send(t, job, end[1]);
    else
        t->backups.loader = 0;
    close(end[0]);
    close(end[1]);
    return t->backups.loader > 0;
}

/* Both have said what they have to say. */
static void finish(struct tenant *t) {
    struct backups *b = &t->backups;
    enum backup_result result = (enum backup_result)b->outcome.result;
    if (b->loader || !b->given) return;
    /* When the loader left first, the courier only says that nobody took it. */
    if (b->loaded != 0 && (result == BACKUP_DONE || result == BACKUP_NO_STREAM)) result = BACKUP_NOT_LOADED;
    if (b->loaded > 0) log_say("tenant %s: the snapshot was not loaded: %s", t->entry->name, strerror(b->loaded));
    bool drill = b->verb == VERB_backup_drill;
    ledger_event(t->house->ledger, clock_unix_ms(), drill ? "drilled" : "restored", supervisor_about(t->entry), backup_result_word(result));
    struct answer answer = {.result = result == BACKUP_DONE ? ACT_DONE : ACT_FAILED, .detail = result, .fd = -1};
    errand_answered_of(t, b->verb, (enum backup_kind)b->kind_now, &answer);
    b->given = false;
    if (drill) sweep(t);
    tell_tenant(t);
}

void loading_given(struct tenant *t, const struct message_outcome *outcome) {
    t->backups.outcome = *outcome;
    t->backups.given = true;
    finish(t);
}

bool loading_child(struct tenant *t, pid_t pid, int status) {
    char path[PATH_ROOM];
    if (t->backups.loader && pid == t->backups.loader) {
        t->backups.loader = 0;
        t->backups.loaded = status;
        finish(t);
        return true;
    }
    if (!t->backups.sweeper || pid != t->backups.sweeper) return false;
    t->backups.sweeper = 0;
    drill_folder(t, path);
    if (status != 0 || rmdir(path) < 0) log_say("tenant %s: %s is not removed", t->entry->name, path);
    return true;
}

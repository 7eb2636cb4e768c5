/* The key capsule: what opens it and what must not, power cuts after every piece of every write, forged fields. The published attacks by
 * name are in slot_attack_test.c. */
#include "../../policy/limits.h"
#include "../../worker/keys/password.h"
#include "capsule_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* The capsule's writes go through here: after `allowed` bytes the machine stops, or the disk fails. */
static long allowed = -1;
static bool disk_fails;
static bool mute; /* forget fdatasync: nothing to test there */

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    if (allowed >= 0) {
        size_t now = size < (size_t)allowed ? size : (size_t)allowed;
        if (now) syscall(SYS_pwrite64, fd, bytes, now, at);
        allowed -= (long)now;
        if (now < size && disk_fails) {
            errno = EIO;
            return -1;
        }
        if (now < size) _exit(0);
    }
    return syscall(SYS_pwrite64, fd, bytes, size, at);
}
int fdatasync(int fd) { return mute ? 0 : (int)syscall(SYS_fdatasync, fd); }

static int fresh(void **state) {
    (void)state;
    unlink(path);
    allowed = -1;
    disk_fails = false;
    return 0;
}

/* What a copy elsewhere must follow: everything but a new session; and a copy is the file, byte by byte. */
static void copies_are_dated(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], session[KEY_BYTES], token[KEY_BYTES];
    struct capsule *c = enrolled(tmk);
    uint64_t dated = capsule_dated(c), version = capsule_version(c);
    assert_int_equal(dated, version);
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, session), 0);
    assert_int_equal(capsule_dated(c), dated);
    assert_true(capsule_version(c) > version);
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, user, 0, token), 0);
    assert_true(capsule_dated(c) > dated);
    int to = memfd_create("copy", MFD_CLOEXEC);
    assert_int_equal(capsule_copy(c, to), 0);
    assert_int_equal(lseek(to, 0, SEEK_END), CAPSULE_BYTES);
    struct capsule *copy = capsule_open(to);
    assert_true(opens_secret(copy, session));
    capsule_close(copy);
    dated = capsule_dated(c);
    assert_int_equal(capsule_remove_kind(c, SLOT_SESSION), 0);
    assert_true(capsule_dated(c) > dated);
    to = memfd_create("copy", MFD_CLOEXEC);
    assert_int_equal(capsule_copy(c, to), 0);
    copy = capsule_open(to);
    assert_false(opens_secret(copy, session));
    assert_true(opens_secret(copy, token));
    capsule_close(copy);
    capsule_close(c);
}

static void begins_empty(void **state) {
    (void)state;
    struct capsule *c = must_open(NULL);
    struct slot slot;
    uint8_t tmk[KEY_BYTES], tenant[ID_BYTES];
    assert_false(capsule_enrolled(c));
    assert_int_equal(capsule_slots(c, 0), 0);
    assert_false(capsule_slot(c, 0, &slot));
    assert_false(opens_password(c, "anna", stretched, tmk));
    assert_int_equal(capsule_remove_kind(c, SLOT_SESSION), 0);
    memcpy(tenant, capsule_tenant_id(c), ID_BYTES);
    c = must_open(c);
    assert_memory_equal(capsule_tenant_id(c), tenant, ID_BYTES);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    off_t size = st.st_size;
    capsule_close(c);
    c = enrolled(tmk);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, size); /* always the same */
    capsule_close(c);
}

/* Of an enrolled tenant: absent, empty, cut, torn or without a slot is not a new one, and is not made one. */
static void lost_is_not_new(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], junk[4096] = {7}, after[4096];
    for (int i = 0; i < 4; i++) {
        fresh(NULL);
        capsule_close(i == 3 ? must_open(NULL) : NULL);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (i == 1) syscall(SYS_pwrite64, fd, junk, 8, 0);
        if (i == 2) syscall(SYS_pwrite64, fd, junk, sizeof junk, 0);
        syscall(SYS_pread64, fd, junk, sizeof junk, 0);
        errno = 0;
        assert_null(capsule_open_enrolled(fd));
        assert_int_equal(errno, EBADMSG);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        syscall(SYS_pread64, fd, after, sizeof after, 0);
        assert_memory_equal(after, junk, i == 1 ? 8 : i == 0 ? 0 : sizeof after);
        close(fd);
    }
    fresh(NULL);
    capsule_close(enrolled(tmk));
    struct capsule *c = capsule_open_enrolled(open(path, O_RDWR | O_CLOEXEC));
    assert_non_null(c);
    assert_true(opens_password(c, "anna", stretched, tmk));
    capsule_close(c);
}

static void enrols_once(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], again[KEY_BYTES], wrong[KEY_BYTES] = {0};
    static const uint8_t zero[KEY_BYTES];
    struct capsule *c = enrolled(tmk);
    struct slot a = login_slot(c, "eve", user), b = {0};
    assert_int_equal(capsule_enrol(c, &a, salt, stretched, &b, kit, again), EEXIST);
    for (int round = 0; round < 2; round++) {
        assert_true(capsule_enrolled(c));
        assert_int_equal(capsule_slots(c, SLOT_PASSWORD), 1);
        assert_int_equal(capsule_slots(c, SLOT_RECOVERY), 1);
        assert_true(opens_password(c, "anna", stretched, again));
        assert_memory_equal(again, tmk, KEY_BYTES);
        assert_false(opens_password(c, "anna", wrong, again));
        assert_memory_equal(again, zero, KEY_BYTES);
        assert_false(opens_password(c, "Anna", stretched, again));
        assert_false(opens_password(c, "nobody", stretched, again));
        assert_true(opens_secret(c, kit));
        assert_false(opens_secret(c, wrong));
        c = must_open(c);
    }
    capsule_close(c);
}

static void salts_tell_nothing(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], locator[ID_BYTES], a[32], b[32];
    struct capsule *c = enrolled(tmk);
    capsule_login_locator(c, "anna", locator);
    capsule_login_salt(c, locator, a);
    assert_memory_equal(a, salt, sizeof a);
    capsule_login_locator(c, "nobody", locator);
    capsule_login_salt(c, locator, a);
    c = must_open(c);
    capsule_login_salt(c, locator, b);
    assert_memory_equal(a, b, sizeof a);
    capsule_close(c);
}

static void sessions_and_tokens(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], session[KEY_BYTES], token[KEY_BYTES], past[KEY_BYTES], got[KEY_BYTES];
    struct capsule *c = enrolled(tmk);
    struct slot slot;
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, (uint64_t)time(NULL) + 100, session), 0);
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, user, 0, token), 0);
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, user, (uint64_t)time(NULL) - 1, past), 0);
    c = must_open(c);
    assert_true(capsule_open_secret(c, session, &slot, got));
    assert_memory_equal(got, tmk, KEY_BYTES);
    assert_int_equal(slot.kind, SLOT_SESSION);
    assert_int_equal(slot.rights, 3);
    assert_memory_equal(slot.owner, user, ID_BYTES);
    assert_true(capsule_open_secret(c, token, &slot, got));
    assert_int_equal(slot.kind, SLOT_TOKEN);
    assert_false(opens_secret(c, past));
    assert_int_equal(capsule_slots(c, SLOT_TOKEN), 1);
    assert_int_equal(capsule_remove(c, slot.id), 0);
    assert_int_equal(capsule_remove(c, slot.id), ENOENT);
    assert_false(opens_secret(c, token));
    assert_true(opens_secret(c, session));
    c = must_open(c);
    assert_int_equal(capsule_remove(c, slot.id), EPERM); /* nothing was opened yet */
    assert_false(opens_secret(c, token));
    assert_true(opens_secret(c, session));
    capsule_close(c);
}

static void lock_needs_no_key(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], session[KEY_BYTES], token[KEY_BYTES], got[KEY_BYTES];
    struct capsule *c = enrolled(tmk);
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, session), 0);
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, user, 0, token), 0);
    c = must_open(c);
    assert_int_equal(capsule_remove_kind(c, SLOT_SESSION), 0);
    for (int round = 0; round < 2; round++) {
        assert_false(opens_secret(c, session));
        assert_true(opens_secret(c, token));
        assert_true(opens_password(c, "anna", stretched, got));
        if (round == 0) c = must_open(c);
    }
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, session), 0);
    c = must_open(c);
    assert_true(opens_secret(c, session));
    assert_int_equal(capsule_remove_kind(c, SLOT_SESSION), 0);
    assert_true(opens_secret(c, token));
    capsule_close(c);
}

static void password_change(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES], new[KEY_BYTES] = "new";
    struct capsule *c = enrolled(tmk);
    struct slot slot = login_slot(c, "anna", user), foreign = login_slot(c, "anna", other_user);
    assert_int_equal(capsule_add_password(c, tmk, &foreign, salt, new), EEXIST);
    assert_int_equal(capsule_add_password(c, tmk, &slot, salt, new), 0);
    assert_int_equal(capsule_slots(c, SLOT_PASSWORD), 1);
    for (int round = 0; round < 2; round++) {
        assert_true(opens_password(c, "anna", new, got));
        assert_false(opens_password(c, "anna", stretched, got));
        c = must_open(c);
    }
    /* A new kit replaces the old one. */
    uint8_t kit2[KEY_BYTES];
    assert_int_equal(add_secret(c, tmk, SLOT_RECOVERY, user, 0, kit2), 0);
    assert_int_equal(capsule_slots(c, SLOT_RECOVERY), 1);
    assert_false(opens_secret(c, kit));
    assert_true(opens_secret(c, kit2));
    /* All of a user. */
    slot = login_slot(c, "else", other_user);
    assert_int_equal(capsule_add_password(c, tmk, &slot, salt, new), 0);
    assert_int_equal(capsule_remove_owner(c, other_user, 0), 0);
    assert_false(opens_password(c, "else", new, got));
    assert_true(opens_password(c, "anna", new, got));
    capsule_close(c);
}

/* A password and an invitation of one owner take each other's place, each in one write. */
static void invitation(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES], new[KEY_BYTES] = "new", first[KEY_BYTES], second[KEY_BYTES], of_another[KEY_BYTES];
    struct capsule *c = enrolled(tmk);
    struct slot slot = login_slot(c, "anna", user);
    assert_int_equal(add_secret(c, tmk, SLOT_INVITATION, other_user, 0, of_another), 0);
    assert_true(opens_password(c, "anna", stretched, got));
    assert_int_equal(add_secret(c, tmk, SLOT_INVITATION, user, 0, first), 0);
    assert_false(opens_password(c, "anna", stretched, got));
    assert_int_equal(add_secret(c, tmk, SLOT_INVITATION, user, 0, second), 0);
    assert_int_equal(capsule_slots(c, SLOT_INVITATION), 2);
    assert_int_equal(capsule_slots_of(c, user, SLOT_INVITATION), 1);
    assert_false(opens_secret(c, first));
    c = must_open(c);
    assert_true(opens_secret(c, second));
    assert_int_equal(capsule_add_password(c, tmk, &slot, salt, new), 0);
    for (int round = 0; round < 2; round++) {
        assert_false(opens_secret(c, second));
        assert_true(opens_secret(c, of_another));
        assert_true(opens_password(c, "anna", new, got));
        c = must_open(c);
    }
    /* An expired one goes with the next slot. */
    assert_int_equal(add_secret(c, tmk, SLOT_INVITATION, user, (uint64_t)time(NULL) - 1, first), 0);
    assert_false(opens_secret(c, first));
    assert_int_equal(capsule_slots_of(c, user, 0), 1); /* the kit */
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, first), 0);
    assert_int_equal(c->image->count, 3); /* kit, session, the other's invitation */
    /* All log-ins but one. */
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, user, 0, second), 0);
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, other_user, 0, new), 0);
    uint8_t kept[ID_BYTES];
    for (uint32_t i = 0; i < c->image->count; i++)
        if (c->image->slot[i].kind == SLOT_SESSION) memcpy(kept, c->image->slot[i].id, ID_BYTES);
    assert_int_equal(capsule_remove_logins(c, user, kept), 0);
    assert_true(opens_secret(c, first) && !opens_secret(c, second) && opens_secret(c, new));
    assert_int_equal(capsule_remove_logins(c, user, kept), ENOENT);
    assert_int_equal(capsule_remove_logins(c, NULL, NULL), 0);
    assert_true(!opens_secret(c, first) && !opens_secret(c, new) && opens_secret(c, kit) && opens_secret(c, of_another));
    capsule_close(c);
}

/* Kits of many administrators must not take the room of log-ins. */
static void kits_are_bounded(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], s[KEY_BYTES], owner[ID_BYTES] = {9};
    struct capsule *c = enrolled(tmk);
    for (int i = 1; i < SLOTS_OF_RECOVERY; i++) {
        owner[1] = (uint8_t)i;
        assert_int_equal(add_secret(c, tmk, SLOT_RECOVERY, owner, 0, s), 0);
    }
    assert_int_equal(add_secret(c, tmk, SLOT_RECOVERY, owner, 0, s), 0); /* instead of their own */
    owner[1] = 0;
    assert_int_equal(add_secret(c, tmk, SLOT_RECOVERY, owner, 0, s), ENOSPC);
    capsule_close(c);
}

static void bounded(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], first[KEY_BYTES], token[KEY_BYTES], s[KEY_BYTES], got[KEY_BYTES], owner[ID_BYTES] = {0};
    mute = true;
    struct capsule *c = enrolled(tmk);
    struct slot slot = {.kind = SLOT_SESSION, .created = 1};
    memcpy(slot.owner, user, ID_BYTES);
    random_bytes(first, sizeof first);
    assert_int_equal(capsule_add_secret(c, tmk, &slot, first), 0);
    for (int i = 1; i < SLOTS_OF_SESSIONS; i++)
        assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, s), 0);
    assert_true(opens_secret(c, first));
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, s), 0);
    assert_false(opens_secret(c, first)); /* the user's oldest went */
    assert_int_equal(capsule_slots(c, SLOT_SESSION), SLOTS_OF_SESSIONS);

    for (int i = 0; i < TOKENS_OF_ONE; i++)
        assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, user, 0, token), 0);
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, user, 0, s), ENOSPC); /* one user's share */
    for (int i = TOKENS_OF_ONE; i < SLOTS_OF_TOKENS; i++) {
        owner[0] = (uint8_t)(0x80 + i / TOKENS_OF_ONE);
        assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, owner, 0, token), 0);
    }
    owner[0] = 0x90;
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, owner, 0, s), ENOSPC); /* and all of them */
    for (int i = 0; i < 300; i++) {                                        /* other users' sessions until all is full, and on */
        owner[0] = (uint8_t)(1 + i / 50);
        assert_int_equal(add_secret(c, tmk, SLOT_SESSION, owner, 0, s), 0);
        assert_true(opens_secret(c, s));
    }
    assert_int_equal(capsule_slots(c, 0), SLOTS_MAX);
    c = must_open(c);
    assert_true(opens_secret(c, s) && opens_secret(c, token) && opens_secret(c, kit));
    assert_true(opens_password(c, "anna", stretched, got));
    /* Expired ones make room first. */
    for (uint32_t i = 0; i < c->image->count; i++)
        if (c->image->slot[i].kind == SLOT_TOKEN) c->image->slot[i].expires = 1;
    assert_int_equal(capsule_remove_kind(c, SLOT_TOKEN), 0);
    mute = false;
    capsule_close(c);
}

/* What was removed must not be readable anywhere in the file, nor the epoch secret that could open an older copy of it. */
static bool file_holds(const uint8_t *what, size_t size) {
    int fd = open(path, O_RDONLY);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t *all = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, all, (size_t)st.st_size), st.st_size);
    bool found = memmem(all, (size_t)st.st_size, what, size);
    free(all);
    close(fd);
    return found;
}

static void removal_leaves_nothing(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], s[KEY_BYTES], id[ID_BYTES], epoch[KEY_BYTES], sealed[SLOT_SEALED];
    struct capsule *c = enrolled(tmk);
    for (int i = 0; i < 20; i++)
        assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, s), 0);
    const struct slot_record *last = &c->image->slot[c->image->count - 1];
    memcpy(id, last->id, sizeof id);
    memcpy(sealed, last->sealed, sizeof sealed);
    memcpy(epoch, c->image->epoch[SLOT_SESSION], sizeof epoch);
    assert_true(file_holds(id, sizeof id) && file_holds(epoch, sizeof epoch));
    assert_int_equal(capsule_remove(c, id), 0);
    assert_false(file_holds(id, sizeof id));
    assert_false(file_holds(epoch, sizeof epoch));
    assert_false(file_holds(sealed, sizeof sealed));
    assert_false(file_holds(tmk, sizeof tmk));
    capsule_close(c);
}

/* In a child that dies after `bytes` written bytes. Returns whether it came to the end. */
static bool cut_after(long bytes, int (*change)(struct capsule *, const uint8_t *)) {
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t tmk[KEY_BYTES];
        struct capsule *c = capsule_open(open(path, O_RDWR | O_CLOEXEC));
        bool fine = c && (!capsule_enrolled(c) || opens_password(c, "anna", stretched, tmk));
        allowed = bytes;
        if (fine) fine = change(c, tmk) == 0;
        _exit(fine ? 7 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7));
    return WEXITSTATUS(status) == 7;
}

static uint8_t cut_secret[KEY_BYTES] = "a session", kept_secret[KEY_BYTES] = "another session", new_password[KEY_BYTES] = "changed";
static int change_add(struct capsule *c, const uint8_t *tmk) {
    if (opens_secret(c, cut_secret)) return 0;
    struct slot s = {.kind = SLOT_SESSION};
    memcpy(s.owner, user, ID_BYTES);
    return capsule_add_secret(c, tmk, &s, cut_secret);
}
static int change_keep(struct capsule *c, const uint8_t *tmk) {
    struct slot s = {.kind = SLOT_SESSION};
    memcpy(s.owner, user, ID_BYTES);
    return capsule_add_secret(c, tmk, &s, kept_secret);
}
static int change_remove(struct capsule *c, const uint8_t *tmk) {
    uint8_t got[KEY_BYTES];
    struct slot slot;
    (void)tmk;
    return capsule_open_secret(c, cut_secret, &slot, got) ? capsule_remove(c, slot.id) : 0;
}
static int change_lock(struct capsule *c, const uint8_t *tmk) {
    (void)tmk;
    capsule_seal(c);
    return capsule_remove_kind(c, SLOT_SESSION);
}
static int change_password(struct capsule *c, const uint8_t *tmk) {
    struct slot slot = login_slot(c, "anna", user);
    return capsule_add_password(c, tmk, &slot, salt, new_password);
}
static int change_enrol(struct capsule *c, const uint8_t *tmk) {
    (void)tmk;
    uint8_t new[KEY_BYTES];
    struct slot password = login_slot(c, "anna", user), recovery = {.rights = 31};
    memcpy(recovery.owner, user, ID_BYTES);
    return capsule_enrol(c, &password, salt, stretched, &recovery, kit, new);
}

static void copy_file(const char *from, const char *to) {
    char command[256];
    snprintf(command, sizeof command, "cp %s %s", from, to);
    assert_int_equal(system(command), 0);
}

/* Cuts a change short at every page's edge and at odd places; each time exactly one of two states must be there, and it stays that way once
 * the new one was seen. Then the same change again from there must succeed. */
static void cut_everywhere(int (*change)(struct capsule *, const uint8_t *), bool (*is_new)(struct capsule *),
                           bool (*is_sound)(struct capsule *)) {
    char saved[sizeof path + 8];
    snprintf(saved, sizeof saved, "%s.saved", path);
    copy_file(path, saved);
    bool seen_new = false, end = false;
    for (long bytes = 0; !end; bytes += 997) {
        copy_file(saved, path);
        end = cut_after(bytes, change);
        struct capsule *c = must_open(NULL);
        bool new = is_new(c);
        assert_true(is_sound(c));
        assert_true(new || !seen_new);
        assert_true(new || !end);
        seen_new |= new;
        capsule_close(c);
        assert_true(cut_after(-1, change));
        c = must_open(NULL);
        assert_true(is_new(c) && is_sound(c));
        capsule_close(c);
    }
    unlink(saved);
}

static bool has_cut_secret(struct capsule *c) { return opens_secret(c, cut_secret); }
static bool lacks_cut_secret(struct capsule *c) { return !opens_secret(c, cut_secret); }
static bool has_no_session(struct capsule *c) { return capsule_slots(c, SLOT_SESSION) == 0; }
static bool kit_opens(struct capsule *c) { return opens_secret(c, kit); }
static bool kit_and_session(struct capsule *c) { return opens_secret(c, kit) && opens_secret(c, kept_secret); }
static bool has_new_password(struct capsule *c) {
    uint8_t tmk[KEY_BYTES];
    return opens_password(c, "anna", new_password, tmk);
}
static bool one_password(struct capsule *c) {
    uint8_t tmk[KEY_BYTES];
    return opens_password(c, "anna", new_password, tmk) != opens_password(c, "anna", stretched, tmk) && kit_opens(c);
}
static bool is_enrolled(struct capsule *c) { return capsule_enrolled(c); }
static bool all_or_nothing(struct capsule *c) {
    uint8_t tmk[KEY_BYTES];
    bool all = opens_password(c, "anna", stretched, tmk) && opens_secret(c, kit);
    return capsule_enrolled(c) ? all : capsule_slots(c, 0) == 0;
}

static int enrol_again(struct capsule *c, const uint8_t *tmk) {
    int result = change_enrol(c, tmk);
    return result == EEXIST ? 0 : result;
}
static void power_cuts(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES];
    capsule_close(must_open(NULL));
    cut_everywhere(enrol_again, is_enrolled, all_or_nothing);
    fresh(NULL);
    capsule_close(enrolled(tmk));
    assert_true(cut_after(-1, change_keep));
    cut_everywhere(change_add, has_cut_secret, kit_and_session);
    cut_everywhere(change_remove, lacks_cut_secret, kit_and_session);
    assert_true(cut_after(-1, change_add));
    cut_everywhere(change_lock, has_no_session, kit_opens);
    fresh(NULL);
    capsule_close(enrolled(tmk));
    char saved[sizeof path + 8];
    snprintf(saved, sizeof saved, "%s.saved", path);
    copy_file(path, saved);
    bool end = false, seen_new = false;
    for (long bytes = 0; !end; bytes += 997) {
        copy_file(saved, path);
        end = cut_after(bytes, change_password);
        struct capsule *c = must_open(NULL);
        assert_true(one_password(c));
        assert_true(has_new_password(c) || (!seen_new && !end));
        seen_new |= has_new_password(c);
        capsule_close(c);
    }
    unlink(saved);
}

/* The very first write, too: before it is whole the capsule is new. */
static void power_cut_at_birth(void **state) {
    (void)state;
    for (long bytes = 0; bytes < 14000; bytes += 499) {
        unlink(path);
        pid_t pid = fork();
        if (pid == 0) {
            allowed = bytes;
            _exit(capsule_open(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        struct capsule *c = must_open(NULL);
        assert_false(capsule_enrolled(c));
        capsule_close(c);
    }
}

static void failing_disk(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], a[KEY_BYTES], b[KEY_BYTES], got[KEY_BYTES];
    struct capsule *c = enrolled(tmk);
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, a), 0);
    disk_fails = true;
    allowed = 1000;
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, b), EIO);
    assert_false(opens_secret(c, b));
    assert_true(opens_secret(c, a) && opens_password(c, "anna", stretched, got));
    allowed = 0;
    assert_int_equal(capsule_remove_kind(c, SLOT_SESSION), EIO);
    assert_false(opens_secret(c, a)); /* gone here at once */
    allowed = -1;
    assert_int_equal(capsule_remove_kind(c, SLOT_SESSION), 0); /* and now on the disk */
    c = must_open(c);
    assert_false(opens_secret(c, a) || opens_secret(c, b));
    assert_true(opens_password(c, "anna", stretched, got));
    capsule_close(c);
}

static void forgeries(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES], a[KEY_BYTES], b[KEY_BYTES], wrong[KEY_BYTES] = {0};
    struct slot slot;
    enum { CASES = 18 };
    for (int i = 0; i < CASES; i++) {
        fresh(NULL);
        struct capsule *c = enrolled(tmk);
        assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, a), 0);
        assert_int_equal(add_secret(c, tmk, SLOT_SESSION, other_user, 0, b), 0);
        struct capsule_image *image = c->image;
        struct slot_record *r = &image->slot[2], *other = &image->slot[3], swap;
        assert_int_equal(r->kind, SLOT_SESSION);
        switch (i) {
        case 0:
            r->rights = 31;
            break; /* more rights */
        case 1:
            r->expires = 0xffffffff;
            break;
        case 2:
            memcpy(r->owner, other_user, ID_BYTES);
            break; /* somebody else's */
        case 3:
            r->kind = SLOT_RECOVERY;
            break;
        case 4:
            memcpy(r->sealed, other->sealed, SLOT_SEALED);
            break; /* another slot's content */
        case 5:
            image_drop(image, 2);
            break; /* a slot taken away: its owner was not asked */
        case 6:
            image->version++;
            break;
        case 7:
            image->slot[0].kdf_passes = 1;
            break; /* KDF downgrade */
        case 8:
            image->slot[0].kdf_memory_kib = 8;
            break;
        case 9: /* two slots change places: locator and credential differ, so neither opens */
            swap = *r;
            memcpy(r->locator, other->locator, ID_BYTES);
            memcpy(other->locator, swap.locator, ID_BYTES);
            break;
        case 10:
            image->tenant[0] ^= 1;
            break; /* another tenant's capsule */
        case 11:   /* what was emptied without the key is put back */
            swap = *r;
            image->emptied |= 1U << SLOT_SESSION;
            image->version++;
            break;
        case 12:
            image->data_file = 1;
            break; /* the data file of before a rotation, or one made for the purpose */
        case 13:
            image->wanted = 1;
            break; /* a rotation nobody asked for */
        case 14:
            image->key_created++;
            break;
        case 15:
            image->authority[40] ^= 1;
            break;
        case 16:
            memcpy(image->slot[0].public, other->public, KEM_PUBLIC);
            break; /* where a rotation would seal to */
        case 17:
            memcpy(r->sent, other->sent, sizeof r->sent);
            memcpy(r->tmk, other->tmk, sizeof r->tmk);
            break;
        }
        c = forge(c);
        assert_false(capsule_open_secret(c, a, &slot, got));
        assert_false(capsule_open_secret(c, b, &slot, got));
        assert_false(capsule_open_password(c, c->image->slot[0].locator, wrong, &slot, got));
        assert_false(opens_password(c, "anna", stretched, got)); /* the set as a whole is not what was MACed */
        assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, wrong), EBADMSG);
        capsule_close(c);
    }
}

/* Partitioning oracle (Len, Grubbs, Ristenpart: "Partitioning Oracle Attacks", 2021): GCM commits to no key, so that one wrap could be made
 * for many passwords, and each log-in would try them all. Here both AEADs are right and the commitment alone differs. */
static void commits_to_one_credential(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES], hash[32], key[KEY_BYTES], content[32 + SLOT_INNER], secrets[2 * KEY_BYTES];
    struct capsule *c = enrolled(tmk);
    struct slot_record *r = &c->image->slot[0];
    struct slot_outer outer = image_outer(c->image, SLOT_PASSWORD);
    assert_true(slot_unwrap(r, &outer, stretched, got));
    struct {
        char format[16];
        uint8_t tenant[ID_BYTES], header[176];
    } aad = {.format = "cloison slot 2"};
    memcpy(aad.tenant, c->image->tenant, ID_BYTES);
    memcpy(aad.header, r, sizeof aad.header);
    sha256(&aad, sizeof aad, hash);
    memcpy(secrets, c->image->shred, KEY_BYTES);
    memcpy(secrets + KEY_BYTES, c->image->epoch[SLOT_PASSWORD], KEY_BYTES);
    hkdf(secrets, sizeof secrets, hash, 32, "cloison slot outer v1", key, sizeof key);
    struct xaes *x = xaes_new(key);
    assert_true(xaes_open(x, &aad, sizeof aad, r->sealed, SLOT_SEALED, content));
    content[0] ^= 1;
    assert_true(xaes_seal(x, &aad, sizeof aad, content, sizeof content, r->sealed));
    assert_false(slot_unwrap(r, &outer, stretched, got));
    content[0] ^= 1;
    assert_true(xaes_seal(x, &aad, sizeof aad, content, sizeof content, r->sealed));
    assert_true(slot_unwrap(r, &outer, stretched, got));
    xaes_free(x);
    capsule_close(c);
}

/* A slot made with weaker parameters, and the whole set MACed with it: as an older program, or a planted one, could have left it. */
static void weak_parameters(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES];
    for (int i = 0; i < 4; i++) {
        fresh(NULL);
        struct capsule *c = enrolled(tmk);
        struct slot_record *r = &c->image->slot[0];
        struct slot_outer outer = image_outer(c->image, SLOT_PASSWORD);
        if (i == 0) r->kdf_passes = 1;
        if (i == 1) r->kdf_memory_kib = 8;
        if (i == 2) r->kdf = 0;
        assert_true(slot_wrap(r, &outer, stretched, c->authority, tmk));
        image_mac(c->image, c->mac_key);
        c = forge(c);
        assert_int_equal(opens_password(c, "anna", stretched, got), i == 3);
        assert_true(opens_secret(c, kit));
        capsule_close(c);
    }
}

/* Rotation: every credential opens the new key and none the old one, whether it was there or not. */
static void rotates(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], new[KEY_BYTES], got[KEY_BYTES], session[KEY_BYTES], token[KEY_BYTES], later[KEY_BYTES], removed[KEY_BYTES];
    struct capsule *c = enrolled(tmk);
    struct slot slot;
    bool known;
    assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, session), 0);
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, other_user, 0, token), 0);
    assert_int_equal(add_secret(c, tmk, SLOT_TOKEN, other_user, 0, removed), 0);
    assert_true(capsule_open_secret(c, removed, &slot, got));
    assert_int_equal(capsule_remove(c, slot.id), 0);
    assert_int_equal(capsule_data_file(c), 0);
    assert_true(capsule_key_created(c) > 0);
    assert_int_equal(capsule_rotation_wanted(c), 0);

    c = must_open(c);
    assert_int_equal(capsule_want_rotation(c, true), EPERM);
    random_bytes(new, sizeof new);
    assert_int_equal(capsule_rotate(c, tmk, new, &known), EPERM);
    assert_true(opens_password(c, "anna", stretched, got));
    assert_int_equal(capsule_want_rotation(c, true), 0);
    c = must_open(c);
    assert_true(capsule_rotation_wanted(c) > 0); /* the wish lasts */
    assert_true(opens_password(c, "anna", stretched, got));
    assert_memory_equal(got, tmk, sizeof tmk);
    struct slot_record before[3];
    memcpy(before, c->image->slot, sizeof before);
    assert_int_equal(capsule_rotate(c, tmk, new, &known), 0);
    assert_true(known);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(capsule_data_file(c), 1);
        assert_int_equal(capsule_rotation_wanted(c), 0);
        assert_true(opens_password(c, "anna", stretched, got));
        assert_memory_equal(got, new, sizeof new);
        assert_true(capsule_open_secret(c, session, &slot, got) && memcmp(got, new, sizeof new) == 0 && slot.kind == SLOT_SESSION);
        assert_true(capsule_open_secret(c, token, &slot, got) && memcmp(got, new, sizeof new) == 0 && slot.kind == SLOT_TOKEN);
        assert_true(capsule_open_secret(c, kit, &slot, got) && memcmp(got, new, sizeof new) == 0 && slot.kind == SLOT_RECOVERY);
        assert_false(opens_secret(c, removed));
        assert_int_equal(add_secret(c, tmk, SLOT_SESSION, user, 0, later), EBADMSG); /* the old key signs nothing any more */
        c = must_open(c);
        assert_false(capsule_trust(c, tmk));
    }
    /* Neither copy of the file gives out the old key, and a slot of before is not taken back. */
    for (int i = 0; i < 3; i++)
        assert_false(file_holds(before[i].tmk, sizeof before[i].tmk));
    assert_true(opens_secret(c, session));
    assert_int_equal(add_secret(c, new, SLOT_SESSION, user, 0, later), 0);
    assert_true(opens_secret(c, later));
    memcpy(c->image->slot[0].sent, before[0].sent, sizeof before[0].sent);
    memcpy(c->image->slot[0].tmk, before[0].tmk, sizeof before[0].tmk);
    c = forge(c);
    assert_false(opens_password(c, "anna", stretched, got));
    capsule_close(c);
}

/* Key overwriting: the public keys lie in clear. Somebody seals a key of his own to one of them and MACs the whole set with it, as the
 * worker would: then the next log-in would write all it is told under his key. Only the slot's authority stands in the way. */
static void key_overwriting(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES], authority[KEY_BYTES], mac_key[KEY_BYTES];
    static const uint8_t planted[KEY_BYTES] = "a key of the attacker's own";
    for (int honest = 0; honest < 2; honest++) {
        fresh(NULL);
        struct capsule *c = enrolled(tmk);
        memcpy(authority, c->authority, sizeof authority); /* who has it, as a worker does, can */
        if (!honest) random_bytes(authority, sizeof authority);
        assert_true(image_give(c->image, authority, &c->retired, planted));
        capsule_mac_key(planted, mac_key);
        image_mac(c->image, mac_key);
        c = forge(c);
        assert_int_equal(opens_password(c, "anna", stretched, got), honest);
        assert_int_equal(opens_secret(c, kit), honest);
        capsule_close(c);
    }
}

static const uint8_t rotated_key[KEY_BYTES] = "the key after the rotation";
static int change_rotate(struct capsule *c, const uint8_t *tmk) {
    bool known;
    return memcmp(tmk, rotated_key, KEY_BYTES) == 0 ? 0 : capsule_rotate(c, tmk, rotated_key, &known);
}
static bool is_rotated(struct capsule *c) { return capsule_data_file(c) == 1; }
/* Exactly the old or exactly the new: key, file and every credential. */
static bool is_one_of_both(struct capsule *c) {
    uint8_t password[KEY_BYTES], by_kit[KEY_BYTES], by_session[KEY_BYTES];
    struct slot slot;
    if (!opens_password(c, "anna", stretched, password) || !capsule_open_secret(c, kit, &slot, by_kit) ||
        !capsule_open_secret(c, kept_secret, &slot, by_session))
        return false;
    struct retired_key kept;
    return memcmp(password, by_kit, KEY_BYTES) == 0 && memcmp(password, by_session, KEY_BYTES) == 0 &&
           (memcmp(password, rotated_key, KEY_BYTES) == 0) == is_rotated(c) && capsule_retired(c, 0, &kept) == is_rotated(c);
}

static void power_cut_in_a_rotation(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES];
    capsule_close(enrolled(tmk));
    assert_true(cut_after(-1, change_keep));
    mute = true;
    cut_everywhere(change_rotate, is_rotated, is_one_of_both);
    mute = false;
}

/* The keys of before lie in the capsule, today's key alone opens them, and a dropped one is in neither copy, whatever cuts it short. */
static void keeps_retired_keys(void **state) {
    (void)state;
    uint8_t key[4][KEY_BYTES], got[KEY_BYTES];
    struct retired_key kept;
    bool known;
    struct capsule *c = enrolled(key[0]);
    assert_false(capsule_retired(c, 0, &kept));
    for (int i = 1; i < 4; i++) {
        random_bytes(key[i], KEY_BYTES);
        assert_int_equal(capsule_rotate(c, key[i - 1], key[i], &known), 0);
        assert_false(file_holds(key[i - 1], KEY_BYTES));
    }
    c = must_open(c);
    assert_false(capsule_retired(c, 0, &kept)); /* sealed */
    assert_int_equal(capsule_drop_retired(c, key[3], kept.id), EPERM);
    assert_true(opens_password(c, "anna", stretched, got));
    uint8_t second[ID_BYTES], sealed[sizeof c->image->retired];
    for (size_t i = 0; i < 3; i++) {
        assert_true(capsule_retired(c, i, &kept));
        assert_memory_equal(kept.tmk, key[i], KEY_BYTES);
        assert_true(kept.created > 0 && kept.retired >= kept.created);
        if (i == 1) memcpy(second, kept.id, ID_BYTES);
    }
    assert_false(capsule_retired(c, 3, &kept));
    memcpy(sealed, c->image->retired, sizeof sealed);
    assert_int_equal(capsule_drop_retired(c, key[3], second), 0);
    assert_int_equal(capsule_drop_retired(c, key[3], second), ENOENT);
    assert_false(file_holds(sealed, sizeof sealed));
    c = must_open(c);
    assert_true(opens_password(c, "anna", stretched, got));
    assert_true(capsule_retired(c, 1, &kept) && memcmp(kept.tmk, key[2], KEY_BYTES) == 0);
    assert_false(capsule_retired(c, 2, &kept));
    /* What was dropped, put back without the key that makes the MAC: the capsule opens for nobody. */
    memcpy(c->image->retired, sealed, sizeof sealed);
    c = forge(c);
    assert_false(opens_password(c, "anna", stretched, got));
    capsule_close(c);
}

static void retired_keys_have_a_bound(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], next[KEY_BYTES];
    bool known;
    struct capsule *c = enrolled(tmk);
    for (int i = 0; i < RETIRED_MAX; i++) {
        random_bytes(next, sizeof next);
        assert_int_equal(capsule_rotate(c, tmk, next, &known), 0);
        memcpy(tmk, next, sizeof tmk);
    }
    assert_int_equal(capsule_rotate(c, tmk, rotated_key, &known), ENOSPC);
    assert_true(known && capsule_trust(c, tmk));
    capsule_close(c);
}

static int change_drop(struct capsule *c, const uint8_t *tmk) {
    struct retired_key kept;
    return capsule_retired(c, 0, &kept) ? capsule_drop_retired(c, tmk, kept.id) : 0;
}
static bool is_dropped(struct capsule *c) {
    struct retired_key kept;
    uint8_t tmk[KEY_BYTES];
    return opens_password(c, "anna", stretched, tmk) && !capsule_retired(c, 0, &kept);
}
static bool opens_as_before(struct capsule *c) {
    uint8_t tmk[KEY_BYTES];
    return opens_password(c, "anna", stretched, tmk) && opens_secret(c, kept_secret);
}

static void power_cut_in_a_drop(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES];
    bool known;
    struct capsule *c = enrolled(tmk);
    assert_int_equal(capsule_rotate(c, tmk, rotated_key, &known), 0);
    capsule_close(c);
    assert_true(cut_after(-1, change_keep));
    mute = true;
    cut_everywhere(change_drop, is_dropped, opens_as_before);
    mute = false;
}

/* The disk fails in the middle: either all is known to be as it was, or the caller is told to stop. */
static void failing_disk_in_a_rotation(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES];
    unsigned old = 0, new = 0;
    for (long bytes = 0; bytes < 30000; bytes += 1499) {
        fresh(NULL);
        struct capsule *c = enrolled(tmk);
        bool known;
        disk_fails = true;
        allowed = bytes;
        int error = capsule_rotate(c, tmk, rotated_key, &known);
        allowed = -1;
        assert_true(error ? !known : known);
        /* Had only the first write failed, the copy would have been made good. */
        assert_true(opens_password(c, "anna", stretched, got));
        assert_int_equal(memcmp(got, rotated_key, KEY_BYTES) == 0, error == 0);
        c = must_open(c);
        assert_true(opens_password(c, "anna", stretched, got));
        assert_int_equal(memcmp(got, rotated_key, KEY_BYTES) == 0, is_rotated(c));
        if (is_rotated(c))
            new ++;
        else
            old++;
        capsule_close(c);
    }
    assert_true(old > 0 && new > 0);
}

static void damage(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES], got[KEY_BYTES], junk[300000];
    struct capsule *c = enrolled(tmk);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    size_t half = (size_t)st.st_size / 2;
    assert_true(half <= sizeof junk);
    capsule_close(c);
    random_bytes(junk, sizeof junk);
    for (off_t copy = 0; copy < 2; copy++) { /* one copy is enough */
        fresh(NULL);
        c = enrolled(tmk);
        syscall(SYS_pwrite64, c->file.fd, junk, half, copy * (off_t)half);
        c = must_open(c);
        assert_true(opens_password(c, "anna", stretched, got));
        capsule_close(c);
    }
    c = must_open(NULL);
    syscall(SYS_pwrite64, c->file.fd, junk, half, 0);
    syscall(SYS_pwrite64, c->file.fd, junk, half, half);
    errno = 0;
    assert_null(reopen(c));
    assert_int_equal(errno, EBADMSG);
}

static void unknown_format(void **state) {
    (void)state;
    uint8_t tmk[KEY_BYTES];
    for (int i = 0; i < 5; i++) {
        fresh(NULL);
        struct capsule *c = enrolled(tmk);
        if (i == 0) c->image->format = CAPSULE_FORMAT - 1;
        if (i == 1) c->image->minimum = CAPSULE_FORMAT + 1;
        if (i == 2) c->image->count = c->image->room + 1;
        if (i == 3) c->image->slot[0].kind = 9;
        if (i == 4) c->image->room--;
        assert_int_equal(twofile_write(&c->file, c->image, sizeof *c->image + 16 * sizeof *c->image->slot), 0);
        errno = 0;
        assert_null(reopen(c));
        assert_int_equal(errno, EBADMSG);
    }
}

int main(void) {
    int fd = mkstemp(path);
    if (fd < 0 || !keys_prepare()) return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(begins_empty, fresh),
        cmocka_unit_test_setup(copies_are_dated, fresh),
        cmocka_unit_test_setup(lost_is_not_new, fresh),
        cmocka_unit_test_setup(enrols_once, fresh),
        cmocka_unit_test_setup(salts_tell_nothing, fresh),
        cmocka_unit_test_setup(sessions_and_tokens, fresh),
        cmocka_unit_test_setup(lock_needs_no_key, fresh),
        cmocka_unit_test_setup(password_change, fresh),
        cmocka_unit_test_setup(invitation, fresh),
        cmocka_unit_test_setup(kits_are_bounded, fresh),
        cmocka_unit_test_setup(bounded, fresh),
        cmocka_unit_test_setup(removal_leaves_nothing, fresh),
        cmocka_unit_test_setup(power_cuts, fresh),
        cmocka_unit_test_setup(power_cut_at_birth, fresh),
        cmocka_unit_test_setup(failing_disk, fresh),
        cmocka_unit_test_setup(forgeries, fresh),
        cmocka_unit_test_setup(commits_to_one_credential, fresh),
        cmocka_unit_test_setup(weak_parameters, fresh),
        cmocka_unit_test_setup(rotates, fresh),
        cmocka_unit_test_setup(key_overwriting, fresh),
        cmocka_unit_test_setup(power_cut_in_a_rotation, fresh),
        cmocka_unit_test_setup(keeps_retired_keys, fresh),
        cmocka_unit_test_setup(retired_keys_have_a_bound, fresh),
        cmocka_unit_test_setup(power_cut_in_a_drop, fresh),
        cmocka_unit_test_setup(failing_disk_in_a_rotation, fresh),
        cmocka_unit_test_setup(damage, fresh),
        cmocka_unit_test_setup(unknown_format, fresh),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}

/* One message, one struct, at most one fd; everything else ends the peer. */
#include "../../policy/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_fds(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void raw(int socket, const void *bytes, size_t size, const int *fds, size_t count) {
    char control[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &m, 0), (ssize_t)size);
}

static void a_message_arrives_with_its_fd_and_its_sender(void **state) {
    (void)state;
    int end[2], fd;
    pid_t pid;
    assert_int_equal(channel_pair(end), 0);
    union message m = {.plain = {.head = {.type = MESSAGE_WORKER_CSR_MADE, .tenant = 7, .generation = 9}, .value = 12}}, got;
    assert_int_equal(channel_send(end[1], CHANNEL_WORKER, &m, 0), CHANNEL_OK);
    assert_int_equal(channel_receive(end[0], CHANNEL_WORKER, CHANNEL_SUPERVISOR, &got, &fd, &pid), CHANNEL_OK);
    assert_int_equal(got.plain.value, 12);
    assert_int_equal(got.head.generation, 9);
    assert_int_equal(pid, getpid());
    assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    close(fd);
    assert_int_equal(channel_receive(end[0], CHANNEL_WORKER, CHANNEL_SUPERVISOR, &got, &fd, &pid), CHANNEL_AGAIN);
    close(end[1]);
    assert_int_equal(channel_receive(end[0], CHANNEL_WORKER, CHANNEL_SUPERVISOR, &got, &fd, &pid), CHANNEL_GONE);
    close(end[0]);
}

static void what_the_table_does_not_let_through_is_bad_and_leaks_no_fd(void **state) {
    (void)state;
    int end[2], fd, three[3] = {0, 0, 0}, before = open_fds();
    assert_int_equal(channel_pair(end), 0);
    union message m = {.plain = {.head.type = MESSAGE_WORKER_STATE, .value = WORKER_SEALED}}, got, bad;
#define REFUSED(SIZE, FDS)                                                                                                                 \
    raw(end[1], &bad, SIZE, three, FDS);                                                                                                   \
    assert_int_equal(channel_receive(end[0], CHANNEL_WORKER, CHANNEL_SUPERVISOR, &got, &fd, NULL), CHANNEL_BAD);                           \
    assert_int_equal(fd, -1)
    size_t size = sizeof m.plain;
    bad = m, REFUSED(size - 1, 0);
    bad = m, REFUSED(size + 1, 0);
    bad = m, REFUSED(4, 0);
    bad = m, REFUSED(sizeof m, 0);
    bad = m, REFUSED(size, 1);                                                               /* a fd where none belongs */
    bad = m, bad.head.type = MESSAGE_WORKER_CSR_MADE, bad.plain.value = 1, REFUSED(size, 0); /* none where one belongs */
    bad = m, bad.head.type = MESSAGE_WORKER_CSR_MADE, bad.plain.value = 1, REFUSED(size, 2);
    bad = m, bad.head.type = MESSAGE_WORKER_CSR_MADE, bad.plain.value = 1, REFUSED(size, 3); /* truncated control data */
    bad = m, bad.head.type = MESSAGE_WORKER_CSR_MADE, bad.plain.value = CSR_MAX + 1, REFUSED(size, 1);
    bad = m, bad.head.type = MESSAGE_WORKER_DRAIN, REFUSED(size, 0); /* the other direction */
    bad = m, bad.head.type = MESSAGE_ROUTER_WANT, REFUSED(size, 0);  /* another sender's */
    bad = m, bad.head.type = 0x7777, REFUSED(size, 0);
    bad = m, bad.plain.value = 3, REFUSED(size, 0); /* out of range */
    bad = m, bad.plain.value = 0, REFUSED(size, 0);
    close(end[0]);
    close(end[1]);
    assert_int_equal(open_fds(), before);
}

static void strings_end_and_are_filled_with_nul(void **state) {
    (void)state;
    union message m = {.start = {.head.type = MESSAGE_WORKER_START, .host_count = 1}};
    strcpy(m.start.name, "acme");
    strcpy(m.start.host[0], "acme.example");
    size_t size = sizeof m.start;
#define CHECK() channel_check(&m, size, 0, CHANNEL_SUPERVISOR, CHANNEL_WORKER)
    assert_int_equal(CHECK(), CHANNEL_OK);
    m.start.name[10] = 'x'; /* a byte behind the NUL */
    assert_int_equal(CHECK(), CHANNEL_BAD);
    memset(m.start.name, 'a', sizeof m.start.name); /* no NUL */
    assert_int_equal(CHECK(), CHANNEL_BAD);
    memset(m.start.name, 0, sizeof m.start.name);
    m.start.host_count = 2; /* a host that is not there */
    assert_int_equal(CHECK(), CHANNEL_BAD);
    m.start.host_count = 0; /* one too many */
    assert_int_equal(CHECK(), CHANNEL_BAD);
    m.start.host_count = TENANT_HOSTS_MAX + 1;
    assert_int_equal(CHECK(), CHANNEL_BAD);
}

static void copies_and_places_are_checked(void **state) {
    (void)state;
    union message m = {.tenant = {.head.type = MESSAGE_STEWARD_TENANT, .copy_count = 1}};
#define CHECK_AS(FROM, TO) channel_check(&m, message_size(m.head.type), 0, FROM, TO)
    assert_int_equal(CHECK_AS(CHANNEL_SUPERVISOR, CHANNEL_STEWARD), CHANNEL_BAD); /* one that has no place */
    strcpy(m.tenant.copy[0].place, "vault");
    assert_int_equal(CHECK_AS(CHANNEL_SUPERVISOR, CHANNEL_STEWARD), CHANNEL_OK);
    m.tenant.copy[0].place[10] = 'x'; /* a byte behind the NUL */
    assert_int_equal(CHECK_AS(CHANNEL_SUPERVISOR, CHANNEL_STEWARD), CHANNEL_BAD);
    m.tenant.copy[0].place[10] = 0;
    m.tenant.copy_count = COPIES_MAX + 1;
    assert_int_equal(CHECK_AS(CHANNEL_SUPERVISOR, CHANNEL_STEWARD), CHANNEL_BAD);
    m = (union message){.act = {.head.type = MESSAGE_STEWARD_ACT, .set = ACT_FIELDS}};
    assert_int_equal(CHECK_AS(CHANNEL_STEWARD, CHANNEL_SUPERVISOR), CHANNEL_OK);
    m.act.set = ACT_FIELDS + 1;
    assert_int_equal(CHECK_AS(CHANNEL_STEWARD, CHANNEL_SUPERVISOR), CHANNEL_BAD);
    m.act.set = ACT_PLACE;
    m.act.place[3] = 'x';
    assert_int_equal(CHECK_AS(CHANNEL_STEWARD, CHANNEL_SUPERVISOR), CHANNEL_BAD);
#undef CHECK_AS
}

static void no_message_upward_from_a_worker_holds_a_string(void **state) {
    (void)state; /* S2, S3: enums, integers and fds; the only byte arrays are the layers and the filter's hash of WORKER_READY */
    static const uint32_t up[] = {
#define MESSAGE(NUMBER, NAME, FROM, TO, STRUCT, FD) (CHANNEL_##FROM == CHANNEL_WORKER ? NUMBER : 0),
#include "../../policy/messages.def"
#undef MESSAGE
    };
    int n = 0;
    for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
        if (!up[i]) continue;
        n++;
        /* Of a message to the support its numbers; what is written in it lies sealed in the fd (S7). From where to where lines are wanted
         * is two numbers. */
        bool more = up[i] == MESSAGE_WORKER_READY || up[i] == MESSAGE_WORKER_SUPPORT || up[i] == MESSAGE_WORKER_WANT_LEDGER;
        assert_true(more || message_size(up[i]) == sizeof(struct message_plain));
    }
    assert_true(n >= 8);
}

static void a_full_channel_says_again(void **state) {
    (void)state;
    int end[2];
    assert_int_equal(channel_pair(end), 0);
    union message m = {.plain = {.head.type = MESSAGE_ROUTER_WANT}};
    enum channel_result r = CHANNEL_OK;
    for (int i = 0; i < 100000 && r == CHANNEL_OK; i++)
        r = channel_send(end[1], CHANNEL_ROUTER, &m, -1);
    assert_int_equal(r, CHANNEL_AGAIN);
    close(end[0]);
    assert_int_equal(channel_send(end[1], CHANNEL_ROUTER, &m, -1), CHANNEL_GONE);
    close(end[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_with_its_fd_and_its_sender),
        cmocka_unit_test(what_the_table_does_not_let_through_is_bad_and_leaks_no_fd),
        cmocka_unit_test(strings_end_and_are_filled_with_nul),
        cmocka_unit_test(copies_and_places_are_checked),
        cmocka_unit_test(no_message_upward_from_a_worker_holds_a_string),
        cmocka_unit_test(a_full_channel_says_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The router alone, behind its real walls: a child runs open, seal, ready, work on one end of a channel; the test is the supervisor, the
 * workers and the network. Its clock is the machine's plus an offset that the test moves.
 */
#include "../../policy/channel.h"
#include "../../policy/jail.h"
#include "../../supervisor/router/router.h"
#include "../../supervisor/router/sources.h"
#include "hello_maker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { ACME = 1, BOIS = 2, SOON = 3000 /* ms until something that must happen has happened */, NOT = 150 /* ms for what must not */ };

static _Atomic uint64_t *ahead_ms; /* shared with the router */
static int channel = -1;
static pid_t router;
static struct maker hello;

/* The program's own, so that it stands before the C library's for libevent, too. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (ahead_ms && clock != CLOCK_REALTIME) now->tv_sec += (time_t)(*ahead_ms / 1000);
    return result;
}

/* ---- the supervisor ---- */

__attribute__((noreturn)) static void be_router(int end, rlim_t fds) {
    if (fds && setrlimit(RLIMIT_NOFILE, &(struct rlimit){fds, fds}) < 0) _exit(10);
    if (end != JAIL_CHANNEL && dup2(end, JAIL_CHANNEL) < 0) _exit(11);
    if (jail_close_from(JAIL_CHANNEL + 1) < 0) _exit(12);
    signal(SIGPIPE, SIG_IGN);
    struct router *r = router_open(JAIL_CHANNEL);
    if (!r) _exit(13);
#ifndef CLOISON_SANITIZED /* a sanitizer's runtime makes calls of its own */
    if (router_seal(r) < 0) _exit(14);
#endif
    if (router_ready(r) < 0) _exit(15);
    _exit(router_work(r) < 0 ? 1 : 0);
}

static void await(int fd, short what, int ms) {
    struct pollfd p = {.fd = fd, .events = what};
    assert_int_equal(poll(&p, 1, ms), 1);
}

static bool quiet(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 0;
}

static union message expect(uint32_t type) {
    union message m;
    int fd;
    await(channel, POLLIN, SOON);
    assert_int_equal(channel_receive(channel, CHANNEL_ROUTER, CHANNEL_SUPERVISOR, &m, &fd, NULL), CHANNEL_OK);
    assert_int_equal(m.head.type, type);
    return m;
}

static void say(const union message *m, int fd) { assert_int_equal(channel_send(channel, CHANNEL_SUPERVISOR, m, fd), CHANNEL_OK); }

static void say_plain(uint32_t type, uint32_t tenant, uint64_t generation, uint64_t value, int fd) {
    const union message m = {.plain = {{type, tenant, generation}, value}};
    say(&m, fd);
}

static void say_limits(uint32_t per_source, uint32_t rate) {
    const union message m = {.limits = {.head = {.type = MESSAGE_ROUTER_LIMITS}, .per_source = per_source, .per_source_rate = rate}};
    say(&m, -1);
}

static void say_host(uint32_t type, uint32_t tenant, const char *host) {
    union message m = {.host = {.head = {.type = type, .tenant = tenant}}};
    strcpy(m.host.host, host);
    say(&m, -1);
}

static int start_with(rlim_t fds) {
    int end[2];
    if (!ahead_ms) ahead_ms = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *ahead_ms = 0;
    if (channel_pair(end) < 0) return -1;
    router = fork();
    if (router == 0) be_router(end[1], fds);
    close(end[1]);
    channel = end[0];
    union message m = expect(MESSAGE_ROUTER_READY);
#ifndef CLOISON_SANITIZED
    assert_int_equal(m.ready.layer[LAYER_seccomp], LAYER_ON);
    assert_int_equal(m.ready.layer[LAYER_no_capabilities], LAYER_ON);
    assert_int_equal(m.ready.layer[LAYER_not_dumpable], LAYER_ON);
    assert_int_equal(m.ready.layer[LAYER_net_namespace], LAYER_ON);
    assert_int_equal(m.ready.layer[LAYER_mount_namespace], LAYER_ON);
    assert_in_range(m.ready.syscalls, 10, 20);
#else
    (void)m;
#endif
    say_host(MESSAGE_ROUTER_HOST, ACME, "acme.example");
    say_host(MESSAGE_ROUTER_HOST, BOIS, "bois.example");
    return 0;
}

static int start(void **state) {
    (void)state;
    return start_with(0);
}

static int stop_with(int status) {
    close(channel);
    int how = -1;
    if (waitpid(router, &how, 0) != router || !WIFEXITED(how) || WEXITSTATUS(how) != status) {
        fprintf(stderr, "the router ended with %#x\n", (unsigned)how);
        return -1;
    }
    return 0;
}

static int stop(void **state) {
    (void)state;
    return stop_with(0);
}

/* ---- the network ---- */

static uint32_t listener_ids;

/* A listener on that address; NULL: none passed a PROXY header. Returns its port. */
static uint16_t listen_at(const char *address, uint32_t kind, const char *proxies_from, uint32_t prefix, const char *acme) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    bool is_six = strchr(address, ':');
    struct sockaddr *where = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    socklen_t size = is_six ? sizeof six : sizeof four;
    inet_pton(where->sa_family, address, is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr);
    int fd = socket(where->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, where, size), 0);
    assert_int_equal(listen(fd, 4096), 0);
    assert_int_equal(getsockname(fd, where, &size), 0);
    union message m = {.listener = {.head = {.type = MESSAGE_ROUTER_LISTENER}, .id = ++listener_ids, .kind = kind, .https_port = 8443}};
    strcpy(m.listener.acme_url, acme);
    if (proxies_from) {
        m.listener.proxy = 1;
        m.listener.source_count = 1;
        assert_int_equal(inet_pton(AF_INET6, proxies_from, m.listener.source[0].address), 1);
        m.listener.source[0].prefix = prefix;
    }
    say(&m, fd);
    close(fd);
    return ntohs(is_six ? six.sin6_port : four.sin_port);
}

static uint16_t listen_tls(void) { return listen_at("127.0.0.1", LISTENER_TLS, NULL, 0, ""); }

static int dial_from(const char *from, uint16_t port, uint16_t *own) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)}, self = {.sin_family = AF_INET};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    inet_pton(AF_INET, from, &self.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&self, sizeof self), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    socklen_t size = sizeof self;
    getsockname(fd, (struct sockaddr *)&self, &size);
    if (own) *own = ntohs(self.sin_port);
    return fd;
}

static int dial(uint16_t port) { return dial_from("127.0.0.1", port, NULL); }

static void send_all(int fd, const void *bytes, size_t size) { assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size); }

static int dial_hello(uint16_t port, const char *host) {
    int fd = dial(port);
    make_hello(&hello, host, 0, 16384);
    send_all(fd, hello.bytes, hello.size);
    return fd;
}

/* The router closes it without a byte. */
static void assert_closed(int fd) {
    char byte;
    await(fd, POLLIN, SOON);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}

/* ---- the workers ---- */

static int worker_begin(uint32_t tenant, uint64_t generation, uint32_t credits) {
    int end[2];
    assert_int_equal(channel_pair(end), 0);
    say_plain(MESSAGE_ROUTER_WORKER, tenant, generation, credits, end[1]);
    close(end[1]);
    return end[0];
}

static int take_over(int worker, struct message_handover *how) {
    union message m;
    int fd;
    await(worker, POLLIN, SOON);
    assert_int_equal(channel_receive(worker, CHANNEL_ROUTER, CHANNEL_WORKER, &m, &fd, NULL), CHANNEL_OK);
    assert_int_equal(m.head.type, MESSAGE_HANDOVER);
    if (how) *how = m.handover;
    return fd;
}

static void acknowledge(int worker, uint32_t tenant, uint64_t generation, uint64_t count) {
    const union message m = {.plain = {{MESSAGE_CREDIT, tenant, generation}, count}};
    assert_int_equal(channel_send(worker, CHANNEL_WORKER, &m, -1), CHANNEL_OK);
}

static void assert_worker_lost(int worker) {
    union message m;
    int fd;
    await(worker, POLLIN, SOON);
    assert_int_equal(channel_receive(worker, CHANNEL_ROUTER, CHANNEL_WORKER, &m, &fd, NULL), CHANNEL_GONE);
    close(worker);
}

/* The socket is as accept made it and holds the ClientHello from its first byte on. */
static void assert_fresh(int fd) {
    static uint8_t bytes[20000];
    int low = 0;
    socklen_t size = sizeof low;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, &size), 0);
    assert_int_equal(low, 1);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(recv(fd, bytes, sizeof bytes, 0), hello.size);
    assert_memory_equal(bytes, hello.bytes, hello.size);
    assert_int_equal(recv(fd, bytes, sizeof bytes, 0), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
}

/* ---- tests ---- */

/* H2: what the worker gets is the first byte of the connection */
static void test_hand_over(void **state) {
    (void)state;
    uint16_t port = listen_tls(), own;
    int acme = worker_begin(ACME, 7, 8), bois = worker_begin(BOIS, 3, 8);
    int client = dial_from("127.0.0.5", port, &own);
    make_hello(&hello, "AcMe.example", 2000, 16384);
    send_all(client, hello.bytes, hello.size);
    struct message_handover how;
    int fd = take_over(acme, &how);
    static const uint8_t address[16] = {[10] = 0xff, 0xff, 127, 0, 0, 5};
    assert_memory_equal(how.address, address, 16);
    assert_int_equal(how.port, own);
    assert_int_equal(how.kind, HANDOVER_TLS);
    assert_int_equal(how.head.tenant, ACME);
    assert_int_equal(how.head.generation, 7);
    assert_fresh(fd);
    assert_true(quiet(bois, NOT));
    close(client);

    client = dial_hello(port, "bois.example");
    assert_fresh(take_over(bois, NULL));
    assert_true(quiet(acme, 0));
    close(client);
    close(acme);
    close(bois);
}

static void test_ipv6(void **state) {
    (void)state;
    uint16_t port = listen_at("::1", LISTENER_TLS, NULL, 0, "");
    int acme = worker_begin(ACME, 1, 8);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    int client = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    make_hello(&hello, "acme.example", 0, 16384);
    send_all(client, hello.bytes, hello.size);
    struct message_handover how;
    assert_fresh(take_over(acme, &how));
    assert_memory_equal(how.address, &in6addr_loopback, 16);
    close(client);
    close(acme);
}

static void test_in_pieces(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int acme = worker_begin(ACME, 1, 8);
    static const struct {
        size_t padding, record, segment;
    } tries[] = {{0, 16384, 1}, {100, 1, 7}, {1700, 16384, 1400}, {15000, 16384, 900}, {12000, 50, 16384}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        int client = dial(port);
        make_hello(&hello, "acme.example", tries[i].padding, tries[i].record);
        for (size_t at = 0; at < hello.size; at += tries[i].segment) {
            size_t left = hello.size - at;
            assert_true(quiet(acme, 0));
            send_all(client, hello.bytes + at, left < tries[i].segment ? left : tries[i].segment);
        }
        assert_fresh(take_over(acme, NULL));
        acknowledge(acme, ACME, 1, 1);
        close(client);
    }
    close(acme);
}

static void test_refused_hellos(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int acme = worker_begin(ACME, 1, 8);
    assert_closed(dial_hello(port, "nobody.example"));
    assert_closed(dial_hello(port, "www.acme.example"));
    assert_closed(dial_hello(port, "acme.example."));
    static struct maker extensions, message;
    extensions.size = 0;
    put_extension(&extensions, 0x2b2b, 4);
    make_message(&message, &extensions);
    make_records(&hello, &message, 16384);
    int nameless = dial(port);
    send_all(nameless, hello.bytes, hello.size);
    assert_closed(nameless);
    int http = dial(port);
    send_all(http, "GET / HTTP/1.1\r\nHost: acme.example\r\n\r\n", 39);
    assert_closed(http);
    make_hello(&hello, "acme.example", 17000, 16384);
    int long_one = dial(port);
    send_all(long_one, hello.bytes, hello.size);
    assert_closed(long_one);
    int empty = dial(port);
    shutdown(empty, SHUT_WR);
    assert_closed(empty);
    assert_true(quiet(acme, NOT));
    say_host(MESSAGE_ROUTER_UNHOST, ACME, "acme.example");
    assert_closed(dial_hello(port, "acme.example"));
    close(acme);
}

/* The peer ends in the middle: closed then, not at the deadline. */
static void test_half(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    make_hello(&hello, "acme.example", 0, 16384);
    static const size_t sizes[] = {1, 4, 5, 60};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int client = dial(port);
        send_all(client, hello.bytes, sizes[i]);
        assert_true(quiet(client, 20));
        shutdown(client, SHUT_WR);
        assert_closed(client);
    }
}

static uint64_t cpu_ns(void) {
    clockid_t clock;
    struct timespec used;
    assert_int_equal(clock_getcpuclockid(router, &clock), 0);
    assert_int_equal(syscall(SYS_clock_gettime, clock, &used), 0);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static void test_no_spinning(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    make_hello(&hello, "acme.example", 200, 16384);
    int client[20];
    for (int i = 0; i < 20; i++) {
        client[i] = dial(port);
        send_all(client[i], hello.bytes, 1 + (size_t)i * 9);
    }
    assert_true(quiet(channel, 100));
    uint64_t before = cpu_ns();
    assert_true(quiet(channel, 500));
    assert_in_range(cpu_ns() - before, 0, 5000000);
    for (int i = 0; i < 20; i++)
        close(client[i]);
}

static const char v2_four[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xc0\0\2\7\xc6\x33\x64\1\xdc\4\1\xbb\1\0\2h2";
static const uint8_t documented[16] = {[10] = 0xff, 0xff, 192, 0, 2, 7};

static void test_proxy_header(void **state) {
    (void)state;
    uint16_t port = listen_at("127.0.0.1", LISTENER_TLS, "::ffff:127.0.0.0", 96 + 8, "");
    int acme = worker_begin(ACME, 1, 64);
    static const struct {
        const char *bytes;
        size_t size;
        bool known;
    } headers[] = {{"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", 45, true}, {v2_four, 33, true}, {"PROXY UNKNOWN\r\n", 15, false}};
    static const size_t segments[] = {10000, 1, 11};
    for (size_t i = 0; i < 9; i++) {
        struct maker all = {.size = 0};
        make_hello(&hello, "acme.example", 0, 16384);
        put(&all, headers[i % 3].bytes, headers[i % 3].size);
        put(&all, hello.bytes, hello.size);
        uint16_t own;
        int client = dial_from("127.0.0.9", port, &own);
        for (size_t at = 0; at < all.size; at += segments[i / 3])
            send_all(client, all.bytes + at, all.size - at < segments[i / 3] ? all.size - at : segments[i / 3]);
        struct message_handover how;
        assert_fresh(take_over(acme, &how));
        assert_int_equal(how.port, headers[i % 3].known ? 56324 : own);
        if (headers[i % 3].known)
            assert_memory_equal(how.address, documented, 16);
        else
            assert_int_equal(how.address[15], 9);
        close(client);
    }
    /* The proxy's own health check goes the way of a client, under the proxy's address; or it closes, and that is all it wanted. */
    uint16_t own;
    int client = dial_from("127.0.0.9", port, &own);
    send_all(client, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
    send_all(client, hello.bytes, hello.size);
    struct message_handover how;
    assert_fresh(take_over(acme, &how));
    assert_true(how.port == own && how.address[15] == 9);
    close(client);
    for (int i = 0; i < 200; i++) { /* no source is punished for it */
        client = dial(port);
        send_all(client, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
        close(client);
    }
    /* Required means required. */
    assert_closed(dial_hello(port, "acme.example"));
    client = dial(port);
    send_all(client, "PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n", 37);
    assert_closed(client);
    assert_true(quiet(acme, NOT));
    close(acme);
}

/* H3: a header of whoever is not a proxy is not believed */
/* A header from where none is taken: neither believed nor skipped. And one where none is expected is no ClientHello. */
static void test_forged_header(void **state) {
    (void)state;
    uint16_t trusted = listen_at("127.0.0.1", LISTENER_TLS, "::ffff:127.0.0.8", 128, ""), plain = listen_tls();
    int acme = worker_begin(ACME, 1, 64);
    make_hello(&hello, "acme.example", 0, 16384);
    struct maker all = {.size = 0};
    put(&all, v2_four, 33);
    put(&all, hello.bytes, hello.size);
    int client = dial_from("127.0.0.7", trusted, NULL);
    send(client, all.bytes, all.size, MSG_NOSIGNAL);
    assert_closed(client);
    client = dial_from("127.0.0.8", plain, NULL);
    send_all(client, all.bytes, all.size);
    assert_closed(client);
    assert_true(quiet(acme, NOT));
    client = dial_from("127.0.0.8", trusted, NULL);
    send_all(client, all.bytes, all.size);
    assert_fresh(take_over(acme, NULL));
    close(client);
    close(acme);
}

static void test_credits(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int acme = worker_begin(ACME, 1, 3), bois = worker_begin(BOIS, 1, 64), client[6];
    for (int i = 0; i < 6; i++)
        client[i] = dial_hello(port, "acme.example");
    for (int i = 0; i < 3; i++)
        assert_fresh(take_over(acme, NULL));
    assert_true(quiet(acme, NOT));
    acknowledge(acme, ACME, 1, 2);
    for (int i = 0; i < 2; i++)
        assert_fresh(take_over(acme, NULL));
    assert_true(quiet(acme, NOT));
    acknowledge(acme, ACME, 1, 4); /* three are with it: it lies, and loses its socket */
    assert_worker_lost(acme);
    assert_int_equal(expect(MESSAGE_ROUTER_WANT).head.generation, 1);
    int other = dial_hello(port, "bois.example");
    assert_fresh(take_over(bois, NULL));
    make_hello(&hello, "acme.example", 0, 16384);
    acme = worker_begin(ACME, 1, 3); /* the sixth was held */
    assert_fresh(take_over(acme, NULL));
    for (int i = 0; i < 6; i++)
        close(client[i]);
    close(other);
    close(acme);
    close(bois);
}

static void test_start_on_demand(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int client[HELD_PER_TENANT];
    uint16_t own[HELD_PER_TENANT];
    make_hello(&hello, "acme.example", 0, 16384);
    for (int i = 0; i < HELD_PER_TENANT; i++) {
        client[i] = dial_from("127.0.0.1", port, &own[i]);
        send_all(client[i], hello.bytes, hello.size);
        if (i > 0) continue;
        union message m = expect(MESSAGE_ROUTER_WANT);
        assert_int_equal(m.head.tenant, ACME);
        assert_int_equal(m.head.generation, 0);
    }
    assert_true(quiet(channel, NOT)); /* once */
    assert_closed(dial_hello(port, "acme.example"));
    close(client[5]); /* left while it was held */
    quiet(channel, NOT);
    int acme = worker_begin(ACME, 1, HANDOVER_CREDITS);
    for (int n = 0, i; n < HELD_PER_TENANT - 1; n++) {
        struct message_handover how;
        assert_fresh(take_over(acme, &how));
        for (i = 0; i < HELD_PER_TENANT && own[i] != how.port; i++)
            continue;
        assert_in_range(i, 0, HELD_PER_TENANT - 1);
        assert_true(i != 5 && (n > 0 || i == 0)); /* who waited longest is the first */
        own[i] = 0;
        close(client[i]);
    }
    assert_true(quiet(acme, NOT));
    close(acme);
}

static void test_no_worker(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int held = dial_hello(port, "acme.example");
    expect(MESSAGE_ROUTER_WANT);
    say_plain(MESSAGE_ROUTER_NO_WORKER, ACME, 0, NO_WORKER_STOPPED, -1); /* what waits goes on waiting, and says so again */
    expect(MESSAGE_ROUTER_WANT);
    say_plain(MESSAGE_ROUTER_NO_WORKER, ACME, 0, NO_WORKER_SUSPENDED, -1);
    assert_closed(held);
    assert_closed(dial_hello(port, "acme.example"));
    assert_true(quiet(channel, NOT));
    say_plain(MESSAGE_ROUTER_NO_WORKER, ACME, 0, NO_WORKER_STOPPED, -1);
    held = dial_hello(port, "acme.example");
    expect(MESSAGE_ROUTER_WANT);
    int acme = worker_begin(ACME, 5, 8);
    assert_fresh(take_over(acme, NULL));
    close(held);
    say_plain(MESSAGE_ROUTER_NO_WORKER, ACME, 4, NO_WORKER_STOPPED, -1); /* of a dead one: ignored */
    held = dial_hello(port, "acme.example");
    assert_fresh(take_over(acme, NULL));
    close(held);
    assert_worker_lost(worker_begin(ACME, 4, 8));
    held = dial_hello(port, "acme.example");
    assert_fresh(take_over(acme, NULL));
    close(held);
    say_plain(MESSAGE_ROUTER_NO_WORKER, ACME, 5, NO_WORKER_THROTTLED, -1);
    assert_worker_lost(acme);
    assert_closed(dial_hello(port, "acme.example"));
}

static void test_worker_dies(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int acme = worker_begin(ACME, 1, 8), bois = worker_begin(BOIS, 1, 8);
    close(acme);
    int client = dial_hello(port, "acme.example"), other = dial_hello(port, "bois.example");
    assert_fresh(take_over(bois, NULL));
    assert_int_equal(expect(MESSAGE_ROUTER_WANT).head.tenant, ACME);
    make_hello(&hello, "acme.example", 0, 16384);
    acme = worker_begin(ACME, 2, 8);
    struct message_handover how;
    assert_fresh(take_over(acme, &how));
    assert_int_equal(how.head.generation, 2);
    /* Not a message of its end of the table at all. */
    assert_int_equal(send(acme, "nonsense", 8, 0), 8);
    assert_worker_lost(acme);
    close(client);
    close(other);
    close(bois);
}

static void test_source_limits(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    say_limits(3, 0);
    quiet(channel, NOT);
    int open[3];
    for (int i = 0; i < 3; i++)
        open[i] = dial(port);
    assert_closed(dial(port));
    int other = dial_from("127.0.0.2", port, NULL);
    assert_true(quiet(other, NOT));
    close(open[0]);
    quiet(channel, NOT);
    int again = dial(port);
    assert_true(quiet(again, NOT));
    say_limits(0, 1);
    quiet(channel, NOT);
    int fast[SOURCES_BURST_SECONDS];
    for (int i = 0; i < SOURCES_BURST_SECONDS; i++)
        fast[i] = dial_from("127.0.0.3", port, NULL);
    assert_closed(dial_from("127.0.0.3", port, NULL));
    for (int i = 0; i < SOURCES_BURST_SECONDS; i++) {
        assert_true(quiet(fast[i], 0));
        close(fast[i]);
    }
    for (int i = 1; i < 3; i++)
        close(open[i]);
    close(other);
    close(again);
}

/* Ten times as many half-open connections as there is room for do not keep out one that finishes; nor is one kept out by EMFILE. */
static int start_small(void **state) {
    (void)state;
    return start_with(256);
}
static void test_crowd(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int acme = worker_begin(ACME, 1, 64), crowd[1280];
    make_hello(&hello, "acme.example", 0, 16384);
    for (int i = 0; i < 1280; i++) {
        crowd[i] = dial(port);
        send(crowd[i], hello.bytes, (size_t)i % 50, MSG_NOSIGNAL);
    }
    int client = dial_hello(port, "acme.example");
    assert_fresh(take_over(acme, NULL));
    assert_closed(crowd[0]); /* the oldest went first */
    for (int i = 1; i < 1280; i++)
        close(crowd[i]);
    close(client);
    close(acme);
}

/* Moves the router's clock and wakes it. */
static void later(uint64_t ms) {
    quiet(channel, NOT);
    *ahead_ms += ms;
    say_limits(0, 0);
}

static void test_deadlines(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int held = dial_hello(port, "acme.example"), half = dial(port), silent = dial(port);
    expect(MESSAGE_ROUTER_WANT);
    send_all(half, hello.bytes, 30);
    later(CLIENT_HELLO_MS - 3000);
    assert_true(quiet(half, NOT) && quiet(silent, 0) && quiet(held, 0));
    later(4000);
    assert_closed(half);
    assert_closed(silent);
    assert_true(quiet(held, NOT));
    later(HELD_MS - CLIENT_HELLO_MS);
    assert_closed(held);
    assert_true(quiet(channel, NOT));
}

/* ---- the other listeners ---- */

static const char *ask(uint16_t port, const char *request, size_t piece) {
    static char answer[8192];
    int client = dial(port);
    for (size_t at = 0; at < strlen(request); at += piece)
        send(client, request + at, strlen(request) - at < piece ? strlen(request) - at : piece, MSG_NOSIGNAL);
    size_t size = 0;
    for (ssize_t more = 1; more > 0; size += more > 0 ? (size_t)more : 0) {
        await(client, POLLIN, SOON);
        more = recv(client, answer + size, sizeof answer - 1 - size, 0);
        assert_true(more >= 0);
    }
    answer[size] = '\0';
    close(client);
    return answer;
}

static void test_redirect(void **state) {
    (void)state;
    uint16_t port = listen_at("127.0.0.1", LISTENER_HTTP, NULL, 0, "http://ca.example/t/");
    static const size_t pieces[] = {10000, 1};
    for (size_t i = 0; i < 2; i++) {
        const char *answer = ask(port, "GET /a?b=c HTTP/1.1\r\nHost: ACME.example:80\r\n\r\n", pieces[i]);
        assert_memory_equal(answer, "HTTP/1.1 308 ", 13);
        assert_non_null(strstr(answer, "\r\nLocation: https://acme.example:8443/a?b=c\r\n"));
    }
    const char *challenge = "GET /.well-known/acme-challenge/tok_1 HTTP/1.1\r\nHost: acme.example\r\n\r\n";
    assert_non_null(strstr(ask(port, challenge, 10000), "\r\nLocation: http://ca.example/t/tok_1\r\n"));
    assert_memory_equal(ask(port, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 10000), "HTTP/1.1 421 ", 13);
    assert_memory_equal(ask(port, "GET / HTTP/1.1\r\nHost : acme.example\r\n\r\n", 10000), "HTTP/1.1 400 ", 13);
    assert_memory_equal(ask(port, "POST / HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 5\r\n\r\nhello", 3), "HTTP/1.1 308 ", 13);
    static char endless[REQUEST_HEAD_MAX + 100];
    memset(endless, 'a', sizeof endless - 1);
    memcpy(endless, "GET / HTTP/1.1\r\nHost: acme.example\r\nX: ", 39);
    assert_memory_equal(ask(port, endless, 5000), "HTTP/1.1 431 ", 13);
}

static void test_unix_socket(void **state) {
    (void)state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "/tmp/router_test.%d", getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 16), 0);
    const union message m = {
        .listener = {.head = {MESSAGE_ROUTER_LISTENER, BOIS, 0}, .id = ++listener_ids, .kind = LISTENER_PLAIN, .https_port = 443}};
    say(&m, fd);
    close(fd);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(expect(MESSAGE_ROUTER_WANT).head.tenant, BOIS); /* at once, before a byte */
    int bois = worker_begin(BOIS, 1, 8);
    struct message_handover how;
    fd = take_over(bois, &how);
    static const uint8_t nowhere[16];
    assert_int_equal(how.kind, HANDOVER_PLAIN);
    assert_memory_equal(how.address, nowhere, 16);
    close(fd);
    close(client);
    say_plain(MESSAGE_ROUTER_UNLISTEN, 0, 0, listener_ids, -1);
    quiet(channel, NOT);
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, sizeof name), -1);
    close(client);
    unlink(name.sun_path);
    close(bois);
}

/* A listener is taken back while connections that came in there are still looked at. */
static void test_unlisten(void **state) {
    (void)state;
    uint16_t port = listen_tls();
    int acme = worker_begin(ACME, 1, 8);
    int client = dial(port);
    make_hello(&hello, "acme.example", 0, 16384);
    send_all(client, hello.bytes, 20);
    quiet(channel, NOT);
    say_plain(MESSAGE_ROUTER_UNLISTEN, 0, 0, listener_ids, -1);
    quiet(channel, NOT);
    send_all(client, hello.bytes + 20, hello.size - 20);
    assert_fresh(take_over(acme, NULL));
    close(client);
    close(acme);
}

static int stop_refused(void **state) {
    (void)state;
    return stop_with(1);
}
static void test_bad_supervisor(void **state) {
    (void)state;
    say_host(MESSAGE_ROUTER_HOST, ACME, "Not A Host");
    await(channel, POLLIN, SOON);
    union message m;
    int fd;
    assert_int_equal(channel_receive(channel, CHANNEL_ROUTER, CHANNEL_SUPERVISOR, &m, &fd, NULL), CHANNEL_GONE);
}

#define ROUTER_TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start, stop)

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){4096, 4096});
    const struct CMUnitTest tests[] = {
        ROUTER_TEST(test_hand_over),
        ROUTER_TEST(test_ipv6),
        ROUTER_TEST(test_in_pieces),
        ROUTER_TEST(test_refused_hellos),
        ROUTER_TEST(test_half),
        ROUTER_TEST(test_no_spinning),
        ROUTER_TEST(test_proxy_header),
        ROUTER_TEST(test_forged_header),
        ROUTER_TEST(test_credits),
        ROUTER_TEST(test_start_on_demand),
        ROUTER_TEST(test_no_worker),
        ROUTER_TEST(test_worker_dies),
        ROUTER_TEST(test_source_limits),
        cmocka_unit_test_setup_teardown(test_crowd, start_small, stop),
        ROUTER_TEST(test_deadlines),
        ROUTER_TEST(test_redirect),
        ROUTER_TEST(test_unix_socket),
        ROUTER_TEST(test_unlisten),
        cmocka_unit_test_setup_teardown(test_bad_supervisor, start, stop_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

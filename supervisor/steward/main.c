/* The steward: answers staff on two Unix sockets with numbers, enums and the provider's own words. Its own uid, no capability, no file.
 * It stays in the machine's user namespace: only there SO_PEERCRED and SO_PEERGROUPS name the people who ask. */
#include "../../policy/channel.h"
#include "../../policy/jail.h"
#include "../../policy/wall.h"
#include "steward.h"
#include "uplink.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t steward_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void steward_log(const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (size > (int)sizeof line - 2) size = (int)sizeof line - 2;
    char text[sizeof line + 32];
    size = snprintf(text, sizeof text, "cloison-steward: %.*s\n", size, line);
    if (write(STDERR_FILENO, text, (size_t)size) < 0) return; /* nowhere left to say so */
}

static int fail(const char *what) {
    steward_log("%s: %s", what, strerror(errno));
    return EXIT_FAILURE;
}

static void on_channel(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    struct steward *steward = argument;
    if (!uplink_receive(steward)) event_base_loopbreak(steward->base);
}

static void on_sample(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    tenants_sample(((struct steward *)argument)->tenants);
}

static void on_beat(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    events_beat(((struct steward *)argument)->status);
}

static bool every(struct steward *steward, int ms, event_callback_fn callback) {
    struct timeval period = {.tv_sec = ms / 1000};
    struct event *timer = event_new(steward->base, -1, EV_PERSIST, callback, steward);
    return timer && event_add(timer, &period) == 0;
}

/* Everything that opens, seeds or reads a file does it here, before the wall. */
static bool open_all(struct steward *steward) {
    time_t now = time(NULL);
    struct tm warm;
    gmtime_r(&now, &warm); /* reads the time zone's file once */
    json_object_seed(0);   /* reads random bytes once */
    signal(SIGPIPE, SIG_IGN);
    steward->base = event_base_new();
    steward->tenants = tenants_new();
    steward->events = events_new();
    if (!steward->base || !steward->tenants || !steward->events) return false;
    struct event *channel = event_new(steward->base, steward->channel, EV_READ | EV_PERSIST, on_channel, steward);
    return channel && event_add(channel, NULL) == 0 && every(steward, TENANTS_SAMPLE_MS, on_sample) &&
           every(steward, EVENTS_BEAT_MS, on_beat);
}

/* From here on: the fds it has, the calls on its list. */
static bool seal(union message *ready) {
    struct wall_program wall;
    if (wall_make(WALL_STEWARD, &wall) < 0 || jail_drop_rights() < 0) return false;
    jail_observe(ready->ready.layer, &ready->ready.landlock_abi);
    if (wall_close(&wall) < 0) return false;
    ready->ready.layer[LAYER_seccomp] = LAYER_ON;
    ready->ready.syscalls = wall.calls;
    memcpy(ready->ready.filter_hash, wall.hash, sizeof wall.hash);
    return true;
}

int main(void) {
    struct steward steward = {.channel = JAIL_CHANNEL, .ledger = -1};
    union message ready = {.head.type = MESSAGE_STEWARD_READY};
    if (jail_close_from(JAIL_CHANNEL + 1) < 0) return fail("close_range");
    if (!open_all(&steward)) return fail("start");
    if (!seal(&ready)) return fail("jail");
    if (channel_send(steward.channel, CHANNEL_STEWARD, &ready, -1) != CHANNEL_OK) return fail("channel");
    event_base_dispatch(steward.base);
    return EXIT_SUCCESS;
}

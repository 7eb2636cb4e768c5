#include "steward.h"

#include "publication.h"
#include "support.h"
#include "uplink.h"

#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
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

static void on_channel(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    struct steward *steward = argument;
    if (!uplink_receive(steward)) event_base_loopbreak(steward->base);
}

static void on_sample(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    struct steward *steward = argument;
    tenants_sample(steward->tenants);
    publication_tick(steward->publication, steward->tenants, steward_now_ms());
    support_tick(steward, steward_now_ms());
}

static void on_beat(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    events_beat(((struct steward *)argument)->status);
}

static struct event *every(struct steward *steward, int ms, event_callback_fn callback) {
    struct timeval period = {.tv_sec = ms / 1000};
    struct event *timer = event_new(steward->base, -1, EV_PERSIST, callback, steward);
    return timer && event_add(timer, &period) == 0 ? timer : NULL;
}

bool steward_sample_every(struct steward *steward, uint64_t ms) {
    struct timeval period = {.tv_sec = (time_t)(ms / 1000)};
    if (ms < 1000 || ms > 3600000) return false;
    return event_add(steward->sample, &period) == 0;
}

bool steward_open(struct steward *steward) {
    time_t now = time(NULL);
    struct tm warm;
    gmtime_r(&now, &warm); /* reads the time zone's file once */
    json_object_seed(0);   /* reads random bytes once */
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < STEWARD_RECORDS; i++)
        steward->record[i] = -1;
    steward->base = event_base_new();
    steward->tenants = tenants_new();
    steward->events = events_new();
    steward->publication = publication_new();
    steward->support = support_new();
    if (!steward->base || !steward->tenants || !steward->events || !steward->publication || !steward->support) return false;
    struct event *channel = event_new(steward->base, steward->channel, EV_READ | EV_PERSIST, on_channel, steward);
    steward->sample = every(steward, TENANTS_SAMPLE_MS, on_sample);
    steward->owed.again = event_new(steward->base, -1, 0, uplink_owed, steward);
    return channel && event_add(channel, NULL) == 0 && steward->owed.again && steward->sample && every(steward, EVENTS_BEAT_MS, on_beat);
}

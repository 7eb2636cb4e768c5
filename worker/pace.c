#include "pace.h"

#include "web/exchange.h"

enum { MINUTE = 60 };

bool pace_take(struct pace *pace) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    if (now.tv_sec - pace->since >= MINUTE) {
        pace->since = now.tv_sec;
        pace->taken = 0;
    }
    if (pace->taken >= pace->most) return false;
    pace->taken++;
    return true;
}

bool pace_admit(struct pace *pace, struct exchange *x) {
    if (pace_take(pace)) return true;
    respond_header(x, "Retry-After", "60");
    respond_problem(x, 429, "too-many", "Too much of this was asked for in a minute; wait a little.", NULL, 0);
    return false;
}

/* Tells the service manager how the supervisor is (sd_notify(3)), without its library in a root process. */
#pragma once

/* state: e.g. "READY=1". Nothing happens where $NOTIFY_SOCKET is not set; 0, or -1 with errno. */
int notify_manager(const char *state);

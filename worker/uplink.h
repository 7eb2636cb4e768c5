/* What the worker says to the supervisor: enums, integers and fds, nothing else (S2, S4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void uplink_state(void);              /* sealed or serving */
void uplink_enrolled(void);
void uplink_plain(bool wanted);       /* the tenant switched web/NAME.sock on or off (C4) */

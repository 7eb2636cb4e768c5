/*
 * Growing delays after wrong log-ins, one a login and one a source, in small tables of fixed size. Unknown logins are treated as known
 * ones. A source is an IPv4 address or an IPv6 /64; connections without a source (the plain socket) have none to count.
 */
#pragma once

#include "../keys/keys.h"

enum { LOCKOUT_LAST_SECONDS = 60 };

/* Seconds to wait before another try with this login from this source; 0 = go on. At most LOCKOUT_LAST_SECONDS. In this and the next two
 * locator NULL: a random credential that no login goes with; the source alone counts. */
unsigned lockout_wait(const uint8_t locator[ID_BYTES], const uint8_t peer[16]);
/* A try begins: as long as its end is not known, the next one waits as after a wrong one. Else many at once would be as one. */
void lockout_begin(const uint8_t locator[ID_BYTES], const uint8_t peer[16]);
void lockout_failed(const uint8_t locator[ID_BYTES], const uint8_t peer[16]);
void lockout_forgive(const uint8_t locator[ID_BYTES], const uint8_t peer[16]);

/* For tests: as if so many seconds had passed. */
void lockout_pass(unsigned seconds);

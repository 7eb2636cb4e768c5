/* The coarse zone of an address (S3, S6), from the table that the supervisor passes with the first message. */
#pragma once

#include "../../policy/counters.h"

/* Before the wall: maps a sealed memfd for reading and closes it. -1: there is no table; anything that may still change is refused. */
void zones_take(int fd);

/* By which number of the catalogue an address is counted. */
enum counter zones_of(const uint8_t address[16]);

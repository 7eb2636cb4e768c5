/*
 * Coarse zones (S3, S6): which country an address belongs to, as a flat table that is looked up where it lies. `cloison zones compile`
 * makes it out of a file in MaxMind's format; the supervisor copies it unread into a sealed memfd; each worker maps that for reading only.
 * What goes up is one number of the catalogue a country, never an address.
 *
 * The table, little-endian: struct zones_head, v6 starts (the upper 64 bits of an address, 8 bytes each), v4 starts (4 bytes each), then
 * as many codes of 2 bytes, v6 first. A range goes from its start to the next one's; the first of each kind starts at 0.
 */
#pragma once

#include "counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZONES_BYTES_MAX = 64 * 1024 * 1024, ZONES_RANGES_MAX = 4 * 1024 * 1024 /* of each kind */ };

struct zones_head {
    char magic[8]; /* ZONES_MAGIC */
    uint32_t v6, v4;
};
#define ZONES_MAGIC "CLZONES1"

/* Of a country's two letters; 0 = unknown. */
#define ZONE_CODE(A, B) ((uint16_t)((unsigned char)(A) << 8 | (unsigned char)(B)))

/* Bytes of a table with so many ranges. */
size_t zones_size(uint32_t v6, uint32_t v4);

/* NULL: bytes[0..size) is a whole table in order with known codes only; else what is wrong with it. Reads all of it. */
const char *zones_check(const void *bytes, size_t size);

/* The code of an address (IPv6, or IPv4 as ::ffff:a.b.c.d); 0 = unknown. Looks inside bytes[0..size) only, whatever is there. */
uint16_t zones_find(const void *bytes, size_t size, const uint8_t address[16]);

/* The number of the catalogue that a code is counted by; COUNTER_zone_unknown for any other. */
enum counter zones_counter(uint16_t code);

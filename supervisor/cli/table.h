/* Text in columns, and numbers as people read them. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 16, TABLE_CELL_MAX = 40 };

struct table;

/* heads: what stands above each column; one that begins with '>' is aligned to the right. NULL: no memory. */
struct table *table_new(const char *const *heads, size_t columns);
void table_free(struct table *table);

/* The next cell, line by line; longer ones are cut. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* line_end: what ends each line, "\n" or with an escape before it. */
void table_print(const struct table *table, const char *line_end);

/* 0, 812, 1.2k, 34M, 5.6G by thousands; for bytes by 1024. */
const char *table_count(uint64_t value, char out[16]);
const char *table_bytes(uint64_t value, char out[16]);
/* Unix seconds as 2026-11-22 03:21:35 in UTC. */
const char *table_time(int64_t seconds, char out[32]);
/* 12s, 5m, 3h, 4d */
const char *table_span(int64_t seconds, char out[16]);

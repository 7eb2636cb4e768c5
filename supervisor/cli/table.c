#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct table {
    const char *const *heads;
    size_t columns, cells, room;
    size_t width[TABLE_COLUMNS_MAX];
    char (*cell)[TABLE_CELL_MAX];
};

static const char *head_text(const struct table *table, size_t column) {
    const char *head = table->heads[column];
    return *head == '>' ? head + 1 : head;
}

struct table *table_new(const char *const *heads, size_t columns) {
    struct table *table = columns ? calloc(1, sizeof *table) : NULL;
    if (!table) return NULL;
    table->heads = heads;
    table->columns = columns < TABLE_COLUMNS_MAX ? columns : TABLE_COLUMNS_MAX;
    for (size_t c = 0; c < table->columns; c++)
        table->width[c] = strlen(head_text(table, c));
    return table;
}

void table_free(struct table *table) {
    if (table) free(table->cell);
    free(table);
}

void table_cell(struct table *table, const char *format, ...) {
    if (!table || table->columns == 0) return;
    if (table->cells == table->room) {
        size_t room = table->room ? table->room * 2 : 256;
        void *more = reallocarray(table->cell, room, sizeof *table->cell);
        if (!more) return;
        table->cell = more;
        table->room = room;
    }
    char *cell = table->cell[table->cells];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cell, TABLE_CELL_MAX, format, arguments);
    va_end(arguments);
    size_t column = table->cells++ % table->columns, size = strlen(cell);
    if (size > table->width[column]) table->width[column] = size;
}

static void print_cell(const struct table *table, size_t column, const char *text) {
    int width = (int)table->width[column];
    if (*table->heads[column] == '>')
        printf("%*s", width, text);
    else if (column + 1 < table->columns)
        printf("%-*s", width, text);
    else
        fputs(text, stdout);
    if (column + 1 < table->columns) fputs("  ", stdout);
}

void table_print(const struct table *table, const char *line_end) {
    if (!table || table->columns == 0) return;
    for (size_t c = 0; c < table->columns; c++)
        print_cell(table, c, head_text(table, c));
    fputs(line_end, stdout);
    for (size_t i = 0; i < table->cells; i++) {
        print_cell(table, i % table->columns, table->cell[i]);
        if ((i + 1) % table->columns == 0) fputs(line_end, stdout);
    }
}

static const char *scaled(uint64_t value, unsigned step, const char *units, char out[16]) {
    double v = (double)value;
    while (v >= step && units[1]) {
        v /= step;
        units++;
    }
    if (*units == ' ')
        snprintf(out, 16, "%llu", (unsigned long long)value);
    else
        snprintf(out, 16, v < 10 ? "%.1f%c" : "%.0f%c", v, *units);
    return out;
}

const char *table_count(uint64_t value, char out[16]) { return scaled(value, 1000, " kMGTPE", out); }
const char *table_bytes(uint64_t value, char out[16]) { return scaled(value, 1024, " KMGTPE", out); }

const char *table_time(int64_t seconds, char out[32]) {
    time_t t = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0) snprintf(out, 32, "%lld", (long long)seconds);
    return out;
}

const char *table_span(int64_t seconds, char out[16]) {
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    if (seconds < 0) seconds = 0;
    if (seconds > INT32_MAX) seconds = INT32_MAX;
    size_t u = 0;
    while (u < 3 && seconds < units[u].seconds * 2)
        u++;
    snprintf(out, 16, "%lld%c", (long long)(seconds / units[u].seconds), units[u].unit);
    return out;
}

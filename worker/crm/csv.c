/* The CSV reader, on libcsv. */
#include "reader.h"

#include "../../policy/names.h"
#include "columns.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 65536 /* bytes of the header row */, CELL_MAX = 131072 /* bytes */ };

struct csv {
    struct reader reader;
    struct csv_parser parser;
    struct columns *columns;
    char separator; /* 0 until it is known */
    char *head;     /* the file's first bytes, until the header row is whole */
    size_t head_size;
    bool head_quoted;   /* inside a quoted cell of it */
    unsigned long line; /* in hand, from 1 */
    unsigned long row;  /* the line at which the row in hand begins */
    bool begun;         /* something of that row was seen */
    bool named;         /* the header row is over */
    bool after_cr, stopped;
    size_t column;      /* of the next cell */
    bool empty;         /* no cell of this row held anything */
    json_t *record;     /* being filled in */
    struct problem why; /* the first thing wrong with it */
};

static void stop(struct csv *c, int status, const char *type, const char *detail) {
    c->stopped = true;
    c->reader.broken.line = c->row;
    if (!c->reader.broken.status) problem_set(&c->reader.broken, status, type, "%s", detail);
}

static void take_cell(void *bytes, size_t size, void *argument) {
    struct csv *c = argument;
    const char *cell = bytes ? bytes : "";
    if (c->stopped) return;
    if (!text_is_utf8(cell, size) || memchr(cell, 0, size)) {
        stop(c, 400, "invalid-csv", "Not UTF-8, or with NUL characters; save the file as UTF-8.");
        columns_name(c->columns, c->column, c->reader.broken.field, sizeof c->reader.broken.field);
        return;
    }
    if (!c->named) {
        if (!columns_header(c->columns, cell, size, &c->reader.broken)) stop(c, 400, "invalid-csv", "");
        return;
    }
    if (!c->record && !(c->record = json_object()))
        stop(c, 503, "out-of-memory", "There is not enough memory now; try again.");
    else if (c->column < columns_count(c->columns) && !c->why.status)
        columns_set(c->columns, c->column, cell, size, c->record, &c->why);
    if (c->why.status == 503) stop(c, 503, c->why.type, c->why.detail);
    if (size) c->empty = false;
    c->column++;
}

static void give_row(struct csv *c) {
    size_t expected = columns_count(c->columns);
    json_t *record = c->record;
    c->record = NULL;
    if (c->column != expected && !c->empty)
        problem_set(&c->why, 400, "invalid-csv", "%zu cells, where the header row has %zu.", c->column, expected);
    const struct problem *why = c->empty ? NULL : c->why.status ? &c->why : NULL;
    if (why || c->empty) {
        json_decref(record);
        record = NULL;
    }
    if (!c->reader.each(c->reader.argument, c->row, record, why)) c->stopped = true;
}

static void take_row(int terminator, void *argument) {
    struct csv *c = argument;
    (void)terminator;
    if (c->stopped) return;
    if (c->named)
        give_row(c);
    else if (!columns_ready(c->columns, &c->reader.broken))
        stop(c, 400, "invalid-csv", "");
    c->named = true;
    c->begun = false;
    c->column = 0;
    c->empty = true;
    c->why = (struct problem){0};
}

/* Bytes of one line at most, so that the line is known in the calls above. */
static bool parse_line(struct csv *c, const char *bytes, size_t size) {
    if (!c->begun) c->row = c->line;
    for (size_t i = 0; i < size && !c->begun; i++)
        c->begun = !strchr(" \t\r\n", bytes[i]) || bytes[i] == c->separator;
    if (csv_parse(&c->parser, bytes, size, take_cell, take_row, c) != size && !c->stopped) {
        if (csv_error(&c->parser) == CSV_ENOMEM)
            stop(c, 503, "out-of-memory", "There is not enough memory now; try again.");
        else
            stop(c, 400, "invalid-csv",
                 "A quote in the middle of a cell: a cell with quotes is quoted, its own quotes are doubled (RFC 4180).");
    }
    if (!c->stopped && c->parser.entry_pos > CELL_MAX)
        stop(c, 400, "too-large", "A cell of more than 128 KiB, or a quote that is never closed.");
    return !c->stopped;
}

static bool parse(struct csv *c, const char *bytes, size_t size) {
    while (size) {
        size_t n = 0;
        while (n < size && bytes[n] != '\n' && bytes[n] != '\r')
            n++;
        if (n < size) n++;
        if (!parse_line(c, bytes, n)) return false;
        char last = bytes[n - 1];
        bool second = n == 1 && last == '\n' && c->after_cr; /* of CR LF */
        c->after_cr = last == '\r';
        if ((last == '\n' || last == '\r') && !second) c->line++;
        bytes += n;
        size -= n;
    }
    return true;
}

/* The one that is there most often outside quotes. */
static char guess(const char *head, size_t size) {
    size_t commas = 0, semicolons = 0, tabs = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (head[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            commas += head[i] == ',', semicolons += head[i] == ';', tabs += head[i] == '\t';
    }
    return semicolons > commas && semicolons >= tabs ? ';' : tabs > commas ? '\t' : ',';
}

static bool head_over(struct csv *c) {
    if (c->head_size >= 2 && (memcmp(c->head, "\xff\xfe", 2) == 0 || memcmp(c->head, "\xfe\xff", 2) == 0)) {
        stop(c, 400, "invalid-csv", "UTF-16; save the file as UTF-8.");
        return false;
    }
    size_t mark = c->head_size >= 3 && memcmp(c->head, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (!c->separator) c->separator = guess(c->head + mark, c->head_size - mark);
    csv_set_delim(&c->parser, (unsigned char)c->separator);
    bool fine = parse(c, c->head + mark, c->head_size - mark);
    free(c->head);
    c->head = NULL;
    return fine;
}

static bool feed(struct reader *r, const uint8_t *bytes, size_t size) {
    struct csv *c = (struct csv *)r;
    bool over = false, blank = true;
    size_t n = 0;
    if (!c->head) return parse(c, (const char *)bytes, size);
    for (size_t i = 0; i < c->head_size && blank; i++)
        blank = c->head[i] == '\n' || c->head[i] == '\r';
    while (n < size && !over && c->head_size < HEADER_MAX) {
        char b = (char)bytes[n++];
        if (b == '"') c->head_quoted = !c->head_quoted;
        over = (b == '\n' || b == '\r') && !c->head_quoted && !blank;
        if (b != '\n' && b != '\r') blank = false;
        c->head[c->head_size++] = b;
    }
    if (!over && n < size) {
        stop(c, 400, "invalid-csv", "No end of the header row within 64 KiB.");
        return false;
    }
    return !over || (head_over(c) && parse(c, (const char *)bytes + n, size - n));
}

static bool end(struct reader *r) {
    struct csv *c = (struct csv *)r;
    if (c->head && !head_over(c)) return false;
    if (csv_fini(&c->parser, take_cell, take_row, c) != 0 && !c->stopped) stop(c, 400, "invalid-csv", "A quote that is never closed.");
    if (!c->stopped && !c->named) stop(c, 400, "invalid-csv", "Expected a header row, got nothing.");
    return !c->stopped;
}

static void release(struct reader *r) {
    struct csv *c = (struct csv *)r;
    csv_free(&c->parser);
    columns_free(c->columns);
    json_decref(c->record);
    free(c->head);
    free(c);
}

struct reader *csv_reader(enum kind kind, const struct csv_options *options, reader_each *each, void *argument, struct problem *p) {
    static const struct reader_methods methods = {feed, end, release};
    struct csv *c = calloc(1, sizeof *c);
    if (!c || csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        free(c);
        problem_memory(p);
        return NULL;
    }
    c->reader = (struct reader){.methods = &methods, .kind = kind, .each = each, .argument = argument};
    c->separator = options->separator;
    c->line = c->row = 1;
    c->empty = true;
    c->head = malloc(HEADER_MAX);
    c->columns = columns_new(kind, options->map, p);
    if (c->head && c->columns) return &c->reader;
    if (!c->head) problem_memory(p);
    release(&c->reader);
    return NULL;
}

/* The JSON reader: finds where each object of an array, or of a sequence, begins and ends, and has one at a time parsed. */
#include "reader.h"

#include "record.h"

#include <stdlib.h>
#include <string.h>

struct json_file {
    struct reader reader;
    enum { FIRST, ELEMENT, ELEMENT_OR_END, SEPARATOR, OBJECT, OVER } expect;
    bool array, in_text, escaped;
    unsigned depth;
    struct text object;        /* in hand */
    unsigned long line, start; /* now; where the object begins */
    unsigned mark;             /* bytes of a byte order mark seen */
};

static bool broken(struct json_file *f, const char *detail) {
    f->reader.broken.line = f->line;
    problem_set(&f->reader.broken, 400, "invalid-json", "%s", detail);
    return false;
}

static bool give(struct json_file *f) {
    struct problem why = {0};
    if (f->object.failed) return problem_memory(&f->reader.broken), false;
    json_t *object = record_parse(f->object.data, f->object.size, f->start, &why);
    if (!object && why.status == 503) return f->reader.broken = why, false;
    f->expect = f->array ? SEPARATOR : ELEMENT;
    text_clear(&f->object);
    return f->reader.each(f->reader.argument, f->start, object, object ? NULL : &why);
}

/* A byte of an object. */
static bool inside(struct json_file *f, char c) {
    if (f->object.size > RECORD_BODY_MAX) return broken(f, "An object of more than 256 KiB, or a quote or brace that is never closed.");
    text_char(&f->object, c);
    if (f->in_text) {
        if (f->escaped)
            f->escaped = false;
        else if (c == '\\')
            f->escaped = true;
        else if (c == '"')
            f->in_text = false;
        return true;
    }
    if (c == '"')
        f->in_text = true;
    else if (c == '{' || c == '[')
        f->depth++;
    else if ((c == '}' || c == ']') && --f->depth == 0)
        return give(f);
    return true;
}

/* A byte between objects. */
static bool between(struct json_file *f, char c) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return true;
    if (f->expect == FIRST && c == '[') {
        f->array = true;
        f->expect = ELEMENT_OR_END;
        return true;
    }
    if (c == '{' && (f->expect == FIRST || f->expect == ELEMENT || f->expect == ELEMENT_OR_END)) {
        f->expect = OBJECT;
        f->start = f->line;
        return inside(f, c);
    }
    if (c == ']' && f->array && (f->expect == ELEMENT_OR_END || f->expect == SEPARATOR)) {
        f->expect = OVER;
        return true;
    }
    if (c == ',' && f->expect == SEPARATOR) {
        f->expect = ELEMENT;
        return true;
    }
    switch (f->expect) {
    case FIRST:
        return broken(f, "Expected an array of objects, or objects one a line.");
    case SEPARATOR:
        return broken(f, "Expected a comma or the end of the array.");
    case OVER:
        return broken(f, "Something follows the end of the array.");
    default:
        return broken(f, "Expected an object.");
    }
}

static bool feed(struct reader *r, const uint8_t *bytes, size_t size) {
    static const char mark[] = "\xef\xbb\xbf";
    struct json_file *f = (struct json_file *)r;
    for (size_t i = 0; i < size; i++) {
        char c = (char)bytes[i];
        if (f->expect == FIRST && f->mark < 3 && f->line == 1 && c == mark[f->mark]) {
            f->mark++;
            continue;
        }
        if (!(f->expect == OBJECT ? inside(f, c) : between(f, c))) return false;
        if (c == '\n') f->line++;
    }
    return true;
}

static bool end(struct reader *r) {
    struct json_file *f = (struct json_file *)r;
    if (f->expect == OVER || (f->expect == ELEMENT && !f->array)) return true;
    if (f->expect == FIRST) return broken(f, "Expected an array of objects, or objects one a line, got nothing.");
    return broken(f, "The JSON text ends too early.");
}

static void release(struct reader *r) {
    struct json_file *f = (struct json_file *)r;
    text_free(&f->object);
    free(f);
}

struct reader *json_reader(enum kind kind, reader_each *each, void *argument, struct problem *p) {
    static const struct reader_methods methods = {feed, end, release};
    struct json_file *f = calloc(1, sizeof *f);
    if (!f) return problem_memory(p), NULL;
    f->reader = (struct reader){.methods = &methods, .kind = kind, .each = each, .argument = argument};
    f->line = f->start = 1;
    return &f->reader;
}

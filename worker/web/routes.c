#include "routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 12 };

/* A row, looked at once: the literal beginning decides almost always. */
struct row {
    const struct route *route;
    size_t literal; /* bytes before the first {} */
    unsigned segments;
};

static struct row *rows;
static size_t row_count;

static unsigned segments_of(const char *path) {
    unsigned n = 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

bool routes_start(void) {
    static const struct route *const tables[] = {
        web_routes,      region_routes,    account_routes,      crm_routes,      witness_routes,  journal_routes, rollback_routes,
        rotation_routes, function_routes,  confirmation_routes, usage_routes,    document_routes, notice_routes,  backup_routes,
        subject_routes,  reference_routes, rule_routes,         register_routes, leaving_routes,  support_routes,
    };
    size_t n = 0;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct route *r = tables[t]; r->pattern; r++)
            n++;
    free(rows);
    rows = calloc(n, sizeof *rows);
    row_count = 0;
    if (!rows) return false;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const struct route *r = tables[t]; r->pattern; r++) {
            const char *brace = strchr(r->pattern, '{');
            struct row row = {r, brace ? (size_t)(brace - r->pattern) : strlen(r->pattern), segments_of(r->pattern)};
            if (r->pattern[0] != '/' || row.segments > SEGMENTS_MAX || !r->handle) return false;
            rows[row_count++] = row;
        }
    }
    return true;
}

const struct route *route_at(size_t n) { return n < row_count ? rows[n].route : NULL; }

/* The path with its escapes resolved. An escaped '/' would make another path of it: there is none such here. */
static bool decode(struct request *r) {
    struct slice path = r->head->path;
    if (!memchr(path.data, '%', path.size)) {
        memcpy(r->path, path.data, path.size);
        r->path[path.size] = '\0';
        return true;
    }
    return !memmem(path.data, path.size, "%2f", 3) && !memmem(path.data, path.size, "%2F", 3) &&
           http_percent_decode(path, false, r->path, sizeof r->path);
}

static bool matches(const struct row *row, struct request *r, unsigned segments) {
    const char *pattern = row->route->pattern, *path = r->path;
    if (row->segments != segments || strncmp(pattern, path, row->literal) != 0) return false;
    pattern += row->literal;
    path += row->literal;
    size_t variables = 0;
    while (*pattern) {
        if (strncmp(pattern, "{}", 2) == 0) {
            size_t size = strcspn(path, "/");
            if (size == 0 || variables == sizeof r->segment / sizeof *r->segment) return false;
            r->segment[variables++] = (struct slice){path, size};
            path += size;
            pattern += 2;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static void allow_add(char allow[ALLOW_MAX], const char *method) {
    if (strstr(allow, method)) return;
    size_t used = strlen(allow);
    snprintf(allow + used, ALLOW_MAX - used, "%s%s", used ? ", " : "", method);
}

enum route_verdict route_find(struct request *r, const struct route **route, char allow[ALLOW_MAX]) {
    static const char *const name[] = {[HTTP_GET] = "GET, HEAD", [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",      [HTTP_PUT] = "PUT",
                                       [HTTP_PATCH] = "PATCH",   [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS"};
    enum http_method method = r->head->method == HTTP_HEAD ? HTTP_GET : r->head->method;
    allow[0] = '\0';
    if (!decode(r)) return ROUTE_BAD_PATH;
    unsigned segments = segments_of(r->path);
    for (size_t i = 0; i < row_count; i++) {
        if (!matches(&rows[i], r, segments)) continue;
        *route = rows[i].route;
        if (rows[i].route->method == method) return ROUTE_FOUND;
        allow_add(allow, name[rows[i].route->method]);
    }
    if (!*allow) return ROUTE_NO_PATH;
    allow_add(allow, "OPTIONS");
    return ROUTE_NO_METHOD;
}

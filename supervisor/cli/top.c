/* cloison top: the tenants that work most, redrawn every two seconds. */
#include "client.h"
#include "show.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_S = 2 };

struct line {
    const json_t *now, *before; /* before: NULL = not seen yet */
    double rate;
};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const json_t *named(const json_t *tenants, const char *name) {
    size_t i;
    json_t *t;
    json_array_foreach(tenants, i, t) if (strcmp(show_text(t, "name"), name) == 0) return t;
    return NULL;
}

static int busier(const void *a, const void *b) {
    const struct line *x = a, *y = b;
    if (x->rate != y->rate) return x->rate < y->rate ? 1 : -1;
    int64_t more = show_number(y->now, "connections") - show_number(x->now, "connections");
    if (more) return more > 0 ? 1 : -1;
    return strcmp(show_text(x->now, "name"), show_text(y->now, "name"));
}

static void draw(const struct line *line, size_t count, const char *line_end) {
    static const char *const heads[] = {"TENANT",    "STATE", ">PID", ">CONN", ">BUSY",  ">REQ/s",
                                        ">REQUESTS", ">5XX",  ">IN",  ">OUT",  ">STORE", ">MEM"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    for (size_t i = 0; i < count; i++) {
        const json_t *t = line[i].now;
        char text[16];
        table_cell(table, "%s", show_text(t, "name"));
        table_cell(table, "%s", show_text(t, "state"));
        if (show_number(t, "pid"))
            table_cell(table, "%lld", (long long)show_number(t, "pid"));
        else
            table_cell(table, "-");
        table_cell(table, "%s", table_count((uint64_t)show_number(t, "connections"), text));
        table_cell(table, "%s", table_count((uint64_t)show_number(t, "inflight"), text));
        if (line[i].before)
            table_cell(table, "%.0f", line[i].rate);
        else
            table_cell(table, "-");
        table_cell(table, "%s", table_count((uint64_t)show_requests(t), text));
        table_cell(table, "%s", table_count((uint64_t)show_number(json_object_get(t, "requests"), "5xx"), text));
        table_cell(table, "%s", table_bytes((uint64_t)show_number(t, "bytes_in"), text));
        table_cell(table, "%s", table_bytes((uint64_t)show_number(t, "bytes_out"), text));
        table_cell(table, "%s", show_bytes(t, "store_bytes", text));
        table_cell(table, "%s", show_bytes(t, "memory_bytes", text));
    }
    table_print(table, line_end);
    table_free(table);
}

/* One picture. before: the answer of the picture before, NULL = none; passed: seconds since. */
static void picture(const json_t *status, const json_t *before, double passed, bool screen) {
    const char *line_end = screen ? "\033[K\n" : "\n";
    const json_t *tenants = json_object_get(status, "tenants"), *old = json_object_get(before, "tenants");
    size_t count = json_array_size(tenants);
    struct line *line = calloc(count ? count : 1, sizeof *line);
    if (!line) return;
    for (size_t i = 0; i < count; i++) {
        line[i].now = json_array_get(tenants, i);
        line[i].before = named(old, show_text(line[i].now, "name"));
        int64_t more = line[i].before ? show_requests(line[i].now) - show_requests(line[i].before) : 0;
        line[i].rate = more > 0 && passed > 0 ? (double)more / passed : 0;
    }
    qsort(line, count, sizeof *line, busier);
    if (screen) fputs("\033[H", stdout);
    show_head(status, line_end);
    draw(line, count, line_end);
    fputs(screen ? "\033[J" : "\n", stdout);
    fflush(stdout);
    free(line);
}

int cli_top(const struct cli *cli, int argc, char **argv) {
    bool once = argc == 1 && strcmp(argv[0], "--once") == 0, screen = !once && isatty(STDOUT_FILENO);
    if (argc && !once) return cli_usage("top: %s: only --once is known", argv[0]);
    json_t *before = NULL;
    double drawn = 0;
    if (screen) fputs("\033[2J", stdout);
    for (;;) {
        struct client_answer answer;
        int status = show_get(cli, "/v1/status", &answer);
        if (status != CLI_DONE) {
            json_decref(before);
            return status;
        }
        double now = seconds();
        if (cli->json)
            cli_print_json(answer.json);
        else
            picture(answer.json, before, now - drawn, screen);
        fflush(stdout);
        json_decref(before);
        before = json_incref(answer.json);
        client_free(&answer);
        drawn = now;
        if (once) break;
        sleep(PERIOD_S);
    }
    json_decref(before);
    return CLI_DONE;
}

/* What there is: status, tenant list, tenant show, posture. */
#include "show.h"
#include "../../policy/names.h"
#include "client.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

int64_t show_number(const json_t *object, const char *key) { return json_integer_value(json_object_get(object, key)); }

const char *show_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

const char *show_bytes(const json_t *object, const char *key, char out[16]) {
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? table_bytes((uint64_t)json_integer_value(value), out) : "-";
}

int64_t show_requests(const json_t *tenant) {
    const char *class;
    json_t *value;
    int64_t sum = 0;
    json_object_foreach(json_object_get(tenant, "requests"), class, value) sum += json_integer_value(value);
    return sum;
}

int show_get(const struct cli *cli, const char *path, struct client_answer *answer) {
    return client_ask(cli, &(struct client_call){.socket = "status", .method = "GET", .path = path}, answer);
}

/* A table; now: Unix seconds. */
static void show_tenants(const json_t *tenants, int64_t now) {
    static const char *const heads[] = {"TENANT", "STATE", ">FOR",   ">PID",   ">CONN", ">REQUESTS", ">5XX",
                                        ">IN",    ">OUT",  ">STORE", ">QUOTA", ">MEM",  ">CRASHES",  "CERTIFICATE"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *t;
    json_array_foreach(tenants, i, t) {
        char text[32], small[16];
        int64_t expires = show_number(t, "cert_expires");
        bool known = json_is_integer(json_object_get(t, "store_bytes")); /* a worker ran since the steward's start */
        table_cell(table, "%s", show_text(t, "name"));
        table_cell(table, "%s", show_text(t, "state"));
        table_cell(table, "%s", table_span(now - show_number(t, "since"), small));
        if (show_number(t, "pid"))
            table_cell(table, "%lld", (long long)show_number(t, "pid"));
        else
            table_cell(table, "-");
        table_cell(table, "%s", table_count((uint64_t)show_number(t, "connections"), small));
        table_cell(table, "%s", table_count((uint64_t)show_requests(t), small));
        table_cell(table, "%s", table_count((uint64_t)show_number(json_object_get(t, "requests"), "5xx"), small));
        table_cell(table, "%s", table_bytes((uint64_t)show_number(t, "bytes_in"), small));
        table_cell(table, "%s", table_bytes((uint64_t)show_number(t, "bytes_out"), small));
        table_cell(table, "%s", show_bytes(t, "store_bytes", small));
        table_cell(table, "%s", table_bytes((uint64_t)show_number(t, "quota_bytes"), small));
        table_cell(table, "%s", show_bytes(t, "memory_bytes", small));
        table_cell(table, "%lld", (long long)show_number(t, "crashes"));
        table_cell(table, "%s", !known ? "-" : expires ? table_time(expires, text) : "self-signed");
    }
    table_print(table, "\n");
    table_free(table);
}

void show_head(const json_t *status, const char *line_end) {
    char since[32];
    json_t *ledger = json_object_get(status, "ledger");
    printf("cloisond since %s UTC: %lld tenants, %lld of %lld workers running, %lld evictions%s",
           table_time(show_number(status, "started"), since), (long long)show_number(status, "tenant_count"),
           (long long)show_number(status, "workers"), (long long)show_number(status, "max_workers"),
           (long long)show_number(status, "evictions"), line_end);
    printf("walls: %s; ledger: %lld lines, %lld gaps; starts of the router: %lld, of the steward: %lld%s",
           json_is_true(json_object_get(status, "posture_holds")) ? "all that is demanded hold"
                                                                  : "SOMETHING DEMANDED IS MISSING, see `cloison posture`",
           (long long)show_number(ledger, "lines"), (long long)show_number(ledger, "gaps"), (long long)show_number(status, "router_starts"),
           (long long)show_number(status, "steward_starts"), line_end);
}

int cli_status(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return cli_usage("status: %s: nothing more is wanted", argv[0]);
    int status = show_get(cli, "/v1/status", &answer);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else {
        show_head(answer.json, "\n");
        show_tenants(json_object_get(answer.json, "tenants"), show_number(answer.json, "now"));
    }
    client_free(&answer);
    return CLI_DONE;
}

int cli_list(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return cli_usage("tenant list: %s: nothing more is wanted", argv[0]);
    int status = show_get(cli, "/v1/tenants", &answer);
    if (status != CLI_DONE) return status;
    static const char *const heads[] = {"TENANT", "STATE", "ENROLLED", "REGION", ">QUOTA", "HOSTS", "TITLE"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(answer.json, "tenants"), i, t) {
        char quota[16];
        json_t *hosts = json_object_get(t, "hosts");
        size_t more = json_array_size(hosts);
        const char *first = json_string_value(json_array_get(hosts, 0));
        table_cell(table, "%s", show_text(t, "name"));
        table_cell(table, "%s", show_text(t, "state"));
        table_cell(table, "%s", json_is_true(json_object_get(t, "enrolled")) ? "yes" : "no");
        table_cell(table, "%s", show_text(t, "region"));
        table_cell(table, "%s", table_bytes((uint64_t)show_number(t, "quota_bytes"), quota));
        if (more > 1)
            table_cell(table, "%.32s +%zu", first ? first : "-", more - 1);
        else
            table_cell(table, "%s", first ? first : "-");
        table_cell(table, "%s", show_text(t, "title"));
    }
    if (cli->json)
        cli_print_json(json_object_get(answer.json, "tenants"));
    else
        table_print(table, "\n");
    table_free(table);
    client_free(&answer);
    return CLI_DONE;
}

/* Lists and objects in one line: `a b`, `2xx 5, 5xx 0`. */
static void print_plain(const json_t *value, const char *before) {
    const char *key, *comma = "";
    json_t *inner;
    size_t i;
    fputs(before, stdout);
    json_array_foreach(value, i, inner) print_plain(inner, i ? " " : "");
    json_object_foreach((json_t *)value, key, inner) {
        printf("%s%s", comma, key);
        print_plain(inner, " ");
        comma = ", ";
    }
    if (json_is_string(value))
        fputs(json_string_value(value), stdout);
    else if (!json_is_array(value) && !json_is_object(value))
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

/* A value in words: times by their keys. */
static void print_member(const char *key, const json_t *value) {
    static const char *const times[] = {"created", "since", "cert_expires", "throttled_until"};
    char text[32];
    printf("%-16s ", key);
    bool is_time = false;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        is_time = is_time || strcmp(times[i], key) == 0;
    if (json_is_null(value))
        puts("-");
    else if (json_is_string(value))
        puts(json_string_value(value));
    else if (is_time)
        printf("%s UTC\n", table_time(json_integer_value(value), text));
    else {
        print_plain(value, "");
        putchar('\n');
    }
}

int cli_show(const struct cli *cli, int argc, char **argv) {
    char path[128];
    struct client_answer answer;
    if (argc != 1) return cli_usage("tenant show: one NAME is wanted");
    if (!name_is_tenant(argv[0])) return cli_usage("tenant show: %s is not the name of a tenant", argv[0]);
    snprintf(path, sizeof path, "/v1/tenants/%s", argv[0]);
    int status = show_get(cli, path, &answer);
    if (status != CLI_DONE) return status;
    const char *key;
    json_t *value;
    if (cli->json) cli_print_json(answer.json);
    json_object_foreach(cli->json ? NULL : answer.json, key, value) { print_member(key, value); }
    client_free(&answer);
    return CLI_DONE;
}

/* What staff do to a tenant. */
#include "../../policy/limits.h"
#include "../../policy/names.h"
#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 128 };

/* Exactly one name; its path, with what follows it. */
static int path_of(const char *verb, int argc, char **argv, const char *rest, char path[PATH_ROOM]) {
    if (argc != 1) return cli_usage("tenant %s: one NAME is wanted", verb);
    if (!name_is_tenant(argv[0])) return cli_usage("tenant %s: %s is not the name of a tenant", verb, argv[0]);
    snprintf(path, PATH_ROOM, "/v1/tenants/%s%s", argv[0], rest);
    return CLI_DONE;
}

/* A verb without arguments. Done is silent, but for JSON. */
static int simple(const struct cli *cli, const char *verb, int argc, char **argv) {
    char rest[32], path[PATH_ROOM];
    struct client_answer answer;
    snprintf(rest, sizeof rest, "/%s", verb);
    int status = path_of(verb, argc, argv, rest, path);
    if (status == CLI_DONE) status = client_ask(cli, &(struct client_call){.socket = "control", .method = "POST", .path = path}, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

int cli_start(const struct cli *cli, int argc, char **argv) { return simple(cli, "start", argc, argv); }
int cli_stop(const struct cli *cli, int argc, char **argv) { return simple(cli, "stop", argc, argv); }
int cli_suspend(const struct cli *cli, int argc, char **argv) { return simple(cli, "suspend", argc, argv); }
int cli_resume(const struct cli *cli, int argc, char **argv) { return simple(cli, "resume", argc, argv); }
int cli_read(const struct cli *cli, int argc, char **argv) { return simple(cli, "read", argc, argv); }
int cli_export(const struct cli *cli, int argc, char **argv) { return simple(cli, "export", argc, argv); }
int cli_copy(const struct cli *cli, int argc, char **argv) { return simple(cli, "copy", argc, argv); }
int cli_connect(const struct cli *cli, int argc, char **argv) { return simple(cli, "connect", argc, argv); }
int cli_delete(const struct cli *cli, int argc, char **argv) { return simple(cli, "delete", argc, argv); }

int cli_lock(const struct cli *cli, int argc, char **argv) {
    static const char body[] = "{\"tokens\": true}";
    char path[PATH_ROOM];
    bool tokens = false;
    int names = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--tokens") == 0)
            tokens = true;
        else
            argv[names++] = argv[i];
    }
    if (!tokens) return simple(cli, "lock", names, argv);
    struct client_answer answer;
    int status = path_of("lock", names, argv, "/lock", path);
    if (status != CLI_DONE) return status;
    struct client_call call = {
        .socket = "control", .method = "POST", .path = path, .type = "application/json", .body = body, .size = sizeof body - 1};
    status = client_ask(cli, &call, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

/* ---- create and set ---- */

static json_t *quota_of(const char *text) {
    char *end;
    errno = 0;
    uintmax_t bytes = strtoumax(text, &end, 10);
    static const char units[] = "KMGT";
    const char *unit = *end ? strchr(units, *end) : NULL;
    for (const char *u = units; unit && u <= unit; u++)
        bytes = bytes > UINTMAX_MAX / 1024 ? UINTMAX_MAX : bytes * 1024;
    if (unit) end++;
    if (text[0] < '0' || text[0] > '9' || *end || errno || bytes == 0 || bytes > INT64_MAX) return NULL;
    return json_integer((json_int_t)bytes);
}

static json_t *modules_of(const char *text) {
    json_t *list = json_array();
    while (*text) {
        size_t size = strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, size));
        text += size + (text[size] == ',');
    }
    return list;
}

/* One --option of create and set into body. argv[*i] is the option; on return *i is the last argument it took. */
static int option(const char *verb, int argc, char **argv, int *i, json_t *body) {
    static const char *const names[] = {"host", "title", "modules", "region", "quota", "contact"};
    enum { OPTION_NAMES = sizeof names / sizeof *names };
    static const char *const wanted[] = {"a host name",
                                         "text in UTF-8",
                                         "names with commas between",
                                         "text in UTF-8",
                                         "a number of bytes, K, M, G or T directly behind it or not",
                                         "a mail address"};
    if (strcmp(verb, "create") == 0 && strcmp(argv[*i], "--restore") == 0) {
        json_object_set_new(body, "restore", json_true());
        return CLI_DONE;
    }
    const char *name = argv[*i] + 2, *value = strchr(name, '=');
    size_t size = value ? (size_t)(value - name) : strlen(name);
    size_t which = 0;
    while (which < OPTION_NAMES && (strlen(names[which]) != size || strncmp(names[which], name, size) != 0))
        which++;
    if (which == OPTION_NAMES) return cli_usage("tenant %s: %s: there is no such option", verb, argv[*i]);
    if (value)
        value++;
    else if (++*i < argc)
        value = argv[*i];
    else
        return cli_usage("tenant %s: --%s: a value is wanted", verb, name);

    json_t *made = NULL;
    switch (which) {
    case 0: /* --host a b c */
        made = json_incref(json_object_get(body, "hosts"));
        if (!made) made = json_array();
        json_array_append_new(made, json_string(value));
        while (*i + 1 < argc && argv[*i + 1][0] != '-' && value == argv[*i] && strchr(argv[*i + 1], '.'))
            json_array_append_new(made, json_string(value = argv[++*i]));
        json_object_set_new(body, "hosts", made);
        return CLI_DONE;
    case 2:
        made = modules_of(value);
        break;
    case 4:
        made = quota_of(value);
        break;
    default:
        made = json_string(value);
    }
    if (!made) return cli_usage("tenant %s: --%s: %s, where %s is wanted", verb, names[which], value, wanted[which]);
    json_object_set_new(body, names[which], made);
    return CLI_DONE;
}

/* NAME and options, in any order. */
static int entry_of(const char *verb, int argc, char **argv, json_t *body, char **name) {
    int status = CLI_DONE;
    *name = NULL;
    for (int i = 0; i < argc && status == CLI_DONE; i++) {
        if (strncmp(argv[i], "--", 2) == 0)
            status = option(verb, argc, argv, &i, body);
        else if (*name)
            status = cli_usage("tenant %s: %s: one NAME is wanted", verb, argv[i]);
        else
            *name = argv[i];
    }
    if (status != CLI_DONE) return status;
    if (!*name) return cli_usage("tenant %s: a NAME is wanted", verb);
    return name_is_tenant(*name) ? CLI_DONE : cli_usage("tenant %s: %s: a lower-case letter, then a-z, 0-9 and hyphens", verb, *name);
}

/* The code alone goes to stdout: it is shown once, and a script may want it. */
static void print_code(const struct cli *cli, const struct client_answer *answer, const char *name) {
    if (cli->json) {
        cli_print_json(answer->json);
        return;
    }
    const char *code = json_string_value(json_object_get(answer->json, "enrolment_code"));
    if (!code) {
        fprintf(stderr, "%s is entered and suspended: put its files back, then resume it.\n", name);
        return;
    }
    fprintf(stderr, "The enrolment code of %s, shown this once:\n", name);
    puts(code);
}

int cli_create(const struct cli *cli, int argc, char **argv) {
    char *name;
    struct client_answer answer;
    json_t *body = json_object();
    int status = entry_of("create", argc, argv, body, &name);
    if (status == CLI_DONE && !json_object_get(body, "hosts")) status = cli_usage("tenant create: at least one --host is wanted");
    if (status == CLI_DONE) json_object_set_new(body, "name", json_string(name));
    if (status == CLI_DONE) status = client_say(cli, "POST", "/v1/tenants", body, &answer);
    json_decref(body);
    if (status != CLI_DONE) return status;
    print_code(cli, &answer, name);
    client_free(&answer);
    return CLI_DONE;
}

int cli_set(const struct cli *cli, int argc, char **argv) {
    char *name, path[PATH_ROOM];
    struct client_answer answer;
    json_t *body = json_object();
    int status = entry_of("set", argc, argv, body, &name);
    if (status == CLI_DONE && json_object_size(body) == 0) status = cli_usage("tenant set: nothing to change");
    if (status == CLI_DONE) status = path_of("set", 1, &name, "", path);
    if (status == CLI_DONE) status = client_say(cli, "PATCH", path, body, &answer);
    json_decref(body);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

int cli_enrol_code(const struct cli *cli, int argc, char **argv) {
    char path[PATH_ROOM];
    struct client_answer answer;
    int status = path_of("enrol-code", argc, argv, "/enrol-code", path);
    if (status == CLI_DONE) status = client_ask(cli, &(struct client_call){.socket = "control", .method = "POST", .path = path}, &answer);
    if (status != CLI_DONE) return status;
    print_code(cli, &answer, argv[0]);
    client_free(&answer);
    return CLI_DONE;
}

int cli_reset(const struct cli *cli, int argc, char **argv) {
    char path[PATH_ROOM];
    struct client_answer answer;
    int status = path_of("reset", argc, argv, "/reset", path);
    if (status == CLI_DONE) status = client_ask(cli, &(struct client_call){.socket = "control", .method = "POST", .path = path}, &answer);
    if (status != CLI_DONE) return status;
    if (json_object_get(answer.json, "pending") && !cli->json)
        fprintf(stderr, "Nothing has happened yet: another registrar must ask for the same within an hour. Then all of %s is gone.\n",
                argv[0]);
    else
        print_code(cli, &answer, argv[0]);
    client_free(&answer);
    return CLI_DONE;
}

/* ---- certificates ---- */

int cli_csr(const struct cli *cli, int argc, char **argv) {
    char path[PATH_ROOM];
    struct client_answer answer;
    int status = path_of("csr", argc, argv, "/csr", path);
    if (status == CLI_DONE) status = client_ask(cli, &(struct client_call){.socket = "control", .method = "GET", .path = path}, &answer);
    if (status != CLI_DONE) return status;
    json_t *json = cli->json ? json_pack("{s:s, s:s}", "name", argv[0], "csr", answer.body) : NULL;
    if (json)
        cli_print_json(json);
    else
        fwrite(answer.body, 1, answer.size, stdout);
    json_decref(json);
    client_free(&answer);
    return CLI_DONE;
}

/* FILE, or stdin for "-". false: the reason is on stderr. */
static bool read_chain(const char *file, char chain[CHAIN_MAX + 1], size_t *size) {
    FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
    if (in) *size = fread(chain, 1, CHAIN_MAX + 1, in);
    if (!in || ferror(in))
        fprintf(stderr, "cloison: %s: %s\n", file, strerror(errno));
    else if (*size > CHAIN_MAX)
        fprintf(stderr, "cloison: %s: larger than %d bytes\n", file, CHAIN_MAX);
    bool fine = in && !ferror(in) && *size <= CHAIN_MAX;
    if (in && in != stdin) fclose(in);
    return fine;
}

int cli_cert(const struct cli *cli, int argc, char **argv) {
    static char chain[CHAIN_MAX + 1];
    char path[PATH_ROOM];
    struct client_answer answer;
    struct client_call call = {
        .socket = "control", .method = "PUT", .path = path, .type = "application/pem-certificate-chain", .body = chain};
    if (argc != 2) return cli_usage("tenant cert: NAME and FILE are wanted");
    int status = path_of("cert", 1, argv, "/certificate", path);
    if (status != CLI_DONE) return status;
    if (!read_chain(argv[1], chain, &call.size)) return CLI_REFUSED;
    status = client_ask(cli, &call, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

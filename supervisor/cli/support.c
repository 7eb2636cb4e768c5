/* cloison support: messages that users wrote to the support, read and answered with the support duty's own key (S7). */
#include "client.h"
#include "show.h"
#include "support_cms.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 64 };

static void print_traces(const json_t *traces) {
    static const char *const heads[] = {">ID", "TENANT", "STATE", "RECEIVED (UTC)", "KEPT UNTIL"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *trace;
    json_array_foreach(traces, i, trace) {
        char text[32];
        table_cell(table, "%lld", (long long)show_number(trace, "id"));
        table_cell(table, "%s", show_text(trace, "tenant"));
        table_cell(table, "%s", show_text(trace, "state"));
        table_cell(table, "%s", table_time(show_number(trace, "received"), text));
        table_cell(table, "%s", table_time(show_number(trace, "until"), text));
    }
    table_print(table, "\n");
    table_free(table);
}

static int call(const struct cli *cli, const char *method, const char *path, const void *body, size_t size, struct client_answer *answer) {
    return client_ask(cli,
                      &(struct client_call){.socket = "control",
                                            .method = method,
                                            .path = path,
                                            .type = body ? "application/pkcs7-mime" : NULL,
                                            .body = body,
                                            .size = size},
                      answer);
}

int cli_support_list(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    (void)argv;
    if (argc) return cli_usage("support list: nothing follows it");
    int status = call(cli, "GET", "/v1/support", NULL, 0, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(json_object_get(answer.json, "traces"));
    else
        print_traces(json_object_get(answer.json, "traces"));
    client_free(&answer);
    return CLI_DONE;
}

/* ID --key FILE, and what else follows. */
struct arguments {
    const char *id, *key, *text;
};

static int read_arguments(const char *verb, int argc, char **argv, bool key, bool text, struct arguments *out) {
    *out = (struct arguments){0};
    for (int i = 0; i < argc; i++) {
        if (key && strcmp(argv[i], "--key") == 0 && i + 1 < argc && !out->key)
            out->key = argv[++i];
        else if (!out->id)
            out->id = argv[i];
        else if (text && !out->text)
            out->text = argv[i];
        else
            return cli_usage("support %s: %s is one too many", verb, argv[i]);
    }
    if (!out->id || !*out->id || strlen(out->id) > 18 || out->id[strspn(out->id, "0123456789")])
        return cli_usage("support %s: the ID of a message is wanted, see support list", verb);
    if (key && !out->key) return cli_usage("support %s: --key FILE, the support duty's private key, is wanted", verb);
    if (text && (!out->text || !*out->text || strlen(out->text) > SUPPORT_TEXT_MAX))
        return cli_usage("support %s: a TEXT of 1 to %d bytes is wanted", verb, SUPPORT_TEXT_MAX);
    return CLI_DONE;
}

static int fetch(const struct cli *cli, const struct arguments *a, struct support_text *message) {
    char path[PATH_ROOM];
    struct client_answer answer;
    const char *why;
    snprintf(path, sizeof path, "/v1/support/%s", a->id);
    int status = call(cli, "GET", path, NULL, 0, &answer);
    if (status != CLI_DONE) return status;
    if (!support_cms_open(a->key, answer.body, answer.size, message, &why)) {
        fprintf(stderr, "cloison: support: %s\n", why);
        status = CLI_REFUSED;
    }
    client_free(&answer);
    return status;
}

/* What a user wrote is not to steer a terminal. */
static void print_text(const char *text) {
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' && *text != '\n' && *text != '\t' ? '?' : *text);
    putchar('\n');
}

int cli_support_show(const struct cli *cli, int argc, char **argv) {
    struct arguments a;
    struct support_text message;
    int status = read_arguments("show", argc, argv, true, false, &a);
    if (status == CLI_DONE) status = fetch(cli, &a, &message);
    if (status != CLI_DONE) return status;
    if (cli->json) {
        json_t *json = json_pack("{s:s}", "text", message.text);
        cli_print_json(json);
        json_decref(json);
    } else {
        print_text(message.text);
    }
    free(message.text);
    return CLI_DONE;
}

static int change(const struct cli *cli, const char *method, const char *id, const char *what, const void *body, size_t size) {
    char path[PATH_ROOM];
    struct client_answer answer;
    snprintf(path, sizeof path, "/v1/support/%s/%s", id, what);
    int status = call(cli, method, path, body, size, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

int cli_support_answer(const struct cli *cli, int argc, char **argv) {
    struct arguments a;
    struct support_text message;
    uint8_t sealed[SUPPORT_SEALED_MAX];
    int status = read_arguments("answer", argc, argv, true, true, &a);
    if (status == CLI_DONE) status = fetch(cli, &a, &message);
    if (status != CLI_DONE) return status;
    size_t size = support_cms_seal(message.reply, a.text, sealed);
    free(message.text);
    if (size) return change(cli, "PUT", a.id, "answer", sealed, size);
    fprintf(stderr, "cloison: support: the answer cannot be sealed\n");
    return CLI_REFUSED;
}

int cli_support_close(const struct cli *cli, int argc, char **argv) {
    struct arguments a;
    int status = read_arguments("close", argc, argv, false, false, &a);
    return status == CLI_DONE ? change(cli, "POST", a.id, "close", NULL, 0) : status;
}

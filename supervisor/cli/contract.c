/* The end of a tenant's contract (S14). */
#include "../../policy/names.h"
#include "client.h"
#include "show.h"

#include <stdio.h>
#include <string.h>

enum { PATH_ROOM = 128 };

/* NAME, and with `until` also --until DAY. */
static int ask(const struct cli *cli, const char *verb, const char *path_end, int argc, char **argv, bool until,
               struct client_answer *answer) {
    char path[PATH_ROOM], body[PATH_ROOM] = "";
    bool dated = until && argc == 3 && strcmp(argv[1], "--until") == 0;
    if (argc != 1 && !dated) return cli_usage("contract %s: NAME%s is wanted", verb, until ? " [--until DAY]" : "");
    if (!name_is_tenant(argv[0])) return cli_usage("contract %s: %s is not the name of a tenant", verb, argv[0]);
    if (dated && (strlen(argv[2]) != 10 || strspn(argv[2], "0123456789-") != 10))
        return cli_usage("contract %s: --until: a day is wanted, YYYY-MM-DD", verb);
    if (dated) snprintf(body, sizeof body, "{\"until\": \"%s\"}", argv[2]);
    snprintf(path, sizeof path, "/v1/tenants/%s/%s", argv[0], path_end);
    struct client_call call = {.socket = "control", .method = "POST", .path = path};
    if (dated) call.type = "application/json", call.body = body, call.size = strlen(body);
    int status = client_ask(cli, &call, answer);
    if (status == CLI_DONE && cli->json) cli_print_json(answer->json);
    return status;
}

int cli_contract_end(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer = {0};
    int status = ask(cli, "end", "contract-end", argc, argv, true, &answer);
    if (status != CLI_DONE) return status;
    if (!cli->json)
        fprintf(stderr,
                "%s is read-only. It can fetch all that it entrusted, and have it destroyed, until %s;\n"
                "after that two people may: `cloison contract destroy %s`.\n",
                argv[0], show_text(answer.json, "term"), argv[0]);
    client_free(&answer);
    return CLI_DONE;
}

int cli_contract_resume(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer = {0};
    int status = ask(cli, "resume", "contract-resume", argc, argv, false, &answer);
    if (status == CLI_DONE) client_free(&answer);
    return status;
}

int cli_contract_destroy(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer = {0};
    int status = ask(cli, "destroy", "destroy", argc, argv, false, &answer);
    if (status != CLI_DONE) return status;
    if (!cli->json)
        fprintf(stderr, "Nothing is destroyed yet: an auditor must agree within three days by `cloison request approve %lld`.\n",
                (long long)show_number(answer.json, "number"));
    client_free(&answer);
    return CLI_DONE;
}

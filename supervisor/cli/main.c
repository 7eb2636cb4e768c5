#include "../../policy/version.h"
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_DIR "/run/cloison"

static const struct {
    const char *group; /* the first word; NULL = there is but one */
    const char *name;
    cli_verb *run;
    const char *arguments; /* NULL = not offered, it is always refused */
} verbs[] = {
    {NULL, "status", cli_status, ""},
    {NULL, "top", cli_top, "[--once]"},
    {NULL, "posture", cli_posture, "[NAME]"},
    {NULL, "register", cli_register, "[--format html|csv|json] [--lang fr|en]"},
    {"tenant", "list", cli_list, ""},
    {"tenant", "show", cli_show, "NAME"},
    {"tenant", "create", cli_create,
     "NAME --host HOST... [--title T] [--modules M,...] [--region R] [--quota BYTES] [--contact ADDRESS] [--restore]"},
    {"tenant", "set", cli_set, "NAME [--host HOST...] [--title T] [--modules M,...] [--region R] [--quota BYTES] [--contact ADDRESS]"},
    {"tenant", "enrol-code", cli_enrol_code, "NAME"},
    {"tenant", "start", cli_start, "NAME"},
    {"tenant", "stop", cli_stop, "NAME"},
    {"tenant", "suspend", cli_suspend, "NAME"},
    {"tenant", "resume", cli_resume, "NAME"},
    {"tenant", "lock", cli_lock, "NAME [--tokens]"},
    {"tenant", "reset", cli_reset, "NAME"},
    {"tenant", "transfer", cli_transfer, "NAME --to ENTITY"},
    {"tenant", "csr", cli_csr, "NAME"},
    {"tenant", "cert", cli_cert, "NAME FILE"},
    {"tenant", "read", cli_read, NULL},
    {"tenant", "export", cli_export, NULL},
    {"tenant", "copy", cli_copy, NULL},
    {"tenant", "connect", cli_connect, NULL},
    {"tenant", "delete", cli_delete, NULL},
    {"capsule", "list", cli_capsule_list, "NAME"},
    {"capsule", "copy", cli_capsule_copy, "NAME PLACE"},
    {"capsule", "forget", cli_capsule_forget, "NAME PLACE"},
    {"request", "list", cli_request_list, ""},
    {"request", "approve", cli_request_approve, "NUMBER"},
    {"request", "withdraw", cli_request_withdraw, "NUMBER"},
    {"disclosure", "request", cli_disclosure_request,
     "NAME --ground law|terms|abuse|protection --reason T --recipient T [--scope registry,counters,ledger,sealed] [--hold-until DAY]"},
    {"disclosure", "approve", cli_request_approve, "NUMBER"},
    {"disclosure", "list", cli_disclosure_list, ""},
    {"undertaking", "show", cli_undertaking_show, ""},
    {"undertaking", "sign", cli_undertaking_sign, "VERSION [--until DAY] [--name TEXT]"},
    {"undertaking", "end", cli_undertaking_end, ""},
    {"undertaking", "list", cli_undertaking_list, ""},
    {"terms", "publish", cli_terms_publish, "FILE --kind terms|privacy|subprocessors --effective DATE"},
    {"terms", "list", cli_terms_list, ""},
    {"backup", "now", cli_backup_now, "NAME [--archive]"},
    {"backup", "list", cli_backup_list, "NAME [--archive]"},
    {"backup", "verify", cli_backup_verify, "NAME [--archive] | DIRECTORY [--newest NUMBER:HASH]"},
    {"backup", "drill", cli_backup_drill, "NAME [--archive] [--snapshot N]"},
    {"backup", "restore", cli_backup_restore, "NAME --from DESTINATION [--source NUMBER] [--snapshot N] [--archive]"},
    {"reference", "list", cli_references, ""},
    {"reference", "cite", cli_cite, "NAME --use USE --where TEXT"},
    {"contract", "end", cli_contract_end, "NAME [--until DAY]"},
    {"contract", "resume", cli_contract_resume, "NAME"},
    {"contract", "destroy", cli_contract_destroy, "NAME"},
    {"certificate", "issue", cli_certificate_issue, "NAME --key FILE --out FILE"},
    {"certificate", "verify", cli_certificate_verify, "FILE --key FILE"},
    {"ledger", "list", cli_ledger_list, "[--from LINE] [--limit LINES]"},
    {"ledger", "verify", cli_ledger_verify, "[FILE|DIR [--head COUNT:HASH]...]"},
    {"support", "list", cli_support_list, ""},
    {"support", "show", cli_support_show, "ID --key FILE"},
    {"support", "answer", cli_support_answer, "ID --key FILE TEXT"},
    {"support", "close", cli_support_close, "ID"},
    {NULL, "publish", cli_publish, ""},
    {"zones", "compile", cli_zones_compile, "FILE.mmdb OUT"},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static int help(void) {
    puts("cloison [-S DIR] [--json] VERB ...   talks to the sockets in DIR, " RUN_DIR " by default; see cloison(1)\n");
    for (int i = 0; i < VERBS; i++)
        if (verbs[i].arguments)
            printf("  %s%s%s%s%s\n", verbs[i].group ? verbs[i].group : "", verbs[i].group ? " " : "", verbs[i].name,
                   *verbs[i].arguments ? " " : "", verbs[i].arguments);
    return CLI_DONE;
}

static int version(void) {
    puts("cloison " CLOISON_VERSION);
    return CLI_DONE;
}

static int dispatch(const struct cli *cli, int argc, char **argv) {
    bool group = false;
    for (int i = 0; i < VERBS; i++) {
        int words = verbs[i].group ? 2 : 1;
        if (verbs[i].group && strcmp(verbs[i].group, argv[0]) == 0) group = true;
        if (verbs[i].group && strcmp(verbs[i].group, argv[0]) != 0) continue;
        if (argc < words || strcmp(verbs[i].name, argv[words - 1]) != 0) continue;
        return verbs[i].run(cli, argc - words, argv + words);
    }
    if (group) return argc < 2 ? cli_usage("%s: which verb?", argv[0]) : cli_usage("%s %s: there is no such verb", argv[0], argv[1]);
    return cli_usage("%s: there is no such %s", argv[0], argv[0][0] == '-' ? "option" : "verb");
}

int main(int argc, char **argv) {
    struct cli cli = {.dir = RUN_DIR};
    char **words = argv + 1; /* what is left when -S and --json, which may stand anywhere, are taken out */
    int count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            cli.json = true;
        else if (count == 0 && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
            return help();
        else if (count == 0 && strcmp(argv[i], "--version") == 0)
            return version();
        else if (strcmp(argv[i], "-S") == 0 && i + 1 < argc)
            cli.dir = argv[++i];
        else if (strcmp(argv[i], "-S") == 0)
            return cli_usage("-S: which directory?");
        else
            words[count++] = argv[i];
    }
    words[count] = NULL;
    if (count == 0) return cli_usage("which verb?");
    int status = dispatch(&cli, count, words);
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    perror("cloison: stdout");
    return status ? status : CLI_REFUSED;
}

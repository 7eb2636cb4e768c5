/* The `cloison` command: what a verb gets and what it may end with. cloison(1) documents both. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum {
    CLI_DONE = 0,
    CLI_REFUSED = 1,     /* the answer is no, or what was asked for does not hold */
    CLI_USAGE = 2,       /* the command line */
    CLI_UNREACHABLE = 3, /* no answer: the socket, the connection, or what came is no answer */
};

struct cli {
    const char *dir; /* of the sockets */
    bool json;       /* print JSON */
};

/* argv: what follows the verb, NULL-terminated. Returns one of the above; what went wrong is on stderr. */
typedef int cli_verb(const struct cli *cli, int argc, char **argv);

cli_verb cli_create, cli_set, cli_enrol_code, cli_csr, cli_cert; /* tenant.c */
cli_verb cli_start, cli_stop, cli_suspend, cli_resume, cli_lock, cli_reset;
cli_verb cli_read, cli_export, cli_copy, cli_connect, cli_delete;                                  /* refused by name (C6) */
cli_verb cli_list, cli_show, cli_status, cli_posture, cli_top;                                     /* show.c, posture.c, top.c */
cli_verb cli_capsule_list, cli_capsule_copy, cli_capsule_forget;                                   /* capsule.c */
cli_verb cli_ledger_list, cli_ledger_verify;                                                       /* ledger.c */
cli_verb cli_register;                                                                             /* register.c */
cli_verb cli_undertaking_show, cli_undertaking_sign, cli_undertaking_end, cli_undertaking_list;    /* undertaking.c */
cli_verb cli_publish;                                                                              /* publish.c */
cli_verb cli_zones_compile;                                                                        /* zones.c */
cli_verb cli_backup_now, cli_backup_list, cli_backup_verify, cli_backup_drill, cli_backup_restore; /* backup.c */
cli_verb cli_contract_end, cli_contract_resume, cli_contract_destroy;                              /* contract.c */
cli_verb cli_certificate_issue, cli_certificate_verify;                                            /* certificate.c */
cli_verb cli_request_list, cli_request_approve, cli_request_withdraw, cli_disclosure_request, cli_disclosure_list; /* request.c */

cli_verb cli_references, cli_cite;                                                  /* references.c */
cli_verb cli_terms_publish, cli_terms_list, cli_transfer;                           /* terms.c */
cli_verb cli_support_list, cli_support_show, cli_support_answer, cli_support_close; /* support.c */

/* Says what is wrong with the command line; returns CLI_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints JSON on stdout, and a newline. */
void cli_print_json(const json_t *value);

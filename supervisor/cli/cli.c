#include "cli.h"

#include <stdarg.h>
#include <stdio.h>

int cli_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("cloison: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\nTry `cloison --help` or cloison(1).\n", stderr);
    va_end(arguments);
    return CLI_USAGE;
}

void cli_print_json(const json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    putchar('\n');
}

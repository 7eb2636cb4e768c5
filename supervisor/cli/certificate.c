/*
 * The certificate of destruction (S14): a JSON text and beside it, in FILE.sig, a detached signature with the provider's own key, which
 * lies where the provider keeps it and is read here alone. Anybody verifies it with the public key, by this command or by OpenSSL:
 *   openssl pkeyutl -verify -pubin -inkey PUBLIC -rawin -in FILE -sigfile FILE.sig          (Ed25519)
 *   openssl dgst -sha256 -verify PUBLIC -signature FILE.sig FILE                            (elliptic curve, RSA)
 */
#include "../../policy/names.h"
#include "client.h"
#include "show.h"
#include "signature.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 128, FILE_MAX = 16 << 20, NAME_ROOM = 4096 };

/* What follows the first argument: --key FILE and, where it is wanted, --out FILE. */
static int options(const char *verb, int argc, char **argv, const char **key, const char **out) {
    for (int i = 1; i < argc; i += 2) {
        const char **which = strcmp(argv[i], "--key") == 0 ? key : out && strcmp(argv[i], "--out") == 0 ? out : NULL;
        if (!which) return cli_usage("certificate %s: %s: there is no such option", verb, argv[i]);
        if (i + 1 == argc) return cli_usage("certificate %s: %s: a file is wanted", verb, argv[i]);
        *which = argv[i + 1];
    }
    if (argc < 1 || !*key || (out && !*out))
        return cli_usage(out ? "certificate issue: NAME, --key FILE and --out FILE are wanted"
                             : "certificate verify: FILE and --key FILE are wanted");
    return CLI_DONE;
}

/* A whole file or none, also on a full disk; nothing that is there already is replaced. */
static bool write_new(const char *name, const void *bytes, size_t size) {
    char fresh[NAME_ROOM];
    snprintf(fresh, sizeof fresh, "%s.new", name);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool fine = fd >= 0;
    for (size_t done = 0; fine && done < size;) {
        ssize_t written = write(fd, (const char *)bytes + done, size - done);
        fine = written > 0;
        if (fine) done += (size_t)written;
    }
    fine = fine && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    fine = fine && link(fresh, name) == 0;
    int why = errno;
    if (fd >= 0) unlink(fresh);
    if (!fine) fprintf(stderr, "cloison: %s: %s\n", name, strerror(why));
    return fine;
}

/* S14: the destruction is certified, and anybody can verify it */
static int issue(const char *key, const char *out, const json_t *json) {
    char signature_file[NAME_ROOM];
    uint8_t signature[SIGNATURE_MAX];
    const char *error = NULL;
    snprintf(signature_file, sizeof signature_file, "%s.sig", out);
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    size_t size = text ? strlen(text) : 0, signed_size = text ? signature_make(key, text, size, signature, &error) : 0;
    /* The signature first: where the text is, its signature is. */
    bool fine = signed_size && write_new(signature_file, signature, signed_size);
    if (fine && !write_new(out, text, size)) {
        unlink(signature_file);
        fine = false;
    }
    if (!signed_size) fprintf(stderr, "cloison: %s: %s\n", key, error ? error : "no memory");
    free(text);
    return fine ? CLI_DONE : CLI_REFUSED;
}

int cli_certificate_issue(const struct cli *cli, int argc, char **argv) {
    const char *key = NULL, *out = NULL;
    char path[PATH_ROOM];
    struct client_answer answer;
    int status = options("issue", argc, argv, &key, &out);
    if (status != CLI_DONE) return status;
    if (!name_is_tenant(argv[0])) return cli_usage("certificate issue: %s is not the name of a tenant", argv[0]);
    snprintf(path, sizeof path, "/v1/tenants/%s/destruction-certificate", argv[0]);
    status = client_ask(cli, &(struct client_call){.socket = "control", .method = "GET", .path = path}, &answer);
    if (status != CLI_DONE) return status;
    status = issue(key, out, answer.json);
    if (status == CLI_DONE && cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return status;
}

/* NULL: not read, said on stderr. */
static char *read_file(const char *name, size_t most, size_t *size) {
    FILE *in = fopen(name, "re");
    char *bytes = in ? malloc(most + 1) : NULL;
    *size = bytes ? fread(bytes, 1, most + 1, in) : 0;
    bool fine = bytes && !ferror(in) && *size > 0 && *size <= most;
    if (!fine) fprintf(stderr, "cloison: %s: %s\n", name, !in || (bytes && ferror(in)) ? strerror(errno) : "empty, or too large");
    if (in) fclose(in);
    if (fine) return bytes;
    free(bytes);
    return NULL;
}

static void print_list(const json_t *certificate, const char *member, const char *title) {
    const json_t *list = json_object_get(certificate, member);
    size_t i;
    json_t *one;
    if (!json_array_size(list)) return;
    printf("%s\n", title);
    json_array_foreach(list, i, one) {
        if (json_is_string(one))
            printf("  %s\n", json_string_value(one));
        else
            printf("  %s  %s\n", show_text(one, "when"), show_text(one, "what"));
    }
}

static int judge(const struct cli *cli, const char *file, const char *key, const char *text, size_t size, const uint8_t *signature,
                 size_t signature_size) {
    const char *error = NULL;
    switch (signature_verify(key, text, size, signature, signature_size, &error)) {
    case SIGNATURE_NO_KEY:
        fprintf(stderr, "cloison: %s: %s\n", key, error);
        return CLI_REFUSED;
    case SIGNATURE_WRONG:
        fprintf(stderr, "cloison: %s: the signature is not good: another key, or the text was changed\n", file);
        return CLI_REFUSED;
    case SIGNATURE_GOOD:
        break;
    }
    json_error_t why;
    json_t *certificate = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    const char *format = certificate ? json_string_value(json_object_get(certificate, "certificate")) : NULL;
    bool known = format && strcmp(format, "cloison destruction 1") == 0;
    if (!known) fprintf(stderr, "cloison: %s: well signed, but no certificate of destruction of format 1\n", file);
    if (known && cli->json) cli_print_json(certificate);
    if (known && !cli->json) {
        const json_t *tenant = json_object_get(certificate, "tenant");
        printf("good: everything of %s (%s) was destroyed on %s\n", show_text(tenant, "name"), show_text(tenant, "title"),
               show_text(json_object_get(certificate, "contract"), "gone"));
        print_list(certificate, "destroyed", "destroyed:");
        print_list(certificate, "remains", "remains, as ciphertext without a key:");
        print_list(certificate, "not_known", "not known to the provider:");
    }
    json_decref(certificate);
    return known ? CLI_DONE : CLI_REFUSED;
}

int cli_certificate_verify(const struct cli *cli, int argc, char **argv) {
    const char *key = NULL;
    char name[NAME_ROOM];
    int status = options("verify", argc, argv, &key, NULL);
    if (status != CLI_DONE) return status;
    size_t size, signature_size;
    snprintf(name, sizeof name, "%s.sig", argv[0]);
    char *text = read_file(argv[0], FILE_MAX, &size);
    char *signature = text ? read_file(name, SIGNATURE_MAX, &signature_size) : NULL;
    status = signature ? judge(cli, argv[0], key, text, size, (const uint8_t *)signature, signature_size) : CLI_REFUSED;
    free(text);
    free(signature);
    return status;
}

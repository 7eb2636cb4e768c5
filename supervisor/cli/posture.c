/* cloison posture: which walls stand, in plain words, and what no software wall stops. */
#include "../../policy/names.h"
#include "client.h"
#include "show.h"

#include <stdio.h>
#include <string.h>

/* What it means as it is; marked when it is demanded and not there. */
static void print_layer(const char *name, const char *state, const json_t *about) {
    const char *demanded = show_text(about, "demanded");
    bool on = strcmp(state, "on") == 0;
    bool holds = on || strcmp(demanded, "advised") == 0 || strcmp(demanded, "excused") == 0 ||
                 (strcmp(demanded, "if-available") == 0 && strcmp(state, "unavailable") == 0);
    printf("  %-11s %-19s %s%s%s%s\n", state, name, show_text(about, "meaning"),
           on ? "" : "; without it: ", on ? "" : show_text(about, "off"), holds ? "" : "   << DEMANDED");
}

/* Every layer of `of` ("machine" or "worker"), also those nobody has reported. */
static void print_layers(const json_t *catalogue, const json_t *layers, const char *of) {
    const char *name;
    json_t *about;
    json_object_foreach((json_t *)(uintptr_t)catalogue, name, about) {
        if (strcmp(show_text(about, "of"), of) != 0) continue;
        const char *state = json_string_value(json_object_get(layers, name));
        print_layer(name, state ? state : "unknown", about);
    }
}

static void print_programs(const json_t *posture) {
    const char *name;
    json_t *program, *capability;
    size_t i;
    printf("  capabilities of the supervisor:");
    json_array_foreach(json_object_get(posture, "capabilities"), i, capability) printf(" %s", json_string_value(capability));
    puts("\n\nThe programs that run (SHA-256 of the file each was started from: compare it with a build of your own)");
    json_object_foreach(json_object_get(posture, "programs"), name, program) {
        printf("  %-19s %s\n", name, show_text(program, "binary"));
        printf("  %-19s %lld system calls allowed, filter %s\n", "", (long long)show_number(program, "syscalls"),
               show_text(program, "filter"));
    }
}

static const char *tls_words(const char *tls) {
    return strcmp(tls, "both") == 0 ? "TLS ends here, and in a proxy that the tenant let see its traffic" : "TLS ends here alone";
}

/* A bound that is not there is said, too. */
static void print_limits(const json_t *limits) {
    char bytes[16];
    bool pids = json_is_integer(json_object_get(limits, "pids_max")), cpu = json_is_integer(json_object_get(limits, "cpu_weight"));
    printf("  limits: memory %s, processes ", show_bytes(limits, "memory_max", bytes));
    if (pids)
        printf("%lld", (long long)show_number(limits, "pids_max"));
    else
        putchar('-');
    printf(", processor weight ");
    if (cpu)
        printf("%lld\n", (long long)show_number(limits, "cpu_weight"));
    else
        puts("-");
}

static void print_workers(const json_t *catalogue, const json_t *workers) {
    size_t i;
    json_t *w;
    if (json_array_size(workers) == 0) puts("\nNo worker runs now; each proves its walls when it starts.");
    json_array_foreach(workers, i, w) {
        printf("\nWorker of %s: %s\n", show_text(w, "tenant"), tls_words(show_text(w, "tls")));
        printf("  %lld system calls allowed, Landlock ABI %lld, %lld bytes of secret memory\n", (long long)show_number(w, "syscalls"),
               (long long)show_number(w, "landlock_abi"), (long long)show_number(w, "secret_memory_bytes"));
        printf("  filter %s\n  binary %s\n", show_text(w, "filter"), show_text(w, "binary"));
        print_limits(json_object_get(w, "limits"));
        print_layers(catalogue, json_object_get(w, "layers"), "worker");
    }
}

static void print_one_way(const json_t *tenants) {
    size_t i;
    json_t *name;
    if (json_array_size(tenants) == 0) return;
    printf("\n%zu with a single way in; when that password or kit is lost, so is everything:", json_array_size(tenants));
    json_array_foreach(tenants, i, name) printf(" %s", json_string_value(name));
    putchar('\n');
}

static void print_posture(const json_t *posture, bool holds) {
    json_t *catalogue = json_object_get(posture, "layers");
    bool shared = strcmp(show_text(posture, "mode"), "shared") == 0;
    printf("Mode %s: %s\n\n", show_text(posture, "mode"),
           shared ? "the provider's duties hold, operational numbers are sampled and may be published as aggregates"
                  : "no provider: its groups have no duty, nothing is counted, published or disclosed");
    puts("The machine and the supervisor");
    print_layers(catalogue, json_object_get(posture, "machine"), "machine");
    print_programs(posture);
    print_workers(catalogue, json_object_get(posture, "workers"));
    print_one_way(json_object_get(posture, "one_way_in"));
    puts(holds ? "\nEverything that is demanded holds." : "\nSOMETHING THAT IS DEMANDED DOES NOT HOLD.");
    puts("No layer stops root that acts: patched binaries, injected code, a loaded module, a stolen TLS key, a second certificate, a\n"
         "hypervisor's snapshot. Yama, lockdown and a measured boot narrow that; they do not end it.");
}

int cli_posture(const struct cli *cli, int argc, char **argv) {
    char path[64] = "/v1/posture";
    struct client_answer answer;
    if (argc > 1) return cli_usage("posture: one NAME at most is wanted");
    if (argc && !name_is_tenant(argv[0])) return cli_usage("posture: %s is not the name of a tenant", argv[0]);
    if (argc) snprintf(path, sizeof path, "/v1/posture/%s", argv[0]);
    int status = show_get(cli, path, &answer);
    if (status != CLI_DONE) return status;
    bool holds = json_is_true(json_object_get(answer.json, "holds"));
    if (cli->json)
        cli_print_json(answer.json);
    else
        print_posture(answer.json, holds);
    client_free(&answer);
    return holds ? CLI_DONE : CLI_REFUSED;
}

/* cloison posture: which walls stand, in plain words, and what no software wall stops. */
#include "client.h"
#include "show.h"

#include <stdio.h>
#include <string.h>

/* "on" in capitals when it is not. */
static void print_layer(const char *name, const char *state, const json_t *about) {
    const char *demanded = show_text(about, "demanded");
    bool holds = strcmp(state, "on") == 0 || strcmp(demanded, "advised") == 0 || strcmp(demanded, "excused") == 0 ||
                 (strcmp(demanded, "if-available") == 0 && strcmp(state, "unavailable") == 0);
    printf("  %-11s %-19s %s%s\n", state, name, show_text(about, "meaning"), holds ? "" : "   << DEMANDED");
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

static void print_workers(const json_t *catalogue, const json_t *workers) {
    size_t i;
    json_t *w;
    if (json_array_size(workers) == 0) puts("\nNo worker runs now; each proves its walls when it starts.");
    json_array_foreach(workers, i, w) {
        printf("\nWorker of %s: %lld system calls allowed, Landlock ABI %lld, %lld bytes of secret memory\n", show_text(w, "tenant"),
               (long long)show_number(w, "syscalls"), (long long)show_number(w, "landlock_abi"),
               (long long)show_number(w, "secret_memory_bytes"));
        print_layers(catalogue, json_object_get(w, "layers"), "worker");
    }
}

int cli_posture(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return cli_usage("posture: %s: nothing more is wanted", argv[0]);
    int status = show_get(cli, "/v1/posture", &answer);
    if (status != CLI_DONE) return status;
    bool holds = json_is_true(json_object_get(answer.json, "holds"));
    if (cli->json)
        cli_print_json(answer.json);
    else {
        json_t *catalogue = json_object_get(answer.json, "layers");
        puts("The machine and the supervisor");
        print_layers(catalogue, json_object_get(answer.json, "machine"), "machine");
        print_workers(catalogue, json_object_get(answer.json, "workers"));
        puts(holds ? "\nEverything that is demanded holds." : "\nSOMETHING THAT IS DEMANDED DOES NOT HOLD.");
        puts("No layer stops root that acts: patched binaries, injected code, a loaded module, a stolen TLS key, a second certificate, a\n"
             "hypervisor's snapshot. Yama, lockdown and a measured boot narrow that; they do not end it.");
    }
    client_free(&answer);
    return holds ? CLI_DONE : CLI_REFUSED;
}

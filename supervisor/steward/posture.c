#include "posture.h"

#include "../../policy/decide.h"

#include "../../policy/hex.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#define LAYER(NAME, MEANING, OFF)                                                                                                          \
    [LAYER_##NAME] = {.name = #NAME, .meaning = MEANING, .off = OFF, .machine = LAYER_##NAME >= LAYER_supervisor_caps},
const struct posture_layer posture_layer[LAYER_COUNT] = {
#include "../../policy/layers.def"
};
#undef LAYER

enum posture_demand posture_demand(enum layer layer, uint64_t excused) {
    if (excused >> layer & 1 && !posture_layer[layer].machine) return POSTURE_EXCUSED;
    switch (layer) {
    case LAYER_mdwe:          /* Linux 6.3 */
    case LAYER_secret_memory: /* a worker that may not do without it does not start */
    case LAYER_cgroup_limits: /* where cgroup v2 is delegated */
        return POSTURE_IF_THERE;
    case LAYER_yama:
    case LAYER_lockdown:
    case LAYER_no_swap:
    case LAYER_no_hibernation:
    case LAYER_no_core_pattern:
    case LAYER_no_ksm:
        return POSTURE_ADVISED;
    default:
        return POSTURE_DEMANDED;
    }
}

/* NULL: a state nobody has reported. */
static const char *state_word(uint8_t state) {
    switch (state) {
    case LAYER_ON:
        return "on";
    case LAYER_OFF:
        return "off";
    case LAYER_UNAVAILABLE:
        return "unavailable";
    default:
        return NULL;
    }
}

static bool layer_holds(enum posture_demand demand, uint8_t state) {
    switch (demand) {
    case POSTURE_EXCUSED:
    case POSTURE_ADVISED:
        return true;
    case POSTURE_IF_THERE:
        return state == LAYER_ON || state == LAYER_UNAVAILABLE;
    default:
        return state == LAYER_ON;
    }
}

bool posture_holds(const uint8_t layer[64], bool machine, uint64_t excused) {
    for (int i = 0; i < LAYER_COUNT; i++)
        if (posture_layer[i].machine == machine && !layer_holds(posture_demand((enum layer)i, excused), layer[i])) return false;
    return true;
}

json_t *posture_layers(const uint8_t layer[64], bool machine) {
    json_t *object = json_object();
    for (int i = 0; i < LAYER_COUNT; i++) {
        const char *state = state_word(layer[i]);
        if (state && posture_layer[i].machine == machine) json_object_set_new(object, posture_layer[i].name, json_string(state));
    }
    return object;
}

/* Every layer with its meaning, so that a reader needs no other table. */
static json_t *catalogue(uint64_t excused) {
    static const char *const demand[] = {"yes", "if-available", "advised", "excused"};
    json_t *all = json_object();
    for (int i = 0; i < LAYER_COUNT; i++)
        json_object_set_new(all, posture_layer[i].name,
                            json_pack("{s:s, s:s, s:s, s:s}", "of", posture_layer[i].machine ? "machine" : "worker", "demanded",
                                      demand[posture_demand((enum layer)i, excused)], "meaning", posture_layer[i].meaning, "off",
                                      posture_layer[i].off));
    return all;
}

/* A worker is judged once it has proved its walls, which is when it is sealed. */
static bool proved(const struct message_tenant *t) {
    return t->state == TENANT_SEALED || t->state == TENANT_SERVING || t->state == TENANT_DRAINING;
}

/* NULL of JSON when nobody has told it. */
static json_t *hash_json(const uint8_t hash[32]) {
    static const uint8_t unknown[32];
    char text[2 * 32 + 1] = "";
    if (memcmp(hash, unknown, sizeof unknown) == 0) return json_null();
    hex_write(hash, 32, text);
    return json_string(text);
}

/* What bounds it, as read from its cgroup. */
static json_t *limits_json(const struct message_tenant *t) {
    const uint64_t bound[] = {t->memory_max, t->pids_max, t->cpu_weight};
    static const char *const names[] = {"memory_max", "pids_max", "cpu_weight"};
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof bound / sizeof *bound; i++)
        json_object_set_new(object, names[i], bound[i] ? json_integer((json_int_t)(bound[i] & INT64_MAX)) : json_null());
    return object;
}

static json_t *worker_json(const struct tenants_row *row, uint64_t excused) {
    const struct message_tenant *t = &row->is;
    uint64_t ways = tenants_ways_in(row);
    return json_pack("{s:s, s:b, s:i, s:i, s:o, s:o, s:I, s:s, s:o, s:o, s:o}", "tenant", t->name, "holds",
                     posture_holds(t->layer, false, excused), "landlock_abi", (int)t->landlock_abi, "syscalls", (int)t->syscalls, "filter",
                     hash_json(t->filter_hash), "binary", hash_json(t->program), "secret_memory_bytes",
                     (json_int_t)(t->arena_bytes & INT64_MAX), "tls", t->plain ? "both" : "passthrough", "ways_in",
                     ways ? json_integer((json_int_t)ways) : json_null(), "limits", limits_json(t), "layers",
                     posture_layers(t->layer, false));
}

/* Names of those a supervisor may have; any other by its number. */
static json_t *capabilities_json(uint64_t held) {
    static const char *const names[64] = {
        [CAP_CHOWN] = "CHOWN", [CAP_KILL] = "KILL", [CAP_SETGID] = "SETGID", [CAP_SETUID] = "SETUID", [CAP_IPC_LOCK] = "IPC_LOCK"};
    json_t *list = json_array();
    for (int c = 0; c < 64; c++) {
        char number[16];
        snprintf(number, sizeof number, "%d", c);
        if (held >> c & 1) json_array_append_new(list, json_string(names[c] ? names[c] : number));
    }
    return list;
}

static json_t *programs_json(const struct message_posture *host) {
    static const char *const names[] = {"cloisond", "cloison-router", "cloison-steward", "cloison-courier"};
    json_t *object = json_object();
    for (int p = 0; p < PROGRAM_WORKER; p++) {
        if (p == PROGRAM_COURIER && !host->courier_starts) continue; /* none is configured */
        const struct message_program *is = &host->program[p];
        json_object_set_new(object, names[p],
                            json_pack("{s:o, s:i, s:o, s:o}", "binary", hash_json(is->hash), "syscalls", (int)is->syscalls, "filter",
                                      hash_json(is->filter_hash), "layers", posture_layers(is->layer, false)));
    }
    return object;
}

static bool counts(const struct tenants_row *row, const struct tenants_row *only) { return proved(&row->is) && (!only || row == only); }

bool posture_all_hold(const struct message_posture *host, const struct tenants *tenants, const struct tenants_row *only) {
    if (!host || !posture_holds(host->layer, true, 0)) return false;
    for (size_t i = 0; i < tenants_count(tenants); i++) {
        const struct tenants_row *row = tenants_at(tenants, i);
        if (counts(row, only) && !posture_holds(row->is.layer, false, host->excused)) return false;
    }
    return true;
}

json_t *posture_json(const struct message_posture *host, const struct tenants *tenants, const struct tenants_row *only) {
    uint64_t excused = host ? host->excused : 0;
    json_t *workers = json_array(), *one_way = json_array();
    for (size_t i = 0; i < tenants_count(tenants); i++) {
        const struct tenants_row *row = tenants_at(tenants, i);
        if (counts(row, only)) json_array_append_new(workers, worker_json(row, excused));
        if ((!only || row == only) && tenants_ways_in(row) == 1) json_array_append_new(one_way, json_string(row->is.name));
    }
    const char *mode = mode_name(host ? (enum mode)host->mode : MODE_SHARED);
    return json_pack("{s:b, s:s?, s:o, s:o, s:o, s:o, s:o, s:o}", "holds", posture_all_hold(host, tenants, only), "mode", mode, "machine",
                     host ? posture_layers(host->layer, true) : json_object(), "capabilities",
                     capabilities_json(host ? host->capabilities : 0), "programs", host ? programs_json(host) : json_object(), "workers",
                     workers, "one_way_in", one_way, "layers", catalogue(excused));
}

#include "posture.h"

#define LAYER(NAME, MEANING) [LAYER_##NAME] = {.name = #NAME, .meaning = MEANING, .machine = LAYER_##NAME >= LAYER_supervisor_caps},
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
                            json_pack("{s:s, s:s, s:s}", "of", posture_layer[i].machine ? "machine" : "worker", "demanded",
                                      demand[posture_demand((enum layer)i, excused)], "meaning", posture_layer[i].meaning));
    return all;
}

/* A worker is judged once it has proved its walls, which is when it is sealed. */
static bool proved(const struct message_tenant *t) {
    return t->state == TENANT_SEALED || t->state == TENANT_SERVING || t->state == TENANT_DRAINING;
}

static json_t *worker_json(const struct message_tenant *t, uint64_t excused) {
    char filter[sizeof t->filter_hash * 2 + 1];
    for (size_t i = 0; i < sizeof t->filter_hash; i++) {
        filter[2 * i] = "0123456789abcdef"[t->filter_hash[i] >> 4];
        filter[2 * i + 1] = "0123456789abcdef"[t->filter_hash[i] & 15];
    }
    filter[sizeof filter - 1] = 0;
    return json_pack("{s:s, s:b, s:i, s:i, s:s, s:I, s:o}", "tenant", t->name, "holds", posture_holds(t->layer, false, excused),
                     "landlock_abi", (int)t->landlock_abi, "syscalls", (int)t->syscalls, "filter", filter, "secret_memory_bytes",
                     (json_int_t)(t->arena_bytes & INT64_MAX), "layers", posture_layers(t->layer, false));
}

bool posture_all_hold(const struct message_posture *host, const struct tenants *tenants) {
    if (!host || !posture_holds(host->layer, true, 0)) return false;
    for (size_t i = 0; i < tenants_count(tenants); i++) {
        const struct message_tenant *t = &tenants_at(tenants, i)->is;
        if (proved(t) && !posture_holds(t->layer, false, host->excused)) return false;
    }
    return true;
}

json_t *posture_json(const struct message_posture *host, const struct tenants *tenants) {
    uint64_t excused = host ? host->excused : 0;
    json_t *workers = json_array();
    for (size_t i = 0; i < tenants_count(tenants); i++) {
        const struct message_tenant *t = &tenants_at(tenants, i)->is;
        if (proved(t)) json_array_append_new(workers, worker_json(t, excused));
    }
    return json_pack("{s:b, s:o, s:o, s:o}", "holds", posture_all_hold(host, tenants), "machine",
                     host ? posture_layers(host->layer, true) : json_object(), "workers", workers, "layers", catalogue(excused));
}

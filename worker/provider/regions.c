#include "regions.h"

#include "../../policy/regions.h"
#include "../backup/backup.h"
#include "../journal/journal.h"
#include "../tenant.h"
#include "../uplink.h"
#include "../web/fields.h"
#include "../web/login.h"

#include <string.h>

/* As stored in STORE_SETTINGS. */
static struct kept {
    struct region_bound bound;
    char stays[TENANT_REGION_MAX + 8]; /* a node's region outside of it, where the administrator stated that the data may stay; "" = none */
} kept;
static const uint8_t id[ID_BYTES] = "r:regions";
static struct message_copies capsules; /* where copies of the key capsule lie, and may lie */

static const char *node(void) { return self.profile.node_region; }

bool regions_allow(const char *region) { return region_allowed(&kept.bound, region); }

/* S8: at a node where the data may not be nothing is served, whoever put them there */
bool regions_admit(struct exchange *x, uint32_t flags) {
    if (flags & (ROUTE_ABROAD | ROUTE_ROLLED) || regions_allow(node()) || strcmp(kept.stays, node()) == 0) return true;
    respond_problem(x, 409, "node-region",
                    "This machine is in a region that the tenant excludes: an administrator may state that the data stay here.",
                    "node_stays", 0);
    return false;
}

void regions_tell(void) {
    uint32_t count;
    const struct message_offer *offer = backup_offers(&count);
    uint64_t bits = kept.bound.bounded ? REGIONS_BOUNDED : 0;
    if (kept.bound.bounded && regions_allow(node())) bits |= REGIONS_NODE;
    for (uint32_t i = 0; kept.bound.bounded && i < count; i++)
        if (regions_allow(offer[i].region)) bits |= (uint64_t)1 << i;
    for (uint32_t i = 0; kept.bound.bounded && i < capsules.place_count; i++)
        if (regions_allow(capsules.place[i].region)) bits |= (uint64_t)1 << (REGIONS_PLACES + i);
    if (self.keys) uplink_regions(bits);
}

void regions_load(void) {
    const uint8_t *value;
    size_t size;
    enum store_result result = store_get(self.store, STORE_SETTINGS, id, &value, &size, NULL);
    kept = (struct kept){0};
    if (result == STORE_OK && size <= sizeof kept) memcpy(&kept, value, size); /* it has grown */
    bool fine = result == STORE_OK && size <= sizeof kept && region_bound_is_fine(&kept.bound) && !kept.stays[sizeof kept.stays - 1];
    if (result != STORE_MISSING && !fine) kept = (struct kept){.bound.bounded = true}; /* to nothing: what cannot be read allows nothing */
    regions_tell();
}

/* ---- the list, and what is allowed of it ---- */

static json_t *destinations_in(const char *region) {
    uint32_t count;
    const struct message_offer *offer = backup_offers(&count);
    json_t *names = json_array();
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(offer[i].region, region) == 0) json_array_append_new(names, json_string(offer[i].name));
    return names;
}

static json_t *capsule_places_in(const char *region) {
    json_t *names = json_array();
    for (uint32_t i = 0; i < capsules.place_count; i++)
        if (strcmp(capsules.place[i].region, region) == 0) json_array_append_new(names, json_string(capsules.place[i].name));
    return names;
}

static json_t *region_json(const char *region) {
    return json_pack("{s:s, s:b, s:o, s:o}", "region", region, "allowed", (int)regions_allow(region), "destinations",
                     destinations_in(region), "capsule_places", capsule_places_in(region));
}

/* The operator's regions: the node's own, then those of destinations and of places for key capsules, each once. */
static struct region_bound all_regions(void) {
    uint32_t count;
    const struct message_offer *offer = backup_offers(&count);
    struct region_bound all = {.bounded = true};
    region_allow(&all, node());
    for (uint32_t i = 0; i < count; i++)
        region_allow(&all, offer[i].region);
    for (uint32_t i = 0; i < capsules.place_count; i++)
        region_allow(&all, capsules.place[i].region);
    return all;
}

static json_t *node_json(void) { return json_pack("{s:s, s:b}", "region", node(), "allowed", (int)regions_allow(node())); }

static json_t *regions_json(void) {
    struct region_bound all = all_regions();
    json_t *list = json_array();
    for (char *rest = all.names, *name; (name = strsep(&rest, ","));)
        json_array_append_new(list, region_json(name));
    return json_pack("{s:b, s:o, s:o}", "bounded", (int)kept.bound.bounded, "node", node_json(), "regions", list);
}

static void answer(struct exchange *x, json_t *body) {
    if (body)
        respond_json(x, 200, body);
    else
        answer_failure(x, STORE_MEMORY);
}

static void get_regions(struct exchange *x, struct request *r) {
    (void)r;
    answer(x, regions_json());
}

/* ---- a bound is set ---- */

/* `allowed`: names of the list, at least one, or null. false: answered. */
static bool read_bound(struct exchange *x, const json_t *allowed, struct region_bound *wanted) {
    struct region_bound all = all_regions();
    size_t i;
    json_t *name;
    *wanted = (struct region_bound){.bounded = !json_is_null(allowed)};
    if (json_is_null(allowed)) return true;
    bool fine = json_array_size(allowed) > 0;
    json_array_foreach(allowed, i, name) {
        const char *region = json_string_value(name);
        fine = fine && region && *region && region_allowed(&all, region) && region_allow(wanted, region);
    }
    if (!fine) fields_refuse(x, "allowed", "Names of regions of the list, at least one, or null are expected.");
    return fine;
}

static json_t *bound_json(struct region_bound b) {
    if (!b.bounded) return json_null();
    json_t *list = json_array();
    for (char *rest = b.names, *name; (name = strsep(&rest, ","));)
        json_array_append_new(list, json_string(name));
    return list;
}

/* S8: the bound is on the disk, with its line of the journal, before it is told */
static enum store_result keep(const struct region_bound *wanted, const uint8_t user[ID_BYTES]) {
    struct kept new = {.bound = *wanted};
    bool stays = !region_allowed(wanted, node());
    if (stays) snprintf(new.stays, sizeof new.stays, "%s", node());
    enum store_result result =
        journal_add(JOURNAL_regions_bounded, user, json_pack("{s:o, s:b}", "regions", bound_json(*wanted), "node_stays", (int)stays));
    if (result == STORE_OK) result = store_put(self.store, STORE_SETTINGS, id, &new, sizeof new, STORE_ANY, NULL);
    if (result == STORE_OK) result = exchange_commit();
    if (result != STORE_OK && store_dirty(self.store)) store_lose(self.store, result);
    if (result != STORE_OK) return result;
    kept = new;
    regions_tell();
    return STORE_OK;
}

static void set_bound(struct exchange *x, struct request *r, const json_t *object) {
    const json_t *allowed = json_object_get(object, "allowed"), *stays = json_object_get(object, "node_stays");
    struct region_bound wanted;
    if (stays && !json_is_boolean(stays)) {
        fields_refuse(x, "node_stays", "Expected true or false.");
        return;
    }
    if (!allowed && json_is_true(stays))
        wanted = kept.bound;
    else if (!read_bound(x, allowed, &wanted))
        return;
    /* S8: data do not move by themselves, and who excludes their place says that this is known */
    if (!region_allowed(&wanted, node()) && !json_is_true(stays)) {
        respond_problem(
            x, 409, "node-region",
            "The node itself is in a region outside of these. Data do not move from it by themselves: ask the provider for that, "
            "and state node_stays.",
            "node_stays", 0);
        return;
    }
    enum store_result result = keep(&wanted, r->session->user);
    if (result == STORE_OK)
        answer(x, regions_json());
    else
        answer_failure(x, result);
}

static void put_regions(struct exchange *x, struct request *r) {
    static const char *const names[] = {"allowed", "node_stays", NULL};
    json_t *object;
    if (!fields_read(x, r, names, &object)) return;
    set_bound(x, r, object);
    json_decref(object);
}

/* ---- where things are ---- */

void places_copies(const struct message_copies *copies) { capsules = *copies; }

/* S8: where copies of the key capsule lie, in which region, and whether that is against the bound */
static json_t *capsule_copies_json(void) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < capsules.count; i++) {
        const struct message_copy *c = &capsules.copy[i];
        json_array_append_new(list, json_pack("{s:s, s:o, s:b, s:o, s:b}", "place", c->place, "region",
                                              c->region[0] ? json_string(c->region) : json_null(), "allowed", (int)regions_allow(c->region),
                                              "written", json_time(c->written_ms / 1000), "current", (int)(c->current == 1)));
    }
    return list;
}

json_t *places_json(void) {
    return json_pack("{s:o, s:o, s:o}", "node", node_json(), "capsule_copies", capsule_copies_json(), "plans", backup_plans_json());
}

static void get_places(struct exchange *x, struct request *r) {
    (void)r;
    answer(x, places_json());
}

const struct route region_routes[] = {
    {HTTP_GET, "/api/v1/provider/regions", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_ABROAD, get_regions, FUNCTION_NONE},
    {HTTP_PUT, "/api/v1/provider/regions", RIGHT_ADMIN, ROUTE_PERSON | ROUTE_ABROAD, put_regions, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/provider/places", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_ABROAD, get_places, FUNCTION_NONE},
    {0},
};

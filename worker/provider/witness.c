#include "witness.h"

#include "../../policy/hex.h"
#include "../tenant.h"
#include "provider.h"

#include <string.h>
#include <time.h>

static const uint8_t record_id[ID_BYTES] = "provider-ledger";

/* As stored in STORE_SETTINGS: fixed size, host byte order, sealed like every value. */
struct heads {
    uint32_t count;
    uint32_t contradictions; /* ever seen */
    struct head {
        uint64_t lines;
        uint64_t seen; /* Unix seconds */
        uint8_t hash[LEDGER_HASH];
    } head[WITNESS_HEADS];
};

static enum store_result heads_read(struct heads *h) {
    enum store_result result = store_get_struct(self.store, STORE_SETTINGS, record_id, h, sizeof *h);
    if (result != STORE_OK) return result == STORE_MISSING ? STORE_OK : result;
    return h->count <= WITNESS_HEADS ? STORE_OK : STORE_BROKEN;
}

/* Room for one more: of the older half every second one goes, so that old heads thin out but never end. */
static void heads_thin(struct heads *h) {
    if (h->count < WITNESS_HEADS) return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < h->count; i++)
        if (i >= WITNESS_HEADS / 2 || i % 2 == 0) h->head[kept++] = h->head[i];
    h->count = kept;
}

static bool contradicts(const struct head *before, const struct head *after) {
    if (after->lines < before->lines) return true;
    return after->lines == before->lines && memcmp(after->hash, before->hash, LEDGER_HASH) != 0;
}

/* S11: each tenant keeps heads of it, so that a ledger made anew is found */
bool witness_keep(void) {
    struct heads h;
    struct head now = {.lines = self.profile.ledger_count, .seen = (uint64_t)time(NULL)};
    memcpy(now.hash, self.profile.ledger_head, LEDGER_HASH);
    if (heads_read(&h) != STORE_OK) return false;
    const struct head *last = h.count ? &h.head[h.count - 1] : NULL;
    bool contradiction = last && contradicts(last, &now);
    if (contradiction) h.contradictions++;
    gauge(COUNTER_ledger_state, h.contradictions ? 2 : 1);
    if (last && last->lines == now.lines && !contradiction) return true; /* nothing new */
    heads_thin(&h);
    h.head[h.count++] = now;
    uint64_t version;
    return store_put(self.store, STORE_SETTINGS, record_id, &h, sizeof h, STORE_ANY, &version) == STORE_OK;
}

static json_t *head_json(const struct head *head) {
    char hash[2 * LEDGER_HASH + 1] = "", seen[32];
    time_t when = (time_t)head->seen;
    struct tm utc;
    hex_write(head->hash, LEDGER_HASH, hash);
    gmtime_r(&when, &utc);
    strftime(seen, sizeof seen, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_pack("{s:I, s:s, s:s}", "count", (json_int_t)head->lines, "hash", hash, "seen", seen);
}

static void provider_heads(struct exchange *x, struct request *r) {
    (void)r;
    struct heads h;
    if (heads_read(&h) != STORE_OK) {
        respond_problem(x, 500, "store-broken", "the kept heads cannot be read", NULL, 0);
        return;
    }
    json_t *items = json_array();
    for (uint32_t i = 0; i < h.count; i++)
        json_array_append_new(items, head_json(&h.head[i]));
    respond_json(x, 200, json_pack("{s:b, s:o}", "consistent", h.contradictions == 0, "items", items));
}

const struct route witness_routes[] = {
    {HTTP_GET, "/api/v1/provider-ledger", RIGHT_ADMIN, ROUTE_NO_BODY, provider_heads, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/provider/ledger", RIGHT_ADMIN, ROUTE_NO_BODY, provider_ledger, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/provider/disclosures", RIGHT_ADMIN, ROUTE_NO_BODY, provider_disclosures, FUNCTION_NONE},
    {0},
};

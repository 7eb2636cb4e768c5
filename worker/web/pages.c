/* The routes of web/ itself: the pages, the API's description, the health. */
#include "../tenant.h"
#include "assets.h"

#include <string.h>

/* Everything from here, nothing inline, no frame around it. */
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                             "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
                             "require-trusted-types-for 'script'";

/* Whether an If-None-Match holds this tag (weak comparison), or `*`. */
static bool client_has(const struct request *r, const char *tag) {
    const struct slice *value = http_header_find(r->head, "If-None-Match");
    return value && (slice_equals(*value, "*") || memmem(value->data, value->size, tag, strlen(tag)));
}

/* By reference: a client that asks and does not read costs no copy of the file. */
static void respond_asset(struct exchange *x, const struct asset *a) {
    struct evbuffer *body = evbuffer_new();
    if (body && evbuffer_add_reference(body, a->bytes, a->size, NULL, NULL) == 0)
        respond_buffer(x, 200, a->type, body);
    else
        respond_problem(x, 503, "out-of-memory", "There is not enough memory now; try again.", NULL, 0);
    if (body) evbuffer_free(body);
}

static void serve(struct exchange *x, struct request *r, const struct asset *a) {
    char version[32];
    bool versioned = http_query_value(r->head->query, "v", version, sizeof version) == 1 && strlen(version) == 16 &&
                     memcmp(version, a->tag + 1, 16) == 0;
    respond_header(x, "ETag", a->tag);
    respond_header(x, "Cache-Control", versioned ? "public, max-age=31536000, immutable" : "no-cache");
    respond_header(x, "Content-Security-Policy", policy);
    respond_header(x, "Permissions-Policy", "camera=(), geolocation=(), microphone=()");
    if (client_has(r, a->tag))
        respond_empty(x, 304);
    else
        respond_asset(x, a);
}

static void page(struct exchange *x, struct request *r) { serve(x, r, asset_find("index.html", 10)); }
static void openapi(struct exchange *x, struct request *r) { serve(x, r, asset_find("openapi.json", 12)); }

static void file(struct exchange *x, struct request *r) {
    const char *name = r->path + 1;
    serve(x, r, asset_find(name, strlen(name)));
}

static void health(struct exchange *x, struct request *r) {
    (void)r;
    static const char serving[] = "{\"state\":\"serving\"}", sealed[] = "{\"state\":\"sealed\"}";
    if (self.keys)
        respond_bytes(x, 200, "application/json", serving, sizeof serving - 1);
    else
        respond_bytes(x, 200, "application/json", sealed, sizeof sealed - 1);
}

const struct route web_routes[] = {
    {HTTP_GET, "/", 0, ROUTE_PUBLIC | ROUTE_NO_BODY, page},
#define ASSET(SYMBOL, FILE, TYPE) {HTTP_GET, "/" FILE, 0, ROUTE_PUBLIC | ROUTE_NO_BODY, file},
#include "assets.def"
#undef ASSET
    {HTTP_GET, "/api/v1/health", 0, ROUTE_PUBLIC | ROUTE_NO_BODY, health},
    {HTTP_GET, "/api/v1/openapi.json", 0, ROUTE_PUBLIC | ROUTE_NO_BODY, openapi},
    {0},
};

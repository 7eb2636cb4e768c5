/* Every route of the worker: who may call it, and that the served document says the same. */
#include "../../worker/tenant.h"
#include "../../worker/web/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct tenant self;

static const char *const methods[] = {[HTTP_GET] = "get",     [HTTP_POST] = "post",     [HTTP_PUT] = "put",
                                      [HTTP_PATCH] = "patch", [HTTP_DELETE] = "delete", [HTTP_OPTIONS] = "options"};

struct call {
    enum http_method method;
    const char *pattern;
};

static bool among(const struct route *r, const struct call *calls) {
    for (; calls->pattern; calls++)
        if (calls->method == r->method && strcmp(calls->pattern, r->pattern) == 0) return true;
    return false;
}

static bool is_of_records(const struct route *r) {
    uint32_t any = 0;
    for (int kind = 0; kind < RIGHTS_KINDS; kind++)
        any |= RIGHT_OF(kind, RIGHT_READ | RIGHT_WRITE);
    return r->rights & any || r->function == FUNCTION_import;
}

/* C2: what a token may never do, of all routes: it changes no more than records and ends credentials, and takes nothing away as a whole */
static void what_a_token_may_never_do(void **state) {
    static const struct call ends[] = {{HTTP_DELETE, "/api/v1/session"},
                                       {HTTP_DELETE, "/api/v1/sessions"},
                                       {HTTP_DELETE, "/api/v1/sessions/{}"},
                                       {HTTP_DELETE, "/api/v1/tokens/{}"},
                                       {0}};
    static const struct call whole[] = {{HTTP_GET, "/api/v1/restitution"}, {HTTP_GET, "/api/v1/contacts/{}/package"}, {0}};
    (void)state;
    const struct route *r;
    size_t n = 0, persons = 0;
    while ((r = route_at(n++))) {
        bool changes = r->method != HTTP_GET && r->method != HTTP_OPTIONS && !(r->flags & ROUTE_PUBLIC);
        bool person = (changes && !is_of_records(r) && !among(r, ends)) || among(r, whole);
        if (person == !(r->flags & ROUTE_PERSON))
            fail_msg("%s %s: %s", methods[r->method], r->pattern, person ? "open to tokens" : "closed");
        persons += person;
    }
    assert_true(persons > 30);
}

/* Its names in braces are the route's {}. */
static bool same_path(const char *path, const char *pattern) {
    for (; *path && *pattern; path++, pattern++) {
        if (*path != *pattern) return false;
        if (*path != '{') continue;
        path = strchr(path, '}');
        pattern = strchr(pattern, '}');
        if (!path || !pattern) return false;
    }
    return *path == *pattern;
}

static json_t *operation_of(json_t *document, const struct route *r) {
    const char *path;
    json_t *item;
    json_object_foreach(json_object_get(document, "paths"), path, item) {
        if (same_path(path, r->pattern)) return json_object_get(item, methods[r->method]);
    }
    return NULL;
}

static void the_document_says_who_may(void **state) {
    (void)state;
    json_t *document = json_load_file("worker/web/static/openapi.json", JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    json_t *nobody = json_array(), *person = json_pack("[{s:[]}]", "cookie");
    const struct route *r;
    size_t n = 0;
    while ((r = route_at(n++))) {
        bool served = strncmp(r->pattern, "/api/v1/", 8) == 0 && r->method != HTTP_OPTIONS;
        json_t *operation = served ? operation_of(document, r) : NULL;
        if (!operation && served) fail_msg("%s %s is not in the document", methods[r->method], r->pattern);
        if (!operation) continue;
        json_t *wanted = r->flags & ROUTE_PUBLIC   ? nobody
                         : r->flags & ROUTE_PERSON ? person
                                                   : NULL,
               *said = json_object_get(operation, "security");
        if (said != wanted && !json_equal(said, wanted)) fail_msg("%s %s: security", methods[r->method], r->pattern);
    }
    json_decref(nobody);
    json_decref(person);
    json_decref(document);
}

static int start(void **state) { return (void)state, routes_start() ? 0 : -1; }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_token_may_never_do), cmocka_unit_test(the_document_says_who_may)};
    return cmocka_run_group_tests(tests, start, NULL);
}

/* The OpenAPI document says what the code does: the schemas of both kinds are those of the field table, and every route of crm/ is there.
 */
#include "crm_fake.h"

#include "../../worker/crm/field.h"

#include <stdio.h>

static json_t *document;

static json_t *schema_of(const char *name, const char *ending) {
    char full[64];
    snprintf(full, sizeof full, "%s%s", name, ending);
    json_t *schema = json_object_get(json_object_get(json_object_get(document, "components"), "schemas"), full);
    if (!schema) fail_msg("no schema %s", full);
    return schema;
}

static void same_properties(const json_t *schema, const json_t *fields, const char *const *own) {
    static const char *const given[] = {"id", "kind", "version", "created", "modified", "archived"};
    json_t *properties = json_object_get(schema, "properties"), *value;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)fields, name, value) {
        if (json_equal(json_object_get(properties, name), value)) continue;
        fail_msg("%s should be %s", name, json_dumps(value, 0));
    }
    for (size_t i = 0; i < 6; i++)
        assert_non_null(json_object_get(properties, given[i]));
    size_t more = 0;
    for (; own && own[more]; more++)
        assert_non_null(json_object_get(properties, own[more]));
    assert_int_equal(json_object_size(properties), json_object_size(fields) + 6 + more);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
}

static void schemas(void **state) {
    (void)state;
    for (int k = 0; k < KIND_COUNT; k++) {
        json_t *own = field_schema((enum kind)k);
        assert_non_null(own);
        same_properties(schema_of(kind_table[k].schema, ""), json_object_get(own, "properties"), kind_table[k].given);
        same_properties(schema_of(kind_table[k].schema, "Input"), json_object_get(own, "properties"), kind_table[k].given);
        json_decref(own);
    }
}

static void routes(void **state) {
    (void)state;
    static const char *const methods[] = {
        [HTTP_GET] = "get", [HTTP_POST] = "post", [HTTP_PUT] = "put", [HTTP_PATCH] = "patch", [HTTP_DELETE] = "delete"};
    json_t *paths = json_object_get(document, "paths");
    for (const struct route *r = crm_routes; r->pattern; r++) {
        char path[128];
        const char *hole = strstr(r->pattern, "{}");
        if (hole)
            snprintf(path, sizeof path, "%.*s{id}%s", (int)(hole - r->pattern), r->pattern, hole + 2);
        else
            snprintf(path, sizeof path, "%s", r->pattern);
        json_t *operation = json_object_get(json_object_get(paths, path), methods[r->method]);
        if (!operation) fail_msg("%s %s is not in the document", methods[r->method], path);
        assert_int_equal(json_object_get(operation, "requestBody") == NULL, r->method == HTTP_GET || r->method == HTTP_DELETE);
    }
}

/* Those of the table, no others. */
static void rights(void **state) {
    (void)state;
    uint32_t all = RIGHT_ALL, parsed;
    for (int kind = 0; kind < RIGHTS_KINDS; kind++)
        all |= RIGHT_OF(kind, RIGHT_READ | RIGHT_WRITE | RIGHT_IMPORT | RIGHT_EXPORT);
    if (!rights_parse(json_object_get(schema_of("Right", ""), "enum"), &parsed)) fail_msg("a right that there is not");
    assert_int_equal(parsed, all);
}

/* Every reference leads somewhere. */
static void follow(const json_t *node) {
    const char *name;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)node, name, value) {
        if (strcmp(name, "$ref") == 0) {
            char kind[32], target[64];
            assert_int_equal(sscanf(json_string_value(value), "#/components/%31[^/]/%63s", kind, target), 2);
            if (!json_object_get(json_object_get(json_object_get(document, "components"), kind), target))
                fail_msg("%s", json_string_value(value));
        }
        follow(value);
    }
    json_array_foreach((json_t *)(uintptr_t)node, i, value) follow(value);
}

static void references(void **state) {
    (void)state;
    follow(document);
}

static int start(void **state) {
    (void)state;
    json_error_t error;
    document = json_load_file("worker/web/static/openapi.json", JSON_REJECT_DUPLICATES, &error);
    if (!document) fprintf(stderr, "openapi.json: line %d: %s\n", error.line, error.text);
    return document ? 0 : -1;
}
static int stop(void **state) { return (void)state, json_decref(document), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(schemas), cmocka_unit_test(routes), cmocka_unit_test(rights),
                                       cmocka_unit_test(references)};
    return cmocka_run_group_tests(tests, start, stop);
}

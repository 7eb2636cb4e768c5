/* What the page itself reports of its use. */
#include "../functions.h"
#include "../pace.h"
#include "../tenant.h"
#include "../web/fields.h"
#include "../web/login.h"
#include "zones.h"

#include <string.h>
#include <time.h>

enum { PER_MINUTE = 1200 /* of all users together */, WORD_MAX = 32, LOAD_MS_MAX = 3600000 };

struct word {
    const char *name;
    enum counter counter;
};
static const struct word menus[] = {
#define MENU(NAME) {#NAME, COUNTER_menu_##NAME},
#include "../../policy/usage.def"
    {0},
};
static const struct word pages[] = {
#define PAGE(NAME) {#NAME, COUNTER_page_##NAME},
#include "../../policy/usage.def"
    {0},
};
static const struct {
    uint32_t most;
    enum counter counter;
} loads[] = {
#define LOAD(NAME, MS, HELP) {MS, COUNTER_load_##NAME},
#include "../../policy/usage.def"
};

static const struct word *find(const struct word *words, const char *name) {
    while (words->name && strcmp(words->name, name) != 0)
        words++;
    return words->name ? words : NULL;
}

static struct pace told = {.most = PER_MINUTE};

static bool take_menu(struct exchange *x, json_t *object) {
    const char *name;
    if (!fields_string(x, object, "menu", WORD_MAX, &name)) return false;
    const struct word *menu = find(menus, name);
    if (menu) count(menu->counter, 1);
    if (!menu) fields_refuse(x, "menu", "Expected the word of an entry of the menu.");
    return menu;
}

static bool take_page(struct exchange *x, const struct request *r, json_t *object) {
    const char *name;
    json_t *time = json_object_get(object, "milliseconds");
    json_int_t ms = json_integer_value(time);
    if (!fields_string(x, object, "page", WORD_MAX, &name)) return false;
    const struct word *page = find(pages, name);
    if (!page) return fields_refuse(x, "page", "Expected the word of a page."), false;
    if (!json_is_integer(time) || ms < 0 || ms > LOAD_MS_MAX)
        return fields_refuse(x, "milliseconds", "Expected whole milliseconds, an hour at most."), false;
    size_t i = 0;
    while (ms > loads[i].most)
        i++;
    count(page->counter, 1);
    count(loads[i].counter, 1);
    count(zones_of(r->peer), 1);
    return true;
}

static void post_usage(struct exchange *x, struct request *r) {
    static const char *const names[] = {"menu", "page", "milliseconds", NULL};
    json_t *object;
    if (!pace_admit(&told, x) || !fields_read(x, r, names, &object)) return;
    bool menu = json_object_get(object, "menu"), taken = false;
    if (menu && json_object_size(object) > 1)
        fields_refuse(x, "menu", "Expected menu alone, or page and milliseconds.");
    else
        taken = menu ? take_menu(x, object) : take_page(x, r, object);
    json_decref(object);
    if (taken) respond_empty(x, 204);
}

const struct route usage_routes[] = {
    {.method = HTTP_POST, .pattern = "/api/v1/usage", .flags = ROUTE_PERSON, .function = FUNCTION_counters, .handle = post_usage},
    {0},
};

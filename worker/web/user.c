#include "user.h"

#include "../tenant.h"

#include <stdlib.h>
#include <string.h>

static bool parse(const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, struct user *user) {
    json_t *o = json_loadb((const char *)value, size, 0, NULL);
    const char *login = json_string_value(json_object_get(o, "login"));
    size_t login_size = login ? strlen(login) : 0;
    bool fine = login && login_size <= USER_LOGIN_MAX;
    if (fine) {
        *user = (struct user){.rights = (uint32_t)json_integer_value(json_object_get(o, "rights")),
                              .rights_epoch = (uint32_t)json_integer_value(json_object_get(o, "epoch")),
                              .created = (uint64_t)json_integer_value(json_object_get(o, "created"))};
        memcpy(user->id, id, ID_BYTES);
        memcpy(user->login, login, login_size + 1);
    }
    json_decref(o);
    return fine;
}

enum store_result user_load(const uint8_t id[ID_BYTES], struct user *user) {
    const uint8_t *value;
    size_t size;
    enum store_result result = store_get(self.store, STORE_USERS, id, &value, &size, NULL);
    if (result != STORE_OK) return result;
    return parse(id, value, size, user) ? STORE_OK : STORE_BROKEN;
}

enum store_result user_save(const struct user *user) {
    json_t *o = json_pack("{s:s, s:I, s:I, s:I}", "login", user->login, "rights", (json_int_t)user->rights, "epoch",
                          (json_int_t)user->rights_epoch, "created", (json_int_t)user->created);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    enum store_result result = STORE_MEMORY;
    if (text) result = store_put(self.store, STORE_USERS, user->id, text, strlen(text), STORE_ANY, NULL);
    free(text);
    json_decref(o);
    return result;
}

enum store_result user_delete(const uint8_t id[ID_BYTES]) { return store_delete(self.store, STORE_USERS, id, STORE_ANY); }

static bool take(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    struct user_list *all = argument;
    (void)version;
    all->count += parse(id, value, size, &all->user[all->count]);
    return all->count < USERS_MAX;
}

enum store_result users_load(struct user_list **list) {
    struct store_cursor cursor = {0};
    struct user_list *all = calloc(1, sizeof *all);
    enum store_result result = all ? STORE_OK : STORE_MEMORY;
    while ((result == STORE_OK || result == STORE_BROKEN) && !cursor.done && all->count < USERS_MAX)
        result = store_walk(self.store, STORE_USERS, &cursor, USERS_MAX, take, all);
    *list = all;
    if (result == STORE_OK || result == STORE_BROKEN) return STORE_OK;
    free(all);
    *list = NULL;
    return result;
}

#include "act.h"

#include "../../policy/names.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

bool act_wrong(struct act_problem *problem, const char *field, const char *detail) {
    *problem = (struct act_problem){.detail = detail};
    if (field) snprintf(problem->field, sizeof problem->field, "%s", field);
    return false;
}

static bool take_text(json_t *value, char *out, size_t room, bool (*fits)(const char *)) {
    const char *text = json_string_value(value);
    if (!text || strlen(text) >= room || !fits(text)) return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool take_hosts(json_t *value, struct message_act *act, struct act_problem *problem) {
    size_t count = json_array_size(value);
    if (count < 1 || count > TENANT_HOSTS_MAX) return act_wrong(problem, "hosts", "a list of 1 to 8 names");
    for (size_t i = 0; i < count; i++) {
        if (!take_text(json_array_get(value, i), act->host[i], sizeof act->host[i], name_is_host))
            return act_wrong(problem, "hosts", "each a host name in lower case with at least two labels, not an address");
        for (size_t j = 0; j < i; j++)
            if (strcmp(act->host[i], act->host[j]) == 0) return act_wrong(problem, "hosts", "the same name twice");
    }
    act->host_count = (uint32_t)count;
    return true;
}

static bool take_modules(json_t *value, struct message_act *act) {
    size_t used = 0;
    if (!json_is_array(value)) return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *word = json_string_value(json_array_get(value, i));
        if (!word || strchr(word, ',') || !*word) return false;
        int size = snprintf(act->modules + used, TENANT_MODULES_MAX + 1 - used, "%s%s", i ? "," : "", word);
        if (size < 0 || (size_t)size > TENANT_MODULES_MAX - used) return false;
        used += (size_t)size;
    }
    return name_is_modules(act->modules);
}

static bool take_quota(json_t *value, struct message_act *act) {
    enum { PAGE = 4096 };
    json_int_t bytes = json_integer_value(value);
    if (!json_is_integer(value) || bytes < TENANT_QUOTA_MIN || bytes > INT64_MAX - PAGE) return false;
    act->quota_bytes = ((uint64_t)bytes + PAGE - 1) / PAGE * PAGE;
    return true;
}

static bool fits_contact(const char *text) { return !*text || name_is_mail_address(text); }

static bool take(const char *key, json_t *value, int creating, struct message_act *act, struct act_problem *problem) {
    if (strcmp(key, "name") == 0) {
        if (!creating) return act_wrong(problem, "name", "a tenant keeps its name");
        if (take_text(value, act->name, sizeof act->name, name_is_tenant)) return true;
        return act_wrong(problem, "name", "a lower-case letter, then up to 31 of a-z, 0-9 and hyphen, no hyphen at the end");
    }
    if (strcmp(key, "hosts") == 0) {
        act->set |= ACT_HOSTS;
        return take_hosts(value, act, problem);
    }
    if (strcmp(key, "title") == 0) {
        act->set |= ACT_TITLE;
        return take_text(value, act->title, sizeof act->title, name_is_title) ||
               act_wrong(problem, "title", "up to 128 bytes of text without control characters");
    }
    if (strcmp(key, "modules") == 0) {
        act->set |= ACT_MODULES;
        return take_modules(value, act) ||
               act_wrong(problem, "modules", "a list of names of a-z, 0-9 and hyphen, 256 bytes with commas between");
    }
    if (strcmp(key, "region") == 0) {
        act->set |= ACT_REGION;
        return take_text(value, act->region, sizeof act->region, name_is_region) ||
               act_wrong(problem, "region", "1 to 32 of a-z, 0-9 and hyphen");
    }
    if (strcmp(key, "quota") == 0) {
        act->set |= ACT_QUOTA;
        return take_quota(value, act) || act_wrong(problem, "quota", "a whole number of bytes, 1 MiB or more");
    }
    if (strcmp(key, "contact") == 0) {
        act->set |= ACT_CONTACT;
        return take_text(value, act->contact, MAIL_ADDRESS_MAX + 1, fits_contact) ||
               act_wrong(problem, "contact", "a mail address, or nothing for none");
    }
    if (creating && strcmp(key, "restore") == 0) {
        act->set |= json_is_true(value) ? ACT_RESTORE : 0;
        return json_is_boolean(value) || act_wrong(problem, "restore", "true or false");
    }
    return act_wrong(problem, key, "none of name, hosts, title, modules, region, quota, contact");
}

bool act_members(const char *body, size_t size, act_take *take_one, int how, struct message_act *act, struct act_problem *problem) {
    json_error_t error;
    json_t *root = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    bool fine = json_is_object(root) || act_wrong(problem, NULL, root ? "not a JSON object" : "not JSON, or a member twice");
    const char *key;
    json_t *value;
    if (fine) json_object_foreach(root, key, value) {
            if (!(fine = take_one(key, value, how, act, problem))) break;
        }
    json_decref(root);
    return fine;
}

bool act_members_if_any(const char *body, size_t size, act_take *take_one, int how, struct message_act *act, struct act_problem *problem) {
    return act_members(size ? body : "{}", size ? size : 2, take_one, how, act, problem);
}

bool act_read(const char *body, size_t size, bool creating, struct message_act *act, struct act_problem *problem) {
    bool fine = act_members(body, size, take, creating, act, problem);
    if (!fine) return false;
    if (creating && !act->name[0]) return act_wrong(problem, "name", "required");
    if (creating && !(act->set & ACT_HOSTS)) return act_wrong(problem, "hosts", "required");
    return act->set != 0 || act_wrong(problem, NULL, "nothing to change");
}

static bool take_option(const char *key, json_t *value, int verb, struct message_act *act, struct act_problem *problem) {
    if (verb == VERB_lock && strcmp(key, "tokens") == 0) {
        act->set |= json_is_true(value) ? ACT_TOKENS : 0;
        return json_is_boolean(value) || act_wrong(problem, "tokens", "true or false");
    }
    if (verb == VERB_transfer && strcmp(key, "to") == 0) {
        act->set |= ACT_ENTITY;
        return (take_text(value, act->entity, TENANT_TITLE_MAX + 1, name_is_title) && act->entity[0]) ||
               act_wrong(problem, "to", "the name of the other provider: 1 to 128 bytes of text");
    }
    if (verb != VERB_lock && verb != VERB_transfer && strcmp(key, "place") == 0) {
        act->set |= ACT_PLACE;
        return take_text(value, act->place, PLACE_NAME_MAX + 1, name_is_tenant) ||
               act_wrong(problem, "place", "the name of a capsule_place of the configuration");
    }
    return act_wrong(problem, key,
                     verb == VERB_lock       ? "only tokens may be given"
                     : verb == VERB_transfer ? "only to may be given"
                                             : "only place may be given");
}

bool act_read_option(const char *body, size_t size, enum verb verb, struct message_act *act, struct act_problem *problem) {
    bool fine = act_members_if_any(body, size, take_option, (int)verb, act, problem);
    if (fine && verb == VERB_transfer && !(act->set & ACT_ENTITY)) return act_wrong(problem, "to", "required");
    if (fine && verb != VERB_lock && verb != VERB_transfer && !(act->set & ACT_PLACE)) return act_wrong(problem, "place", "required");
    return fine;
}

const char *act_field_name(uint32_t field) {
    switch (field) {
    case ACT_TITLE:
        return "title";
    case ACT_MODULES:
        return "modules";
    case ACT_REGION:
        return "region";
    case ACT_HOSTS:
        return "hosts";
    case ACT_QUOTA:
        return "quota";
    case ACT_PLACE:
        return "place";
    case ACT_NUMBER:
        return "version";
    case ACT_UNTIL:
        return "until";
    case ACT_CONTACT:
        return "contact";
    case ACT_ENTITY:
        return "to";
    case ACT_KIND:
        return "kind";
    case ACT_EFFECTIVE:
        return "effective";
    case ACT_GROUND:
        return "ground";
    case ACT_SCOPE:
        return "scope";
    case ACT_RECIPIENT:
        return "recipient";
    case ACT_REASON:
        return "reason";
    default:
        return NULL;
    }
}

/* The users of a tenant, as records of STORE_USERS: JSON {login, rights, epoch, created}. */
#pragma once

#include "session.h"

struct user {
    uint8_t id[ID_BYTES];
    char login[USER_LOGIN_MAX + 1]; /* folded */
    uint32_t rights;                /* bit set of enum right */
    uint32_t rights_epoch;          /* rises when rights are taken away; credentials of before count no more */
    uint64_t created;               /* Unix seconds */
};

/* STORE_BROKEN also for a record that is no user. */
enum store_result user_load(const uint8_t id[ID_BYTES], struct user *user);
/* Part of the next commit. */
enum store_result user_save(const struct user *user);
enum store_result user_delete(const uint8_t id[ID_BYTES]);

enum { USERS_MAX = 128 /* a password each leaves the capsule room for log-ins */ };
struct user_list {
    size_t count;
    struct user user[USERS_MAX];
};
/* All users whose records open, in no order. *list is to be freed; NULL but with STORE_OK. */
enum store_result users_load(struct user_list **list);

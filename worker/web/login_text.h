/* Logins and passwords as people type them, in one spelling (Unicode, ICU; nothing is opened after the first call). */
#pragma once

#include "../keys/password.h"
#include "session.h"

/* The login in normal form C and case-folded, without white space around it. false: empty, longer than USER_LOGIN_MAX, with control
 * characters, or not UTF-8. */
bool login_fold(const char *typed, char out[USER_LOGIN_MAX + 1]);

/* The password in normal form C: PASSWORD_MIN..PASSWORD_MAX bytes (`any_length`: 1..PASSWORD_MAX, for one that is only tried). */
bool password_normalise(const char *typed, bool any_length, char out[PASSWORD_MAX + 1]);

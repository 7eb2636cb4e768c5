/*
 * Invitations: one-time codes with which a person chooses a password of their own (C2). Each is a key slot, so that it opens a sealed
 * tenant too, here or after a restart. Who redeems it is the user it was made for; the password's slot takes its place in one write of the
 * capsule, so that of several who try at once one wins and no crash leaves both or neither.
 *
 *   POST /api/v1/invitations   {code, password}   200 {user, rights, commit, warnings}, cookies   public
 *
 * A code that is wrong, used, expired or whose user is gone is one uniform 401 `credentials`.
 */
#pragma once

#include "../keys/credential.h"
#include "user.h"

enum { INVITATION_SECONDS = 7 * 86400 /* unless its maker says otherwise */, INVITATION_LONGEST = 30 * 86400 };

/* Makes the code of a user, durable; the user's older code and password open nothing any more. origin: the slot under which it is made. 0
 * or an errno value. */
int invitation_make(const struct user *user, uint64_t expires, const uint8_t origin[ID_BYTES], char code[KIT_TEXT + 1]);

void redeem_invitation(struct exchange *x, struct request *r);

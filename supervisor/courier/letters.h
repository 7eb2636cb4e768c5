/* Letters as the supervisor wants them: each is done in the mail's own lane and answered once. */
#pragma once

#include "courier.h"

/* COURIER_LETTER; takes the text out of *fd. */
void letters_take(struct courier *courier, const union message *message, int *fd);

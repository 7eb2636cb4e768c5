/* GET /api/v1/export: every record of a kind, in no order, in pieces; no transaction is held between them. A record that does not open ends
 * the answer without its last chunk, after all others, so that the client sees that it is not whole. */
#pragma once

#include "../web/http.h"

void export_handle(struct exchange *x, struct request *r);

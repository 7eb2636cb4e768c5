/* GET /api/v1/companies?archived=true, same for contacts: what no other list shows, in no order, {items, next: null}. */
#pragma once

#include "answer.h"

void archived_list(struct exchange *x, enum kind kind);

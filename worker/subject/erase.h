#pragma once

#include "../web/http.h"

void erase_post(struct exchange *x, struct request *r);

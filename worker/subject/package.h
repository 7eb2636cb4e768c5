#pragma once

#include "../web/http.h"

void package_get(struct exchange *x, struct request *r);

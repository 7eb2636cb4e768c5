#pragma once

#include "../web/http.h"

void download_newest(struct exchange *x, struct request *r);
void download_version(struct exchange *x, struct request *r);

#pragma once

#include "../web/http.h"

void tus_options(struct exchange *x, struct request *r);
void tus_create(struct exchange *x, struct request *r);
void tus_list(struct exchange *x, struct request *r);
void tus_show(struct exchange *x, struct request *r);
void tus_patch(struct exchange *x, struct request *r);
void tus_discard(struct exchange *x, struct request *r);

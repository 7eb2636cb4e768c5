/* Companies and contacts: records, lists, import and export. Its routes are crm_routes (web/http.h). */
#pragma once

#include <stdbool.h>

/* Before sealing: loads the collation, checks that the field table is whole. No file is opened by crm/ afterwards. false: fail closed. */
bool crm_start(void);

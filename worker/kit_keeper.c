#include "kit_keeper.h"

#include "keys/kit_record.h"
#include "tenant.h"

#include <errno.h>

enum store_result kit_keep(struct store *s, const uint8_t tmk[KEY_BYTES]) {
    struct kit_record record;
    int error = kit_record_make(self.capsule, tmk, &record);
    if (!error) return store_clear_put(s, &record, sizeof record);
    if (error != ENOENT) return error == ENOMEM ? STORE_MEMORY : STORE_SEALED;
    enum store_result result = store_clear_remove(s);
    return result == STORE_MISSING ? STORE_OK : result;
}

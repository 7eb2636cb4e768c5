/* Bytes from one file to another, hashed as they pass. */
#pragma once

#include <stdint.h>

enum stream_end { STREAM_DONE, STREAM_READ, STREAM_WRITE };

/* Copies exactly `size` bytes of `from`, from `offset`, to the position of `to`. READ or WRITE: that end failed, errno says how (EBADMSG:
 * the file is shorter). sha256: of the bytes copied, set on DONE. */
enum stream_end stream_copy(int from, uint64_t offset, uint64_t size, int to, uint8_t sha256[32]);

/* What `cloisond -V` and `cloison --version` print. */
#pragma once

#define CLOISON_VERSION "0.2"

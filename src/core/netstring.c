#include "core/netstring.h"

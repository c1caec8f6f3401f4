#include "core/sockmap.h"

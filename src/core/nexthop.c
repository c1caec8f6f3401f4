#include "core/nexthop.h"

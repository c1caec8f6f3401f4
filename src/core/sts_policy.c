#include "core/sts_policy.h"

#include "io/redis.h"

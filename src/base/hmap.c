#include "base/hmap.h"

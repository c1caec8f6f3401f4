#include "base/xalloc.h"

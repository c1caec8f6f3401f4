#include "core/from.h"

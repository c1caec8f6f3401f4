#include "core/rr.h"

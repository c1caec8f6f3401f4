#include "core/rkeys.h"

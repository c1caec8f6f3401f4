#include "core/dane.h"

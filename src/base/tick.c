#include "base/tick.h"

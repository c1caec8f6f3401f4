#include "core/mode.h"

#include "core/facts.h"

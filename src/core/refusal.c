#include "core/refusal.h"

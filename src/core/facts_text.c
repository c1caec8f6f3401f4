#include "core/facts_text.h"

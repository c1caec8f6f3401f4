#include "core/tag.h"

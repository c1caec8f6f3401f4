#include "base/names.h"

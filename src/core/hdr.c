#include "core/hdr.h"

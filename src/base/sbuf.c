#include "base/sbuf.h"

#include "base/cur.h"

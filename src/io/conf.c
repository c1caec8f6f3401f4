#include "io/conf.h"

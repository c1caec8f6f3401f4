#include "io/mirror.h"

#include "io/proc.h"

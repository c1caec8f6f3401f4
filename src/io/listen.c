#include "io/listen.h"

#include "io/dns_ub.h"

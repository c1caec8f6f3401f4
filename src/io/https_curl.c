#include "io/https_curl.h"

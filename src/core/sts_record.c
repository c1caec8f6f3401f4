#include "core/sts_record.h"

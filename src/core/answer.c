#include "core/answer.h"

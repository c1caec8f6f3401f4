#include "io/fact_store.h"

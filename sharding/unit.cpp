#include "sharding/unit.h"

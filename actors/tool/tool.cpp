#include "actors/tool/tool.hpp"
